"""Descriptions and data files that are refused: in one line with the cause, before anything is written."""

import gzip
import math
import os
import zipfile

import polars as pl
import pytest

from tests.bad_inputs.harness import refused

ROWS = 60
TINY = ("--rounds", "2", "--early-stopping", "1", "--threads", "1")
LABEL = 'click = "click"\nconversion = "buy"\n'
TOML = f'source = "d.csv"\n{LABEL}'
PARQUET = f'source = "d.parquet"\n{LABEL}'


def table(header="click,buy,x", row="{c},{b},{i}.5", *, sep="\n", **special):
    """Rows of text, numbered from 1; `special` gives lines of their own, as in r5="..."."""
    lines = [row.format(c=int(i % 3 > 0), b=int(i % 3 == 2), i=i) for i in range(ROWS)]
    for place, line in special.items():
        lines[int(place[1:]) - 1] = line
    return sep.join([header, *lines]) + sep


def column(value, name="v", **special):
    """Rows of which one more column says `value`, formatted with the row, but for some."""
    lines = {place: f"1,0,0.5,{text}" for place, text in special.items()}
    return table(f"click,buy,x,{name}", "{c},{b},{i}.5," + value, **lines)


def frame(**columns):
    row = range(ROWS)
    own = {"click": [int(i % 3 > 0) for i in row], "buy": [int(i % 3 == 2) for i in row]}
    return pl.DataFrame(own | {"x": [i + 0.5 for i in row]} | columns, strict=False)


def at_5(value, other):
    return [value if i == 4 else other for i in range(ROWS)]


