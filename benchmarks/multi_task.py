"""What boosters gain where they learn click and conversion together: python -m benchmarks.multi_task

pCTR is that of the models `xgboost` and `lightgbm` where nothing else is said; a variant has only pCVR, or
pCTCVR, from elsewhere. All are trained with the settings of those models and stopped on validation. Gains
over separate boosters are tested on test, paired by row, and combined over the seeds.

separate     the models as they are: a booster on clicked exposures
on rates     the same with the click rate of each category in its place, as the shared trees have it
shared       one leaf for both tasks: BCE of clicks, and of conversions on clicked exposures
model        the same, and pCTR is that of "on rates": the model `xgboost_shared`
both shared  the same, and pCTR is the first output
all rows     one leaf for both tasks, the second output pCTCVR, with BCE of conversions on all exposures
coupled      entire space: BCE(click, p) + BCE(conversion, p r); one leaf for both in XGBoost, in LightGBM two
             trees a round
transfer     a booster on clicked exposures that starts at a share of the click's log-odds: of 0, 1/4, 1/2 and
             1 the one with the best CTCVR AUC on validation
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm
import numpy as np
import xgboost
from numpy.typing import NDArray
from scipy.special import expit, logit
from tqdm import tqdm

from gbdt_pwiser.data import Dataset, Exposures, Split
from gbdt_pwiser.metrics import evaluate
from gbdt_pwiser.models import ModelSpec, Predictions, make_model
from gbdt_pwiser.models.boosters._rates import ClickRates
from gbdt_pwiser.objectives import auc
from gbdt_pwiser.significance.intervals import combine_seeds
from gbdt_pwiser.significance.paired import paired_tests
from gbdt_pwiser.sources import load

METRICS = ("ctr_auc", "cvr_auc", "ctcvr_auc")
SHARES = (0.0, 0.25, 0.5, 1.0)
FLOOR = 1e-6
Derivatives = tuple[NDArray[np.float64], NDArray[np.float64]]


class Parts(NamedTuple):
    """Features, clicks and conversions of train, validation and test, and which features are categorical."""

    train: tuple[Any, Any, Any]
    valid: tuple[Any, Any, Any]
    test: tuple[Any, Any, Any]
    categorical: list[int]


def parts(split: Split, encode: Callable[[Any], Any]) -> Parts:
    def of(part: Exposures) -> tuple[Any, Any, Any]:
        return encode(part.matrix()), part.click.astype(float), part.conversion.astype(float)

    columns = split.train.features.columns
    categorical = [columns.index(name) for name in split.train.categorical]
    return Parts(of(split.train), of(split.valid), of(split.test), categorical)


def shared(raw: Any, click: Any, conversion: Any) -> Derivatives:
    p = expit(raw)
    grad = np.stack([p[:, 0] - click, click * (p[:, 1] - conversion)], axis=1)
    curve = p * (1 - p)
    return grad, np.stack([curve[:, 0], click * curve[:, 1]], axis=1)


def all_rows(raw: Any, click: Any, conversion: Any) -> Derivatives:
    p = expit(raw)
    return p - np.stack([click, conversion], axis=1), p * (1 - p)


def coupled(raw: Any, click: Any, conversion: Any) -> Derivatives:
    """Second-order values are expectations, which are positive."""
    p, r = expit(raw).T
    q = np.minimum(p * r, 1 - 1e-12)
    pull, curve = (q - conversion) / (1 - q), q / (1 - q)
    grad = np.stack([p - click + pull * (1 - p), pull * (1 - r)], axis=1)
    return grad, np.stack([p * (1 - p) + curve * (1 - p) ** 2, curve * (1 - r) ** 2], axis=1)


class Best:
    """The best round of each output, and whether all of them are long past."""

    def __init__(self, patience: int) -> None:
        self.patience, self.round, self.value = patience, [0, 0], [-1.0, -1.0]

    def over(self, number: int, values: tuple[float, float]) -> bool:
        for k, value in enumerate(values):
            if value > self.value[k]:
                self.round[k], self.value[k] = number, value
        return all(number - best >= self.patience for best in self.round)


def judged(raw: Any, click: Any, conversion: Any, over_all: str) -> tuple[float, float]:
    """CTR AUC of the first output, and the AUC that the second is to have."""
    clicked = click > 0
    if over_all == "clicks":
        return auc(raw[:, 0], clicked), auc(raw[clicked, 1], conversion[clicked] > 0)
    second = raw[:, 1] if over_all == "rows" else np.log(expit(raw)).sum(axis=1)
    return auc(raw[:, 0], clicked), auc(second, conversion > 0)


def two_outputs(spec: ModelSpec, p: Parts, of: Any, starts: Any, over_all: str) -> Callable[[Any, int], Any]:
    """Train two outputs; return their raw scores up to the best round of one of them."""
    (x, click, conversion), (x_valid, click_valid, conversion_valid) = p.train, p.valid
    settings: Any = spec.settings
    best = Best(settings.early_stopping)

    def objective(raw: Any, _: Any) -> Derivatives:
        grad, hess = of(np.asarray(raw, dtype=float), click, conversion)
        return grad.astype("f4"), np.maximum(hess, FLOOR).astype("f4")

    params = dict(make_model(spec)._params)  # type: ignore[attr-defined]
    if spec.model == "lightgbm":
        params |= {"objective": objective, "num_class": 2, "metric": "None"}

        def dataset(x: Any, click: Any, reference: Any = None) -> Any:
            start = np.tile(starts, (len(x), 1))
            return lightgbm.Dataset(
                x,
                label=click,
                init_score=start,
                reference=reference,
                categorical_feature=p.categorical,
                params={"feature_pre_filter": False, "verbose": -1},
            )

        def stop(env: Any) -> None:
            if best.over(env.iteration, tuple(each[2] for each in env.evaluation_result_list)):
                raise lightgbm.callback.EarlyStopException(env.iteration, env.evaluation_result_list)

        def told(raw: Any, _: Any) -> Any:
            values = judged(raw, click_valid, conversion_valid, over_all)
            return [("first", values[0], True), ("second", values[1], True)]

        train = dataset(x, click)
        valid = dataset(x_valid, click_valid, train)
        model = lightgbm.train(
            params, train, settings.rounds, valid_sets=[valid], feval=told, callbacks=[stop]
        )
        return lambda x, k: model.predict(x, raw_score=True, num_iteration=best.round[k] + 1) + starts

    class Stop(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            return best.over(epoch, tuple(evals_log["valid"][name][-1] for name in ("first", "second")))

    def metric(raw: Any, _: Any) -> Any:
        first, second = judged(raw, click_valid, conversion_valid, over_all)
        return [("first", first), ("second", second)]

    params.pop("eval_metric")
    params |= {"disable_default_eval_metric": True, "objective": "binary:logistic"}
    params |= {"base_score": expit(starts).tolist(), "multi_strategy": "multi_output_tree"}
    train = xgboost.QuantileDMatrix(x, label=np.stack([click, conversion], axis=1))
    valid = xgboost.QuantileDMatrix(
        x_valid, label=np.stack([click_valid, conversion_valid], axis=1), ref=train
    )
    model = xgboost.train(
        params,
        train,
        settings.rounds,
        evals=[(valid, "valid")],
        obj=objective,
        custom_metric=metric,
        verbose_eval=False,
        callbacks=[Stop()],
    )
    return lambda x, k: model.inplace_predict(
        x, iteration_range=(0, best.round[k] + 1), predict_type="margin"
    ).astype(float)


def transferred(model: Any, split: Split, share: float) -> Any:
    """Train a conversion booster of the model's library that starts at a share of the click's log-odds."""
    clicked = [part.take(part.click) for part in (split.train, split.valid)]
    scores = [click_scores(model, part.matrix()) for part in clicked]
    label = [part.conversion.astype(float) for part in clicked]
    offset = 0.0
    for _ in range(50):  # Newton's method for the mean conversion
        q = expit(share * scores[0] + offset)
        offset -= (q - label[0]).sum() / (q * (1 - q)).sum()
    starts = [share * score + offset for score in scores]
    settings, params = model.settings, dict(model._params)
    columns, categorical = split.train.features.columns, set(split.train.categorical)
    matrices = [part.matrix() for part in clicked]
    if model.library == "lightgbm":
        params["objective"] = "binary"
        places = [columns.index(name) for name in split.train.categorical]
        train = lightgbm.Dataset(
            matrices[0], label=label[0], init_score=starts[0], categorical_feature=places, params=params
        )
        valid = lightgbm.Dataset(matrices[1], label=label[1], init_score=starts[1], reference=train)
        booster = lightgbm.train(
            params,
            train,
            settings.rounds,
            valid_sets=[valid],
            callbacks=[lightgbm.early_stopping(settings.early_stopping, verbose=False)],
        )

        def score(x: Any, z: Any) -> Any:
            return (
                booster.predict(x, raw_score=True, num_iteration=booster.best_iteration) + share * z + offset
            )

        return score
    options: Any = {
        "feature_types": ["c" if name in categorical else "q" for name in columns],
        "enable_categorical": True,
    }
    train = xgboost.QuantileDMatrix(matrices[0], label=label[0], base_margin=starts[0], **options)
    valid = xgboost.QuantileDMatrix(matrices[1], label=label[1], base_margin=starts[1], ref=train, **options)
    of_xgboost = xgboost.train(
        {**params, "objective": "binary:logistic"},
        train,
        settings.rounds,
        evals=[(valid, "valid")],
        verbose_eval=False,
        callbacks=[xgboost.callback.EarlyStopping(rounds=settings.early_stopping, maximize=True)],
    )
    return lambda x, z: of_xgboost.inplace_predict(
        x,
        iteration_range=(0, of_xgboost.best_iteration + 1),
        predict_type="margin",
        base_margin=share * z + offset,
    )


def click_scores(model: Any, x: Any) -> Any:
    start = model._click.start if model.library == "lightgbm" else 0.0
    return model._score(model._click, x) + start


def variants(model: str, split: Split, seed: int, threads: int) -> dict[str, dict[str, Predictions]]:
    """Predictions of validation and test by variant."""
    spec = ModelSpec(model=model, seed=seed, threads=threads)
    separate: Any = make_model(spec)
    separate.fit(split.train, split.valid)
    spec = separate.spec
    tested = {"valid": split.valid, "test": split.test}
    found = {"separate": {name: separate.predict(part) for name, part in tested.items()}}
    pctr = {name: each.pctr for name, each in found["separate"].items()}

    def keep(name: str, pctcvr: Callable[[str], Any], own: Callable[[str], Any] | None = None) -> None:
        found[name] = {
            part: Predictions(pctr=p, pctcvr=np.minimum(pctcvr(part), p))
            for part in tested
            for p in [own(part) if own else pctr[part]]
        }

    rates = ClickRates.fit(split.train)
    p = parts(split, rates.encode if model == "xgboost" else lambda x: x)
    features = {"valid": p.valid[0], "test": p.test[0]}
    click, conversion = p.train[1:]
    rate, of_clicks = click.mean(), conversion[click > 0].mean()
    starts = logit(np.array([rate, of_clicks]))
    if model == "xgboost":
        encoded = {name: encoded_split(part, rates) for name, part in split_parts(split).items()}
        on_rates: Any = make_model(spec)
        on_rates.fit(encoded["train"], encoded["valid"])
        found["on rates"] = {name: on_rates.predict(encoded[name]) for name in tested}
        raw = two_outputs(spec, p, shared, starts, "clicks")
        second = {name: expit(raw(x, 1)[:, 1]) for name, x in features.items()}
        first = {name: expit(raw(x, 0)[:, 0]) for name, x in features.items()}
        keep("shared", lambda part: pctr[part] * second[part])
        alone = {name: each.pctr for name, each in found["on rates"].items()}
        keep("model", lambda part: alone[part] * second[part], lambda part: alone[part])
        keep("both shared", lambda part: first[part] * second[part], lambda part: first[part])
        raw = two_outputs(spec, p, all_rows, logit(np.array([rate, conversion.mean()])), "rows")
        joint = {name: expit(raw(x, 1)[:, 1]) for name, x in features.items()}
        keep("all rows", lambda part: joint[part])
    raw = two_outputs(spec, p, coupled, starts, "product")
    factor = {name: expit(raw(x, 1)[:, 1]) for name, x in features.items()}
    keep("coupled", lambda part: pctr[part] * factor[part])

    z = {name: click_scores(separate, part.matrix()) for name, part in tested.items()}
    candidates = {}
    for share in SHARES:
        score = transferred(separate, split, share)
        candidates[share] = {name: expit(score(part.matrix(), z[name])) for name, part in tested.items()}
    best = max(
        SHARES, key=lambda s: auc(pctr["valid"] * candidates[s]["valid"], split.valid.conversion.astype(bool))
    )
    keep("transfer", lambda part: pctr[part] * candidates[best][part])
    return found


def split_parts(split: Split) -> dict[str, Exposures]:
    return {"train": split.train, "valid": split.valid, "test": split.test}


def encoded_split(part: Exposures, rates: ClickRates) -> Exposures:
    import polars as pl

    frame = pl.DataFrame(rates.encode(part.matrix()), schema=part.features.columns)
    return replace(part, features=frame, categorical=())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", default="simulated")
    parser.add_argument("--exposures", type=int, default=200_000, help="simulated, with 5 % clicks")
    parser.add_argument("--model", action="append", help="xgboost, lightgbm; both unless given")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    simulated: Any = {"n_exposures": arguments.exposures, "ctr": 0.05, "cvr": 0.1}
    dataset: Dataset = load(arguments.dataset, **(simulated if arguments.dataset == "simulated" else {}))
    rows = []
    for model in arguments.model or ["xgboost", "lightgbm"]:
        values: dict[str, dict[str, list[float]]] = {}
        tests: dict[str, dict[str, list[Any]]] = {}
        control = "on rates" if model == "xgboost" else "separate"
        for seed in tqdm(range(arguments.seeds), desc=model, disable=None):
            split = dataset.split(seed)
            found = variants(model, split, seed, arguments.threads)
            for name, by_part in found.items():
                for part, exposures in (("valid", split.valid), ("test", split.test)):
                    told = evaluate(exposures, by_part[part].pctr, by_part[part].pctcvr)
                    for metric in METRICS:
                        values.setdefault(name, {}).setdefault(f"{part} {metric}", []).append(told[metric])
                for against in {"separate", control} - {name}:
                    paired = paired_tests(split.test, by_part["test"], found[against]["test"], replicates=2)
                    for metric in METRICS:
                        key = f"{metric} over {against}"
                        tests.setdefault(name, {}).setdefault(key, []).append(paired[metric])
        for name, of in values.items():
            row: dict[str, Any] = {"model": model, "variant": name}
            row |= {key: float(np.mean(each)) for key, each in of.items()}
            for key, each in tests.get(name, {}).items():
                combined = combine_seeds(each)
                row[f"gain {key}"] = [combined.gain, combined.low, combined.high]
            rows.append(row)
            print(told_row(row), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2))


def told_row(row: dict[str, Any]) -> str:
    cells = [f"{row['model']:<9} {row['variant']:<12}"]
    for metric in METRICS:
        cells.append(f"{row[f'valid {metric}']:.4f} {row[f'test {metric}']:.4f}")
        for against in ("separate", "on rates"):
            if f"gain {metric} over {against}" in row:
                gain, low, high = row[f"gain {metric} over {against}"]
                cells.append(f"over {against} {gain:+.4f} ({low:+.4f} to {high:+.4f})")
    return "  ".join(cells)


if __name__ == "__main__":
    main()
