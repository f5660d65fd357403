"""AliExpress: the join against its description, and what is told of damaged files."""

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from gbdt_pwiser.data.prepared import Counts, Schema, load_prepared
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import aliexpress, prepare_aliexpress
from tests.aliexpress import (
    ITEM_CODES,
    edit_line,
    item_lines,
    user_lines,
    write_lines,
)
from tests.sources.aliexpress import prepare, refused
from tests.sources.helpers import shared_data


def test_raw_files_are_joined_in_the_order_of_the_items(raw: Path, out: Path) -> None:
    folder = prepare(raw, out)
    assert folder == out / "us"
    assert sorted(path.name for path in folder.iterdir()) == ["schema.json", "test.parquet", "train.parquet"]
    assert [path.name for path in out.iterdir()] == ["us"]
    train = pl.read_parquet(folder / "train.parquet")
    assert train.columns == ["search_id", "grade", *aliexpress.CATEGORICAL, *aliexpress.NUMERICAL]
    assert train["search_id"].to_list() == [1] * 4 + [2] * 4 + [3] * 4
    assert train["grade"].to_list() == [0, 1, 2, 0] * 3
    # The generated fields show their position, so these are the published maps of columns to positions.
    assert train.select(aliexpress.CATEGORICAL).row(5) == (2,) * 9 + (1,) * 7
    user = [*range(9, 32)]
    item = [p for p in range(2, 49) if p not in ITEM_CODES]
    expected = [p / 100 for p in user + item]
    assert train.select(aliexpress.NUMERICAL).row(5) == pytest.approx(expected, rel=1e-6)
    assert set(train.select(aliexpress.NUMERICAL).dtypes) == {pl.Float32}
    assert set(train.select(aliexpress.CATEGORICAL).dtypes) == {pl.Int32}
    assert Schema.read(folder) == Schema(
        "us", aliexpress.CATEGORICAL, aliexpress.NUMERICAL, Counts(12, 6, 3), Counts(6, 4, 2)
    )


def test_loaded_searches_of_train_and_test_are_distinct(raw: Path, out: Path) -> None:
    exposures = load_prepared(prepare(raw, out))
    assert exposures.group is not None
    assert exposures.in_test is not None
    assert exposures.group.tolist() == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 3 + [5] * 3
    assert exposures.in_test.tolist() == [False] * 12 + [True] * 6
    assert exposures.categorical == aliexpress.CATEGORICAL


def test_processed_files(processed: Path, out: Path) -> None:
    train = pl.read_parquet(prepare(processed, out) / "train.parquet")
    assert train["grade"].to_list() == [0, 1, 2, 0, 1, 2]
    assert train["categorical_7"].to_list() == list(range(6))
    assert train["numerical_63"].to_list() == pytest.approx([0.63] * 6)


def test_processed_columns_may_come_in_any_order(processed: Path, tmp_path: Path, out: Path) -> None:
    expected = pl.read_parquet(prepare(processed, out) / "train.parquet")
    for path in processed.iterdir():
        frame = pl.read_csv(path)
        frame.select(pl.lit("x").alias("note"), *reversed(frame.columns)).write_csv(path)
    assert pl.read_parquet(prepare(processed, tmp_path / "other") / "train.parquet").equals(expected)


def test_codes_may_be_printed_as_floats(raw: Path, tmp_path: Path, out: Path) -> None:
    expected = pl.read_parquet(prepare(raw, out) / "train.parquet")
    for line in range(1, 13):
        edit_line(raw / "us_item_train.csv", line, lambda f: [*f[:18], f"{f[18]}.0", *f[19:-1], f"{f[-1]}.0"])
    assert pl.read_parquet(prepare(raw, tmp_path / "other") / "train.parquet").equals(expected)


def test_long_search_ids_are_exact(raw: Path, out: Path) -> None:
    long = 2**62 + 1
    for name in ("us_user_train.csv", "us_item_train.csv"):
        lines = (raw / name).read_text().splitlines()
        write_lines(
            raw / name, [f"{long + int(line.split(',')[0])},{line.split(',', 1)[1]}" for line in lines]
        )
    train = pl.read_parquet(prepare(raw, out) / "train.parquet")
    assert train["search_id"].unique().sort().to_list() == [long + 1, long + 2, long + 3]


def set_field(position: int, value: str) -> Callable[[list[str]], list[str]]:
    return lambda fields: [*fields[: position - 1], value, *fields[position:]]


