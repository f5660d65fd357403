"""The loss against its definition, for every surrogate, scale, kind of pairs and weighting."""

import numpy as np
import pytest
from hypothesis import assume, example, given, settings

from gbdt_pwiser.objectives import SURROGATES, InputError, PWiseRLoss, _block
from tests.objectives import reference
from tests.objectives.cases import EXACT, KINDS, case, rows, run, tolerance


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@settings(max_examples=12)
@given(data=rows)
def test_value_is_the_double_loop(library, kind, data):
    loss, z, grade, extra = case(kind, data)
    expected = reference.value(loss, z, grade, **extra)
    value = run(library, "value", loss, z, grade, **extra)
    assert value == pytest.approx(expected, rel=1e-12, abs=tolerance(loss, z, of=0))


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@settings(max_examples=15)
@given(data=rows)
@example(data=[(0.0, 2, 0, 1.0)])
@example(data=[(0.0, 2, 0, 1.0), (0.0, 0, 1, 1.0)])
@example(data=[(1.0, 1, 0, 1.0)] * 3)
@example(data=[(50.0, 0, 0, 1.0), (-50.0, 2, 0, 3.0), (-50.0, 2, 0, 1.0), (50.0, 1, 0, 0.5)])
def test_gradient_is_the_double_loop(library, kind, data):
    loss, z, grade, extra = case(kind, data)
    expected, _ = reference.gradient_and_hessian(loss, z, grade, **extra)
    grad, _ = run(library, "gradient_hessian", loss, z, grade, **extra)
    total = len(z) if extra["sample_weight"] is None else extra["sample_weight"].sum()
    np.testing.assert_allclose(grad, expected, rtol=1e-9, atol=total * tolerance(loss, z, of=1))


