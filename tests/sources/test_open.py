"""Conversions that are not decided yet: said by a description, and simulated."""

import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdt_pwiser.data.prepared import Counts, Schema, load_prepared, write_part
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.inputs import OPEN
from gbdt_pwiser.sources import simulate
from gbdt_pwiser.sources.labels import MISSING, graded, left_open
from tests.sources.test_described import load, refused

DAYS = [None if day is None else datetime.date(2026, 10, day) for day in (None, 1, 2, 30, 31, 30)]
FRAME = pl.DataFrame(
    {
        "clicked": [0, 1, 1, 1, 1, 1],
        "bought": [None, 0, 1, 0, 1, None],
        "x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "click_day": DAYS,
    }
)
BASE = 'click = "clicked"\nconversion = "bought"\nignore = ["click_day"]\n'


# ------------------------------------------------------------------------------ a description


@pytest.mark.parametrize("source", ["shown.parquet", "shown.csv"])
def test_a_missing_conversion_is_open_where_there_is_a_click(tmp_path: Path, source: str) -> None:
    exposures = load(tmp_path, BASE, FRAME, source).exposures
    assert exposures.grade.tolist() == [0, 1, 2, 1, 2, OPEN]
    assert exposures.features.columns == ["x"]


@pytest.mark.parametrize(
    ("values", "expression"),
    [
        ([None, 0.0, 1.0, 0.0, 1.0, float("nan")], "bought"),
        ([None, False, True, False, True, None], "bought"),
        ([None, 0, 1, 0, 1, None], "bought = 1"),
        ([0, 0, 3, 0, 4, None], "bought > 2 and clicked = 1"),
    ],
)
def test_missing_values_of_every_kind(tmp_path: Path, values: list[object], expression: str) -> None:
    frame = FRAME.with_columns(bought=pl.Series(values, strict=False))
    text = f'click = "clicked"\nconversion = "{expression}"\nignore = ["click_day"]\n'
    assert load(tmp_path, text, frame).exposures.grade.tolist() == [0, 1, 2, 1, 2, OPEN]


def test_no_conversion_known_at_all(tmp_path: Path) -> None:
    frame = FRAME.with_columns(bought=pl.Series([None] * 6))
    assert load(tmp_path, BASE, frame).exposures.grade.tolist() == [0, *[OPEN] * 5]


@pytest.mark.parametrize(
    ("settled", "source"),
    [
        ("click_day < date '2026-10-30'", "shown.parquet"),
        ("click_day + interval '2 days' < date '2026-11-01'", "shown.parquet"),
        ("click_day < date '2026-10-30'", "shown.csv"),
        ("click_day < timestamp '2026-10-29 12:00:00'", "shown.csv"),
        ("x < 4", "shown.parquet"),
    ],
)
def test_clicks_that_are_not_settled_are_open_even_if_they_converted(
    tmp_path: Path, settled: str, source: str
) -> None:
    frame = FRAME.with_columns(y=pl.lit(0.5))
    exposures = load(tmp_path, f'{BASE}settled = "{settled}"\n', frame, source).exposures
    assert exposures.grade.tolist() == [0, 1, 2, OPEN, OPEN, OPEN]
    # What it is made of is no feature: it is known only after the exposure.
    assert exposures.features.columns == (["y"] if settled == "x < 4" else ["x", "y"])


