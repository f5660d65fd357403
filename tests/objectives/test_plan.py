"""Plans, and the grades, groups, weights and scores that a loss takes and refuses."""

import numpy as np
import pytest

from gbdt_pwiser.objectives import InputError, PWiseRLoss
from tests.objectives.cases import run
from tests.objectives.libraries import asarray


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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"grade": [0, 4]}, r"grade 4 in row 1 \(1 such rows\)"),
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
