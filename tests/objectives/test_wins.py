"""Pairs of two classes counted by a grid of scores, against a double loop."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import roc_auc_score

from gbdt_pwiser.objectives import _wins, auc
from gbdt_pwiser.objectives._wins import doubled_wins

# Ties, numbers beyond the range of float32, and ends that are no numbers.
VALUES = st.one_of(
    st.sampled_from([-np.inf, -1e300, -1.0, 0.0, 1e-300, 0.5, 1e300, np.inf]), st.floats(-3, 3)
)


def by_pairs(scores, weight, others, weight_of_others):
    pairs = 2 * (scores[:, None] > others) + (scores[:, None] == others)
    return pairs.sum() if weight is None else weight @ pairs @ weight_of_others


@pytest.mark.parametrize("kind", ["float64", "float32"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_wins_are_those_of_all_pairs(many_blocks, kind, data):
    drawn = st.lists(VALUES, min_size=1, max_size=20)
    with np.errstate(over="ignore"):
        scores, others = (np.array(data.draw(drawn)).astype(kind) for _ in range(2))
    found = doubled_wins(scores, None, others, None, threads=2)
    assert isinstance(found, int)
    assert found == by_pairs(scores, None, others, None)
    weights = [data.draw(arrays.arrays(float, len(x), elements=st.floats(0, 9))) for x in (scores, others)]
    assert doubled_wins(scores, weights[0], others, weights[1]) == pytest.approx(
        by_pairs(scores, weights[0], others, weights[1]), rel=1e-12
    )


@pytest.mark.parametrize("rate", [0.001, 0.04, 0.5, 0.9])
@pytest.mark.parametrize("digits", [1, 3, 17], ids=lambda digits: f"{digits} digits")
def test_the_auc_of_many_rows_is_that_of_scikit_learn(rate, digits):
    rng = np.random.default_rng(0)
    score, click, w = (
        np.round(rng.normal(-3, 1, 60_000), digits),
        rng.random(60_000) < rate,
        rng.random(60_000),
    )
    assert len(score) > _wins.FEWEST_ROWS
    assert auc(score, click) == pytest.approx(roc_auc_score(click, score), abs=1e-12)
    assert auc(score, click, sample_weight=w) == pytest.approx(
        roc_auc_score(click, score, sample_weight=w), abs=1e-12
    )
    # One outlier must neither be wrong nor slow: half of the scores lie in one cell beside it.
    score[0] = 1e30
    assert auc(score.astype(np.float32), click) == pytest.approx(
        roc_auc_score(click, score.astype(np.float32)), abs=1e-12
    )


@pytest.mark.parametrize("kind", ["bool", "int8", "uint8", "int64", "uint64"])
@pytest.mark.parametrize("n", [50, 20_000])
def test_scores_may_be_whole_numbers(kind, n):
    rng = np.random.default_rng(1)
    score, click = rng.integers(0, 2 if kind == "bool" else 100, n).astype(kind), rng.random(n) < 0.2
    assert auc(score, click) == pytest.approx(roc_auc_score(click, score.astype(float)), abs=1e-12)


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("shape", ["ends of the range", "one infinite", "two clusters", "next to each other"])
def test_scores_of_any_shape_are_counted_right(kind, shape):
    rng = np.random.default_rng(2)
    z, click = rng.normal(size=20_000), rng.random(20_000) < 0.05
    score = {
        "ends of the range": np.where(rng.random(20_000) < 0.9, -3e38, 3e38),
        "one infinite": np.where(np.arange(20_000) == 7, np.inf, z),
        "two clusters": np.where(z > 0, 1e6, 0.0) + 1e-3 * z,
        "next to each other": 1.0 + 1e-9 * z,
    }[shape].astype(kind)
    rank = np.unique(score, return_inverse=True)[1]
    assert auc(score, click) == pytest.approx(roc_auc_score(click, rank), abs=1e-12)
    weight = rng.random(20_000)
    assert auc(score, click, sample_weight=weight) == pytest.approx(
        roc_auc_score(click, rank, sample_weight=weight), abs=1e-12
    )


def test_a_weighted_auc_is_a_share_whatever_is_rounded():
    rng = np.random.default_rng(3)
    for _ in range(300):
        score, weight = np.arange(20), rng.random(20)
        assert 0.0 <= auc(score, score < 6, sample_weight=weight) <= 1e-12
        assert 1.0 - 1e-12 <= auc(score, score > 6, sample_weight=weight) <= 1.0
