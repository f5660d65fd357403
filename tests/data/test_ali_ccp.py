"""Ali-CCP: the parse against a plain one, line by line, and what becomes of ids, labels and damaged lines."""

from __future__ import annotations

import math
import shutil
import tarfile
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdt_pwiser.data import known_datasets, load, prepare_ali_ccp
from gbdt_pwiser.data._ali_ccp_lines import FeatureLines, Field
from gbdt_pwiser.data.ali_ccp import CATEGORICAL, COMMON, NUMERICAL, SKELETON
from gbdt_pwiser.data.generate import write_ali_ccp
from gbdt_pwiser.data.prepared import Counts, Schema
from gbdt_pwiser.objectives import InputError
from tests.data.helpers import shared_data, write_lines, zipped

RAW_NAMES = (
    "common_features_train.csv",
    "sample_skeleton_train.csv",
    "common_features_test.csv",
    "sample_skeleton_test.csv",
)
COUNTED = ("109_14", "110_14", "127_14", "150_14", "210", "853")
SUMMED = (*COUNTED, "508", "509", "702")
INDEX_A, INDEX_B = "00000000000000a1", "bacff91692951881"


def prepare(source: Path, data_dir: Path, **options: int) -> Path:
    return prepare_ali_ccp(source, data_dir, progress=False, **options)


def refused(source: Path, data_dir: Path, **options: int) -> str:
    """Message of a prepare that must fail and leave nothing behind."""
    with pytest.raises(InputError) as caught:
        prepare(source, data_dir, **options)
    assert not data_dir.exists() or list(data_dir.iterdir()) == []
    assert "\n" not in str(caught.value)
    return str(caught.value)


def features(*entries: str) -> str:
    """The list of `field:id:value` entries with its count."""
    joined = "\x01".join("{}\x02{}\x03{}".format(*entry.split(":")) for entry in entries)
    return f"{len(entries)},{joined}"


