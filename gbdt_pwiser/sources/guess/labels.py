"""Which columns of a sample say what was clicked and what converted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.leaks import FEWEST
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.description import check_known
from gbdt_pwiser.sources.guess.column import Column, told

CLICK: Final = {"click", "clicks", "clicked", "clk", "isclick", "click_label", "label_click", "ctr_label"}
BOUGHT: Final = {
    *("conversion", "conversions", "converted", "convert", "cv", "cvr", "purchase", "purchased", "buy"),
    *("bought", "order", "ordered", "pay", "paid", "payment", "sale", "transaction", "install", "installed"),
    *("subscribe", "subscribed", "signup", "deposit", "booking", "booked", "lead", "attribution"),
}
ENGAGED: Final = {
    *("like", "liked", "follow", "followed", "comment", "commented", "forward", "share", "shared"),
    *("favorite", "favourite", "fav", "collect", "save", "cart", "atc", "wishlist", "download", "repost"),
}
NOT: Final = {
    "no",
    "non",
    "not",
    "un",
    "is_not",
    "before",
    "ever",
    "prev",
    "previous",
    "last",
    "past",
    "hist",
}
LABEL: Final = {"label", "target", "y"}
GRADE: Final = {"grade", "label", "target", "relevance", "y", "rating", "action", "behavior", "behaviour"}


@dataclass(frozen=True)
class Labels:
    """What was found of the label.

    Attributes
    ----------
    keys
        `grade`, or `click` and `conversion`, as in a description.
    notes
        What to say beside them.
    grade
        int8 (n,) of the rows of the sample.
    columns
        The columns that the label is made of.
    unsure
        What may be wrong.
    """

    keys: dict[str, str]
    notes: dict[str, str]
    grade: NDArray[np.int8] = field(repr=False)
    columns: tuple[Column, ...]
    unsure: list[str]


def find_labels(
    columns: Mapping[str, Column], *, click: str | None, conversion: str | None, whole: bool
) -> Labels:
    """Find the label; InputError where there is none, or columns cannot be told apart.

    Parameters
    ----------
    columns
        Of the sample.
    click, conversion
        Columns that are known to be those.
    whole
        Whether the sample is all there is: else a conversion without a click may be in the rest.
    """
    clicked = _asked("click", click, columns) if click is not None else _click(columns)
    if clicked is None:
        graded = [c for c in columns.values() if c.is_grade and GRADE & {*c.words}]
        if len(graded) == 1 and conversion is None:
            return _graded(graded[0])
        clicked = next((c for c in columns.values() if c.is_binary and c.snake in LABEL), None)
    if clicked is None:
        looked = [c for c in columns.values() if c.is_binary]
        raise InputError(
            f"no column looks like the click (columns of 0 and 1: {told(looked) or 'none'}; all: "
            f"{told(columns.values())}); name it with --click COLUMN, and the conversion with "
            "--conversion COLUMN"
        )
    unsure: list[str] = []
    if clicked.snake in LABEL and click is None:
        unsure.append(
            f"{clicked.shown} is taken for the click by its name alone; --click COLUMN names another"
        )
    if conversion is not None:
        converted = [_asked("conversion", conversion, columns)]
        if converted[0] is clicked:
            raise InputError(f"{conversion} cannot be both click and conversion; name two columns")
    else:
        converted = _conversions(columns, clicked, unsure)
    return _joined(clicked, converted, unsure, whole=whole)


def truth(column: Column) -> str:
    """Return the SQL condition that a column of 0 and 1 is 1; a missing value is none."""
    name, is_boolean = _sql_name(column.name), column.values.dtype == pl.Boolean
    if column.missing:
        return f"coalesce({name}, false)" if is_boolean else f"coalesce({name}, 0) = 1"
    return name if is_boolean else f"{name} = 1"


def _asked(role: str, name: str, columns: Mapping[str, Column]) -> Column:
    check_known([name], list(columns), f"columns for --{role}:")
    if not columns[name].is_binary:
        raise InputError(f"--{role} is {name}, which has other values than 0 and 1; name a column of those")
    return columns[name]


def _click(columns: Mapping[str, Column]) -> Column | None:
    """Return the one column that is the click by name; None where none is."""
    offered = [c for c in columns.values() if c.is_binary and not NOT & {*c.words}]
    after = BOUGHT | ENGAGED
    exact = [c for c in offered if c.snake.removeprefix("is_") in CLICK]
    found = exact or [c for c in offered if CLICK & {*c.words} and not after & {*c.words}]
    first = found[0] if found else None
    if others := [c for c in found[1:] if not _same(c, found[0])]:
        raise InputError(
            f"{told([found[0], *others])} could each be the click; choose one with --click COLUMN"
        )
    return first


def _conversions(columns: Mapping[str, Column], click: Column, unsure: list[str]) -> list[Column]:
    """Return the columns of which each one is a conversion where it is 1."""
    offered = [c for c in columns.values() if c.is_binary and c is not click and not NOT & {*c.words}]
    # The click under another name is none, but all of few clicks may well have converted.
    offered = [c for c in offered if not (_same(c, click) and CLICK & {*c.words})]
    for names, what in ((BOUGHT, "conversions"), (ENGAGED, "engagement")):
        named = [c for c in offered if names & {*c.words}]
        found = [c for c in named if follows(c, click.happened)]
        if odd := [c for c in named if c not in found]:
            unsure.append(
                f"{told(odd)}: no conversion although the name says so, since mostly without a click"
            )
        if not found:
            continue
        if len(found) > 1 or what == "engagement":
            unsure.append(
                f"a conversion is taken to be any of {told(found)}; --conversion COLUMN makes it one of them"
            )
        return found
    raise InputError(
        f"{click.shown} is the click, and no column looks like the conversion (others of 0 and 1: "
        f"{told(offered) or 'none'}); name it with --conversion COLUMN"
    )


def follows(column: Column, click: NDArray[np.bool_]) -> bool:
    """Return whether a column of 0 and 1 is at most half as often unclicked where it is 1 as anywhere.

    A conversion follows a click; a property of the user with the same name does not. Fewer than `FEWEST` rows
    tell neither, and the name decides.
    """
    unclicked = ~click[column.happened]
    return len(unclicked) < FEWEST or bool(unclicked.mean() <= 0.5 * (~click).mean())


def _same(column: Column, other: Column) -> bool:
    return bool((column.happened == other.happened).all())


def _graded(column: Column) -> Labels:
    grade = column.numbers.astype(np.int8)
    return Labels(
        {"grade": column.name}, {"grade": "0 impression, 1 click, 2 conversion"}, grade, (column,), []
    )


def _joined(click: Column, converted: list[Column], unsure: list[str], *, whole: bool) -> Labels:
    clicks, conversions = click.happened, np.logical_or.reduce([c.happened for c in converted])
    alone = int((conversions & ~clicks).sum())
    notes = {"click": f"{clicks.mean():.2%} of the rows"}
    conditions = [truth(c) for c in converted]
    text = " or ".join(conditions)
    any_of = f"({text})" if len(conditions) > 1 else text
    if len(converted) == 1 and not converted[0].missing:
        text = converted[0].name
    if alone or not whole:
        text = f"{truth(click)} and {any_of}"
        notes["conversion"] = (
            f"{alone:,} rows have one without a click, and count as impressions"
            if alone
            else "the click stands in it, since rows that were not looked at may have one without"
        )
    if 2 * alone > conversions.sum():
        unsure.append(f"most rows with {told(converted)} have no click; is {click.shown} the click?")
    for column in (click, *converted):
        if column.missing:
            unsure.append(f"{column.shown} is missing in {column.missing:.1%} of the rows; that counts as 0")
    grade = clicks.astype(np.int8) + (clicks & conversions)
    keys = {"click": truth(click) if click.missing else click.name, "conversion": text}
    return Labels(keys, notes, grade.astype(np.int8), (click, *converted), unsure)


def _sql_name(name: str) -> str:
    """Return a name as SQL has it: in quotes where it is a word of SQL, or no plain word."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        try:
            if pl.sql_expr(f"{name} = 1").meta.root_names() == [name]:
                return name
        except pl.exceptions.PolarsError:
            pass
    return '"' + name.replace('"', '""') + '"'
