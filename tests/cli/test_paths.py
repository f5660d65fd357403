"""Where commands write: what cannot be written is told in one line, and what was there stays."""

import pytest

from tests.aliexpress import write_raw
from tests.command_line import COMPARE, SIMULATED, refused
from tests.folders import mounted, names, small_files, snapshot

TRAIN = ["train", *SIMULATED, "--weight", "0.1"]
ONE = [*COMPARE, "--model", "lightgbm", "--weight", "0.1"]
TUNE = ["tune", *SIMULATED, "--exposures", "9000", "--n-trials", "1"]


@pytest.mark.parametrize("command", [TRAIN, ONE, TUNE], ids=lambda c: c[0])
def test_where_nothing_can_be_written_is_known_before_training(
    run, untrained, command, tmp_path, monkeypatch
):
    monkeypatch.setattr("gbdt_pwiser.tuning._tune.run_trials", None)
    (tmp_path / "file").touch()
    told = refused(run(*command, "--output", tmp_path / "file" / "below"))
    assert "cannot be written to (Not a directory); give another folder" in told
    told = refused(run(*command, "--output", tmp_path / ("x" * 300)))
    assert "File name too long" in told
    assert refused(run(*command, "--output", "")) == (
        "--output is empty; give a path, or . for the current folder"
    )
    assert names(tmp_path) == ["file"]
    with mounted(tmp_path / "fixed", "-o", "ro") as fixed:
        for folder in (fixed, fixed / "a" / "b"):
            assert "cannot be written to (Read-only file system)" in refused(
                run(*command, "--output", folder)
            )


def test_a_full_disk_is_one_line_and_leaves_what_was_there(run, predict, tmp_path):
    raw = write_raw(tmp_path / "raw", train=(60, 6), test=(60, 6))
    out, model, sets = tmp_path / "out", tmp_path / "model", tmp_path / "sets"
    train = [*TRAIN, "--model", "xgboost", "--output", model]
    compare = [*ONE, "--output", out]
    prepare = ["prepare", "--dataset", "us", "--source", raw, "--data-dir", sets]
    for command in (train, compare, prepare):
        assert run(*command)[0] == 0
    assert predict(out / "p.parquet")[0] == 0
    before = snapshot(tmp_path)
    with small_files(6000):
        done = [predict(out / "p.parquet"), *(run(*c) for c in (train, prepare, ["report", out]))]
        code, _, err = run(*compare)
    assert "cannot be written (File too large); make room" in err.splitlines()[-1]
    assert (code, len(err.splitlines())) == (2, 2)  # the first tells of the earlier comparison
    for each in done:
        assert "cannot be written (File too large); make room there, or give another path" in refused(each)
    assert snapshot(tmp_path) == before
