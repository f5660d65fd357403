"""Early stopping of the click booster by a ranking metric of its score, against the metric of every round."""

import json
from dataclasses import replace
from functools import partial

import lightgbm
import numpy as np
import pytest
from sklearn.metrics import ndcg_score, roc_auc_score

from gbdt_pwiser.metrics import map_at_k, mrr, recall_at_k
from gbdt_pwiser.models import load_model, make_model, save_model
from gbdt_pwiser.models.boosters._stopping import StopBy
from gbdt_pwiser.objectives import InputError, auc
from tests.models.helpers import BOOSTERS, SPEC, TREES, fitted
from tests.specs import varied

RANKERS = {"lightgbm": "lambdarank", "xgboost": "rank_pairwise"}
LONG = varied(SPEC, rounds=60, early_stopping=4, learning_rate=0.5)
CASES = [
    pytest.param(varied(LONG, model=model, loss=loss), id=f"{model}-{loss}")
    for model in TREES
    for loss in ("bce", "pwiser", RANKERS[model])
]


@pytest.fixture(autouse=True)
def trees_after_the_best_round(monkeypatch):
    """Keep them in LightGBM's booster too, whose train would drop them."""
    monkeypatch.setattr(lightgbm, "train", partial(lightgbm.train, keep_training_booster=True))


def mean_over_groups(value, weight=len):
    """Return the metric that is the mean of a value of (scores, grades) over the groups that have one."""

    def metric(score, valid):
        rows = [np.flatnonzero(valid.group == group) for group in np.unique(valid.group)]
        found = [(value(score[r], valid.grade[r]), weight(r)) for r in rows]
        values, weights = zip(*[(v, w) for v, w in found if v is not None], strict=True)
        return np.average(values, weights=weights)

    return metric


def auc_in_group(least):
    """Return the AUC of grades of at least that, pair by pair; None without two classes."""

    def value(score, grade):
        up, down = score[grade >= least][:, None], score[grade < least]
        return ((up > down) + (up == down) / 2).mean() if up.size and down.size else None

    return value


def ndcg_at_5(score, grade):
    if not grade.any():
        return None
    return 1.0 if len(grade) == 1 else ndcg_score([np.array([0.0, 1.0, 3.0])[grade]], [score], k=5)


# Pair by pair, and by scikit-learn where it has the metric.
REFERENCES = {
    "gauc": mean_over_groups(auc_in_group(1)),
    "conversion_gauc": mean_over_groups(auc_in_group(2)),
    "conversion_auc": lambda score, valid: roc_auc_score(valid.conversion, score),
    "ndcg@5": mean_over_groups(ndcg_at_5, weight=lambda _: 1),
    "map@3": lambda score, valid: map_at_k(score, valid.click, valid.group, k=3).mean(),
    "mrr": lambda score, valid: mrr(score, valid.click, valid.group).mean(),
    "conversions@2": lambda score, valid: recall_at_k(score, valid.conversion, valid.group, k=2).mean(),
}


def score_by_round(model, valid):
    """Return the raw scores of validation after each round that was trained, by the booster itself."""
    booster, features = model._click.booster, valid.matrix()
    if model.library == "lightgbm":
        return [
            booster.predict(features, raw_score=True, num_iteration=k + 1)
            for k in range(booster.current_iteration())
        ]
    return [
        booster.inplace_predict(features, iteration_range=(0, k + 1), predict_type="margin")
        for k in range(booster.num_boosted_rounds())
    ]


def stopped(values, patience):
    """Return the round that counts, from 1, and how many are trained of those."""
    best = 0
    for number, value in enumerate(values):
        if value > values[best]:
            best = number
        if number - best >= patience:
            break
    return best + 1, number + 1


# ------------------------------------------------------------------------------ the round that counts


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("spec", CASES)
def test_the_first_round_with_the_best_value_counts(spec, name, split):
    model = fitted(varied(spec, stop_by=name), split)
    values = [REFERENCES[name](score, split.valid) for score in score_by_round(model, split.valid)]
    assert stopped(values, 4) == (model.rounds_used, len(values))
    assert len(values) < 60  # it stopped early
    # pCTR has the order of the score, but for what float32 makes equal.
    assert REFERENCES[name](model.predict(split.valid).pctr, split.valid) == pytest.approx(
        max(values), abs=1e-3
    )


@pytest.mark.parametrize("spec", CASES)
def test_the_metric_stops_alone_and_by_the_least_gain(spec, split, monkeypatch):
    """A value that rises by 1e-9 until round 25, when CTR AUC has long fallen."""
    asked = []

    def value(stop_by, score):
        asked.append(score)
        return min(len(asked) - 1, 25) * 1e-9  # the first is asked for before the training

    monkeypatch.setattr(StopBy, "value", value)
    model = fitted(varied(spec, stop_by="gauc"), split)
    assert (model.rounds_used, len(asked) - 1) == (25, 25 + 4)
    aucs = [auc(score, split.valid.click) for score in score_by_round(model, split.valid)]
    assert stopped(aucs, 4)[1] < 25


@pytest.mark.parametrize("model", TREES)
def test_other_metrics_have_other_rounds(model, split):
    spec = varied(LONG, model=model, loss="pwiser")
    rounds = {fitted(varied(spec, stop_by=name), split).rounds_used for name in ("ctr_auc", *REFERENCES)}
    assert len(rounds) > 2


