"""Features in files: the same rows as in memory, read once and a block at a time, and what spoils a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gbdt_pwiser.data import Exposures, split, stored
from gbdt_pwiser.data.stored import StoredFeatures, StoredFile
from gbdt_pwiser.objectives import InputError
from tests.exposures import store

N, BLOCK = 1000, 64


def make() -> Exposures:
    """Each row is its number, as a number and as a code; every seventh number and fifth code is missing."""
    row = np.arange(N)
    features = pl.DataFrame({"row": row}).select(
        number=pl.when(pl.col("row") % 7 > 0).then(pl.col("row") / 8).cast(pl.Float32),
        other=pl.col("row").cast(pl.Float32),
        code=pl.when(pl.col("row") % 5 > 0).then("row").cast(pl.Int32),
    )
    grade = (row % 3).astype(np.int8)
    return Exposures(name="toy", features=features, grade=grade, categorical=("code",), group=row // 4)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "BLOCK", BLOCK)


@pytest.fixture
def held() -> Exposures:
    return make()


@pytest.fixture
def filed(held: Exposures, tmp_path: Path) -> Exposures:
    return store(held, tmp_path / "toy")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """File, first row and number of rows of each reading, in order."""
    seen = []
    read = StoredFile.read

    def counted(
        self: StoredFile, columns: list[str], start: int = 0, stop: int | None = None
    ) -> pl.DataFrame:
        frame = read(self, columns, start, stop)
        seen.append((self.path.stem, start, frame.height))
        return frame

    monkeypatch.setattr(StoredFile, "read", counted)
    return seen


# ------------------------------------------------------------------------------ the same rows as in memory

SELECTIONS = {
    "all": None,
    "sparse": np.arange(5, N, 50),
    "a stretch": np.arange(300, 420),
    "a mask": np.arange(N) % 3 == 1,
    "backwards": np.arange(N)[::-1].copy(),
    "shuffled": np.random.default_rng(0).permutation(N)[:200],
    "repeated": np.array([7, 7, 7, 999, 999]),
    "none": np.zeros(0, dtype=np.int64),
}


@pytest.mark.parametrize("rows", SELECTIONS.values(), ids=SELECTIONS)
@pytest.mark.parametrize("size", [1, 50, BLOCK, N, 5000])
def test_blocks_are_the_rows_in_their_order(
    held: Exposures, filed: Exposures, rows: np.ndarray | None, size: int
) -> None:
    one, other = (part if rows is None else part.take(rows) for part in (held, filed))
    assert isinstance(other.features, StoredFeatures)
    expected = one.matrix()
    for part in (one, other):
        blocks = list(part.blocks(size))
        assert [len(block) for block in blocks[:-1]] == [size] * len(blocks[:-1])
        assert not blocks or 0 < len(blocks[-1]) <= size
        assert all(block.dtype == np.float32 and block.flags.c_contiguous for block in blocks)
        joined = np.concatenate([np.empty((0, 3), np.float32), *blocks])
        np.testing.assert_array_equal(joined, expected)
    np.testing.assert_array_equal(other.matrix(), expected)
    assert other.features.height == len(other) == len(expected)
    for column in ("number", "code"):
        assert other.features[column].equals(one.features[column])


def test_the_number_of_a_row_is_what_a_matrix_holds(filed: Exposures) -> None:
    """Against the definition, not against the code that reads memory."""
    matrix = filed.take(np.array([8, 7, 15, 999])).matrix()
    nan = np.nan
    np.testing.assert_array_equal(
        matrix, np.array([[1.0, 8, 8], [nan, 7, 7], [1.875, 15, nan], [999 / 8, 999, 999]], np.float32)
    )


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
def test_selections_compose(held: Exposures, filed: Exposures, data: st.DataObject) -> None:
    for _ in range(3):
        rows = data.draw(st.lists(st.integers(0, len(held) - 1), min_size=1, max_size=80))
        index = np.array(rows if data.draw(st.booleans()) else sorted(rows))
        held, filed = held.take(index), filed.take(index)
    np.testing.assert_array_equal(filed.matrix(), held.matrix())
    assert filed.grade.tolist() == held.grade.tolist()


@pytest.mark.parametrize("by", ["group", "row"])
@pytest.mark.parametrize("released", [False, True])
def test_parts_of_a_split(tmp_path: Path, by: str, released: bool) -> None:
    held = make()
    if released:
        held = Exposures(**(vars(held) | {"in_test": np.arange(N) >= 700}))
    one, other = (split(part, by=by, seed=3) for part in (held, store(held, tmp_path)))
    for part in ("train", "valid", "test"):
        expected, found = getattr(one, part), getattr(other, part)
        np.testing.assert_array_equal(found.matrix(), expected.matrix())
        assert found.group.tolist() == expected.group.tolist()


# ------------------------------------------------------------------------------ what is read

CUT = N // 3  # rows of the first file


def test_choosing_rows_reads_nothing(filed: Exposures, reads: list[object]) -> None:
    split(filed.take(np.arange(0, N, 2)), by="group")
    assert reads == []


@pytest.mark.parametrize("rows", [None, np.arange(0, N, 2)], ids=["all", "half"])
def test_blocks_take_one_pass_a_block_at_a_time(
    filed: Exposures, reads: list[tuple[str, int, int]], rows: np.ndarray | None
) -> None:
    part = filed if rows is None else filed.take(rows)
    ahead = []
    total = 0
    for block in part.blocks(BLOCK):
        total += len(block)
        ahead.append(sum(height for *_, height in reads) - total * N / len(part))
    assert max(height for *_, height in reads) <= BLOCK
    starts = [start + (name == "test") * CUT for name, start, _ in reads]
    assert starts == sorted(set(starts))  # no stretch twice
    assert sum(height for *_, height in reads) <= N
    # What has been read and not been handed on is never more than some blocks.
    assert max(ahead) <= 3 * BLOCK


def test_stretches_without_a_chosen_row_are_skipped(filed: Exposures, reads: list[object]) -> None:
    rows = np.array([70, 80, CUT, CUT + 1, N - 1])
    assert len(list(filed.take(rows).blocks())) == 1
    assert reads == [("train", 70, 11), ("test", 0, 2), ("test", N - CUT - 1, 1)]


def test_another_order_takes_a_pass_for_some_blocks(filed: Exposures, reads: list[object]) -> None:
    rows = np.random.default_rng(0).permutation(N)
    assert sum(map(len, filed.take(rows).blocks())) == N
    stretches = -(-CUT // BLOCK) + -(-(N - CUT) // BLOCK)
    assert 0 < len(reads) <= stretches * -(-N // (stored.GATHERED * BLOCK))


# ------------------------------------------------------------------------------ files that have changed


def rewrite(path: Path) -> None:
    pl.read_parquet(path).reverse().write_parquet(path)


def spoil(path: Path) -> None:
    """Overwrite data in the middle of a file, whose size and time stay."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (rewrite, "has changed since it was loaded; load the set again"),
        (lambda path: path.unlink(), "is damaged .*; prepare it again"),
        (spoil, "is damaged .*; prepare it again"),
    ],
    ids=["changed", "gone", "spoilt"],
)
@pytest.mark.parametrize(
    "read", [lambda part: part.matrix(), lambda part: part.features["number"]], ids=["rows", "column"]
)
def test_a_file_that_is_not_as_it_was(
    filed: Exposures,
    tmp_path: Path,
    change: Callable[[Path], None],
    message: str,
    read: Callable[[Exposures], object],
) -> None:
    change(tmp_path / "toy" / "test.parquet")
    with pytest.raises(InputError, match=f"toy.*{message}") as caught:
        read(filed)
    assert "\n" not in str(caught.value)


