"""The command line as a user meets it: arguments in; files, standard output and one-line errors out."""

import json
import subprocess
import sys

import polars as pl
import pytest

from gbdt_pwiser import __version__
from gbdt_pwiser.evaluation import check_complete, read_results
from gbdt_pwiser.metrics import METRICS
from tests.aliexpress import item_lines, user_lines, write_lines

TINY = ["--rounds", "4", "--early-stopping", "2", "--learning-rate", "0.3", "--threads", "1"]
SIMULATED = ["--dataset", "simulated", "--exposures", "3000", "--ctr", "0.2", "--cvr", "0.3", *TINY]
COMPARE = ["compare", *SIMULATED, "--seeds", "1", "--weight", "0.01,0.1"]


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """Where prepared sets lie, for this test only."""
    folder = tmp_path / "prepared"
    monkeypatch.setenv("GBDT_PWISER_DATA", str(folder))
    return folder


@pytest.fixture
def released(tmp_path):
    """Released files of a country: 250 and 60 searches of 6 items, the grade a function of the item."""
    for part, searches in (("train", 250), ("test", 60)):
        write_lines(tmp_path / "raw" / f"us_user_{part}.csv", user_lines(searches))
        write_lines(tmp_path / "raw" / f"us_item_{part}.csv", item_lines(searches, 6))
    return tmp_path / "raw"


# ------------------------------------------------------------------------------ compare


def test_compare_prints_a_table_and_writes_nothing(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*COMPARE)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "simulated, test split, 1 seed"
    for model in ("lightgbm", "xgboost"):
        for loss in ("bce", "pwiser"):
            assert sum(line.split()[:2] == [model, loss] for line in lines) == 3  # ranking, calibration, cost
    assert "noise-free" in out
    assert list(tmp_path.iterdir()) == []


def test_compare_as_json(run):
    code, out, err = run(*COMPARE, "--json", "--model", "xgboost")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    assert {(row["model"], row["loss"]) for row in rows} == {("xgboost", "bce"), ("xgboost", "pwiser")}
    assert len(rows) == 2 * 2 * len(METRICS)
    assert {row["weight"] for row in rows if row["loss"] == "pwiser"} <= {0.01, 0.1}
    assert all(1 <= row["rounds"] <= 4 for row in rows)


def test_compare_with_output(run, tmp_path):
    folder = tmp_path / "new" / "output"
    arguments = [*COMPARE, "--model", "lightgbm", "--seeds", "2", "--output", folder, "--json"]
    code, out, err = run(*arguments)
    assert code == 0
    assert err == f"{folder / 'report.html'}\n"
    assert sorted(path.name for path in folder.iterdir()) == [
        "details.json",
        "report.html",
        "results.parquet",
    ]
    results = read_results(folder / "results.parquet")
    check_complete(results)
    assert {(r.loss, r.seed) for r in results} == {(loss, s) for loss in ("bce", "pwiser") for s in (0, 1)}
    assert [(r["metric"], r["value"]) for r in json.loads(out)] == [(r.metric, r.value) for r in results]
    page = (folder / "report.html").read_text()
    assert f"gbdt-pwiser {' '.join(map(str, arguments))}" in page
    assert "BCE and BCE+PWiseR on simulated" in page


SWEEP = ["compare", *SIMULATED, "--seeds", "2", "--model", "xgboost", "--sweep-weight", "0,0.5,0.01"]


def test_a_sweep_prints_the_weight_path(run):
    code, out, err = run(*SWEEP)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    start = lines.index("weight path on validation, 2 seeds")
    bce, *path = [line.split() for line in lines[start + 2 :]]
    assert [line[:3] for line in path] == [["xgboost", "pwiser", weight] for weight in ("0", "0.01", "0.5")]
    assert sum(int(line[-3]) for line in path) == 2  # each seed chose one
    assert bce[3:-3] == path[0][3:-3]  # weight 0 is bce


