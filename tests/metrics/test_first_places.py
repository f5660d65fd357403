"""Metrics inside groups as `evaluate` has them: what changes nothing, whole groups, and data at the edge."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from gbdt_pwiser.metrics import (
    METRICS,
    blocks,
    evaluate,
    gauc,
    group_aucs,
    map_at_k,
    mrr,
    ndcg_at_k,
    recall_at_k,
)
from gbdt_pwiser.metrics.sorting import sorted_in_groups
from gbdt_pwiser.objectives import InputError
from tests.metrics.helpers import F, T, make_exposures

RANKING = [name for name, m in METRICS.items() if m.family in ("ranking", "top", "coverage")]
FIRST = ("ndcg@1", "map@1", "conversions@1", "ndcg@3", "map@3", "conversions@3")
IN_GROUPS = {
    "ndcg": lambda s, relevant, group: ndcg_at_k(s, relevant.astype(int), group, k=3),
    "map": lambda s, relevant, group: map_at_k(s, relevant, group, k=3),
    "mrr": mrr,
    "recall": lambda s, relevant, group: recall_at_k(s, relevant, group, k=3),
    "auc": group_aucs,
}

ROWS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1e-300, 0.2, np.nextafter(0.2, 1), 0.5, 1.0]),
        st.integers(0, 2),
        st.sampled_from([-(2**63), -1, 0, 7, 2**63 - 1]),
    ),
    max_size=40,
)


def ranked(rows, order=None, number=lambda group: group):
    """Values of all metrics that rank, of the rows in that order, with other numbers for the groups."""
    rows = rows if order is None else [rows[i] for i in order]
    exposures = make_exposures([g for _, g, _ in rows], group=[number(g) for *_, g in rows])
    pctr = np.array([p for p, *_ in rows], dtype=np.float64)
    values = evaluate(exposures, pctr, pctr / 2, also=FIRST)
    return {name: values[name] for name in (*RANKING, *FIRST) if name in values}


# ------------------------------------------------------------------ what changes nothing


@given(rows=ROWS, data=st.data())
def test_the_order_of_rows_changes_no_metric(rows, data):
    order = data.draw(st.permutations(range(len(rows))))
    np.testing.assert_equal(ranked(rows, order), ranked(rows))


@given(rows=ROWS)
def test_the_numbers_of_the_groups_change_no_metric(rows):
    numbers = {-(2**63): 30, -1: 10, 0: 50, 7: 20, 2**63 - 1: 40}
    assert ranked(rows, number=numbers.get) == pytest.approx(ranked(rows), rel=1e-13, nan_ok=True)


@given(rows=ROWS)
def test_a_rising_map_of_pctr_changes_no_metric_inside_groups(rows):
    pctr, grade, group = (
        (np.array(column) for column in zip(*rows, strict=True)) if rows else np.zeros((3, 0))
    )
    places = np.searchsorted(np.unique(pctr), pctr)
    for metric in IN_GROUPS.values():
        arguments = grade > 0, group.astype(np.int64)
        for found, expected in zip(metric(pctr, *arguments), metric(places - 3.5, *arguments), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_one_evaluation_sorts_inside_groups_once(monkeypatch):
    sorts = []
    monkeypatch.setattr(blocks, "sorted_in_groups", lambda *a: sorts.append(a) or sorted_in_groups(*a))
    rows = [(0.2, 1, 7), (0.5, 0, 7), (0.5, 2, -1), (0.2, 0, -1)]
    assert ranked(rows)["gauc"] == 0.5
    assert len(sorts) == 1


# ------------------------------------------------------------------ scikit-learn, of whole groups


@pytest.fixture(scope="module")
def searches():
    """Sixty groups of nine, rows in random order, no ties; the clicks of each, and one of them."""
    rng = np.random.default_rng(8)
    group = rng.permutation(np.repeat(np.arange(60) * 7 - 100, 9))
    one = np.zeros(540, dtype=bool)
    one[[rng.choice(np.flatnonzero(group == g)) for g in np.unique(group)]] = T
    return rng.permutation(540) / 1024, one | (rng.random(540) < 0.2), one, group


def by_group(group, *columns):
    """Each column as a row per group."""
    order = np.argsort(group, kind="stable")
    return [column[order].reshape(-1, 9) for column in columns]


def test_map_of_whole_groups_is_scikit_learns_average_precision(searches):
    score, click, _, group = searches
    scores, clicks = by_group(group, score, click)
    expected = [sk.average_precision_score(y, s) for y, s in zip(clicks, scores, strict=True)]
    assert map_at_k(score, click, group, k=9).value == pytest.approx(expected, rel=1e-12)
    mean = sk.label_ranking_average_precision_score(clicks, scores)
    assert map_at_k(score, click, group, k=9).mean() == pytest.approx(mean, rel=1e-12)


def test_mrr_and_recall_of_one_relevant_exposure_are_scikit_learns(searches):
    score, _, one, group = searches
    scores, ones = by_group(group, score, one)
    mean = sk.label_ranking_average_precision_score(ones, scores)
    assert mrr(score, one, group).mean() == pytest.approx(mean, rel=1e-12)
    for k in (1, 2, 5):
        share = sk.top_k_accuracy_score(ones.argmax(axis=1), scores, k=k, labels=range(9))
        assert recall_at_k(score, one, group, k=k).mean() == pytest.approx(share, rel=1e-12)


def test_auc_of_each_group_is_scikit_learns(searches):
    score, _, one, group = searches
    rounded = np.round(score, 1)
    scores, ones = by_group(group, rounded, one)
    expected = [sk.roc_auc_score(y, s) for y, s in zip(ones, scores, strict=True)]
    assert group_aucs(rounded, one, group).value == pytest.approx(expected, rel=1e-12)


# ------------------------------------------------------------------ data at the edge


def test_where_all_scores_tie_every_metric_is_its_chance():
    """Group 1 has four rows and two clicks, one of them converted; group 2 has no click, group 3 one row."""
    exposures = make_exposures([0, 2, 1, 0, 0, 0, 2], group=[1, 1, 1, 1, 2, 2, 3])
    values = evaluate(exposures, np.full(7, 0.3), np.full(7, 0.1), also=["ndcg@2", "conversions@3", "map@1"])
    assert values["conversion_auc"] == values["conversion_gauc"] == values["gauc"] == 0.5
    # One of both clicks is first in half of all orders, second but not first in a third, third in a sixth.
    assert values["mrr"] == pytest.approx((1 / 2 + 1 / 3 / 2 + 1 / 6 / 3 + 1) / 2)
    assert values["map@1"] == pytest.approx((1 / 2 + 1) / 2)
    assert values["conversions@3"] == pytest.approx((3 / 4 + 1) / 2)
    assert values["conversions@5"] == 1.0  # more places than any group has
    discount = 1 / math.log2(3)
    assert values["ndcg@2"] == pytest.approx(((3 + 1) / 4 * (1 + discount) / (3 + discount) + 1) / 2)
    assert values["groups_without_click"] == values["groups_without_conversion"] == 1 / 3
    assert values["gauc_left_out"] == values["conversion_gauc_left_out"] == 2 / 3


def test_groups_of_one_exposure_are_right_or_left_out():
    exposures = make_exposures([0, 1, 2, 0], group=[4, 3, 2, 1])
    values = evaluate(exposures, np.array([0.1, 0.2, 0.3, 0.4]), np.zeros(4))
    assert {values[name] for name in ("ndcg@5", "map@5", "mrr", "conversions@5")} == {1.0}
    assert (values["groups_without_click"], values["groups_without_conversion"]) == (1 / 2, 3 / 4)
    assert values["gauc_left_out"] == values["conversion_gauc_left_out"] == 1.0
    assert math.isnan(values["gauc"])
    assert math.isnan(values["conversion_gauc"])
    assert values["conversion_auc"] == 2 / 3


def test_no_rows_have_no_values():
    values = ranked([])
    assert len(values) >= 15
    assert all(math.isnan(value) for value in values.values())


@pytest.mark.parametrize("metric", IN_GROUPS.values(), ids=IN_GROUPS)
def test_infinite_scores_stand_at_the_ends(metric):
    score, relevant = np.array([0.5, np.inf, -np.inf, 1e308, -1e308]), np.array([F, T, F, F, T])
    group = np.array([6, 6, 6, 6, 6])
    for found, expected in zip(
        metric(score, relevant, group), metric(np.array([3, 5, 1, 4, 2.0]), relevant, group), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("metric", IN_GROUPS.values(), ids=IN_GROUPS)
@pytest.mark.parametrize(
    ("kind", "least"), [(np.uint64, 2**64 - 10), (np.uint64, 2**63 - 2), (np.int64, -(2**63)), (np.int8, -3)]
)
def test_ids_at_the_end_of_their_type_are_kept(metric, kind, least):
    rng = np.random.default_rng(3)
    small, score, relevant = rng.integers(0, 9, 200), rng.normal(size=200), rng.random(200) < 0.1
    group = np.array([least + int(g) for g in small], dtype=kind)
    found, expected = metric(score, relevant, group), metric(score, relevant, small)
    np.testing.assert_array_equal(found.value, expected.value)
    assert found.group.tolist() == [least + int(g) for g in expected.group]
    assert found.left_out == expected.left_out


def test_a_score_that_is_no_number_is_refused_inside_groups():
    score, relevant, group = np.array([0.1, np.nan]), np.array([F, T]), np.array([1, 1])
    for metric in (*IN_GROUPS.values(), gauc):
        with pytest.raises(InputError, match="score is NaN in 1 places"):
            metric(score, relevant, group)
