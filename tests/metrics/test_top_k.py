"""The first places of groups: against every order of the tied, by hand, and against three libraries."""

import math
from itertools import pairwise, permutations

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from gbdt_pwiser.metrics import evaluate, map_at_k, mrr, ndcg_at_k, recall_at_k
from gbdt_pwiser.objectives import InputError
from tests.metrics.helpers import F, T, make_exposures

# ------------------------------------------------------------------ one group in one order, by definition


def plain_ndcg(gains, k):
    def dcg(order):
        return sum(gain / math.log2(1 + place) for place, gain in enumerate(order[:k], 1))

    return dcg(gains) / dcg(sorted(gains, reverse=True))


def plain_map(relevant, k):
    precisions = [sum(relevant[:i]) / i for i in range(1, min(k, len(relevant)) + 1) if relevant[i - 1]]
    return sum(precisions) / min(k, sum(relevant))


def plain_mrr(relevant, k):
    return 1 / (1 + list(relevant).index(True))


def plain_recall(relevant, k):
    return sum(relevant[:k]) / sum(relevant)


GAINS = (0.0, 0.5, 4.0)
AT = {
    "ndcg": (lambda s, grade, g, k: ndcg_at_k(s, grade, g, k=k, gains=GAINS), plain_ndcg),
    "map": (lambda s, grade, g, k: map_at_k(s, grade > 0, g, k=k), plain_map),
    "mrr": (lambda s, grade, g, k: mrr(s, grade > 0, g), plain_mrr),
    "recall": (lambda s, grade, g, k: recall_at_k(s, grade > 0, g, k=k), plain_recall),
}


def relevance(name, grade):
    return [GAINS[each] for each in grade] if name == "ndcg" else [each > 0 for each in grade]


def over_all_orders(plain, score, relevant, k):
    """Mean over all orders in which no exposure stands before one of a higher score."""
    falling = [
        order
        for order in permutations(range(len(score)))
        if all(score[a] >= score[b] for a, b in pairwise(order))
    ]
    return sum(plain([relevant[i] for i in order], k) for order in falling) / len(falling)


@st.composite
def groups(draw):
    """Up to four groups of up to six exposures with few scores, in any order."""
    group = draw(st.lists(st.sampled_from([-7, 0, 3, 2**40]), min_size=1, max_size=14))
    group = [g for i, g in enumerate(group) if group[:i].count(g) < 6]
    score = draw(st.lists(st.sampled_from([-1.0, 0.0, 0.25, 1e30]), min_size=len(group), max_size=len(group)))
    grade = draw(st.lists(st.integers(0, 2), min_size=len(group), max_size=len(group)))
    return np.array(score), np.array(grade), np.array(group)


@pytest.mark.parametrize("name", AT)
@given(data=groups(), k=st.integers(1, 7))
def test_ties_are_the_mean_over_all_their_orders(name, data, k):
    score, grade, group = data
    ours, plain = AT[name]
    found = ours(score, grade, group, k)
    expected = {
        g: over_all_orders(plain, score[group == g], relevance(name, grade[group == g]), k)
        for g in np.unique(group)
        if grade[group == g].any()
    }
    assert found.group.tolist() == list(expected)
    assert found.value == pytest.approx(list(expected.values()), rel=1e-12)
    assert found.left_out == len(np.unique(group)) - len(expected)


@pytest.fixture(scope="module")
def pages():
    """Fifty pages, each exposure with a score of its own, some pages without a click."""
    rng = np.random.default_rng(5)
    group = np.sort(rng.integers(0, 8, 1000) ** 2 % 23)
    group = np.concatenate([group, np.repeat(np.arange(100, 140), rng.integers(1, 9, 40))])
    grade = rng.choice(3, len(group), p=[0.7, 0.2, 0.1])
    grade[np.isin(group, [101, 107, 120])] = 0
    return rng.permutation(len(group)) / 2048.0, grade, group


@pytest.mark.parametrize("name", AT)
@pytest.mark.parametrize("k", [1, 5, 10, 5000])
def test_without_ties_it_is_the_definition(name, k, pages):
    score, grade, group = pages
    ours, plain = AT[name]
    expected = [
        plain(relevance(name, grade[group == g][np.argsort(-score[group == g])]), k)
        for g in np.unique(group)
        if grade[group == g].any()
    ]
    found = ours(score, grade, group, k)
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert found.mean() == pytest.approx(np.mean(expected), rel=1e-12)
    assert found.left_out >= 3


@pytest.mark.parametrize("name", AT)
def test_the_order_of_rows_changes_nothing(name, pages):
    score, grade, group = pages
    score = np.round(score, 1)
    shuffled = np.random.default_rng(6).permutation(len(score))
    ours, _ = AT[name]
    found, again = (ours(score[r], grade[r], group[r], 4) for r in (slice(None), shuffled))
    assert found.value.tolist() == again.value.tolist()
    assert found.group.tolist() == again.group.tolist()