def test_a_sweep_as_json_has_its_own_key(run):
    code, out, _ = run(*SWEEP, "--json")
    assert code == 0
    told = json.loads(out)
    assert set(told) == {"results", "sweep"}
    results, sweep = told["results"], told["sweep"]
    assert [(p["loss"], p["seed"], p["weight"]) for p in sweep] == [
        (loss, seed, weight)
        for seed in (0, 1)
        for loss, weight in (("bce", 0), ("pwiser", 0), ("pwiser", 0.5), ("pwiser", 0.01))
    ]
    for p in (p for p in sweep if p["chosen"]):
        (row,) = (
            r
            for r in results
            if all(r[key] == p[key] for key in ("model", "loss", "seed", "weight"))
            and (r["split"], r["metric"]) == ("valid", "ctr_auc")
        )
        assert row["value"] == p["ctr_auc"]


def test_report_makes_the_page_again(run, tmp_path):
    assert run(*SWEEP, "--calibrate", "isotonic", "--output", tmp_path)[0] == 0
    page = tmp_path / "report.html"
    first = page.read_text()
    page.unlink()
    assert run("report", tmp_path) == (0, f"{page}\n", "")
    assert page.read_text() == first
    assert first.count("<svg") == 5

    (tmp_path / "details.json").unlink()
    code, out, err = run("report", tmp_path)
    assert (code, out) == (0, f"{page}\n")
    assert (
        err
        == f"gbdt-pwiser: {tmp_path / 'details.json'} is missing, so the page lacks the plots made of it\n"
    )
    assert page.read_text().count("<svg") == 1


def test_a_folder_that_makes_no_page_is_refused(run, tmp_path):
    assert "is not a file; give the results.parquet" in refused(run("report", tmp_path))
    assert run(*COMPARE, "--model", "xgboost", "--output", tmp_path)[0] == 0
    results, details = tmp_path / "results.parquet", tmp_path / "details.json"
    page = (tmp_path / "report.html").read_text()
    whole, known = pl.read_parquet(results), details.read_text()

    details.write_text(known.replace('"format": 1', '"format": 7'))
    assert "it has format 7, this version reads 1" in refused(run("report", tmp_path))
    details.write_text(known.replace('"weight": 0.', '"weight": 7.'))
    assert "the details are of another run than the results" in refused(run("report", tmp_path))
    details.write_text(known)
    for damaged, says in (
        (whole[1:], "1 cells are missing"),
        (pl.concat([whole, whole[:1]]), "more than once"),
    ):
        damaged.write_parquet(results)
        told = refused(run("report", tmp_path))
        assert says in told
        assert "model=xgboost, loss=bce, seed=0, split=valid, metric=ctr_auc" in told
    assert (tmp_path / "report.html").read_text() == page


def test_options_reach_the_comparison(run):
    def values(*options):
        few = [*COMPARE, "--exposures", "1500", "--model", "xgboost", "--loss", "pwiser", "--json"]
        code, out, _ = run(*few, *options)
        assert code == 0
        return [(row["metric"], row["value"], row["weight"]) for row in json.loads(out)]

    default = values()
    assert values() == default
    for options in (
        ["--weight", "0.5"],
        ["--click-margin", "0"],
        ["--impression-margin", "0"],  # at equal scores, as in the first round, 0 alone differs
        ["--surrogate", "logistic"],
        ["--scale", "logit"],
        ["--pairs", "group"],
        ["--rounds", "1"],
        ["--learning-rate", "0.1"],
        ["--split", "row"],
        ["--fractions", "0.5,0.3,0.2"],
        ["--exposures", "1600"],
        ["--accidental-clicks", "0.5"],
        ["--ctr", "0.25"],
        ["--cvr", "0.2"],
    ):
        assert values(*options) != default, options


# ------------------------------------------------------------------------------ prepare, datasets


@pytest.mark.filterwarnings("default")
def test_prepare_then_compare(run, released, data_dir):
    code, out, err = run("prepare", "--dataset", "us", "--source", released)
    assert (code, out, err) == (0, f"{data_dir / 'us'}\n", "")
    code, out, err = run("compare", "--dataset", "us", "--seeds", "1", "--weight", "0.1", *TINY, "--json")
    assert code == 0
    of_features, of_scores = err.splitlines()
    assert of_features.startswith("gbdt-pwiser: warning: us: on train, single features")
    assert "categorical_10" in of_features
    assert of_scores.startswith("gbdt-pwiser: warning: CTR AUC on test is 1.0000")
    rows = json.loads(out)
    assert {row["dataset"] for row in rows} == {"us"}
    # The item decides the grade, so each model ranks without a fault.
    auc = {row["value"] for row in rows if (row["split"], row["metric"]) == ("test", "ctr_auc")}
    assert auc == {1.0}
    assert "noise_free_ctr_auc" not in {row["metric"] for row in rows}


