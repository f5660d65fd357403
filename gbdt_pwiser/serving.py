"""Predictions of a saved model for new exposures: a table in memory, or a Parquet file of any size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.selectors import by_name
from tqdm import tqdm

from gbdt_pwiser._files import has_columns, refuse_foreign, replacing_file
from gbdt_pwiser.calibration import Calibrator
from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.data.few import FewRowsEncoder
from gbdt_pwiser.data.pages import are_adjacent, between_pages, fill_by_page, on_disk, page_keys
from gbdt_pwiser.data.parquet import write_frames
from gbdt_pwiser.data.progress import bar
from gbdt_pwiser.data.relative import given_groups
from gbdt_pwiser.data.stored import BLOCK, UNREADABLE, as_matrix, nameless
from gbdt_pwiser.models.protocol import MatrixModel, Predictions
from gbdt_pwiser.models.saved import SavedModel, load_model, own_files
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import LARGEST, check_whole

BATCH: Final = 1 << 16
"""Exposures that are in memory at a time."""


class Predicted(NamedTuple):
    """Columns of probabilities, and per encoded column how many values are none of its categories."""

    table: pl.DataFrame
    unseen: dict[str, int]


@dataclass(frozen=True)
class FilePrediction:
    """What was predicted into a file.

    Attributes
    ----------
    rows
        Exposures.
    mean_pctr
        Mean of the column pctr; None without exposures.
    unseen
        Per encoded column, how many values were none of its categories and counted as missing; columns
        without any are left out.
    """

    rows: int = 0
    mean_pctr: float | None = None
    unseen: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Predictor:
    """A saved model with its calibration, and the folder it is from. Make one with `load`."""

    saved: SavedModel
    calibrator: Calibrator
    folder: Path

    @classmethod
    def load(cls, folder: Path | str, *, device: str = "cpu", threads: int = 0) -> Predictor:
        """Read a model folder; see `gbdt_pwiser.models.load_model` for what is refused."""
        folder = Path(folder)
        saved = load_model(folder, device=device, threads=threads)
        calibration = saved.manifest.calibration
        calibrator = Calibrator() if calibration is None else Calibrator.from_dict(calibration)
        return cls(saved, calibrator, folder)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the columns that are predicted."""
        calibrated = self.calibrator.method != "none"
        return ("pctr", "pcvr", "pctcvr", *(["pctr_uncalibrated"] if calibrated else []))

    def predict(self, table: pl.DataFrame, *, source: str = "the table") -> Predicted:
        """Return float64 columns pctr, pcvr and pctcvr for the rows of a table.

        ::

            pctr = calibration(pctr_uncalibrated),  pctcvr = pctr * pcvr

        pctr_uncalibrated is there where the model was calibrated. pcvr is at most 1.

        Parameters
        ----------
        table
            (n,) exposures with the columns of training, as they were in the training data: the user's own
            values where a description named them, codes where a prepared set has codes. More columns are
            ignored. Where the model has features that are relative to a page, the table also has the group
            column, and all rows of its pages.
        source
            What to call the table in messages.

        Raises
        ------
        InputError
            A column is missing or holds something else than in training, or a number is infinite.
        """
        return self._predicted(table, source, None)

    def _predicted(self, table: pl.DataFrame, source: str, relative: pl.DataFrame | None) -> Predicted:
        """Predict; with the relative features of the rows where the table has no whole pages."""
        raw, unseen = self._uncalibrated(table, source, relative)
        pcvr = raw.pcvr.clip(max=1.0)
        if self.calibrator.method == "none":
            columns = {"pctr": raw.pctr, "pcvr": pcvr, "pctcvr": raw.pctcvr}
        else:
            pctr = self.calibrator(raw.pctr)
            columns = {"pctr": pctr, "pcvr": pcvr, "pctcvr": pctr * pcvr, "pctr_uncalibrated": raw.pctr}
        return Predicted(pl.DataFrame(columns), unseen)

    def _uncalibrated(
        self, table: pl.DataFrame, source: str, relative: pl.DataFrame | None
    ) -> tuple[Predictions, dict[str, int]]:
        """Return what the model gives, and the counts of values that are no categories."""
        model = self.saved.model
        if isinstance(model, MatrixModel) and (few := self._few_rows.encode(table, source)):
            return model.predict_matrix(few.matrix), few.unseen
        exposures, unseen = self.saved.manifest.columns.encode(table, source, relative)
        return model.predict(exposures), unseen

    @cached_property
    def _few_rows(self) -> FewRowsEncoder:
        return FewRowsEncoder(self.saved.manifest.columns)

    def predict_file(
        self, source: Path | str, target: Path | str, *, batch_size: int = BATCH, keep: Sequence[str] = ()
    ) -> FilePrediction:
        """Predict a Parquet file into another, which appears when it is complete.

        Memory holds one batch of the columns that are needed, the compressed row group it comes from, and a
        row group of the output. Predictions do not depend on the batch size. Where the model has features
        that are relative to a page, no page is cut: a batch ends with one, and a page that is larger is read
        as a whole. Where the rows of a page lie apart, its features are made beforehand, by an index of the
        pages, some 50 bytes a row, and lie in a temporary file beside the target.

        Parameters
        ----------
        source
            Exposures; see `predict` for its columns.
        target
            Where the predictions go, a row per exposure in the order of the source. They replace older ones;
            a device or a pipe is written into once all is predicted.
        batch_size
            Exposures at a time.
        keep
            Columns of the source, such as an id, to copy in front of the predictions.

        Raises
        ------
        InputError
            As `predict`; a file that is no Parquet, a column to keep that is missing or has the name of a
            prediction, or a target that is the source, a file of the model or one that holds no predictions.
        """
        source, target = Path(source), Path(target)
        check_whole("batch_size", batch_size, 1, LARGEST)
        scan, schema = _scan(source)
        self._check_target(target, source)
        columns = self.saved.manifest.columns
        columns.check(schema, str(source))
        kept = {name: _kept_type(name, schema, self.outputs, source) for name in keep}
        total = scan.select(pl.len()).collect().item()
        unseen: Counter[str] = Counter()
        pctr_sum = 0.0

        needed = scan.select(by_name(*dict.fromkeys([*columns.needed, *kept])))

        def predictions(batches: Iterable[_Batch], progress: tqdm[Any]) -> Iterator[pl.DataFrame]:
            nonlocal pctr_sum
            for start, stop, relative in batches:
                batch = _collect(needed.slice(start, stop - start), source)
                predicted = self._predicted(batch, str(source), relative)
                unseen.update(predicted.unseen)
                pctr_sum += float(predicted.table["pctr"].sum())
                yield predicted.table.hstack([batch[name] for name in kept])
                progress.update(batch.height)

        written: dict[str, Any] = {**kept, **dict.fromkeys(self.outputs, pl.Float64)}
        with (
            replacing_file(target) as temporary,
            bar(total=total, unit=" rows", unit_scale=True) as progress,
        ):
            batches = _batches(columns, scan, total, batch_size, source, temporary.parent)
            write_frames(predictions(batches, progress), temporary, written)
        mean = pctr_sum / total if total else None
        return FilePrediction(total, mean, {name: count for name, count in unseen.items() if count})

    def _check_target(self, target: Path, source: Path) -> None:
        """Refuse to write over the input, the model, or any other file that holds no predictions."""
        if not target.exists():
            return
        if target.samefile(source):
            raise InputError(f"{target} is the input; give another path for the output")
        own = (self.folder / name for name in own_files(self.folder))
        if any(file.exists() and target.samefile(file) for file in own):
            raise InputError(f"{target} is a file of the model; give another path for the output")
        if target.is_file():
            refuse_foreign(target.parent, {target.name: has_columns("pctr", "pcvr", "pctcvr")})


