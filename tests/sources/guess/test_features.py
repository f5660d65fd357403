"""Which columns of made-up files are codes, which are numbers, and which are left out, and why."""

import math
from datetime import date, time

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data.leaks import find_leaks
from gbdt_pwiser.sources.registry import load
from tests.sources.guess.guessed import ROWS, guess, log

RNG = np.random.default_rng(6)
ROW = np.arange(ROWS)
CLICK = log()["is_click"].to_numpy() == 1
FEW = RNG.integers(0, 12, ROWS)
NUMBER = RNG.random(ROWS)
CODES, NUMBERS = "code", "number"


@pytest.mark.parametrize(
    ("name", "values", "wanted"),
    [
        # ---- codes and numbers
        ("brand_id", FEW, CODES),
        ("categorical_3", FEW, CODES),
        ("cat7", FEW, CODES),
        ("onehot_feat4", np.where(FEW > 3, FEW, np.nan).astype(float), CODES),
        ("item_code", FEW, CODES),
        ("109_14", FEW, CODES),
        ("C14", FEW, CODES),
        ("deviceType", FEW, CODES),
        ("anything", [f"v{i}" for i in FEW], CODES),
        ("title", pl.Series([f"v{i}" for i in FEW], dtype=pl.Categorical), CODES),
        ("age", FEW, NUMBERS),
        ("price_cat", NUMBER, NUMBERS),
        ("is_video_author", FEW % 2, NUMBERS),
        ("num_items", RNG.integers(0, 1000, ROWS), NUMBERS),
        ("sparse", np.where(ROW % 50 == 0, 1, 0), NUMBERS),
        # ---- nothing for a model
        ("session_key", ROW[::-1], "numbers the rows"),
        ("impression_id", RNG.permutation(ROW), "values in 6,000 rows"),
        ("item_id", RNG.integers(0, 3000, ROWS), "values in 6,000 rows"),
        ("title", [f"t{i}" for i in RNG.integers(0, 3000, ROWS)], "values in 6,000 rows"),
        ("rownumber", ROW, "numbers the rows"),
        ("source", ["web"] * ROWS, "constant"),
        ("nothing", [None] * ROWS, "always missing"),
        ("list", [[1, 2]] * ROWS, "neither a number nor a text"),
        ("bytes", [b"x", b"y"] * (ROWS // 2), "neither a number nor a text"),
        ("big", np.where(ROW % 2, 1e300, 1.0), "infinite, or too large"),
        ("infinite", np.where(ROW % 2, math.inf, 1.0), "infinite, or too large"),
        # ---- dates, and how somebody split
        ("upload_dt", [f"2024-01-{1 + i:02d}" for i in FEW], "a date or time"),
        ("published", [date(2024, 1, 1 + i) for i in FEW], "a date or time"),
        ("opens", [time(i) for i in FEW], "a date or time"),
        ("register_date", 20240101 + FEW, "a date or time"),
        ("split", ["train", "test"] * (ROWS // 2), "says how somebody split"),
        # ---- copies
        ("price_again", log()["price"], "a copy of price"),
        ("shop", log()["shop_id"].cast(pl.String).cast(pl.Int32), "a copy of shop_id"),
        ("price_part", [None if i % 3 else p for i, p in enumerate(log()["price"])], "a copy of price"),
        ("price_range", [f"{p:.1f}" for p in log()["price"]], "ranges of price"),
        ("price_band", (10 * log()["price"]).floor(), "ranges of price"),
        ("price_level", [f"level {i}" for i in FEW], CODES),  # not by the price
        # ---- known only after the exposure
        ("play_time_ms", RNG.integers(0, 9000, ROWS), "by its name known only after"),
        ("dwellSeconds", NUMBER, "by its name known only after"),
        ("avg_play_time_7d", NUMBER, NUMBERS),  # of the past
        ("long_view", FEW % 2, "by its name known only after"),
        ("is_hate", FEW % 2, "by its name known only after"),
        ("scrolled", np.where(CLICK & (FEW > 5), FEW, 0), "100.0% of"),
        ("scrolled", [int(f) if c else None for f, c in zip(FEW, CLICK, strict=True)], "100.0% of"),
        ("reply", [f"r{f}" if c else None for f, c in zip(FEW, CLICK, strict=True)], "100.0% of"),
        ("is_share", CLICK & (FEW > 8), "follows the click"),
        ("hint", CLICK + 0.1 * NUMBER, "gives the label away: AUC 1.0000 for the click"),
        ("worth", log()["purchase"] + 0.1 * NUMBER, "gives the label away: AUC 1.0000 for the conversion"),
        # ---- the place on the page
        ("position", 1 + ROW % 6, "its place on the page"),
        ("slot", FEW, "its place on the page"),
        ("nr", ROW % 6, "its place on the page"),  # numbers the rows of each search
        ("nr", FEW, NUMBERS),
    ],
)  # fmt: skip
def test_columns(tmp_path, name, values, wanted):
    found = guess(log().with_columns(pl.Series(name, values, strict=False)), tmp_path)
    role = CODES if name in found.categorical else NUMBERS if name in found.numbers else None
    if wanted in (CODES, NUMBERS):
        assert role == wanted
    else:
        assert role is None
        assert wanted in found.ignored[name]
    others = {**found.categorical, **found.ignored}.keys() - {name}
    assert others <= {"shop_id"}
    assert find_leaks(load(tmp_path / "guess.toml").exposures) == []


def test_what_was_decided_by_name_is_told(tmp_path):
    frame = log().with_columns(rank=pl.Series(FEW), is_hate=pl.Series(FEW % 2), item_id=pl.Series(ROW // 2))
    unsure = guess(frame, tmp_path).unsure
    for start in (
        "rank: taken for the place on the page",
        "is_hate: ignored for the name",
        "item_id: ignored",
    ):
        assert sum(doubt.startswith(start) for doubt in unsure) == 1


def test_texts_that_are_mostly_numbers(tmp_path):
    values = ["unknown" if i % 100 == 0 else f"{n:.3f}" for i, n in enumerate(NUMBER)]
    found = guess(log().with_columns(pl.Series("ratio", values)), tmp_path, "log.csv")
    assert found.ignored["ratio"] == "numbers but for some rows, as 'unknown'"
    assert any(doubt.startswith("ratio has numbers, and texts such as 'unknown'") for doubt in found.unsure)


def test_few_rows_do_not_judge_published_codes(tmp_path):
    rows = 100
    frame = log(rows).with_columns(pl.Series("205", np.arange(rows)), pl.Series("101", [1] * rows))
    found = guess(frame, tmp_path)
    assert list(found.categorical)[-2:] == ["205", "101"]
    assert any("100 rows tell little of codes" in doubt for doubt in found.unsure)


@pytest.mark.parametrize(
    "name",
    ['a "b" c', "it's", "a.b", "a b", "ä", "x\ny", "\x7f", "^p.*$", "#", "]", "\\", "a\u2028b", "", "*"],
)
@pytest.mark.parametrize("column", ["price", "shop_id", "search_id", "event_time", "purchase"])
def test_names_of_any_letters(tmp_path, name, column):
    options = {"purchase": "conversion", "search_id": "group", "event_time": "time"}
    asked = {options[column]: name} if column in options else {}
    if column in ("purchase", "shop_id"):  # a condition, and a list
        asked = {"conversion": name} if column == "purchase" else {}
    found = guess(log().rename({column: name}), tmp_path, **asked)
    role = {"shop_id": "number", "price": "number"}.get(column)
    if role:
        assert len(found.numbers) + len(found.categorical) == 2
    else:
        assert found.keys[options[column]] == name
