"""Optuna searches the weight of the pairwise term on validation; the test split plays no part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import optuna
from tqdm import tqdm

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.evaluation.compare import fit
from gbdt_pwiser.evaluation.metrics import METRICS, check_optimisable
from gbdt_pwiser.models import ModelSpec
from gbdt_pwiser.objectives import InputError

LOWEST, HIGHEST = 1e-4, 1.0


@dataclass(frozen=True)
class Trial:
    """One weight and what validation said of it."""

    weight: float
    metrics: dict[str, float]
    rounds: int
    fit_seconds: float


@dataclass(frozen=True)
class WeightSearch:
    """All trials of a search, in the order in which they ran; the first is weight 0, which is BCE.

    Attributes
    ----------
    metric
        The validation metric that was optimised.
    trials
        At least one.
    """

    metric: str
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The best trial on validation; of equals the earliest, so BCE where the term does not help."""
        sign = 1.0 if METRICS[self.metric].higher_is_better else -1.0
        return max(self.trials, key=lambda trial: sign * trial.metrics[self.metric])

    @property
    def baseline(self) -> Trial:
        """The trial at weight 0."""
        return self.trials[0]


def tune_weight(
    spec: ModelSpec,
    train: Exposures,
    valid: Exposures,
    *,
    n_trials: int = 20,
    metric: str = "ctr_auc",
    seed: int = 0,
) -> WeightSearch:
    """Search the weight of the pairwise term, log-uniform from 1e-4 to 1, with Optuna's TPE.

    The first trial is weight 0, the second the weight of the spec. The features are binned once.

    Parameters
    ----------
    spec
        The model; its loss is taken as "pwiser".
    train, valid
        What trials see. There is no test split here to look at.
    n_trials
        At least 1.
    metric
        Optimised on validation, in the direction that is better.
    seed
        Of the sampler; the same seed gives the same trials with one version of Optuna. Versions 4 and 5
        sample differently.

    Raises
    ------
    InputError
        Fewer than 1 trial, an unknown metric, or one that validation cannot give.
    """
    check_optimisable(metric)
    if n_trials < 1:
        raise InputError(f"n_trials is {n_trials}; give at least 1")
    trials: list[Trial] = []

    def run(weight: float) -> float:
        loss = replace(spec.pwiser, weight=weight)
        fitted = fit(replace(spec, loss="pwiser", pwiser=loss), train, valid)
        value = fitted.valid.get(metric, float("nan"))
        if np.isnan(value):
            raise InputError(f"{metric} cannot be computed on the validation split; tune for another metric")
        trials.append(Trial(weight, fitted.valid, fitted.model.rounds_used, fitted.model.fit_seconds))
        return value

    # Weight 0 has no place on a log scale, so it is a trial of ours and not of the sampler's.
    direction = "maximize" if METRICS[metric].higher_is_better else "minimize"
    with _quiet_optuna():
        study = optuna.create_study(direction=direction, sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial({"weight": float(np.clip(spec.pwiser.weight, LOWEST, HIGHEST))})
    with tqdm(total=n_trials, unit="trial", disable=None) as progress:
        run(0.0)
        progress.update()
        for _ in range(n_trials - 1):
            trial = study.ask()
            study.tell(trial, run(trial.suggest_float("weight", LOWEST, HIGHEST, log=True)))
            best = WeightSearch(metric, tuple(trials)).best
            progress.set_description(f"best {metric} {best.metrics[metric]:.4f} at {best.weight:.4g}")
            progress.update()
    return WeightSearch(metric, tuple(trials))


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Keep Optuna from announcing a study that the user did not ask for by name."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
