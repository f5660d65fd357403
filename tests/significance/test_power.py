"""The gain that a test can show: against errors of AUCs that are drawn, and the power that was asked for."""

import math

import numpy as np
import pytest
from scipy.special import ndtri

from gbdt_pwiser.objectives import InputError, auc
from gbdt_pwiser.significance import delong
from gbdt_pwiser.significance.power import detectable_gain

REACH = ndtri(0.975) + ndtri(0.8)


def draws(rng, positives, negatives, gain=0.0, *, auc_of=0.7, shared=0.9):
    """Labels and two scores whose errors are shared in part; the second one's AUC is higher by the gain."""
    positive = np.repeat([True, False], [positives, negatives])
    common = rng.normal(size=len(positive))
    scores = []
    for value in (auc_of, auc_of + gain):
        noise = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.normal(size=len(positive))
        scores.append(noise + positive * math.sqrt(2) * ndtri(value))
    return positive, *scores


@pytest.mark.parametrize(
    ("positives", "negatives", "auc_of"), [(80, 800, 0.7), (300, 300, 0.7), (80, 800, 0.6)]
)
def test_the_error_is_that_of_drawn_samples(positives, negatives, auc_of):
    rng = np.random.default_rng(0)
    drawn = [draws(rng, positives, negatives, auc_of=auc_of) for _ in range(1000)]
    values = np.array([[auc(score, positive) for score in scores] for positive, *scores in drawn])
    correlation = np.corrcoef(values.T)[0, 1]
    found = detectable_gain(positives, negatives, auc=auc_of, correlation=correlation) / REACH
    assert found == pytest.approx(np.std(values[:, 1] - values[:, 0]), rel=0.08)


def test_a_gain_of_that_size_is_found_four_times_in_five():
    rng = np.random.default_rng(1)
    values = np.array(
        [[auc(s, p) for s in scores] for p, *scores in (draws(rng, 200, 2000) for _ in range(600))]
    )
    gain = detectable_gain(200, 2000, correlation=np.corrcoef(values.T)[0, 1])
    found = [delong(p, b, a).p_value < 0.05 for p, a, b in (draws(rng, 200, 2000, gain) for _ in range(400))]
    assert 0.73 < np.mean(found) < 0.88


def test_more_conversions_show_smaller_gains():
    gains = [detectable_gain(n, 100_000) for n in (10, 100, 1000, 10_000)]
    assert gains == sorted(gains, reverse=True)
    assert gains[1] / gains[2] == pytest.approx(math.sqrt(10), rel=0.02)  # the rarer class decides
    assert detectable_gain(100, 900, correlation=0.98) == pytest.approx(
        detectable_gain(100, 900, correlation=0.92) / 2
    )


@pytest.mark.parametrize(("positives", "negatives"), [(0, 100), (1, 100), (100, 1), (0, 0)])
def test_one_class(positives, negatives):
    assert math.isnan(detectable_gain(positives, negatives))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"auc": 1.0}, "auc is 1.0; give a number between 0 and 1"),
        ({"power": 0}, "power is 0; give a number between 0 and 1"),
        ({"correlation": 1.0}, "correlation is 1.0; give a number from 0 to below 1"),
        ({"correlation": math.nan}, "correlation is nan"),
    ],
)
def test_refused(options, message):
    with pytest.raises(InputError, match=message):
        detectable_gain(10, 10, **options)
