"""Log loss, entropy, PCOC and calibration error."""

import math

import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as sk

from gbdt_pwiser.metrics import ece, log_loss, normalized_entropy, pcoc, reliability
from gbdt_pwiser.objectives import InputError
from tests.metrics.helpers import PROBABILITIES, F, T, scored


def test_ece_by_hand():
    #            bin 1: mean .2, observed 0     bin 2: mean .5, observed 1/2
    p, positive = np.array([0.5, 0.1, 0.5, 0.3]), np.array([F, F, T, F])
    assert ece(p, positive, bins=2) == pytest.approx((2 * 0.2 + 2 * 0.0) / 4, rel=1e-15)
    assert ece(p, positive, bins=1) == pytest.approx(abs(1.4 / 4 - 1 / 4), rel=1e-15)
    assert ece(p, positive, bins=99) == pytest.approx((0.1 + 0.3 + 2 * 0.0) / 4, rel=1e-15)


def test_ties_stay_in_the_bin_of_their_middle():
    # Of six rows in two bins, five tie: their middle is 3.5, past the half; their half would be split at 3.
    p, positive = np.array([0.1, 0.6, 0.6, 0.6, 0.6, 0.6]), np.array([F, F, F, F, T, T])
    curve = reliability(p, positive, bins=2)
    assert curve.weight.tolist() == [1.0, 5.0]
    assert curve.observed.tolist() == [0.0, 2 / 5]
    assert curve.predicted == pytest.approx([0.1, 0.6])
    assert len(reliability(np.full(6, 0.3), positive, bins=2).weight) == 1


def test_bins_without_ties_hold_equally_many():
    p = np.random.default_rng(0).random(1000)
    curve = reliability(p, p > 0.5, bins=20)
    assert curve.weight.tolist() == [50.0] * 20
    assert curve.predicted == pytest.approx(np.sort(p).reshape(20, 50).mean(axis=1), rel=1e-12)
    assert reliability(p, p > 0.5, bins=20, sample_weight=np.full(1000, 0.25)).weight.tolist() == [12.5] * 20


@given(scored(values=PROBABILITIES))
def test_log_loss_is_scikit_learns(data):
    p, positive = data[0].astype(np.float64), data[1]
    assert log_loss(p, positive) == pytest.approx(sk.log_loss(positive, p), rel=1e-12)


def test_log_loss_entropy_and_pcoc_by_hand():
    p, positive = np.array([0.2, 0.4, 0.8]), np.array([F, F, T])
    loss = -(np.log(0.8) + np.log(0.6) + np.log(0.8)) / 3
    assert log_loss(p, positive) == pytest.approx(loss, rel=1e-15)
    entropy = -(np.log(1 / 3) / 3 + 2 * np.log(2 / 3) / 3)
    assert normalized_entropy(p, positive) == pytest.approx(loss / entropy, rel=1e-14)
    assert normalized_entropy(np.full(3, 1 / 3), positive) == pytest.approx(1.0, rel=1e-14)
    assert pcoc(p, positive) == pytest.approx(1.4 / 1, rel=1e-15)
    assert math.isnan(log_loss(p[:0], positive[:0]))


def test_no_bins_are_refused():
    with pytest.raises(InputError, match="bins is 0; give at least 1"):
        ece(np.array([0.1, 0.2]), np.array([F, T]), bins=0)
