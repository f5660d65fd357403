"""A description that is prepared a block at a time holds what it holds in memory."""

from __future__ import annotations

import datetime
import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Dataset, Exposures, pages
from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.data.prepared import CATEGORIES, FILES, load_prepared
from gbdt_pwiser.data.stored import StoredFeatures
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import load, load_description, prepare, prepared_description
from gbdt_pwiser.sources.text import delimited, scan

ROWS = 400


def table(rows: int = ROWS) -> pl.DataFrame:
    """Return rows with a column of every kind, values of some in the later rows only."""
    rng = np.random.default_rng(0)
    place = np.arange(rows)
    click = place % 3 > 0
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=int(day)) for day in place // 20]
    return pl.DataFrame(
        {
            "row": place,
            "click": click * 1,
            "buy": click & (place % 9 == 1),
            "slot": place % 5 + 1,
            "price": np.where(place % 7, rng.normal(size=rows), np.nan),
            "count": np.where(place % 11, rng.integers(-9, 9, rows), None).tolist(),
            "new": place % 2 == 0,
            "late": [None] * (rows - 5) + [1.5] * 5,
            "shop": [f"shop {k}" if k < 30 else None for k in rng.integers(0, 40, rows)],
            "zip": [f"{k:03d}" for k in rng.integers(0, 12, rows)],
            "brand": rng.integers(0, 20, rows) * 10**9,
            "huge": [str(2**64 + int(k)) for k in rng.integers(0, 5, rows)],
            "fresh": ["old"] * (rows - 40) + ["new"] * 40,
            "sale": [bool(k) if k < 2 else None for k in rng.integers(0, 3, rows)],
            "at": days,
            "user": [f"u{k}" for k in np.sort(rng.integers(0, 50, rows))],
            "day": days,
            "grade": place % 5,
        }
    )


KEYS = """
click = "click"
conversion = "buy = true and click = 1"
categorical = ["zip", "brand", "huge", "sale", "at"]
"""
TIMED = KEYS + 'group = "user"\ntime = "day"\n'
APART = 'group = "brand"\nignore = ["day"]\n'
VARIANTS = {
    "time": TIMED,
    "group": KEYS + 'group = "user"\nignore = ["day"]\n',
    "whole groups": KEYS + APART + "[split]\nfractions = [0.5, 0.2, 0.3]\n",
    "row": KEYS + 'ignore = ["day"]\n',
    "page": TIMED + 'relative = ["price", "count"]\nposition = "slot"\nposition_at_serving = 1\n',
    "pages apart": KEYS
    + 'group = "brand"\nignore = ["day"]\nrelative = ["price", "late"]\nposition = "slot"\n',
}


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "BLOCK", 37)
    monkeypatch.setattr(delimited, "BLOCK", 1 << 10)
    monkeypatch.setattr(pages, "AT_A_TIME", 29)


def describe(folder: Path, frame: pl.DataFrame, keys: str, source: str = "d.parquet") -> Path:
    if source.endswith(".csv"):
        frame.write_csv(folder / source)
    else:
        frame.write_parquet(folder / source, row_group_size=50)
    (folder / "d.toml").write_text(f'source = "{source}"\n{keys}')
    return folder / "d.toml"


def both(toml: Path, data_dir: Path) -> tuple[Dataset, Dataset]:
    """Load a description in memory, and prepared."""
    whole = load_description(toml)
    prepare(toml, data_dir=data_dir, progress=False)
    return whole, load(toml, data_dir=data_dir)


def values(exposures: Exposures, name: str) -> list[object]:
    """Return what the codes of a feature stand for."""
    assert exposures.categories is not None
    return exposures.categories[name].gather(exposures.features[name]).to_list()


