"""Types, sizes and libraries of the scores, and the memory that they take."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings

from gbdt_pwiser.objectives import SURROGATES, InputError, PWiseRLoss
from tests.objectives.cases import KINDS, SURROGATES_AND_SCALES, case, rows, run
from tests.objectives.libraries import as_numpy, asarray


@pytest.mark.parametrize(("surrogate", "scale"), SURROGATES_AND_SCALES)
def test_scores_of_1e30_give_finite_derivatives(surrogate, scale):
    z, grade = np.array([1e30, -1e30, 0.0, 0.1, -1e30, 1e30]), np.array([2, 2, 2, 0, 1, 0])
    grad, hess = PWiseRLoss(weight=1.0, surrogate=surrogate, scale=scale).gradient_hessian(z, grade)
    assert np.isfinite(grad).all()
    assert np.isfinite(hess).all()
    assert (hess > 0).all()


@pytest.mark.parametrize("surrogate", [name for name, scale in SURROGATES_AND_SCALES if scale == "logit"])
def test_an_outlier_leaves_the_other_rows_alone(surrogate):
    """An opponent at -1e30 violates nothing, so it adds to the number of pairs and to nothing else."""
    rng = np.random.default_rng(5)
    z, grade = rng.normal(0, 1, 300), rng.choice(3, 300)
    grade[0] = 0
    far = z.copy()
    far[0] = -500.0
    lost = z.copy()
    lost[0] = -1e30
    loss = PWiseRLoss(weight=1.0, surrogate=surrogate, scale="logit")
    np.testing.assert_allclose(
        loss.gradient_hessian(lost, grade)[0], loss.gradient_hessian(far, grade)[0], atol=1e-6
    )


def test_float32_scores_give_float32_derivatives():
    rng = np.random.default_rng(6)
    z, grade = rng.normal(-2, 1, 1000).astype(np.float32), rng.choice(3, 1000)
    single, double = (PWiseRLoss().gradient_hessian(z.astype(t), grade) for t in (np.float32, np.float64))
    for one, other in zip(single, double, strict=True):
        assert (one.dtype, other.dtype) == (np.float32, np.float64)
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@settings(max_examples=8)
@given(data=rows)
def test_float32_is_asked_for_of_float64_scores(library, kind, data):
    """Row by row in float32, but pairs decided on the scores as given: no pair changes sides."""
    loss, z, grade, extra = case(kind, data)
    exact = run(library, "gradient_hessian", loss, z, grade, **extra)
    raw = asarray(library, z)
    single = loss.gradient_hessian(raw, grade, **extra, dtype="float32")
    total = len(z) if extra["sample_weight"] is None else extra["sample_weight"].sum()
    for got, expected in zip(single, exact, strict=True):
        assert str(got.dtype).endswith("float32")
        # The scores themselves are rounded, by 6e-8 of up to 50.
        np.testing.assert_allclose(as_numpy(got), expected, rtol=2e-5, atol=total * loss.weight * 2e-5)


def test_dtype_must_be_known():
    with pytest.raises(InputError, match="dtype is 'float16'; choose float32 or float64"):
        PWiseRLoss().gradient_hessian([0.0], [0], dtype="float16")


@pytest.mark.parametrize("margin", [0.0, 0.25])
@pytest.mark.parametrize("scale", ["probability", "logit"])
def test_scores_that_float32_cannot_tell_apart(scale, margin):
    """An anchor a hair above its opponents violates nothing, whatever type the result has."""
    z = np.full(100, 1.0)
    grade = np.zeros(100, dtype=np.int8)
    grade[0] = 2
    s = 1 / (1 + np.exp(-z[0])) if scale == "probability" else z[0]
    above = s + margin + 1e-12
    z[0] = np.log(above / (1 - above)) if scale == "probability" else above
    loss = PWiseRLoss(weight=1.0, scale=scale, impression_margin=margin)
    for dtype in ("float32", "float64"):
        pushed = loss.gradient_hessian(z, grade, dtype=dtype)[0]
        alone = PWiseRLoss(weight=0).gradient_hessian(z, grade, dtype=dtype)[0]
        np.testing.assert_allclose(pushed, alone, rtol=1e-6)
        z_below = z.copy()
        z_below[0] -= 1e-9
        assert loss.gradient_hessian(z_below, grade, dtype=dtype)[0][0] < alone[0] - 1


@pytest.mark.parametrize("score_type", [np.int64, np.float16])
def test_other_number_types_are_taken_as_float64(score_type):
    z, grade = np.array([1, 0, -2]), np.array([2, 1, 0])
    grad, _ = PWiseRLoss().gradient_hessian(z.astype(score_type), grade)
    np.testing.assert_array_equal(grad, PWiseRLoss().gradient_hessian(z.astype(float), grade)[0])


def test_inputs_are_not_changed():
    rng = np.random.default_rng(7)
    z, grade, w = rng.normal(0, 1, 50), rng.choice(3, 50), rng.random(50)
    before = z.copy(), grade.copy(), w.copy()
    PWiseRLoss(surrogate="squared_hinge").gradient_hessian(z, grade, sample_weight=w)
    for array, copy in zip((z, grade, w), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("surrogate", SURROGATES)
def test_memory_beside_inputs_and_outputs_is_a_few_blocks_for_each_thread(surrogate, threads):
    n = 1_000_000
    rng = np.random.default_rng(9)
    z, grade = rng.normal(-3, 1, n), rng.choice(3, n, p=[0.95, 0.04, 0.01]).astype(np.int8)
    loss = PWiseRLoss(surrogate=surrogate, threads=threads)
    plan = loss.plan(grade)
    tracemalloc.start()
    grad, hess = loss.gradient_hessian(z, plan)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A grid, a table and a few blocks are there however many rows there are.
    assert peak - grad.nbytes - hess.nbytes < 12_000_000 * threads


def test_numpy_may_not_read_the_strict_arrays():
    """What the tests with array_api_strict rest on."""
    with pytest.raises(RuntimeError, match=r"convert array on the .*device1.* to a NumPy array"):
        np.asarray(asarray("array_api_strict", [1.0]))
