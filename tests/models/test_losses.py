"""The rivals of PWiseR in every model that has them: what they train, and what they leave alone."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import lightgbm
import numpy as np
import polars as pl
import pytest
import xgboost
from scipy.optimize import minimize
from scipy.special import expit, logit

from gbdt_pwiser._sigmoid import fit_sigmoid
from gbdt_pwiser.models import LOSSES, MODELS, ModelSpec, losses_of, make_model, models_of
from gbdt_pwiser.models.losses import lambdarank
from gbdt_pwiser.objectives import InputError, PWiseRLoss, auc
from tests.models.helpers import BOOSTERS, SPEC, TREES, every_part, fitted, make_split, pctr
from tests.specs import varied

TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch")
RIVALS = [name for name in LOSSES if name not in ("bce", "pwiser")]
RANKERS = {"lightgbm": "lambdarank", "xgboost": "rank_pairwise"}


def pairs(names=RIVALS, models=("lightgbm", "xgboost", "dnn", "mmoe")):
    """Specs of the rivals that exist for each of some models."""
    return [
        pytest.param(
            varied(SPEC, model=model, loss=loss),
            id=f"{model}-{loss}",
            marks=() if model in TREES else TORCH,
        )
        for model in models
        for loss in losses_of(model)
        if loss in names
    ]


@pytest.fixture(params=TREES)
def ranker(request):
    return varied(SPEC, model=request.param, loss=RANKERS[request.param], rival_weight=2.0)


# ------------------------------------------------------------------------------ the table of losses


def test_which_model_has_which_loss():
    assert {name: losses_of(name) for name in ("lightgbm", "xgboost", "dnn")} == {
        "lightgbm": ("bce", "pwiser", "weighted_bce", "lambdarank"),
        "xgboost": ("bce", "pwiser", "weighted_bce", "rank_pairwise"),
        "dnn": ("bce", "pwiser", "weighted_bce", "combined_pair"),
    }
    assert {losses_of(name) for name in MODELS if name not in BOOSTERS} == {losses_of("dnn")}


def test_the_losses_are_consistent():
    for name, loss in LOSSES.items():
        assert name == loss.name
        assert all(model in MODELS for model in models_of(loss.name))
        for weight in loss.weights:
            assert ModelSpec(model="any", loss=name).with_weight(weight).weight == weight
        ModelSpec(model="any", loss=name)  # the default weight is one of every loss


def test_the_docs_say_which_weights_are_tried():
    page = Path(__file__).parents[2] / "docs" / "explanation" / "rivals.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    for name in RIVALS:
        row = next(line for line in lines if line.startswith(f"| `{name}` |"))
        assert row.endswith(f"| {', '.join(f'{weight:g}' for weight in LOSSES[name].weights)} |")


# ------------------------------------------------------------------------------ the contract of every model


@pytest.mark.parametrize("spec", pairs())
def test_predictions_are_probabilities_that_rank(spec, split):
    predictions = fitted(spec, split).predict(split.test)
    for values in (predictions.pctr, predictions.pctcvr):
        assert values.shape == (len(split.test),)
        assert values.min() > 0
        assert values.max() < 1
    assert (predictions.pctcvr <= predictions.pctr).all()
    assert auc(predictions.pctr, split.test.click) > 0.55
    assert abs(predictions.pctr.mean() - split.test.click.mean()) < 0.15


@pytest.mark.parametrize("spec", pairs())
def test_the_weight_decides(spec, split):
    first, again, other = (pctr(spec.with_weight(weight), split) for weight in (0.25, 0.25, 1.0))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


@pytest.mark.parametrize("spec", pairs(["weighted_bce", "combined_pair"]))
def test_weight_0_is_bce(spec, split):
    zero, bce = (fitted(s, split) for s in (spec.with_weight(0), replace(spec, loss="bce")))
    assert zero.rounds_used == bce.rounds_used
    ours, theirs = zero.predict(split.test), bce.predict(split.test)
    np.testing.assert_array_equal(ours.pctr, theirs.pctr)
    np.testing.assert_array_equal(ours.pctcvr, theirs.pctcvr)


@pytest.mark.parametrize("spec", pairs(models=("lightgbm", "xgboost", "dnn")))
def test_the_conversion_model_is_the_same_for_every_loss(spec, split):
    ours, bce = (fitted(s, split).predict(split.test) for s in (spec, replace(spec, loss="bce")))
    np.testing.assert_array_equal(ours.pcvr, bce.pcvr)
    assert np.abs(ours.pctr - bce.pctr).max() > 1e-3


@pytest.mark.parametrize("spec", pairs(models=TREES))
def test_shared_bins_are_as_they_were_after_another_loss(spec):
    """Labels, weights and starts that one loss puts into the data are gone for the next."""
    grouped = PWiseRLoss(weight=0.3, pairs="group")
    others = [replace(spec, loss="bce"), replace(spec, loss="pwiser", pwiser=grouped)]
    shared = make_split()
    fitted(spec, shared)
    after = [pctr(other, shared) for other in others]
    for other, ours in zip(others, after, strict=True):
        np.testing.assert_array_equal(ours, pctr(other, make_split()))


@pytest.mark.parametrize("spec", pairs(models=TREES))
def test_shared_bins_are_as_they_were_after_an_interrupt(spec):
    class StopError(Exception):
        pass

    def stop(*_):
        raise StopError

    split = make_split()
    with pytest.raises(StopError):
        make_model(spec).fit(split.train, split.valid, on_round=stop)
    bce = replace(spec, loss="bce")
    np.testing.assert_array_equal(pctr(bce, split), pctr(bce, make_split()))


@pytest.mark.parametrize("spec", pairs(models=TREES))
def test_training_stops_by_ctr_auc_on_validation(spec, split):
    values = []
    spec = varied(spec, rounds=60, early_stopping=4, learning_rate=0.5)
    model = make_model(spec)
    model.fit(split.train, split.valid, on_round=lambda _, aucs: values.append(aucs.get("click")))
    values = [value for value in values if value is not None]
    assert model.rounds_used == np.argmax(values) + 1 < len(values) < 60
    # A sigmoid keeps the order, so CTR AUC is the booster's own.
    assert auc(model.predict(split.valid).pctr, split.valid.click) == pytest.approx(max(values), abs=1e-6)


# ------------------------------------------------------------------------------ weighted BCE


def few_values(part):
    """Features of few values, whose bins do not depend on how often each occurs."""
    columns = [c for c in part.features.columns if c.startswith("numerical")]
    rounded = part.features.select(pl.col(columns).clip(-2, 2).round())
    return replace(part, features=rounded, categorical=())


@pytest.mark.parametrize("model", TREES)
def test_an_integer_weight_is_as_if_converted_rows_occurred_more_often(model, split):
    every_row = {"lightgbm": {"bagging_fraction": 1.0, "feature_fraction_bynode": 1.0, "min_data_in_leaf": 1}}
    params = every_row.get(model, {"subsample": 1.0, "colsample_bytree": 1.0})
    split = every_part(split, few_values)
    often = np.repeat(np.arange(len(split.train)), 1 + 2 * split.train.conversion)
    bce = varied(SPEC, model=model, rounds=5, early_stopping=5, params=params)
    ours = fitted(replace(bce, loss="weighted_bce", rival_weight=2.0), split)
    theirs = fitted(bce, replace(split, train=split.train.take(often)))
    assert ours.rounds_used == theirs.rounds_used
    np.testing.assert_allclose(ours.predict(split.test).pctr, theirs.predict(split.test).pctr, atol=1e-5)
    assert np.abs(ours.predict(split.test).pctr - pctr(bce, split)).max() > 0.01


@pytest.mark.parametrize("spec", pairs(["weighted_bce"]))
def test_weights_raise_the_predicted_rate(spec, split):
    rate = [pctr(spec.with_weight(weight), split).mean() for weight in (0, 1, 4)]
    assert rate[0] < rate[1] < rate[2]


# ------------------------------------------------------------------------------ rankers


def by_hand(spec, split):
    """Train the ranker through its library alone and return what predicts raw scores."""
    train = split.train.take(np.argsort(split.train.group, kind="stable"))
    x, start = train.matrix(), np.unique(train.group, return_index=True)[1]
    if spec.model == "lightgbm":
        data = lightgbm.Dataset(
            x,
            label=train.grade,
            group=np.diff(np.append(start, len(train))),
            categorical_feature=[train.features.columns.index(c) for c in train.categorical],
            params={"feature_pre_filter": False, "verbose": -1},
        )
        params = {
            "objective": "lambdarank",
            "label_gain": [0, 1, 1 + spec.weight],
            "learning_rate": spec.settings.learning_rate,
            "num_leaves": 31,
            "min_data_in_leaf": 100,
            "feature_fraction_bynode": 0.8,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "lambda_l2": 1.0,
            "cat_smooth": 50.0,
            "seed": spec.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbose": -1,
        }
        booster = lightgbm.train(params, data, spec.settings.rounds)
        return lambda part, rounds: booster.predict(part.matrix(), raw_score=True, num_iteration=rounds)
    data = xgboost.QuantileDMatrix(
        x,
        label=train.grade,
        qid=train.group,
        feature_types=["c" if c in train.categorical else "q" for c in train.features.columns],
        enable_categorical=True,
    )
    # Afterwards, so that the bins are those of all other losses.
    data.set_weight([1 + spec.weight * (2 in train.grade[train.group == g]) for g in train.group[start]])
    params = {
        "objective": "rank:pairwise",
        "lambdarank_score_normalization": False,
        "learning_rate": spec.settings.learning_rate,
        "max_depth": 6,
        "subsample": 0.8,
        "colsample_bytree": 0.8,
        "tree_method": "hist",
        "seed": spec.seed,
        "nthread": 1,
    }
    booster = xgboost.train(params, data, spec.settings.rounds)
    return lambda part, rounds: booster.inplace_predict(part.matrix(), iteration_range=(0, rounds))


def test_a_ranker_is_the_librarys_own(ranker, split):
    score = by_hand(ranker, split)
    model = fitted(ranker, split)
    ours, theirs = model.predict(split.test).pctr, score(split.test, model.rounds_used).astype(np.float64)
    slope, start = np.polyfit(theirs, logit(ours), 1)
    assert slope > 0
    np.testing.assert_allclose(ours, expit(slope * theirs + start), atol=1e-6)
    np.testing.assert_array_equal(np.argsort(ours, kind="stable"), np.argsort(theirs, kind="stable"))


def test_the_sigmoid_is_fitted_on_validation(ranker, split):
    """There, and nowhere else, residuals are orthogonal to 1 and to the scores."""
    model = fitted(ranker, split)

    def residual(part):
        p = model.predict(part).pctr
        return np.array([(p - part.click).mean(), ((p - part.click) * logit(p)).mean()])

    np.testing.assert_allclose(residual(split.valid), 0, atol=1e-6)
    assert np.abs(residual(split.train)).max() > 1e-3


def test_a_ranker_needs_groups(ranker, split):
    ungrouped = every_part(split, lambda part: replace(part, group=None))
    with pytest.raises(
        InputError, match=f"simulated has no groups; leave {ranker.loss} out or describe its group column"
    ):
        fitted(ranker, ungrouped)


def test_only_training_needs_groups(ranker, split):
    ungrouped = replace(split, valid=replace(split.valid, group=None), test=replace(split.test, group=None))
    np.testing.assert_array_equal(pctr(ranker, ungrouped), pctr(ranker, split))


def test_a_group_that_lambdarank_cannot_take(split, monkeypatch):
    largest = np.unique(split.train.group, return_counts=True)[1].max()
    spec = replace(SPEC, loss="lambdarank")
    monkeypatch.setattr(lambdarank, "LARGEST_GROUP", largest)
    fitted(spec, split)
    monkeypatch.setattr(lambdarank, "LARGEST_GROUP", largest - 1)
    with pytest.raises(
        InputError, match=f"a group has {largest} exposures, and lambdarank takes {largest - 1}"
    ):
        fitted(spec, split)


def test_lambdarank_takes_as_many_as_we_say():
    """LightGBM's own limit, which no documentation states."""
    for n, refused in ((lambdarank.LARGEST_GROUP, False), (lambdarank.LARGEST_GROUP + 1, True)):
        data = lightgbm.Dataset(np.arange(n)[:, None] % 7, label=np.arange(n) % 2, group=[n])
        params = {"objective": "lambdarank", "verbose": -1, "num_leaves": 2}
        if refused:
            with pytest.raises(lightgbm.basic.LightGBMError, match="10000"):
                lightgbm.train(params, data, 1)
        else:
            lightgbm.train(params, data, 1)