# What is written beside d.toml by name: a table becomes Parquet, a text UTF-8.
CASES = {
    # ---- the description itself
    "empty": ("", {}, "there is no source; name the Parquet or CSV file"),
    "no toml": ("click = ", {}, "not a TOML file"),
    "utf-16 toml": (TOML.encode("utf-16"), {}, "not a TOML file"),
    "latin-1 toml": (TOML.encode() + b'name = "caf\xe9"\n', {}, "not a TOML file"),
    "two keys": (TOML + 'source = "e.csv"\n', {}, "not a TOML file"),
    "deep toml": ("a = " + "[" * 5000 + "]" * 5000, {}, "not a TOML file"),
    "unknown key": (TOML + 'goup = "x"\n', {}, "unknown keys goup; did you mean group?"),
    "source is a number": (f"source = 3\n{LABEL}", {}, "source is 3; make it a string"),
    "source of numbers": (f'source = ["d.csv", 3]\n{LABEL}', {}, "source is ['d.csv', 3]; make it a string"),
    "an empty list": (f"source = []\n{LABEL}", {}, "source is an empty list; name at least one file"),
    "a file twice": (
        f'source = ["d.csv", "./d.csv"]\n{LABEL}', {"d.csv": table()}, "source has d.csv twice; name each",
    ),
    "a file of a list is gone": (
        f'source = ["d.csv", "e.csv"]\n{LABEL}', {"d.csv": table()}, "source e.csv does not exist",
    ),
    "a pattern without a file": (
        f'source = {{ glob = "day=*/x-*.csv" }}\n{LABEL}', {"d.csv": table()},
        "source has the pattern 'day=*/x-*.csv', which no file has; correct it",
    ),
    "a pattern of a number": (f"source = {{ glob = 3 }}\n{LABEL}", {}, "make its glob a string"),
    "another key than glob": (f'source = {{ gob = "*" }}\n{LABEL}', {}, "unknown source keys gob"),
    "credentials in a description": (
        f'source = {{ glob = "s3://b/*.parquet", storage_options = {{ aws_access_key_id = "x" }} }}\n{LABEL}',
        {}, "source has storage options, and a description holds no credentials; set them in the environment",
    ),
    "text and Parquet": (
        f'source = ["d.csv", "d.parquet"]\n{LABEL}', {"d.csv": table(), "d.parquet": frame()},
        "has Parquet, such as d.parquet, and text, such as d.csv; give files of one kind",
    ),
    "parts of other keys": (
        f'source = {{ glob = "**/*.csv" }}\n{LABEL}', {"d.csv": table(), "day=1/d.csv": table()},
        "the keys in the path of day=1/d.csv are day, and none in that of d.csv",
    ),
    "rare is 0": (TOML + "rare = 0\n", {}, "rare is 0; make it a whole number of at least 1"),
    "rare is true": (TOML + "rare = true\n", {}, "rare is True; make it a whole number of at least 1"),
    "rare is a share": (TOML + "rare = 0.5\n", {}, "rare is 0.5; make it a whole number of at least 1"),
    "name is a boolean": (TOML + "name = true\n", {}, "name is True; make it a string"),
    "name is empty": (TOML + 'name = ""\n', {}, "name is ''; make it a printable text without a slash"),
    "name has a slash": (TOML + 'name = "../a"\n', {}, "name is '../a'; make it a printable text"),
    "name has a newline": (TOML + 'name = "a\\nb"\n', {}, r"name is 'a\nb'; make it a printable text"),
    "grade is a number": ('source = "d.csv"\ngrade = 1\n', {}, "grade is 1; make it a string"),
    "click is a date": (
        'source = "d.csv"\nclick = 2024-01-05\nconversion = "buy"\n', {}, "make it a string",
    ),
    "half a label": ('source = "d.csv"\nclick = "click"\n', {}, "the label is given by click; give either"),
    "three labels": (TOML + 'grade = "x"\n', {}, "the label is given by grade and click and conversion"),
    "group is a float": (TOML + "group = 1.5\n", {}, "group is 1.5; make it a string"),
    "time is a table": (TOML + "[time]\nby = 1\n", {}, "time is {'by': 1}; make it a string"),
    "ignore is a text": (TOML + 'ignore = "x"\n', {}, "ignore is 'x'; make it a list of strings"),
    "categorical of numbers": (TOML + "categorical = [1]\n", {}, "categorical is [1]; make it a list"),
    "missing is a text": (TOML + 'missing = "NA"\n', {}, "missing is 'NA'; make it a list of strings"),
    "missing is a number": (TOML + "missing = [-1]\n", {}, "missing is [-1]; make it a list of strings"),
    "split is a text": (TOML + 'split = "time"\n', {}, "split is 'time'; make it a table"),
    "split key": (TOML + '[split]\nseed = 1\n', {"d.csv": table()}, "unknown split keys seed"),
    "split kind": (
        TOML + '[split]\nby = "times"\n', {"d.csv": table()}, "by is 'times', did you mean time?; choose",
    ),
    "split kind is a number": (TOML + "[split]\nby = 3\n", {"d.csv": table()}, "by is 3; choose one of"),
    "fractions of texts": (
        TOML + '[split]\nfractions = ["a", "b", "c"]\n', {"d.csv": table()}, "give three numbers",
    ),
    "fractions of booleans": (
        TOML + "[split]\nfractions = [true, 0, 0]\n", {"d.csv": table()}, "give three numbers",
    ),
    "fractions too many": (
        TOML + "[split]\nfractions = [0.4, 0.2, 0.2, 0.2]\n", {"d.csv": table()}, "give three positive",
    ),
    "fractions of nan": (
        TOML + "[split]\nfractions = [nan, 0.5, 0.5]\n", {"d.csv": table()}, "give three positive",
    ),
    "fractions too large": (
        TOML + f"[split]\nfractions = [{10**400}, 0.2, 0.2]\n", {"d.csv": table()}, "give three numbers",
    ),
    "no time to split by": (TOML + '[split]\nby = "time"\n', {"d.csv": table()}, "d has no time to split by"),
    # ---- where the data are
    "no such source": (TOML, {}, "d.csv does not exist; give its path relative to the description"),
    "another format": (f'source = "d.xlsx"\n{LABEL}', {"d.xlsx": "x"}, "is neither .parquet nor .csv"),
    "an empty path": (f'source = ""\n{LABEL}', {}, "is a folder without .parquet files"),
    "nobody's home": (f'source = "~nobody-here/d.csv"\n{LABEL}', {}, "is in the home of nobody"),
    "a NUL in the path": (f'source = "d\\u0000.csv"\n{LABEL}', {}, "does not exist"),
    "a long path": (f'source = "{"d" * 5000}.csv"\n{LABEL}', {}, "cannot be read"),
    "texts that differ": (
        TOML, {"d.csv/0.csv": table(), "d.csv/1.csv": column("1")},
        "source d.csv/1.csv has the column v, which d.csv/0.csv lacks; write all parts alike",
    ),
    "a folder without parts": (PARQUET, {"d.parquet/_SUCCESS": ""}, "is a folder without .parquet files"),
    "parts that differ": (
        PARQUET, {"d.parquet/a.parquet": frame(), "d.parquet/b.parquet": frame(y=1)},
        "source d.parquet/b.parquet has the column y, which d.parquet/a.parquet lacks; write all parts alike",
    ),
    "parts of other types": (
        PARQUET, {"d.parquet/a.parquet": frame(y=1), "d.parquet/b.parquet": frame(y="1")},
        "source d.parquet/b.parquet has the column y as String, and d.parquet/a.parquet as Int32; write all",
    ),
    "a neighbour is no source": (
        f'source = "d*.csv"\n{LABEL}', {"d1.csv": table(), "d2.csv": table()}, "d*.csv does not exist",
    ),
    "a device": (f'source = "d.csv"\n{LABEL}', {"d.csv": None}, "is no regular file"),
    "no parquet": (PARQUET, {"d.parquet": "click,buy\n0,1\n"}, "d.parquet cannot be read"),
    "parquet without rows": (PARQUET, {"d.parquet": frame().clear()}, "d.parquet has no rows"),
    # ---- text files
    "nothing": (TOML, {"d.csv": ""}, "d.csv is empty; give one whose first line names its columns"),
    "blank lines": (TOML, {"d.csv": "\n\n \n"}, "d.csv is empty"),
    "only a header": (TOML, {"d.csv": "click,buy,x\n"}, "d.csv has no rows; give one with exposures"),
    "no header": (TOML, {"d.csv": "1,0,0.5\n0,0,1.5\n"}, "unknown columns buy, click; known: 1, 0, 0.5"),
    "a column twice": (
        TOML, {"d.csv": table("click,buy,click", "{c},{b},{c}")},
        "names 'click' more than once in its header",
    ),
    "a blank apart": (
        TOML, {"d.csv": table("click,buy, click", "{c},{b},{c}")},
        "names 'click' more than once in its header",
    ),
    "quotes apart": (
        TOML, {"d.csv": table('click,buy,"click"', "{c},{b},{c}")}, "names 'click' more than once",
    ),
    "two columns twice": (
        TOML, {"d.csv": table("buy,click,click,buy", "{b},{c},{c},{b}")},
        "names 'buy', 'click' more than once",
    ),
    "two without a name": (
        TOML, {"d.csv": table("click,buy,,", "{c},{b},{i},{i}")}, "names '' more than once in its header",
    ),
    "a long line": (
        TOML, {"d.csv": table(r7="1,0,1.5,9")},
        "line 8 has 4 fields where the header has 3 (separated by ',')",
    ),
    "a short line": (TOML, {"d.csv": table(r7="1,0")}, "line 8 has 2 fields where the header has 3"),
    "cut short": (TOML, {"d.csv": table()[:-6]}, "line 61 has 2 fields where the header has 3"),
    "an open quote": (TOML, {"d.csv": table(r7='1,0,"1')}, "cannot be read"),
    "latin-1": (TOML, {"d.csv": column("a", r9="é").encode("latin-1")}, "d.csv is no UTF-8 (line 10 has the"),
    "latin-1 header": (
        TOML, {"d.csv": column("1", "é").encode("latin-1")},
        "is no UTF-8 (line 1 has the byte",
    ),
    "binary": (TOML, {"d.csv": b"\x00\x01\x02" * 50}, "d.csv holds NUL bytes"),
    "utf-16 without its mark": (TOML, {"d.csv": table().encode("utf-16-le")}, "d.csv holds NUL bytes"),
    "utf-32": (TOML, {"d.csv": table().encode("utf-32")}, "d.csv holds NUL bytes"),
    "half of utf-16": (TOML, {"d.csv": table().encode("utf-16")[:-1]}, "d.csv is UTF-16 and cut short"),
    "parquet by another name": (TOML, {"d.csv": b"PAR1" + b"x" * 99}, "d.csv is a Parquet file; name it"),
    "a workbook": (TOML, {"d.csv": "zip"}, "d.csv is a zip archive or a workbook; unpack it"),
    "half a gzip": (
        f'source = "d.csv.gz"\n{LABEL}',
        {"d.csv.gz": gzip.compress(table().encode(), mtime=0)[:-20]},
        "be unpacked",
    ),
    "spoilt gzip": (
        f'source = "d.csv.gz"\n{LABEL}', {"d.csv.gz": b"\x1f\x8b\x08" + b"x" * 99}, "cannot be unpacked",
    ),
    # ---- values of columns
    "a word among numbers": (
        TOML, {"d.csv": column("{i}.5", r9="unknown")},
        "column v is numbers but for 1 of 60 rows ('unknown' in row 9); correct these, add them to missing, "
        "or list the column in categorical or ignore",
    ),
    "a decimal comma": (TOML, {"d.csv": column("{i}", r9='"1,5"')}, "column v is numbers but for 1 of 60"),
    "thousands": (TOML, {"d.csv": column("{i}", r9='"1,234.5"')}, "('1,234.5' in row 9)"),
    "decimal commas": (
        TOML, {"d.csv": table("click;buy;x", "{c};{b};{i},5")}, "('0,5' in row 1, '1,5' in row 2, '2,5' in",
    ),
    "per cents": (TOML, {"d.csv": column("{i} %")}, "('0 %' in row 1, "),
    "another word for missing": (
        TOML + 'missing = ["?"]\n', {"d.csv": column("{i}", r9="NA")}, "('NA' in row 9); correct these",
    ),
    "days and months": (TOML, {"d.csv": column("05/0{c}/2024")}, "v (text of dates or times) cannot be"),
    "dates": (TOML, {"d.csv": column("2024-01-0{c}", r1="2024-01-03")}, "v (text of dates or times) cannot"),
    "ISO dates": (
        TOML, {"d.csv": column("2024-01-1{c}")},
        "v (Date) cannot be features; list them in ignore",
    ),
    "dates as texts": (PARQUET, {"d.parquet": frame(v="2024-01-05")}, "v (text of dates or times) cannot be"),
    "too large": (TOML, {"d.csv": column("{i}", r9="1e300")}, "v has 1e+300, too large for float32 (3.4e38"),
    "too large and negative": (
        PARQUET, {"d.parquet": frame(v=at_5(-1e39, 0.0))},
        "v has -1e+39, too large",
    ),
    "beyond float64": (TOML, {"d.csv": column("{i}", r9="1e400")}, "of 60 rows ('1e400' in row 9)"),
    "infinite": (PARQUET, {"d.parquet": frame(v=at_5(math.inf, 0.0))}, "infinite values in v"),
    "a list": (PARQUET, {"d.parquet": frame(v=[[1]] * ROWS)}, "v (List(Int64)) cannot be features"),
    "a list as categorical": (
        PARQUET + 'categorical = ["v"]\n', {"d.parquet": frame(v=[[1]] * ROWS)}, "v (List(Int64)) cannot be",
    ),
    "no feature": (TOML + 'ignore = ["x"]\n', {"d.csv": table()}, "no column is left as a feature"),
    # ---- labels
    "a missing click": (
        TOML, {"d.csv": table(r5=",0,1.5")},
        "click = 'click' is not 0 or 1 in 1 rows (the first is row 5: None)",
    ),
    "a click that may be settled or not": (
        TOML + 'settled = "done"\n', {"d.csv": column("1", "done", r5="")},
        "settled is missing for 1 clicks (the first is in row 5); drop them",
    ),
    "settled by half": (
        TOML + 'settled = "done"\n', {"d.csv": column("1", "done", r5="0.5")},
        "settled = 'done' is not 0 or 1 in 1 rows (the first is row 5: 0.5)",
    ),
    "settled by a word": (
        TOML + 'settled = "done"\n', {"d.csv": column("yes", "done")}, "settled = 'done' is String; write an",
    ),
    "settled is no expression": (
        TOML + 'settled = "done <"\n', {"d.csv": column("1", "done")}, "is neither a column nor an SQL",
    ),
    "settled alone": (
        'source = "d.csv"\nsettled = "done"\n', {"d.csv": column("1", "done")},
        "the label is given by nothing; give either grade, or click and conversion",
    ),
    "a word for a click": (TOML, {"d.csv": table(r5="yes,0,1.5")}, "click = 'click' is String; write an"),
    "a click of 2": (TOML, {"d.csv": table(r5="2,0,1.5")}, "is not 0 or 1 in 1 rows (the first is row 5: 2)"),
    "bought without a click": (TOML, {"d.csv": table(r5="0,1,1.5")}, "1 rows convert without a click"),
    "no SQL": (
        TOML.replace('"click"', '"click ="'), {"d.csv": table()}, "is neither a column nor an SQL expression",
    ),
    "a pattern in SQL": (
        TOML.replace('"click"', "'\"^c.*$\" = 1'"), {"d.csv": table("^c.*$,buy,x")},
        "reads as a pattern of names",
    ),
    "labels are features": (
        TOML + 'categorical = ["click"]\n', {"d.csv": table()},
        "click cannot be categorical and part of the label",
    ),
    # ---- group and time
    "no such column": (TOML + 'group = "usr"\n', {"d.csv": column("u", "user")}, "did you mean user?"),
    "a group is missing": (
        TOML + 'group = "v"\n', {"d.csv": column("u", r9="-")},
        "group v is missing in 1 rows",
    ),
    "a group is NaN": (
        PARQUET + 'group = "v"\n', {"d.parquet": frame(v=at_5(math.nan, 1.0))}, "(the first is row 5)",
    ),
    "time is a float": (
        TOML + 'time = "v"\n', {"d.csv": column("1.5")},
        "time v is Float64; store whole numbers",
    ),
    "time is missing": (
        TOML + 'time = "v"\n', {"d.csv": column("{i}", r9="")},
        "time v is missing in 1 rows",
    ),
    "time beyond int64": (
        TOML + 'time = "v"\n', {"d.csv": column("{i}", r9=2**64)},
        "time v is 18446744073709551616 in row 9, beyond",
    ),
    "time beyond int64 in uint64": (
        PARQUET + 'time = "v"\n',
        {"d.parquet": frame().with_columns(v=pl.Series(at_5(2**63, 1), dtype=pl.UInt64))},
        "time v is 9223372036854775808 in row 5, beyond int64",
    ),
    "which is the month": (
        TOML + 'time = "v"\n', {"d.csv": column("0{c}/02/2024")},
        "time v is '00/02/2024' in row 1, which is not ISO 8601",
    ),
    "one that is not ISO": (
        TOML + 'time = "v"\n', {"d.csv": column("2024-01-1{c}", r9="12.01.2024")}, "'12.01.2024' in row 9",
    ),
    "no day of the calendar": (
        TOML + 'time = "v"\n', {"d.csv": column("2024-01-1{c}", r9="2024-02-30")}, "'2024-02-30' in row 9",
    ),
    "an offset in some rows": (
        TOML + 'time = "v"\n', {"d.csv": column("2024-01-01T0{c}:00:00Z", r9="2024-01-01T00:00:00")},
        "time v has an offset from UTC in some rows only; store it in all",
    ),
    "not as the format says": (
        TOML + 'time = "v"\ntime_format = "%d/%m/%Y"\n', {"d.csv": column("05/02/2024", r9="05/13/2024")},
        "time v is '05/13/2024' in row 9, not as time_format '%d/%m/%Y' says",
    ),
    "a format without a year": (
        TOML + 'time = "v"\ntime_format = "%d/%m"\n', {"d.csv": column("05/02")},
        "gives no year; store the year",
    ),
    "a format of half a time": (
        TOML + 'time = "v"\ntime_format = "%H"\n', {"d.csv": column("05")},
        "time_format is '%H': Invalid format",
    ),
    "a format that is none": (
        TOML + 'time = "v"\ntime_format = "DD/MM"\n', {"d.csv": column("05/02")},
        "write it as in '%d/%m/%Y %H:%M'",
    ),
    "the name of a zone": (
        TOML + 'time = "v"\ntime_format = "%Y-%m-%d %Z"\n', {"d.csv": column("2024-01-05 CET")},
        "gives no offset",
    ),
    "a format without a time": (
        TOML + 'time_format = "%Y"\n', {"d.csv": table()},
        "and there is no time; name",
    ),
    "a format is a number": (
        TOML + "time_format = 1\n", {"d.csv": table()},
        "time_format is 1; make it a string",
    ),
    "a format for dates": (
        PARQUET + 'time = "v"\ntime_format = "%Y-%m-%d"\n',
        {"d.parquet": frame().with_columns(v=pl.date(2024, 1, 5))},
        "time v is Date, no text that a time_format could read; remove time_format",
    ),
    # ---- splits
    "two times": (
        TOML + 'time = "v"\n', {"d.csv": column("{c}")},
        "the test split of 'd' is empty: there are 60 rows of 2 times to cut between; give it",
    ),
    "one group": (
        TOML + 'group = "v"\n', {"d.csv": column("7")},
        "split of 'd' is empty: there are 60 rows of 1 group to cut",
    ),
    "two rows": (TOML, {"d.csv": "click,buy,x\n1,1,1\n0,0,2\n"}, "is empty: there are 2 rows to cut between"),
    "one class": (
        TOML + 'time = "v"\n', {"d.csv": table("click,buy,x,v", "1,0,{i},{i}")},
        "one-class split: the train split",
    ),
}  # fmt: skip


def write(path, content):
    path.parent.mkdir(exist_ok=True)
    match content:
        case None:
            os.mkfifo(path)
        case pl.DataFrame():
            content.write_parquet(path)
        case "zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("d.csv", table())
        case bytes():
            path.write_bytes(content)
        case _:
            path.write_text(content, encoding="utf-8")


@pytest.mark.parametrize(("toml", "files", "message"), CASES.values(), ids=CASES)
def test_refused(run, folder, toml, files, message):
    for name, content in {"d.toml": toml, **files}.items():
        write(folder / name, content)
    command = ["compare", "train", "tune"][len(message) % 3]
    output = [] if command == "compare" else ["--output", "out"]
    told = refused(run, folder, command, "--dataset", "d.toml", *TINY, *output)
    assert message in told
    assert told.startswith(("d.toml: ", "d has no", "the ", "one-class split: "))
    assert " in /" not in told
