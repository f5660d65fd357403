"""Files of one's own: which are read, and as what."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import polars as pl
import pytest

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import load, load_description
from gbdt_pwiser.sources.text.table import read_source

TEXT = "click,buy,x\n0,0,0.5\n1,0,1.5\n1,1,2.5\n"
SAME = pl.DataFrame({"click": [0, 1, 1], "buy": [0, 0, 1], "x": [0.5, 1.5, 2.5]})


def read(path: Path, content: str | bytes, **options: list[str]) -> pl.DataFrame:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_source(path, **options)


@pytest.mark.parametrize(
    ("name", "content"),
    {
        "as it is": ("d.csv", TEXT),
        "upper case": ("D.CSV", TEXT),
        "a byte order mark": ("d.csv", b"\xef\xbb\xbf" + TEXT.encode()),
        "utf-16": ("d.csv", TEXT.encode("utf-16")),
        "utf-16, big end first": ("d.csv", b"\xfe\xff" + TEXT.encode("utf-16-be")),
        "gzip": ("d.csv.gz", gzip.compress(TEXT.encode(), mtime=0)),
        "gzip by another name": ("d.csv", gzip.compress(TEXT.encode(), mtime=0)),
        "gzip of utf-16": ("d.csv.gz", gzip.compress(TEXT.encode("utf-16"), mtime=0)),
        "semicolons": ("d.csv", TEXT.replace(",", ";")),
        "tabs": ("d.csv", TEXT.replace(",", "\t")),
        "tabs by name": ("d.tsv", TEXT.replace(",", "\t")),
        "packed tabs": ("d.tsv.gz", gzip.compress(TEXT.replace(",", "\t").encode(), mtime=0)),
        "bars": ("d.csv", TEXT.replace(",", "|")),
        "Windows line ends": ("d.csv", TEXT.replace("\n", "\r\n")),
        "line ends of old": ("d.csv", TEXT.replace("\n", "\r")),
        "no last line end": ("d.csv", TEXT[:-1]),
        "trailing blank lines": ("d.csv", TEXT + "\n\n"),
        "a trailing line of blanks": ("d.csv", TEXT + "   \n"),
        "a trailing line of separators": ("d.csv", TEXT + ",,\n"),
        "a blank line inside": ("d.csv", TEXT.replace("1,0,", "\n1,0,")),
        "a blank line in front": ("d.csv", "\n" + TEXT),
        "blanks after commas": ("d.csv", TEXT.replace(",", ", ")),
        "blanks around": ("d.csv", TEXT.replace(",", " , ")),
        "quoted names": ("d.csv", TEXT.replace("click,buy,x", '"click", "buy" ,"x"')),
        "quoted values": ("d.csv", TEXT.replace("2.5", '"2.5"')),
    }.values(),
)  # fmt: skip
def test_texts_that_say_the_same(tmp_path: Path, name: str, content: str | bytes) -> None:
    assert read(tmp_path / name, content).equals(SAME)


@pytest.mark.parametrize("name", ["d[1].csv", "d*.csv", "?.csv", "a b.csv", "{d}.csv", "$d.csv", "é.csv"])
def test_a_path_is_no_pattern(tmp_path: Path, name: str) -> None:
    for neighbour in ("d1.csv", "dd.csv", "d.csv", "x.csv"):
        (tmp_path / neighbour).write_text(TEXT * 2)
        SAME.vstack(SAME).write_parquet((tmp_path / neighbour).with_suffix(".parquet"))
    assert read(tmp_path / name, TEXT).equals(SAME)
    path = (tmp_path / name).with_suffix(".parquet")
    SAME.write_parquet(path)
    assert read_source(path).equals(SAME)


def test_a_folder_of_parts(tmp_path: Path) -> None:
    folder = tmp_path / "x[1].parquet"
    folder.mkdir()
    for place, name in enumerate(["part-00000-a.snappy.parquet", "part-00001-a.snappy.parquet"]):
        SAME[place : place + 2 : 2 - place].write_parquet(folder / name)
        (folder / f".{name}.crc").write_bytes(b"crc")
    (folder / "_SUCCESS").touch()
    (folder / "_temporary").mkdir()
    (folder / "_temporary" / "part-2.parquet").write_bytes(b"half")
    (tmp_path / "x1.parquet").mkdir()
    assert read_source(folder).equals(SAME)


def test_a_folder_of_parts_by_key(tmp_path: Path) -> None:
    for day in (1, 2):
        (tmp_path / "x" / f"day={day}").mkdir(parents=True)
        SAME.write_parquet(tmp_path / "x" / f"day={day}" / "part-0.parquet")
    assert read_source(tmp_path / "x").equals(
        pl.concat([SAME.with_columns(day=pl.lit(day, pl.Int64)) for day in (1, 2)])
    )


def test_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "d.csv").write_text(TEXT)
    toml = tmp_path / "elsewhere" / "d.toml"
    toml.parent.mkdir()
    toml.write_text('\ufeffsource = "~/d.csv"\nclick = "click"\nconversion = "buy"\n', encoding="utf-8")
    assert len(load_description(toml).exposures) == 3


@pytest.mark.parametrize("name", ["d.csv", "d.tsv", "d.csv.gz", "d.parquet", "d.parquet/"])
def test_a_description_beside_its_data(tmp_path: Path, name: str) -> None:
    (tmp_path / "d.toml").write_text('source = "gone.csv"\nclick = "click"\nconversion = "buy"\n')
    path = tmp_path / name
    if name.endswith("/"):
        path.mkdir()
        SAME.write_parquet(path / "part-0.parquet")
    elif name.endswith(".parquet"):
        SAME.write_parquet(path)
    else:
        path.write_bytes(gzip.compress(TEXT.encode(), mtime=0) if name.endswith("gz") else TEXT.encode())
    assert load(f"{tmp_path}/{name}").exposures.grade.tolist() == [0, 1, 2]


def test_a_quoted_field_holds_anything(tmp_path: Path) -> None:
    text = 'a,"b,""c""\nd"\n1,"x, y"\n2,"say ""so"""\n3,"two\nlines"\n'
    frame = read(tmp_path / "d.csv", text)
    assert frame.columns == ["a", 'b,"c"\nd']
    assert frame[:, 1].to_list() == ["x, y", 'say "so"', "two\nlines"]