def _scan(source: Path) -> tuple[pl.LazyFrame, pl.Schema]:
    if source.suffix.lower() == ".csv":
        raise InputError(
            f"{source} is CSV, whose types would be guessed; convert it first, with "
            f"polars.scan_csv('{source}').sink_parquet('{source.with_suffix('.parquet')}')"
        )
    if not source.is_file():
        raise InputError(f"{source} is not a file; give a Parquet file of exposures")
    try:
        scan = pl.scan_parquet(source, glob=False)
        return scan, scan.collect_schema()
    except UNREADABLE as error:
        raise InputError(f"{source} is no Parquet file ({_first_line(error)}); convert it") from error


def _collect(scan: pl.LazyFrame, source: Path) -> pl.DataFrame:
    try:
        return scan.collect()
    except UNREADABLE as error:
        raise InputError(f"{source} is damaged ({_first_line(error)}); write it again") from error


class _Batch(NamedTuple):
    """Rows from `start` to before `stop`, and their relative features where they are no whole pages."""

    start: int
    stop: int
    relative: pl.DataFrame | None = None


def _batches(
    columns: FeatureColumns, scan: pl.LazyFrame, total: int, rows: int, source: Path, folder: Path
) -> Iterable[_Batch]:
    """Return what to read one after the other: so many rows, or fewer or more where no page may be cut."""
    cuts = range(0, total, rows)
    even = (_Batch(start, min(start + rows, total)) for start in cuts)
    if columns.relative is None:
        return even
    keys = _page_keys(columns.relative.group, scan, total, source)
    if are_adjacent(keys):
        return (_Batch(start, stop) for start, stop in between_pages(keys, rows))
    names = columns.relative.names
    made = on_disk(folder, np.float32, (total, len(names)))
    fill_by_page(made, keys, lambda rows: _relative_of_rows(columns, scan, rows, source))
    return (
        batch._replace(relative=pl.DataFrame(made[batch.start : batch.stop], schema=names, nan_to_null=True))
        for batch in even
    )


def _page_keys(group: str, scan: pl.LazyFrame, total: int, source: Path) -> NDArray[np.uint64]:
    """uint64 (n,): the page of each row."""
    keys = np.empty(total, dtype=np.uint64)
    for start in range(0, total, BLOCK):
        values = nameless(_collect(scan.select(by_name(group)).slice(start, BLOCK), source), group)
        keys[start : start + BLOCK] = page_keys(
            given_groups(values, f"{source}: group {group}", before=start)
        )
    return keys


def _relative_of_rows(
    columns: FeatureColumns, scan: pl.LazyFrame, rows: NDArray[np.int64], source: Path
) -> NDArray[np.float32]:
    """float32 (rows, k): the relative features of ascending rows, which are whole pages."""
    assert columns.relative is not None
    needed = scan.select(by_name(*dict.fromkeys([columns.relative.group, *columns.relative.columns])))
    frames = []
    for start in range(int(rows[0]), int(rows[-1]) + 1, BLOCK):
        low, high = np.searchsorted(rows, [start, start + BLOCK])
        if low < high:
            frames.append(_collect(needed.slice(start, BLOCK), source)[rows[low:high] - start])
    return as_matrix(columns.relative_of(pl.concat(frames), str(source)))


def _kept_type(name: str, schema: pl.Schema, outputs: Sequence[str], source: Path) -> pl.DataType:
    if name not in schema:
        raise InputError(f"{source} has no column {name} to keep; known: {', '.join(schema)}")
    if name in outputs:
        raise InputError(f"column {name} cannot be kept, since a prediction has that name; rename it")
    return schema[name]


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