def test_a_tie_of_thousands_is_as_exact():
    """One block: its first relevant place, its recall and its precision have known expectations."""
    m, r, before = 5000, 40, 3
    relevant = np.zeros(before + m, dtype=bool)
    relevant[before : before + r] = T
    score, group = np.r_[np.ones(before), np.zeros(m)], np.zeros(before + m, dtype=int)
    # Chance that the first relevant is the j-th, from whole numbers of any size.
    ways = [math.comb(m - j, r - 1) for j in range(1, m - r + 2)]
    expected = sum(w / math.comb(m, r) / (before + j) for j, w in enumerate(ways, 1))
    assert mrr(score, relevant, group).mean() == pytest.approx(expected, rel=1e-12)
    assert recall_at_k(score, relevant, group, k=103).mean() == pytest.approx(100 / m, rel=1e-12)
    places = range(1, m + 1)
    precisions = sum((1 + (j - 1) * (r - 1) / (m - 1)) / (before + j) for j in places)
    assert map_at_k(score, relevant, group, k=before + m).mean() == pytest.approx(precisions / m, rel=1e-10)


# ------------------------------------------------------------------ by hand


def test_a_table_by_hand():
    """Two pages, the second with a tie in its first two places; on the third nothing was clicked."""
    group = np.array([1, 1, 1, 2, 2, 2, 3])
    score = np.array([0.9, 0.5, 0.1, 0.7, 0.7, 0.2, 0.8])
    grade = np.array([0, 1, 2, 2, 0, 1, 0])
    click, conversion = grade > 0, grade == 2
    third, best = 1 / math.log2(3), 3 + 1 / math.log2(3)
    tied = 3 * (1 + third) / 2
    assert ndcg_at_k(score, grade, group, k=2).value == pytest.approx([third / best, tied / best])
    assert ndcg_at_k(score, grade, group, k=3).value == pytest.approx(
        [(third + 3 / 2) / best, (tied + 1 / 2) / best]
    )
    # The clicks of page 1 are in places 2 and 3; of page 2 in 1 or 2, and in 3.
    assert map_at_k(score, click, group, k=3).value == pytest.approx(
        [(1 / 2 + 2 / 3) / 2, (3 / 4 + 2 / 3) / 2]
    )
    assert map_at_k(score, click, group, k=1).value == pytest.approx([0, 1 / 2])
    assert mrr(score, click, group).value == pytest.approx([1 / 2, 3 / 4])
    assert recall_at_k(score, conversion, group, k=1).value == pytest.approx([0, 1 / 2])
    assert recall_at_k(score, conversion, group, k=2).value == pytest.approx([0, 1])
    assert {f(score, click, group).left_out for f in (mrr, lambda *a: recall_at_k(*a, k=1))} == {1}


def test_the_best_order_is_one_and_nothing_has_no_value():
    grade, group = np.array([2, 1, 0, 2, 0]), np.array([0, 0, 0, 1, 1])
    best = grade.astype(float)
    assert ndcg_at_k(best, grade, group, k=5).value.tolist() == [1.0, 1.0]
    assert map_at_k(best, grade > 0, group, k=1).value.tolist() == [1.0, 1.0]
    for rows in (slice(0), slice(2, 3)):
        nothing = ndcg_at_k(best[rows], grade[rows], group[rows], k=5)
        assert (len(nothing.value), nothing.left_out) == (0, len(grade[rows]))
        assert math.isnan(nothing.mean())
        assert math.isnan(mrr(best[rows], grade[rows] > 0, group[rows]).mean())


# ------------------------------------------------------------------ other libraries


def test_ndcg_of_ties_is_scikit_learns(pages):
    score, grade, group = pages
    score = np.round(score, 1)
    gains = 2.0**grade - 1
    for k in (1, 5, 10):
        found = ndcg_at_k(score, grade, group, k=k)
        several = [i for i, g in enumerate(found.group) if (group == g).sum() > 1]  # it refuses one exposure
        expected = [
            ndcg_score(gains[None, group == found.group[i]], score[None, group == found.group[i]], k=k)
            for i in several
        ]
        assert found.value[several] == pytest.approx(expected, rel=1e-12)


def with_ones(top):
    """Mean as the boosters have it: a group in which nothing is relevant counts as 1."""
    return (top.value.sum() + top.left_out) / (len(top.value) + top.left_out)


def test_ndcg_and_map_are_lightgbms_but_for_groups_without_a_click(pages):
    score, grade, group = pages
    _, sizes = np.unique(group, return_counts=True)

    def told(labels, metric, ks):
        data = lgb.Dataset(np.zeros((len(score), 1)), labels, group=sizes, init_score=score)
        parameters = {
            "objective": "lambdarank",
            "metric": metric,
            "eval_at": ks,
            "verbose": -1,
            "num_threads": 1,
        }
        return {name: value for _, name, value, _ in lgb.Booster(parameters, data).eval_train()}

    ks = [1, 5, 10]
    ndcg, precision = told(grade, "ndcg", ks), told(grade > 0, "map", ks)
    for k in ks:
        assert ndcg[f"ndcg@{k}"] == pytest.approx(with_ones(ndcg_at_k(score, grade, group, k=k)), rel=1e-9)
        assert precision[f"map@{k}"] == pytest.approx(
            with_ones(map_at_k(score, grade > 0, group, k=k)), rel=1e-9
        )


