"""Calibration of the pCTR, isotonic and sigmoid."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from gbdt_pwiser.calibration import CALIBRATIONS, Calibrator, calibration_report
from gbdt_pwiser.metrics import auc, ece, log_loss, normalized_entropy, pcoc
from gbdt_pwiser.objectives import InputError

F, T = False, True
FITTED = ("isotonic", "sigmoid")


def distorted(seed, *, rows=20_000):
    """Clicks at rate q, and a prediction that lies about q monotonically."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-2.5, 1.0, rows)
    return expit(1.6 * log_odds + 1.5), rng.random(rows) < expit(log_odds)


@pytest.mark.parametrize("method", FITTED)
def test_a_monotone_lie_is_undone_on_exposures_not_fitted_on(method):
    calibrator = Calibrator.fit(method, *distorted(0))
    p, click = distorted(1)
    assert abs(pcoc(p, click) - 1) > 0.2
    calibrated = calibrator(p)
    assert pcoc(calibrated, click) == pytest.approx(1.0, abs=0.05)
    assert ece(calibrated, click) < ece(p, click) / 4
    assert normalized_entropy(calibrated, click) < normalized_entropy(p, click)
    assert auc(calibrated, click) == pytest.approx(auc(p, click), abs=0.002)


def test_the_sigmoid_finds_the_two_parameters_of_the_lie():
    calibrator = Calibrator.fit("sigmoid", *distorted(0, rows=200_000))
    assert calibrator.slope == pytest.approx(1 / 1.6, rel=0.03)
    assert calibrator.intercept == pytest.approx(-1.5 / 1.6, rel=0.03)


@pytest.mark.parametrize("method", FITTED)
def test_the_mean_over_the_exposures_fitted_on_is_their_click_rate(method):
    p, click = distorted(2)
    weight = np.random.default_rng(0).uniform(0.0, 2.0, len(p))
    # Isotonic misses it by the imagined exposures at its ends.
    assert pcoc(Calibrator.fit(method, p, click)(p), click) == pytest.approx(1.0, abs=5e-4)
    weighted = Calibrator.fit(method, p, click, sample_weight=weight)
    assert pcoc(weighted(p), click, sample_weight=weight) == pytest.approx(1.0, abs=5e-4)
    assert weighted != Calibrator.fit(method, p, click)


def test_the_isotonic_map_is_scikit_learns_but_for_0_and_1():
    p, click = distorted(3, rows=3000)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(p, click).predict(p)
    ours = Calibrator.fit("isotonic", p, click)(p)
    inside = (theirs > 0) & (theirs < 1)
    np.testing.assert_allclose(ours[inside], theirs[inside], rtol=1e-12)
    assert 0 < ours.min() <= ours[inside].min()
    assert ours[inside].max() <= ours.max() < 1


def test_isotonic_by_hand():
    p = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    click = np.array([F, F, T, F, F, T])
    # Blocks: no click in 2; 1 of 3; 1 of 1. Base rate 1/3: 0 becomes (1/3) / 3, 1 becomes 1 - (2/3) / 2.
    calibrated = Calibrator.fit("isotonic", p, click)
    np.testing.assert_allclose(calibrated(p), [1 / 9, 1 / 9, 1 / 3, 1 / 3, 1 / 3, 2 / 3], rtol=1e-12)
    np.testing.assert_allclose(calibrated([0.0, 0.25, 1.0]), [1 / 9, (1 / 9 + 1 / 3) / 2, 2 / 3], rtol=1e-12)
    three = Calibrator.fit("isotonic", p, click, sample_weight=np.full(6, 3.0))  # 0 of 6 exposures, 3 of 3
    np.testing.assert_allclose(three([0.1, 0.6]), [(1 / 3) / 7, 1 - (2 / 3) / 4], rtol=1e-12)


