"""What is guessed of made-up files: label, group, time, codes, and what is no feature."""

import tomllib

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.guess import describe
from gbdt_pwiser.sources.registry import load
from tests.sources.guess.guessed import ROWS, guess, log

RNG = np.random.default_rng(5)
CLICK = log()["is_click"].to_numpy()


@pytest.mark.parametrize("name", ["log.parquet", "log.csv", "log.tsv", "log.csv.gz"])
def test_all_roles(tmp_path, name):
    keys = guess(log(), tmp_path, name).keys
    assert keys["click"] == "is_click"
    assert keys["conversion"] == "purchase"
    assert keys["group"] == "search_id"
    assert keys["time"] == "event_time"
    assert keys["categorical"] == ["shop_id"]
    assert keys["ignore"] == []
    assert keys["split"] == {"by": "time"}
    assert keys["source"] == name


def test_semicolons_and_a_folder_of_parts(tmp_path):
    log().write_csv(tmp_path / "log.csv", separator=";")
    of_text = describe(tmp_path / "log.csv", folder=tmp_path)
    parts = tmp_path / "log"
    for day in (1, 2):
        (parts / f"day={day}").mkdir(parents=True)
        log(seed=day).write_parquet(parts / f"day={day}" / "part-0.parquet")
    (parts / "_SUCCESS").touch()
    of_parts = describe(parts, folder=tmp_path)
    for found, source in ((of_text, "log.csv"), (of_parts, "log")):
        assert found.keys["source"] == source
        assert (found.keys["click"], found.keys["group"]) == ("is_click", "search_id")
        (tmp_path / "d.toml").write_text(found.toml())
        assert len(load(tmp_path / "d.toml").exposures) == found.looked_at
    assert of_parts.looked_at == 2 * ROWS


def test_what_is_written_says_what_was_found(tmp_path):
    found = guess(log(), tmp_path)
    stored = tomllib.loads(found.toml())
    assert {**found.keys, "ignore": []} == {"ignore": [], **stored}
    assert '"shop_id",  # 30 values' in found.toml()
    assert f"all {ROWS:,} rows" in found.toml()


# ---- the label


def test_a_grade(tmp_path):
    frame = log()
    frame = frame.with_columns(grade=pl.col("is_click") + pl.col("purchase")).drop("is_click", "purchase")
    assert guess(frame, tmp_path).keys["grade"] == "grade"


def test_a_conversion_without_a_click_gets_the_condition_of_the_click(tmp_path):
    frame = log().with_columns(purchase=pl.when(pl.int_range(ROWS) == 7).then(1).otherwise("purchase"))
    frame = frame.with_columns(is_click=pl.when(pl.int_range(ROWS) == 7).then(0).otherwise("is_click"))
    found = guess(frame, tmp_path)
    assert found.keys["conversion"] == "is_click = 1 and purchase = 1"
    exposures = load(tmp_path / "guess.toml").exposures
    assert exposures.grade[7] == 0
    expected = frame["is_click"].to_numpy() * (1 + frame["purchase"].to_numpy())
    assert (exposures.grade == expected).all()


def test_engagement_is_joined_by_or_and_told(tmp_path):
    liked = pl.Series((CLICK == 1) & (RNG.random(ROWS) < 0.2)).cast(pl.Int8)
    followed = pl.Series((CLICK == 1) & (RNG.random(ROWS) < 0.1)).cast(pl.Int8)
    frame = log().drop("purchase").with_columns(is_like=liked, is_follow=followed)
    found = guess(frame, tmp_path)
    assert found.keys["conversion"] == "is_like = 1 or is_follow = 1"
    assert any("any of is_like, is_follow" in doubt for doubt in found.unsure)
    assert not {"is_like", "is_follow"} & set(found.numbers)


def test_booleans_and_missing_labels(tmp_path):
    frame = log().with_columns(
        is_click=pl.col("is_click") == 1,
        purchase=pl.when(pl.col("is_click") == 1).then(pl.col("purchase") == 1),
    )
    found = guess(frame, tmp_path)
    assert (found.keys["click"], found.keys["conversion"]) == ("is_click", "coalesce(purchase, false)")
    assert any("purchase is missing in" in doubt for doubt in found.unsure)
    assert load(tmp_path / "guess.toml").exposures.conversion.sum() == log()["purchase"].sum()


def test_a_property_of_the_user_is_no_conversion(tmp_path):
    follower = pl.Series(RNG.integers(0, 2, ROWS))
    found = guess(log().with_columns(user_follow_author=follower), tmp_path)
    assert found.keys["conversion"] == "purchase"
    found = guess(log().drop("purchase").with_columns(buy=log()["purchase"], is_order=follower), tmp_path)
    assert found.keys["conversion"] == "buy"
    assert any(doubt.startswith("is_order: no conversion") for doubt in found.unsure)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            ["is_click", "purchase"],
            "no column looks like the click (columns of 0 and 1: none; all: search_id",
        ),
        (
            ["purchase"],
            "is_click is the click, and no column looks like the conversion (others of 0 and 1: none",
        ),
    ],
)
def test_no_label(tmp_path, columns, message):
    with pytest.raises(InputError, match="--conversion COLUMN") as told:
        guess(log().drop(columns), tmp_path)
    assert message in str(told.value)


