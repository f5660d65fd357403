"""The loss against its definition, for every surrogate, scale, kind of pairs and weighting."""

import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gbdt_pwiser.objectives import SURROGATES, InputError, PWiseRLoss, logistic_error_bound
from gbdt_pwiser.objectives import _loss as implementation
from gbdt_pwiser.objectives._groups import PAIRED_ONE_BY_ONE
from tests.objectives import reference
from tests.objectives.libraries import LIBRARIES, as_numpy, asarray, require

KINDS = list(product(SURROGATES, ("probability", "logit"), ("all", "group"), ("unweighted", "weighted")))
EXACT = [kind for kind in KINDS if SURROGATES[kind[0]].degree]

scores = st.one_of(
    st.floats(-5, 5),
    st.floats(-50, 50),
    st.sampled_from([-50.0, -1.0, 0.0, 0.25, 50.0]),  # ties
)
rows = st.lists(
    st.tuples(
        scores, st.sampled_from([0, 0, 1, 2]), st.integers(0, 2), st.sampled_from([0.0, 0.5, 1.0, 3.0])
    ),
    min_size=1,
    max_size=14,
).filter(lambda drawn: any(weight for *_, weight in drawn))


def case(kind, data, weight=2.0):
    """A loss and its arguments, from a kind and drawn rows."""
    surrogate, scale, pairs, weighting = kind
    loss = PWiseRLoss(
        weight=weight, surrogate=surrogate, scale=scale, pairs=pairs, click_margin=0.15, impression_margin=0.4
    )
    z, grade, group, w = (np.array(column) for column in zip(*data, strict=True))
    return loss, z, grade, {"group": group, "sample_weight": w if weighting == "weighted" else None}


@pytest.fixture(scope="module", params=LIBRARIES)
def library(request):
    """Each array library that is installed."""
    require(request.param)
    return request.param


def run(library, call, loss, z, grade, **extra):
    """Call the loss with scores of a library; return NumPy arrays; insist on the library's own."""
    raw = asarray(library, z)
    result = getattr(loss, call)(raw, grade, **extra)
    if call == "value":
        return result
    for array in result:
        assert type(array) is type(raw)
        assert array.dtype == raw.dtype
    return tuple(as_numpy(array) for array in result)


def tolerance(loss, z, of):
    """What the grid of the logistic surrogate may add to 1e-9; its bounds are on one side's mean."""
    if SURROGATES[loss.surrogate].degree:
        return 1e-9
    low, high = (0.0, 1.4) if loss.scale == "probability" else (z.min(), z.max() + 0.4)
    return 1e-9 + 2 * loss.weight * logistic_error_bound(low, high)[of]


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
    monkeypatch.setattr(implementation, "BLOCK", 7)
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


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("scale", ["probability", "logit"])
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


@pytest.mark.parametrize("surrogate", SURROGATES)
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


def test_no_group_with_both_sides_is_bce():
    z, grade = np.array([0.3, 0.1, -0.2]), np.array([2, 0, 1])
    loss = PWiseRLoss(weight=5.0, pairs="group")
    np.testing.assert_array_equal(loss.gradient_hessian(z, grade, group=[0, 1, 2])[0], bce_only(z, grade)[0])


def test_no_rows():
    loss = PWiseRLoss()
    assert loss.value([], []) == 0.0
    assert [array.shape for array in loss.gradient_hessian([], [])] == [(0,), (0,)]


@pytest.mark.parametrize("scale", ["probability", "logit"])
@pytest.mark.parametrize("surrogate", SURROGATES)
def test_scores_of_1e30_give_finite_derivatives(surrogate, scale):
    z, grade = np.array([1e30, -1e30, 0.0, 0.1, -1e30, 1e30]), np.array([2, 2, 2, 0, 1, 0])
    grad, hess = PWiseRLoss(weight=1.0, surrogate=surrogate, scale=scale).gradient_hessian(z, grade)
    assert np.isfinite(grad).all()
    assert np.isfinite(hess).all()
    assert (hess > 0).all()


@pytest.mark.parametrize("surrogate", SURROGATES)
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