def test_a_grade_can_be_open_and_be_settled(tmp_path: Path) -> None:
    frame = FRAME.with_columns(level=pl.Series([0, 1, 2, 3, 2, 1]), done=pl.Series([0, 1, 1, 1, 0, 0]))
    text = 'grade = "level"\nignore = ["click_day", "bought", "clicked"]\n'
    assert load(tmp_path, text, frame).exposures.grade.tolist() == [0, 1, 2, OPEN, 2, 1]
    settled = load(tmp_path, text + 'settled = "done"\n', frame).exposures.grade
    assert settled.tolist() == [0, 1, 2, OPEN, OPEN, OPEN]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            BASE + 'settled = "bought = 1"',
            "settled is missing for 1 clicks (the first is in row 6); drop them",
        ),
        (BASE + 'settled = "x"', "settled = 'x' is not 0 or 1 in 5 rows (the first is row 2: 2.0)"),
        (BASE + 'settled = "click_day"', "settled = 'click_day' is Date; write an expression"),
        (
            BASE + "settled = \"click_day < '2026-10-30'\"",
            "compare numbers, as in column = 1, or dates, as in column < date '2026-12-31'",
        ),
        (BASE + 'settled = "click_dy < 5"', "unknown columns click_dy; did you mean click_day?"),
        (BASE + "settled = true", "settled is True; make it a string"),
        ('settled = "x < 4"\n', "the label is given by nothing; give either grade, or click and conversion"),
        ('click = "bought"\nconversion = "bought"\n', "click = 'bought' is not 0 or 1 in 2 rows"),
        ('grade = "bought"\n', "grade = 'bought' is not 0, 1, 2 or 3 in 2 rows (the first is row 1: None)"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in refused(tmp_path, text, FRAME)


labels = st.lists(st.sampled_from([(c, v, s) for c in (0, 1) for v in (0, 1, -1) for s in (0, 1, -1)]))


@given(labels)
def test_grades_row_by_row(drawn: list[tuple[int, int, int]]) -> None:
    rows = [(c, v, s) for c, v, s in drawn if (c or v != 1) and not (c and s == MISSING)]
    click, conversion, settled = (np.array([row[i] for row in rows], dtype=np.int8) for i in range(3))
    grade = left_open(graded(click, conversion), settled)
    assert grade.dtype == np.int8
    for (c, v, s), g in zip(rows, grade.tolist(), strict=True):
        assert g == (0 if not c else OPEN if v == MISSING or not s else 1 + v)


# ------------------------------------------------------------------------------ prepared sets


def test_a_prepared_set_counts_them_and_reads_old_counts(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"search_id": [1, 2, 3, 4], "grade": [0, 3, 2, 3], "a": [0.0] * 4},
        schema={"search_id": pl.Int64, "grade": pl.Int8, "a": pl.Float32},
    )
    schema = Schema("toy", (), ("a",), Counts(0, 0, 0), Counts(0, 0, 0))
    counts = [
        write_part([frame], tmp_path / f"{part}.parquet", schema.columns, Path("x"))
        for part in ("train", "test")
    ]
    assert counts == [Counts(4, 3, 1, open=2)] * 2
    Schema("toy", (), ("a",), *counts).write(tmp_path)
    assert Schema.read(tmp_path).train.open == 2
    exposures = load_prepared(tmp_path)
    assert exposures.grade.tolist() == [0, 3, 2, 3] * 2
    assert exposures.open.sum() == 4
    text = (tmp_path / "schema.json").read_text()
    (tmp_path / "schema.json").write_text(text.replace('"dropped": 0,\n    "open": 2', '"dropped": 0'))
    assert Schema.read(tmp_path).train == Counts(4, 3, 1)


# ------------------------------------------------------------------------------ simulation

DIALS = {"ctr": 0.3, "cvr": 0.4, "days": 10}


def test_a_delay_changes_nothing_but_what_is_known_of_conversions() -> None:
    plain, late = simulate(8000, **DIALS), simulate(8000, delay=0.5, **DIALS)
    assert plain.exposures.features.equals(late.exposures.features)
    np.testing.assert_array_equal(plain.exposures.click, late.exposures.click)
    np.testing.assert_array_equal(plain.exposures.grade, late.outcomes.grade_at(np.inf))
    assert plain.exposures.time is None
    assert np.unique(late.exposures.time).tolist() == list(range(10))
    drifting, late_too = (simulate(3000, drift=0.5, delay=delay, **DIALS) for delay in (0.0, 0.5))
    np.testing.assert_array_equal(drifting.exposures.time, late_too.exposures.time)
    assert drifting.exposures.features.equals(late_too.exposures.features)


def test_what_a_log_shows_row_by_row() -> None:
    simulation = simulate(4000, delay=0.8, **DIALS)
    outcomes, grade = simulation.outcomes, simulation.exposures.grade
    naive = simulate(4000, delay=0.8, open_as="none", **DIALS).exposures.grade
    assert {0, 1, 2, OPEN} == set(grade.tolist())
    columns = (outcomes.click, outcomes.conversion, outcomes.moment, outcomes.delay)
    for row, (click, conversion, moment, delay) in enumerate(zip(*columns, strict=True)):
        came = conversion and moment + delay <= 10
        assert naive[row] == int(click) + int(came)
        assert grade[row] == (OPEN if click and moment + 3 * 0.8 > 10 else int(click) + int(came))
        assert not (click and moment + 3 * 0.8 <= 10) or came == conversion  # a settled click is decided


def test_delays_are_exponential_up_to_the_window() -> None:
    delay = simulate(40_000, delay=2.0, **DIALS).outcomes.delay
    assert 0 <= delay.min() <= delay.max() <= 6
    for quantile in (0.1, 0.5, 0.9):
        expected = -2 * np.log(1 - quantile * (1 - np.exp(-3)))
        assert np.quantile(delay, quantile) == pytest.approx(expected, abs=0.05)


def test_a_split_without_anything_decided_says_so() -> None:
    from gbdt_pwiser.data import Dataset

    with pytest.raises(InputError, match=r"0 conversions \([0-9]+ open\), and needs"):
        Dataset(simulate(4000, delay=3.0, **DIALS).exposures).split()
