"""Models and losses on the same splits and seeds: choose on validation, score the test split once."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from gbdt_pwiser.calibration import Calibrator, Method, check_calibration
from gbdt_pwiser.data import Dataset, Exposures, Split
from gbdt_pwiser.data.leaks import too_good
from gbdt_pwiser.data.progress import bar, within
from gbdt_pwiser.evaluation.activity import ActivityCurve
from gbdt_pwiser.evaluation.details import Details, TrainingCurve
from gbdt_pwiser.evaluation.plan import baseline_named, check_named, plan
from gbdt_pwiser.evaluation.results import BASELINE, Result, baseline_of
from gbdt_pwiser.metrics import check_optimisable, evaluate, metric_named
from gbdt_pwiser.models import Model, ModelSpec, Predictions, Settings, make_model
from gbdt_pwiser.models.protocol import Task
from gbdt_pwiser.models.registry import versions_of
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.objectives.errors import check_whole
from gbdt_pwiser.significance.intervals import PairedTest
from gbdt_pwiser.significance.paired import paired_tests

OnTest = Callable[[ModelSpec, Exposures, Predictions], None]
Make = Callable[[ModelSpec], Model]

MOST_REPLICATES: Final = 100_000
"""Draws of a bootstrap, which all are in memory; errors are known to less than 1 % long before."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained model, its predictions and metrics on validation, and its CTR AUC there round by round."""

    model: Model
    predictions: Predictions
    valid: dict[str, float]
    valid_seconds: float
    curve: tuple[float, ...] = ()


