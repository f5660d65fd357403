"""Ali-CCP as released: the parse against a plain one, and what becomes of ids, labels and damaged files."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data.prepared import Counts, Schema
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import known_datasets, load
from gbdt_pwiser.sources.ali_ccp import CATEGORICAL, NUMERICAL
from gbdt_pwiser.sources.generate import write_ali_ccp
from tests.aliexpress import write_lines
from tests.sources.ali_ccp import INDEX_A, edit, part, prepare, refused, write_raw

COUNTED = ("109_14", "110_14", "127_14", "150_14", "210", "853")
SUMMED = (*COUNTED, "508", "509", "702")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "raw")


# ------------------------------------------------------------------------------ the prepared set


def test_values_of_the_prepared_set(raw: Path, out: Path) -> None:
    folder = prepare(raw, out, rare=1)
    assert folder == out / "ccp"
    assert sorted(path.name for path in folder.iterdir()) == ["schema.json", "test.parquet", "train.parquet"]
    schema = Schema.read(folder)
    assert schema == Schema(
        "ccp", CATEGORICAL, NUMERICAL, Counts(4, 2, 1, dropped=1), Counts(2, 1, 0), group="user"
    )
    train, test = part(folder, "train"), part(folder, "test")
    assert list(train) == ["user", "grade", *CATEGORICAL, *NUMERICAL] == list(schema.columns)
    assert train["user"] == [8, 7, 7, 7]
    assert train["grade"] == [0, 1, 2, 0]  # the exposure that converts without a click is gone
    # 1 is the most frequent id of train, of equals the smaller one; the dropped exposure counts for none.
    assert train["205"] == [1, 1, 2, 1]
    assert train["101"] == [2, 1, 1, 1]
    assert train["124"] == [None, 1, 1, 1]
    assert train["301"] == [None, 1, None, None]
    # The largest value, of equal ones the smaller id.
    assert train["210"] == [1, 1, None, None]
    assert train["210_count"] == [2, 1, 0, 0]
    assert train["109_14"] == [None, 1, 1, 1]
    assert train["109_14_count"] == [0, 3, 3, 3]
    assert train["109_14_sum"] == pytest.approx([0, *[0.69315 + 2 * 1.09861] * 3])
    assert train["508"] == [1, None, None, None]
    assert train["508_sum"] == pytest.approx([0.69315, 0, 0, 0])
    # Codes are those of train; 0 is an id that train has not.
    assert test["205"] == [2, 0]
    assert test["508"] == [0, None]
    assert test["508_sum"] == pytest.approx([0.5, 0])


def test_rare_ids_share_the_code_of_unknown_ones(raw: Path, out: Path) -> None:
    assert part(prepare(raw, out, rare=3), "train")["205"] == [1, 1, 0, 1]
    folder = prepare(raw, out, rare=2)
    assert part(folder, "train")["101"] == [0, 1, 1, 1]
    assert part(folder, "train")["205"] == [1, 1, 0, 1]
    assert part(folder, "test")["205"] == [0, 0]
    assert part(prepare(raw, out), "train")["101"] == [0, 0, 0, 0]  # ten rows unless told


def test_ids_of_test_do_not_change_those_of_train(raw: Path, out: Path) -> None:
    before = (prepare(raw, out, rare=1) / "train.parquet").read_bytes()
    lines = (raw / "sample_skeleton_test.csv").read_text().splitlines()
    write_lines(
        raw / "sample_skeleton_test.csv", [line.replace("\x02123\x03", "\x021\x03") for line in lines] * 9
    )
    assert (prepare(raw, out, rare=1) / "train.parquet").read_bytes() == before


def plain(path: Path) -> list[dict[str, dict[int, float] | list[tuple[int, float]]]]:
    """Features of each line by field, parsed one by one."""
    rows = []
    for line in path.read_text().split("\n")[:-1]:
        fields = defaultdict(list)
        for entry in line.split(",")[-1].split("\x01"):
            field, rest = entry.split("\x02")
            number, value = rest.split("\x03")
            fields[field].append((int(number), float(value)))
        rows.append(fields)
    return rows


def test_generated_files_equal_a_plain_parse(tmp_path: Path, out: Path) -> None:
    write_ali_ccp(tmp_path / "raw", 3000, test_rows=500, seed=3, history=4, rows_per_user=7)
    folder = prepare(tmp_path / "raw", out, rare=5)
    seen: dict[str, Counter[int]] = defaultdict(Counter)
    expected = {}
    for name in ("train", "test"):
        paths = {
            kind: tmp_path / "raw" / f"{kind}_{name}.csv" for kind in ("common_features", "sample_skeleton")
        }
        heads = [line.split(",")[:5] for line in paths["sample_skeleton"].read_text().split("\n")[:-1]]
        users = {
            line.split(",")[0]: fields
            for line, fields in zip(
                paths["common_features"].read_text().split("\n"),
                plain(paths["common_features"]),
                strict=False,
            )
        }
        rows = []
        for head, fields in zip(heads, plain(paths["sample_skeleton"]), strict=True):
            if head[1:3] != ["0", "1"]:
                rows.append((int(head[1]) + int(head[2]), {**users[head[3]], **fields}))
        if name == "train":
            for _, fields in rows:
                for field, entries in fields.items():
                    seen[field][max(entries, key=lambda e: (e[1], -e[0]))[0]] += 1
        expected[name] = rows
    codes = {
        field: {
            number: code
            for code, (number, rows) in enumerate(
                sorted(counts.items(), key=lambda c: (-c[1], c[0])), start=1
            )
            if rows >= 5
        }
        for field, counts in seen.items()
    }
    assert any(len(codes[field]) < len(seen[field]) for field in codes)  # some ids are rare
    for name, rows in expected.items():
        stored = part(folder, name)
        assert stored["grade"] == [grade for grade, _ in rows]
        assert stored["user"] == [fields["101"][0][0] for _, fields in rows]
        for field in CATEGORICAL:
            assert stored[field] == [
                codes[field].get(max(fields[field], key=lambda e: (e[1], -e[0]))[0], 0)
                if field in fields
                else None
                for _, fields in rows
            ], field
        for field in SUMMED:
            sums = [math.fsum(value for _, value in fields.get(field, ())) for _, fields in rows]
            np.testing.assert_allclose(stored[f"{field}_sum"], sums, rtol=1e-6)
        for field in COUNTED:
            assert stored[f"{field}_count"] == [len(fields.get(field, ())) for _, fields in rows]
    assert set(NUMERICAL) == {f"{f}_sum" for f in SUMMED} | {f"{f}_count" for f in COUNTED}


def test_blocks_of_any_size_give_the_same(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ali_ccp(tmp_path / "raw", 600, seed=1, history=3)
    expected = {p.name: p.read_bytes() for p in prepare(tmp_path / "raw", out, rare=3).iterdir()}
    monkeypatch.setattr("gbdt_pwiser.sources.text.blocks.BLOCK", 5000)
    folder = prepare(tmp_path / "raw", tmp_path / "other", rare=3)
    for name in ("train.parquet", "test.parquet"):
        assert pl.read_parquet(folder / name).equals(pl.read_parquet(out / "ccp" / name))
    assert (folder / "schema.json").read_bytes() == expected["schema.json"]


def test_loaded_and_split(tmp_path: Path, out: Path) -> None:
    write_ali_ccp(tmp_path / "raw", 4000, test_rows=1500, seed=2, history=3, rows_per_user=20)
    prepare(tmp_path / "raw", out)
    dataset = load("ccp", data_dir=out)
    assert dataset.exposures.name == "ccp"
    assert dataset.exposures.categorical == CATEGORICAL
    parts = dataset.split(seed=0)
    counts = Schema.read(out / "ccp")
    assert len(parts.test) == counts.test.rows
    assert len(parts.train) + len(parts.valid) == counts.train.rows
    assert parts.train.group is not None
    assert parts.valid.group is not None
    assert not set(parts.train.group) & set(parts.valid.group)
    known = {dataset.name: dataset for dataset in known_datasets(out)}["ccp"]
    assert (known.prepared, known.rows) == (True, counts.train.rows + counts.test.rows)


def test_missing_set_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Ali-CCP from https://tianchi\S*/408.*prepare --dataset ccp"):
        load("ccp", data_dir=tmp_path)


# ------------------------------------------------------------------------------ damaged files


def test_the_first_bad_line_stops_the_run(raw: Path, out: Path) -> None:
    edit(raw / "sample_skeleton_train.csv", 2, lambda line: line.replace(",3,", ",4,"))
    edit(raw / "sample_skeleton_train.csv", 4, lambda line: line.replace("\x02", ""))
    message = refused(raw, out)
    assert "sample_skeleton_train.csv, line 2: 3 features instead of 4; correct the line" in message
    assert "--skip-bad-lines" in message


def test_bad_lines_are_skipped_up_to_the_limit(raw: Path, out: Path) -> None:
    edit(raw / "sample_skeleton_train.csv", 2, lambda line: line.replace(",3,", ",4,"))
    edit(raw / "sample_skeleton_train.csv", 4, lambda line: line.replace("\x02", ""))
    message = refused(raw, out, skip_bad_lines=1)
    assert "sample_skeleton_train.csv, line 4: feature 1 is" in message
    assert "(2 bad lines so far, 1 may be skipped)" in message
    folder = prepare(raw, out, rare=1, skip_bad_lines=2)
    assert part(folder, "train")["grade"] == [0, 0]
    assert Schema.read(folder).bad_lines == 2


@pytest.mark.parametrize("cut", [1, 3, 12, 30])
def test_a_cut_last_line_is_found_wherever_it_is_cut(raw: Path, out: Path, cut: int) -> None:
    path = raw / "sample_skeleton_test.csv"
    path.write_text(path.read_text()[:-cut])
    assert "sample_skeleton_test.csv, line 2: " in refused(raw, out)
    folder = prepare(raw, out, skip_bad_lines=1)
    assert part(folder, "test")["grade"] == [1]


def test_exposures_without_their_common_features_are_counted(raw: Path, out: Path) -> None:
    edit(raw / "common_features_train.csv", 1, lambda line: line[:-8])
    assert "common_features_train.csv, line 1: feature 5 is " in refused(raw, out)
    # Four exposures of that user follow.
    assert (
        "sample_skeleton_train.csv: 4 rows have a common feature index that common_features_train.csv lacks "
        f"(the first is {INDEX_A})"
    ) in refused(raw, out, skip_bad_lines=4)
    assert Schema.read(prepare(raw, out, skip_bad_lines=5)).train == Counts(1, 0, 0)


def test_repeated_common_features_and_empty_files_are_refused(raw: Path, out: Path) -> None:
    path = raw / "common_features_test.csv"
    good = path.read_text()
    path.write_text(good + good)
    message = "common_features_test.csv: 2 common feature indices occur more than once"
    assert message in refused(raw, out)
    path.write_text("")
    assert "common_features_test.csv has no rows" in refused(raw, out)
    path.write_text(good)
    (raw / "sample_skeleton_train.csv").write_text("")
    assert "sample_skeleton_train.csv has no rows" in refused(raw, out)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"rare": 0}, "rare is 0; give"), ({"skip_bad_lines": -1}, "skip_bad_lines is -1; give")],
)
def test_options_out_of_range(raw: Path, out: Path, options: dict[str, int], message: str) -> None:
    assert message in refused(raw, out, **options)
