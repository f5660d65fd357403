"""A prepared set is written whole or not at all, and one that is damaged is to be prepared again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data.prepared import Counts, Schema, load_prepared, write_part
from gbdt_pwiser.data.stored import StoredFeatures
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import aliexpress
from tests.aliexpress import item_lines, write_lines, write_raw
from tests.sources.aliexpress import prepare


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "raw")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def us(raw: Path, out: Path) -> Path:
    return prepare(raw, out)


# ------------------------------------------------------------------------------ writing


def test_a_part_without_rows_is_refused(tmp_path: Path) -> None:
    columns = {"grade": pl.Int8}
    with pytest.raises(InputError, match=r"^test\.csv has no rows; fetch it again$"):
        write_part([], tmp_path / "test.parquet", columns, tmp_path / "test.csv")
    frames = [pl.DataFrame({"grade": grade}, schema=columns) for grade in ([0, 2], [], [1, 0, 2])]
    assert write_part(frames, tmp_path / "test.parquet", columns, tmp_path / "test.csv") == Counts(5, 3, 2)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_an_interrupted_prepare_leaves_the_older_set_alone(
    raw: Path, out: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    folder = prepare(raw, out)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_lines(raw / "us_item_train.csv", item_lines(3, 6))
    written = []

    def interrupted(*args: object) -> Counts:
        if written:
            raise stop
        written.append(real(*args))  # type: ignore[arg-type]
        return written[0]

    real = aliexpress.write_part
    monkeypatch.setattr(aliexpress, "write_part", interrupted)
    with pytest.raises(stop):
        prepare(raw, out)
    assert written == [Counts(18, 12, 6)]
    assert [path.name for path in out.iterdir()] == ["us"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_failed_exchange_puts_the_older_set_back(
    raw: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepare(raw, out)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "test.parquet" and self.parent.name == "new":
            raise OSError("no more room")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="no more room"):
        prepare(raw, out)
    assert [path.name for path in out.iterdir()] == ["us"]
    assert len(load_prepared(folder)) == 18


def test_a_newer_set_replaces_the_older_and_what_a_killed_run_left(raw: Path, out: Path) -> None:
    prepare(raw, out)
    (out / ".us.partial-killed" / "prepared").mkdir(parents=True)
    (out / ".us.partial-killed" / "prepared" / "train.parquet").write_text("half")
    write_lines(raw / "us_item_train.csv", item_lines(3, 6))
    folder = prepare(raw, out)
    assert Schema.read(folder).train.rows == 18
    assert [path.name for path in out.iterdir()] == ["us"]


def test_two_prepares_at_once_are_refused(raw: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def second(*args: object, **options: object) -> None:
        with pytest.raises(InputError, match="another process is writing"):
            prepare(raw, out)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(aliexpress, "find_files", second)
        with pytest.raises(KeyboardInterrupt):
            prepare(raw, out)
    assert prepare(raw, out).is_dir()


# ------------------------------------------------------------------------------ reading


@pytest.mark.parametrize("in_memory", [0, 10**6])
def test_a_path_is_no_pattern(us: Path, in_memory: int) -> None:
    odd = us.rename(us.with_name("[u]*"))
    (odd.with_name("u")).mkdir()
    for part in ("train", "test"):
        (odd.with_name("u") / f"{part}.parquet").write_bytes((odd / f"{part}.parquet").read_bytes() + b"x")
    assert load_prepared(odd, in_memory=in_memory).matrix().shape == (18, 79)


def test_a_large_prepared_set_stays_in_its_files(us: Path) -> None:
    large, small = load_prepared(us, in_memory=17), load_prepared(us, in_memory=18)
    assert isinstance(large.features, StoredFeatures)
    assert isinstance(small.features, pl.DataFrame)
    np.testing.assert_array_equal(large.matrix(), small.matrix())
    for name in ("grade", "group", "in_test"):
        np.testing.assert_array_equal(getattr(large, name), getattr(small, name))
    assert large.features.schema == small.features.schema
    assert large.categorical == small.categorical


@pytest.mark.parametrize("column", ["grade", "search_id", "categorical_3", "numerical_9"])
def test_a_column_of_another_type_is_refused(us: Path, column: str) -> None:
    path = us / "test.parquet"
    frame = pl.read_parquet(path)
    frame.with_columns(pl.col(column).cast(pl.Float64)).write_parquet(path)
    with pytest.raises(
        InputError, match=rf"us is damaged \(test.parquet has no column {column} of .*prepare it again"
    ):
        load_prepared(us)


def rewrite_schema(folder: Path, **changes: object) -> None:
    path = folder / "schema.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "test.parquet").unlink(), "is damaged"),
        (lambda folder: (folder / "test.parquet").write_bytes(b"PAR1 and no more"), "is damaged"),
        (
            lambda folder: (folder / "test.parquet").write_bytes((folder / "train.parquet").read_bytes()),
            "12 rows",
        ),
        (lambda folder: (folder / "schema.json").unlink(), "is damaged"),
        (lambda folder: (folder / "schema.json").write_text("{"), "is damaged"),
        (lambda folder: (folder / "schema.json").write_text("[]"), "is damaged"),
        (lambda folder: (folder / "schema.json").write_text("{}"), "is damaged"),
        (lambda folder: rewrite_schema(folder, train={"rows": 12}), "is damaged"),
        (lambda folder: rewrite_schema(folder, numerical=["numerical_99"]), "is damaged"),
        (lambda folder: rewrite_schema(folder, format=2), "has format 2, this version reads 1"),
    ],
)
def test_damaged_set_says_to_prepare_again(us: Path, damage: object, message: str) -> None:
    damage(us)  # type: ignore[operator]
    with pytest.raises(InputError, match=f"{message}.*; prepare it again") as caught:
        load_prepared(us)
    assert "\n" not in str(caught.value)


def test_set_of_an_earlier_version_is_read(us: Path) -> None:
    path = us / "schema.json"
    stored = json.loads(path.read_text())
    del stored["group"], stored["bad_lines"], stored["train"]["dropped"], stored["test"]["dropped"]
    path.write_text(json.dumps(stored))
    assert len(load_prepared(us)) == 18
