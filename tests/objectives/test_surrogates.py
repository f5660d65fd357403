"""What every surrogate promises, and where one whose derivatives have no bound may be used."""

import re
from itertools import pairwise

import numpy as np
import pytest

from gbdt_pwiser.objectives import (
    SURROGATES,
    InputError,
    PWiseRLoss,
    Surrogate,
    grid_error_bound,
    logistic_error_bound,
)
from tests.objectives import reference

EXP = Surrogate(
    name="exp",
    value=np.exp,
    first=np.exp,
    second=np.exp,
    curvature=lambda low, high: (float(np.exp(high)),) * 3,
)
ALL = [*SURROGATES.values(), EXP]
SMOOTH = [surrogate for surrogate in ALL if surrogate.curvature]
NAMES = {"ids": lambda surrogate: surrogate.name}


@pytest.fixture
def registered(monkeypatch):
    """Exp among the surrogates that a loss may name."""
    monkeypatch.setitem(SURROGATES, "exp", EXP)


# ------------------------------------------------------------------------------ every surrogate


def test_names_are_those_of_the_registry():
    assert all(surrogate.name == name for name, surrogate in SURROGATES.items())


@pytest.mark.parametrize("surrogate", ALL, **NAMES)
def test_it_is_convex_and_neither_negative_nor_falling(surrogate):
    u = np.linspace(-6, 6, 999)  # no kink among them
    for k in (surrogate.value, surrogate.first, surrogate.second):
        assert (k(u) >= 0).all()


@pytest.mark.parametrize("surrogate", ALL, **NAMES)
def test_derivatives_are_central_differences(surrogate):
    u, step = np.linspace(-6, 6, 1000), 1e-5
    for k, derivative in pairwise((surrogate.value, surrogate.first, surrogate.second)):
        slope = (k(u + step) - k(u - step)) / (2 * step)
        np.testing.assert_allclose(derivative(u), slope, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("surrogate", [SURROGATES["hinge"], SURROGATES["squared_hinge"]], **NAMES)
def test_a_pair_at_its_margin_pulls_at_nothing(surrogate):
    at_margin = np.zeros(1)
    assert [float(k(at_margin)[0]) for k in (surrogate.value, surrogate.first, surrogate.second)] == [0, 0, 0]


@pytest.mark.parametrize("limits", [(-1.3, 1.3), (-8.0, 2.0), (-20.0, 20.0)])
@pytest.mark.parametrize("surrogate", SMOOTH, **NAMES)
def test_curvature_bounds_the_second_differences(surrogate, limits):
    u, step = np.linspace(*limits, 4001), 1e-3
    for k, bound in zip(
        (surrogate.value, surrogate.first, surrogate.second), surrogate.curvature(*limits), strict=True
    ):
        bends = np.abs(k(u + step) - 2 * k(u) + k(u - step)) / step**2
        assert bends.max() <= bound * (1 + 2 * step) + 1e-8


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "degree 0 and no curvature"),
        ({"degree": 3}, "degree 3 and no curvature"),
        ({"degree": 1, "curvature": EXP.curvature}, "degree 1 and a curvature"),
    ],
)
def test_sums_come_in_one_of_two_ways(more, says):
    with pytest.raises(InputError, match=f"surrogate 'own' has {says}; give degree 1 or 2 where"):
        Surrogate(name="own", value=np.exp, first=np.exp, second=np.exp, **more)


# ------------------------------------------------------------------------------ the bound of the grid


def test_bounds_are_of_the_step_and_the_curvature():
    logistic = SURROGATES["logistic"]
    for low, high, step in ((0.0, 1.3, 2**-10), (-500.0, 500.0, 1000 / (2**17 - 2)), (0.0, 1e9, 2**-7)):
        wanted = [step**2 / 4 * bend for bend in (0.25, 0.0963, 0.125)]
        assert logistic_error_bound(low, high) == pytest.approx(wanted, rel=1e-3)
        assert logistic_error_bound(low, high) == grid_error_bound(logistic, low, high)
    assert grid_error_bound(SURROGATES["hinge"], 0.0, 1.3) == (0.0, 0.0, 0.0)
    assert grid_error_bound(EXP, 0.0, 1.3) == pytest.approx([2**-22 * np.exp(1.3)] * 3, rel=1e-2)


@pytest.mark.parametrize("margin", [0.0, 0.3, 5.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("pairs", ["all", "group"])
def test_unbounded_derivatives_on_the_probability_scale(registered, pairs, weighted, margin):
    rng = np.random.default_rng(0)
    n = 280
    z, grade, group = rng.normal(0, 2, n), rng.choice(3, n, p=[0.5, 0.2, 0.3]), rng.integers(0, 9, n)
    group[: n // 2], grade[: n // 4] = 0, 2  # one group has more anchors than are paired one by one
    w = rng.integers(0, 3, n).astype(float) if weighted else None
    loss = PWiseRLoss(weight=2.0, surrogate="exp", pairs=pairs, click_margin=0.1, impression_margin=margin)
    extra = {"group": group, "sample_weight": w}
    total = n if w is None else w.sum()
    of_value, of_first, of_second = (
        1e-9 + 2 * loss.weight * bound for bound in grid_error_bound(EXP, 0.0, 1.0 + max(0.1, margin))
    )

    assert loss.value(z, grade, **extra) == pytest.approx(
        reference.value(loss, z, grade, **extra), abs=of_value
    )
    grad, hess = loss.gradient_hessian(z, grade, **extra)
    expected, true = reference.gradient_and_hessian(loss, z, grade, **extra)
    np.testing.assert_allclose(grad, expected, rtol=1e-9, atol=total * of_first)
    assert (hess > 0).all()
    assert np.linalg.eigvalsh(np.diag(hess) - true).min() >= -total * (of_first + of_second)


@pytest.mark.parametrize("surrogate", ["hinge", "squared_hinge", "logistic"])
def test_bounded_derivatives_go_with_every_scale_and_margin(surrogate):
    for scale in ("probability", "logit"):
        PWiseRLoss(surrogate=surrogate, scale=scale, click_margin=1e6, impression_margin=1e6)


@pytest.mark.parametrize("pairs", ["all", "group"])
def test_unbounded_derivatives_are_refused_on_the_logit_scale(registered, pairs):
    with pytest.raises(InputError, match=r"'exp' has derivatives without bound.*choose scale=.prob"):
        PWiseRLoss(surrogate="exp", scale="logit", pairs=pairs)


@pytest.mark.parametrize("name", ["click_margin", "impression_margin"])
@pytest.mark.parametrize("margin", [13.0, 1e6])
@pytest.mark.filterwarnings("ignore:overflow encountered in exp")
def test_unbounded_derivatives_are_refused_at_large_margins(registered, name, margin):
    PWiseRLoss(surrogate="exp", **{name: 12.0})
    with pytest.raises(
        InputError, match=f"{name} is {re.escape(f'{margin:g}')}, where surrogate .exp. has.* smaller"
    ):
        PWiseRLoss(surrogate="exp", **{name: margin})


def test_an_overflow_is_no_bound_either(monkeypatch):
    def overflow(low, high):
        raise OverflowError("math range error")

    steep = Surrogate(name="steep", value=np.exp, first=np.exp, second=np.exp, curvature=overflow)
    monkeypatch.setitem(SURROGATES, "steep", steep)
    with pytest.raises(InputError, match="derivatives of up to inf"):
        PWiseRLoss(surrogate="steep")
