"""A user's own data: what the small TOML file beside them says, and whether it can be so."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from gbdt_pwiser.data.split import FRACTIONS, SplitOptions
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import LARGEST, did_you_mean

KINDS: dict[str, tuple[type[Any] | tuple[type[Any], ...], str]] = {
    "source": ((str, list, dict), "a string, a list of strings, or { glob = 'day=*/part-*.parquet' }"),
    "rare": (int, "a whole number of at least 1"),
    "categorical": (list, "a list of strings"),
    "ignore": (list, "a list of strings"),
    "missing": (list, "a list of strings"),
    "relative": (list, "a list of strings"),
    "position_at_serving": (int, "a whole number, as 1"),
    "split": (dict, "a table"),
}


_EXACT = 1 << 24  # whole numbers up to here are float32


@dataclass(frozen=True)
class Description:
    """What a description file says, its keys being these fields.

    Parameters
    ----------
    source
        The data, relative to the description: a `.parquet` file, or text with a header (`.csv`, `.tsv`, also
        packed as `.csv.gz` or `.csv.zst`), separated by comma, semicolon, tab or `|`; a folder of either; a
        pattern, as in `{ glob = "day=*/part-*.parquet" }`; or a list of these.
    name
        What the data set is called; by default the name of the description file without its suffix.
    grade
        A column, or an SQL expression over columns, with the values 0, 1, 2, and 3 where the conversion of a
        click is open.
    click, conversion
        Two of these instead of the grade, true or 1 where it happened, e.g. `is_click = 1 and is_like = 1`.
        Where the conversion of a click is missing, it is open.
    settled
        A column or an SQL expression, true or 1 where a click had the time to convert, e.g. `click_time <
        date '2026-11-01'`. The conversion of any other click is open, also where it has come already.
    group, time
        Columns: the search, page or user; and a whole number, date or time that sorts.
    time_format
        How the texts of the time column are to be read where they are not ISO 8601, in the letters of
        `strftime`, as in `%d/%m/%Y %H:%M`.
    categorical
        Columns that are codes, whatever their type. Columns of strings always are, but for dates or times
        and, in a text file, what is mostly numbers: they are refused unless they are listed here.
    ignore
        Columns that are not features, such as those known only after the exposure.
    rare
        Training rows that a category needs for a code of its own; the others share one, and so do values that
        come later. By default every category has its own.
    relative
        Numerical columns that get two features more, their rank in the group and their difference from its
        median: `gbdt_pwiser.data.relative`.
    position
        The column of places on the page, which nobody knows before serving. It is no feature, unless
    position_at_serving
        is given: then training learns it as a number, and validation, test and `predict` take this number
        for it.
    missing
        Words that are missing values, besides an empty field; by default `NA`, `null` and the like in a text
        file, and none in Parquet, which has nulls.
    split
        `by` and `fractions`, as in `gbdt_pwiser.data.split`.

    Notes
    -----
    Every other column is a numerical feature, but for those the label is made of, which never are, and the
    group and time, which only are if listed as categorical.
    """

    source: str | list[str | dict[str, str]] | dict[str, str]
    name: str
    grade: str | None = None
    click: str | None = None
    conversion: str | None = None
    settled: str | None = None
    group: str | None = None
    time: str | None = None
    time_format: str | None = None
    categorical: list[str] = field(default_factory=list)
    ignore: list[str] = field(default_factory=list)
    rare: int | None = None
    relative: list[str] = field(default_factory=list)
    position: str | None = None
    position_at_serving: int | None = None
    missing: list[str] | None = None
    split: dict[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> dict[str, str]:
        """The label keys that are given, with their columns or expressions."""
        given = {key: getattr(self, key) for key in ("grade", "click", "conversion", "settled")}
        return {key: text for key, text in given.items() if text is not None}


def read_description(path: Path) -> Description:
    """Read a description; InputError where a key is missing, unknown or of the wrong kind."""
    try:
        stored = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError("there is no such file; give the path of a description") from None
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror}); give the path of a description") from error
    except (ValueError, RecursionError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"not a TOML file ({reason}); correct it") from error
    check_known(stored, [f.name for f in fields(Description)], "keys")
    for key, value in stored.items():
        kind, wanted = KINDS.get(key, (str, "a string"))
        fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        if not fits or (kind is list and not all(isinstance(v, str) for v in value)):
            raise InputError(f"{key} is {value!r}; make it {wanted}")
    if "rare" in stored and (isinstance(stored["rare"], bool) or not 1 <= stored["rare"] <= LARGEST):
        raise InputError(f"rare is {stored['rare']!r}; make it {KINDS['rare'][1]}")
    if "source" not in stored:
        raise InputError("there is no source; name the Parquet or CSV file, source = 'exposures.parquet'")
    _check_source(stored["source"])
    described = Description(**{"name": path.stem, **stored})
    if not described.name.strip() or not described.name.isprintable() or "/" in described.name:
        raise InputError(f"name is {described.name!r}; make it a printable text without a slash")
    labels = [key for key in described.labels if key != "settled"]
    if labels not in (["grade"], ["click", "conversion"]):
        raise InputError(
            f"the label is given by {' and '.join(labels) or 'nothing'}; "
            "give either grade, or click and conversion"
        )
    _check_time_format(described)
    _check_page(described)
    check_known(described.split, ["by", "fractions"], "split keys")
    return described


def _check_source(source: Any) -> None:
    """Refuse what is no path, pattern, or list of these."""
    for each in source if isinstance(source, list) else [source]:
        if not isinstance(each, str | dict):
            raise InputError(f"source is {source!r}; make it {KINDS['source'][1]}")
        if isinstance(each, str):
            continue
        if "storage_options" in each or "credential_provider" in each:
            raise InputError(
                "source has storage options, and a description holds no credentials; set them in the "
                "environment (AWS_ACCESS_KEY_ID and so on)"
            )
        check_known(each, ["glob"], "source keys")
        if not isinstance(each.get("glob"), str):
            raise InputError(f"source is {source!r}; make its glob a string, as in 'day=*/part-*.parquet'")


def _check_time_format(described: Description) -> None:
    wanted = described.time_format
    if wanted is None:
        return
    if described.time is None:
        raise InputError(f"time_format is {wanted!r} and there is no time; name the column it is of")
    if "%" not in wanted:
        raise InputError(f"time_format is {wanted!r}; write it as in '%d/%m/%Y %H:%M'")
    if "%Z" in wanted:
        raise InputError(
            f"time_format is {wanted!r}, and the name of a time zone (%Z) gives no offset; store the offset "
            "(%z), or times in UTC"
        )


def _check_page(described: Description) -> None:
    relative, served = described.relative, described.position_at_serving
    if relative and described.group is None:
        raise InputError(
            f"relative is {', '.join(relative)} and there is no group; name the column that says which rows "
            "are of one page"
        )
    if doubled := [name for name, count in Counter(relative).items() if count > 1]:
        raise InputError(f"relative names {', '.join(doubled)} more than once; name each column once")
    if served is not None and described.position is None:
        raise InputError(
            f"position_at_serving is {served} and there is no position; name the column it is of"
        )
    if served is not None and abs(served) > _EXACT:
        raise InputError(f"position_at_serving is {served}; give a place on the page, as 1")


def split_options(split: Mapping[str, Any]) -> SplitOptions:
    """Return what the `split` table says; InputError where it breaks a rule."""
    fractions = split.get("fractions", FRACTIONS)
    try:
        shares = tuple(float(share) for share in fractions if not isinstance(share, bool | str))
        if len(shares) != len(fractions):
            raise TypeError
    except (TypeError, OverflowError):
        raise InputError(
            f"split.fractions is {fractions!r}; give three numbers, e.g. {list(FRACTIONS)}"
        ) from None
    return SplitOptions(split.get("by", "auto"), shares)


def check_known(names: Iterable[str], known: Sequence[str], what: str) -> None:
    """Raise InputError for names that are none of the known ones."""
    unknown = list(dict.fromkeys(name for name in names if name not in known))
    if unknown:
        hint = did_you_mean(unknown, known) or f"known: {', '.join(known)}"
        raise InputError(f"unknown {what} {', '.join(unknown)}; {hint}")