def test_ndcg_and_map_are_xgboosts_but_for_groups_without_a_click(pages):
    score, grade, group = pages

    def told(labels, metrics):
        data = xgb.DMatrix(np.zeros((len(score), 1)), labels, qid=group, base_margin=score)
        parameters = {"objective": "rank:ndcg", "eval_metric": metrics, "nthread": 1}
        line = xgb.train(parameters, data, num_boost_round=0).eval(data, "on")
        return {name: float(value) for name, value in (each.split(":") for each in line.split("\t")[1:])}

    ks = [1, 5, 10]
    ndcg = told(grade, [f"ndcg@{k}{end}" for k in ks for end in ("", "-")])
    precision = told(grade > 0, [f"map@{k}{end}" for k in ks for end in ("", "-")])
    for k in ks:
        for name, values, top in (
            ("ndcg", ndcg, ndcg_at_k(score, grade, group, k=k)),
            ("map", precision, map_at_k(score, grade > 0, group, k=k)),
        ):
            assert values[f"on-{name}@{k}"] == pytest.approx(with_ones(top), rel=1e-5)
            zeros = top.value.sum() / (len(top.value) + top.left_out)
            assert values[f"on-{name}@{k}-"] == pytest.approx(zeros, rel=1e-5)


# ------------------------------------------------------------------ as metrics of a prediction


def test_the_metrics_of_a_prediction_are_the_functions_of_pctr(pages):
    score, grade, group = pages
    pctr = np.round(score, 2)
    values = evaluate(make_exposures(grade, group=group), pctr, np.zeros(len(grade)))
    clicked, converted = mrr(pctr, grade > 0, group), recall_at_k(pctr, grade == 2, group, k=1)
    assert values["map@5"] == map_at_k(pctr, grade > 0, group, k=5).mean()
    assert values["mrr"] == clicked.mean()
    assert values["ndcg@5"] == ndcg_at_k(pctr, grade, group, k=5).mean()
    assert values["conversions@5"] == recall_at_k(pctr, grade == 2, group, k=5).mean()
    also = ["map@3", "conversions@1", "ndcg@12", "ndcg@2"]
    more = evaluate(make_exposures(grade, group=group), pctr, np.zeros(len(grade)), also=also)
    assert more["map@3"] == map_at_k(pctr, grade > 0, group, k=3).mean()
    assert more["conversions@1"] == converted.mean()
    assert more["ndcg@12"] == ndcg_at_k(pctr, grade, group, k=12).mean()
    assert {name: value for name, value in more.items() if name not in also} == values
    first = [name for name in more if "@" in name or name == "mrr"]
    assert first == ["ndcg@2", "ndcg@5", "ndcg@12", "map@3", "map@5", "mrr", "conversions@1", "conversions@5"]
    groups = len(np.unique(group))
    assert values["groups_without_click"] == clicked.left_out / groups
    assert values["groups_without_conversion"] == converted.left_out / groups


# ------------------------------------------------------------------ bad input

SCORE, GRADE, GROUP = np.array([0.1, 0.2]), np.array([0, 2]), np.array([1, 1])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"k": 0}, "k is 0; give a whole number from 1"),
        ({"k": 2.5}, r"k is 2\.5; give a whole number from 1"),
        ({"gains": (0, 1)}, "grade runs from 0 to 2, and there are gains of 0 to 1; give one gain per grade"),
        ({"gains": (0, -1, 3)}, r"gains are \(0, -1, 3\); give one per grade"),
        ({"gains": (0, 0, 0)}, "none below 0 and some above it"),
        ({"grade": np.array([0.0, 2.0])}, "grade has shape .* and type float64; give int"),
        ({"grade": np.array([0, -1])}, "grade runs from -1 to 0"),
        ({"score": np.array([0.1, np.nan])}, "score is NaN in 1 places"),
        ({"score": np.array([0.1])}, r"score has shape \(1,\)"),
        ({"group": np.array([1])}, r"group has shape \(1,\); give \(2,\)"),
    ],
)
def test_bad_input_is_refused(changes, says):
    good = {"score": SCORE, "grade": GRADE, "group": GROUP, "k": 5}
    with pytest.raises(InputError, match=says):
        ndcg_at_k(**(good | changes))


@pytest.mark.parametrize("top", [lambda *a: map_at_k(*a, k=2), mrr, lambda *a: recall_at_k(*a, k=2)])
def test_labels_that_are_not_bool_are_refused(top):
    with pytest.raises(InputError, match="give bool"):
        top(SCORE, GRADE, GROUP)
    assert top(SCORE, np.array([F, T]), GROUP).value.tolist() == [1.0]
