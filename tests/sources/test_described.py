"""A user's own data: what becomes of labels, features, groups and times, and what is refused."""

import datetime
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Dataset
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import load_description
from tests.sources.helpers import shared_data

FRAME = pl.DataFrame(
    {
        "clicked": [1, 0, 1, 1],
        "bought": [True, False, False, True],
        "level": [2, 0, 1, 2],
        "price": [1.5, None, float("nan"), 4.0],
        "new": [True, False, True, None],
        "shop": ["b", None, "a", "b"],
        "brand": [30, 10, None, 30],
        "user": ["u9", "u1", "u1", "u9"],
        "seconds": [40, 30, 20, 10],
        "day": [datetime.date(2024, 1, d) for d in (4, 3, 2, 1)],
    }
)
LABEL = 'click = "clicked"\nconversion = "bought"\n'
BASE = LABEL + 'ignore = ["day"]\n'


def load(folder: Path, text: str, frame: pl.DataFrame = FRAME, source: str = "shown.parquet") -> Dataset:
    if source.endswith(".csv"):
        frame.write_csv(folder / source)
    else:
        frame.write_parquet(folder / source)
    path = folder / "toy.toml"
    path.write_text(f'source = "{source}"\n{text}')
    return load_description(path)


def refused(folder: Path, text: str, frame: pl.DataFrame = FRAME) -> str:
    with pytest.raises(InputError) as caught:
        load(folder, text, frame)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{folder / 'toy.toml'}: ")
    return message


@pytest.mark.parametrize("source", ["shown.parquet", "shown.csv"])
def test_columns_become_features(tmp_path: Path, source: str) -> None:
    text = BASE + 'group = "user"\ntime = "seconds"\ncategorical = ["brand"]\n'
    exposures = load(tmp_path, text, source=source).exposures
    assert exposures.name == "toy"
    assert exposures.grade.tolist() == [2, 0, 1, 2]
    assert exposures.features.columns == ["level", "price", "new", "shop", "brand"]
    assert exposures.categorical == ("shop", "brand")
    assert exposures.features["shop"].to_list() == [1, None, 0, 1]
    assert exposures.features["brand"].to_list() == [1, 0, None, 1]
    assert exposures.features["new"].to_list() == [1.0, 0.0, 1.0, None]
    assert exposures.group is not None
    assert exposures.group.tolist() == [1, 0, 0, 1]
    assert exposures.time is not None
    assert exposures.time.tolist() == [40, 30, 20, 10]


def test_group_is_a_feature_only_if_categorical(tmp_path: Path) -> None:
    exposures = load(tmp_path, BASE + 'group = "user"\ncategorical = ["user"]\n').exposures
    assert exposures.features["user"].to_list() == [1, 0, 0, 1]
    assert exposures.categorical == ("shop", "user")


def test_dates_can_be_the_time(tmp_path: Path) -> None:
    time = load(tmp_path, LABEL + 'time = "day"').exposures.time
    assert time is not None
    assert (time[:-1] - time[1:]).tolist() == [1, 1, 1]


MOMENTS = ["2024-01-05T10:00:00", "2024-01-05T09:00:00", "2023-12-31T23:59:59", "2024-01-05T10:00:01"]


def order(folder: Path, text: str, values: pl.Series | list[str], source: str = "shown.parquet") -> list[int]:
    """The rows in the order of their times."""
    frame = FRAME.with_columns(day=pl.Series(values))
    time = load(folder, LABEL + 'time = "day"\n' + text, frame, source).exposures.time
    assert time is not None
    assert len(set(time.tolist())) == len(time)
    return time.argsort().tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("source", ["shown.parquet", "shown.csv"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (MOMENTS, [2, 1, 0, 3]),
        (["2024-01-05", "2024-01-04", "2024-02-01", "2023-12-31"], [3, 1, 0, 2]),
        # Against the clock on the wall: the second is an hour before the first.
        (["2024-01-05T10:00:00Z", "2024-01-05T11:00+02:00", "2024-01-05T09:30Z", "2024-01-06T09:30+14:00"],
         [1, 2, 0, 3]),
        (pl.Series(MOMENTS, dtype=pl.Categorical), [2, 1, 0, 3]),
    ],
)  # fmt: skip
def test_iso_texts_are_the_time(
    tmp_path: Path, source: str, values: pl.Series | list[str], expected: list[int]
) -> None:
    assert order(tmp_path, "", values, source) == expected


