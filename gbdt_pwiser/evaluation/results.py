"""Result rows: one value each, how they are stored and checked."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_type_hints

import polars as pl

from gbdt_pwiser._files import replacing_file
from gbdt_pwiser.calibration import CALIBRATIONS
from gbdt_pwiser.data.stored import UNREADABLE
from gbdt_pwiser.metrics import metric_named
from gbdt_pwiser.models import exists_for
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import unknown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

BASELINE: Final = "bce"
"""The loss of the same model that a gain is measured against, where nothing else is named."""

CALIBRATED: Final = {f"test_{method}": method for method in CALIBRATIONS if method != "none"}
"""Names of the test split after a calibration that was fitted on validation."""

SPLITS: Final = ("valid", "test", *CALIBRATED)
"""What results are of."""


class Cell(NamedTuple):
    """What a result is the result of; a table holds each cell once."""

    dataset: str
    model: str
    loss: str
    seed: int
    split: str
    metric: str

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self._asdict().items())


@dataclass(frozen=True)
class Result:
    """One metric of one fitted model on one split.

    Parameters
    ----------
    dataset, model, loss, seed, split, metric
        The cell. split is a name in `SPLITS`; metric is one that `metric_named` knows.
    value
        The metric's value; NaN where the data cannot give it.
    weight
        Weight of the loss that the model was fitted with (`ModelSpec.weight`); 0 for bce.
    rounds
        Boosting rounds, or epochs of a network, that count.
    size
        Trees of both boosters, or trainable parameters of a network.
    fit_seconds, predict_seconds
        Wall-clock time of the fit, and of predicting this split.
    versions
        The libraries in use, as in "gbdt-pwiser 0.1.0, lightgbm 4.7.0".
    gain_error
        Standard error, on this test sample, of the difference to the baseline (see `paired_tests`); NaN for
        the baseline itself and where there was no test.
    baseline
        What gains are measured against: "MODEL:LOSS", or a loss alone, which is that of the same model.
    """

    dataset: str
    model: str
    loss: str
    seed: int
    split: str
    metric: str
    value: float
    weight: float
    rounds: int
    size: int
    fit_seconds: float
    predict_seconds: float
    versions: str
    gain_error: float = math.nan
    baseline: str = BASELINE

    def __post_init__(self) -> None:
        metric_named(self.metric)
        if self.split not in SPLITS:
            raise unknown("split", self.split, SPLITS)

    @property
    def cell(self) -> Cell:
        """What this is the result of."""
        return Cell(self.dataset, self.model, self.loss, self.seed, self.split, self.metric)


def names_cell(baseline: str) -> bool:
    """Whether a baseline is one model and loss for all, and not each model's own.

    Examples
    --------
    >>> names_cell("xgboost:bce"), names_cell("bce")
    (True, False)
    """
    return ":" in baseline


def baseline_of(model: str, baseline: str) -> tuple[str, str]:
    """Return the model and the loss that a model's gains are measured against.

    Examples
    --------
    >>> baseline_of("lightgbm", "xgboost:bce"), baseline_of("lightgbm", "bce")
    (('xgboost', 'bce'), ('lightgbm', 'bce'))
    """
    named, _, loss = baseline.rpartition(":")
    return named or model, loss


# The table's columns are the dataclass's fields.
_SCHEMA: Final = {
    name: {str: pl.String(), int: pl.Int64(), float: pl.Float64()}[kind]
    for name, kind in get_type_hints(Result).items()
}


def write_results(results: Iterable[Result], path: Path | str) -> None:
    """Write the rows to a Parquet file, in one step: the old file stands until the new one is whole."""
    frame = pl.DataFrame([astuple(result) for result in results], schema=_SCHEMA, orient="row")
    with replacing_file(path) as temporary:
        frame.write_parquet(temporary)


def read_results(path: Path | str) -> list[Result]:
    """Read the rows that `write_results` wrote, in their order.

    Files of before there was a choice have no baseline: it was each model's own bce.

    Raises
    ------
    InputError
        The file is missing, is no whole Parquet file, or has other columns.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is not a file; give the results.parquet that a comparison wrote")
    try:
        frame = pl.read_parquet(path, glob=False)
    except UNREADABLE as error:
        raise InputError(f"{path} is not a whole Parquet file ({error}); run the comparison again") from error
    if dict(frame.schema) == {name: kind for name, kind in _SCHEMA.items() if name != "baseline"}:
        frame = frame.with_columns(baseline=pl.lit(BASELINE))
    if dict(frame.schema) != _SCHEMA:
        found, wanted = (
            ", ".join(f"{name} {kind}" for name, kind in s.items()) for s in (frame.schema, _SCHEMA)
        )
        raise InputError(f"{path} has the columns {found}; results have {wanted}")
    if holding_null := [column.name for column in frame if column.null_count()]:
        raise InputError(f"{path} has empty cells in {', '.join(holding_null)}; run the comparison again")
    return [Result(*row) for row in frame.iter_rows()]


def check_complete(results: Sequence[Result]) -> None:
    """Refuse a table that holds a cell twice, lacks one, or measures gains against more than one thing.

    Within a data set every model, loss, seed, split and metric that occurs must occur with every other, but
    for losses that do not exist for a model: a mean over the seeds that happened to finish is not the mean
    the table claims.

    Raises
    ------
    InputError
        Naming the first doubled or missing cell, or the baselines.
    """
    counts = Counter(result.cell for result in results)
    if doubled := [cell for cell, count in counts.items() if count > 1]:
        raise InputError(
            f"{len(doubled)} cells occur more than once, the first is {doubled[0]}; keep one result of each"
        )
    by_dataset: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in counts:
        by_dataset[cell.dataset].append(cell)
    missing = [c for cells in by_dataset.values() for c in _whole(cells) if c not in counts]
    if missing:
        raise InputError(
            f"{len(missing)} cells are missing, the first is {missing[0]}; run them, "
            "or leave that seed, model or loss out everywhere"
        )
    for dataset in by_dataset:
        baselines = dict.fromkeys(r.baseline for r in results if r.dataset == dataset)
        if len(baselines) > 1:
            raise InputError(
                f"gains on {dataset} are measured against {' and '.join(baselines)}; give one comparison only"
            )


def _whole(cells: Sequence[Cell]) -> Iterator[Cell]:
    """Every cell that a table with these cells of one data set must have."""
    trained = {(cell.model, cell.loss) for cell in cells}
    for c in map(Cell._make, product(*map(dict.fromkeys, zip(*cells, strict=True)))):
        if (c.model, c.loss) in trained or _exists(c.loss, c.model):
            yield c


def _exists(loss: str, model: str) -> bool:
    return exists_for(loss, model)


def records(rows: Iterable[DataclassInstance]) -> list[dict[str, Any]]:
    """Flat dicts ready for `json.dumps`: NaN and infinity, which JSON lacks, become None."""
    return [
        {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(row).items()}
        for row in rows
    ]