@pytest.mark.parametrize(
    ("name", "line", "edit", "message"),
    [
        ("us_item_train.csv", 5, lambda f: f[:-1], "us_item_train.csv, line 5: 48 fields instead of 49"),
        ("us_item_train.csv", 5, lambda f: [*f, "0"], "us_item_train.csv, line 5: 50 fields instead of 49"),
        ("us_user_test.csv", 2, lambda f: f[:4], "us_user_test.csv, line 2: 4 fields instead of 33"),
        ("us_user_test.csv", 1, lambda f: [*f, "0"], "us_user_test.csv, line 1: 34 fields instead of 33"),
        (
            "us_item_test.csv",
            6,
            set_field(49, "3"),
            "us_item_test.csv, line 6: grade (field 49) is '3', not 0, 1",
        ),
        ("us_item_test.csv", 2, set_field(49, "-1"), "line 2: grade (field 49) is '-1'"),
        (
            "us_item_train.csv",
            3,
            set_field(2, "x"),
            "line 3: numerical_24 (field 2) is 'x', not a finite number",
        ),
        (
            "us_item_train.csv",
            3,
            set_field(2, ""),
            "line 3: numerical_24 (field 2) is '', not a finite number",
        ),
        ("us_item_train.csv", 3, set_field(2, "nan"), "line 3: numerical_24 (field 2) is 'nan'"),
        ("us_item_train.csv", 3, set_field(2, "1e39"), "line 3: numerical_24 (field 2) is '1e39'"),
        (
            "us_item_train.csv",
            3,
            set_field(19, "1.5"),
            "categorical_10 (field 19) is '1.5', not a whole number",
        ),
        ("us_user_train.csv", 3, set_field(33, "1e10"), "line 3: categorical_9 (field 33) is '1e10'"),
        (
            "us_user_train.csv",
            3,
            set_field(1, "one"),
            "line 3: search_id (field 1) is 'one', not a whole number",
        ),
        ("us_item_train.csv", 3, lambda f: [""], "us_item_train.csv, line 3: 1 fields instead of 49"),
    ],
)
def test_the_first_bad_line_is_named(
    raw: Path, out: Path, name: str, line: int, edit: Callable[[list[str]], list[str]], message: str
) -> None:
    edit_line(raw / name, line, edit)
    assert message in refused(raw, out)


@pytest.mark.parametrize(
    ("name", "line"), [("us_item_train.csv", 5), ("us_item_test.csv", 1), ("us_user_test.csv", 2)]
)
def test_a_bad_line_may_be_skipped(raw: Path, out: Path, name: str, line: int) -> None:
    edit_line(raw / name, line, lambda fields: fields[:-1])
    message = refused(raw, out)
    assert f"{name}, line {line}: " in message
    assert "(--skip-bad-lines N leaves out up to N such lines)" in message
    # The three items of a search that is left out are left out with it.
    skipped = 4 if name == "us_user_test.csv" else 1
    assert "bad lines so far" in refused(raw, out, skip_bad_lines=skipped - 1) or skipped == 1
    folder = prepare(raw, out, skip_bad_lines=skipped)
    schema = Schema.read(folder)
    assert schema.bad_lines == skipped
    assert schema.train.rows + schema.test.rows == 18 - (3 if skipped == 4 else 1)


def test_skipped_lines_are_counted_over_all_files(raw: Path, out: Path) -> None:
    for name, line in (("us_item_train.csv", 2), ("us_item_train.csv", 9), ("us_item_test.csv", 6)):
        edit_line(raw / name, line, lambda fields: [*fields, "0"])
    assert (
        "us_item_test.csv, line 6: 50 fields instead of 49; correct the line or fetch the file again "
        "(3 bad lines so far, 2 may be skipped)"
    ) in refused(raw, out, skip_bad_lines=2)
    train = pl.read_parquet(prepare(raw, out, skip_bad_lines=3) / "train.parquet")
    assert train["search_id"].to_list() == [1] * 3 + [2] * 4 + [3] * 3
    assert train["categorical_10"].to_list() == [0, 2, 3, 0, 1, 2, 3, 1, 2, 3]