@pytest.mark.parametrize("source", ["shown.parquet", "shown.csv"])
@pytest.mark.parametrize(
    ("time_format", "values"),
    [
        ("%d/%m/%Y", ["05/02/2024", "06/01/2024", "01/03/2024", "31/12/2023"]),
        ("%m/%d/%Y", ["02/05/2024", "01/06/2024", "03/01/2024", "12/31/2023"]),
        ("%d%m%Y", ["05022024", "06012024", "01032024", "31122023"]),
        ("%Y%m", ["202402", "202401", "202403", "202312"]),
        ("%d.%m.%y %H:%M", ["05.02.24 10:00", "05.02.24 09:59", "06.02.24 00:00", "04.02.24 23:59"]),
        ("%Y-%m-%d %H:%M %z", ["2024-02-05 10:00 +0000", "2024-02-05 11:00 +0200",
                               "2024-02-05 09:00 -0500", "2024-02-05 22:00 +1400"]),
    ],
)  # fmt: skip
def test_texts_of_a_given_format_are_the_time(
    tmp_path: Path, source: str, time_format: str, values: list[str]
) -> None:
    assert order(tmp_path, f'time_format = "{time_format}"\n', values, source) == [3, 1, 0, 2]


def test_whole_numbers_of_a_given_format_are_the_time(tmp_path: Path) -> None:
    values = pl.Series([20240205, 20240106, 20240301, 20231231])
    assert order(tmp_path, 'time_format = "%Y%m%d"\n', values) == [3, 1, 0, 2]


NAMES = ["^.*$", "*", "^$", "", 'a "b"', " a", "a,b", "a;b", "price[usd]", "age<18", "ctr:7d", "^s", "x\n"]


@pytest.mark.parametrize("source", ["shown.parquet", "shown.csv"])
@pytest.mark.parametrize("shift", range(len(NAMES)))
def test_a_name_is_no_pattern(tmp_path: Path, source: str, shift: int) -> None:
    """Whatever a column is for, another name for it changes nothing."""
    text = LABEL + 'group = "user"\ntime = "seconds"\ncategorical = ["brand"]\nignore = ["day"]\n'
    expected = load(tmp_path, text, source=source).exposures
    names = [name.strip() if source.endswith(".csv") else name for name in (NAMES * 2)[shift:]]
    other = dict(zip(FRAME.columns, names, strict=False))
    for column, name in other.items():
        text = text.replace(f'"{column}"', json.dumps(name))
    found = load(tmp_path, text, FRAME.rename(other), source).exposures
    assert found.grade.tolist() == expected.grade.tolist()
    assert found.group is not None
    assert found.group.tolist() == [1, 0, 0, 1]
    assert found.time is not None
    assert found.time.tolist() == [40, 30, 20, 10]
    np.testing.assert_array_equal(found.matrix(), expected.matrix())
    assert found.features.columns == [other[column] for column in expected.features.columns]


@pytest.mark.parametrize(
    "label",
    [
        'grade = "level"',
        'grade = "CASE WHEN clicked = 0 THEN 0 WHEN bought THEN 2 ELSE 1 END"',
        'click = "level >= 1"\nconversion = "clicked = 1 AND level = 2"',
    ],
)
def test_labels_are_expressions_whose_columns_are_no_features(tmp_path: Path, label: str) -> None:
    exposures = load(tmp_path, label + '\nignore = ["day"]').exposures
    assert exposures.grade.tolist() == [2, 0, 1, 2]
    used = {column for column in ("clicked", "bought", "level") if column in label}
    assert used
    assert set(exposures.features.columns) == {*FRAME.columns, "day"} - used - {"day"}


