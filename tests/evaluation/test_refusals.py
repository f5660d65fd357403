"""What cannot be compared, refused before anything is trained."""

import pytest

from gbdt_pwiser.evaluation import compare
from gbdt_pwiser.objectives import InputError
from tests.evaluation.written import answers, compared


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": []}, "no model to compare; name at least one"),
        ({"losses": []}, "no loss to compare"),
        ({"seeds": []}, "no seed to compare"),
        ({"weights": []}, "no weight to try; give at least one"),
        ({"models": ["a", "b", "a"]}, "a model is named twice in a, b, a; name each once"),
        ({"losses": ["bce", "bce"]}, "a loss is named twice in bce, bce"),
        ({"seeds": [1, 2, 1]}, "a seed is named twice in 1, 2, 1"),
        ({"weights": [0.1, 1.0, 0.1]}, r"a weight of pwiser is named twice in 0\.1, 1, 0\.1"),
        ({"models": ["a", "c"]}, "unknown model 'c'"),
        ({"losses": ["bce", "hinge"]}, "unknown loss 'hinge'"),
        ({"weights": [0.1, -1.0]}, r"weight is -1\.0; give a finite number of at least 0"),
        ({"weights": [0.1, float("nan")]}, "weight is nan"),
        ({"choose_by": "auc"}, "unknown metric 'auc'"),
        ({"choose_by": "pcoc"}, "cannot choose by 'pcoc'"),
        ({"choose_by": "gauc_left_out"}, "cannot choose by 'gauc_left_out'"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_trained(dataset, written, options, message):
    events = written()
    with pytest.raises(InputError, match=message):
        compared(dataset, **options)
    assert events == []


@pytest.mark.parametrize("replicates", [-3, 1, 10**9])
def test_a_bootstrap_that_cannot_be_is_refused_before_training(dataset, written, replicates):
    events = written(answers)
    with pytest.raises(InputError, match=f"replicates is {replicates}; give "):
        compare(dataset, models=["a"], losses=["bce", "pwiser"], seeds=[0], replicates=replicates)
    assert events == []