@pytest.mark.parametrize("cut", [1, 2, 40])
@pytest.mark.parametrize("name", ["us_item_train.csv", "us_user_test.csv"])
def test_a_cut_last_line_is_named(raw: Path, out: Path, name: str, cut: int) -> None:
    path = raw / name
    lines = len(path.read_text().splitlines())
    path.write_text(path.read_text()[:-cut])
    assert f"{name}, line {lines}: " in refused(raw, out)


def test_blocks_of_any_size_give_the_same(raw: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = pl.read_parquet(prepare(raw, out) / "train.parquet")
    for size in (300, 777, 1000):
        monkeypatch.setattr("gbdt_pwiser.sources.text.blocks.BLOCK", size)
        assert pl.read_parquet(prepare(raw, out) / "train.parquet").equals(expected)
        edit_line(raw / "us_item_train.csv", 11, set_field(3, "x"))
        assert "us_item_train.csv, line 11: " in refused(raw, out / "bad")
        write_lines(raw / "us_item_train.csv", item_lines(3, 4))


def test_items_without_a_search_are_counted(raw: Path, out: Path) -> None:
    write_lines(raw / "us_user_test.csv", user_lines(1))
    assert (
        "us_item_test.csv: 3 rows have a search id that us_user_test.csv lacks (the first is 2)"
        in refused(raw, out)
    )


def test_repeated_searches_are_counted(raw: Path, out: Path) -> None:
    write_lines(raw / "us_user_train.csv", [*user_lines(3), *user_lines(2)[1:]])
    assert "us_user_train.csv: 1 search ids occur more than once (the first is 2)" in refused(raw, out)


def test_an_empty_file_is_refused(raw: Path, out: Path) -> None:
    (raw / "us_item_test.csv").write_text("")
    # Some releases of polars refuse it themselves.
    assert re.match(r"us_item_test.csv (has no rows|cannot be read: empty CSV)", refused(raw, out))


def test_a_country_that_has_no_files_is_refused(tmp_path: Path, out: Path) -> None:
    with pytest.raises(InputError, match="country is 'ru'; choose one of us, nl, fr, es"):
        prepare_aliexpress("ru", tmp_path, out)


def test_processed_faults_are_named(processed: Path, out: Path) -> None:
    good = (processed / "train.csv").read_text()
    header = good.splitlines()[0].split(",")
    click, number = header.index("click") + 1, header.index("numerical_2") + 1
    edit_line(processed / "train.csv", 4, set_field(click, "0"))
    assert "train.csv: 1 rows convert without a click (the first is line 4)" in refused(processed, out)
    edit_line(processed / "train.csv", 4, set_field(click, "2"))
    assert f"train.csv, line 4: click (field {click}) is '2', not 0 or 1" in refused(processed, out)
    edit_line(processed / "train.csv", 3, set_field(number, "?"))
    assert f"train.csv, line 3: numerical_2 (field {number}) is '?'" in refused(processed, out)
    edit_line(processed / "train.csv", 2, lambda f: f[:-1])
    assert "train.csv, line 2: 80 fields instead of 82" not in (message := refused(processed, out))
    assert f"train.csv, line 2: {len(header) - 1} fields instead of {len(header)}" in message
    (processed / "train.csv").write_text(good.replace("click,conversion", "clicked,bought", 1))
    assert "train.csv lacks the columns click, conversion" in refused(processed, out)


def test_nothing_is_printed_where_there_is_no_terminal(
    raw: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare_aliexpress("us", raw, out, progress=True)
    assert capsys.readouterr() == ("", "")


def test_real_raw_and_processed_files_give_the_same(tmp_path: Path) -> None:
    parts = {}
    for kind in ("raw", "processed"):
        folder = prepare(shared_data("aliexpress", kind), tmp_path / kind)
        assert Schema.read(folder).train.rows == Schema.read(folder).test.rows == 1000
        # The rows of the processed files are shuffled.
        frames = [pl.read_parquet(folder / f"{part}.parquet") for part in ("train", "test")]
        parts[kind] = [frame.sort(frame.columns) for frame in frames]
    for one, other in zip(parts["raw"], parts["processed"], strict=True):
        assert one.equals(other)


def test_a_file_without_lines_is_not_read_whole(
    raw: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gbdt_pwiser.sources.text.blocks.BLOCK", 1000)
    (raw / "us_item_train.csv").write_bytes(b"\0" * 10_000)
    assert r"us_item_train.csv, line 1: 1 fields instead of 49 (the line is cut)" in refused(raw, out)
