"""A model whose quality is a known function of the weight, and a small split to try it on."""

import math
import sys
import time
from pathlib import Path

import numpy as np

from gbdt_pwiser.data import Dataset
from gbdt_pwiser.models import MODELS, ModelKind, ModelSpec, NetworkSettings, Predictions
from gbdt_pwiser.models.neural import NETWORKS
from gbdt_pwiser.sources import simulate
from gbdt_pwiser.tuning import _confirm, tune

ROUNDS = 10


class BestAt:
    """Ranks best at weight 0.02, worse with the distance on a log scale; BCE is 1.5 decades off.

    Its rounds approach what validation will say, so that a pruner can tell early.
    """

    spec: ModelSpec
    rounds_used, fit_seconds, size = 7, 0.5, 3
    patience = 0.0  # seconds

    def __init__(self, spec):
        self.spec = spec

    def quality(self):
        weight = self.spec.weight
        return 1 / (1 + (abs(math.log10(weight / 0.02)) if weight else 1.5))

    def fit(self, train, valid, on_round=None):
        assert train is not valid
        time.sleep(self.patience)
        for number in range(ROUNDS):
            if on_round is not None:
                on_round(number, {"click": 0.5 + 0.5 * self.quality() * (number + 1) / ROUNDS})

    def predict(self, exposures):
        noise = np.random.default_rng(self.spec.seed).random(len(exposures))
        quality = 0.6 * self.quality()  # at its best a CTR AUC of .97, which can be true
        pctr = quality * (0.5 * exposures.click + 0.1) + (1 - quality) * noise
        return Predictions(np.clip(pctr, 0.01, 0.99), np.clip(pctr / 2, 0.01, 0.99))


def network(make):
    """Return the kind of a model that is set and searched as the networks are."""
    return ModelKind(make=make, settings=NetworkSettings, searched=NETWORKS["dnn"].searched)


def small_split():
    return Dataset(simulate(3000, ctr=0.2, cvr=0.3).exposures).split(0)


class Slow(BestAt):
    patience = 0.1


def worker(output, n_trials, storage, go=None):
    """Search with the model "fake", which is Slow, from the moment that the file `go` appears."""
    split = small_split()
    if go is not None:
        Path(output).with_suffix(".ready").touch()
        while not Path(go).exists():
            time.sleep(0.02)
    spec = ModelSpec(model="fake")
    tune(split, spec, output=Path(output), n_trials=int(n_trials), storage=storage, pruner="none")


if __name__ == "__main__":
    MODELS["fake"] = network(Slow)
    _confirm.REPLICATES = 20
    worker(*sys.argv[1:])
