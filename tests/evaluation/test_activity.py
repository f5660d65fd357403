"""The share of active pairs beside the training curves, against all pairs of the scores at a round."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from gbdt_pwiser.data import Dataset
from gbdt_pwiser.evaluation import Details, compare
from gbdt_pwiser.evaluation.activity import MOST_ROUNDS, ActivityCurve, log_spaced
from gbdt_pwiser.models import make_model
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.sources import simulate
from tests.evaluation.written import compared, ranked
from tests.specs import FEW_ROUNDS, spec_of

LOSS = PWiseRLoss(weight=0.3, click_margin=0.05, impression_margin=0.2)
SPEC = spec_of("xgboost", settings=FEW_ROUNDS, pwiser=LOSS)


@pytest.fixture(scope="module")
def exposures():
    return simulate(1500, ctr=0.2, cvr=0.3).exposures


@pytest.fixture(scope="module")
def split(exposures):
    return Dataset(exposures).split(0)


def by_pair(raw, exposures, loss):
    """Active shares from the matrix of all pairs, of the click and of the impression term."""
    s = raw if loss.scale == "logit" else expit(raw)
    grade, group = exposures.grade, exposures.group
    shares = []
    for kind, margin in ((1, loss.click_margin), (0, loss.impression_margin)):
        i, j = np.flatnonzero(grade == 2)[:, None], np.flatnonzero(grade == kind)
        pairs = (group[i] == group[j]) | (loss.pairs == "all")
        shares.append((pairs & (margin - (s[i] - s[j]) > 0)).sum() / pairs.sum())
    return shares


def fitted(spec, split):
    model = make_model(spec)
    model.fit(split.train, split.valid)
    return model


def check(curve, model, train, loss):
    assert (curve.rounds[0], curve.rounds[-1]) == (0, model.rounds_used)
    expected = [by_pair(raw.copy(), train, loss) for _, raw in model.raw_scores_at(train, curve.rounds)]
    assert list(zip(curve.click, curve.impression, strict=True)) == [
        pytest.approx(shares, abs=1e-12) for shares in expected
    ]


# ------------------------------------------------------------------------------ one model


@pytest.mark.parametrize("model", ["lightgbm", "xgboost", "xgboost_shared"])
@pytest.mark.parametrize(
    "loss", [LOSS, replace(LOSS, scale="logit", impression_margin=1.0), replace(LOSS, pairs="group")]
)
def test_it_is_the_count_of_all_pairs(model, loss, split):
    trained = fitted(replace(SPEC, model=model, loss="pwiser", pwiser=loss), split)
    curve = ActivityCurve.of(trained, split.train, loss)
    check(curve, trained, split.train, loss)
    assert (curve.model, curve.loss, curve.weight) == (model, "pwiser", 0.3)
    assert (curve.click_margin, curve.impression_margin) == (loss.click_margin, loss.impression_margin)
    assert (curve.click[0], curve.impression[0]) == (1.0, 1.0)
    assert curve.impression[-1] < 1.0


def test_conversions_are_pushed_as_by_the_gradients_of_the_round_that_counts(split):
    trained = fitted(replace(SPEC, loss="pwiser"), split)
    curve = ActivityCurve.of(trained, split.train, LOSS)
    train = split.train
    (_, raw), converted = next(trained.raw_scores_at(train, [trained.rounds_used])), train.conversion
    p = expit(raw)
    grad, _ = LOSS.gradient_hessian(raw, train.grade)
    added = (p - train.click - grad)[converted].sum()
    assert curve.conversion_weight == pytest.approx(added / (1 - p[converted]).sum())
    assert curve.conversion_weight > 0.01


def test_without_weight_nothing_is_pushed(split):
    for loss in (replace(LOSS, weight=0.0), replace(LOSS, warm_up=FEW_ROUNDS.rounds)):
        trained = fitted(replace(SPEC, loss="pwiser", pwiser=loss), split)
        curve = ActivityCurve.of(trained, split.train, loss)
        check(curve, trained, split.train, loss)
        assert curve.conversion_weight == 0.0


def test_quantiles_are_counted_as_the_numbers_at_the_end_of_the_warm_up(split):
    loss = replace(LOSS, impression_margin="q50", warm_up=3)
    # LightGBM, whose best round is past the warm-up whichever XGBoost there is.
    spec = replace(SPEC, model="lightgbm", pwiser=loss)
    bce, pwiser = (fitted(replace(spec, loss=name), split) for name in ("bce", "pwiser"))
    of_bce, of_pwiser = (
        ActivityCurve.of(model, split.train, of) for model, of in ((bce, loss), (pwiser, pwiser.spec.pwiser))
    )
    margin = pwiser.spec.pwiser.impression_margin
    assert of_bce.impression_margin == pytest.approx(margin, rel=1e-4)
    assert of_pwiser.impression_margin == margin
    check(of_bce, bce, split.train, replace(loss, impression_margin=of_bce.impression_margin))
    assert of_pwiser.impression[3] == pytest.approx(0.5, abs=0.01)


def test_where_there_is_nothing_to_count(split):
    """A term without pairs, a ranker's scores, and pairs inside groups that are not known."""
    train = split.train
    trained = fitted(SPEC, split)
    unconverted = replace(train, grade=np.minimum(train.grade, 1).astype(np.int8))
    curve = ActivityCurve.of(trained, unconverted, LOSS)
    assert np.isnan([*curve.click, *curve.impression, curve.conversion_weight]).all()
    ranker = fitted(replace(SPEC, loss="rank_pairwise"), split)
    assert ActivityCurve.of(ranker, train, LOSS) is None
    in_groups = replace(LOSS, pairs="group")
    assert ActivityCurve.of(trained, replace(train, group=None), in_groups) is None
    assert ActivityCurve.of(trained, train, in_groups) is not None