def test_datasets(run, released, data_dir):
    run("prepare", "--dataset", "us", "--source", released)
    code, out, err = run("datasets")
    assert (code, err) == (0, "")
    states = {line.split()[0]: line.split(maxsplit=1)[1] for line in out.splitlines()}
    assert list(states) == ["us", "nl", "fr", "es", "ccp", "simulated"]
    # A third of 310 searches of 6 items is of each grade.
    assert states["us"] == "ready         1,860 exposures, 1,240 clicks, 620 conversions"
    assert states["nl"].startswith("not prepared ")
    assert states["simulated"].startswith("ready ")


def test_datasets_as_json(run, released, data_dir):
    run("prepare", "--dataset", "us", "--source", released, "--data-dir", data_dir.parent / "other")
    code, out, err = run("datasets", "--json", "--data-dir", data_dir.parent / "other")
    assert (code, err) == (0, "")
    us, nl, *_, simulated = json.loads(out)
    assert us["path"] == str(data_dir.parent / "other" / "us")
    assert (us["prepared"], us["rows"], us["clicks"], us["conversions"]) == (True, 1860, 1240, 620)
    assert (nl["name"], nl["prepared"], nl["rows"]) == ("nl", False, None)
    assert (simulated["name"], simulated["prepared"], simulated["path"]) == ("simulated", True, None)
    _, elsewhere, _ = run("datasets", "--json")
    assert not json.loads(elsewhere)[0]["prepared"]


# ------------------------------------------------------------------------------ help


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help(run, arguments):
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.partition("Commands:\n")[2].splitlines()] == [
        "compare",
        "datasets",
        "predict",
        "prepare",
        "report",
        "train",
        "tune",
    ]


def test_version(run):
    assert run("--version") == (0, f"gbdt-pwiser, version {__version__}\n", "")


# ------------------------------------------------------------------------------ bad input