@pytest.mark.parametrize(
    "word", ["", "-", "NA", "N/A", "NULL", "null", "NaN", "nan", "None", " NA ", '"NA"', '""']
)
def test_words_for_missing(tmp_path: Path, word: str) -> None:
    frame = read(tmp_path / "d.csv", f"a,b,c\n1,1.5,x\n{word},{word},{word}\n3,2.5,y\n,,z\n")
    assert frame.to_dict(as_series=False) == {
        "a": [1, 3, None],
        "b": [1.5, 2.5, None],
        "c": ["x", "y", "z"],
    }


def test_words_for_missing_can_be_set(tmp_path: Path) -> None:
    text = "a,b\n1,NA\n?,x\n3,\\N\n,-\n"
    assert read(tmp_path / "d.csv", text, missing=["?", "\\N"]).to_dict(as_series=False) == {
        "a": [1, None, 3, None],
        "b": ["NA", "x", None, "-"],
    }
    frame = pl.DataFrame({"a": ["NA", "?"], "^b$": ["?", "x"], "n": [1, 2]})
    frame.write_parquet(tmp_path / "d.parquet")
    assert read_source(tmp_path / "d.parquet").equals(frame)
    assert read_source(tmp_path / "d.parquet", missing=["?"]).to_dict(as_series=False) == {
        "a": ["NA", None],
        "^b$": [None, "x"],
        "n": [1, 2],
    }


def test_codes_keep_their_leading_zeros(tmp_path: Path) -> None:
    text = "click,buy,zip,user,x\n" + "0,0,007,01,007\n1,0,7,1,7\n1,1,NA,1,NA\n"
    (tmp_path / "d.csv").write_text(text)
    (tmp_path / "d.toml").write_text(
        'source = "d.csv"\nclick = "click"\nconversion = "buy"\ngroup = "user"\ncategorical = ["zip"]\n'
    )
    exposures = load_description(tmp_path / "d.toml").exposures
    assert exposures.features.to_dict(as_series=False) == {"zip": [0, 1, None], "x": [7.0, 7.0, None]}
    assert exposures.group is not None
    assert exposures.group.tolist() == [0, 1, 1]
    (tmp_path / "d.csv").write_text(text.replace("007,01", "10,2"))
    exposures = load_description(tmp_path / "d.toml").exposures
    assert exposures.features["zip"].to_list() == [1, 0, None]  # in the order of numbers
    assert exposures.group is not None
    assert exposures.group.tolist() == [1, 0, 0]


def test_a_name_is_no_pattern(tmp_path: Path) -> None:
    frame = read(tmp_path / "d.csv", "^a.*$,ab,*,^$, x \n1,2,3,4,u\n5,6,7,8,NA\n")
    assert frame.to_dict(as_series=False) == {
        "^a.*$": [1, 5],
        "ab": [2, 6],
        "*": [3, 7],
        "^$": [4, 8],
        "x": ["u", None],
    }


def test_a_header_with_the_names_that_polars_would_make_up(tmp_path: Path) -> None:
    assert read(tmp_path / "d.csv", "a,a_duplicated_0\n1,2\n").columns == ["a", "a_duplicated_0"]
    with pytest.raises(InputError, match="names 'a' more than once"):
        read(tmp_path / "d.csv", "a,a,a_duplicated_0\n1,2,3\n")


def test_parquet_with_a_name_twice(tmp_path: Path) -> None:
    """Written by hand, since no library writes it: `b` becomes a second `a`."""
    pl.DataFrame({"aaaaaa": [1, 2], "bbbbbb": [3, 4]}).write_parquet(tmp_path / "d.parquet")
    content = (tmp_path / "d.parquet").read_bytes().replace(b"bbbbbb", b"aaaaaa")
    (tmp_path / "d.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"d.parquet .*aaaaaa"):
        read_source(tmp_path / "d.parquet")


def test_a_panic_of_polars_is_a_damaged_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some damage meets an assertion of the reader, whose exception is not an Exception."""
    SAME.write_parquet(tmp_path / "d.parquet")

    def panic(*_: object, **__: object) -> None:
        raise pl.exceptions.PanicException("called `Option::unwrap()`")

    monkeypatch.setattr(pl, "read_parquet", panic)
    with pytest.raises(InputError, match=r"d.parquet cannot be read: called `Option::unwrap\(\)`; correct"):
        read_source(tmp_path / "d.parquet")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    for name in ("d.csv", "d.parquet"):
        (tmp_path / name).write_text(TEXT)
        (tmp_path / name).chmod(0)
        with pytest.raises(InputError, match=r"cannot be read: .*[Pp]ermission"):
            read_source(tmp_path / name)


def test_an_empty_text_in_parquet_is_missing_only_beside_words(tmp_path: Path) -> None:
    texts = pl.DataFrame({"x": ["", "NA", "a", None]})
    texts.write_parquet(tmp_path / "d.parquet")
    assert read_source(tmp_path / "d.parquet").equals(texts)
    assert read_source(tmp_path / "d.parquet", missing=[]).equals(texts)
    found = read_source(tmp_path / "d.parquet", missing=["NA"])
    assert found["x"].to_list() == [None, None, "a", None]