def test_a_plan_stands_for_grades():
    rng = np.random.default_rng(8)
    z, grade, w = rng.normal(0, 1, 50), rng.choice(3, 50), rng.random(50)
    loss = PWiseRLoss()
    plan = loss.plan(grade, sample_weight=w)
    np.testing.assert_array_equal(
        loss.gradient_hessian(z, plan)[0], loss.gradient_hessian(z, grade, sample_weight=w)[0]
    )
    assert loss.value(z, plan) == loss.value(z, grade, sample_weight=w)
    with pytest.raises(InputError, match="already in the plan"):
        loss.value(z, plan, sample_weight=w)
    with pytest.raises(InputError, match="made for other pairs"):
        PWiseRLoss(pairs="group").value(z, plan)


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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"grade": [0, 3]}, r"grade 3 in row 1 \(1 such rows\)"),
        ({"grade": [-1, 2]}, "grade -1 in row 0"),
        ({"grade": [0.5, 2.0]}, "grade 0.5 in row 0"),
        ({"grade": [float("nan"), 2.0]}, "grade nan in row 0"),
        ({"grade": [258, 2]}, "grade 258 in row 0"),
        ({"grade": ["a", "b"]}, "grade has type"),
        ({"grade": [[0], [1]]}, "grade has shape"),
        ({"grade": [0, 1, 2]}, r"raw_score has shape \(2,\); give one score per exposure, shape \(3,\)"),
        ({"raw_score": [0.0, float("nan")]}, "raw score is NaN or infinite"),
        ({"raw_score": [float("inf"), -float("inf")]}, "raw score is NaN or infinite"),
        ({"raw_score": [[0.0, 1.0]]}, "raw_score has shape"),
        ({"sample_weight": [1.0]}, "sample_weight has shape"),
        ({"sample_weight": [1.0, -2.0]}, "sample_weight -2.0 in row 1"),
        ({"sample_weight": [float("nan"), 1.0]}, "sample_weight nan in row 0"),
        ({"sample_weight": [0.0, 0.0]}, "every sample_weight is 0"),
    ],
)
@pytest.mark.parametrize("call", ["value", "gradient_hessian"])
def test_bad_input(call, arguments, says):
    good = {"raw_score": [0.0, 1.0], "grade": [2, 0]}
    with pytest.raises(InputError, match=says):
        getattr(PWiseRLoss(), call)(**(good | arguments))


@pytest.mark.parametrize("group", [None, [1], [[1, 2]]])
def test_groups_must_fit(group):
    with pytest.raises(InputError, match="group"):
        PWiseRLoss(pairs="group").value([0.0, 1.0], [2, 0], group=group)


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_memory_beside_inputs_and_outputs_is_below_12_bytes_a_row(surrogate):
    n = 1_000_000
    rng = np.random.default_rng(9)
    z, grade = rng.normal(-3, 1, n), rng.choice(3, n, p=[0.95, 0.04, 0.01]).astype(np.int8)
    loss = PWiseRLoss(surrogate=surrogate)
    plan = loss.plan(grade)
    tracemalloc.start()
    grad, hess = loss.gradient_hessian(z, plan)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A grid, a table and a few blocks are there however many rows there are.
    assert peak - grad.nbytes - hess.nbytes < 12 * n


def test_numpy_may_not_read_the_strict_arrays():
    """What the tests with array_api_strict rest on."""
    with pytest.raises(RuntimeError, match=r"convert array on the .*device1.* to a NumPy array"):
        np.asarray(asarray("array_api_strict", [1.0]))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale", ["probability", "logit"])
def test_rows_that_the_sample_misses(scale, weighted):
    """Most rows share one place among the anchors; a few between the sampled ones do not."""
    n = 3 * 2048
    z, grade = np.zeros(n), np.zeros(n, dtype=np.int8)
    grade[:20], grade[20:60] = 2, 1
    z[:20] = np.linspace(-1, 1, 20)
    z[[100, 1000, 5000]] = [2.0, -2.0, 0.7]  # positions that are no multiple of 3
    w = np.linspace(1, 2, n) if weighted else np.ones(n)
    loss = PWiseRLoss(weight=1.0, scale=scale, impression_margin=0.2)
    s, slope = (z, np.ones(n)) if scale == "logit" else (1 / (1 + np.exp(-z)), None)
    slope = s * (1 - s) if slope is None else slope
    pull = np.zeros(n)
    for kind, margin in ((1, loss.click_margin), (0, loss.impression_margin)):
        anchors, opponents = np.flatnonzero(grade == 2), np.flatnonzero(grade == kind)
        pair = np.outer(w[anchors], w[opponents]) * (s[opponents] + margin > s[anchors, None])
        total = w[anchors].sum() * w[opponents].sum()
        pull[anchors] -= pair.sum(1) / total
        pull[opponents] += pair.sum(0) / total
    expected = w * (1 / (1 + np.exp(-z)) - (grade > 0)) + w.sum() * pull * slope
    grad, _ = loss.gradient_hessian(z, grade, sample_weight=w if weighted else None)
    np.testing.assert_allclose(grad, expected, rtol=1e-9, atol=1e-12)


def test_grades_groups_and_weights_of_any_library(library):
    z, grade, group, w = [0.3, -0.1, 0.2, 0.0], [2, 0, 1, 0], [1, 1, 1, 2], [1.0, 2.0, 0.5, 1.0]
    if library == "array_api_strict":
        pytest.skip("its arrays lie where NumPy may not read, and a plan is made by NumPy")
    loss = PWiseRLoss(weight=1.0, pairs="group")
    expected, _ = loss.gradient_hessian(z, grade, group=group, sample_weight=w)
    got, _ = run(
        library,
        "gradient_hessian",
        loss,
        z,
        asarray(library, grade),
        group=asarray(library, group),
        sample_weight=asarray(library, w),
    )
    np.testing.assert_allclose(got, expected, rtol=1e-12)
