"""The test of every metric's gain, against the metric itself under weights."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.metrics import METRICS, evaluate, gauc, log_loss, normalized_entropy, pcoc, pr_auc
from gbdt_pwiser.metrics.probability import equal_mass_bins
from gbdt_pwiser.models import Predictions
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.significance.intervals import delong, group_bootstrap
from gbdt_pwiser.significance.paired import paired_tests


@pytest.fixture(scope="module")
def two_predictions():
    rng = np.random.default_rng(5)
    group = np.repeat(rng.permutation(60), 8)
    meant = rng.normal(size=480)
    draw = rng.random(480)
    grade = (draw < 1 / (1 + np.exp(1 - meant))).astype(np.int8) + (draw < 0.3 / (1 + np.exp(1 - meant)))
    exposures = Exposures(
        name="simulated",
        features=pl.DataFrame({"x": meant.astype(np.float32)}),
        grade=grade.astype(np.int8),
        group=group,
        noise_free_click=meant > 0.5,
    )

    def predictions(noise):
        pctr = 1 / (1 + np.exp(1 - meant - noise * rng.normal(size=480)))
        return Predictions(pctr=np.round(pctr, 2), pctcvr=np.round(pctr, 2) * np.round(rng.random(480), 1))

    return exposures, predictions(0.3), predictions(1.0)


def test_every_metric_gets_the_test_that_fits_it(two_predictions):
    exposures, ours, baseline = two_predictions
    tests = paired_tests(exposures, ours, baseline, replicates=60, seed=7)
    values, base = (evaluate(exposures, p.pctr, p.pctcvr) for p in (ours, baseline))
    undisputed = {f"median_pctr_{grade}" for grade in ("impression", "click", "conversion")}
    assert list(tests) == [
        name for name, m in METRICS.items() if name not in undisputed and m.family != "coverage"
    ]
    for name, test in tests.items():
        assert test.gain == pytest.approx(values[name] - base[name], abs=1e-12), name
        assert test.method == (
            "DeLong, by group" if name.endswith("_auc") and "pr" not in name else "bootstrap by group"
        )
    assert tests["ctr_auc"] == delong(exposures.click, ours.pctr, baseline.pctr, group=exposures.group)
    assert tests["conversion_auc"] == delong(
        exposures.conversion, ours.pctr, baseline.pctr, group=exposures.group
    )
    assert tests["ctr_auc"].p_value < 0.05 < tests["cvr_auc"].p_value


PLAIN = {
    "log_loss": lambda e, p, w: log_loss(p.pctr, e.click, sample_weight=w),
    "normalized_entropy": lambda e, p, w: normalized_entropy(p.pctr, e.click, sample_weight=w),
    "pcoc": lambda e, p, w: pcoc(p.pctr, e.click, sample_weight=w),
    "gauc": lambda e, p, w: gauc(p.pctr, e.click, e.group, sample_weight=w).value,
    "conversion_gauc": lambda e, p, w: gauc(p.pctr, e.conversion, e.group, sample_weight=w).value,
    "gauc_positives": lambda e, p, w: (
        gauc(p.pctr, e.click, e.group, sample_weight=w, weighting="positives").value
    ),
    "ctr_pr_auc": lambda e, p, w: pr_auc(p.pctr, e.click, sample_weight=w),
    "ctcvr_pr_auc": lambda e, p, w: pr_auc(p.pctcvr, e.conversion, sample_weight=w),
}


def test_what_is_prepared_once_is_the_weighted_metric(two_predictions):
    exposures, ours, baseline = two_predictions
    tests = paired_tests(exposures, ours, baseline, replicates=60, seed=7)
    for name, metric in PLAIN.items():
        again = group_bootstrap(
            lambda w, m=metric: m(exposures, ours, w) - m(exposures, baseline, w),
            exposures.group,
            replicates=60,
            seed=7,
        )
        assert tests[name].standard_error == pytest.approx(again.standard_error, rel=1e-9), name


def test_ece_keeps_the_bins_of_the_sample(two_predictions):
    exposures, ours, baseline = two_predictions

    def in_fixed_bins(p):
        rows, bin_of = equal_mass_bins(p, 20)
        surplus = [(p - exposures.click)[rows[bin_of == b]] for b in range(20)]
        members = [rows[bin_of == b] for b in range(20)]
        return lambda w: sum(abs(w[m] @ s) for m, s in zip(members, surplus, strict=True)) / w.sum()

    a, b = in_fixed_bins(ours.pctr), in_fixed_bins(baseline.pctr)
    again = group_bootstrap(lambda w: a(w) - b(w), exposures.group, replicates=60, seed=7)
    tests = paired_tests(exposures, ours, baseline, replicates=60, seed=7)
    assert tests["ece"].gain == pytest.approx(again.gain, abs=1e-14)
    assert tests["ece"].standard_error == pytest.approx(again.standard_error, rel=1e-9)


def test_without_groups_rows_are_drawn_and_identical_predictions_do_not_differ(two_predictions):
    exposures, ours, _ = two_predictions
    alone = Exposures(name="rows", features=exposures.features, grade=exposures.grade)
    tests = paired_tests(alone, ours, ours, replicates=20)
    assert "gauc" not in tests
    assert "noise_free_ctr_auc" not in tests
    assert {(t.gain, t.standard_error, t.p_value) for t in tests.values()} == {(0.0, 0.0, 1.0)}
    assert tests["ctr_auc"].method == "DeLong"


def test_a_prediction_that_is_no_probability_is_refused(two_predictions):
    exposures, ours, _ = two_predictions
    for pctr, says in (
        (ours.pctr[1:], r"pctr has shape \(479,\); give one per exposure, shape \(480,\)"),
        (ours.pctr + 1.5, r"pctr runs from 1\.\d+ to 2\.\d+; a probability lies in \[0, 1\]"),
    ):
        wrong = SimpleNamespace(pctr=pctr, pctcvr=ours.pctcvr, pcvr=ours.pcvr)
        for pair in ((wrong, ours), (ours, wrong)):
            with pytest.raises(InputError, match=says):
                paired_tests(exposures, *pair, replicates=2)
