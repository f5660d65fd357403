"""What a comparison knows beyond its results: how it chose, trained and calibrated, for the page to draw.

Curves are those of the first seed; the sweep holds every seed. All of it lies in one JSON file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser._files import replacing_file
from gbdt_pwiser.data import Exposures, Split
from gbdt_pwiser.evaluation.activity import ActivityCurve
from gbdt_pwiser.evaluation.diagnosis import ClickTenths
from gbdt_pwiser.evaluation.results import CALIBRATED, Result
from gbdt_pwiser.evaluation.sweep import SweepPoint
from gbdt_pwiser.metrics import check_optimisable, reliability
from gbdt_pwiser.metrics.distribution import ScoreDistribution
from gbdt_pwiser.models import ModelSpec, Predictions
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import unknown

FORMAT: Final = 1
"""Number of the file's form; a reader refuses any other."""


@dataclass(frozen=True)
class SplitSize:
    """How many exposures, clicks, conversions and clicks of open conversion a split holds."""

    split: str
    exposures: int
    clicks: int
    conversions: int
    open: int = 0

    @classmethod
    def of(cls, split: str, exposures: Exposures) -> SplitSize:
        """Count one split."""
        counts = (exposures.click, exposures.conversion, exposures.open)
        return cls(split, len(exposures), *(int(rows.sum()) for rows in counts))


@dataclass(frozen=True)
class TrainingCurve:
    """CTR AUC on validation after each boosting round, or epoch of a network.

    Parameters
    ----------
    model, loss, weight
        What was trained.
    best
        The round that counts, from 1; 0 where none is known.
    ctr_auc
        One value per round.
    """

    model: str
    loss: str
    weight: float
    best: int
    ctr_auc: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.best <= len(self.ctr_auc):
            raise InputError(f"best is {self.best}; give one of the {len(self.ctr_auc)} rounds")


@dataclass(frozen=True)
class ReliabilityCurve:
    """Predicted beside observed click rates in bins of equally many exposures; see `reliability`.

    Parameters
    ----------
    model, loss
        Whose predictions they are.
    split
        "test", or its name after a calibration, as in "test_isotonic".
    predicted, observed, exposures
        Mean pCTR, click rate and size of each bin.
    """

    model: str
    loss: str
    split: str
    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    exposures: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.predicted) == len(self.observed) == len(self.exposures):
            raise InputError("predicted, observed and exposures differ in length; give one of each per bin")
        if self.split not in (known := ("test", *CALIBRATED)):
            raise unknown("split", self.split, known)

    @classmethod
    def of(cls, spec: ModelSpec, split: str, test: Exposures, pctr: NDArray[np.float64]) -> ReliabilityCurve:
        """Bin the predictions of the test exposures."""
        curve = reliability(pctr, test.click)
        return cls(
            *(spec.model, spec.loss, split),
            predicted=tuple(curve.predicted.tolist()),
            observed=tuple(curve.observed.tolist()),
            exposures=tuple(int(mass) for mass in curve.weight),
        )


@dataclass
class Details:
    """The details of one comparison, filled by `compare` while it runs.

    Parameters
    ----------
    command
        The command line; empty where there was none.
    choose_by
        Metric on validation by which a weight was chosen.
    released
        Whether the data set is a released one, whose published figures may stand beside the results.
    sizes
        Of the first seed's splits.
    sweep
        Every candidate of every seed.
    curves, activity, reliability, distributions
        Of the first seed's chosen models; activity is of train, the last two are of test.
    clicks
        Of the first seed's models of bce, on validation.
    """

    command: str = ""
    choose_by: str = "ctr_auc"
    released: bool = False
    sizes: list[SplitSize] = field(default_factory=list)
    sweep: list[SweepPoint] = field(default_factory=list)
    curves: list[TrainingCurve] = field(default_factory=list)
    activity: list[ActivityCurve] = field(default_factory=list)
    reliability: list[ReliabilityCurve] = field(default_factory=list)
    distributions: list[ScoreDistribution] = field(default_factory=list)
    clicks: list[ClickTenths] = field(default_factory=list)

    def __post_init__(self) -> None:
        check_optimisable(self.choose_by)

    def add_split(self, split: Split) -> None:
        """Keep the sizes of the first seed's splits."""
        self.sizes += [SplitSize.of(name, getattr(split, name)) for name in ("train", "valid", "test")]

    def add_candidates(
        self, tried: Sequence[tuple[ModelSpec, Mapping[str, float]]], chosen: ModelSpec
    ) -> None:
        """Keep what validation said of the candidates for one model, loss and seed."""
        self.sweep += [
            SweepPoint(
                *(spec.model, spec.loss, spec.seed, spec.weight, spec is chosen),
                *(valid.get(metric, math.nan) for metric in ("ctr_auc", "ctcvr_auc", "conversion_auc")),
            )
            for spec, valid in tried
        ]

    def add_scored(
        self,
        spec: ModelSpec,
        curve: TrainingCurve,
        activity: ActivityCurve | None,
        test: Exposures,
        predicted: Mapping[str, Predictions],
    ) -> None:
        """Keep the curves of one of the first seed's chosen models; `predicted` by name of the split."""
        self.curves.append(curve)
        self.activity += [activity] if activity else []
        self.reliability += [ReliabilityCurve.of(spec, s, test, p.pctr) for s, p in predicted.items()]
        scores = predicted["test"].pctr
        self.distributions.append(ScoreDistribution.from_scores(spec.model, spec.loss, scores, test.grade))

    def add_clicks(self, spec: ModelSpec, valid: Exposures, predictions: Predictions) -> None:
        """Keep where the clicks of validation convert, as one of the first seed's models of bce sees them."""
        self.clicks.append(ClickTenths.of(spec, valid, predictions.pctr))

    def sort(self, cells: Sequence[tuple[str, str]]) -> None:
        """Bring everything into the order of these models and losses, whichever was trained first."""
        place = {cell: number for number, cell in enumerate(cells)}
        seeds = {seed: number for number, seed in enumerate(dict.fromkeys(p.seed for p in self.sweep))}

        def of(
            kept: SweepPoint
            | TrainingCurve
            | ActivityCurve
            | ReliabilityCurve
            | ScoreDistribution
            | ClickTenths,
        ) -> int:
            return place.get((kept.model, kept.loss), -1)  # of an earlier comparison

        self.sweep.sort(key=lambda p: (seeds[p.seed], of(p)))
        self.curves.sort(key=of)
        self.activity.sort(key=of)
        self.reliability.sort(key=of)
        self.distributions.sort(key=of)
        self.clicks.sort(key=of)


