"""Pages are never cut, wherever their rows lie."""

import errno
from itertools import groupby

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdt_pwiser.data import pages
from gbdt_pwiser.data.pages import (
    are_adjacent,
    between_pages,
    fill_by_page,
    in_page_order,
    on_disk,
    page_keys,
)

SIZES = st.lists(st.integers(1, 9), max_size=12)
COLUMN = st.lists(st.integers(0, 6), max_size=30)


def paged(sizes):
    """Pages of these sizes, with names in no order."""
    names = [f"page {i * 7 % 13}" for i in range(len(sizes))]
    rows = [name for name, size in zip(names, sizes, strict=True) for _ in range(size)]
    return pl.DataFrame({"page": pl.Series(rows, dtype=pl.String), "row": range(len(rows))})


@given(COLUMN)
def test_adjacency_and_order(column):
    keys = page_keys(pl.Series(column, dtype=pl.Int64))
    runs = [page for page, _ in groupby(column)]
    assert are_adjacent(keys) == (len(runs) == len(set(runs)))
    first = {page: column.index(page) for page in column}
    assert in_page_order(keys).tolist() == sorted(
        range(len(column)), key=lambda row: (first[column[row]], row)
    )


def test_keys_of_parts_are_those_of_the_column():
    column = paged([3, 2, 9])["page"]
    parts = [page_keys(column[start : start + 4]) for start in range(0, len(column), 4)]
    np.testing.assert_array_equal(np.concatenate(parts), page_keys(column))


@given(SIZES, st.integers(1, 12))
def test_cuts_lie_between_pages(sizes, rows):
    keys = page_keys(paged(sizes)["page"])
    cuts = list(between_pages(keys, rows))
    ends = np.cumsum([0, *sizes]).tolist()
    assert [start for start, _ in cuts] + ends[-1:] == ends[:1] + [stop for _, stop in cuts]
    for start, stop in cuts:
        assert start in ends
        assert stop in ends
        # As many pages as fit, and at least one.
        following = [end for end in ends if end > stop][:1]
        assert stop - start <= rows or stop == min(end for end in ends if end > start)
        assert all(end - start > rows for end in following)


def test_values_of_pages_reach_their_rows(monkeypatch):
    monkeypatch.setattr(pages, "AT_A_TIME", 8)
    rng = np.random.default_rng(0)
    column = rng.integers(0, 9, 60)
    out, asked = np.zeros((60, 1), dtype=np.float32), []

    def counted(rows):
        asked.append(rows)
        assert (np.diff(rows) > 0).all()
        return np.array([[(column[rows] == page).sum()] for page in column[rows]], dtype=np.float32)

    fill_by_page(out, page_keys(pl.Series(column)), counted)
    np.testing.assert_array_equal(out[:, 0], np.bincount(column)[column])
    assert sorted(np.concatenate(asked)) == list(range(60))
    assert len(asked) > 3


def test_pages_that_fill_a_batch_are_read_in_one():
    keys = np.array([1, 1, 2, 2, 3], dtype=np.uint64)
    assert list(between_pages(keys, 4)) == [(0, 4), (4, 5)]


def test_an_array_on_disk_has_its_room_and_leaves_nothing(tmp_path):
    made = on_disk(tmp_path, np.float64, (1000, 3))
    assert (made.shape, made.dtype) == ((1000, 3), np.float64)
    assert not made.any()
    made[999] = [1, 2, 3]
    assert made[999].tolist() == [1, 2, 3]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before_the_array_is_used(tmp_path, monkeypatch):
    def full(file, start, size):
        raise OSError(errno.ENOSPC, f"no room for {size} from {start}")

    monkeypatch.setattr(pages.os, "posix_fallocate", full)
    with pytest.raises(OSError, match="no room for 24000 from 0"):
        on_disk(tmp_path, np.float64, (1000, 3))
    assert list(tmp_path.iterdir()) == []
