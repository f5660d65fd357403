"""The trial loop: what is tried is trained on train, judged on validation, and kept in the study."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.progress import bar, within
from gbdt_pwiser.metrics import evaluate, metric_named
from gbdt_pwiser.models import ModelSpec, make_model
from gbdt_pwiser.models.protocol import OnRound, Task
from gbdt_pwiser.models.registry import settings_of
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.tuning._result import REFERENCE, Trial, candidates, choose
from gbdt_pwiser.tuning._share import Share, is_finished
from gbdt_pwiser.tuning._space import SearchSpace, configured
from gbdt_pwiser.tuning._storage import StorageError, storage_errors

POLL = 0.5
"""Seconds between two looks at what other processes have finished."""


@dataclass(frozen=True, eq=False)
class Arm:
    """A study and what its trials are made of: "pwiser", "bce" where that is searched too, or `REFERENCE`."""

    name: str
    base: ModelSpec
    space: SearchSpace
    share: Share

    def spec(self, values: Mapping[str, Any]) -> ModelSpec:
        """Return the spec of a trial."""
        spec = configured(self.base, {**self.space.fixed, **values})
        if self.name == REFERENCE:
            return replace(spec, loss=REFERENCE).with_weight(spec.weight)
        return configured(spec, {"weight": 0.0}) if self.name == "bce" else spec


def check_metrics(metrics: Sequence[str], valid: Exposures) -> None:
    """Refuse a metric that no model could be given on this validation split."""
    anything = np.full(len(valid), 0.1)
    told = evaluate(valid, anything, anything / 2, also=metrics)
    for metric in metrics:
        if np.isnan(told.get(metric, np.nan)):
            raise InputError(f"{metric} cannot be computed on the validation split; tune for another metric")


def run_trials(
    arms: Sequence[Arm],
    train: Exposures,
    valid: Exposures,
    metrics: Sequence[str],
    *,
    prune: bool,
    most: int | None = None,
    timeout: float | None = None,
) -> bool:
    """Run trials until each arm has its total, and return whether the search is over.

    Arms take turns, so that they have equally many trials whenever the search ends.

    Parameters
    ----------
    arms
        At least one.
    train, valid
        All that trials see.
    metrics
        Optimised on validation.
    prune
        Report rounds to the pruner.
    most
        Trials that this process runs at most; the search is not over where that was the end.
    timeout
        Seconds after which no further trial starts; the search is then over.
    """
    started, run = time.monotonic(), 0
    total = sum(arm.share.total for arm in arms)

    def finished() -> list[int]:
        return [min(arm.share.finished, arm.share.total) for arm in arms]

    with bar(total=total, initial=sum(finished()), unit="trial") as progress:
        while True:
            done = finished()
            _show(progress, sum(done), arms, metrics)
            if sum(done) == total or (timeout is not None and time.monotonic() - started >= timeout):
                return True
            if run == most:
                return False
            # The arm that is furthest behind; one whose last trials run elsewhere gives none.
            for _, arm in sorted(
                zip(done, arms, strict=True), key=lambda pair: pair[0] / pair[1].share.total
            ):
                trial = arm.share.claim()
                if trial is not None:
                    with within(f"trial {sum(done) + 1}/{total}"):
                        _run(arm, trial, train, valid, metrics, prune)
                    run += 1
                    break
            else:
                time.sleep(POLL)  # others run what is left; should they die, it is taken over


def collect(arms: Sequence[Arm]) -> tuple[Trial, ...]:
    """Return the finished trials of all arms."""
    return tuple(_read(arm, t) for arm in arms for t in arm.share.trials() if is_finished(t))


def importances(arm: Arm) -> dict[str, float]:
    """Return each searched parameter's share in the differences of the first metric.

    Empty where it cannot be told: fewer than four complete trials, or all alike.
    """
    complete = [t for t in arm.share.trials() if t.state == TrialState.COMPLETE]
    if len(complete) < 4 or len({t.values[0] for t in complete}) < 2:
        return {}
    with storage_errors(arm.share.where):
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        return dict(
            optuna.importance.get_param_importances(
                arm.share.study, evaluator=evaluator, target=lambda trial: trial.values[0]
            )
        )


def _run(
    arm: Arm, trial: optuna.Trial, train: Exposures, valid: Exposures, metrics: Sequence[str], prune: bool
) -> None:
    """Train and judge one trial; whatever happens to it ends up in the study."""
    share = arm.share
    first = trial.user_attrs.get("label") in share.start  # what the others are measured against
    with share.working(trial):
        try:
            with storage_errors(share.where):
                spec = arm.spec(arm.space.suggest(trial))
            model = make_model(spec)
            if prune:
                model.fit(train, valid, on_round=_reports(trial, spec, share.where, may_prune=not first))
            else:
                model.fit(train, valid)
            predictions = model.predict(valid)
            told = evaluate(valid, predictions.pctr, predictions.pctcvr, predictions.pcvr, also=metrics)
            values = [told[metric] for metric in metrics]
            if np.isnan(values).any():
                raise InputError(f"{', '.join(metrics)} cannot be computed on the validation split")
        except optuna.TrialPruned:
            share.finish(trial, TrialState.PRUNED)
        except StorageError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:500]
            share.finish(trial, TrialState.FAIL, attributes={"error": reason})
        except BaseException:  # an interrupt: the trial will be tried again
            share.abandon(trial)
            raise
        else:
            result = {"metrics": told, "rounds": model.rounds_used, "fit_seconds": model.fit_seconds}
            if spec.loss == "pwiser" and not spec.pwiser.is_fixed:
                of = model.spec.pwiser
                result["margins"] = {
                    "click_margin": of.click_margin,
                    "impression_margin": of.impression_margin,
                }
            share.finish(trial, TrialState.COMPLETE, values, {"result": result})


def _reports(trial: optuna.Trial, spec: ModelSpec, where: str, *, may_prune: bool) -> OnRound:
    """Return a function that tells the pruner of CTR AUC, and stops the training where it says so.

    Fifty reports at most: each is a transaction.
    """
    every = max(1, settings_of(spec).most_rounds // 50)

    def on_round(number: int, aucs: Mapping[Task, float]) -> None:
        if "click" not in aucs or (number + 1) % every:
            return
        with storage_errors(where):
            trial.report(aucs["click"], number + 1)
            stop = may_prune and trial.should_prune()
        if stop:
            raise optuna.TrialPruned

    return on_round


def _read(arm: Arm, trial: FrozenTrial) -> Trial:
    result = trial.user_attrs.get("result", {})
    states = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    values = {**trial.params}
    weight = arm.space.parameters.get("weight")
    if weight is not None and "weight" in values:
        fixed = optuna.trial.FixedTrial({"weight": values["weight"]})
        values["weight"] = weight.suggest(fixed, "weight")
    return Trial(
        number=trial.number,
        study=arm.name,
        state=states[trial.state],  # type: ignore[arg-type]
        parameters=values,
        weight=arm.spec(values).weight,
        metrics=result.get("metrics", {}),
        rounds=result.get("rounds", 0),
        fit_seconds=result.get("fit_seconds", 0.0),
        error=trial.user_attrs.get("error", ""),
        margins=result.get("margins", {}),
    )


def _show(progress: tqdm[Any], done: int, arms: Sequence[Arm], metrics: Sequence[str]) -> None:
    """Move the bar to what all processes have finished, and say what is best so far."""
    if progress.disable:
        return
    progress.n = done
    trials = collect(arms)
    if candidates(trials):
        best, _ = choose(trials, metrics)
        told = ", ".join(
            f"{metric.label} {best.metrics[name]:.{metric.decimals}f}"
            for name, metric in ((name, metric_named(name)) for name in metrics)
        )
        progress.set_postfix_str(f"best {told} at weight {best.weight:.3g}", refresh=False)
    progress.refresh()


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna from announcing studies, and from calling its own features experimental.

    Once around a whole search: each time that filters change Python repeats warnings it has shown.
    """
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
