import datetime
from pathlib import Path

import polars as pl
import pytest

from gbdt_pwiser.data import Dataset, load_description
from gbdt_pwiser.objectives import InputError
from tests.data.helpers import shared_data

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
        (BASE + 'groups = "user"', "unknown keys groups; did you mean group?"),
        (BASE + "group = 3", "group is 3; make it a string"),
        (LABEL + 'ignore = "day"', "ignore is 'day'; make it a list of strings"),
        (LABEL + "categorical = [1]", "make it a list of strings"),
        (BASE + 'split = "time"', "split is 'time'; make it a table"),
        ("", "the label is given by nothing; give either grade, or click and conversion"),
        ('click = "clicked"', "the label is given by click; give either"),
        (LABEL + 'grade = "level"', "the label is given by grade and click and conversion; give either"),
        (BASE + 'group = "usr"\ntime = "second"', "unknown columns usr, second; did you mean seconds, user?"),
        (LABEL + 'ignore = ["dayy"]', "unknown columns dayy; did you mean day?"),
        ('click = "clickd = 1"\nconversion = "bought"', "unknown columns clickd; did you mean clicked?"),
        ('click = "clicked = "\nconversion = "bought"', "neither a column nor an SQL expression"),
        ('click = "abs(shop) = 1"\nconversion = "bought"', "cannot be evaluated"),
        ('click = "shop"\nconversion = "bought"', "click = 'shop' is String; write an expression"),
        (
            'grade = "price"',
            "grade = 'price' is not 0, 1 or 2 in 4 rows (the first is row 1: 1.5); drop them",
        ),
        ('grade = "level + 1"', "is not 0, 1 or 2 in 2 rows (the first is row 1: 3)"),
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
        (BASE + '[split]\nhow = "time"', "unknown split keys how"),
        (BASE + '[split]\nby = "day"', "by is 'day'; choose one of auto, group, time, row"),
        (BASE + "[split]\nfractions = 0.5", "split.fractions is 0.5; give three numbers"),
        (BASE + "[split]\nfractions = [0.5, 0.5]", "give three positive numbers"),
        (LABEL + f"ignore = {FRAME.columns}", "no column is left as a feature"),
        (LABEL + "name = ", "not a TOML file"),
    ],
)
def test_bad_descriptions_are_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in refused(tmp_path, text)


def test_nan_is_no_label(tmp_path: Path) -> None:
    frame = FRAME.with_columns(level=pl.Series([2.0, 0.0, float("nan"), 1.0]))
    assert "in 1 rows (the first is row 3: nan)" in refused(tmp_path, 'grade = "level"', frame)


def test_a_column_name_in_a_text_is_one_line(tmp_path: Path) -> None:
    assert "known: " in refused(tmp_path, BASE + 'time = "zzzz"')


def test_infinite_features_are_refused(tmp_path: Path) -> None:
    frame = FRAME.with_columns(price=pl.lit(float("inf")))
    assert "infinite values in price" in refused(tmp_path, BASE, frame)


def test_empty_source_is_refused(tmp_path: Path) -> None:
    assert "has no rows" in refused(tmp_path, BASE, FRAME.clear())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no source"),
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
    example = Path(__file__).parents[2] / "docs" / "kuairand.toml"
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
