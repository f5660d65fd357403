"""Data sets by name: where each is looked for, loaded from and prepared to."""

import re
from pathlib import Path

import platformdirs
import polars as pl
import pytest

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import (
    KnownDataset,
    known_datasets,
    load,
    prepare,
    prepare_aliexpress,
    resolve_data_dir,
)
from gbdt_pwiser.sources.registry import MADE, NAMES, RELEASED, SOURCES
from tests.aliexpress import write_raw


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    prepare_aliexpress("us", write_raw(tmp_path / "raw"), tmp_path / "data", progress=False)
    return tmp_path / "data"


def test_data_dir_is_the_argument_the_variable_or_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GBDT_PWISER_DATA", str(tmp_path / "variable"))
    assert resolve_data_dir(tmp_path / "argument") == tmp_path / "argument"
    assert resolve_data_dir() == tmp_path / "variable"
    monkeypatch.delenv("GBDT_PWISER_DATA")
    assert resolve_data_dir() == Path(platformdirs.user_data_dir("gbdt-pwiser"))


def test_prepared_set(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(load("us", data_dir=data_dir).exposures) == 18
    monkeypatch.setenv("GBDT_PWISER_DATA", str(data_dir))
    assert load("us").exposures.name == "us"


def test_simulated_takes_options() -> None:
    exposures = load("simulated", n_exposures=500, ctr=0.2).exposures
    assert len(exposures) == 500
    assert 0.1 < exposures.click.mean() < 0.3


def test_options_are_for_simulated_only(data_dir: Path) -> None:
    with pytest.raises(InputError, match="ctr cannot be set for us, only for simulated"):
        load("us", data_dir=data_dir, ctr=0.1)


@pytest.mark.parametrize("name", ["us", "simulated", "toy.toml"])
def test_an_option_that_no_data_set_takes(name: str) -> None:
    message = f"foo cannot be set for {name}, nor for any other data set; leave it out"
    with pytest.raises(InputError, match=message):
        load(name, foo=1)


def test_a_name_is_that_of_one_source() -> None:
    assert len(set(NAMES)) == len(SOURCES) == len(MADE) + len(RELEASED)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_file_with_a_description_beside_it(tmp_path: Path, suffix: str) -> None:
    frame = pl.DataFrame({"level": [0, 1, 2], "x": [1.0, 2.0, 3.0]})
    path = tmp_path / f"shown{suffix}"
    frame.write_csv(path) if suffix == ".csv" else frame.write_parquet(path)
    with pytest.raises(InputError, match=re.escape(f"has no description; write {tmp_path / 'shown.toml'}")):
        load(path)
    # The file that was asked for is read, whatever the description names.
    (tmp_path / "shown.toml").write_text('source = "other.parquet"\ngrade = "level"\n')
    assert load(str(path)).exposures.grade.tolist() == [0, 1, 2]
    (tmp_path / "shown.toml").write_text(f'source = "shown{suffix}"\ngrade = "level"\n')
    assert load(tmp_path / "shown.toml").exposures.grade.tolist() == [0, 1, 2]


def test_missing_prepared_set_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load("nl", data_dir=tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        str(tmp_path / "nl"),
        "https://tianchi.aliyun.com/dataset/74690",
        "`gbdt-pwiser prepare --dataset nl --source PATH`",
        "--dataset simulated",
    ):
        assert part in message


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(
        InputError, match=r"'simulate', did you mean simulated\?; choose one of us, nl, fr, es, ccp, sim"
    ):
        load("simulate")
    with pytest.raises(InputError, match=r"unknown data set 'qqqq'; choose one of"):
        load("qqqq")


def test_known_datasets(data_dir: Path) -> None:
    rewrite_damaged = data_dir / "fr"
    rewrite_damaged.mkdir()
    known = {dataset.name: dataset for dataset in known_datasets(data_dir)}
    assert list(known)[:6] == ["us", "nl", "fr", "es", "ccp", "simulated"]
    assert known["us"] == KnownDataset(
        "us",
        "AliExpress search exposures, United States",
        True,
        data_dir / "us",
        rows=18,
        clicks=10,
        conversions=5,
        open=0,
    )
    for name in ("nl", "fr", "es", "ccp"):
        assert (known[name].prepared, known[name].path, known[name].rows) == (False, data_dir / name, None)
    assert (known["simulated"].prepared, known["simulated"].path) == (True, None)


def test_prepare_by_name(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw")
    assert prepare("us", raw, tmp_path / "data", progress=False) == tmp_path / "data" / "us"
    with pytest.raises(
        InputError, match="rare cannot be set for us, whose codes are published; it is for ccp"
    ):
        prepare("us", raw, tmp_path / "data", rare=5)
    with pytest.raises(InputError, match="unknown data set 'uk'; choose one of us, nl, fr, es, ccp"):
        prepare("uk", raw, tmp_path / "data")
    with pytest.raises(InputError, match=r"lacks common_features_train\.csv"):
        prepare("ccp", raw, tmp_path / "data")
