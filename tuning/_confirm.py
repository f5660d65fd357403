"""The proof: the chosen model and its BCE twin on the test split, which no trial has seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np
import optuna

from gbdt_pwiser.data import Dataset, Exposures, Split
from gbdt_pwiser.evaluation import compare
from gbdt_pwiser.evaluation.results import Result
from gbdt_pwiser.models import ModelSpec, Predictions
from gbdt_pwiser.significance.intervals import combine_seeds
from gbdt_pwiser.significance.paired import paired_tests
from gbdt_pwiser.tuning._result import Confirmation, Gain
from gbdt_pwiser.tuning._storage import keep, storage_errors

REPLICATES: Final = 300
"""Draws of the bootstrap, for the metrics that need one: their errors are known to 4 %."""


@dataclass(frozen=True, eq=False)
class _OneSplit(Dataset):
    """The split that was searched on, whatever the seed: another would train on this one's test rows."""

    parts: Split | None = None

    def split(self, seed: int = 0) -> Split:
        assert self.parts is not None
        return self.parts


def confirm(
    study: optuna.Study,
    where: str,
    split: Split,
    spec: ModelSpec,
    twin: ModelSpec,
    seeds: Sequence[int],
    metrics: Sequence[str],
) -> Confirmation:
    """Refit the spec and its BCE twin over the seeds and score each on test once.

    A seed's pair of models is tested on the same exposures; the seeds' tests are combined, so the interval
    holds the error of the test sample and that of the seeds. The outcome is kept in the study: asked again
    for the same specs and seeds, it is read from there and the test split is left alone.

    Parameters
    ----------
    study, where
        Where the outcome is kept, and what that is called in messages.
    split
        That of the search.
    spec, twin
        What was chosen and what it is measured against; the same one where BCE was chosen.
    seeds
        Of the models. Not the search's own: of it the trials were the luckiest.
    metrics
        What was optimised, scored beside those of `METRICS`.
    """
    key = json.dumps([_described(spec), _described(twin), list(seeds)], default=str, sort_keys=True)
    with storage_errors(where):
        known = dict(study.user_attrs.get("confirmations", {}))
    if key in known:
        gains = tuple(Gain(**gain) for gain in known[key])
        return Confirmation(tuple(seeds), gains, times=len(known))
    dataset = _OneSplit(split.train, parts=split)
    results: list[Result] = []
    predicted: dict[str, dict[int, Predictions]] = {"bce": {}, "pwiser": {}}

    def keep_predictions(scored: ModelSpec, test: Exposures, predictions: Predictions) -> None:
        predicted[scored.loss][scored.seed] = predictions

    for one in [twin, spec] if spec.weight > 0 else [twin]:
        results += compare(
            dataset,
            models=[one.model],
            losses=[one.loss],
            seeds=seeds,
            base=one,
            also=metrics,
            on_test=keep_predictions,
        )
    gains = _gains(split.test, results, predicted, metrics)
    known[key] = [asdict(gain) for gain in gains]
    keep(study, where, "confirmations", known)
    return Confirmation(tuple(seeds), gains, tuple(results), times=len(known))


def _gains(
    test: Exposures,
    results: Sequence[Result],
    predicted: Mapping[str, Mapping[int, Predictions]],
    metrics: Sequence[str],
) -> tuple[Gain, ...]:
    """Combine the seeds' tests, metric by metric; none where there is nothing to compare."""
    by_seed = [
        paired_tests(test, tuned, predicted["bce"][seed], also=metrics, replicates=REPLICATES)
        for seed, tuned in predicted["pwiser"].items()
    ]
    gains = []
    for metric in by_seed[0] if by_seed else ():
        told = combine_seeds([tests[metric] for tests in by_seed])
        bce, tuned = (
            float(
                np.mean([r.value for r in results if (r.split, r.loss, r.metric) == ("test", loss, metric)])
            )
            for loss in ("bce", "pwiser")
        )
        gains.append(Gain(metric, bce, tuned, told.gain, told.low, told.high, told.p_value, told.method))
    return tuple(gains)


def _described(spec: ModelSpec) -> dict[str, object]:
    return replace(spec, seed=0, device="cpu", threads=0).record()