# ------------------------------------------------------------------------------ the sigmoid by itself


def test_the_sigmoid_is_the_most_likely_one():
    rng = np.random.default_rng(0)
    score = 40 + 5 * rng.normal(size=500)
    click = rng.random(500) < expit((score - 41) / 3)

    def log_loss(parameters):
        z = parameters[0] * (score - 40) + parameters[1]
        return np.logaddexp(0, z).sum() - z[click].sum()

    slope, start = minimize(log_loss, [0.1, 0.0], tol=1e-10).x
    np.testing.assert_allclose(fit_sigmoid(score, click), [slope, start - 40 * slope], rtol=1e-3)


@pytest.mark.parametrize("score", [[0.0, 1.0, 2.0, 3.0], [3.0, 2.0, 1.0, 0.0], [-7.0, -7.0, 7.0, 7.0]])
def test_the_sigmoid_keeps_the_order(score):
    click = np.array([False, False, True, True])
    slope, start = fit_sigmoid(np.array(score), click)
    p = expit(slope * np.array(score) + start)
    assert np.array_equal(np.argsort(p, kind="stable"), np.argsort(score, kind="stable"))
    assert np.isfinite([slope, start]).all()
    assert p.mean() == pytest.approx(0.5, abs=1e-3)


def test_the_sigmoid_of_a_constant_is_the_base_rate():
    slope, start = fit_sigmoid(np.full(4, 3.0), np.array([True, False, False, False]))
    assert expit(slope * 3.0 + start) == pytest.approx(0.25)


