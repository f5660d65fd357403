"""AliExpress search exposures: from the released raw files, or the processed ones, to a prepared set.

The release has, for each country, train and test by time, of each a user file (one row per search) and an
item file (one row per shown product), to be joined on the search id. The community's processed files are
their join. Both give the same prepared set, its rows in the order of the item file.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import polars as pl

from gbdt_pwiser.data.prepared import Counts, Schema, check_target, replacing_set, stored_columns, write_part
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources._aliexpress_files import RAW, find_files
from gbdt_pwiser.sources.source import Released
from gbdt_pwiser.sources.text.blocks import BadLines, read_lines
from gbdt_pwiser.sources.text.lookup import Lookup
from gbdt_pwiser.sources.text.numeric_csv import CODE, FLAG, GRADE, ID, QUANTITY, Csv, Rule, read_header

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
STORED = stored_columns("search_id", CATEGORICAL, NUMERICAL)


def prepare_aliexpress(
    country: str, source: Path | str, data_dir: Path | str, *, skip_bad_lines: int = 0, progress: bool = True
) -> Path:
    """Write the prepared set of a country and return its folder, `data_dir/country`.

    Files are streamed: memory holds the columns of one user file and some blocks of lines. The folder
    appears, or replaces an older one, only when all is written and checked.

    Parameters
    ----------
    country
        `us`, `nl`, `fr` or `es`.
    source
        Folder or zip, as released or unpacked; see `find_files`.
    data_dir
        Where prepared sets live; made if need be. It needs room for the unpacked files.
    skip_bad_lines
        How many damaged lines, over all files, may be left out. Items of a search whose line was left out
        are among them.
    progress
        Whether to show progress on standard error, if that is a terminal.

    Raises
    ------
    InputError
        Unknown country, files missing, or a fault in one, named by file and line or by count.
    """
    if country not in COUNTRIES:
        raise InputError(f"country is {country!r}; choose one of {', '.join(COUNTRIES)}")
    bad = BadLines(skip_bad_lines)
    source, folder = Path(source), Path(data_dir) / country
    check_target(folder)
    with replacing_set(folder) as (scratch, prepared):
        files = find_files(country, source, scratch, progress=progress)
        counts: dict[str, Counts] = {}
        for part in ("train", "test"):
            if RAW[0] in files:
                last = files[f"item_{part}"]
                rows = _raw_rows(files[f"user_{part}"], last, bad, progress)
            else:
                last = files[part]
                rows = _processed_rows(last, bad, progress)
            counts[part] = write_part(rows, prepared / f"{part}.parquet", STORED, last)
        Schema(country, CATEGORICAL, NUMERICAL, counts["train"], counts["test"], bad_lines=bad.skipped).write(
            prepared
        )
    return folder


def _raw_rows(user: Path, item: Path, bad: BadLines, progress: bool) -> Iterator[pl.DataFrame]:
    """Yield the items in their order, each with the columns of its search."""
    lines = read_lines(user, Csv(USER), bad, complete=True, progress=progress)
    searches = Lookup(
        (rows for rows, _ in lines), "search_id", what="search id", plural="search ids", path=user
    )
    for rows, _ in read_lines(item, Csv(ITEM), bad, complete=True, progress=progress):
        place, found = searches.find(rows["search_id"].to_numpy())
        yield pl.concat([rows.filter(found), searches.rows[place[found]]], how="horizontal")
    searches.settle(item, bad)


def _processed_rows(source: Path, bad: BadLines, progress: bool) -> Iterator[pl.DataFrame]:
    header = read_header(source)
    if missing := [column for column in PROCESSED if column not in header]:
        raise InputError(
            f"{source.name} lacks the columns {', '.join(missing)}; its first line must name them"
        )
    converting, first = 0, 0
    for rows, lines in read_lines(source, Csv(PROCESSED, tuple(header)), bad, header=True, progress=progress):
        contrary = (rows["conversion"] > rows["click"]).arg_true()
        if len(contrary):
            first = first or int(lines[contrary[0]])
            converting += len(contrary)
        yield rows.with_columns(grade=pl.col("click") + pl.col("conversion"))
    if converting:
        raise InputError(
            f"{source.name}: {converting} rows convert without a click (the first is line {first}); drop them"
        )


ALIEXPRESS = tuple(
    Released(
        name=country,
        description=f"AliExpress search exposures, {country_name}",
        download="AliExpress from https://tianchi.aliyun.com/dataset/74690",
        prepare=partial(prepare_aliexpress, country),
    )
    for country, country_name in COUNTRIES.items()
)
