"""Pages are never cut, wherever the frames they come in are."""

from itertools import groupby

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdt_pwiser.data import pages
from gbdt_pwiser.data.pages import (
    PageReturnsError,
    are_adjacent,
    between_pages,
    fill_by_page,
    in_page_order,
    page_keys,
    whole_pages,
)

SIZES = st.lists(st.integers(1, 9), max_size=12)
COLUMN = st.lists(st.integers(0, 6), max_size=30)


def paged(sizes):
    """Pages of these sizes, with names in no order."""
    names = [f"page {i * 7 % 13}" for i in range(len(sizes))]
    rows = [name for name, size in zip(names, sizes, strict=True) for _ in range(size)]
    return pl.DataFrame({"page": pl.Series(rows, dtype=pl.String), "row": range(len(rows))})


@given(SIZES, st.integers(1, 10))
def test_whole_pages_have_all_rows_once_and_cut_no_page(sizes, at_a_time):
    table = paged(sizes)
    frames = list(whole_pages(table.iter_slices(at_a_time), "page"))
    assert pl.concat([table.clear(), *frames])["row"].to_list() == list(range(table.height))
    assert all(frame.height for frame in frames)
    pages_of = [frame["page"].unique(maintain_order=True).to_list() for frame in frames]
    assert [page for each in pages_of for page in each] == [f"page {i * 7 % 13}" for i in range(len(sizes))]
    # No more is held than it takes.
    assert all(frame.height <= max(sizes) + at_a_time for frame in frames)


def test_frames_without_rows_are_passed_over():
    table = paged([2, 1])
    frames = [table.clear(), table[:1], table.clear(), table[1:], table.clear()]
    assert [frame["row"].to_list() for frame in whole_pages(frames, "page")] == [[0, 1], [2]]


@given(COLUMN.filter(bool), st.integers(1, 10))
def test_a_page_that_returns_is_refused(column, at_a_time):
    frames = pl.DataFrame({"page": column}).iter_slices(at_a_time)
    runs = [page for page, _ in groupby(column)]
    if len(runs) == len(set(runs)):
        assert pl.concat(whole_pages(frames, "page"))["page"].to_list() == column
        return
    first = next(page for place, page in enumerate(runs) if page in runs[:place])
    told = rf"^the rows of page {first} do not lie side by side; sort the rows by page$"
    with pytest.raises(PageReturnsError, match=told):
        list(whole_pages(frames, "page"))


def test_many_pages_that_have_ended_are_known():
    column = [*range(3000), 1234]
    with pytest.raises(PageReturnsError, match="the rows of page 1234 do"):
        list(whole_pages(pl.DataFrame({"page": column}).iter_slices(70), "page"))


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