def test_two_clicks(tmp_path):
    frame = log().with_columns(clicked=pl.Series(RNG.integers(0, 2, ROWS)))
    with pytest.raises(
        InputError, match="is_click, clicked could each be the click; choose one with --click"
    ):
        guess(frame, tmp_path)
    assert guess(frame, tmp_path, click="is_click").keys["click"] == "is_click"
    twice = guess(log().with_columns(clicked="is_click"), tmp_path)
    assert twice.ignored["clicked"] == "a copy of is_click"


def test_what_is_asked_for(tmp_path):
    frame = log().with_columns(session=pl.int_range(ROWS) // 20, day=pl.col("event_time").dt.date())
    found = guess(frame, tmp_path, group="session", time="day", conversion="purchase")
    assert (found.keys["group"], found.keys["time"]) == ("session", "day")
    with pytest.raises(InputError, match="unknown columns for --group: sesion; did you mean session"):
        guess(frame, tmp_path, group="sesion")
    with pytest.raises(InputError, match="--click is price, which has other values than 0 and 1"):
        guess(frame, tmp_path, click="price")
    with pytest.raises(InputError, match="--time is price"):
        guess(frame, tmp_path, time="price")
    with pytest.raises(InputError, match="is_click cannot be both click and conversion"):
        guess(frame, tmp_path, click="is_click", conversion="is_click")


# ---- group and time


@pytest.mark.parametrize(
    ("name", "values", "group"),
    [
        ("userId", np.arange(ROWS) // 9, "userId"),
        ("session", [f"s{i // 4}" for i in range(ROWS)], "session"),
        ("request_id", np.arange(ROWS), None),  # one of its own in every row
        ("page", np.arange(ROWS) % 4, None),  # a kind of page
        ("price_id", np.arange(ROWS) // 6, None),
    ],
)
def test_groups(tmp_path, name, values, group):
    frame = log().drop("search_id", "event_time").with_columns(pl.Series(name, values))
    found = guess(frame, tmp_path)
    assert found.keys.get("group") == group
    assert found.keys["split"] == {"by": "group" if group else "row"}


EPOCH = 1_700_000_000


@pytest.mark.parametrize(
    ("name", "values", "time", "time_format"),
    [
        ("ts", EPOCH + np.arange(ROWS), True, None),
        ("time_ms", (EPOCH + np.arange(ROWS)) * 1000, True, None),
        ("date", [20240101 + i % 28 for i in range(ROWS)], True, None),
        ("when", [f"2024-01-{1 + i % 28:02d}" for i in range(ROWS)], True, None),
        ("when", [f"{1 + i % 28:02d}/01/2024 {i % 24:02d}:30" for i in range(ROWS)], True, "%d/%m/%Y %H:%M"),
        ("when", [f"01/{1 + i % 28:02d}/2024" for i in range(ROWS)], True, "%m/%d/%Y"),
        ("when", [f"{1 + i % 12:02d}/{1 + i // 12 % 12:02d}/2024" for i in range(ROWS)], False, None),
        ("play_time", np.arange(ROWS) % 300, False, None),
        ("click_time", EPOCH + np.arange(ROWS), False, None),
        ("ts", [None, *range(EPOCH, EPOCH + ROWS - 1)], False, None),
    ],
)
@pytest.mark.parametrize("file", ["log.parquet", "log.csv"])
def test_times(tmp_path, name, values, time, time_format, file):
    frame = log().drop("event_time").with_columns(pl.Series(name, values))
    found = guess(frame, tmp_path, file)
    assert found.keys.get("time") == (name if time else None)
    assert found.keys.get("time_format") == time_format
    assert found.keys["split"] == {"by": "time" if time else "group"}
    if not time:
        assert name in found.ignored


def test_the_finest_time_of_the_exposure(tmp_path):
    frame = log().with_columns(
        date=pl.col("event_time").dt.date(), upload_date=pl.col("event_time").dt.date(), ts=EPOCH
    )
    found = guess(frame.rename({"event_time": "time"}), tmp_path)
    assert found.keys["time"] == "time"
    assert set(found.ignored) == {"date", "upload_date", "ts"}


@pytest.mark.parametrize(("rows", "rare"), [(ROWS, 10), (600, None)])
def test_rare_values_share_a_code_where_there_are_many_rows(tmp_path, rows, rare):
    log(rows).with_columns(brand=pl.Series([f"b{i % 7}" for i in range(rows)])).write_parquet(
        tmp_path / "log.parquet"
    )
    found = describe(tmp_path / "log.parquet", folder=tmp_path)
    assert "brand" in found.keys["categorical"]
    assert found.keys.get("rare") == rare
    assert ("rare = 10  #" in found.toml()) == (rare is not None)
