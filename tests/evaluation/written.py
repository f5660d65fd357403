"""A model whose predictions are written down by the test, and a comparison of it."""

from dataclasses import dataclass

import numpy as np

from gbdt_pwiser.evaluation import compare
from gbdt_pwiser.models import ModelSpec, Predictions


def ranked(part, share, low=0.1, high=0.3):
    """Give `share` of the clicks the high pCTR, and nothing else: CTR AUC = 0.5 + share / 2."""
    pctr = np.full(len(part), low)
    clicks = np.flatnonzero(part.click)
    pctr[clicks[: round(share * len(clicks))]] = high
    return Predictions(pctr=pctr, pctcvr=0.5 * pctr)


@dataclass
class Written:
    """A model that predicts what `answer(spec, part, exposures)` says and notes all it is asked."""

    spec: ModelSpec
    answer: object
    events: list
    rounds_used = 7
    size = 9
    fit_seconds = 0.25

    def fit(self, train, valid, on_round=None):
        for number in range(10):
            on_round(number, {"click": 0.5 + 0.01 * number})
        on_round(0, {"conversion": 0.9})  # of a model of its own, and so no round of the curve
        self.train, self.valid = train, valid
        self.events.append(("fit", self.spec, train, valid))

    def predict(self, exposures):
        assert exposures is not self.train
        part = "valid" if exposures is self.valid else "test"
        self.events.append((part, self.spec, exposures))
        return self.answer(self.spec, part, exposures)


def compared(dataset, **options):
    """Compare bce and pwiser of three weights on the model "a" and seed 0, or as the options say."""
    defaults = {"models": ["a"], "losses": ["bce", "pwiser"], "seeds": [0], "weights": [0.01, 0.1, 1.0]}
    return compare(dataset, **{**defaults, **options})


def chosen_weights(results):
    return {r.weight for r in results if r.loss == "pwiser"}


def shares(table):
    """Answer with these shares of clicks ranked right, (validation, test) by weight."""

    def answer(spec, part, exposures):
        return ranked(exposures, table[spec.weight][part == "test"])

    return answer


def answers(spec, part, exposures):
    """Loss "pwiser" gives more clicks the high pCTR; both promise far too much."""
    return ranked(exposures, 1.0 if spec.loss == "pwiser" else 0.5, low=0.5, high=0.9)