@pytest.mark.parametrize("clicked", [True, False])
def test_the_sigmoid_needs_both_classes(clicked):
    with pytest.raises(InputError, match=rf"{3 * clicked} of 3 exposures are clicked; .* both"):
        fit_sigmoid(np.arange(3.0), np.full(3, clicked))


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("model", "loss", "message"),
    [
        ("xgboost", "lambdarank", r"lambdarank exists for lightgbm only; for xgboost choose one of bce, pwi"),
        (
            "lightgbm",
            "rank_pairwise",
            r"rank_pairwise exists for xgboost, xgboost_shared only; for lightgbm",
        ),
        ("dnn", "rank_pairwise", r"for dnn choose one of bce, pwiser, weighted_bce, combined_pair"),
        ("lightgbm", "combined_pair", r"combined_pair exists for dnn, shared_bottom, .*aitm only"),
    ],
)
def test_a_loss_that_a_model_has_not(model, loss, message):
    with pytest.raises(InputError, match=message):
        make_model(ModelSpec(model=model, loss=loss))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "lambda_rank"}, r"unknown loss 'lambda_rank' \(did you mean lambdarank\?\); choose one of"),
        ({"loss": "weighted_bce", "rival_weight": -1.0}, r"weight of weighted_bce is -1\.0; give a num"),
        ({"loss": "weighted_bce", "rival_weight": float("nan")}, "weight of weighted_bce is nan; give a num"),
        ({"loss": "weighted_bce", "rival_weight": float("inf")}, "weight of weighted_bce is inf; give a num"),
        ({"loss": "lambdarank", "rival_weight": "much"}, "weight of lambdarank is 'much'; give a num"),
        ({"loss": "rank_pairwise", "rival_weight": True}, "weight of rank_pairwise is True"),
        ({"loss": "combined_pair", "rival_weight": 1.5}, r"combined_pair is 1\.5; give a number from 0 to 1"),
    ],
)
def test_spec_refuses(changes, message):
    with pytest.raises(InputError, match=message):
        ModelSpec(model="any", **changes)


def test_bce_has_no_weight():
    with pytest.raises(InputError, match="bce has no weight"):
        SPEC.with_weight(1.0)
    assert replace(SPEC, rival_weight=7.0).weight == 0
