"""Whatever a file has: what is written of it loads, or it is refused in one line."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import load_description
from gbdt_pwiser.sources.guess import Guess, describe
from gbdt_pwiser.sources.guess.toml import comment, list_lines, quoted
from tests.sources.helpers import DTYPES

pytestmark = pytest.mark.filterwarnings("ignore:whole numbers beyond")

NAMES = [
    *(
        "click",
        "is_click",
        "buy",
        "purchase",
        "label",
        "grade",
        "is_like",
        "user_id",
        "search_id",
        "time",
        "ts",
    ),
    *(
        "cat_1",
        "rank",
        "play_time",
        "price",
        "price_range",
        "101",
        "1",
        "",
        " a",
        'a "b"',
        "a,b",
        "^.*$",
        "*",
        "é",
    ),
    *("x\ny", "select", "it's", "\x7f", "split", "date"),
]
VALUES = [
    *(
        "0",
        "1",
        "2",
        "-1",
        "1.5",
        "1,5",
        "12 %",
        "1e300",
        "inf",
        "NaN",
        "NA",
        "",
        "-",
        "true",
        "False",
        "yes",
    ),
    *(
        "007",
        str(2**63),
        str(2**65),
        "2024-01-05",
        "05/01/2024",
        "31/12/2024",
        "2024-01-05T10:00:00Z",
        "12:30",
    ),
    *("20240105", "1700000000", '"', "a;b", "a\nb", "é", "\x01"),
]
TEXTS = st.one_of(st.sampled_from(VALUES), st.text(max_size=4))
LOOKS = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])


def use(path: Path, folder: Path) -> Guess | None:
    """Describe a file, and load what is written; None where it is refused, in one line."""
    try:
        found = describe(path, folder=folder)
    except InputError as error:
        told = str(error)
    else:
        told = ""
    assert "\n" not in told
    assert "/gbdt-pwiser-" not in told  # the path of a sample
    if told:
        return None
    written = folder / "guess.toml"
    written.write_text(found.toml(), encoding="utf-8")
    load_description(written)
    stored = tomllib.loads(found.toml())
    assert {key: value for key, value in found.keys.items() if value != []} == stored
    return found


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """A header with a label, most of the times, and rows of which a column repeats few values."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    label = [["click", ["0", "1", "1"]], ["buy", ["0", "0", "1"]]] if draw(st.integers(0, 5)) else []
    label.append(["honest", ["1", "2", "3", "4", "5"]])
    taken = {name for name, _ in label}
    kinds = [
        *label,
        *([name, draw(st.lists(TEXTS, min_size=1, max_size=4))] for name in names if name not in taken),
    ]
    height = draw(st.sampled_from([40, 60, 12, 3, 0]))
    return [
        [name for name, _ in kinds],
        *([str(kind[i % len(kind)]) for _, kind in kinds] for i in range(height)),
    ]


@LOOKS
@given(
    table=tables(),
    separator=st.sampled_from([",", ";", "\t"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
)
def test_texts(table: list[list[str]], separator: str, encoding: str) -> None:
    lines = [separator.join('"' + value.replace('"', '""') + '"' for value in row) for row in table]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "d.csv")
        path.write_bytes("\n".join([*lines, ""]).encode(encoding, errors="replace"))
        use(path, Path(folder))


@LOOKS
@given(
    columns=st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(DTYPES), st.integers(1, 99), st.booleans()),
        min_size=1,
        max_size=5,
    ),
    height=st.sampled_from([40, 12, 1]),
)
def test_parquet(columns: list[tuple[str, pl.DataType, int, bool]], height: int) -> None:
    table = {"click": pl.Series(np.arange(height) % 3 > 0), "buy": pl.Series(np.arange(height) % 3 == 2)}
    table["honest"] = pl.Series(np.arange(height) % 5)
    for name, dtype, most, missing in columns:
        numbers = np.random.default_rng(most).integers(0, most, height).tolist()
        values = pl.Series([None if missing and i % 7 == 0 else number for i, number in enumerate(numbers)])
        nested = pl.Series([[1, 2]] * height) if dtype == pl.Array(pl.Int8, 2) else values
        try:
            table[name] = nested.cast(dtype)
        except pl.exceptions.PolarsError:
            table[name] = pl.Series([None] * height, dtype=dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "d.parquet")
        pl.DataFrame(table).write_parquet(path)
        use(path, Path(folder))


def test_some_are_described(tmp_path: Path) -> None:
    """The tests above may refuse: what they use is described where nothing is wrong."""
    rows = [f"{int(i % 3 > 0)},{int(i % 3 == 2)},{i % 5}" for i in range(100)]
    (tmp_path / "d.csv").write_text("\n".join(["click,buy,x", *rows, ""]))
    found = use(tmp_path / "d.csv", tmp_path)
    assert found is not None
    assert found.numbers == ("x",)


@given(st.dictionaries(st.text(), st.text(), min_size=1))
def test_any_text_is_toml(notes: dict[str, str]) -> None:
    try:
        "".join([*notes, *notes.values()]).encode()
    except UnicodeEncodeError:  # half a surrogate, which no file has
        return
    stored = tomllib.loads(list_lines("names", notes))
    assert stored == {"names": list(notes)}
    for name, note in notes.items():
        assert tomllib.loads(f"key = {quoted(name)}  {comment(note)}") == {"key": name}
