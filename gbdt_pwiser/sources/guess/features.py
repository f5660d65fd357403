"""Which columns of a sample are categorical, and which are no features, and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.leaks import FEWEST
from gbdt_pwiser.sources.guess.column import Column, told
from gbdt_pwiser.sources.guess.copies import Copies
from gbdt_pwiser.sources.guess.labels import BOUGHT, ENGAGED, follows
from gbdt_pwiser.sources.guess.places import is_date
from gbdt_pwiser.sources.text.values import Look

MOST_CODES: Final = 255
"""Values of a code beyond which it is left out: LightGBM has as many bins."""
FEW_ROWS: Final = 5_000
"""Rows below which neither one value nor very many say anything of a published code."""
CODES: Final = {
    *(
        "id",
        "ids",
        "code",
        "codes",
        "cat",
        "cats",
        "cate",
        "category",
        "categorical",
        "class",
        "type",
        "kind",
    ),
    *(
        "tab",
        "tag",
        "tags",
        "onehot",
        "brand",
        "brands",
        "channel",
        "gender",
        "sex",
        "country",
        "city",
        "region",
    ),
    *(
        "province",
        "state",
        "zip",
        "zipcode",
        "language",
        "lang",
        "os",
        "browser",
        "device",
        "site",
        "app",
        "shop",
    ),
    *(
        "store",
        "seller",
        "author",
        "campaign",
        "advertiser",
        "creative",
        "publisher",
        "slot",
        "segment",
        "hash",
    ),
    *("item", "video", "music", "sku", "product", "ad", "adgroup", "user", "cid", "pid", "uid", "mid", "iid"),
}
"""Words of which the last one in a name, its number apart, makes whole numbers codes."""
SPLITS: Final = {
    "split",
    "fold",
    "partition",
    "subset",
    "dataset",
    "is_train",
    "is_test",
    "is_valid",
    "is_val",
}
POSITIONS: Final = {
    "position",
    "pos",
    "rank",
    "ranking",
    "slot",
    "place",
    "display_position",
    "item_position",
}
OFTEN: Final = 0.1
"""Of rows where something known only later happened, at most this part of the usual share is unclicked."""

BY_NAME: Final = "by its name known only after the exposure"
ON_PAGE: Final = "its place on the page is not known before serving"
BY_HEART: Final = "trees learn such ids by heart"
DOUBTS: Final = {
    BY_NAME: "ignored for the name alone; is it really known only after the exposure?",
    ON_PAGE: "taken for the place on the page, which is not known before serving, and ignored; see position",
    BY_HEART: "ignored, with too many values for trees; networks may use them as categorical",
}

_FAMILY: Final = re.compile(r"^(\d+(_\d+)*|(categorical|category|cat|cate|c|onehot_feat|onehot|code)_?\d+)$")
_LENGTH: Final = r"(time|times|duration|ms|sec|secs|second|seconds|ratio|rate|pct|percent|length|progress)"
_AFTER: Final = re.compile(
    rf"(^|_)(play|played|playing|watch|watched|stay|view|viewing|read|reading)_{_LENGTH}(_|$)"
    r"|(^|_)dwell(_|$)|(^|_)(long|short|effective|valid|complete|full)_(view|viewed|play|watch)(_|$)"
    r"|(^|_)(profile_enter|enter_profile)(_|$)|(^|_)(is|has)_(hate|hated|dislike|disliked|report|complain)(_|$)"
    r"|^(hate|dislike|complain|complaint)$"
    r"|(^|_)(click|clicked|conversion|convert|purchase|buy|order|pay|payment|install)"
    r"_(time|timestamp|ts|date|day|at|delay|value|amount|price|revenue|id)(_|$)"
    r"|(^|_)(gmv|revenue|payout)(_|$)"
)
_HISTORY: Final = re.compile(
    r"(^|_)(avg|average|mean|median|std|hist|history|historical|past|prev|previous|last|recent|cum|ctr|cvr"
    r"|\d+(d|h|w|m)|\d*days?|\d*hours?|\d*weeks?)(_|$)"
)


@dataclass(frozen=True)
class Roles:
    """What becomes of the columns that are neither label, group nor time.

    Attributes
    ----------
    categorical
        Per column of codes or texts, what to say beside it.
    ignored
        Per column that is no feature, the reason.
    numbers
        The others.
    unsure
        What may be wrong.
    """

    categorical: dict[Column, str]
    ignored: dict[Column, str]
    numbers: list[Column]
    unsure: list[str]


@dataclass(frozen=True)
class Known:
    """What was found before the features."""

    label: Sequence[Column]
    click: NDArray[np.bool_]
    group: Column | None
    time: Column | None
    has_types: bool


def sort_features(columns: Mapping[str, Column], known: Known) -> Roles:
    """Sort the columns that are left into codes, numbers and what is no feature."""
    placed = [column for column in (*known.label, known.group, known.time) if column is not None]
    copies = Copies(columns.values(), first=placed)
    roles = Roles({}, {}, [], [])
    reasons: list[Callable[[Column], str | None]] = [
        _no_value_for_a_model,
        _constant,
        copies.reason,
        _date,
        _of_the_split,
        lambda column: _known_later(column, known),
        lambda column: _place(column, known.group),
        lambda column: None if known.has_types else _spoilt(column, roles.unsure),
        _too_many,
    ]
    for column in columns.values():
        if column in placed:
            continue
        reason = next((found for find in reasons if (found := find(column))), None)
        if reason:
            roles.ignored[column] = reason
        elif column.is_text or is_code(column):
            roles.categorical[column] = _counted(column)
        else:
            roles.numbers.append(column)
    _doubt(roles, len(next(iter(columns.values())).values))
    return roles


def is_code(column: Column) -> bool:
    """Return whether whole numbers are codes by the name of their column."""
    if not column.is_whole:
        return False
    if _FAMILY.match(column.snake):
        return True
    words = [word for word in (re.sub(r"\d+$", "", word) for word in column.words) if word]
    return bool(words) and words[-1] in CODES and words[0] not in ("is", "has")


def _counted(column: Column) -> str:
    values = f"{column.distinct:,} value{'s' * (column.distinct != 1)}"
    return f"{values}, {_share(column.missing)} missing" if column.missing else values


def _share(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "under 0.1%"


def _no_value_for_a_model(column: Column) -> str | None:
    dtype = column.values.dtype
    if not (column.is_number or column.is_text or dtype.is_temporal()):
        return f"{dtype}, which is neither a number nor a text"
    if column.is_number and dtype != pl.Null:
        size = np.abs(column.numbers)
        if np.isinf(size).any() or np.nanmax(size, initial=0) > np.finfo(np.float32).max:
            return "infinite, or too large for a feature"
    return None


def _constant(column: Column) -> str | None:
    if _is_published(column) and column.distinct:
        return None
    if column.distinct == 0:
        return "always missing"
    return "constant" if column.distinct == 1 and not column.missing else None


def _is_published(column: Column) -> bool:
    """Whether a column is one of a numbered family of codes, and there are too few rows to judge it."""
    return is_code(column) and bool(_FAMILY.match(column.snake)) and len(column.values) < FEW_ROWS


def _date(column: Column) -> str | None:
    return "a date or time: later rows have values that training has not" if is_date(column) else None


def _of_the_split(column: Column) -> str | None:
    named = column.snake in SPLITS and column.distinct <= 20
    return "says how somebody split the rows" if named else None


def _known_later(column: Column, known: Known) -> str | None:
    """Find what is known only after the exposure, by what happens with a click alone, and by name."""
    named = column.is_binary and (BOUGHT | ENGAGED) & {*column.words} and column.happened.any()
    if named and follows(column, known.click):
        return "follows the click: known only after the exposure"
    happened = column.happened
    unclicked = (~known.click)[happened]
    expected = len(unclicked) * (~known.click).mean()  # of so many, one in ten or fewer is no chance
    if expected >= FEWEST and not happened.all() and unclicked.sum() <= OFTEN * expected:
        seen = f"{1 - unclicked.mean():.1%} of {len(unclicked):,} rows with a value are clicked"
        return f"known only after the exposure: {seen}"
    if _AFTER.search(column.snake) and not _HISTORY.search(column.snake):
        return BY_NAME
    return None


def _place(column: Column, group: Column | None) -> str | None:
    """Find the position on the page: by its name, or since it numbers the rows of each group."""
    if not column.is_whole or column.values.dtype == pl.Boolean or not column.distinct:
        return None
    low, high = np.nanmin(column.numbers), np.nanmax(column.numbers)
    named = column.snake in POSITIONS and low >= 0 and high <= 1000
    if not named and not (0 <= low <= 1 and group is not None and _numbers_rows(column, group)):
        return None
    return ON_PAGE


def _numbers_rows(column: Column, group: Column) -> bool:
    """Return whether, in nearly all groups of several rows, the values are 0, 1, 2... or 1, 2, 3..."""
    frame = pl.DataFrame({"group": group.values, "value": column.values})
    value = pl.col("value")
    groups = frame.group_by("group").agg(
        value.min().alias("low"), value.max().alias("high"), value.n_unique().alias("values"), pl.len()
    )
    several = groups.filter(pl.col("len") > 1)
    if several.height < FEWEST:
        return False
    in_order = (pl.col("values") == pl.col("len")) & (pl.col("high") - pl.col("low") + 1 == pl.col("len"))
    return several.select((in_order & (pl.col("low") <= 1)).mean()).item() >= 0.95  # type: ignore[no-any-return]


def _too_many(column: Column) -> str | None:
    rows = len(column.values)
    if column.is_text or is_code(column):
        if _is_published(column):
            return None
        if column.distinct > MOST_CODES or (column.distinct > 20 and column.rows_a_value < 2):
            return f"{column.distinct:,} values in {rows:,} rows: {BY_HEART}"
    elif column.values.dtype.is_integer() and column.distinct == rows > 20:
        steps = column.values.diff().drop_nulls()
        if steps.min() == steps.max():
            return "numbers the rows"
    return None


def _spoilt(column: Column, unsure: list[str]) -> str | None:
    if not column.is_text or not (look := Look.of(column.values)).mostly_numbers:
        return None
    _, spoilt = look.first[0]
    unsure.append(
        f"{column.shown} has numbers, and texts such as {spoilt!r}; correct these, or list them in "
        "missing, and take it out of ignore"
    )
    return f"numbers but for some rows, as {spoilt!a}"


def _doubt(roles: Roles, rows: int) -> None:
    for reason, doubt in DOUBTS.items():
        if columns := [column for column, told_of in roles.ignored.items() if told_of.endswith(reason)]:
            roles.unsure.append(f"{told(columns)}: {doubt}")
    if rows < FEW_ROWS and any(map(_is_published, roles.categorical)):
        roles.unsure.append(f"{rows:,} rows tell little of codes: all with a number in the name are kept")
