"""Splits by group, time or row, and the parts of which none can be used."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdt_pwiser.data import Dataset, Exposures, Split, SplitOptions, split
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import simulate
from tests.exposures import exposures

ALL_GRADES = np.tile(np.arange(3), 200)


def rows(part: Exposures) -> np.ndarray:
    return part.features["row"].to_numpy().astype(int)


def all_rows(parts: Split) -> list[int]:
    return sorted(np.concatenate([rows(p) for p in (parts.train, parts.valid, parts.test)]).tolist())


@given(seed=st.integers(0, 1000), groups=st.integers(30, 200))
def test_groups_do_not_straddle_and_no_row_is_lost(seed: int, groups: int) -> None:
    group = np.random.default_rng(seed).integers(0, groups, 600) * 7 - 3
    parts = split(exposures(ALL_GRADES, group=group), by="group", seed=seed)
    assert all_rows(parts) == list(range(600))
    seen = [set(part.group.tolist()) for part in (parts.train, parts.valid, parts.test)]
    assert len(set.union(*seen)) == sum(map(len, seen))
    largest = np.bincount(group + 3).max()
    for part, share in ((parts.train, 0.6), (parts.valid, 0.2), (parts.test, 0.2)):
        assert abs(len(part) - share * 600) <= largest


@pytest.mark.parametrize("by", ["group", "row"])
def test_the_seed_decides(by: str) -> None:
    data = exposures(ALL_GRADES, group=np.repeat(np.arange(100), 6))
    first, again, other = (split(data, by=by, seed=seed) for seed in (1, 1, 2))
    assert rows(first.train).tolist() == rows(again.train).tolist()
    assert rows(first.train).tolist() != rows(other.train).tolist()
    assert rows(first.train).tolist() == sorted(rows(first.train))


def test_time_cuts_in_order_and_keeps_equal_times_together() -> None:
    time = np.random.default_rng(0).integers(0, 20, 600)
    parts = split(exposures(ALL_GRADES, time=time), by="time")
    assert all_rows(parts) == list(range(600))
    assert parts.train.time.max() < parts.valid.time.min()
    assert parts.valid.time.max() < parts.test.time.min()


def test_cut_is_the_nearest_possible() -> None:
    # Times end at rows 30, 36 (0.6 * 60 = 36 exactly), 45, 48 and 60.
    time = np.repeat(np.arange(5), [30, 6, 9, 3, 12])
    parts = split(exposures(np.tile(np.arange(3), 20), time=time), by="time")
    assert [len(p) for p in (parts.train, parts.valid, parts.test)] == [36, 12, 12]


def test_auto_prefers_time_then_group_then_row() -> None:
    time, group = np.arange(600)[::-1].copy(), np.repeat(np.arange(100), 6)
    by_time = split(exposures(ALL_GRADES, time=time, group=group))
    assert rows(by_time.train).tolist() == list(range(240, 600))
    by_group = split(exposures(ALL_GRADES, group=group))
    assert set(by_group.train.group) & set(by_group.valid.group) == set()
    by_row = split(exposures(ALL_GRADES))
    assert rows(by_row.train).tolist() == rows(split(exposures(ALL_GRADES), by="row").train).tolist()


@pytest.mark.parametrize("by", ["group", "row"])
def test_released_test_rows_are_the_test_part(by: str) -> None:
    in_test = np.arange(600) % 4 == 1
    group = np.where(in_test, 1000, 0) + np.arange(600) // 6
    parts = split(exposures(ALL_GRADES, group=group, in_test=in_test), by=by)
    assert rows(parts.test).tolist() == np.flatnonzero(in_test).tolist()
    assert all_rows(parts) == list(range(600))
    assert len(parts.train) == pytest.approx(450 * 0.6 / 0.8, abs=6)


def test_dataset_splits_by_its_options() -> None:
    data = Dataset(exposures(ALL_GRADES, time=np.arange(600)), SplitOptions("time", (0.5, 0.25, 0.25)))
    parts = data.split()
    assert [len(p) for p in (parts.train, parts.valid, parts.test)] == [300, 150, 150]
    by_row = replace(data, split_options=SplitOptions("row"))
    assert rows(by_row.split(1).test).tolist() != rows(by_row.split(2).test).tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "user"}, r"by is 'user'; choose one of auto, group, time, row"),
        ({"by": "time"}, r"toy has no time to split by"),
        ({"by": "group"}, r"toy has no group to split by"),
        ({"fractions": (0.5, 0.5)}, r"fractions are \(0.5, 0.5\); give three positive"),
        ({"fractions": (0.5, 0.5, 0.0)}, r"give three positive"),
        ({"fractions": (0.9, 0.2, -0.1)}, r"give three positive"),
        ({"fractions": (0.6, 0.2, 0.3)}, r"sum is 1"),
        ({"fractions": (0.6, float("nan"), 0.2)}, r"give three positive"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split(exposures(ALL_GRADES), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("grade", "message"),
    [
        ([], "the train split of 'toy' is empty: there are 0 rows of 0 times to cut between"),
        ([0, 1, 2] * 3, "the validation split of 'toy' is empty: there are 9 rows of 2 times to cut between"),
        ([0] * 60, "the train split of 'toy' has 36 rows, 0 clicks and 0 conversions"),
        ([1, 2] * 30, "the train split of 'toy' has 36 rows, 36 clicks and 18 conversions"),
        (
            [0, 1, 2] * 12 + [0, 1] * 6 + [0, 1, 2] * 4,
            "validation split of 'toy' has 12 rows, 6 clicks and 0",
        ),
        ([0, 1, 2] * 16 + [0] * 12, "test split of 'toy' has 12 rows, 0 clicks"),
    ],
)
def test_unusable_parts_are_refused(grade: list[int], message: str) -> None:
    time = np.arange(len(grade)) if len(grade) != 9 else np.repeat(np.arange(2), [6, 3])
    with pytest.raises(InputError, match=message):
        split(exposures(grade, time=time), by="time")


def test_one_huge_group_leaves_a_part_empty() -> None:
    with pytest.raises(
        InputError, match="'toy' is empty: there are 600 rows of 1 group to cut between; give"
    ):
        split(exposures(ALL_GRADES, group=np.zeros(600, dtype=np.int64)))


@pytest.mark.parametrize("seed", [-1, 2**31, 0.5, "0"])
def test_a_seed_that_no_generator_takes(seed):
    with pytest.raises(InputError, match=r"^seed is .*; give a whole number from 0 to 2147483647$"):
        split(simulate(2000).exposures, seed=seed)
