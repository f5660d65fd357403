"""Ali-CCP exposures: from the released files, or one of two processed layouts, to a prepared set.

The release has, for train and test, a skeleton (one line per exposure: item, context) and common features
(one line per user and session, joined by an index). docs/guides/data.md says what becomes of each field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from gbdt_pwiser.data.parquet import read_frames, write_frames
from gbdt_pwiser.data.prepared import Counts, Schema, check_target, replacing_set, write_part
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources._ali_ccp_files import LABELS, Layout, find_ali_ccp
from gbdt_pwiser.sources._ali_ccp_lines import INDEX, FeatureLines, Field
from gbdt_pwiser.sources.source import Released
from gbdt_pwiser.sources.text.blocks import BadLines, read_lines
from gbdt_pwiser.sources.text.lookup import Lookup
from gbdt_pwiser.sources.text.numeric_csv import CODE, FLAG, QUANTITY, Csv, read_header
from gbdt_pwiser.sources.text.vocabulary import Vocabulary

NAME = "ccp"
RARE = 10
GROUP = "user"
USER = "101"
SKELETON_FIELDS = (
    *map(Field, ("205", "206", "207", "216", "301")),
    *(Field(name, summed=True) for name in ("508", "509", "702")),
    *(Field(name, counted=True, summed=True) for name in ("210", "853")),
)
COMMON_FIELDS = (
    *map(Field, (USER, "121", "122", "124", "125", "126", "127", "128", "129")),
    *(Field(name, counted=True, summed=True) for name in ("109_14", "110_14", "127_14", "150_14")),
)
SKELETON = FeatureLines(
    ("sample", "click", "conversion", INDEX, "count"), ("click", "conversion"), SKELETON_FIELDS
)
COMMON = FeatureLines((INDEX, "count"), (), COMMON_FIELDS)
COPIED = (
    {"place": pl.UInt32, "grade": pl.Int8}
    | {field.name: pl.UInt32 for field in SKELETON_FIELDS}
    | {name: pl.Float32 for field in SKELETON_FIELDS for name in field.numerical}
)
CATEGORICAL = tuple(field.name for field in (*COMMON_FIELDS, *SKELETON_FIELDS))
NUMERICAL = tuple(name for field in (*COMMON_FIELDS, *SKELETON_FIELDS) for name in field.numerical)


def prepare_ali_ccp(
    source: Path | str,
    data_dir: Path | str,
    *,
    rare: int | None = None,
    skip_bad_lines: int = 0,
    progress: bool = True,
) -> Path:
    """Write the prepared set and return its folder, `data_dir/ccp`.

    Files are streamed: memory holds the columns of one common features file, the ids that get codes, and some
    blocks of lines. Exposures that convert without a click are left out and counted. The folder appears, or
    replaces an older one, only when all is written and checked.

    Parameters
    ----------
    source
        Folder or archive with the files; see `find_ali_ccp`.
    data_dir
        Where prepared sets live; made if need be. It needs room for unpacked files and a copy of the train
        part.
    rare
        Ids with fewer training rows than this share the code of those that training has not; by default
        10. Processed files have their codes already and take none.
    skip_bad_lines
        How many damaged lines, over all files, may be left out. Exposures whose common features were left
        out are among them.
    progress
        Whether to show progress on standard error, if that is a terminal.

    Raises
    ------
    InputError
        Files missing, an option out of range, or a fault in a file, named by file and line or by count.
    """
    if rare is not None and rare < 1:
        raise InputError(f"rare is {rare}; give the rows an id needs for a code of its own, at least 1")
    bad = BadLines(skip_bad_lines)
    source, folder = Path(source), Path(data_dir) / NAME
    check_target(folder)
    with replacing_set(folder) as (scratch, prepared):
        sources = find_ali_ccp(source, scratch, progress=progress)
        if sources.layout is None:
            schema = _prepare_raw(sources.files, scratch, prepared, rare or RARE, bad, progress)
        elif rare is None:
            schema = _prepare_processed(sources.layout, sources.files, prepared, bad, progress)
        else:
            raise InputError(f"the ids of {sources.layout.name} files are encoded already; leave out rare")
        replace(schema, bad_lines=bad.skipped).write(prepared)
    return folder


class _Exposures:
    """Frames with `click` and `conversion`, graded; rows that convert without a click are dropped."""

    def __init__(self, frames: Iterable[pl.DataFrame]) -> None:
        self._frames = frames
        self.dropped = 0

    def __iter__(self) -> Iterator[pl.DataFrame]:
        click, conversion = pl.col("click"), pl.col("conversion")
        for frame in self._frames:
            kept = frame.filter(conversion <= click).with_columns(grade=click + conversion)
            self.dropped += frame.height - kept.height
            yield kept


def _prepare_raw(
    files: Mapping[str, Path], scratch: Path, prepared: Path, rare: int, bad: BadLines, progress: bool
) -> Schema:
    """Write both parts; train goes through a copy with its ids as they are, to count them first."""
    copy = scratch / "ids.parquet"
    common = _read_common(files["common_train"], bad, progress)
    train = _Exposures(_skeleton(files["skeleton_train"], common, bad, progress))
    write_frames(train, copy, COPIED)
    vocabularies = _learn(copy, common.rows, rare)
    rows = _encode(read_frames(copy), common.rows, vocabularies)
    train_counts = write_part(rows, prepared / "train.parquet", RAW_SCHEMA.columns, files["skeleton_train"])
    common = _read_common(files["common_test"], bad, progress)
    test = _Exposures(_skeleton(files["skeleton_test"], common, bad, progress))
    rows = _encode(test, common.rows, vocabularies)
    test_counts = write_part(rows, prepared / "test.parquet", RAW_SCHEMA.columns, files["skeleton_test"])
    return replace(
        RAW_SCHEMA,
        train=replace(train_counts, dropped=train.dropped),
        test=replace(test_counts, dropped=test.dropped),
    )


def _read_common(path: Path, bad: BadLines, progress: bool) -> Lookup:
    lines = read_lines(path, COMMON, bad, complete=True, progress=progress)
    return Lookup(
        (rows for rows, _ in lines),
        INDEX,
        what="common feature index",
        plural="common feature indices",
        path=path,
        show="{:016x}".format,
    )


def _skeleton(path: Path, common: Lookup, bad: BadLines, progress: bool) -> Iterator[pl.DataFrame]:
    """Yield the rows whose common features are known, `place` being where."""
    for rows, _ in read_lines(path, SKELETON, bad, complete=True, progress=progress):
        place, found = common.find(rows[INDEX].to_numpy())
        yield rows.with_columns(place=place.astype(np.uint32)).filter(found)
    common.settle(path, bad)


def _learn(copy: Path, common: pl.DataFrame, rare: int) -> dict[str, Vocabulary]:
    """Count the training rows of each id, field by field."""
    scan = pl.scan_parquet(copy, glob=False)

    def rows_of(column: str) -> pl.DataFrame:
        counts = scan.group_by(pl.col(column).alias("id")).agg(rows=pl.len())
        return counts.collect(engine="streaming")

    users = rows_of("place")
    common_rows = np.zeros(common.height, dtype=np.int64)
    common_rows[users["id"].to_numpy()] = users["rows"].to_numpy()
    vocabularies = {field.name: Vocabulary.fit(rows_of(field.name), rare) for field in SKELETON_FIELDS}
    for field in COMMON_FIELDS:
        ids = common.select(id=field.name, rows=pl.Series(common_rows))
        counts = ids.group_by("id").agg(pl.sum("rows"))
        vocabularies[field.name] = Vocabulary.fit(counts, rare)
    return vocabularies


def _encode(
    frames: Iterable[pl.DataFrame], common: pl.DataFrame, vocabularies: Mapping[str, Vocabulary]
) -> Iterator[pl.DataFrame]:
    """Yield the rows with codes in place of ids, and with their common features."""

    def coded(frame: pl.DataFrame, fields: Iterable[Field]) -> list[pl.Series]:
        return [vocabularies[field.name].encode(frame[field.name]) for field in fields]

    # An exposure without a user is in the group 0.
    group = pl.col(USER).cast(pl.Int64).fill_null(0).alias(GROUP)
    common = common.with_columns(group, *coded(common, COMMON_FIELDS))
    for frame in frames:
        rows = frame.with_columns(coded(frame, SKELETON_FIELDS))
        yield pl.concat([rows, common[frame["place"]]], how="horizontal")


def _prepare_processed(
    layout: Layout, files: Mapping[str, Path], prepared: Path, bad: BadLines, progress: bool
) -> Schema:
    schema = _schema(layout.ids, layout.numbers)
    counts = {}
    # The val file of torch_rechub is a random half of the released test file.
    for part, roles in (("train", ["train"]), ("test", ["test", "val"])):
        sources = [files[role] for role in roles if role in files]
        rows = _Exposures(frame for path in sources for frame in _processed(layout, path, bad, progress))
        written = write_part(rows, prepared / f"{part}.parquet", schema.columns, sources[0])
        counts[part] = replace(written, dropped=rows.dropped)
    return replace(schema, train=counts["train"], test=counts["test"])


def _processed(layout: Layout, path: Path, bad: BadLines, progress: bool) -> Iterator[pl.DataFrame]:
    first = read_header(path)
    header = not first[0].isdigit()
    rules = (
        dict.fromkeys(LABELS, FLAG)
        | dict.fromkeys(layout.ids, CODE)
        | dict.fromkeys(layout.numbers, QUANTITY)
    )
    form = Csv(rules, tuple(first) if header else layout.columns)
    for rows, _ in read_lines(path, form, bad, header=header, progress=progress):
        yield rows.rename({"purchase": "conversion"}).with_columns(pl.col(USER).cast(pl.Int64).alias(GROUP))


def _schema(categorical: tuple[str, ...], numerical: tuple[str, ...]) -> Schema:
    return Schema(NAME, categorical, numerical, Counts(0, 0, 0), Counts(0, 0, 0), group=GROUP)


RAW_SCHEMA = _schema(CATEGORICAL, NUMERICAL)


ALI_CCP = Released(
    name=NAME,
    description="Ali-CCP exposures of Taobao's recommendations",
    download="Ali-CCP from https://tianchi.aliyun.com/dataset/408",
    prepare=prepare_ali_ccp,
    learns_codes=True,
)
