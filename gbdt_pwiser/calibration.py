"""Calibration: a monotone map that turns a model's probabilities back into click rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from gbdt_pwiser._sigmoid import fit_sigmoid
from gbdt_pwiser.metrics import auc, ece, log_loss, normalized_entropy, pcoc
from gbdt_pwiser.metrics.checks import Bools, Floats, check_probability, check_weight
from gbdt_pwiser.metrics.probability import CLIP
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import unknown

__all__ = [
    "CALIBRATIONS",
    "RECOMMENDED_BEYOND",
    "CalibrationMetrics",
    "CalibrationReport",
    "Calibrator",
    "calibration_report",
    "check_calibration",
]

Method = Literal["none", "isotonic", "sigmoid"]

CALIBRATIONS: Final[tuple[Method, ...]] = get_args(Method)
"""Names of the methods."""

RECOMMENDED_BEYOND: Final = 0.02
"""Calibration is recommended where PCOC is further than this from 1."""


def check_calibration(method: str) -> None:
    """Raise InputError, naming the known ones, where there is no such method."""
    if method not in CALIBRATIONS:
        raise unknown("calibration", method, CALIBRATIONS)


@dataclass(frozen=True)
class Calibrator:
    """A fitted calibration; call it on probabilities. Make one with `fit`.

    none      p
    sigmoid   1 / (1 + exp(-(slope logit(p) + intercept)))
    isotonic  linear between the knots (x, y), constant outside them

    Parameters
    ----------
    method
        Which of the three.
    slope, intercept
        Of the sigmoid. The slope is positive, so that the order is kept.
    x, y
        Knots of the isotonic map: ascending probabilities and, never descending, what they become.

    Raises
    ------
    InputError
        An unknown method, or knots that are no monotone map.

    Examples
    --------
    >>> p, click = np.array([0.2, 0.4, 0.6, 0.8]), np.array([False, True, False, True])
    >>> Calibrator.fit("isotonic", p, click)([0.4, 0.6]).tolist()
    [0.5, 0.5]
    """

    method: Method = "none"
    slope: float = 1.0
    intercept: float = 0.0
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_calibration(self.method)
        if not (np.isfinite(self.slope) and self.slope > 0 and np.isfinite(self.intercept)):
            raise InputError(
                f"slope is {self.slope} and intercept {self.intercept}; both must be finite and the slope "
                "positive, so fit again"
            )
        x, y = np.array(self.x), np.array(self.y)
        if len(x) != len(y) or (self.method == "isotonic") != bool(len(x)):
            raise InputError(
                f"{self.method} has {len(x)} x and {len(y)} y; isotonic needs knots, one y per x, "
                "and no other method does"
            )
        in_range = ((x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)).all()
        if not (in_range and (np.diff(x) > 0).all() and (np.diff(y) >= 0).all()):
            raise InputError("the knots are no ascending map of [0, 1] into itself; fit again")

    @classmethod
    def fit(
        cls, method: Method, probability: Floats, positive: Bools, *, sample_weight: Floats | None = None
    ) -> Calibrator:
        """Fit on exposures the model was not trained on: the validation split.

        Parameters
        ----------
        method
            "isotonic": the best monotone map by squared error; its mean over these exposures is their click
            rate, but for the two ends (see below). It joins scores into ties, which can cost AUC. "sigmoid":
            Platt's two parameters, logistic regression on the log-odds; keeps the order. "none": the
            identity, which any exposures fit.
        probability
            float (n,), in [0, 1].
        positive
            bool (n,). Both classes must occur.
        sample_weight
            float (n,), at least 0; 1 each where it is missing.

        Returns
        -------
        Calibrator
            For a constant probability, both methods predict the base rate there. Isotonic never predicts 0
            or 1, where one click too many would cost an infinite log loss: its lowest block, where it has no
            click, gets one imagined exposure at the base rate r, hence r / (exposures + 1) or the next
            block's rate if that is less; the highest likewise.

        Raises
        ------
        InputError
            One class only, a shape differs, a weight is negative, or a probability is NaN or outside [0, 1].
        """
        check_probability(probability, positive)
        if method == "none":
            return cls()
        check_calibration(method)
        weight = check_weight(sample_weight, len(positive))
        p, w = probability.astype(np.float64), np.ones(len(positive)) if weight is None else weight
        p, y, w = p[w > 0], positive[w > 0], w[w > 0]
        if not len(y) or y.all() or not y.any():
            raise InputError(
                f"{int(y.sum())} of {len(y)} validation exposures are clicked; calibration needs both "
                "classes, so give more exposures or calibrate by none"
            )
        if method == "isotonic":
            return _fit_isotonic(p, y, w)
        slope, intercept = fit_sigmoid(_log_odds(p), y, w)
        return Calibrator(method, slope=slope, intercept=intercept)

    def __call__(self, probability: Floats) -> NDArray[np.float64]:
        """Calibrated probabilities, float64 in the shape given.

        Raises
        ------
        InputError
            A probability is NaN or outside [0, 1].
        """
        p = np.asarray(probability, dtype=np.float64)
        check_probability(p.ravel(), np.zeros(p.size, dtype=np.bool_))
        match self.method:
            case "isotonic":
                return np.interp(p, *self._knots)
            case "sigmoid":
                return np.asarray(expit(self.slope * _log_odds(p) + self.intercept))
            case _:
                return p.copy()

    @cached_property
    def _knots(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Knots as arrays, which takes longer than to calibrate one probability."""
        return np.array(self.x), np.array(self.y)

    def to_dict(self) -> dict[str, Any]:
        """Return what `json.dumps` takes, to the last bit; `from_dict` reads it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Calibrator:
        """Read what `to_dict` returned, before or after its way through JSON.

        Raises
        ------
        InputError
            An entry is missing, unknown or no calibration.
        """
        try:
            knots = {axis: tuple(map(float, saved[axis])) for axis in ("x", "y")}
            return cls(**{**saved, **knots})
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{str(saved)[:100]} is no saved calibration ({error}); fit it again") from error


def _fit_isotonic(p: NDArray[np.float64], y: Bools, w: NDArray[np.float64]) -> Calibrator:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit(p, y, sample_weight=w)
    x, rates = fitted.X_thresholds_, np.clip(fitted.y_thresholds_, 0.0, 1.0)
    block = np.interp(p, x, rates)
    base_rate = float(np.average(y, weights=w))
    inner = rates[(rates > 0) & (rates < 1)]
    least = min(base_rate / (w[block == 0].sum() + 1), *inner[:1], 0.5)
    most = max(1 - (1 - base_rate) / (w[block == 1].sum() + 1), *inner[-1:], 0.5)
    return Calibrator("isotonic", x=tuple(x.tolist()), y=tuple(np.clip(rates, least, most).tolist()))


def _log_odds(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(logit(np.clip(p, CLIP, 1.0 - CLIP)))


@dataclass(frozen=True)
class CalibrationMetrics:
    """What calibration is meant to change, and AUC, which it should not."""

    pcoc: float
    ece: float
    normalized_entropy: float
    log_loss: float
    auc: float


@dataclass(frozen=True)
class CalibrationReport:
    """Metrics of the same exposures before and after calibration."""

    before: CalibrationMetrics
    after: CalibrationMetrics

    @property
    def recommended(self) -> bool:
        """Whether PCOC before calibration is off 1 by more than 2 %; False where it is NaN."""
        return abs(self.before.pcoc - 1.0) > RECOMMENDED_BEYOND


def calibration_report(
    positive: Bools, before: Floats, after: Floats, *, sample_weight: Floats | None = None
) -> CalibrationReport:
    """Metrics of predictions before and after calibration.

    Parameters
    ----------
    positive
        bool (n,): clicks. Of the test split for what a report states; of validation to decide on
        calibration, as nothing may be chosen on test.
    before, after
        float (n,), in [0, 1].
    sample_weight
        float (n,), at least 0; 1 each where it is missing.

    Returns
    -------
    CalibrationReport
        NaN where a metric needs both classes and there is one.

    Raises
    ------
    InputError
        A shape differs, a weight is negative, or a probability is NaN or outside [0, 1].
    """

    def measured(p: Floats) -> CalibrationMetrics:
        return CalibrationMetrics(
            pcoc=pcoc(p, positive, sample_weight=sample_weight),
            ece=ece(p, positive, sample_weight=sample_weight),
            normalized_entropy=normalized_entropy(p, positive, sample_weight=sample_weight),
            log_loss=log_loss(p, positive, sample_weight=sample_weight),
            auc=auc(p, positive, sample_weight=sample_weight),
        )

    return CalibrationReport(measured(before), measured(after))