def compare(
    dataset: Dataset,
    *,
    models: Sequence[str],
    losses: Sequence[str],
    seeds: Sequence[int],
    weights: Sequence[float] | None = None,
    rival_weights: Mapping[str, Sequence[float]] | None = None,
    base: ModelSpec | None = None,
    settings: Sequence[Settings] = (),
    tuned: Mapping[str, ModelSpec] | None = None,
    against: str | None = None,
    choose_by: str = "ctr_auc",
    also: Sequence[str] = (),
    replicates: int = 200,
    calibrate: Method = "none",
    on_test: OnTest | None = None,
    details: Details | None = None,
    make: Make = make_model,
) -> list[Result]:
    """Train every model with every loss on every seed's split and score it on validation and test.

    For a loss with several weights, one model is trained per weight and the best on validation is kept;
    the test split is scored with that one only. A loss that does not exist for a model is left out there.

    Parameters
    ----------
    dataset
        The exposures and how they are split; a seed decides a seeded split and the models trained on it.
    models, losses
        Names, see `MODELS` and `LOSSES`.
    seeds
        At least one.
    weights
        Candidates for the weight of the pairwise term; None for the one in tuned or base.
    rival_weights
        Candidates for the weights of rival losses by name; for a rival without, those in `LOSSES`.
    base
        Everything else about the models; None for the defaults.
    settings
        Of families of models: each model takes those of its family, else those of base where they are, else
        the defaults.
    tuned
        By loss, a spec in place of base, with its own weight where `weights` are None; as
        `tuning.read_params` gives. The one of bce is then the base of losses that have none.
    against
        The one model and loss of those compared that every gain is measured against, on the same test rows:
        "MODEL:LOSS", or "MODEL" for its bce. None: the bce of each model itself.
    choose_by
        Metric on validation by which a weight is chosen.
    also
        Names of metrics beside those of `METRICS`, such as ndcg@7. `choose_by` need not be among them.
    replicates
        Of the bootstrap behind the error of a gain; 0 for no test on the test sample.
    calibrate
        A method of `Calibrator`, fitted on validation: test is scored before and after it.
    on_test
        Called once per scored model with its spec, the test exposures and the predictions; first for
        what all are measured against.
    details
        Filled with what a page draws beside the results.
    make
        Returns the untrained model of a spec; another one may train it elsewhere, as on a cluster.

    Returns
    -------
    list of Result
        A row per model, loss, seed, split (valid, test) and metric, each model's bce before its other losses.

    Raises
    ------
    InputError
        An unknown name, nothing to compare, a cell in against that is not compared, or a split that cannot
        be scored.

    Warns
    -----
    UserWarning
        A feature gives the label away, or a model's CTR AUC on test cannot be true.
    """
    check_named("seed", seeds)
    check_choice(choose_by, calibrate, replicates)
    jobs = plan(
        models,
        losses,
        weights=weights,
        rival_weights=rival_weights,
        base=base,
        settings=settings,
        tuned=tuned,
    )
    cells = [(model, loss) for model, loss, _ in jobs]
    baseline = baseline_named(against, cells)
    also = (*also, choose_by)
    for name in also:
        metric_named(name)
    for _, _, candidates in jobs:
        make(candidates[0])  # an unknown name is refused before anything is trained
    if details is not None:
        details.choose_by = choose_by
        details.released = dataset.released
    pairs = {model: candidates[0].pwiser for model, loss, candidates in jobs if loss == "pwiser"}
    # One baseline for all is trained first; where each model has its own, it comes first of the model's.
    training = sorted(jobs, key=lambda job: f"{job[0]}:{job[1]}" != baseline)
    results: list[Result] = []
    doubted = False
    fits = sum(len(candidates) for _, _, candidates in jobs) * len(seeds)
    with bar(total=fits, desc="all", unit="fit") as progress:
        for place, seed in enumerate(seeds, 1):
            split = dataset.split(seed)
            drawn = details if seed == seeds[0] else None
            if drawn is not None:
                drawn.add_split(split)
            baselines: dict[tuple[str, str], Predictions] = {}
            rows: dict[tuple[str, str], list[Result]] = {}
            for model, loss, candidates in training:
                with within(f"seed {place}/{len(seeds)}"):
                    fitted = choose(
                        [replace(spec, seed=seed) for spec in candidates],
                        split,
                        choose_by,
                        also=also,
                        progress=progress,
                        details=details,
                        make=make,
                    )
                started = time.perf_counter()
                predictions = fitted.model.predict(split.test)
                seconds = time.perf_counter() - started
                compared_with = baseline_of(model, baseline)
                if (model, loss) == compared_with:
                    baselines = {compared_with: predictions}  # one at a time
                if on_test is not None:
                    on_test(fitted.model.spec, split.test, predictions)
                tests = _tests(split.test, predictions, baselines.get(compared_with), also, replicates)
                predicted = {"test": predictions}
                if calibrate != "none":
                    predicted[f"test_{calibrate}"] = _calibrated(fitted, split.valid, predictions, calibrate)
                if drawn is not None:
                    activity = _activity(fitted.model, split.train, pairs)
                    curve = _training_curve(fitted)
                    drawn.add_scored(fitted.model.spec, curve, activity, split.test, predicted)
                    if loss == BASELINE:
                        drawn.add_clicks(fitted.model.spec, split.valid, fitted.predictions)
                scored = {"valid": (fitted.valid, fitted.valid_seconds)}
                for part, p in predicted.items():
                    scored[part] = (evaluate(split.test, p.pctr, p.pctcvr, p.pcvr, also=also), seconds)
                if not doubted and too_good(scored["test"][0]["ctr_auc"], split.test.click):
                    doubted = True
                    _warn_of_test(fitted.model.spec, scored["test"][0]["ctr_auc"])
                rows[model, loss] = list(_results(fitted.model, split.test.name, scored, tests, baseline))
            results += [row for cell in cells for row in rows[cell]]
    if details is not None:
        details.sort(cells)
    return results


def check_choice(choose_by: str, calibrate: Method, replicates: int = 0) -> None:
    """Raise InputError for a metric, a calibration or a number of draws that a comparison cannot have."""
    check_optimisable(choose_by)
    check_calibration(calibrate)
    if replicates == 1:
        raise InputError("replicates is 1; give at least 2, or 0 for no bootstrap")
    check_whole("replicates", replicates, 0, MOST_REPLICATES)


