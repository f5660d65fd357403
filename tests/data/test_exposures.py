"""Exposures in memory: their labels, their matrix, and the rules that they keep."""

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.objectives import InputError

GRADE = np.array([0, 1, 2], dtype=np.int8)
FEATURES = pl.DataFrame(
    {"number": [0.5, None, float("nan")], "code": [3, None, 0]},
    schema={"number": pl.Float32, "code": pl.Int32},
)


def make(**changes: object) -> Exposures:
    given = {"name": "toy", "features": FEATURES, "grade": GRADE, "categorical": ("code",)} | changes
    return Exposures(**given)  # type: ignore[arg-type]


def test_grade_gives_click_and_conversion() -> None:
    assert make().click.tolist() == [False, True, True]
    assert make().conversion.tolist() == [False, False, True]
    assert len(make()) == 3


def test_matrix_has_codes_as_numbers_and_missing_as_nan() -> None:
    matrix = make().matrix()
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    nan = np.nan
    np.testing.assert_array_equal(matrix, np.array([[0.5, 3], [nan, nan], [nan, 0]], dtype=np.float32))


@pytest.mark.parametrize("rows", [np.array([2, 0]), np.array([True, False, True])])
def test_take_takes_every_column(rows: np.ndarray) -> None:
    time, group = np.array([30, 20, 10]), np.array([7, 8, 9])
    flag = np.array([True, False, False])
    taken = make(time=time, group=group, in_test=flag, noise_free_click=~flag).take(rows)
    index = np.flatnonzero(rows) if rows.dtype == bool else rows
    assert taken.grade.tolist() == GRADE[index].tolist()
    assert taken.time.tolist() == time[index].tolist()
    assert taken.group.tolist() == group[index].tolist()
    assert taken.in_test.tolist() == flag[index].tolist()
    assert taken.noise_free_click.tolist() == (~flag)[index].tolist()
    assert taken.features["code"].to_list() == [FEATURES["code"][int(i)] for i in index]


def test_no_rows_are_allowed() -> None:
    assert len(make().take(np.zeros(3, dtype=bool))) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"grade": GRADE[:2]},
            r"grade has shape \(2,\) and type int8; give one int8 per exposure, shape \(3,\)",
        ),
        ({"grade": GRADE.astype(np.int64)}, "grade has shape .* and type int64"),
        ({"grade": GRADE + np.int8(2)}, r"1 grades are outside 0, 1, 2, 3 \(the first is 4\)"),
        ({"grade": GRADE - np.int8(1)}, r"1 grades are outside 0, 1, 2, 3 \(the first is -1\)"),
        ({"group": np.arange(3.0)}, "group has shape .* and type float64"),
        ({"time": np.arange(4)}, r"time has shape \(4,\)"),
        ({"in_test": np.arange(3)}, "in_test has shape .* and type int64; give one bool"),
        ({"categorical": ("code", "shop")}, "categorical names no feature column: shop"),
        ({"categorical": ()}, "feature code is Int32; make it Float32"),
        ({"categorical": ("code", "number")}, "feature number is Float32; make it Int32"),
        (
            {"features": FEATURES.with_columns(number=pl.lit(-np.inf, pl.Float32))},
            "infinite values in number",
        ),
    ],
)
def test_broken_rules_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=f"toy: {message}"):
        make(**changes)