def compare(whole: Exposures, stored: Exposures, learnt: Exposures) -> None:
    """Compare a part of a set in memory with that of a prepared one, whose codes are of `learnt`."""
    assert stored.features.columns == whole.features.columns
    assert dict(stored.features.schema) == dict(whole.features.schema)
    assert stored.categorical == whole.categorical
    assert (stored.relative, stored.served_as) == (whole.relative, whole.served_as)
    np.testing.assert_array_equal(stored.grade, whole.grade)
    for what in ("group", "time"):
        np.testing.assert_array_equal(getattr(stored, what), getattr(whole, what))
    for name in whole.features.columns:
        if name in whole.categorical:
            known = set(values(learnt, name))
            wanted = [value if value in known else None for value in values(whole, name)]
            assert values(stored, name) == wanted, name
        else:
            np.testing.assert_array_equal(stored.features[name], whole.features[name], err_msg=name)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("source", ["d.parquet", "d.csv"])
@pytest.mark.parametrize("keys", VARIANTS.values(), ids=VARIANTS)
def test_every_kind_of_column(tmp_path: Path, source: str, keys: str) -> None:
    whole, stored = both(describe(tmp_path, table(), keys, source), tmp_path / "sets")
    assert stored.exposures.name == whole.exposures.name == "d"
    for options in (whole.split_options, stored.split_options):
        assert options.by == "auto"
    parts, of_stored = whole.split(0), stored.split(0)
    compare(parts.test, of_stored.test, parts.train)
    not_test = np.setdiff1d(np.arange(ROWS), np.array(parts.test.features["row"]).astype(int))
    assert stored.exposures.in_test is not None
    compare(whole.exposures.take(not_test), stored.exposures.take(~stored.exposures.in_test), parts.train)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("rare", [1, 9, 1000])
def test_rare_values_share_a_code(tmp_path: Path, rare: int) -> None:
    """In memory they do so when a set is split, in a prepared one from the start."""
    whole, stored = both(describe(tmp_path, table(), f"{TIMED}rare = {rare}\n"), tmp_path / "sets")
    for part, of_stored in zip(vars(whole.split(0)).values(), vars(stored.split(0)).values(), strict=True):
        assert isinstance(of_stored.features, pl.DataFrame)
        assert of_stored.features.equals(part.features)
        assert FeatureColumns.of(of_stored.take(np.arange(1))).record() == FeatureColumns.of(part).record()
    assert of_stored.categories["fresh"].to_list() == [None, *["old"] * (rare < 1000)]
    assert of_stored.features["fresh"].to_list()[-41:] == [int(rare < 1000), *[0] * 40]


def test_a_fresh_set_is_read_and_a_stale_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toml, sets = describe(tmp_path, table(), TIMED), tmp_path / "sets"

    def is_prepared() -> bool:
        return load(toml, data_dir=sets).exposures.in_test is not None

    assert not is_prepared()
    folder = prepare(toml, data_dir=sets, progress=False)
    assert folder.parent == sets / "described"
    assert is_prepared()
    describe(tmp_path, table(ROWS + 30), TIMED)
    assert not is_prepared()  # small, so its files are read as they are
    prepare(toml, data_dir=sets, progress=False)
    assert is_prepared()
    toml.write_text(toml.read_text() + "rare = 3\n")
    assert not is_prepared()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(prepared_description, "LARGE_ROWS", 100)
    assert is_prepared()
    assert capsys.readouterr().err == (
        f"gbdt-pwiser: {toml} changed since it was prepared; it is prepared in {folder}\n"
    )
    assert is_prepared()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["d.parquet", "d.csv", "d.csv.gz"])
def test_a_large_source_is_prepared_by_itself(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toml = describe(tmp_path, table(), TIMED, name.removesuffix(".gz"))
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress((tmp_path / "d.csv").read_bytes()))
    monkeypatch.setattr(prepared_description, "LARGE_ROWS", ROWS - 1)
    monkeypatch.setattr(prepared_description, "LARGE_TEXT", 10_000)
    exposures = load(tmp_path / name, data_dir=tmp_path / "sets").exposures
    assert exposures.in_test is not None
    assert "is large; it is prepared in" in capsys.readouterr().err
    assert load(toml, data_dir=tmp_path / "others").exposures.in_test is not None


