"""Whatever a description and its file say: it is loaded and split, or refused in one line."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gbdt_pwiser.data import Dataset
from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import load_description
from tests.sources.helpers import DTYPES

pytestmark = pytest.mark.filterwarnings("ignore:whole numbers beyond", "ignore:.*on train, single features")

NAMES = ["click", "buy", "x", "t", "^.*$", "*", "", " a", 'a "b"', "a,b", "click_duplicated_0", "é", "0"]
VALUES = [
    *("0", "1", "1", "0", "2", "-1", "1.5", "1,5", "1,234.5", "12 %", "1e300", "1e400", "inf", "NaN", "NA"),
    *("", "-", "true", "False", "yes", " 1", "007", str(2**63), str(2**65), "2024-01-05", "05/01/2024"),
    *(
        "2024-02-30",
        "2024-01-05T10:00:00Z",
        "2024-01-05 10:00",
        "12:30",
        '"',
        '""',
        "a;b",
        "a\nb",
        "é",
        "\x00",
    ),
]
TEXTS = st.one_of(st.sampled_from([*NAMES, *VALUES]), st.text(max_size=4))
SQL = [
    "click",
    "click = 1",
    "buy",
    "click = 1 AND buy = 1",
    '"^.*$"',
    "sum(x) > 1",
    "x IN (1)",
    "NULL",
    "1 / 0",
]
LABELS = st.sampled_from(
    [*SQL, "click", "buy", "CASE WHEN x > 1 THEN 2 ELSE 0 END", "x[1]", "count(*)", "--"]
)
ANY = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**70), 2**70), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=2)),
    max_leaves=4,
)
COLUMNS = st.lists(st.sampled_from(NAMES), max_size=3)
FORMATS = ["%d/%m/%Y", "%Y-%m-%d", "%", "%H", "%Z", "%q", "%s", "%+", "%Y-%m-%dT%H:%M:%S%z", "x"]
LIKELY = {
    "click": LABELS,
    "conversion": LABELS,
    "group": st.sampled_from(NAMES),
    "time": st.sampled_from(NAMES),
    "time_format": st.sampled_from(FORMATS),
    "categorical": COLUMNS,
    "ignore": COLUMNS,
    "missing": st.lists(st.sampled_from(VALUES), max_size=3),
    "split": st.fixed_dictionaries(
        {},
        optional={
            "by": st.sampled_from(["auto", "time", "group", "row", "rwo"]),
            "fractions": st.lists(st.floats(0, 1), min_size=3, max_size=3) | st.just([0.5, 0.25, 0.25]),
        },
    ),
}


def toml(value: object) -> str:
    """The value as TOML."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=True)
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
        case _:
            return str(value)


@st.composite
def descriptions(draw: st.DrawFn) -> str:
    keys = {"source": "d.csv", "click": "click", "conversion": "buy"}
    for key in draw(st.sets(st.sampled_from(sorted(LIKELY)), max_size=3)):
        keys[key] = draw(LIKELY[key])
    if "time_format" in keys:
        keys["time"] = draw(LIKELY["time"])
    if draw(st.integers(0, 5)) == 0:
        keys[draw(st.sampled_from([*LIKELY, "source", "name", "grade", "goup"]))] = draw(ANY)
    return "\n".join(f"{key} = {toml(value)}" for key, value in keys.items())


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """A header and rows, most of them as long as the header; a column repeats few values."""
    others = st.lists(st.sampled_from(NAMES[2:]), min_size=1, max_size=4, unique=draw(st.integers(0, 9)) > 0)
    header = ["click", "buy", *draw(others)]
    kinds = [["0", "1", "1"], ["0", "0", "1"]]
    kinds += [draw(st.lists(TEXTS, min_size=1, max_size=4)) for _ in header[2:]]
    height = draw(st.sampled_from([12, 15, 30, 0, 3]))
    rows = [[kind[place % len(kind)] for kind in kinds] for place in range(height)]
    for _ in range(draw(st.integers(0, 2)) if rows else 0):
        row = draw(st.sampled_from(rows))
        row[draw(st.integers(0, len(row) - 1))] = draw(TEXTS)
    if rows and draw(st.integers(0, 9)) == 0:
        draw(st.sampled_from(rows)).append(draw(TEXTS))
    return [header, *rows]


def use(path: Path) -> Dataset | None:
    """Load, split and save the columns of a data set; None where it is refused."""
    try:
        dataset = load_description(path)
        columns = FeatureColumns.of(dataset.exposures)
        assert FeatureColumns.from_record(json.loads(json.dumps(columns.record()))).names == columns.names
        assert dataset.exposures.matrix().shape == (len(dataset.exposures), len(columns.names))
        dataset.split()
    except InputError:
        return None
    return dataset


LOADS = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])


@LOADS
@given(
    text=descriptions(),
    table=tables(),
    separator=st.sampled_from([",", ",", ";", "\t", "|", ", "]),
    quoted=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", "\n\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"]),
)
def test_texts(
    text: str, table: list[list[str]], separator: str, quoted: bool, end: str, encoding: str
) -> None:
    def field(value: str) -> str:
        return '"' + value.replace('"', '""') + '"' if quoted else value

    lines = [separator.join(map(field, row)) for row in table]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "d.csv").write_bytes(end.join([*lines, ""]).encode(encoding, errors="replace"))
        Path(folder, "d.toml").write_text(text, encoding="utf-8")
        use(Path(folder, "d.toml"))


@LOADS
@given(
    text=descriptions(),
    columns=st.lists(
        st.tuples(st.sampled_from(NAMES[2:]), st.sampled_from(DTYPES), st.integers(0, 9)), max_size=3
    ),
)
def test_parquet(text: str, columns: list[tuple[str, pl.DataType, int]]) -> None:
    height = 12
    table: dict[str, pl.Series] = {
        "click": pl.Series(np.arange(height) % 3 > 0),
        "buy": pl.Series(np.arange(height) % 3 == 2),
    }
    for name, dtype, seed in columns:
        numbers = np.random.default_rng(seed).integers(0, 99, height).tolist()
        values = pl.Series([None if seed == place else number for place, number in enumerate(numbers)])
        nested = pl.Series([[1, 2]] * height) if dtype == pl.Array(pl.Int8, 2) else values
        try:
            table[name] = nested.cast(dtype)
        except pl.exceptions.PolarsError:
            table[name] = pl.Series([None] * height, dtype=dtype)
    with tempfile.TemporaryDirectory() as folder:
        pl.DataFrame(table).write_parquet(Path(folder, "d.parquet"))
        Path(folder, "d.toml").write_text(text.replace('"d.csv"', '"d.parquet"'), encoding="utf-8")
        use(Path(folder, "d.toml"))


def test_some_are_loaded() -> None:
    """The tests above may fail: what they use is loaded where nothing is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "d.csv").write_text("click,buy,x\n" + "0,0,1\n1,0,2\n1,1,3\n" * 40)
        Path(folder, "d.toml").write_text('source = "d.csv"\nclick = "click"\nconversion = "buy"\n')
        assert use(Path(folder, "d.toml")) is not None
