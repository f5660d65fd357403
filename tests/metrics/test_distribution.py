"""Quantiles of scores by grade."""

import numpy as np
import pytest

from gbdt_pwiser.metrics import score_quantiles
from gbdt_pwiser.objectives import InputError


def test_score_quantiles_by_hand():
    score = np.array([0.3, 0.1, 0.2, 0.9, 0.4, 0.5])
    grade = np.array([0, 0, 0, 2, 0, 2], dtype=np.int8)
    got = score_quantiles(score, grade, levels=[0.0, 0.5, 0.51, 1.0])
    np.testing.assert_array_equal(got, [[0.1, 0.2, 0.3, 0.4], [np.nan] * 4, [0.5, 0.5, 0.9, 0.9]])
    heavy = score_quantiles(score, grade, levels=[0.5], sample_weight=np.array([1, 1, 1, 0, 9, 1.0]))
    np.testing.assert_array_equal(heavy[:, 0], [0.4, np.nan, 0.5])
    with pytest.raises(InputError, match=r"levels are \(1\.5,\); give shares between 0 and 1"):
        score_quantiles(score, grade, levels=[1.5])
