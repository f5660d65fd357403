"""The sweep over all pairs, where rows lie between the anchors in every way."""

import numpy as np
import pytest

from gbdt_pwiser.objectives import PWiseRLoss


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