def test_infinite_numbers_are_refused_when_they_are_read(tmp_path: Path) -> None:
    schema = {"fine": pl.Float32, "broken": pl.Float32}
    pl.DataFrame({"fine": [0.0] * 5, "broken": [0.0] * 4 + [np.inf]}, schema).write_parquet(tmp_path / "x")
    features = StoredFeatures.open([tmp_path / "x"], schema)
    exposures = Exposures(name="x", features=features, grade=np.zeros(5, np.int8))
    assert exposures.take(np.arange(4)).matrix().shape == (4, 2)
    with pytest.raises(InputError, match="x: infinite values in broken; make them finite or missing"):
        exposures.matrix()


def test_types_are_checked_without_reading(filed: Exposures, reads: list[object]) -> None:
    with pytest.raises(InputError, match="feature code is Int32; make it Float32"):
        Exposures(name="toy", features=filed.features, grade=filed.grade)
    assert reads == []


def test_a_name_is_no_pattern(tmp_path: Path) -> None:
    names = ["^.*$", "*", "^x$", ""]
    features = pl.DataFrame({name: [float(i), None, i + 0.5] for i, name in enumerate(names)}).cast(
        pl.Float32
    )
    held = Exposures(name="toy", features=features, grade=np.array([0, 1, 2], np.int8))
    filed = store(held, tmp_path)
    np.testing.assert_array_equal(filed.matrix(), held.matrix())
    for name in names:
        assert filed.features[name].to_list() == features[name].to_list()
    broken = pl.DataFrame({"^.*$": [0.0, np.inf]}).cast(pl.Float32)
    with pytest.raises(InputError, match=r"toy: infinite values in \^\.\*\$"):
        Exposures(name="toy", features=broken, grade=np.zeros(2, np.int8))
