"""Clicks whose conversion is open: clicks to the click's booster, unknown to the conversion's."""

from dataclasses import replace

import numpy as np
import pytest

from gbdt_pwiser.data import Split
from gbdt_pwiser.models import LOSSES, Predictions, make_model
from gbdt_pwiser.objectives import PWiseRLoss
from gbdt_pwiser.objectives.inputs import OPEN
from tests.models.helpers import SPEC, TREES, every_part, fitted, make_split
from tests.specs import varied


def opened(exposures):
    """The same with a third of the clicks open, converted ones among them."""
    rows = np.random.default_rng(1).random(len(exposures)) < 1 / 3
    return replace(exposures, grade=np.where(exposures.click & rows, OPEN, exposures.grade).astype(np.int8))


def with_grade(grade):
    """The exposures with a grade in the place of 3."""
    return lambda part: replace(part, grade=np.where(part.open, grade, part.grade).astype(np.int8))


@pytest.fixture(scope="module")
def split():
    return every_part(make_split(), opened)


def predictions(spec, split, test=None) -> Predictions:
    return fitted(spec, split).predict(split.test if test is None else test)


@pytest.mark.parametrize("model", TREES)
def test_pcvr_is_that_of_a_model_without_the_open_rows(model, split):
    spec = varied(SPEC, model=model)
    rest = Split(split.train.take(~split.train.open), split.valid.take(~split.valid.open), split.test)
    whole, others = predictions(spec, split), predictions(spec, rest)
    np.testing.assert_array_equal(whole.pcvr, others.pcvr)
    assert (whole.pctr != others.pctr).any()
    assert (whole.pcvr != predictions(spec, every_part(split, with_grade(1))).pcvr).any()


@pytest.mark.parametrize("model", TREES)
@pytest.mark.parametrize("loss", ["bce", "weighted_bce", "lambdarank", "rank_pairwise"])
def test_the_losses_without_pairs_of_conversions_take_them_for_clicks(model, loss, split):
    if LOSSES[loss].native and model not in LOSSES[loss].native:
        pytest.skip("it does not exist for the model")
    spec = varied(SPEC, model=model, loss=loss, rival_weight=2.0)
    np.testing.assert_array_equal(
        predictions(spec, split).pctr, predictions(spec, every_part(split, with_grade(1))).pctr
    )


@pytest.mark.parametrize("model", TREES)
def test_pwiser_without_weight_is_bce_of_the_clicks(model, split):
    at_0 = varied(SPEC, model=model, loss="pwiser", pwiser=PWiseRLoss(weight=0.0))
    clicks = every_part(split, with_grade(1))
    np.testing.assert_array_equal(predictions(at_0, split).pctr, predictions(at_0, clicks).pctr)
    above = replace(at_0, pwiser=PWiseRLoss(weight=0.3))
    assert (predictions(above, split).pctr != predictions(above, clicks).pctr).any()


@pytest.mark.parametrize("model", TREES)
def test_a_model_refits_and_continues_without_them(model, split):
    spec = varied(SPEC, model=model)
    earlier = fitted(spec, split)
    rest = split.train.take(~split.train.open)
    found = []
    for train in (split.train, rest):
        model = type(earlier)(spec)
        model.continue_from(earlier)
        model.refit(train, 0.5)
        found.append(model.predict(split.test).pcvr)
    np.testing.assert_array_equal(*found)


def test_shared_trees_are_stopped_by_the_decided_clicks(split):
    """The AUCs of validation that they tell are those of a validation without the open rows."""
    spec = varied(SPEC, model="xgboost_shared")

    def told(valid):
        aucs = []
        make_model(spec).fit(split.train, valid, lambda _, values: aucs.append(values))
        return [values["conversion"] for values in aucs if "conversion" in values]

    # A copy, for which no booster is kept, which would tell nothing.
    expected = told(split.valid.take(~split.valid.open))
    assert told(replace(split.valid)) == pytest.approx(expected)
    assert len(set(expected)) > 1


def test_shared_trees_hear_nothing_of_their_conversion(split):
    spec = varied(SPEC, model="xgboost_shared")
    found, as_none, as_all = (
        predictions(spec, each)
        for each in (split, every_part(split, with_grade(1)), every_part(split, with_grade(2)))
    )
    np.testing.assert_array_equal(found.pctr, as_none.pctr)
    # As clicks without a conversion they would pull pCVR down, as conversions up.
    assert as_none.pcvr.mean() < found.pcvr.mean() < as_all.pcvr.mean()
