"""What all metrics keep to: a weight is copies of a row, and what cannot be computed is NaN."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdt_pwiser.metrics import (
    auc,
    ece,
    gauc,
    log_loss,
    normalized_entropy,
    pcoc,
    pr_auc,
    score_quantiles,
)
from tests.metrics.helpers import PROBABILITIES, F, T, scored

WEIGHTED = {
    "auc": lambda p, y, group, w: auc(p, y, sample_weight=w),
    "gauc": lambda p, y, group, w: gauc(p, y, group, sample_weight=w).value,
    "gauc by positives": lambda p, y, group, w: (
        gauc(p, y, group, sample_weight=w, weighting="positives").value
    ),
    "gauc plain": lambda p, y, group, w: gauc(p, y, group, sample_weight=w, weighting="mean").value,
    "pr_auc": lambda p, y, group, w: pr_auc(p, y, sample_weight=w),
    "log_loss": lambda p, y, group, w: log_loss(p, y, sample_weight=w),
    "normalized_entropy": lambda p, y, group, w: normalized_entropy(p, y, sample_weight=w),
    "pcoc": lambda p, y, group, w: pcoc(p, y, sample_weight=w),
    "ece": lambda p, y, group, w: ece(p, y, bins=3, sample_weight=w),
    "quantile": lambda p, y, group, w: score_quantiles(p, 2 * y.astype(np.int8), sample_weight=w)[2, 1],
}


@pytest.mark.parametrize("metric", WEIGHTED.values(), ids=WEIGHTED)
@given(
    data=st.deferred(lambda: scored(values=PROBABILITIES)),
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1.0, 0.3, 1e-9]),
)
def test_weights_are_copies_of_rows_and_their_scale_says_nothing(metric, data, seed, scale):
    p, positive = data[0].astype(np.float64), data[1]
    rng = np.random.default_rng(seed)
    group, copies = rng.integers(0, 3, len(p)), rng.integers(0, 4, len(p))
    copies[:2] = 1, 2
    rows = np.repeat(np.arange(len(p)), copies)
    copied = metric(p[rows], positive[rows], group[rows], None)
    weighted = metric(p, positive, group, copies * scale)
    assert weighted == pytest.approx(copied, rel=1e-9, abs=1e-12, nan_ok=True)
    assert not (metric is WEIGHTED["auc"] and math.isnan(copied))


@pytest.mark.parametrize("positive", [[], [T, T], [F, F]])
def test_without_two_classes_every_ratio_is_nan(positive):
    positive = np.array(positive, dtype=np.bool_)
    p = np.full(len(positive), 0.25)
    assert math.isnan(auc(p, positive))
    assert math.isnan(auc(p, positive, sample_weight=np.ones_like(p)))
    assert gauc(p, positive, np.zeros(len(p), dtype=np.int64))[1:] == (0, min(1, len(p)))
    assert math.isnan(gauc(p, positive, np.zeros(len(p), dtype=np.int64)).value)
    assert math.isnan(normalized_entropy(p, positive))
    assert math.isnan(pr_auc(p, positive)) if not positive.any() else pr_auc(p, positive) == 1.0
    assert math.isnan(ece(p, positive)) == (not len(p))
    assert math.isnan(pcoc(p, positive)) == (not positive.any())
