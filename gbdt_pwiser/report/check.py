"""What is seen of a data set before anything is trained, on one screen."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator

from gbdt_pwiser.evaluation.check import Check, Part
from gbdt_pwiser.metrics.drift import Drift
from gbdt_pwiser.report.table import format_estimate
from gbdt_pwiser.significance.power import AUC, CORRELATION

WIDTH = 110
MOST_NAMES = 8


def format_check(check: Check) -> str:
    """Print what `check` found as plain text."""
    lines = list(check_lines(check))
    head = f"{check.name}: {check.features} features, {check.categorical} of them categorical"
    wrapped = [part for line in lines for part in textwrap.wrap(line, WIDTH, subsequent_indent="  ") or [""]]
    return "\n".join([head, "", *_table(check.parts), "", *wrapped])


def part_rows(parts: tuple[Part, ...]) -> list[list[str]]:
    """Lay out counts and rates: a heading, and a row per part."""
    grouped = parts[0].groups is not None
    some_open = any(part.open for part in parts)
    head = ["", "exposures", "clicks", *(["open"] if some_open else []), "conversions", "CTR", "per click"]
    head += ["groups"] if grouped else []
    rows = [head]
    for part in parts:
        undecided = [part.open] if some_open else []
        counts = [f"{n:,}" for n in (part.rows, part.clicks, *undecided, part.conversions)]
        rates = [_percent(part.click_rate), _percent(part.conversion_rate)]
        rows.append([part.name, *counts, *rates, *([f"{part.groups:,}"] if grouped else [])])
    return rows


def _table(parts: tuple[Part, ...]) -> list[str]:
    rows = part_rows(parts)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    ]


def check_lines(check: Check) -> Iterator[str]:
    """Say, a line each, what was found: its name, a colon, and what it is."""
    if check.refused:
        yield f"split: refused; {check.refused}"
    else:
        yield f"split: {'test as published, the others ' if check.published_test else ''}by {check.split_by}"
    if (groups := check.groups) is not None:
        told = (
            f"groups: {groups.mean_rows:.1f} exposures each; {_percent(groups.with_click)} have a click, "
            f"{_percent(groups.with_conversion)} a conversion"
        )
        if groups.across_parts is not None:
            told += f"; {groups.across_parts:,} have exposures in several parts"
        yield told
    leaks = [f"{leak.feature} (AUC {leak.auc:.4f} for the {leak.label})" for leak in check.leaks]
    yield f"features that give the label away: {_named(leaks)}{'; list them in ignore' if leaks else ''}"
    if check.drift is not None:
        yield _drift(check.drift)
    if not check.refused:
        unseen = [f"{found.feature} {_percent(found.share)}" for found in check.unseen]
        rarely = ", or too rarely for a code" if check.shares_codes else ""
        yield f"test rows with a category that train has not{rarely}: {_named(unseen)}"
    missing = [f"{found.feature} {_percent(found.share)}" for found in check.missing]
    yield f"numbers mostly missing on train: {_named(missing)}"
    yield f"numbers constant on train: {_named(list(check.constant))}"
    if check.ctr_auc is not None and check.conversion_auc is not None:
        yield (
            f"gain that test can show: {_gain(check.ctr_auc)} CTR AUC, {_gain(check.conversion_auc)} "
            "conversion AUC (two-sided 5 %, power 80 %), if models have an AUC of "
            f"{_gain(AUC, 1)} whose correlation over test samples is {_gain(CORRELATION, 1)}, and exposures "
            "are independent"
        )


def _drift(drift: Drift) -> str:
    rates = " ".join("–" if math.isnan(rate) else f"{100 * rate:.1f}" for rate in drift.rates)
    told = f"CTR in tenths of the range of time, in %: {rates}; "
    if math.isnan(drift.p_value):
        return told + "too few to tell whether it moves"
    moves = "moves beyond chance" if drift.p_value < 0.05 else "moves no more than by chance"
    return f"{told}{moves} (p {'< .001' if drift.p_value < 0.001 else _gain(drift.p_value, 3)})"


def _gain(value: float, decimals: int = 4) -> str:
    return format_estimate(value, math.nan, decimals)


def _named(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more if names else "none"


def _percent(share: float) -> str:
    if math.isnan(share):
        return "–"
    return f"{100 * share:.{2 if share < 0.1 else 1}f} %"