@pytest.mark.parametrize("spec", CASES)
def test_rounds_are_told_with_ctr_auc_whatever_stops_them(spec, split):
    told = []
    model = make_model(varied(spec, stop_by="gauc"))
    model.fit(split.train, split.valid, on_round=lambda _, aucs: told.append(aucs.get("click")))
    told = [value for value in told if value is not None]
    expected = [auc(score, split.valid.click) for score in score_by_round(model, split.valid)]
    # XGBoost's callbacks end with the one that stops the training.
    assert len(told) == len(expected) - (spec.model == "xgboost")
    np.testing.assert_allclose(told, expected[: len(told)], atol=1e-6)


@pytest.mark.parametrize("spec", CASES)
def test_measuring_changes_no_tree(spec, split):
    boosters = [
        fitted(varied(spec, rounds=6, early_stopping=6, stop_by=name), split)._click.booster
        for name in ("ctr_auc", "ndcg@5")
    ]
    if spec.model == "lightgbm":
        one, other = (booster.model_to_string(num_iteration=-1) for booster in boosters)
    else:
        for booster in boosters:
            booster.set_attr(best_score=None, best_iteration=None)
        one, other = (booster.save_raw("ubj") for booster in boosters)
    assert one == other


@pytest.mark.parametrize("name", BOOSTERS)
def test_the_conversion_booster_stops_by_auc(name, split):
    one, other = (
        # Another object, of which no conversion booster is kept.
        fitted(varied(LONG, model=name, stop_by=stop_by), replace(split, train=replace(split.train)))
        for stop_by in ("ctr_auc", "conversions@2")
    )
    # By which round the click booster of XGBoost is best depends on its version.
    assert one.rounds_used != other.rounds_used or name == "xgboost"
    np.testing.assert_array_equal(one.predict(split.test).pcvr, other.predict(split.test).pcvr)


@pytest.mark.parametrize("spec", CASES)
def test_ids_of_groups_decide_nothing(spec, split):
    spec = varied(spec, stop_by="ndcg@5")
    far = replace(split.valid, group=(split.valid.group - split.valid.group.max()) * 2**40)
    assert fitted(spec, replace(split, valid=far)).rounds_used == fitted(spec, split).rounds_used


# ------------------------------------------------------------------------------ saved and read


@pytest.mark.parametrize("spec", CASES)
def test_it_is_saved_and_read(spec, split, tmp_path):
    model = fitted(varied(spec, stop_by="ndcg@5"), split)
    save_model(model, tmp_path / "model", split)
    again = load_model(tmp_path / "model", threads=1).model
    assert again.spec == model.spec
    assert again.spec.settings.stop_by == "ndcg@5"
    assert again.rounds_used == model.rounds_used
    np.testing.assert_array_equal(again.predict(split.test).pctr, model.predict(split.test).pctr)


def test_a_folder_of_a_version_that_stopped_by_ctr_auc_alone_is_read(split, tmp_path):
    save_model(fitted(SPEC, split), tmp_path / "model", split)
    manifest = tmp_path / "model" / "manifest.json"
    stored = json.loads(manifest.read_text())
    assert stored["spec"]["settings"].pop("stop_by") == "ctr_auc"
    manifest.write_text(json.dumps(stored))
    assert load_model(tmp_path / "model", threads=1).model.spec == SPEC


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize("model", BOOSTERS)
@pytest.mark.parametrize(
    ("name", "most", "told"),
    [
        ("gauc", 2, "conversions and no groups; stop by"),
        ("ndcg@5", 2, "conversions and no groups; stop by"),
        ("conversion_auc", 1, "clicks, 0 conversions and "),
        ("conversions@3", 1, "clicks, 0 conversions and "),
        ("map@2", 0, "have 0 clicks, 0 conversions and "),
    ],
)
def test_what_validation_cannot_give_is_refused_before_the_training(model, name, most, told, split):
    few = replace(split.valid, grade=np.minimum(split.valid.grade, np.int8(most)))
    if "no groups" in told:
        few = replace(few, group=None)
    trained = []
    with pytest.raises(InputError) as refused:
        make_model(varied(SPEC, model=model, stop_by=name)).fit(
            split.train, few, on_round=lambda number, _: trained.append(number)
        )
    assert trained == []
    message = str(refused.value)
    assert message.startswith(
        f"simulated: {name} has no value on validation, whose {len(few)} exposures have "
    )
    assert told in message
    assert message.endswith("; stop by ctr_auc or another metric")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("log_loss", "cannot stop by 'log_loss', which needs more than the order of pCTR on validation; "),
        ("pcoc", "cannot stop by 'pcoc', which needs"),
        ("ctcvr_auc", "cannot stop by 'ctcvr_auc', which needs"),
        ("cvr_auc", "cannot stop by 'cvr_auc', which needs"),
        ("noise_free_ctr_auc", "cannot stop by 'noise_free_ctr_auc', which needs"),
        ("gauc_left_out", "cannot stop by 'gauc_left_out', which needs"),
        ("auc", "unknown metric 'auc'"),
        ("ndgc@5", "unknown metric 'ndgc@5' (did you mean ndcg@5?)"),
        ("ndcg@0", "unknown metric 'ndcg@0'"),
        ("", "unknown metric ''"),
        (None, "unknown metric None"),
        (["gauc"], "unknown metric ['gauc']"),
        (5, "unknown metric 5"),
    ],
)
def test_what_is_no_metric_of_order_is_refused(name, told):
    with pytest.raises(InputError) as refused:
        varied(SPEC, stop_by=name)
    message = str(refused.value)
    assert message.startswith(told)
    assert "; choose one of ctr_auc, gauc, conversion_auc, conversion_gauc, ndcg@5, map@5, mrr" in message
    assert message.endswith("ndcg@K, map@K, conversions@K")
