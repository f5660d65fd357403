"""What a report advises of calibration."""

from dataclasses import replace

import pytest

from gbdt_pwiser.report.advice import calibration_notes
from gbdt_pwiser.report.table import format_table


@pytest.mark.parametrize(
    ("bce", "pwiser", "advised"), [(1.0, 1.1, True), (1.1, 1.1, False), (1.0, 1.01, False), (None, 1.1, True)]
)
def test_calibration_is_advised_where_the_loss_moved_pcoc(results, bce, pwiser, advised):
    pcoc = {"bce": bce, "pwiser": pwiser}
    rows = [
        replace(r, value=pcoc[r.loss]) for r in results if r.metric == "pcoc" and pcoc[r.loss] is not None
    ]
    says = "lightgbm pwiser: PCOC on validation is 1.100; calibrate for bids (--calibrate isotonic)."
    assert (format_table(rows).splitlines()[-1] == says) == advised


AFTER = {
    ("bce", "pcoc"): 1.01,
    ("pwiser", "pcoc"): 0.99,
    ("bce", "normalized_entropy"): 0.800,
    ("pwiser", "normalized_entropy"): 0.803,
}


def calibrated(results, changes):
    """Results before isotonic calibration, off by a lot, and after it, as AFTER says but for the changes."""
    values = AFTER | changes
    one = [r for r in results if r.metric == "pcoc" and r.seed == 0 and r.split == "test"]
    before = [replace(r, metric=metric, value=2.0) for r in one for metric in ("pcoc", "normalized_entropy")]
    after = [replace(r, split="test_isotonic", value=values[r.loss, r.metric]) for r in before]
    return before + after


@pytest.mark.parametrize(
    ("changes", "notes"),
    [
        ({}, ["every PCOC is within 2% of 1, and every normalized entropy within 0.5% of bce's."]),
        ({("bce", "pcoc"): 0.95}, ["lightgbm bce: PCOC is 0.950, off 1 by 5.0%."]),
        (
            {("pwiser", "pcoc"): 1.03, ("pwiser", "normalized_entropy"): 0.808},
            [
                "lightgbm pwiser: PCOC is 1.030, off 1 by 3.0%.",
                "lightgbm pwiser: normalized entropy is 0.8080, 1.0% above bce's 0.8000.",
            ],
        ),
        (
            {("pwiser", "normalized_entropy"): 0.792},
            ["lightgbm pwiser: normalized entropy is 0.7920, 1.0% below bce's 0.8000."],
        ),
    ],
)
def test_what_calibration_left_over_is_said(results, changes, notes):
    found = calibration_notes(calibrated(results, changes))
    assert found == [f"After isotonic calibration {note}" for note in notes]
