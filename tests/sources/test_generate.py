"""Generated files: their layout, that a seed decides them, and that they can be prepared."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from gbdt_pwiser.data.prepared import load_prepared
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import prepare_aliexpress, simulate
from gbdt_pwiser.sources.generate import write_ali_ccp, write_aliexpress

WRITERS = {"aliexpress": write_aliexpress, "ali_ccp": write_ali_ccp}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_seed_decides_the_files(tmp_path: Path, kind: str) -> None:
    for name, seed in (("one", 5), ("same", 5), ("other", 6)):
        WRITERS[kind](tmp_path / name, 300, seed=seed)
    one, same, other = (contents(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one)


def test_aliexpress_layout(tmp_path: Path) -> None:
    write_aliexpress(tmp_path, 700, test_rows=90, country="nl")
    assert sorted(contents(tmp_path)) == sorted(
        f"nl_{kind}_{part}.csv" for kind in ("user", "item") for part in ("train", "test")
    )
    for part, rows in (("train", 700), ("test", 90)):
        user, item = (
            [line.split(",") for line in (tmp_path / f"nl_{kind}_{part}.csv").read_text().splitlines()]
            for kind in ("user", "item")
        )
        assert len(item) == rows
        assert {len(fields) for fields in user} == {33}
        assert {len(fields) for fields in item} == {49}
        # One user line for each search, in the order of the items.
        assert [fields[0] for fields in user] == list(dict.fromkeys(fields[0] for fields in item))
        assert {fields[48] for fields in item} <= {"0", "1", "2"}
        codes = [p - 1 for p in (19, 34, 35, 36, 40, 41, 42)]
        assert all(fields[p].isdigit() for fields in item for p in codes)
        assert all(0 <= float(fields[p]) <= 1.00002 for fields in user for p in range(8, 31))


def test_aliexpress_exposures_are_those_of_the_simulation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gbdt_pwiser.sources.generate.BLOCK", 400)
    write_aliexpress(tmp_path / "raw", 1000, ctr=0.2, cvr=0.3)
    exposures = load_prepared(prepare_aliexpress("us", tmp_path / "raw", tmp_path / "data", progress=False))
    assert len(exposures) == 1250
    shown = simulate(10, seed=0).exposures
    assert exposures.features.schema == pl.Schema(
        {c: shown.features.schema[c] for c in exposures.features.columns}
    )
    assert 0.1 < exposures.click.mean() < 0.3
    assert exposures.group is not None
    # Blocks share no search: a search of one block would else be in the user file twice, which is refused.
    assert (exposures.group[:1000] <= exposures.group[:1000].max()).all()


def test_ali_ccp_layout(tmp_path: Path) -> None:
    write_ali_ccp(tmp_path, 600, test_rows=120, rows_per_user=6, history=5)
    assert sorted(contents(tmp_path)) == [
        "common_features_test.csv",
        "common_features_train.csv",
        "sample_skeleton_test.csv",
        "sample_skeleton_train.csv",
    ]
    users = {}
    for part, rows in (("train", 600), ("test", 120)):
        skeleton = [
            line.split(",") for line in (tmp_path / f"sample_skeleton_{part}.csv").read_text().splitlines()
        ]
        common = [
            line.split(",") for line in (tmp_path / f"common_features_{part}.csv").read_text().splitlines()
        ]
        assert [int(fields[0]) for fields in skeleton] == list(range(1, rows + 1))
        assert len(common) == rows / 6
        assert {len(fields) for fields in skeleton} == {6}
        assert {len(fields) for fields in common} == {3}
        assert {fields[3] for fields in skeleton} == {fields[0] for fields in common}
        for fields in [*skeleton, *common]:
            entries = fields[-1].split("\x01")
            assert len(entries) == int(fields[-2])
            for entry in entries:
                field, rest = entry.split("\x02")
                number, value = rest.split("\x03")
                assert (field.replace("_", "").isdigit(), number.isdigit(), float(value) > 0) == (True,) * 3
        users[part] = {fields[0] for fields in common}
    assert 0 < len(users["test"] & users["train"]) < len(users["test"]) + 1


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("aliexpress", {"rows": 0}, "rows is 0"),
        ("ali_ccp", {"rows": 5, "test_rows": 0}, "test_rows is 0"),
        ("ali_ccp", {"rows": 5, "history": 0}, "history is 0"),
    ],
)
def test_sizes_out_of_range(tmp_path: Path, kind: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        WRITERS[kind](tmp_path, **options)
