"""The search for the weight: what it tries, what it returns, and that it is repeatable."""

import math

import numpy as np
import pytest

from gbdt_pwiser.data import Dataset, simulate
from gbdt_pwiser.models import ModelSpec, Predictions
from gbdt_pwiser.models import registry as models
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.tuning import tune_weight


class BestAt:
    """A model whose ranking is best at weight 0.02 and gets worse with the distance on a log scale."""

    def __init__(self, spec):
        self.spec, self.rounds_used, self.fit_seconds = spec, 7, 0.5

    def fit(self, train, valid):
        assert train is not valid

    def predict(self, exposures):
        weight = self.spec.weight
        off = abs(math.log10(weight / 0.02)) if weight else 1.5
        noise = np.random.default_rng(0).random(len(exposures))
        pctr = (exposures.click + off * noise) / (1 + 2 * off)
        return Predictions(np.clip(pctr, 0, 1), np.clip(pctr / 2, 0, 1))


@pytest.fixture(scope="module")
def split():
    return Dataset(simulate(3000, ctr=0.2, cvr=0.3).exposures).split(0)


@pytest.fixture
def spec(monkeypatch):
    monkeypatch.setitem(models.MODELS, "fake", BestAt)
    return ModelSpec(model="fake", pwiser=PWiseRLoss(weight=0.5))


@pytest.mark.parametrize("metric", ["ctr_auc", "log_loss"])
def test_it_starts_with_bce_and_the_given_weight_and_finds_the_best(spec, split, metric):
    search = tune_weight(spec, split.train, split.valid, n_trials=25, metric=metric)
    assert len(search.trials) == 25
    assert [trial.weight for trial in search.trials[:2]] == pytest.approx([0.0, 0.5])
    assert search.baseline is search.trials[0]
    assert 0.005 < search.best.weight < 0.08
    chosen = [trial.metrics[metric] for trial in search.trials]
    assert search.best.metrics[metric] == (max(chosen) if metric == "ctr_auc" else min(chosen))
    assert (search.best.rounds, search.best.fit_seconds) == (7, 0.5)


def test_the_same_seed_gives_the_same_trials(spec, split):
    first, second = (tune_weight(spec, split.train, split.valid, n_trials=12, seed=3) for _ in range(2))
    assert first == second
    other = tune_weight(spec, split.train, split.valid, n_trials=12, seed=4)
    assert [t.weight for t in other.trials] != [t.weight for t in first.trials]


def test_of_equals_bce_wins(spec, split, monkeypatch):
    monkeypatch.setattr(
        BestAt, "predict", lambda self, e: Predictions(np.full(len(e), 0.5), np.full(len(e), 0.1))
    )
    search = tune_weight(spec, split.train, split.valid, n_trials=4)
    assert search.best is search.baseline


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"n_trials": 0}, "n_trials is 0"),
        ({"metric": "accuracy"}, "cannot choose by 'accuracy'; choose one of ctr_auc"),
        ({"metric": "pcoc"}, "cannot choose by 'pcoc'"),
    ],
)
def test_bad_input(spec, split, arguments, says):
    with pytest.raises(InputError, match=says):
        tune_weight(spec, split.train, split.valid, **arguments)


def test_a_metric_that_validation_cannot_give(spec, split):
    one_class = split.valid.take(~split.valid.click)
    with pytest.raises(InputError, match="ctr_auc cannot be computed on the validation split"):
        tune_weight(spec, split.train, one_class, n_trials=2)


def test_a_real_booster(split):
    spec = ModelSpec(model="lightgbm", rounds=5, threads=1)
    search = tune_weight(spec, split.train, split.valid, n_trials=3)
    assert all(0 < trial.metrics["ctr_auc"] < 1 for trial in search.trials)
    assert len({trial.metrics["log_loss"] for trial in search.trials}) == 3