def test_a_column_name_need_not_be_sql(tmp_path: Path) -> None:
    frame = FRAME.rename({"level": "the level!"})
    assert load(tmp_path, 'grade = "the level!"\nignore = ["day"]', frame).exposures.grade.tolist() == [
        2,
        0,
        1,
        2,
    ]


def test_split_options_and_name(tmp_path: Path) -> None:
    text = 'name = "shop"\n' + BASE + 'time = "seconds"\n[split]\nby = "time"\nfractions = [0.5, 0.25, 0.25]'
    dataset = load(tmp_path, text)
    assert dataset.exposures.name == "shop"
    assert dataset.split_options.by == "time"
    assert dataset.split_options.fractions == (0.5, 0.25, 0.25)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BASE + 'group = "usr"\ntime = "second"', "unknown columns usr, second; did you mean seconds, user?"),
        (LABEL + 'ignore = ["dayy"]', "unknown columns dayy; did you mean day?"),
        ('click = "clickd = 1"\nconversion = "bought"', "unknown columns clickd; did you mean clicked?"),
        ('click = "clicked = "\nconversion = "bought"', "neither a column nor an SQL expression"),
        ('click = "abs(shop) = 1"\nconversion = "bought"', "cannot be evaluated"),
        ('click = "shop"\nconversion = "bought"', "click = 'shop' is String; write an expression"),
        (
            'grade = "price"',
            "grade = 'price' is not 0, 1, 2 or 3 in 4 rows (the first is row 1: 1.5); drop them",
        ),
        ('grade = "level + 2"', "is not 0, 1, 2 or 3 in 2 rows (the first is row 1: 4)"),
        ('click = "new"\nconversion = "bought"', "is not 0 or 1 in 1 rows (the first is row 4: None)"),
        ('click = "level"\nconversion = "bought"', "is not 0 or 1 in 2 rows (the first is row 1: 2)"),
        (
            'click = "level = 1"\nconversion = "bought"',
            "2 rows convert without a click (the first is row 1); drop",
        ),
        (BASE + 'categorical = ["day"]', "day cannot be categorical and ignored"),
        (BASE + 'categorical = ["clicked"]', "clicked cannot be categorical and part of the label"),
        (LABEL, "day (Date) cannot be features; list them in ignore"),
        (BASE + 'group = "shop"', "group shop is missing in 1 rows (the first is row 2); give each row one"),
        (BASE + 'time = "price"', "time price is Float64; store whole numbers, dates or times"),
        (BASE + 'time = "brand"', "time brand is missing in 1 rows (the first is row 3); drop"),
        (BASE + '[split]\nby = "day"', "by is 'day'; choose one of auto, group, time, row"),
        (BASE + "[split]\nfractions = [0.5, 0.5]", "give three positive numbers"),
        (LABEL + f"ignore = {FRAME.columns}", "no column is left as a feature"),
    ],
)
def test_what_the_data_contradict_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in refused(tmp_path, text)


def test_nan_is_no_label(tmp_path: Path) -> None:
    frame = FRAME.with_columns(level=pl.Series([2.0, 0.0, float("nan"), 1.0]))
    assert "in 1 rows (the first is row 3: nan)" in refused(tmp_path, 'grade = "level"', frame)


def test_a_column_name_in_a_text_is_one_line(tmp_path: Path) -> None:
    assert "known: " in refused(tmp_path, BASE + 'time = "zzzz"')


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([2**24, 1, 0, -(2**24)], False),
        ([2**24 + 1, 1, 0, 1], True),
        ([-(2**24) - 1, 1, 0, None], True),
        ([2**53 + 1, 2**53, 0, 1], True),
        ([2**63 - 1, 1, 0, 1], True),
        ([2**40, 2**41, 2**42, 0], False),  # powers of two keep all their digits
        ([2.0**24 + 1, 1.0, 0.0, 1.0], True),  # whole, though stored as floats
        ([2.0**24 + 1, 1.5, 0.0, 1.0], False),  # a measurement
    ],
)
def test_ids_that_lose_digits_are_told_once(tmp_path: Path, values: list[float], told: bool) -> None:
    frame = FRAME.with_columns(item=pl.Series(values, strict=False), other=pl.Series([3, 2**33 + 1, 1, 0]))
    with pytest.warns(UserWarning, match="whole numbers beyond 2\\*\\*24") as warned:
        load(tmp_path, BASE, frame)
    assert [str(warning.message) for warning in warned] == [
        "whole numbers beyond 2**24 lose digits as features, which are float32: "
        f"{'item, ' if told else ''}other; list ids in categorical or ignore"
    ]
    text = LABEL + 'ignore = ["day", "other"]\ncategorical = ["item"]'
    load(tmp_path, text, frame.with_columns(pl.col("item").cast(pl.Int64, strict=False)))