def skeleton(sample: int, label: str, index: str, *entries: str) -> str:
    return f"{sample},{label},{index},{features(*entries)}"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two users and five exposures for train, two for test."""
    folder = tmp_path / "raw"
    users = {
        INDEX_A: ("101:7:1.0", "124:90:1.0", "109_14:30:0.69315", "109_14:20:1.09861", "109_14:10:1.09861"),
        INDEX_B: ("129:3:1.0", "101:8:1.0"),
    }
    for part in ("train", "test"):
        lines = [f"{index},{features(*entries)}" for index, entries in users.items()]
        write_lines(folder / f"common_features_{part}.csv", lines)
    train = [
        skeleton(1, "0,0", INDEX_B, "205:500:1.0", "210:3:1.0", "210:2:1.0", "508:4:0.69315"),
        skeleton(2, "1,0", INDEX_A, "210:2:1.0", "205:500:1.0", "301:1:1.0"),
        skeleton(3, "0,1", INDEX_A, "205:499:1.0"),
        skeleton(4, "1,1", INDEX_A, "205:600:1.0"),
        skeleton(5, "0,0", INDEX_A, "205:500:1.0"),
    ]
    test = [
        skeleton(1, "1,0", INDEX_A, "205:600:1.0", "508:99:0.5"),
        skeleton(2, "0,0", INDEX_B, "205:123:1.0"),
    ]
    write_lines(folder / "sample_skeleton_train.csv", train)
    write_lines(folder / "sample_skeleton_test.csv", test)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def part(folder: Path, name: str) -> dict[str, list[object]]:
    return pl.read_parquet(folder / f"{name}.parquet").to_dict(as_series=False)


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
    monkeypatch.setattr("gbdt_pwiser.data._blocks.BLOCK", 5000)
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


# ------------------------------------------------------------------------------ lines


def test_real_lines_parse_to_their_values() -> None:
    lines = shared_data("ali_ccp", "sample_skeleton_train.reconstructed.csv").read_bytes()
    rows = SKELETON.parse(lines)
    assert rows is not None
    assert rows["index"].to_list() == [0xBACFF91692951881] * 2
    assert rows.select("205", "206", "207", "216", "301").rows() == [
        (4186222, 8316799, 8416205, 9154780, 9351665),
        (4186855, 8316676, 8482726, 9188757, 9351665),
    ]
    assert rows["210"].to_list() == [9052218, 9046284]
    assert rows["210_count"].to_list() == [3, 5]
    assert rows["508"].to_list() == [9355039, None]
    assert rows["508_sum"].to_list() == pytest.approx([0.69315, 0])
    common = COMMON.parse(shared_data("ali_ccp", "common_features_train.reduced.csv").read_bytes())
    assert common is not None
    assert common.select("101", "121", "122", "124", "125", "126", "127", "128", "129").row(0) == (
        31390, 3438658, 3438762, 3438769, 3438774, None, 3438782, 3864885, 3864887,
    )  # fmt: skip
    assert common["109_14_count"].to_list() == [0]


FORM = FeatureLines(
    ("sample", "click", "index", "count"), ("click",), (Field("1", True, True), Field("2_14"))
)
GOOD = f"5,1,{INDEX_B},2,1\x0210\x030.5\x012_14\x0211\x031.0"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (GOOD.replace(",2,", ",3,"), "2 features instead of 3"),
        (GOOD.replace(",2,", ",1,"), "2 features instead of 1"),
        (GOOD.replace(",2,", ",0,"), "count (field 4) is '0', not how many features follow"),
        (GOOD.replace(",2,", ",-2,"), "count (field 4) is '-2'"),
        (GOOD.replace(",2,", ",,"), "count (field 4) is ''"),
        (GOOD.replace(",1,", ",2,"), "click (field 2) is '2', not 0 or 1"),
        (
            GOOD.replace("ba", "xa"),
            "the feature index (field 3) is 'xacff91692951881', not 16 hex characters",
        ),
        (GOOD.replace("ba", ""), "not 16 hex characters"),
        (GOOD.replace("5,1", "5"), "4 fields instead of 5"),
        (GOOD + ",", "6 fields instead of 5"),
        (GOOD.split("\x01")[0][:-5], r"feature 1 is '1\x021': the byte 0x03 before its value is missing"),
        (GOOD.replace("\x02", "", 1), r"feature 1 is '110\x030.5': the byte 0x02 before its id is missing"),
        (GOOD.replace("\x03", "", 1), "the byte 0x03 before its value is missing"),
        (
            GOOD.replace("\x01", ""),
            r"feature 1 is '1\x0210\x030.52_14\x0211\x031.0': the value is not a finite",
        ),
        (GOOD.replace("\x01", "\x01\x01"), "feature 2 is '': the byte 0x02"),
        (GOOD.replace("2_14", "3_14"), r"feature 2 is '3_14\x0211\x031.0': '3_14' is no field of this file"),
        (GOOD.replace("2_14", "#"), "'#' is no field"),
        (GOOD.replace("10", "-1"), "the id is not a whole number from 0"),
        (GOOD.replace("10", "1.5"), "the id is not"),
        (GOOD.replace("10", str(2**32)), "the id is not"),
        (GOOD.replace("0.5", "nan"), "the value is not a finite number"),
        (GOOD.replace("0.5", "1e39"), "the value is not"),
        (GOOD.replace("0.5", ""), "the value is not"),
        ("", "1 fields instead of 5"),
    ],
)
def test_damaged_lines_are_found_by_both_ways(line: str, fault: str) -> None:
    assert FORM.fault(GOOD) is None
    assert fault in (FORM.fault(line) or "")
    for lines in ([line, GOOD], [GOOD, line, GOOD], [GOOD, line]):
        assert FORM.parse("".join(f"{text}\n" for text in lines).encode()) is None


def test_a_good_line_without_its_newline_and_with_a_carriage_return() -> None:
    for lines in (GOOD, f"{GOOD}\n", f"{GOOD}\r\n"):
        rows = FORM.parse(lines.encode())
        assert rows is not None
        assert rows.row(0) == (1, 0xBACFF91692951881, 10, 1.0, 0.5, 11)


@given(st.integers(0, len(GOOD) - 1), st.sampled_from("\x00\x01\x02\x03,.\n#-_19a"))
def test_the_fast_way_takes_only_what_the_slow_way_takes(place: int, byte: str) -> None:
    text = GOOD[:place] + byte + GOOD[place + 1 :]
    rows = FORM.parse(f"{GOOD}\n{text}\n{GOOD}\n".encode())
    faults = [FORM.fault(line) for line in text.split("\n")]
    assert (rows is None) == any(faults)


# ------------------------------------------------------------------------------ damaged files


def edit(path: Path, number: int, change: Callable[[str], str]) -> None:
    lines = path.read_text().split("\n")
    lines[number - 1] = change(lines[number - 1])
    path.write_text("\n".join(lines))


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


# ------------------------------------------------------------------------------ how files are found


def tars(raw: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "released"
    folder.mkdir()
    for name in ("train", "test"):
        with tarfile.open(folder / f"sample_{name}.tar.gz", "w:gz") as tar:
            for file in raw.glob(f"*_{name}.csv"):
                tar.add(file, f"./{file.name}")
    return folder


@pytest.mark.parametrize(
    "pack",
    [
        tars,
        lambda raw, tmp_path: zipped(tmp_path / "all.zip", *(raw / name for name in RAW_NAMES)),
        lambda raw, tmp_path: zipped(tmp_path / "all.zip", *tars(raw, tmp_path).iterdir()),
    ],
    ids=["tar.gz", "zip", "zip of tar.gz"],
)
def test_every_packing_gives_the_same(
    raw: Path, tmp_path: Path, out: Path, pack: Callable[[Path, Path], Path]
) -> None:
    expected = part(prepare(raw, out), "train")
    source = pack(raw, tmp_path)
    shutil.rmtree(raw)
    assert part(prepare(source, tmp_path / "other"), "train") == expected
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["ccp"]


def test_bad_sources_are_refused(raw: Path, tmp_path: Path, out: Path) -> None:
    assert "gone does not exist" in refused(tmp_path / "gone", out)
    (tmp_path / "torn.tar.gz").write_bytes(b"\x1f\x8b and no more")
    assert "torn.tar.gz cannot be unpacked" in refused(tmp_path / "torn.tar.gz", out)
    shutil.copy(raw / RAW_NAMES[0], raw / "common_features_train.reduced.csv")
    assert "both the common_train file" in refused(raw, out)
    (raw / "common_features_train.reduced.csv").unlink()
    (raw / RAW_NAMES[2]).unlink()
    message = refused(raw, out)
    assert "lacks common_features_test.csv; found common_features_train.csv, sample_skeleton" in message


# ------------------------------------------------------------------------------ processed layouts

PROCESSED = {
    "torch_rechub": ("torch_rechub_ali_ccp_{}_sample.csv", ("train", "val", "test")),
    "paddlerec": ("paddlerec_aitm_{}.csv", ("train", "test")),
}


def real(layout: str, tmp_path: Path) -> Path:
    pattern, names = PROCESSED[layout]
    (tmp_path / layout).mkdir()
    for name in names:
        shutil.copy(shared_data("ali_ccp", pattern.format(name)), tmp_path / layout)
    return tmp_path / layout


def test_real_torch_rechub_files(tmp_path: Path, out: Path) -> None:
    folder = prepare(real("torch_rechub", tmp_path), out)
    schema = Schema.read(folder)
    assert (len(schema.categorical), len(schema.numerical)) == (23, 8)
    assert schema.train.rows + schema.train.dropped == 100
    assert schema.test.rows + schema.test.dropped == 100  # the val file is a half of the released test file
    train = pl.read_parquet(folder / "train.parquet")
    source = pl.read_csv(shared_data("ali_ccp", "torch_rechub_ali_ccp_train_sample.csv"))
    source = source.filter(pl.col("purchase") <= pl.col("click"))
    assert train["grade"].to_list() == (source["click"] + source["purchase"]).to_list()
    for column in (*schema.categorical, *schema.numerical):
        assert train[column].to_list() == pytest.approx(source[column].to_list(), rel=1e-6)
    assert len(load("ccp", data_dir=out).exposures) == schema.train.rows + schema.test.rows


def test_real_paddlerec_files(tmp_path: Path, out: Path) -> None:
    folder = prepare(real("paddlerec", tmp_path), out)
    schema = Schema.read(folder)
    assert (len(schema.categorical), len(schema.numerical)) == (18, 0)
    assert (schema.train.rows + schema.train.dropped, schema.test.rows + schema.test.dropped) == (48, 50)
    test = pl.read_parquet(folder / "test.parquet")  # of a file without a header
    source = pl.read_csv(shared_data("ali_ccp", "paddlerec_aitm_test.csv"), has_header=False)
    source = source.filter(pl.nth(1) <= pl.nth(0))
    assert schema.test.dropped == 50 - source.height > 0
    assert test["user"].to_list() == source.to_series(2).to_list()
    assert test.select(schema.categorical).rows() == source.select(pl.nth(range(2, 20))).rows()


@pytest.fixture
def paddlerec(tmp_path: Path) -> Path:
    """Files as that project names them."""
    folder = tmp_path / "whole_data"
    rows = [
        ",".join(map(str, [*label, user, *range(17)]))
        for label in ((0, 0), (1, 0), (1, 1), (0, 1))
        for user in (4, 5)
    ]
    write_lines(folder / "train" / "ctr_cvr.train", rows)
    write_lines(folder / "test" / "ctr_cvr.test", rows[:6])
    return folder


def test_processed_files_without_a_header(paddlerec: Path, out: Path) -> None:
    folder = prepare(paddlerec, out)
    assert Schema.read(folder).train == Counts(6, 4, 2, dropped=2)
    train = part(folder, "train")
    assert train["user"] == train["101"] == [4, 5] * 3
    assert train["301"] == [16] * 6


def test_processed_faults(paddlerec: Path, raw: Path, tmp_path: Path, out: Path) -> None:
    assert "the ids of paddlerec files are encoded already; leave out rare" in refused(paddlerec, out, rare=3)
    path = paddlerec / "train" / "ctr_cvr.train"
    edit(path, 3, lambda line: line.replace("16", "x"))
    assert "ctr_cvr.train, line 3: 301 (field 20) is 'x', not a whole number" in refused(paddlerec, out)
    assert Schema.read(prepare(paddlerec, out, skip_bad_lines=1)).train.rows == 5
    shutil.rmtree(out)
    assert "holds files of several layouts (raw: " in refused(tmp_path, out)
    path.unlink()
    assert "lacks the train file (paddlerec layout); found ctr_cvr.test" in refused(paddlerec, out)
