"""Sources of many parts: what belongs to them, in which order, and what their paths say."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.text.parts import find_parts
from gbdt_pwiser.sources.text.table import Reading, read_parts, read_source

A = pl.DataFrame({"x": [1, 2], "s": ["a", None]})
B = pl.DataFrame({"x": [3], "s": ["b"]})


def write(path: Path, table: pl.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        table.write_parquet(path)
    else:
        table.write_csv(path, separator="\t" if path.suffix == ".tsv" else ",")


def read(source: object, folder: Path) -> pl.DataFrame:
    return read_parts(find_parts(source, folder), Reading())


@pytest.mark.parametrize("suffix", ["parquet", "csv", "tsv"])
def test_lists_folders_and_patterns(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "p" / f"a.{suffix}", A)
    write(tmp_path / "p" / "deep" / f"b.{suffix}", B)
    write(tmp_path / "p" / f".c.{suffix}", B)
    write(tmp_path / "p" / "_temporary" / f"c.{suffix}", B)
    (tmp_path / "p" / "_SUCCESS").touch()
    both = pl.concat([A, B])
    assert read("p", tmp_path).equals(both)
    assert read([f"p/a.{suffix}", "p/deep"], tmp_path).equals(both)
    assert read(["p/deep", f"p/a.{suffix}"], tmp_path).equals(pl.concat([B, A]))
    assert read({"glob": f"p/**/?.{suffix}"}, tmp_path).equals(both)
    assert read({"glob": "d[e]*"}, tmp_path / "p").equals(B)
    assert read([{"glob": str(tmp_path / f"*/a.{suffix}")}, "p/deep"], Path("/nowhere") / tmp_path).equals(
        both
    )


def test_an_order_of_columns_of_its_own(tmp_path: Path) -> None:
    for suffix in ("parquet", "csv"):
        write(tmp_path / f"a.{suffix}", A)
        write(tmp_path / f"b.{suffix}", B.select("s", "x"))
        assert read([f"a.{suffix}", f"b.{suffix}"], tmp_path).equals(pl.concat([A, B]))


def test_text_has_the_types_of_all_its_parts(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", A)
    write(tmp_path / "b.csv", B.with_columns(x=pl.lit(0.5)))
    assert read(["a.csv", "b.csv"], tmp_path)["x"].to_list() == [1.0, 2.0, 0.5]
    write(tmp_path / "b.csv", B.with_columns(x=pl.lit("u")))
    assert read(["a.csv", "b.csv"], tmp_path)["x"].to_list() == ["1", "2", "u"]


KEYS = {
    "numbers": ["1", "20"],
    "zeros": ["01", "10"],
    "decimals": ["0.5", "2"],
    "words": ["de", "f%20r"],
    "dates": ["2024-01-05", "2023-12-31"],
    "none": ["__HIVE_DEFAULT_PARTITION__", "7"],
}


@pytest.mark.parametrize("values", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_keys_are_those_that_polars_reads(tmp_path: Path, values: list[str], suffix: str) -> None:
    for value, table in zip(values, (A, B), strict=True):
        write(tmp_path / "p" / f"key={value}" / f"0.{suffix}", table)
        write(tmp_path / "parquet" / f"key={value}" / "0.parquet", table)
    wanted = pl.read_parquet(tmp_path / "parquet", hive_partitioning=True).sort("x")
    for source in ("p", {"glob": f"p/key=*/*.{suffix}"}, {"glob": "p/*"}):
        found = read(source, tmp_path)
        assert found.sort("x").equals(wanted), source
        assert found.schema == wanted.schema
    assert read(f"p/key={values[0]}/0.{suffix}", tmp_path).equals(A)  # a path says nothing


@pytest.mark.skipif(shutil.which("zstd") is None, reason="needs the command zstd")
@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_zstd(tmp_path: Path, kind: str) -> None:
    table = pl.concat([A, B.with_columns(s=pl.lit('two\nlines, "one"'))] * 3000)
    write(tmp_path / f"d.{kind}", table)
    subprocess.run(["zstd", "-q", "--rm", tmp_path / f"d.{kind}"], check=True)
    assert read_source(tmp_path / f"d.{kind}.zst").equals(table)
    content = (tmp_path / f"d.{kind}.zst").read_bytes()
    (tmp_path / f"d.{kind}.zst").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"zst cannot be unpacked \(.*\); fetch it again"):
        read_source(tmp_path / f"d.{kind}.zst")
    (tmp_path / f"e.{kind}").write_bytes(content)  # by its first bytes
    assert read_source(tmp_path / f"e.{kind}").equals(table)


def test_a_quote_that_goes_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gbdt_pwiser.sources.text.delimited.BLOCK", 50)
    texts = ["x", "a\n" * 60, 'say ""', "b" * 120, None, "c\n\n,\n"]
    table = pl.DataFrame({"n": range(60), "s": texts * 10, "t": [None, "u"] * 30})
    table.write_csv(tmp_path / "d.csv")
    assert read_source(tmp_path / "d.csv").equals(table)
    (tmp_path / "d.csv").write_text('a,b\n1,2\n3,"4\n' + "5,6\n" * 100)
    with pytest.raises(
        InputError, match=r"d.csv cannot be read: a quote that opens after line .* is not closed"
    ):
        read_source(tmp_path / "d.csv")


@pytest.mark.parametrize(("at", "line"), [(0, 2), (40, 42), (99, 101)])
@pytest.mark.parametrize("damage", [b"1\n", b"1,2,3\n", b"1,\xe9\n"])
def test_a_line_is_named_in_any_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, line: int, damage: bytes
) -> None:
    monkeypatch.setattr("gbdt_pwiser.sources.text.delimited.BLOCK", 50)
    lines = [b"1,2\n"] * 100
    lines[at] = damage
    (tmp_path / "d.csv").write_bytes(b"a,b\n" + b"".join(lines))
    with pytest.raises(InputError, match=rf"line {line} has "):
        read_source(tmp_path / "d.csv")
