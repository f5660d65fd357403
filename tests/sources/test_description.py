"""What a description may say, whatever the data are."""

from pathlib import Path

import pytest

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import Description
from gbdt_pwiser.sources.description import read_description, split_options

LABEL = 'click = "clicked"\nconversion = "bought"\n'
BASE = 'source = "shown.csv"\n' + LABEL


def read(folder: Path, text: str) -> Description:
    path = folder / "toy.toml"
    path.write_text(text, encoding="utf-8")
    return read_description(path)


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    assert read(tmp_path, BASE) == Description("shown.csv", "toy", click="clicked", conversion="bought")
    said = read(tmp_path, 'source = "x.parquet"\nname = "shop"\ngrade = "level"\nmissing = ["?"]\n')
    assert said == Description("x.parquet", "shop", grade="level", missing=["?"])
    assert said.labels == {"grade": "level"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BASE + 'groups = "user"', "unknown keys groups; did you mean group?"),
        (BASE + "group = 3", "group is 3; make it a string"),
        (BASE + 'ignore = "day"', "ignore is 'day'; make it a list of strings"),
        (BASE + "categorical = [1]", "categorical is [1]; make it a list of strings"),
        (BASE + 'split = "time"', "split is 'time'; make it a table"),
        (BASE + '[split]\nhow = "time"', "unknown split keys how"),
        ('source = "shown.csv"', "the label is given by nothing; give either grade, or click and conversion"),
        ('source = "shown.csv"\nclick = "clicked"', "the label is given by click; give either"),
        (BASE + 'grade = "level"', "the label is given by grade and click and conversion; give either"),
        (BASE + 'name = "a/b"', "name is 'a/b'; make it a printable text without a slash"),
        (BASE + 'time_format = "%Y"', "time_format is '%Y' and there is no time; name the column"),
        (BASE + 'time = "day"\ntime_format = "iso"', "time_format is 'iso'; write it as in '%d/%m/%Y %H:%M'"),
        (BASE + 'time = "day"\ntime_format = "%Y %Z"', "the name of a time zone (%Z) gives no offset"),
        (LABEL, "there is no source; name the Parquet or CSV file"),
        (BASE + "name = ", "not a TOML file"),
    ],
)
def test_what_it_cannot_say(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)


def test_split_options() -> None:
    assert split_options({}) == split_options({"by": "auto", "fractions": [0.6, 0.2, 0.2]})
    assert split_options({"by": "time", "fractions": [0.5, 0.25, 0.25]}).fractions == (0.5, 0.25, 0.25)
    for fractions in (0.5, "abc", [0.5, "x", 0.2], [True, 0.5, 0.5]):
        with pytest.raises(InputError, match=r"split.fractions is .*; give three numbers, e.g. \[0.6"):
            split_options({"fractions": fractions})
