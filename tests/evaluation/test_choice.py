"""How a comparison chooses the weight: by validation alone, each seed for itself."""

from dataclasses import replace

import numpy as np
import pytest

from gbdt_pwiser.data import Dataset
from gbdt_pwiser.models import ModelSpec, Predictions
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from tests.comparison import HARNESS
from tests.evaluation.written import chosen_weights, compared, ranked, shares

NAN = float("nan")


@pytest.mark.parametrize("best", [0.01, 0.1, 1.0])
def test_the_best_on_validation_is_chosen_though_it_is_the_worst_on_test(dataset, written, best):
    written(shares({w: (0.9, 0.0) if w == best else (0.2, 1.0) for w in (0.01, 0.1, 1.0)}))
    results = compared(dataset, losses=["pwiser"])
    assert chosen_weights(results) == {best}
    test_auc = next(r.value for r in results if (r.split, r.metric) == ("test", "ctr_auc"))
    assert test_auc == 0.5


def test_each_seed_chooses_for_itself(dataset, written):
    written(
        lambda spec, part, exposures: ranked(exposures, 0.9 if spec.weight == (0.1, 1.0)[spec.seed] else 0.1)
    )
    results = compared(dataset, losses=["pwiser"], seeds=[0, 1])
    assert {(r.seed, r.weight) for r in results} == {(0, 0.1), (1, 1.0)}


@pytest.mark.parametrize(
    ("choose_by", "weight"), [("ctr_auc", 0.01), ("log_loss", 0.1), ("normalized_entropy", 0.1)]
)
def test_the_metric_decides_and_its_direction_counts(dataset, written, choose_by, weight):
    """0.01 ranks best, far from the click rate of 0.2; 0.1 ranks worse, near it."""

    def answer(spec, part, exposures):
        if spec.weight == 0.01:
            return ranked(exposures, 0.9, low=0.90, high=0.95)
        return ranked(exposures, 0.1, low=0.19, high=0.21)

    written(answer)
    assert chosen_weights(compared(dataset, weights=[0.01, 0.1], choose_by=choose_by)) == {weight}


@pytest.mark.parametrize(
    ("values", "choice"),
    [
        ({0.1: 0.6, 0.2: 0.7, 0.3: 0.7}, 0.2),
        ({0.3: 0.7, 0.2: 0.7, 0.1: 0.6}, 0.3),
        ({0.1: 0.5, 0.2: 0.5}, 0.1),
        ({0.1: NAN, 0.2: 0.1, 0.3: NAN}, 0.2),
        ({0.1: 0.3, 0.2: NAN}, 0.1),
        ({0.1: NAN}, 0.1),  # nothing to choose, so nothing to choose by
    ],
)
@pytest.mark.parametrize(("metric", "sign"), [("ctr_auc", 1), ("log_loss", -1)])
def test_of_equals_the_earlier_and_of_nan_any_other(
    dataset, written, monkeypatch, values, choice, metric, sign
):

    def weights(spec, part, exposures):
        return Predictions(np.full(len(exposures), spec.weight), np.zeros(len(exposures)))

    written(weights)
    monkeypatch.setattr(HARNESS, "evaluate", lambda _, pctr, *more, **also: {metric: sign * values[pctr[0]]})
    specs = [ModelSpec(model="a", loss="pwiser", pwiser=PWiseRLoss(weight=w)) for w in values]
    assert HARNESS.choose(specs, dataset.split(0), metric).model.spec.weight == choice


@pytest.mark.parametrize("metric", ["gauc", "noise_free_ctr_auc"])
def test_a_metric_that_is_nan_throughout_chooses_nothing(dataset, written, metric):
    bare = Dataset(replace(dataset.exposures, group=None, noise_free_click=None))
    events = written()
    with pytest.raises(InputError, match=f"{metric} cannot be computed on the validation split"):
        compared(bare, losses=["pwiser"], choose_by=metric)
    assert "test" not in {event[0] for event in events}
    assert compared(bare, losses=["pwiser"], weights=[0.1], choose_by=metric)


def test_nothing_to_choose_from(dataset):
    with pytest.raises(InputError, match="no model to choose from"):
        HARNESS.choose([], dataset.split(0), "ctr_auc")
