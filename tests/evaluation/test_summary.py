"""The means of a comparison, their errors and verdicts."""

import math
from dataclasses import replace

import pytest

from gbdt_pwiser.evaluation.summary import costs, summarize


def test_summary_by_hand(results):
    by = {(s.loss, s.metric): s for s in summarize(results)}
    bce, pwiser = by["bce", "ctr_auc"], by["pwiser", "ctr_auc"]
    assert (bce.seeds, bce.mean) == (3, pytest.approx(0.72))
    assert bce.standard_error == pytest.approx(0.02 / math.sqrt(3))  # deviation of .70 .72 .74 is .02
    assert math.isnan(bce.gain)
    # Paired gains .00 .02 .04: mean and deviation .02
    assert pwiser.gain == pytest.approx(0.02)
    assert pwiser.gain_standard_error == pytest.approx(0.02 / math.sqrt(3))
    assert pwiser.verdict == "unclear"
    assert by["pwiser", "pcoc"].verdict == "unclear"  # neither direction is better


@pytest.mark.parametrize(
    ("metric", "shift", "verdict"),
    [
        ("ctr_auc", 0.05, "better"),
        ("ctr_auc", -0.05, "worse"),
        ("ctr_auc", 0.0, "unclear"),
        ("log_loss", 0.05, "worse"),
        ("log_loss", -0.05, "better"),
    ],
)
def test_the_verdict_knows_which_way_is_better(results, metric, shift, verdict):
    rows = [
        replace(
            r,
            metric=metric,
            value=0.5 + 0.125 * r.seed + (r.loss == "pwiser") * (shift + 0.001 * r.seed),
        )
        for r in results
        if r.metric == "ctr_auc"
    ]
    assert summarize(rows)[-1].verdict == verdict


def test_one_seed_has_the_error_of_its_test_sample(results):
    """-2 errors: p is twice the normal tail, .0455, and Holm leaves the only marked cell as it is."""
    one = [
        replace(r, gain_error=0.01, value=0.7 - 0.02 * (r.loss == "pwiser")) for r in results if r.seed == 0
    ]
    pwiser = next(s for s in summarize(one) if s.loss == "pwiser" and s.metric == "ctr_auc")
    assert (pwiser.gain, pwiser.gain_standard_error) == (pytest.approx(-0.02), 0.01)
    assert (pwiser.gain_low, pwiser.gain_high) == (
        pytest.approx(-0.0396, abs=1e-4),
        pytest.approx(-0.0004, abs=1e-4),
    )
    assert pwiser.p_value == pytest.approx(0.0455, abs=1e-4)
    assert pwiser.verdict == "worse"


def test_seeds_and_test_sample_share_the_error(results):
    """Variance of a mean gain: .03 ** 2 of the sample, .02 ** 2 / 3 of the gains .00 .02 .04."""
    tested = [replace(r, gain_error=0.03 if r.loss == "pwiser" else math.nan) for r in results]
    pwiser = next(s for s in summarize(tested) if s.loss == "pwiser" and s.metric == "ctr_auc")
    assert pwiser.gain_standard_error == pytest.approx(math.sqrt(0.03**2 + 0.02**2 / 3))


def test_marks_are_for_the_whole_table(results):
    """One gain with p = .0455 is marked alone, and not as one of two."""
    one = [
        replace(r, gain_error=0.01, value=0.7 - 0.02 * (r.loss == "pwiser")) for r in results if r.seed == 0
    ]
    alone = [r for r in one if r.metric == "ctr_auc"]
    other = [replace(r, metric="log_loss", gain_error=math.nan if r.loss == "bce" else 1.0) for r in alone]
    assert [s.verdict for s in summarize(alone)] == ["unclear", "worse"]
    assert [s.verdict for s in summarize(alone + other)] == ["unclear"] * 4


def test_costs_by_hand(results):
    bce, pwiser = costs(results)
    assert (bce.loss, bce.rounds, bce.size) == ("bce", 101.0, 131.0)
    assert (bce.fit_seconds, bce.predict_seconds) == (2.0, 0.5)
    assert (bce.weight, pwiser.weight) == ("0", "0.01–0.03")
