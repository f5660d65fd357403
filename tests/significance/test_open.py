"""The test of a gain in a metric of conversions leaves clicks out whose conversion is open."""

import numpy as np
import pytest

from gbdt_pwiser.metrics import METRICS, evaluate
from gbdt_pwiser.models import Predictions
from gbdt_pwiser.significance.paired import paired_tests
from tests.metrics.helpers import make_exposures


def test_tests_are_those_of_the_decided_rows():
    rng = np.random.default_rng(3)
    n = 500
    exposures = make_exposures(rng.choice(4, n, p=[0.4, 0.2, 0.2, 0.2]), group=rng.integers(0, 50, n))
    rest = ~exposures.open
    ours, baseline = (
        Predictions(pctr=rng.random(n), pctcvr=rng.random(n) / 2, pcvr=rng.random(n)) for _ in range(2)
    )

    def part(p):
        return Predictions(pctr=p.pctr[rest], pctcvr=p.pctcvr[rest], pcvr=p.pcvr[rest])

    tests = paired_tests(exposures, ours, baseline, replicates=50)
    of_rest = paired_tests(exposures.take(rest), part(ours), part(baseline), replicates=50)
    values, base = (evaluate(exposures, p.pctr, p.pctcvr, p.pcvr) for p in (ours, baseline))
    assert {"ctcvr_auc", "conversion_gauc", "ndcg@5", "ctr_auc"} <= tests.keys() <= METRICS.keys()
    for name, test in tests.items():
        assert test.gain == pytest.approx(values[name] - base[name], abs=1e-12), name
    for name in ("conversion_auc", "ctcvr_auc", "cvr_auc"):  # of which nothing is drawn
        assert tests[name] == of_rest[name]
    for name in ("conversion_gauc", "ndcg@5", "conversions@5", "ctcvr_pr_auc"):
        assert tests[name] == of_rest[name]  # all groups have rows left, so the draws are the same
    assert tests["ctr_auc"] != of_rest["ctr_auc"]