@pytest.mark.parametrize("kind", EXACT, ids="-".join)
@given(data=rows)
def test_gradient_is_the_central_difference_of_value(kind, data):
    loss, z, grade, extra = case(kind, data)
    step = 1e-5
    w = np.ones(len(z)) if extra["sample_weight"] is None else extra["sample_weight"]
    # A difference across a kink of the hinge says nothing of either side.
    pairs = list(reference.pairs_of(loss, z, grade, extra["group"], w))
    assume(loss.surrogate != "hinge" or all(abs(u) > 3 * step for _, _, u, _ in pairs))
    grad, _ = loss.gradient_hessian(z, grade, **extra)
    # Rounding of a value of a thousand is a thousand times that of 1.
    rounding = 1e-6 * max(1.0, np.abs(grad).max())
    for i, direction in enumerate(np.eye(len(z)) * step):
        up, down = (loss.value(z + sign * direction, grade, **extra) for sign in (1, -1))
        assert grad[i] == pytest.approx(w.sum() * (up - down) / (2 * step), rel=1e-6, abs=rounding)


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@settings(max_examples=12)
@given(data=rows)
def test_hessian_is_positive_and_dominates_the_true_one(library, kind, data):
    loss, z, grade, extra = case(kind, data)
    _, true = reference.gradient_and_hessian(loss, z, grade, **extra)
    _, hess = run(library, "gradient_hessian", loss, z, grade, **extra)
    total = len(z) if extra["sample_weight"] is None else extra["sample_weight"].sum()
    slack = 1e-9 * max(1.0, np.abs(true).max()) + total * max(
        tolerance(loss, z, of=2), tolerance(loss, z, of=1)
    )
    assert (hess > 0).all()
    assert (hess >= np.diag(true) - slack).all()
    assert np.linalg.eigvalsh(np.diag(hess) - true).min() >= -slack * len(z)


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_blocks_do_not_change_the_result(kind, monkeypatch):
    rng = np.random.default_rng(1)
    data = zip(
        rng.normal(-1, 2, 500),
        rng.choice(3, 500, p=[0.7, 0.2, 0.1]),
        rng.integers(0, 40, 500),
        rng.random(500),
        strict=True,
    )
    loss, z, grade, extra = case(kind, data)
    whole = (*loss.gradient_hessian(z, grade, **extra), loss.value(z, grade, **extra))
    monkeypatch.setattr(_block, "BLOCK", 7)
    for one, other in zip(
        (*loss.gradient_hessian(z, grade, **extra), loss.value(z, grade, **extra)), whole, strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_order_of_rows_does_not_matter_and_repeats_are_weights(kind):
    rng = np.random.default_rng(2)
    n = 200
    repeats = rng.integers(1, 4, n)
    data = list(
        zip(
            rng.normal(-1, 2, n),
            rng.choice(3, n, p=[0.6, 0.2, 0.2]),
            rng.integers(0, 9, n),
            repeats.astype(float),
            strict=True,
        )
    )
    loss, z, grade, extra = case(kind, data)
    grad, hess = loss.gradient_hessian(z, grade, **extra)

    order = rng.permutation(n)
    shuffled = {name: None if array is None else array[order] for name, array in extra.items()}
    for got, expected in zip(
        loss.gradient_hessian(z[order], grade[order], **shuffled), (grad, hess), strict=True
    ):
        np.testing.assert_allclose(got, expected[order], rtol=1e-9, atol=1e-9)

    if extra["sample_weight"] is not None:
        repeated = loss.gradient_hessian(
            z.repeat(repeats), grade.repeat(repeats), group=extra["group"].repeat(repeats)
        )
        first = np.cumsum(repeats) - repeats
        np.testing.assert_allclose(grad, np.add.reduceat(repeated[0], first), rtol=1e-9, atol=1e-9)
        assert loss.value(z, grade, **extra) == pytest.approx(
            loss.value(z.repeat(repeats), grade.repeat(repeats), group=extra["group"].repeat(repeats)),
            abs=1e-7,
        )


def bce_only(z, grade):
    return PWiseRLoss(weight=0.0).gradient_hessian(z, grade)


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("pairs", ["all", "group"])
@pytest.mark.parametrize(
    ("grade", "group"),
    [
        ([0, 1, 0, 1], [0, 0, 0, 0]),
        ([2, 2, 2, 2], [0, 0, 0, 0]),
        ([1], [0]),
        ([2], [0]),
        ([0, 0, 0, 0], [1, 2, 3, 4]),
    ],
    ids=["no anchor", "no opponent", "one opponent", "one anchor", "unclicked only"],
)
def test_without_pairs_it_is_bce(surrogate, pairs, grade, group):
    z = np.linspace(-1, 2, len(grade))
    loss = PWiseRLoss(weight=5.0, surrogate=surrogate, pairs=pairs)
    for one, other in zip(loss.gradient_hessian(z, grade, group=group), bce_only(z, grade), strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_rows():
    loss = PWiseRLoss()
    assert loss.value([], []) == 0.0
    assert [array.shape for array in loss.gradient_hessian([], [])] == [(0,), (0,)]


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"weight": -0.1}, "weight is -0.1"),
        ({"weight": float("nan")}, "weight is nan"),
        ({"weight": "0.1"}, "weight is '0.1'"),
        ({"weight": True}, "weight is True"),
        ({"click_margin": -1}, "click_margin is -1"),
        ({"impression_margin": float("inf")}, "impression_margin is inf"),
        (
            {"surrogate": "hing"},
            "did you mean hinge..; choose one of hinge, squared_hinge, logistic",
        ),
        ({"surrogate": []}, "unknown surrogate"),
        ({"scale": "log"}, "unknown scale 'log' .did you mean logit..; choose one of probability, logit"),
        ({"pairs": "user"}, "unknown pairs 'user'; choose one of all, group"),
    ],
)
def test_bad_parameters(parameters, says):
    with pytest.raises(InputError, match=says.replace("(", r"\(")):
        PWiseRLoss(**parameters)
