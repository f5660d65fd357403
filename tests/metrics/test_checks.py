"""What every metric refuses."""

import numpy as np
import pytest

from gbdt_pwiser.metrics import auc, gauc, log_loss, pcoc
from gbdt_pwiser.objectives import InputError
from tests.metrics.helpers import F, T


def test_arrays_that_break_a_rule_are_refused():
    score, positive, group = np.array([0.1, 0.2]), np.array([F, T]), np.array([1, 1])
    with pytest.raises(InputError, match=r"positive has shape .* int64; give bool"):
        gauc(score, positive.astype(np.int64), group)
    with pytest.raises(InputError, match=r"sample_weight has shape \(3,\); give one .* shape \(2,\)"):
        auc(score, positive, sample_weight=np.ones(3))
    with pytest.raises(InputError, match=r"sample_weight -1\.0 in row 0"):
        auc(score, positive, sample_weight=np.array([-1.0, 1.0]))
    with pytest.raises(InputError, match="group has shape"):
        gauc(score, positive, group[:1])
    with pytest.raises(
        InputError, match=r"sample_weight has shape \(3,\); give one per exposure, shape \(2,\)"
    ):
        log_loss(score, positive, sample_weight=np.ones(3))
    with pytest.raises(InputError, match="negative or not finite"):
        pcoc(score, positive, sample_weight=np.array([np.inf, 1.0]))
    with pytest.raises(InputError, match="group has type float64; give integer ids"):
        gauc(score, positive, score)