def test_names_that_the_set_uses_itself(tmp_path: Path) -> None:
    """A feature may be called grade, group, or time; the older sets have these columns."""
    frame = table().select(
        "click", "buy", "row", grade="price", group="shop", time="count", at="day", who="user"
    )
    whole, stored = both(
        describe(tmp_path, frame, KEYS.split("categorical")[0] + 'group = "who"\ntime = "at"\n'),
        tmp_path / "sets",
    )
    parts = whole.split(0), stored.split(0)
    compare(parts[0].test, parts[1].test, whole.exposures)
    assert set(stored.exposures.features.columns) == {"row", "grade", "group", "time"}


def test_two_descriptions_of_a_name_have_a_set_each(tmp_path: Path) -> None:
    folders = set()
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        folders.add(prepare(describe(tmp_path / place, table(), TIMED), data_dir=tmp_path, progress=False))
    assert len(folders) == 2
    assert {folder.name.split("-")[0] for folder in folders} == {"d"}


@pytest.mark.parametrize("text", ["click > avg(click)", "sum(click) > 1", "click = max(buy)", "count(*) > 1"])
def test_a_label_of_more_than_its_row_is_refused(tmp_path: Path, text: str) -> None:
    toml = describe(tmp_path, table(), f'click = "{text}"\nconversion = "buy"\nignore = ["at", "day"]\n')
    with pytest.raises(InputError, match="is of more than its own row"):
        prepare(toml, data_dir=tmp_path, progress=False)


@pytest.mark.parametrize("source", ["d.parquet", "d.csv"])
@pytest.mark.parametrize("doing", ["labels", "categories", "train and test"])
@pytest.mark.parametrize("change", ["more rows", "another order", "gone"])
def test_a_file_that_changes_between_two_passes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, doing: str, change: str
) -> None:
    frame = table()
    toml = describe(tmp_path, frame, TIMED, source)
    read = scan.Scan.blocks

    def changing(self: scan.Scan, columns: list[str], now: str) -> Iterator[scan.Block]:
        if now == doing and change == "gone":
            (tmp_path / source).unlink()
        elif now == doing:
            describe(
                tmp_path, {"more rows": pl.concat([frame, frame])}.get(change, frame[::-1]), TIMED, source
            )
        yield from read(self, columns, now)

    monkeypatch.setattr(scan.Scan, "blocks", changing)
    with pytest.raises(InputError, match="changed while it was read"):
        prepare(toml, data_dir=tmp_path / "data", progress=False)
    assert not (tmp_path / "data").exists()


def test_a_label_of_its_row_is_not(tmp_path: Path) -> None:
    toml = describe(
        tmp_path,
        table(),
        TIMED.replace(
            '"click"', '"CASE WHEN abs(click) >= 1 AND shop IS NULL THEN 1 ELSE coalesce(click, 0) END"'
        ),
    )
    whole, stored = both(toml, tmp_path / "sets")
    assert sorted(whole.exposures.grade) == sorted(stored.exposures.grade)


@pytest.mark.usefixtures("small_blocks")
def test_rows_keep_their_order_and_stay_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml = describe(tmp_path, table(), TIMED)
    folder = prepare(toml, data_dir=tmp_path / "sets", progress=False)
    exposures = load_prepared(folder, in_memory=10)
    assert isinstance(exposures.features, StoredFeatures)
    assert (np.diff(exposures.features["row"].to_numpy()) == 1).all()  # by time, so test is the end
    assert exposures.in_memory().features.equals(load_prepared(folder).features)
    assert set(folder.iterdir()) == {folder / name for name in (*FILES, CATEGORIES)}
    (folder / CATEGORIES).write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"is damaged .*; prepare it again"):
        load(toml, data_dir=tmp_path / "sets")
    assert prepare(toml, data_dir=tmp_path / "sets", progress=False) == folder
    load(toml, data_dir=tmp_path / "sets")
