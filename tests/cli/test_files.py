"""What commands write, what they leave alone, and how they end when they are stopped."""

import importlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from pathlib import Path

import polars as pl
import pytest

from gbdt_pwiser.cli import main
from gbdt_pwiser.data import prepared
from gbdt_pwiser.sources import load
from tests.aliexpress import item_lines, user_lines, write_lines
from tests.test_files import mounted, names, small_files

HARNESS = importlib.import_module("gbdt_pwiser.evaluation.compare")  # beside the function of that name
SIMULATED = ["--dataset", "simulated", "--exposures", "3000", "--ctr", "0.2", "--cvr", "0.3"]
TINY = ["--rounds", "4", "--early-stopping", "2", "--learning-rate", "0.3", "--threads", "1"]
TRAIN = ["train", *SIMULATED, *TINY, "--weight", "0.1"]
COMPARE = ["compare", *SIMULATED, *TINY, "--model", "lightgbm", "--seeds", "1", "--weight", "0.1"]
TUNE = ["tune", *SIMULATED, *TINY, "--n-trials", "1"]


def snapshot(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refused(done):
    code, out, err = done
    assert (code, out, err.count("\n")) == (2, "", 1), err
    return err.removeprefix("gbdt-pwiser: ").rstrip("\n")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model folder, and exposures to predict."""
    folder = tmp_path_factory.mktemp("trained")
    argv, sys.argv = sys.argv, ["gbdt-pwiser", *TRAIN, "--output", str(folder / "model")]
    try:
        main()
    finally:
        sys.argv = argv
    exposures = load("simulated", n_exposures=3000, ctr=0.2, cvr=0.3).exposures
    exposures.features.write_parquet(folder / "new.parquet")
    return folder


@pytest.fixture
def predict(run, trained):
    def predict(target, *options):
        model, source = trained / "model", trained / "new.parquet"
        return run("predict", "--model", model, "--input", source, "--output", target, *options)

    return predict


# ------------------------------------------------------------------------------ predict


def test_predictions_replace_older_ones_and_no_other_file(predict, trained, tmp_path):
    target = tmp_path / "p.parquet"
    assert predict(target)[0] == 0
    older = target.read_bytes()
    assert predict(target)[0] == 0
    assert target.read_bytes() == older
    target.write_text("dear diary")
    assert refused(predict(target)).startswith(f"{target} exists and was not written by gbdt-pwiser; ")
    assert target.read_text() == "dear diary"
    target.write_bytes(b"")  # as mktemp makes one
    assert predict(target)[0] == 0
    before = snapshot(trained)
    for file in ("click.txt", "manifest.json"):
        assert "is a file of the model; give another path" in refused(predict(trained / "model" / file))
    (tmp_path / "link").symlink_to(trained / "model" / "click.txt")
    assert "is a file of the model" in refused(predict(tmp_path / "link"))
    (tmp_path / "input").symlink_to(trained / "new.parquet")
    assert "is the input" in refused(predict(tmp_path / "input"))
    assert snapshot(trained) == before


def test_predictions_into_pipes_and_devices(predict, trained, tmp_path):
    assert predict(tmp_path / "p.parquet")[0] == 0
    assert predict("/dev/null")[0] == 0
    assert "No space left on device" in refused(predict("/dev/full"))
    command = [sys.executable, "-c", "from gbdt_pwiser.cli import main; main()", "predict", "--model"]
    command += [trained / "model", "--input", trained / "new.parquet", "--output", "/dev/stdout"]
    done = subprocess.run(command, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"/dev/stdout\n")
    assert done.stdout == (tmp_path / "p.parquet").read_bytes()


def test_predictions_of_a_file_with_a_pattern_for_a_name(run, trained, tmp_path):
    source, target = tmp_path / "d[1]*?.parquet", tmp_path / "p[1]*?.parquet"
    source.write_bytes((trained / "new.parquet").read_bytes())
    (tmp_path / "d1x.parquet").write_text("another file")
    code, out, _ = run("predict", "--model", trained / "model", "--input", source, "--output", target)
    assert (code, out) == (0, f"{target}\n")
    with target.open("rb") as file:
        assert pl.read_parquet(file).height == 3000


# ------------------------------------------------------------------------------ train


def test_training_again_keeps_what_is_not_the_models(run, tmp_path):
    folder = tmp_path / "model"
    assert run(*TRAIN, "--output", folder)[0] == 0
    (folder / "notes.txt").write_text("mine")
    (folder / "plots").mkdir()
    assert run(*TRAIN, "--model", "xgboost", "--output", folder)[0] == 0
    assert names(folder) == ["click.ubj", "conversion.ubj", "manifest.json", "notes.txt", "plots"]
    assert (folder / "notes.txt").read_text() == "mine"
    (folder / "click.txt").write_text("a booster of somebody else's")
    wanted = f"{folder / 'click.txt'} exists and was not written by gbdt-pwiser"
    assert refused(run(*TRAIN, "--output", folder)).startswith(wanted)
    assert names(tmp_path) == ["model"]


def test_a_manifest_of_something_else_is_no_model(run, tmp_path):
    (tmp_path / "manifest.json").write_text('{"manifest_version": 3, "name": "a browser\'s extension"}')
    assert "exists and is no model folder" in refused(run(*TRAIN, "--output", tmp_path))
    assert names(tmp_path) == ["manifest.json"]


def test_a_damaged_model_may_be_trained_again(run, tmp_path):
    folder = tmp_path / "model"
    assert run(*TRAIN, "--output", folder)[0] == 0
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text()[:200])
    assert run(*TRAIN, "--output", folder)[0] == 0
    assert names(folder) == ["click.txt", "conversion.txt", "manifest.json"]


def test_a_volume_that_is_mounted_and_new(run, tmp_path):
    with mounted(tmp_path / "volume") as volume:
        (volume / "lost+found").mkdir()
        assert run(*TRAIN, "--output", volume)[0] == 0
        assert names(volume) == ["click.txt", "conversion.txt", "lost+found", "manifest.json"]


def test_the_current_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*TRAIN, "--output", ".")[0] == 0
    assert names(tmp_path) == ["click.txt", "conversion.txt", "manifest.json"]


# ------------------------------------------------------------------------------ compare, report


def test_results_replace_older_ones_with_a_word_and_no_other_file(run, tmp_path):
    folder = tmp_path / "out"
    assert run(*COMPARE, "--output", folder)[2] == f"{folder / 'report.html'}\n"
    (folder / "notes.txt").write_text("mine")
    code, _, err = run(*COMPARE, "--output", folder)
    assert code == 0
    assert err.splitlines() == [
        f"gbdt-pwiser: replaces the earlier comparison in {folder}",
        str(folder / "report.html"),
    ]
    for name in ("results.parquet", "details.json", "report.html"):
        kept = (folder / name).read_bytes()
        (folder / name).write_text("dear diary")
        before = snapshot(folder)
        for command in ([*COMPARE, "--output", folder], ["report", folder]):
            wanted = f"{folder / name} exists and was not written by gbdt-pwiser; give another path"
            assert refused(run(*command)).startswith(wanted)
        assert snapshot(folder) == before
        (folder / name).write_bytes(kept)
    assert run("report", folder)[0] == 0
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_folder_with_a_pattern_for_a_name(run, tmp_path):
    folder = tmp_path / "out[1]*?"
    assert run(*COMPARE, "--output", folder)[0] == 0
    assert run("report", folder)[0] == 0
    assert names(folder) == ["details.json", "report.html", "results.parquet"]
    assert names(tmp_path) == ["out[1]*?"]


# ------------------------------------------------------------------------------ prepare


@pytest.fixture
def released(tmp_path):
    for part in ("train", "test"):
        write_lines(tmp_path / "raw" / f"us_user_{part}.csv", user_lines(60))
        write_lines(tmp_path / "raw" / f"us_item_{part}.csv", item_lines(60, 6))
    return tmp_path / "raw"


def test_a_prepared_set_keeps_what_is_beside_it(run, released, tmp_path):
    prepare = ["prepare", "--dataset", "us", "--source", released, "--data-dir", tmp_path / "sets"]
    assert run(*prepare)[0] == 0
    folder = tmp_path / "sets" / "us"
    (folder / "notes.txt").write_text("mine")
    (folder / "schema.json").write_text((folder / "schema.json").read_text()[:40])  # damaged, but ours
    assert run(*prepare)[0] == 0
    assert names(folder) == ["notes.txt", "schema.json", "test.parquet", "train.parquet"]
    (folder / "schema.json").write_text('{"type": "object"}')
    wanted = f"{folder / 'train.parquet'} exists and was not written by gbdt-pwiser"
    assert refused(run(*prepare)).startswith(wanted)


def test_sources_that_lie_where_the_set_will(run, released, tmp_path):
    (tmp_path / "sets").mkdir()
    released.rename(tmp_path / "sets" / "us")
    before = snapshot(tmp_path / "sets" / "us")
    where = ["--source", tmp_path / "sets" / "us", "--data-dir", tmp_path / "sets"]
    assert run("prepare", "--dataset", "us", *where)[0] == 0
    after = snapshot(tmp_path / "sets" / "us")
    assert before.items() < after.items()
    assert {path.name for path in after.keys() - before.keys()} == set(prepared.FILES)


# ------------------------------------------------------------------------------ tune


SQLITE = "create table customers (name text)"


def foreign(kind, path):
    if kind == "parquet":
        pl.DataFrame({"x": range(100)}).write_parquet(path)
    elif kind == "sqlite":
        with sqlite3.connect(path) as database:
            database.execute(SQLITE)
        database.close()
    else:
        path.write_text({"csv": "a,b\n1,2\n3", "jsonl": '{"a": 1}\n{"a": 2'}[kind])


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "sqlite"])
@pytest.mark.parametrize("url", ["{}", "sqlite:///{}"])
def test_a_storage_of_something_else_is_left_alone(run, tmp_path, kind, url):
    path = tmp_path / "file"
    foreign(kind, path)
    before = snapshot(tmp_path)
    told = refused(
        run(*TUNE, "--exposures", "9000", "--storage", url.format(path), "--output", tmp_path / "out")
    )
    assert told.startswith(f"--storage {url.format(path)} ")
    assert snapshot(tmp_path) == before


def test_a_storage_that_is_no_regular_file(run, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", "/dev/null", tmp_path):
        told = refused(run(*TUNE, "--exposures", "9000", "--storage", place, "--output", tmp_path / "out"))
        assert (
            told
            == f"--storage {place} is no regular file; give the path of a journal file, or a database URL"
        )


def test_an_empty_file_and_a_cut_journal_are_storages(run, tmp_path):
    journal = tmp_path / "study.log"
    journal.touch()
    tune = [*TUNE, "--storage", journal, "--output", tmp_path / "out"]
    assert run(*tune)[0] == 0
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":5,"work')
    assert run(*tune)[0] == 0
    assert journal.read_bytes().startswith(whole)
    assert b'"work{' not in journal.read_bytes()
    journal.write_bytes(whole[:9])  # the disk was full at the first entry
    assert run(*tune)[0] == 0


@pytest.mark.parametrize("name", ["best.toml", "trials.parquet", "results.parquet", "tuning.html"])
def test_a_search_replaces_its_own_files_alone(run, tmp_path, name):
    (tmp_path / name).write_text("model = 'mine'")
    told = refused(run(*TUNE, "--exposures", "9000", "--output", tmp_path))
    assert told.startswith(f"{tmp_path / name} exists and was not written by gbdt-pwiser")
    assert names(tmp_path) == [name]


# ------------------------------------------------------------------------------ before hours of training


@pytest.mark.parametrize("command", [TRAIN, COMPARE, [*TUNE, "--exposures", "9000"]], ids=lambda c: c[0])
def test_where_nothing_can_be_written_is_known_before_training(run, command, tmp_path, monkeypatch):
    monkeypatch.setattr(HARNESS, "fit", None)
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


# ------------------------------------------------------------------------------ a full disk


def test_a_full_disk_is_one_line_and_leaves_what_was_there(run, predict, released, tmp_path):
    out, model, sets = tmp_path / "out", tmp_path / "model", tmp_path / "sets"
    train = [*TRAIN, "--model", "xgboost", "--output", model]
    compare = [*COMPARE, "--output", out]
    prepare = ["prepare", "--dataset", "us", "--source", released, "--data-dir", sets]
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


# ------------------------------------------------------------------------------ signals


@pytest.mark.parametrize(
    ("number", "code", "word"), [("SIGTERM", 143, "terminated"), ("SIGINT", 130, "interrupted")]
)
def test_a_stopped_command_leaves_nothing(released, tmp_path, number, code, word):
    """While lines are read and written, in other threads too."""
    for part in ("train", "test"):
        lines = item_lines(60, 6)
        write_lines(released / f"us_item_{part}.csv", lines * 120)
    started = "import sys, gbdt_pwiser.cli; print('ready', flush=True); gbdt_pwiser.cli.main()"
    command = [sys.executable, "-c", started, "prepare", "--dataset", "us"]
    process = subprocess.Popen(
        [*command, "--source", released, "--data-dir", tmp_path / "sets"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    waited = time.monotonic() + 30
    while not any((tmp_path / "sets").glob(".us.*/new/*")) and time.monotonic() < waited:
        time.sleep(0.002)
    process.send_signal(getattr(signal, number))
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err.strip()) == (code, f"gbdt-pwiser: {word}")
    assert out == "ready\n"
    assert names(tmp_path) == ["raw"]


def test_handlers_are_put_back(run):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    run("datasets")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("wrap", [True, False])
def test_sigterm_in_the_middle_of_training(run, monkeypatch, tmp_path, wrap):
    def fit(*args):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        except SystemExit as error:
            if wrap:  # as a library does that loads another one
                raise ImportError("could not be loaded") from error
            raise

    monkeypatch.setattr(HARNESS, "fit", fit)
    assert run(*TRAIN, "--output", tmp_path / "model") == (143, "", "gbdt-pwiser: terminated\n")
    assert names(tmp_path) == []


# ------------------------------------------------------------------------------ what is printed


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line_without_source(run, monkeypatch):
    def known(_):
        warnings.warn("two\nlines", stacklevel=1)
        return []

    monkeypatch.setattr("gbdt_pwiser.sources.known_datasets", known)
    before = warnings.showwarning
    assert run("datasets") == (0, "", "gbdt-pwiser: warning: two lines\n")
    assert warnings.showwarning is before


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "/data"), "/data: Permission denied"),
        (OSError("a reason\nof two lines"), "a reason of two lines"),
        (
            MemoryError("of 8 GiB"),
            "there is not enough memory (of 8 GiB); give fewer exposures, or a smaller model",
        ),
    ],
)
def test_errors_of_the_system_are_one_line(run, monkeypatch, error, line):
    def known(_):
        raise error

    monkeypatch.setattr("gbdt_pwiser.sources.known_datasets", known)
    assert run("datasets") == (2, "", f"gbdt-pwiser: {line}\n")


def test_a_reader_that_has_enough():
    command = f"{sys.executable} -c 'from gbdt_pwiser.cli import main; main()' datasets | true"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True)
    assert (done.returncode in (0, 1), done.stderr) == (True, "")  # 0: it was done before


def test_the_home_folder(run, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(*TRAIN, "--output", "~/model")[0] == 0
    assert (Path(tmp_path) / "model" / "manifest.json").is_file()
