"""What is seen of a data set: against loops over its rows, in memory and in files."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Dataset, Exposures, SplitOptions
from gbdt_pwiser.evaluation.check import check
from gbdt_pwiser.objectives.inputs import OPEN
from gbdt_pwiser.report.check import format_check
from gbdt_pwiser.significance.power import detectable_gain
from tests.exposures import store

ROWS = 3000


def made(seed=0, **columns):
    """Exposures in groups of three, with a leak, odd numbers, and categories that come late."""
    rng = np.random.default_rng(seed)
    click = rng.random(ROWS) < 0.3
    late = np.where(np.arange(ROWS) > 2700, 7, rng.integers(0, 3, ROWS))
    features = pl.DataFrame(
        {
            "x": rng.random(ROWS),
            "leak": click + 0.1 * rng.random(ROWS),
            "gaps": np.where(rng.random(ROWS) < 0.8, np.nan, 1.0 * click),
            "same": np.full(ROWS, 2.0),
            "never": np.full(ROWS, np.nan),
        },
        schema=dict.fromkeys(["x", "leak", "gaps", "same", "never"], pl.Float32),
    ).with_columns(
        late=pl.Series(late, dtype=pl.Int32),
        early=pl.Series([None if i % 3 else i % 5 for i in range(ROWS)], dtype=pl.Int32),
    )
    return Exposures(
        name="made",
        features=features,
        grade=(click * 1 + (click & (rng.random(ROWS) < 0.4))).astype(np.int8),
        categorical=("late", "early"),
        group=np.arange(ROWS) // 3,
        **{"time": np.arange(ROWS), **columns},
    )


def test_against_loops():
    exposures = made()
    found = check(Dataset(exposures, SplitOptions("time")))
    assert [part.name for part in found.parts] == ["all", "train", "validation", "test"]
    assert [part.rows for part in found.parts] == [3000, 1800, 600, 600]
    ends = {"all": (0, 3000), "train": (0, 1800), "validation": (1800, 2400), "test": (2400, 3000)}
    for part in found.parts:
        rows = range(*ends[part.name])
        assert part.clicks == sum(exposures.grade[i] >= 1 for i in rows)
        assert part.conversions == sum(exposures.grade[i] == 2 for i in rows)
        assert part.groups == len({exposures.group[i] for i in rows})
    groups = [[exposures.grade[3 * g + i] for i in range(3)] for g in range(1000)]
    assert found.groups.mean_rows == 3
    assert found.groups.with_click == sum(max(group) >= 1 for group in groups) / 1000
    assert found.groups.with_conversion == sum(max(group) == 2 for group in groups) / 1000
    assert found.groups.across_parts == 0
    assert [(leak.feature, leak.label) for leak in found.leaks] == [("leak", "click")]
    assert [(each.feature, each.share) for each in found.unseen] == [("late", 299 / 600)]
    missing = exposures.features["gaps"].is_nan()[:1800].mean()
    assert [(each.feature, each.share) for each in found.missing] == [("gaps", pytest.approx(missing))]
    assert found.constant == ("same", "never")
    assert found.drift.rows == (300,) * 10


def test_groups_in_several_parts():
    exposures = made(time=np.random.default_rng(1).permutation(ROWS))
    parts = np.searchsorted([1800, 2400], exposures.time, side="right")
    several = sum(len(set(parts[3 * g : 3 * g + 3])) > 1 for g in range(1000))
    assert check(Dataset(exposures, SplitOptions("time"))).groups.across_parts == several > 100


@pytest.mark.parametrize("by", ["time", "group", "row"])
def test_in_files_as_in_memory(tmp_path, by):
    exposures = made()
    whole, stored = (
        check(Dataset(each, SplitOptions(by))) for each in (exposures, store(exposures, tmp_path))
    )
    assert whole.record() == stored.record()
    assert whole.split_by == by


def test_without_group_and_time():
    found = check(Dataset(replace(made(), group=None, time=None)))
    assert (found.groups, found.drift, found.split_by) == (None, None, "row")
    assert found.parts[0].groups is None
    assert "groups" not in format_check(found)


def test_a_refused_split_still_tells_of_all():
    exposures = made().take(np.arange(12))
    found = check(Dataset(exposures))
    assert "split" in found.refused
    assert [part.name for part in found.parts] == ["all"]
    assert (found.unseen, found.ctr_auc, found.conversion_auc) == ((), None, None)
    assert "split: refused" in format_check(found)


def test_the_publishers_test_stays():
    found = check(Dataset(made(in_test=np.arange(ROWS) >= 2900)))
    assert (found.published_test, found.parts[-1].rows) == (True, 100)


def test_the_screen():
    told = " ".join(format_check(check(Dataset(made(), SplitOptions("time")))).split())
    for line in (
        "made: 7 features, 2 of them categorical",
        "features that give the label away: leak (AUC 1.0000 for the click); list them in ignore",
        "test rows with a category that train has not: late 49.8 %",
        "numbers constant on train: same, never",
        "moves no more than by chance",
    ):
        assert line in told


def test_open_clicks_are_counted_apart():
    exposures = made()
    grade = exposures.grade.copy()
    grade[(np.arange(ROWS) % 4 == 0) & (grade > 0)] = OPEN
    found = check(Dataset(replace(exposures, grade=grade), SplitOptions("time")))
    test = found.parts[-1]
    of_test = grade[2400:]
    decided = int(((of_test == 1) | (of_test == 2)).sum())
    assert test.clicks == int((of_test > 0).sum())
    assert test.open == test.clicks - decided > 0
    assert test.conversion_rate == test.conversions / decided
    assert found.conversion_auc == detectable_gain(test.conversions, 600 - test.open - test.conversions)
    assert "open" in format_check(found).splitlines()[2]
    assert "open" not in format_check(check(Dataset(exposures))).splitlines()[2]


def test_values_that_training_has_rarely_are_as_unknown():
    """Categories 0 to 2, and 7 in some 300 rows of test and of train's end alone."""
    exposures = replace(made(), categories={"late": pl.Series(["a", "b", "c", "d", "e", "f", "g", "h"])})
    exposures = exposures.take(np.arange(2720))
    (late,) = check(Dataset(exposures, SplitOptions("row"), rare=16)).unseen
    assert late.feature == "late"
    split = Dataset(exposures, SplitOptions("row"), rare=16).cut()
    assert late.share == (split.test.features["late"] == 0).sum() / len(split.test)
    assert check(Dataset(exposures, SplitOptions("row"))).unseen == ()
    told = format_check(check(Dataset(exposures, SplitOptions("row"), rare=16)))
    assert "a category that train has not, or too rarely for a code: late" in told


def test_one_value_that_is_sometimes_missing_is_not_constant():
    exposures = made()
    flag = pl.Series(np.where(np.arange(ROWS) % 3 == 0, np.nan, 1.0), dtype=pl.Float32)
    features = exposures.features.with_columns(flag=flag)
    assert "flag" not in check(Dataset(replace(exposures, features=features))).constant