def test_rounds_are_few_and_begin_and_end_where_they_should():
    for last in (1, 2, 12, 13, 500, 100_000):
        rounds = log_spaced(last)
        assert rounds == sorted(set(rounds))
        assert (rounds[0], rounds[1], rounds[-1]) == (0, 1, last)
        assert len(rounds) <= MOST_ROUNDS
    assert log_spaced(0) == [0]


def test_fields_are_checked():
    with pytest.raises(InputError, match="rounds, click and impression differ in length or are empty"):
        ActivityCurve("m", "bce", 0.0, 0.1, 0.3, "logit", (0, 1), (1.0,), (1.0, 0.9), math.nan)


# ------------------------------------------------------------------------------ a comparison


def test_a_comparison_notes_the_first_seed_and_counts_the_same_pairs_for_every_loss(exposures):
    made, details = {}, Details()
    dataset = Dataset(exposures)

    def make(spec):
        return made.setdefault((spec.seed, spec.model, spec.loss, spec.weight), make_model(spec))

    tuned = {"bce": replace(SPEC, pwiser=PWiseRLoss()), "pwiser": replace(SPEC, loss="pwiser")}
    compare(
        dataset,
        models=["xgboost"],
        losses=["weighted_bce", "pwiser", "rank_pairwise", "bce"],
        seeds=[1, 0],
        rival_weights={"weighted_bce": [1.0], "rank_pairwise": [0.5]},
        tuned=tuned,
        replicates=0,
        details=details,
        make=make,
    )
    weights = {"bce": 0.0, "weighted_bce": 1.0, "pwiser": 0.3}
    assert {(c.model, c.loss, c.weight) for c in details.activity} == {
        ("xgboost", *item) for item in weights.items()
    }
    assert [c.loss for c in details.activity] == ["bce", "weighted_bce", "pwiser"]
    for curve in details.activity:
        model = made[1, "xgboost", curve.loss, weights[curve.loss]]
        check(curve, model, dataset.split(1).train, LOSS)
        assert math.isnan(curve.conversion_weight) == (curve.loss != "pwiser")


def test_models_without_rounds_have_none(dataset, written):
    written(lambda spec, part, exposures: ranked(exposures, 0.5))
    details = Details()
    compared(dataset, details=details)
    assert details.curves
    assert details.activity == []
