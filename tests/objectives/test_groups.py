"""Pairs inside groups, with few anchors and with many."""

import numpy as np
import pytest

from gbdt_pwiser.objectives import PWiseRLoss
from gbdt_pwiser.objectives._groups import PAIRED_ONE_BY_ONE
from tests.objectives import reference
from tests.objectives.cases import SURROGATES_AND_SCALES


@pytest.mark.parametrize(("surrogate", "scale"), SURROGATES_AND_SCALES)
def test_one_group_is_all_pairs(surrogate, scale):
    rng = np.random.default_rng(3)
    n = 3 * PAIRED_ONE_BY_ONE  # more anchors in the group than are paired one by one
    z, grade = rng.normal(0, 1, 2 * n), np.r_[np.full(n, 2), rng.integers(0, 2, n)]
    everything = PWiseRLoss(surrogate=surrogate, scale=scale)
    grouped = PWiseRLoss(surrogate=surrogate, scale=scale, pairs="group")
    group = np.full(2 * n, -7)
    assert grouped.value(z, grade, group=group) == pytest.approx(everything.value(z, grade), rel=1e-9)
    for one, other in zip(
        grouped.gradient_hessian(z, grade, group=group), everything.gradient_hessian(z, grade), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("surrogate", [name for name, scale in SURROGATES_AND_SCALES if scale == "logit"])
def test_groups_with_many_and_few_anchors_together(surrogate):
    rng = np.random.default_rng(4)
    many = PAIRED_ONE_BY_ONE + 6
    group = np.r_[np.zeros(2 * many), rng.integers(1, 20, 150)].astype(int)
    grade = np.r_[np.full(many, 2), np.zeros(many), rng.choice(3, 150)].astype(int)
    z = rng.normal(0, 1, len(group))
    loss = PWiseRLoss(weight=1.0, surrogate=surrogate, scale="logit", pairs="group")
    expected, _ = reference.gradient_and_hessian(loss, z, grade, group=group)
    assert loss.value(z, grade, group=group) == pytest.approx(
        reference.value(loss, z, grade, group=group), abs=1e-6
    )
    np.testing.assert_allclose(
        loss.gradient_hessian(z, grade, group=group)[0], expected, rtol=1e-6, atol=1e-4
    )


def test_no_group_with_both_sides_is_bce():
    z, grade = np.array([0.3, 0.1, -0.2]), np.array([2, 0, 1])
    loss = PWiseRLoss(weight=5.0, pairs="group")
    np.testing.assert_array_equal(
        loss.gradient_hessian(z, grade, group=[0, 1, 2])[0],
        PWiseRLoss(weight=0.0).gradient_hessian(z, grade)[0],
    )
