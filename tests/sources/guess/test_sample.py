"""A sample of a source: from all over it, small, and read as the source is."""

import gzip
import random

import polars as pl
import pytest

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.guess import describe
from gbdt_pwiser.sources.guess import sample as sampling
from gbdt_pwiser.sources.guess.header import check_header
from gbdt_pwiser.sources.guess.sample import sampled
from gbdt_pwiser.sources.text.table import read_source
from tests.sources.guess.guessed import ROWS, log


@pytest.fixture
def small(monkeypatch):
    """Samples so small that files of a test are large."""
    monkeypatch.setattr(sampling, "ROWS", 800)
    monkeypatch.setattr(sampling, "BYTES", 40_000)


def test_small_sources_are_read_as_they_are(tmp_path):
    log().write_parquet(tmp_path / "log.parquet")
    log().write_csv(tmp_path / "log.csv")
    for name, rows in (("log.parquet", ROWS), ("log.csv", None)):
        with sampled(tmp_path / name) as sample:
            assert (sample.path, sample.rows, sample.whole) == (tmp_path / name, rows, True)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["log.parquet", "log.csv", "parts"])
def test_rows_from_all_over(tmp_path, name):
    frame = log().with_columns(row=pl.int_range(ROWS), note=pl.lit('two\nlines, "quoted"'))
    path = tmp_path / name
    if name == "parts":
        for part in range(3):
            (path / f"part={part}").mkdir(parents=True)
            frame[part * 2000 : part * 2000 + 2000].write_parquet(path / f"part={part}" / "0.parquet")
    else:
        frame.write_parquet(path) if name == "log.parquet" else frame.write_csv(path)
    with sampled(path) as sample:
        drawn = read_source(sample.path)
        assert not sample.whole
        assert 300 <= drawn.height <= 800
        assert sample.rows == pytest.approx(ROWS, rel=0.4)
        rows = drawn["row"]
        assert (rows.diff().drop_nulls() > 0).all()
        assert rows.min() == 0
        assert rows.max() > 0.95 * ROWS
        columns = [column for column in frame.columns if column != "part"]
        assert drawn["price"].to_list() == frame["price"].gather(rows).to_list()
        assert drawn.columns[: len(columns)] == columns
        kept = sample.path
    assert not kept.exists()


def write_parts(folder, parts, *, packed=False):
    """Write the log as text parts of days, the last line of each without its end."""
    size = ROWS // parts
    for part in range(parts):
        path = folder / f"day={part}" / f"log.csv{'.gz' * packed}"
        path.parent.mkdir(parents=True)
        text = log()[part * size : (part + 1) * size].write_csv().rstrip("\n").encode()
        path.write_bytes(gzip.compress(text, mtime=0) if packed else text)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("parts", "packed"), [(3, False), (12, False), (120, False), (3, True)])
def test_some_lines_of_some_parts_of_text(tmp_path, parts, packed):
    write_parts(tmp_path / "parts", parts, packed=packed)
    with sampled(tmp_path / "parts") as sample:
        drawn = read_source(sample.path)
        assert (sample.whole, sample.from_start) == (False, True)
    first = log().filter(log()["search_id"].is_in(drawn["search_id"].implode()))["price"]
    assert set(drawn["price"]) <= set(first)
    assert drawn["day"].n_unique() == min(parts, 8)
    found = describe(tmp_path / "parts", folder=tmp_path)
    assert found.rows is None
    assert "of more rows" in found.toml()


@pytest.mark.parametrize("packed", [False, True])
def test_small_parts_of_text_are_all_looked_at(tmp_path, packed):
    write_parts(tmp_path / "parts", 3, packed=packed)
    found = describe(tmp_path / "parts", folder=tmp_path)
    assert (found.rows, found.looked_at) == (ROWS, ROWS)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["log.csv.gz", "wide.csv"])
def test_the_start_of_what_cannot_be_skipped_in(tmp_path, name):
    text = log().write_csv()
    packed = gzip.compress(text.encode(), mtime=0) if name.endswith(".gz") else text.encode("utf-16")
    (tmp_path / name).write_bytes(packed)
    with sampled(tmp_path / name) as sample:
        drawn = read_source(sample.path)
    assert sample.from_start
    assert drawn["price"].to_list() == log()["price"][: drawn.height].to_list()
    found = describe(tmp_path / name, folder=tmp_path)
    assert any(doubt.startswith("only the first rows") for doubt in found.unsure)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["log.parquet", "log.csv"])
def test_a_large_file_is_described_with_care(tmp_path, name):
    frame, path = log(), tmp_path / name
    frame.write_parquet(path) if name == "log.parquet" else frame.write_csv(path)
    found = describe(path, folder=tmp_path)
    assert found.keys["conversion"] == "is_click = 1 and purchase = 1"  # the rest may have one without
    assert found.keys["time"] == "event_time"
    assert f"{found.looked_at:,} of {'about ' * (name == 'log.csv')}" in found.toml()


@pytest.mark.usefixtures("small")
def test_a_fault_in_a_large_file_is_told_with_its_path(tmp_path):
    lines = log().write_csv().splitlines()
    lines[3] += ",1"
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="line 4 has 7 fields") as told:
        describe(tmp_path / "log.csv")
    assert str(told.value).startswith(f"source {tmp_path / 'log.csv'}: ")


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("click,buy\n1,0\n", True),
        ("click,101,102\n1,5,6\n", True),  # fields of Ali-CCP are numbers
        ("a;b\nx;y\n", True),
        ("click,buy\n", True),
        ("", True),
        ("1,0,0.5\n0,0,1.5\n", False),
        ("1;0;x\n0;0;y\n", False),
        ("1\t0\n", False),
        ("1,NA\n0,2\n", True),  # the second column is a number and its name is none
        ("\n\n1,2\n3,4\n", False),
    ],
)
def test_headers(tmp_path, text, fits):
    if fits:
        check_header(tmp_path, text)
    else:
        with pytest.raises(InputError, match="looks like it has no header: its first line is '1'"):
            check_header(tmp_path, text)


def test_any_line_of_numbers_is_no_header(tmp_path):
    draw = random.Random(0)
    for width in (2, 20, 33, 49, 60):
        lines = [",".join(f"{draw.random():.3f}" for _ in range(width)) for _ in range(3)]
        with pytest.raises(InputError, match="no header") as told:
            check_header(tmp_path, "\n".join(lines))
        assert ("prepare --dataset us" in str(told.value)) == (width in (33, 49))
