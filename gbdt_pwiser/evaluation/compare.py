"""Models and losses on the same splits and seeds: choose on validation, score the test split once."""

from __future__ import annotations

import functools
import importlib.metadata
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from tqdm import tqdm

from gbdt_pwiser.data import Dataset, Exposures, Split
from gbdt_pwiser.evaluation.calibration import CALIBRATIONS, Calibrator, Method
from gbdt_pwiser.evaluation.metrics import METRICS, check_optimisable, evaluate
from gbdt_pwiser.evaluation.paired import paired_tests
from gbdt_pwiser.evaluation.results import BASELINE, Result
from gbdt_pwiser.evaluation.significance import PairedTest
from gbdt_pwiser.models import Model, ModelSpec, Predictions, make_model
from gbdt_pwiser.models.neural import NETWORKS
from gbdt_pwiser.objectives import InputError

OnTest = Callable[[ModelSpec, Exposures, Predictions], None]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained model and what validation says of it."""

    model: Model
    valid: dict[str, float]
    valid_seconds: float


def compare(
    dataset: Dataset,
    *,
    models: Sequence[str],
    losses: Sequence[str],
    seeds: Sequence[int],
    weights: Sequence[float] | None = None,
    base: ModelSpec | None = None,
    tuned: Mapping[str, ModelSpec] | None = None,
    choose_by: str = "ctr_auc",
    replicates: int = 200,
    calibrate: Method = "none",
    on_test: OnTest | None = None,
) -> list[Result]:
    """Train every model with every loss on every seed's split and score it on validation and test.

    For "pwiser" with several weights, one model is trained per weight and the best on validation is kept;
    the test split is scored with that one only.

    Parameters
    ----------
    dataset
        The exposures and how they are split; a seed decides a seeded split and the models trained on it.
    models, losses
        Names, see `MODELS` and `LOSSES`.
    seeds
        At least one.
    weights
        Candidates for the weight of the pairwise term; None for the one in base.
    base
        Everything else about the models; None for the defaults.
    tuned
        By loss, a spec that stands as it is, in place of base and weights; as `tuning.read_params` gives.
    choose_by
        Metric on validation by which a weight is chosen.
    replicates
        Of the bootstrap behind the error of a gain; 0 for no test on the test sample.
    calibrate
        A method of `Calibrator`, fitted on validation: test is scored before and after it.
    on_test
        Called once per scored model with its spec, the test exposures and the predictions.

    Returns
    -------
    list of Result
        A row per model, loss, seed, split (valid, test) and metric; bce before the losses compared with it.

    Raises
    ------
    InputError
        An unknown name, nothing to compare, or a split that cannot be scored.
    """
    for what, values in (("model", models), ("loss", losses), ("seed", seeds)):
        if not values:
            raise InputError(f"no {what} to compare; name at least one")
        if len(set(values)) < len(values):
            raise InputError(f"a {what} is named twice in {', '.join(map(str, values))}; name each once")
    check_optimisable(choose_by)
    if calibrate not in CALIBRATIONS:
        raise InputError(f"calibration is {calibrate!r}; choose one of {', '.join(CALIBRATIONS)}")
    if replicates < 0 or replicates == 1:
        raise InputError(f"replicates is {replicates}; give at least 2, or 0 for no bootstrap")
    base = base or ModelSpec(model=models[0])
    tuned = tuned or {}
    jobs = [
        (
            model,
            loss,
            [replace(tuned[loss], model=model)]
            if loss in tuned
            else _candidates(replace(base, model=model, loss=loss), weights),
        )
        for model, loss in product(models, sorted(losses, key=lambda loss: loss != BASELINE))
    ]
    for _, _, candidates in jobs:
        make_model(candidates[0])  # an unknown name is refused before anything is trained
    results: list[Result] = []
    fits = sum(len(candidates) for _, _, candidates in jobs) * len(seeds)
    with tqdm(total=fits, unit="fit", disable=None) as progress:
        for seed in seeds:
            split = dataset.split(seed)
            baselines: dict[str, Predictions] = {}
            for model, loss, candidates in jobs:
                fitted = choose(
                    [replace(spec, seed=seed) for spec in candidates], split, choose_by, progress=progress
                )
                started = time.perf_counter()
                predictions = fitted.model.predict(split.test)
                seconds = time.perf_counter() - started
                if loss == BASELINE:
                    baselines = {model: predictions}  # of one model at a time
                if on_test is not None:
                    on_test(fitted.model.spec, split.test, predictions)
                tests = _tests(split.test, predictions, baselines.get(model), loss, replicates)
                scored = {
                    "valid": (fitted.valid, fitted.valid_seconds),
                    "test": (evaluate(split.test, predictions.pctr, predictions.pctcvr), seconds),
                }
                if calibrate != "none":
                    calibrated = _calibrated(fitted.model, split.valid, predictions, calibrate)
                    scored[f"test_{calibrate}"] = (
                        evaluate(split.test, calibrated.pctr, calibrated.pctcvr),
                        seconds,
                    )
                results.extend(_results(fitted.model, split.test.name, scored, tests))
    return results


def choose(
    specs: Sequence[ModelSpec], split: Split, metric: str, *, progress: tqdm[None] | None = None
) -> Fitted:
    """Train each spec and return the best on validation; of equals the earlier, of NaN any other.

    InputError where the metric is NaN for all of several specs: there is nothing to choose by.
    """
    sign = 1.0 if METRICS[metric].higher_is_better else -1.0
    best: Fitted | None = None
    for spec in specs:
        if progress is not None:
            progress.set_description(f"seed {spec.seed} {spec.model} {spec.loss} {spec.weight:g}")
        fitted = fit(spec, split.train, split.valid)
        if progress is not None:
            progress.update()
        if (
            best is None
            or np.isnan(_score(best, metric))
            or sign * _score(fitted, metric) > sign * _score(best, metric)
        ):
            best = fitted
    if best is None:
        raise InputError("no model to choose from; give at least one")
    if len(specs) > 1 and np.isnan(_score(best, metric)):
        raise InputError(f"{metric} cannot be computed on the validation split; choose by another metric")
    return best


def fit(spec: ModelSpec, train: Exposures, valid: Exposures) -> Fitted:
    """Train one model and score it on validation."""
    model = make_model(spec)
    model.fit(train, valid)
    started = time.perf_counter()
    predictions = model.predict(valid)
    seconds = time.perf_counter() - started
    return Fitted(model, evaluate(valid, predictions.pctr, predictions.pctcvr), seconds)


def _score(fitted: Fitted, metric: str) -> float:
    return fitted.valid.get(metric, float("nan"))


def _candidates(spec: ModelSpec, weights: Sequence[float] | None) -> list[ModelSpec]:
    if spec.loss != "pwiser" or weights is None:
        return [spec]
    if not weights:
        raise InputError("no weight to try; give at least one")
    return [replace(spec, pwiser=replace(spec.pwiser, weight=weight)) for weight in weights]


def _tests(
    test: Exposures, predictions: Predictions, baseline: Predictions | None, loss: str, replicates: int
) -> dict[str, PairedTest]:
    if loss == BASELINE or baseline is None or not replicates:
        return {}
    return paired_tests(test, predictions, baseline, replicates=replicates)


def _calibrated(model: Model, valid: Exposures, predictions: Predictions, method: Method) -> Predictions:
    """Calibrate pCTR on validation and leave pCVR as it is."""
    calibrator = Calibrator.fit(method, model.predict(valid).pctr, valid.click)
    pctr = calibrator(predictions.pctr)
    pcvr = np.divide(
        predictions.pctcvr, predictions.pctr, out=np.zeros_like(pctr), where=predictions.pctr > 0
    )
    return Predictions(pctr=pctr, pctcvr=pctr * pcvr)


def _results(
    model: Model,
    dataset: str,
    scored: dict[str, tuple[dict[str, float], float]],
    tests: dict[str, PairedTest],
) -> Iterator[Result]:
    spec = model.spec
    for split, (values, seconds) in scored.items():
        for metric, value in values.items():
            tested = split == "test" and metric in tests
            yield Result(
                dataset=dataset,
                model=spec.model,
                loss=spec.loss,
                seed=spec.seed,
                split=split,
                metric=metric,
                value=value,
                weight=spec.weight,
                rounds=model.rounds_used,
                size=model.size,
                fit_seconds=model.fit_seconds,
                predict_seconds=seconds,
                versions=_versions(spec.model),
                gain_error=tests[metric].standard_error if tested else float("nan"),
            )


@functools.cache
def _versions(model: str) -> str:
    library = {"lightgbm": "lightgbm", "xgboost": "xgboost", **dict.fromkeys(NETWORKS, "torch")}.get(model)
    packages = ("gbdt-pwiser", *([library] if library else []), "numpy")
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
