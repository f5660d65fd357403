"""The daily loop: what yesterday's model is worth today, by what is done with it each day.

    python -m benchmarks.daily [--exposures 50000] [--days 10] [--drift 1] [--seeds 3] [--model xgboost]

A simulated log drifts. At the end of each day there is a model of that day's exposures, a fifth of whose
searches is validation, and the next day's exposures are what it is scored on:

kept        the model of the first day, as it is
continued   yesterday's model, and more trees from today
refitted    yesterday's model, with leaf values that are half of yesterday's and half of today's
scratch     trained anew on today alone
history     trained anew on all days so far

Prints CTR AUC and PCOC (mean pCTR by click rate; 1 is best) by day, and the means over days and seeds with
the standard error over seeds.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.data import Exposures, Split
from gbdt_pwiser.metrics import pcoc
from gbdt_pwiser.models import BoosterSettings, Model, ModelSpec, continue_model, make_model, save_model
from gbdt_pwiser.objectives import auc
from gbdt_pwiser.sources import simulate

WAYS: Final = ("kept", "continued", "refitted", "scratch", "history")
SETTINGS: Final = BoosterSettings(rounds=300, early_stopping=20, learning_rate=0.1)
DECAY: Final = 0.5


def split_of(exposures: Exposures, tomorrow: Exposures) -> Split:
    """Every fifth search of today is validation, tomorrow is test."""
    assert exposures.group is not None
    is_valid = exposures.group % 5 == 0
    return Split(exposures.take(~is_valid), exposures.take(is_valid), tomorrow)


def fitted(spec: ModelSpec, split: Split) -> Model:
    model = make_model(spec)
    model.fit(split.train, split.valid)
    return model


def measured(model: Model, exposures: Exposures) -> tuple[float, float]:
    pctr = model.predict(exposures).pctr
    return auc(pctr, exposures.click), pcoc(pctr, exposures.click)


def of_seed(exposures: Exposures, spec: ModelSpec, folder: Path) -> NDArray[np.float64]:
    """Return AUC and PCOC by day and way: (days, ways, 2)."""
    time = exposures.time
    assert time is not None
    rows: list[Any] = []
    folders = {way: folder / way for way in ("continued", "refitted")}
    for day in range(int(time.max())):
        tomorrow = exposures.take(time == day + 1)
        today = split_of(exposures.take(time == day), tomorrow)
        scratch = fitted(spec, today)
        if day == 0:
            models = dict.fromkeys(WAYS, scratch)
            for way in folders.values():
                save_model(scratch, way, today)
        else:
            for way, place in folders.items():
                refit = DECAY if way == "refitted" else None
                went_on = continue_model(place, today, refit=refit, threads=spec.threads)
                save_model(went_on.model, place, went_on.split, continued=went_on.record)
                models[way] = went_on.model
            models["scratch"] = scratch
            models["history"] = fitted(spec, split_of(exposures.take(time <= day), tomorrow))
        rows.append([measured(models[way], tomorrow) for way in WAYS])
    return np.array(rows)


def table(values: NDArray[np.float64], errors: NDArray[np.float64], decimals: int) -> str:
    lines = [f"| day | {' | '.join(WAYS)} |", "|---" * (len(WAYS) + 1) + "|"]
    lines += [
        f"| {day} | {' | '.join(f'{value:.{decimals}f}' for value in row)} |"
        for day, row in enumerate(values, start=2)
    ]
    means = zip(values.mean(axis=0), errors, strict=True)
    lines.append(
        f"| mean | {' | '.join(f'{mean:.{decimals}f} ± {error:.{decimals}f}' for mean, error in means)} |"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--exposures", type=int, default=50_000)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--drift", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--model", action="append", choices=["lightgbm", "xgboost"])
    asked = parser.parse_args()
    for model in asked.model or ["lightgbm", "xgboost"]:
        spec = ModelSpec(model=model, loss="pwiser", threads=1, settings=SETTINGS)
        seeds = []
        for seed in range(asked.seeds):
            log = simulate(
                asked.exposures, seed=seed, ctr=0.2, cvr=0.3, drift=asked.drift, days=asked.days
            ).exposures
            with TemporaryDirectory() as folder:
                seeds.append(of_seed(log, spec, Path(folder)))
        measures = np.array(seeds)
        errors = measures.mean(axis=1).std(axis=0, ddof=min(1, asked.seeds - 1)) / np.sqrt(asked.seeds)
        for place, (name, decimals) in enumerate((("CTR AUC", 4), ("PCOC", 3))):
            print(f"\n{model}, {name} of the next day's exposures\n")
            print(table(measures[..., place].mean(axis=0), errors[:, place], decimals), flush=True)


if __name__ == "__main__":
    main()
