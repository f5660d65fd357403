"""What a search costs beside the trainings in it.

    python -m benchmarks.tuning [--exposures 50000] [--trials 50] [--rounds 100] [--model lightgbm] ...

Each loss-only trial has its bare twin: the library's own training with the same objective, rounds, binned
data and validation AUC, and nothing else. Trials are not pruned and nothing stops early, so both do the same
rounds; twins run right after their trials, so that both meet the machine in the same state.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightgbm
import xgboost

from gbdt_pwiser.data import Dataset, Exposures
from gbdt_pwiser.models import BoosterSettings, ModelSpec, make_model
from gbdt_pwiser.objectives import PWiseRObjective, make_dataset, make_dmatrix, xgboost_params
from gbdt_pwiser.sources import simulate
from gbdt_pwiser.tuning import _search, search_space
from gbdt_pwiser.tuning._share import Share
from gbdt_pwiser.tuning._storage import embedded, make_pruner, make_sampler, open_storage, open_study


class Bare:
    """A library's own training on data that it binned once."""

    def __init__(self, train: Exposures, valid: Exposures, model: str, rounds: int) -> None:
        self.model, self.rounds, self.click = model, rounds, train.click
        names, categorical = train.features.columns, set(train.categorical)
        if model == "lightgbm":
            options: dict[str, Any] = {
                "feature_name": names,
                "categorical_feature": list(categorical),
                "params": {"verbose": -1, "feature_pre_filter": False},
            }
            data = make_dataset(train.matrix(), train.click, train.conversion, **options).construct()
            other = make_dataset(valid.matrix(), valid.click, valid.conversion, reference=data, **options)
            self.data, self.valid = data, other.construct()
        else:
            options = {
                "quantile": True,
                "feature_names": names,
                "feature_types": ["c" if name in categorical else "q" for name in names],
                "enable_categorical": True,
            }
            self.data = make_dmatrix(train.matrix(), train.click, train.conversion, **options)
            self.valid = make_dmatrix(valid.matrix(), valid.click, valid.conversion, ref=self.data, **options)

    def seconds(self, spec: ModelSpec) -> float:
        """Train and return the time it took."""
        objective = PWiseRObjective(**asdict(spec.pwiser)) if spec.loss == "pwiser" else None
        started = time.perf_counter()
        if self.model == "lightgbm":
            params = {**make_model(spec)._params, "objective": objective or "binary"}
            lightgbm.train(params, self.data, self.rounds, valid_sets=[self.valid])
        else:
            params = {**xgboost_params(self.click), **make_model(spec)._params}
            evals = [(self.valid, "valid")]
            xgboost.train(params, self.data, self.rounds, evals=evals, obj=objective, verbose_eval=False)
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exposures", type=int, default=50_000)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--model", default="lightgbm", choices=["lightgbm", "xgboost"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    split = Dataset(simulate(arguments.exposures).exposures).split(0)
    spec = ModelSpec(
        model=arguments.model,
        threads=arguments.threads,
        settings=BoosterSettings(rounds=arguments.rounds, early_stopping=arguments.rounds),
    )
    # Pairs inside groups would want data sorted by group for the twin as well.
    space = search_space("loss", spec.model, grouped=False)
    bare = Bare(split.train, split.valid, spec.model, arguments.rounds)
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        _search.quiet_optuna(),
        open_storage(where := embedded(Path(folder))) as storage,
    ):
        sampler, pruner = make_sampler("tpe", 0), make_pruner("none", arguments.rounds)
        study = open_study(storage, where, "study", ["ctr_auc"], {}, sampler, pruner)
        opening = time.perf_counter() - started
        of_trials, of_twins = [], []
        for number in range(1, arguments.trials + 1):
            share = Share(study, where, number, {"bce": space.bce(spec), "given": space.start(spec)})
            arm = _search.Arm("pwiser", spec, space, share)
            started = time.perf_counter()
            _search.run_trials([arm], split.train, split.valid, ["ctr_auc"], prune=False)
            of_trials.append(time.perf_counter() - started)
            of_twins.append(bare.seconds(arm.spec(_search.collect([arm])[-1].parameters)))
    # Binning and the conversion booster, made once, are in the first trial.
    whole, twins = sum(of_trials[1:]), sum(of_twins[1:])
    print(
        f"{arguments.model}, {len(split.train):,} training rows, {arguments.rounds} rounds, "
        f"{arguments.trials} trials, {arguments.threads} threads\n"
        f"  trials          {whole:8.2f} s, without the first, which bins: {of_trials[0]:.2f} s\n"
        f"  bare trainings  {twins:8.2f} s\n"
        f"  ratio           {whole / twins:8.3f}  (median of pairs "
        f"{statistics.median(a / b for a, b in zip(of_trials[1:], of_twins[1:], strict=True)):.3f})\n"
        f"  opening a study {opening:8.2f} s"
    )
    if arguments.json:
        told = {
            "model": arguments.model,
            "rows": len(split.train),
            "rounds": arguments.rounds,
            "trials": of_trials,
            "bare": of_twins,
            "ratio": whole / twins,
        }
        arguments.json.write_text(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