def test_the_imagined_exposure_does_not_turn_the_order_round():
    # No click in the lowest 1, then 1 of 100: the base rate of half of that would be above the next block.
    p = np.concatenate([[0.1], np.full(100, 0.2), np.full(100, 0.3)])
    click = np.concatenate([[F], np.arange(100) < 1, np.arange(100) < 90])
    calibrated = Calibrator.fit("isotonic", p, click)(np.array([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(calibrated, [0.01, 0.01, 0.9], rtol=1e-12)


def test_a_click_where_validation_had_none_costs_no_infinite_loss():
    calibrator = Calibrator.fit("isotonic", np.array([0.1, 0.2, 0.8, 0.9]), np.array([F, F, T, T]))
    assert calibrator([0.1, 0.9]).tolist() == [0.5 / 3, 1 - 0.5 / 3]
    assert log_loss(calibrator([0.0, 1.0]), np.array([T, F])) == pytest.approx(-math.log(0.5 / 3))


@pytest.mark.parametrize("method", FITTED)
def test_a_constant_becomes_the_base_rate(method):
    calibrator = Calibrator.fit(method, np.full(8, 0.3, dtype=np.float32), np.arange(8) < 2)
    assert calibrator(np.full(2, 0.3, dtype=np.float32)) == pytest.approx([0.25, 0.25], rel=1e-12)
    if method == "sigmoid":  # elsewhere it shifts the log-odds and keeps the order
        assert calibrator([0.6])[0] == pytest.approx(expit(logit(0.6) - logit(0.3) + logit(0.25)), rel=1e-6)


def test_a_threshold_that_parts_the_classes_leaves_a_finite_sigmoid():
    calibrator = Calibrator.fit("sigmoid", np.array([0.0, 0.2, 0.8, 1.0]), np.array([F, F, T, T]))
    p = calibrator([0.0, 0.2, 0.8, 1.0])
    assert calibrator.slope > 0
    assert (np.diff(p) >= 0).all()
    assert p[1] < 0.1 < 0.9 < p[2]


@pytest.mark.parametrize("method", CALIBRATIONS)
@given(data=st.data())
def test_any_map_is_monotone_inside_0_and_1_and_survives_json(method, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n = data.draw(st.integers(2, 60))
    p = np.round(rng.random(n), data.draw(st.sampled_from([0, 1, 16]))).astype(
        data.draw(st.sampled_from([np.float32, np.float64]))
    )
    click = rng.random(n) < p.astype(float)
    click[:2] = F, T
    p[:2].sort()
    calibrator = Calibrator.fit(method, p, click)
    grid = np.linspace(0, 1, 101)
    mapped = calibrator(grid)
    assert mapped.dtype == np.float64
    assert ((mapped >= 0) & (mapped <= 1)).all()
    if method == "isotonic":
        assert ((mapped > 0) & (mapped < 1)).all()
    if method != "sigmoid" or calibrator.slope >= 0:
        assert (np.diff(mapped) >= 0).all()
    again = Calibrator.from_dict(json.loads(json.dumps(calibrator.to_dict(), allow_nan=False)))
    assert again == calibrator
    np.testing.assert_array_equal(again(grid), mapped)


def test_none_changes_nothing_and_needs_no_classes():
    p = np.array([[0.0, 0.5], [1.0, 0.25]])
    calibrator = Calibrator.fit("none", p.ravel(), np.zeros(4, dtype=bool))
    assert calibrator == Calibrator()
    assert calibrator(p).tolist() == p.tolist()
    assert calibrator(p) is not p


def test_rows_without_weight_are_not_seen():
    p, click = np.array([0.1, 0.2, 0.3, 0.4]), np.array([F, T, F, T])
    weight = np.array([1.0, 1.0, 1.0, 0.0])
    for method in FITTED:
        seen = Calibrator.fit(method, p[:3], click[:3], sample_weight=weight[:3])
        assert Calibrator.fit(method, p, click, sample_weight=weight) == seen
    with pytest.raises(InputError, match="0 of 2 validation exposures are clicked; calibration needs both"):
        Calibrator.fit("isotonic", p, click, sample_weight=np.array([1.0, 0.0, 1.0, 0.0]))


@pytest.mark.parametrize("method", FITTED)
@pytest.mark.parametrize("click", [[], [T, T], [F, F]])
def test_one_class_is_refused(method, click):
    with pytest.raises(InputError, match="so give more exposures or calibrate by none"):
        Calibrator.fit(method, np.full(len(click), 0.5), np.array(click, dtype=bool))


def test_bad_input_is_refused():
    click = np.array([F, T])
    with pytest.raises(InputError, match="unknown calibration 'beta'; choose one of none, isotonic, sigmoid"):
        Calibrator.fit("beta", np.array([0.1, 0.2]), click)
    for refuse in (lambda p: Calibrator.fit("isotonic", p, click), Calibrator()):
        with pytest.raises(InputError, match=r"probability runs from 0\.1 to 1\.2"):
            refuse(np.array([0.1, 1.2]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"method": "beta"}, "choose one of none"),
        ({"x": []}, "isotonic has 0 x and 2 y"),
        ({"x": [], "y": []}, "isotonic needs knots"),
        ({"method": "sigmoid"}, "no other method does"),
        ({"x": [0.5, 0.2]}, "no ascending map"),
        ({"y": [0.5, 0.2]}, "no ascending map"),
        ({"y": [0.5, 1.2]}, "no ascending map"),
        ({"y": [0.5, math.nan]}, "no ascending map"),
        ({"slope": math.inf}, "must be finite"),
        ({"slope": "steep"}, "is no saved calibration"),
        ({"y": None}, "is no saved calibration"),
        ({"z": 1}, "is no saved calibration"),
    ],
)
def test_what_is_no_saved_calibration_is_refused(change, says):
    saved = Calibrator("isotonic", x=(0.1, 0.4), y=(0.2, 0.2)).to_dict()
    assert Calibrator.from_dict(saved).x == (0.1, 0.4)
    with pytest.raises(InputError, match=says):
        Calibrator.from_dict({**saved, **change})
    with pytest.raises(InputError, match="is no saved calibration"):
        Calibrator.from_dict({"method": "isotonic"})


def test_the_report_measures_both_sides():
    p, click = distorted(4, rows=2000)
    after = Calibrator.fit("isotonic", *distorted(5, rows=2000))(p)
    weight = np.random.default_rng(0).random(2000)
    report = calibration_report(click, p, after, sample_weight=weight)
    for q, side in ((p, report.before), (after, report.after)):
        assert side.pcoc == pcoc(q, click, sample_weight=weight)
        assert side.ece == ece(q, click, sample_weight=weight)
        assert side.normalized_entropy == normalized_entropy(q, click, sample_weight=weight)
        assert side.log_loss == log_loss(q, click, sample_weight=weight)
        assert side.auc == auc(q, click, sample_weight=weight)


@pytest.mark.parametrize(("off", "recommended"), [(1.0, F), (1.019, F), (1.021, T), (0.981, F), (0.979, T)])
def test_calibration_is_recommended_beyond_2_percent(off, recommended):
    click = np.array([T, F, F, F])
    p = np.full(4, 0.25 * off)
    assert calibration_report(click, p, p).recommended == recommended
    assert not calibration_report(np.zeros(4, dtype=bool), p, p).recommended  # PCOC is NaN