def test_mostly_numbers_is_half_of_what_is_given(tmp_path: Path) -> None:
    """Of the values that are not missing; a column of codes may have some that are digits alone."""
    frame = pl.DataFrame({"clicked": [1, 0] * 5, "bought": [0] * 10, "x": list(range(10))})
    codes = ["7", "8", "9", "1,5", "A1", "B2", "C3", "D4", None, None]
    path = tmp_path / "toy.toml"
    path.write_text('source = "shown.csv"\n' + LABEL)
    frame.with_columns(code=pl.Series(codes)).write_csv(tmp_path / "shown.csv")
    with pytest.raises(
        InputError, match=r"column code is numbers but for 5 of 10 rows \('1,5' in row 4, 'A1' in"
    ):
        load_description(path)
    frame.with_columns(code=pl.Series(["E5", *codes[1:]])).write_csv(tmp_path / "shown.csv")
    assert load_description(path).exposures.categorical == ("code",)
    frame.with_columns(code=pl.Series(codes)).write_csv(tmp_path / "shown.csv")
    for key in ("categorical", "ignore"):
        path.write_text(f'source = "shown.csv"\n{key} = ["code"]\n' + LABEL)
        assert load_description(path).exposures.categorical == (("code",) if key == "categorical" else ())
    # Parquet has types: strings are meant as such.
    path.write_text('source = "shown.parquet"\n' + LABEL)
    frame.with_columns(code=pl.Series(codes)).write_parquet(tmp_path / "shown.parquet")
    assert load_description(path).exposures.categorical == ("code",)


def test_infinite_features_are_refused(tmp_path: Path) -> None:
    frame = FRAME.with_columns(price=pl.lit(float("inf")))
    assert "infinite values in price" in refused(tmp_path, BASE, frame)


def test_empty_source_is_refused(tmp_path: Path) -> None:
    assert "has no rows" in refused(tmp_path, BASE, FRAME.clear())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('source = "gone.parquet"\n', "gone.parquet does not exist"),
        ('source = "shown.xlsx"\n', "shown.xlsx is neither .parquet nor .csv"),
        ('source = "torn.parquet"\n', "torn.parquet cannot be read"),
    ],
)
def test_bad_sources_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    path = tmp_path / "toy.toml"
    path.write_text(text + LABEL)
    with pytest.raises(InputError, match=message):
        load_description(path)


def test_missing_description_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"toy.toml: there is no such file"):
        load_description(tmp_path / "toy.toml")


def test_the_committed_example_reads_kuairand() -> None:
    example = Path(__file__).parents[2] / "docs" / "guides" / "kuairand.toml"
    dataset = load_description(example, source=shared_data("kuairand", "impressions.parquet"))
    exposures = dataset.exposures
    assert len(exposures) == 222_444
    assert exposures.click.sum() == 100_007
    assert exposures.conversion.sum() == 3_942
    leaks = {
        "play_time_ms",
        "profile_stay_time",
        "comment_stay_time",
        "is_profile_enter",
        "long_view",
        "is_hate",
    }
    assert not leaks & set(exposures.features.columns)
    assert not [column for column in exposures.features.columns if column in ("is_click", "is_like", "split")]
    parts = dataset.split()
    assert parts.train.time is not None
    assert parts.valid.time is not None
    assert parts.train.time.max() < parts.valid.time.min()