def write_details(details: Details, path: Path | str) -> None:
    """Write the details to a JSON file, in one step."""
    with replacing_file(path) as temporary:
        temporary.write_text(json.dumps({"format": FORMAT, **_plain(details)}), encoding="utf-8")


def read_details(path: Path | str) -> Details:
    """Read what `write_details` wrote.

    Raises
    ------
    InputError
        The file is missing, is of another format, or holds something else.
    """
    remedy = "run the comparison again, or remove the file for a page without its plots"
    try:
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
        found = stored.pop("format", None)
        if found != FORMAT:
            raise InputError(f"it has format {found!r}, this version reads {FORMAT}")
        return _typed(Details, stored)  # type: ignore[no-any-return]
    except (
        *(InputError, OSError, ValueError, TypeError, AttributeError, KeyError),
        *(OverflowError, RecursionError),
    ) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error) or type(error).__name__
        raise InputError(f"{path} holds no details of a comparison ({reason}); {remedy}") from error


def check_belongs(details: Details, results: Sequence[Result]) -> None:
    """Refuse details of another run than the results: what was chosen must be what was scored.

    Raises
    ------
    InputError
        Naming the first choice, or the first model and loss, that the results do not have.
    """
    remedy = "give both files of one comparison, or remove the details"
    scored = {
        (r.model, r.loss, r.seed, r.weight): r.value
        for r in results
        if (r.split, r.metric) == ("valid", "ctr_auc")
    }
    for p in details.sweep:
        value = scored.get((p.model, p.loss, p.seed, p.weight))
        if p.chosen and (value is None or not np.array_equal(value, p.ctr_auc, equal_nan=True)):
            raise InputError(
                f"the details are of another run than the results, which lack {p.model} {p.loss} of seed "
                f"{p.seed} and weight {p.weight:g} with CTR AUC {p.ctr_auc:.6f} on validation; {remedy}"
            )
    drawn = {
        *((p.model, p.loss) for p in details.sweep),
        *((c.model, c.loss) for c in details.curves),
        *((c.model, c.loss) for c in details.activity),
        *((c.model, c.loss) for c in details.reliability),
        *((d.model, d.loss) for d in details.distributions),
        *((t.model, t.loss) for t in details.clicks),
    }
    for model, loss in sorted(drawn - {(r.model, r.loss) for r in results}):
        raise InputError(
            f"the details are of another run than the results, which lack {model} {loss}; {remedy}"
        )


_ADDED: Final[Mapping[Any, Mapping[str, Any]]] = {
    Details: {"released": False, "activity": (), "clicks": ()},
    SplitSize: {"open": 0},
    SweepPoint: {"conversion_auc": None},
}
"""Fields that files of older versions lack, and what stands for them."""


def _plain(value: Any) -> Any:
    """Return what `json.dumps` takes: NaN, which JSON lacks, becomes None."""
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _typed(kind: Any, value: Any) -> Any:
    """Undo `_plain`, for the type that a dataclass declares; ValueError or TypeError for another shape."""
    origin = get_origin(kind)
    if is_dataclass(kind):
        hints, added = get_type_hints(kind), _ADDED.get(kind, {})
        if set(value) | set(added) != set(hints):
            raise ValueError(f"it has the fields {', '.join(value)} and not {', '.join(hints)}")
        value = {**added, **value}
        return kind(**{name: _typed(hint, value[name]) for name, hint in hints.items()})  # type: ignore[operator]
    if origin in (list, tuple):
        return origin(_typed(get_args(kind)[0], each) for each in value)
    if origin is np.ndarray:
        return np.asarray(value, dtype=np.int64)
    if kind is float and not isinstance(value, str):
        return math.nan if value is None else float(value)
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value