def refused(result):
    code, out, err = result
    assert (code, out) == (2, "")
    assert err.startswith("gbdt-pwiser: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    return err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare"], "Missing option '--dataset'"),
        (["compare", "--dataset", "simulate"], "unknown data set 'simulate', did you mean simulated?"),
        (["compare", "--dataset", "us"], "us is not prepared"),
        (["compare", "--dataset", "absent.toml"], "absent.toml: there is no such file"),
        (["prepare", "--dataset", "us", "--source", "/nowhere"], "/nowhere does not exist"),
        (
            ["prepare", "--dataset", "uk", "--source", "."],
            "unknown data set 'uk'; choose one of us, nl, fr, es, ccp",
        ),
        (["forget"], "No such command 'forget'"),
        (
            [*SWEEP, "--params", "best.toml"],
            "--sweep-weight stands in place of --params; give one of the two",
        ),
        ([*SWEEP, "--loss", "bce"], "--sweep-weight is for pwiser, not for bce; add --loss pwiser"),
        ([*SWEEP[:-1], "0,x"], "--sweep-weight is '0,x'; give numbers"),
        ([*SWEEP[:-1], "0,0"], "a weight of pwiser is named twice"),
        (["report"], "Missing argument 'FOLDER'"),
        (["report", "/nowhere"], "/nowhere/results.parquet is not a file"),
        (["--verbose"], "No such option"),
        *(
            ([*COMPARE, *options], message)
            for options, message in (
                (["--bogus"], "No such option"),
                (["extra"], "unexpected extra argument"),
                (["--rounds", "many"], "'many' is not a valid integer"),
                (["--rounds", "0"], "rounds is 0; give a whole number from 1"),
                (["--early-stopping", "0"], "early_stopping is 0; give a whole number from 1"),
                (["--learning-rate", "-1"], "learning_rate is -1.0; give a number above 0 and at most 1"),
                (["--seeds", "0"], "seeds is 0; give a whole number from 1"),
                (["--weight", "0.1,x"], "--weight is '0.1,x'; give numbers such as 0.01,0.03"),
                (["--weight", ""], "--weight is ''"),
                (["--weight", "0.1,0.10"], "a weight of pwiser is named twice"),
                (
                    ["--sweep-weight", "0,0.1"],
                    "--sweep-weight stands in place of --weight; give one of the two",
                ),
                (["--weight", "-0.1"], "weight is -0.1; give a finite number of at least 0"),
                (["--weight", "inf"], "weight is inf"),
                (["--click-margin", "-0.1"], "click_margin is -0.1; give a finite number of at least 0"),
                (["--impression-margin", "nan"], "impression_margin is nan"),
                (["--surrogate", "hinged"], "'hinged'"),
                (["--scale", "odds"], "unknown scale 'odds'; choose one of probability, logit"),
                (["--pairs", "some"], "unknown pairs 'some'; choose one of all, group"),
                (["--model", "xgbost"], "unknown model 'xgbost' (did you mean xgboost?)"),
                (["--model", "xgboost", "--model", "xgboost"], "a model is named twice"),
                (["--loss", "hinge"], "unknown loss 'hinge'; choose one of bce, pwiser"),
                (["--choose-by", "auc"], "unknown metric 'auc' (did you mean gauc?)"),
                (["--split", "month"], "by is 'month'; choose one of auto, group, time, row"),
                (["--split", "time"], "simulated has no time to split by"),
                (["--fractions", "0.5,0.5"], "give three positive numbers"),
                (["--fractions", "0.5,0.5,x"], "--fractions is '0.5,0.5,x'"),
                (["--fractions", "0.799,0.001,0.2"], "the validation split of 'simulated' is empty"),
                (
                    ["--exposures", "20"],
                    "the test split of 'simulated' is empty: there are 20 rows of 2 groups",
                ),
                (["--exposures", "0"], "n_exposures is 0"),
                (["--ctr", "2"], "ctr is 2.0; give a rate in (0, 1)"),
                (["--cvr", "0.9"], "only intended clicks convert"),
                (["--accidental-clicks", "1"], "accidental_clicks is 1.0"),
                (["--device", "abacus"], "unknown device 'abacus'; choose one of cpu, cuda, auto"),
                (["--device", "auto"], "device is 'auto'; lightgbm runs on cpu or cuda"),
                (["--external-memory"], "external memory is for xgboost alone, not for lightgbm"),
                (["--output", __file__], "is a file"),
                (["--dataset", "us", "--exposures", "100"], "cannot be set for us, only for simulated"),
            )
        ),
    ],
    ids=lambda value: " ".join(a for a in value if a not in COMPARE) if isinstance(value, list) else "",
)
def test_bad_arguments(run, data_dir, arguments, message):
    assert message in refused(run(*arguments))


def frame():
    """300 rows in which every grade occurs, in any part of any split."""
    grade = pl.int_range(300, eager=True) % 3
    return pl.DataFrame(
        {
            "click": (grade > 0).cast(int),
            "conversion": (grade == 2).cast(int),
            "grade": grade,
            "x": (pl.int_range(300, eager=True) * 7 % 11).cast(float),
            "day": pl.int_range(300, eager=True) // 30,
        }
    )


def described(folder, change=lambda data: data, text='click = "click"\nconversion = "conversion"\n'):
    change(frame()).write_csv(folder / "shown.csv")
    (folder / "shown.toml").write_text(f'source = "shown.csv"\n{text}')
    return ["compare", "--dataset", folder / "shown.toml", "--seeds", "1", "--weight", "0.1", *TINY]


def in_row_5(**values):
    fifth = pl.int_range(pl.len()) == 4
    return lambda data: data.with_columns(
        **{name: pl.when(fifth).then(pl.lit(value)).otherwise(pl.col(name)) for name, value in values.items()}
    )


GRADE = 'grade = "grade"\nignore = ["click", "conversion"]\n'


def test_a_described_file_is_compared(run, tmp_path):
    code, out, err = run(*described(tmp_path, text=GRADE + 'time = "day"\n'))
    assert (code, err) == (0, "")
    assert out.startswith("shown, test split, 1 seed\n")


TIMED = 'click = "click"\nconversion = "conversion"\ntime = "day"\n'


