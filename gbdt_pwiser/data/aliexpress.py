"""AliExpress search exposures: from the released raw files, or the processed ones, to a prepared set.

The release has, for each country, train and test by time, of each a user file (one row per search) and an
item file (one row per shown product), to be joined on the search id. The community's processed files are
their join. Both give the same prepared set, its rows in the order of the item file.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

import polars as pl
from tqdm import tqdm

from gbdt_pwiser.data._aliexpress_files import RAW, find_files
from gbdt_pwiser.data._csv import CODE, FLAG, GRADE, ID, QUANTITY, Rule, first_fault, read_header, scan
from gbdt_pwiser.data.prepared import Counts, Schema, replacing_folder
from gbdt_pwiser.objectives import InputError

COUNTRIES = {"us": "United States", "nl": "Netherlands", "fr": "France", "es": "Spain"}
CATEGORICAL = tuple(f"categorical_{i}" for i in range(1, 17))
NUMERICAL = tuple(f"numerical_{i}" for i in range(1, 64))


def _user_rules() -> dict[str, Rule]:
    """Columns of a user file, in order: the id, 7 categoricals, 23 numericals, 2 categoricals."""
    columns = [*CATEGORICAL[:7], *NUMERICAL[:23], *CATEGORICAL[7:9]]
    return {"search_id": ID} | {c: CODE if c in CATEGORICAL else QUANTITY for c in columns}


def _item_rules() -> dict[str, Rule]:
    """Columns of an item file, in order: the id, then 7 categoricals among 40 numericals, the grade."""
    rules, code, number = {"search_id": ID}, count(9), count(23)
    for position in range(2, 49):
        if position in (19, 34, 35, 36, 40, 41, 42):
            rules[CATEGORICAL[next(code)]] = CODE
        else:
            rules[NUMERICAL[next(number)]] = QUANTITY
    return rules | {"grade": GRADE}


USER = _user_rules()
ITEM = _item_rules()
PROCESSED = (
    {"search_id": ID}
    | dict.fromkeys(CATEGORICAL, CODE)
    | dict.fromkeys(NUMERICAL, QUANTITY)
    | {"click": FLAG, "conversion": FLAG}
)
STORED = ("search_id", "grade", *CATEGORICAL, *NUMERICAL)


def prepare_aliexpress(country: str, source: Path, data_dir: Path, *, progress: bool = True) -> Path:
    """Write the prepared set of a country and return its folder, `data_dir/country`.

    Files are streamed: memory holds one user file, not the exposures. The folder appears, or replaces an
    older one, only when all is written and checked.

    Parameters
    ----------
    country
        `us`, `nl`, `fr` or `es`.
    source
        Folder or zip, as released or unpacked; see `find_files`.
    data_dir
        Where prepared sets live; made if need be. It needs room for the unpacked files.
    progress
        Whether to show progress on standard error, if that is a terminal.

    Raises
    ------
    InputError
        Unknown country, files missing, or a fault in one, named by file and line or by count.
    """
    if country not in COUNTRIES:
        raise InputError(f"country is {country!r}; choose one of {', '.join(COUNTRIES)}")
    folder = data_dir / country
    with replacing_folder(folder) as workspace:
        scratch, prepared = workspace / "unpacked", workspace / "prepared"
        scratch.mkdir()
        files = find_files(country, source, scratch, progress=progress)
        counts = {}
        for part in tqdm(("train", "test"), desc=f"prepare {country}", disable=None if progress else True):
            target = prepared / f"{part}.parquet"
            if RAW[0] in files:
                counts[part] = _write_raw(files[f"user_{part}"], files[f"item_{part}"], target)
            else:
                counts[part] = _write_processed(files[part], target)
        Schema(country, CATEGORICAL, NUMERICAL, **counts).write(prepared)
    return folder


def _write_raw(user: Path, item: Path, target: Path) -> Counts:
    searches = _read_searches(user)
    rows = scan(item, ITEM).join(searches.lazy(), on="search_id", how="left", maintain_order="left")
    _sink(rows, target, item, ITEM)
    # The searches have no null, so a null in their columns is an item without a search.
    orphans = pl.scan_parquet(target).filter(pl.col(CATEGORICAL[0]).is_null())
    number, first = orphans.select(pl.len(), pl.first("search_id").alias("first")).collect().row(0)
    if number:
        raise InputError(
            f"{item.name}: {number} rows have a search id that {user.name} lacks (the first is {first}); "
            "give the two files of one country and part"
        )
    return _counts(target)


def _read_searches(user: Path) -> pl.DataFrame:
    try:
        searches = scan(user, USER).collect(engine="streaming")
    except pl.exceptions.PolarsError as error:
        raise _fault(user, USER, error) from error
    if sum(searches.null_count().row(0)):
        raise _fault(user, USER)
    repeated = searches["search_id"].filter(searches["search_id"].is_duplicated())
    if len(repeated):
        raise InputError(
            f"{user.name}: {repeated.n_unique()} search ids occur more than once "
            f"(the first is {repeated[0]}); a user file has one row per search"
        )
    return searches


def _write_processed(source: Path, target: Path) -> Counts:
    header = read_header(source)
    if missing := [column for column in PROCESSED if column not in header]:
        raise InputError(
            f"{source.name} lacks the columns {', '.join(missing)}; its first line must name them"
        )
    click, conversion = pl.col("click"), pl.col("conversion")
    # -1 until the rows are counted below: a conversion without a click has no grade.
    grade = pl.when(conversion > click).then(pl.lit(-1, pl.Int8)).otherwise(click + conversion)
    rows = scan(source, PROCESSED, header=header).with_columns(grade.alias("grade"))
    _sink(rows, target, source, PROCESSED, header=header)
    ungraded = pl.scan_parquet(target).with_row_index("row").filter(pl.col("grade") == -1)
    number, row = ungraded.select(pl.len(), pl.first("row").alias("first")).collect().row(0)
    if number:
        raise InputError(
            f"{source.name}: {number} rows convert without a click (the first is line {row + 2}); drop them"
        )
    return _counts(target)


def _sink(
    rows: pl.LazyFrame, target: Path, source: Path, rules: dict[str, Rule], *, header: list[str] | None = None
) -> None:
    """Stream rows to the target; refuse a source whose own columns have a null, or that has no row."""
    try:
        rows.select(STORED).sink_parquet(target)
    except pl.exceptions.PolarsError as error:
        raise _fault(source, rules, error, header=header) from error
    own = [column for column in STORED if column in rules or column == "grade"]
    written = pl.scan_parquet(target)
    nulls = written.select(pl.col(own).null_count()).collect(engine="streaming")
    if sum(nulls.row(0)):
        raise _fault(source, rules, header=header)
    if written.select(pl.len()).collect().item() == 0:
        raise InputError(f"{source.name} has no rows; fetch it again")


def _fault(
    source: Path, rules: dict[str, Rule], error: Exception | None = None, *, header: list[str] | None = None
) -> InputError:
    if found := first_fault(source, rules, header=header):
        return InputError(f"{found}; correct the line or fetch the file again")
    reason = str(error).partition("\n")[0] if error else "a value is missing or not a number"
    return InputError(f"{source.name} cannot be read: {reason}; fetch it again")


def _counts(target: Path) -> Counts:
    grade = pl.col("grade")
    sums = pl.scan_parquet(target).select(
        pl.len().alias("rows"), (grade >= 1).sum().alias("clicks"), (grade == 2).sum().alias("conversions")
    )
    return Counts(**sums.collect(engine="streaming").row(0, named=True))