def choose(
    specs: Sequence[ModelSpec],
    split: Split,
    metric: str,
    *,
    also: Sequence[str] = (),
    progress: tqdm[Any] | None = None,
    details: Details | None = None,
    make: Make = make_model,
) -> Fitted:
    """Train each spec, as a model that `make` returns, and return the best on validation.

    Of equals that is the earlier, of NaN any other. The details get what validation says of each. InputError
    where the metric is NaN for all of several specs: there is nothing to choose by.
    """
    sign = 1.0 if metric_named(metric).higher_is_better else -1.0
    best: Fitted | None = None
    tried: list[tuple[ModelSpec, dict[str, float]]] = []
    chosen: ModelSpec | None = None
    for spec in specs:
        fitted = fit(spec, split.train, split.valid, make, (*also, metric))
        tried.append((spec, fitted.valid))
        if progress is not None:
            progress.update()
        if (
            best is None
            or np.isnan(_score(best, metric))
            or sign * _score(fitted, metric) > sign * _score(best, metric)
        ):
            best, chosen = fitted, spec
    if best is None or chosen is None:
        raise InputError("no model to choose from; give at least one")
    if len(specs) > 1 and np.isnan(_score(best, metric)):
        raise InputError(f"{metric} cannot be computed on the validation split; choose by another metric")
    if details is not None:
        details.add_candidates(tried, chosen)
    return best


def fit(
    spec: ModelSpec,
    train: Exposures,
    valid: Exposures,
    make: Make = make_model,
    also: Sequence[str] = (),
) -> Fitted:
    """Train one model and score it on validation, by the metrics of `evaluate`."""
    model = make(spec)
    curve: list[float] = []

    def on_round(_: int, aucs: Mapping[Task, float]) -> None:
        if "click" in aucs:
            curve.append(aucs["click"])

    model.fit(train, valid, on_round)
    return judged(model, valid, also, tuple(curve))


def judged(model: Model, valid: Exposures, also: Sequence[str] = (), curve: tuple[float, ...] = ()) -> Fitted:
    """Score a trained model on validation, by the metrics of `evaluate`."""
    started = time.perf_counter()
    predictions = model.predict(valid)
    seconds = time.perf_counter() - started
    scores = evaluate(valid, predictions.pctr, predictions.pctcvr, predictions.pcvr, also=also)
    return Fitted(model, predictions, scores, seconds, curve)


def _warn_of_test(spec: ModelSpec, ctr_auc: float) -> None:
    warnings.warn(
        f"CTR AUC on test is {ctr_auc:.4f} ({spec.model}, {spec.loss}, seed {spec.seed}), which says that a "
        "feature knows the click; list in ignore what is known only after the exposure",
        stacklevel=3,
    )


def _training_curve(fitted: Fitted) -> TrainingCurve:
    spec = fitted.model.spec
    best = min(fitted.model.rounds_used, len(fitted.curve))  # 0 for a model that tells of no round
    return TrainingCurve(spec.model, spec.loss, spec.weight, best, fitted.curve)


def _activity(model: Model, train: Exposures, pairs: Mapping[str, PWiseRLoss]) -> ActivityCurve | None:
    """Count the pairs of the model's own PWiseR; of another loss, those of the PWiseR beside it, by model."""
    spec = model.spec
    own = spec.pwiser if spec.loss == "pwiser" else pairs.get(spec.model, spec.pwiser)
    return ActivityCurve.of(model, train, own)


def _score(fitted: Fitted, metric: str) -> float:
    return fitted.valid.get(metric, float("nan"))


def _tests(
    test: Exposures,
    predictions: Predictions,
    baseline: Predictions | None,
    also: Sequence[str],
    replicates: int,
) -> dict[str, PairedTest]:
    if baseline is None or baseline is predictions or not replicates:
        return {}
    return paired_tests(test, predictions, baseline, also=also, replicates=replicates)


def _calibrated(fitted: Fitted, valid: Exposures, predictions: Predictions, method: Method) -> Predictions:
    """Calibrate pCTR on validation and leave pCVR as it is."""
    calibrator = Calibrator.fit(method, fitted.predictions.pctr, valid.click)
    pctr = calibrator(predictions.pctr)
    return Predictions(pctr=pctr, pctcvr=pctr * predictions.pcvr, pcvr=predictions.pcvr)


def _results(
    model: Model,
    dataset: str,
    scored: dict[str, tuple[dict[str, float], float]],
    tests: dict[str, PairedTest],
    baseline: str,
) -> Iterator[Result]:
    spec = model.spec
    versions = ", ".join(f"{name} {version}" for name, version in versions_of(spec.model).items())
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
                versions=versions,
                gain_error=tests[metric].standard_error if tested else float("nan"),
                baseline=baseline,
            )
