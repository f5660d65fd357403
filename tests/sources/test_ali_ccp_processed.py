"""Ali-CCP as others have processed it: the layouts of torch_rechub and paddlerec."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from gbdt_pwiser.data.prepared import Counts, Schema
from gbdt_pwiser.sources import load
from gbdt_pwiser.sources.generate import write_ali_ccp
from tests.aliexpress import write_lines
from tests.sources.ali_ccp import edit, part, prepare, refused
from tests.sources.helpers import shared_data

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


def test_processed_faults(paddlerec: Path, tmp_path: Path, out: Path) -> None:
    assert "the ids of paddlerec files are encoded already; leave out rare" in refused(paddlerec, out, rare=3)
    path = paddlerec / "train" / "ctr_cvr.train"
    edit(path, 3, lambda line: line.replace("16", "x"))
    assert "ctr_cvr.train, line 3: 301 (field 20) is 'x', not a whole number" in refused(paddlerec, out)
    assert Schema.read(prepare(paddlerec, out, skip_bad_lines=1)).train.rows == 5
    shutil.rmtree(out)
    write_ali_ccp(tmp_path / "raw", 50)
    assert "holds files of several layouts (raw: " in refused(tmp_path, out)
    path.unlink()
    assert "lacks the train file (paddlerec layout); found ctr_cvr.test" in refused(paddlerec, out)