@pytest.mark.parametrize(
    ("change", "text", "message"),
    [
        (lambda data: data.drop("conversion"), None, "unknown columns conversion"),
        (lambda data: data.drop("day"), TIMED, "unknown columns day"),
        (in_row_5(click=0, conversion=1), None, "1 rows convert without a click (the first is row 5)"),
        (in_row_5(click=None), None, "click = 'click' is not 0 or 1 in 1 rows (the first is row 5: None)"),
        (
            in_row_5(click=float("nan")),
            None,
            "click = 'click' is not 0 or 1 in 1 rows (the first is row 5: None)",
        ),
        (in_row_5(grade=3), GRADE, "grade = 'grade' is not 0, 1 or 2 in 1 rows (the first is row 5: 3)"),
        (in_row_5(grade=-1), GRADE, "(the first is row 5: -1)"),
        (in_row_5(x=float("inf")), None, "infinite values in x"),
        (lambda data: data.head(0), None, "has no rows"),
        (lambda data: data.with_columns(day=pl.lit(1)), TIMED, "validation split of 'shown' is empty"),
        (lambda data: data.filter(pl.col("grade") < 2), None, "one-class split: the train split"),
        (
            lambda data: data.filter((pl.col("day") < 6) | (pl.col("grade") == 1)),
            TIMED,
            "one-class split: the test split",
        ),
        (None, "click = 'click'\n", "give either grade, or click and conversion"),
        (None, "click = \n", "not a TOML file"),
        (None, 'click = "click"\nconversion = "conversion"\ngrp = "day"\n', "unknown keys grp"),
        (None, 'click = "click"\nconversion = "conversion"\ngroup = "shop"\n', "unknown columns shop"),
    ],
)
def test_bad_data(run, tmp_path, change, text, message):
    arguments = {"change": change, "text": text}
    command = described(tmp_path, **{name: value for name, value in arguments.items() if value is not None})
    err = refused(run(*command))
    assert message in err
    assert str(tmp_path / "shown.toml") in err or "split" in err or "infinite" in err


def test_files_that_are_not_what_they_are_called(run, tmp_path):
    command = described(tmp_path)
    (tmp_path / "shown.csv").write_bytes(b"\xff\xfe\x00PAR1\n\x00\x01\x02")
    refused(run(*command))
    (tmp_path / "shown.toml").write_text('source = "shown.parquet"\ngrade = "grade"\n')
    (tmp_path / "shown.parquet").write_bytes(b"PAR1 and no more")
    assert "cannot be read" in refused(run(*command))
    (tmp_path / "shown.toml").write_bytes(b"\xff\xfe")
    assert "not a TOML file" in refused(run(*command))


def test_a_damaged_prepared_set(run, released, data_dir):
    run("prepare", "--dataset", "us", "--source", released)
    (data_dir / "us" / "test.parquet").write_bytes(b"PAR1")
    err = refused(run("compare", "--dataset", "us", *TINY))
    assert "is damaged" in err
    assert "prepare it again" in err


def test_a_fault_in_a_released_file_is_named_by_line(run, released, data_dir):
    path = released / "us_item_train.csv"
    lines = path.read_text().splitlines()
    lines[6] = lines[6].rsplit(",", 1)[0] + ",3"
    write_lines(path, lines)
    err = refused(run("prepare", "--dataset", "us", "--source", released))
    assert "us_item_train.csv, line 7: grade (field 49) is '3', not 0, 1 or 2" in err
    assert not (data_dir / "us").exists()


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_output_needs_the_report_extra(run, tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    err = refused(run(*COMPARE, "--output", tmp_path / "output"))
    assert f"the report needs {missing}" in err
    assert "pip install 'gbdt-pwiser[report]'" in err
    assert not (tmp_path / "output").exists()  # refused before the work, not after it
    assert run(*COMPARE)[0] == 0


def test_an_interruption_is_one_line_too(run, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("gbdt_pwiser.sources.load", interrupted)
    assert run(*COMPARE) == (130, "", "\ngbdt-pwiser: interrupted\n")  # a new line after ^C


def test_a_process_of_its_own_prints_no_traceback():
    command = [sys.executable, "-c", "from gbdt_pwiser.cli import main; main()"]
    done = subprocess.run([*command, *COMPARE, "--exposures", "20"], capture_output=True, text=True)
    message = refused((done.returncode, done.stdout, done.stderr))
    assert "split of 'simulated' is empty" in message
