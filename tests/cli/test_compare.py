"""`gbdt-pwiser compare` as a user meets it."""

import json
import re
import sys

import pytest

from gbdt_pwiser.evaluation import check_complete, read_results
from gbdt_pwiser.metrics import METRICS
from gbdt_pwiser.models import LOSSES
from tests.command_line import COMPARE, SWEEP, beside_compare, refused
from tests.folders import names, snapshot

ONE = [*COMPARE, "--model", "lightgbm", "--weight", "0.1"]
QUICK = ("compare", "--dataset", "simulated", "--exposures", 4000, "--ctr", 0.2, "--cvr", 0.3, "--seeds", 1)
QUICK += ("--rounds", 3, "--threads", 1, "--bootstrap", 0)


def test_compare_prints_a_table_and_writes_nothing(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*COMPARE)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "simulated, test split, 1 seed"
    for model in ("lightgbm", "xgboost"):
        for loss in ("bce", "pwiser"):
            # ranking, first places, calibration, cost
            assert sum(line.split()[:2] == [model, loss] for line in lines) == 4
        told = [line for line in lines if line.startswith(f"{model}, pwiser: ")]
        assert len(told) == 1
        assert "of the pairs with unclicked exposures" in told[0]
    assert "noise-free" in out
    assert list(tmp_path.iterdir()) == []


def test_any_number_of_first_places(run, tmp_path):
    folder = tmp_path / "out"
    code, out, _ = run(*COMPARE, "--choose-by", "ndcg@7", "--at", "1, 10", "--output", folder)
    assert code == 0
    metrics = {r.metric for r in read_results(folder / "results.parquet")} - set(METRICS)
    assert metrics == {"ndcg@7", *(f"{kind}@{k}" for kind in ("ndcg", "map", "conversions") for k in (1, 10))}
    heading = next(line for line in out.splitlines() if "NDCG@5" in line)
    assert heading.split()[3:] == [
        *("NDCG@1", "NDCG@5", "NDCG@7", "NDCG@10", "MAP@1", "MAP@5", "MAP@10", "MRR"),
        *("top", "1", "top", "5", "top", "10"),
    ]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert run("report", folder)[0] == 0
    assert (folder / "report.html").read_text(encoding="utf-8") == page
    assert "for its NDCG@7." in page
    assert "<dt>conversions top 10</dt>" in page


def test_compare_as_json(run):
    code, out, err = run(*COMPARE, "--json", "--model", "xgboost")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    assert {(row["model"], row["loss"]) for row in rows} == {("xgboost", "bce"), ("xgboost", "pwiser")}
    assert len(rows) == 2 * 2 * len(METRICS)
    assert {row["weight"] for row in rows if row["loss"] == "pwiser"} <= {0.01, 0.1}
    assert all(1 <= row["rounds"] <= 4 for row in rows)


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
        ["--position-bias", "0.5"],
        ["--user-bias", "0.5"],
        ["--click-bait", "0.5"],
    ):
        assert values(*options) != default, options


def test_where_the_data_lies_is_told_after_the_table(run):
    few = ["--model", "xgboost", "--loss", "bce", "--seeds", "1", "--threads", "1"]
    code, out, _ = run(*COMPARE, *few)
    assert code == 0
    assert re.search(r"\n\nwhere this data lies: \d\d clicks of validation convert, too few to tell", out)
    code, out, _ = run(*COMPARE, *few, "--exposures", "12000")
    assert code == 0
    told = out.split("\n\n")[-1].splitlines()
    assert told[0].endswith("lowest pCTR of xgboost bce first")
    assert len(re.findall(r"\d\.\d%", told[1])) == 10
    assert told[2].startswith("The fifth of highest pCTR converts ")
    assert len(told) == 5


# ------------------------------------------------------------------------------ the folder it writes


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


def test_results_replace_older_ones_with_a_word_and_no_other_file(run, tmp_path):
    folder = tmp_path / "out"
    assert run(*ONE, "--output", folder)[2] == f"{folder / 'report.html'}\n"
    (folder / "notes.txt").write_text("mine")
    code, _, err = run(*ONE, "--output", folder)
    assert code == 0
    assert err.splitlines() == [
        f"gbdt-pwiser: replaces the earlier comparison in {folder}",
        str(folder / "report.html"),
    ]
    for name in ("results.parquet", "details.json", "report.html"):
        kept = (folder / name).read_bytes()
        (folder / name).write_text("dear diary")
        before = snapshot(folder)
        for command in ([*ONE, "--output", folder], ["report", folder]):
            wanted = f"{folder / name} exists and was not written by gbdt-pwiser; give another path"
            assert refused(run(*command)).startswith(wanted)
        assert snapshot(folder) == before
        (folder / name).write_bytes(kept)
    assert run("report", folder)[0] == 0
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_folder_with_a_pattern_for_a_name(run, tmp_path):
    folder = tmp_path / "out[1]*?"
    assert run(*ONE, "--output", folder)[0] == 0
    assert run("report", folder)[0] == 0
    assert names(folder) == ["details.json", "report.html", "results.parquet"]
    assert names(tmp_path) == ["out[1]*?"]


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_output_needs_the_report_extra(run, tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    err = refused(run(*COMPARE, "--output", tmp_path / "output"))
    assert f"the report needs {missing}" in err
    assert "pip install 'gbdt-pwiser[report]'" in err
    assert not (tmp_path / "output").exists()  # refused before the work, not after it
    assert run(*COMPARE)[0] == 0


# ------------------------------------------------------------------------------ the path of the weights


def test_a_sweep_prints_the_weight_path(run):
    code, out, err = run(*SWEEP)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    start = lines.index("weight path on validation, 2 seeds")
    assert re.split("  +", lines[start + 1])[3:] == ["CTR AUC", "conversion AUC", "CTCVR AUC", "chosen"]
    end = lines.index("", start)
    bce, *path = [line.split() for line in lines[start + 2 : end]]
    assert [line[:3] for line in path] == [["xgboost", "pwiser", weight] for weight in ("0", "0.01", "0.5")]
    assert sum(int(line[-3]) for line in path) == 2  # each seed chose one
    assert bce[3:-3] == path[0][3:-3]  # weight 0 is bce


def test_a_sweep_as_json_has_its_own_key(run):
    code, out, _ = run(*SWEEP, "--json")
    assert code == 0
    told = json.loads(out)
    assert set(told) == {"results", "sweep", "clicks"}
    assert [(t["model"], t["loss"], len(t["clicks"])) for t in told["clicks"]] == [("xgboost", "bce", 10)]
    results, sweep = told["results"], told["sweep"]
    assert [(p["loss"], p["seed"], p["weight"]) for p in sweep] == [
        (loss, seed, weight)
        for seed in (0, 1)
        for loss, weight in (("bce", 0), ("pwiser", 0), ("pwiser", 0.5), ("pwiser", 0.01))
    ]
    for p in (p for p in sweep if p["chosen"]):
        for metric in ("ctr_auc", "conversion_auc", "ctcvr_auc"):
            (row,) = (
                r
                for r in results
                if all(r[key] == p[key] for key in ("model", "loss", "seed", "weight"))
                and (r["split"], r["metric"]) == ("valid", metric)
            )
            assert row["value"] == p[metric]


def test_a_rival_has_a_path_of_its_own_beside_the_sweep(run, tmp_path):
    pytest.importorskip("matplotlib", reason="needs the report extra")
    losses = [word for loss in ("bce", "pwiser", "weighted_bce") for word in ("--loss", loss)]
    rival = ["--rival-weight", "weighted_bce=0.5,3", "--output", tmp_path]
    code, out, _ = run(*SWEEP, *losses, *rival)
    assert code == 0
    path, bought = out.partition("weight path on validation")[2].split("\n\n")[:2]
    told = [line.split()[1:3] for line in path.splitlines()[2:]]
    assert told == [
        ["bce", "0"],
        *(["pwiser", weight] for weight in ("0", "0.01", "0.5")),
        *(["weighted_bce", weight] for weight in ("0.5", "3")),
    ]
    assert [line.split()[:2] for line in bought.splitlines()[2:4]] == [
        ["xgboost", "pwiser"],
        ["xgboost", "weighted_bce"],
    ]
    page = (tmp_path / "report.html").read_text()
    (drawn,) = re.findall(r'aria-label="(CTR AUC and conversion AUC on .*?)"', page)
    assert [" ".join(part.split(":")[0].split()[-2:]) for part in drawn.split("; ")] == [
        " ".join(pair) for pair in told
    ]


# ------------------------------------------------------------------------------ rival losses


def test_rivals_are_compared_where_they_exist(run):
    losses = ("--loss", "bce", "--loss", "weighted_bce", "--loss", "lambdarank")
    weights = ("--rival-weight", "weighted_bce=2", "--rival-weight", "lambdarank=5")
    code, out, err = run(*QUICK, *losses, *weights, "--json")
    assert code == 0, err
    cells = {(row["model"], row["loss"], row["weight"]) for row in json.loads(out)}
    assert cells == {
        ("lightgbm", "bce", 0.0),
        ("lightgbm", "weighted_bce", 2.0),
        ("lightgbm", "lambdarank", 5.0),
        ("xgboost", "bce", 0.0),
        ("xgboost", "weighted_bce", 2.0),
    }
    assert "gbdt-pwiser: lambdarank exists for lightgbm only; left out for xgboost\n" in err


def test_the_table_may_be_ragged(run):
    code, out, err = run(
        *QUICK, "--loss", "bce", "--loss", "rank_pairwise", "--rival-weight", "rank_pairwise=0"
    )
    assert code == 0, err
    assert "rank_pairwise" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--loss", "bce", "--loss", "lambdarnk"), "unknown loss 'lambdarnk' (did you mean lambdarank?)"),
        (
            ("--model", "xgboost", "--loss", "bce", "--loss", "lambdarank"),
            "lambdarank exists for lightgbm only",
        ),
        (("--rival-weight", "lambdarank"), "--rival-weight is 'lambdarank'; give LOSS=NUMBERS such as"),
        (("--rival-weight", "lambdarank=a,2"), "--rival-weight is 'lambdarank=a,2'; give LOSS=NUMBERS"),
        (("--rival-weight", "lambdarank=1"), "weights are given for lambdarank, which is not compared"),
        (
            (
                "--loss",
                "weighted_bce",
                "--rival-weight",
                "weighted_bce=1",
                "--rival-weight",
                "weighted_bce=2",
            ),
            "--rival-weight names weighted_bce twice; name each loss once",
        ),
    ],
)
def test_refusals(run, arguments, message):
    assert message in refused(run(*QUICK, *arguments))


def test_the_help_names_every_loss(run):
    told = run("compare", "--help")[1]
    assert all(name in told for name in LOSSES)


# ------------------------------------------------------------------------------ bad arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare"], "Missing option '--dataset'"),
        (["compare", "--dataset", "simulate"], "unknown data set 'simulate', did you mean simulated?"),
        (["compare", "--dataset", "us"], "us is not prepared"),
        (["compare", "--dataset", "absent.toml"], "absent.toml: there is no such file"),
        (
            [*SWEEP, "--params", "best.toml"],
            "--sweep-weight stands in place of --params; give one of the two",
        ),
        ([*SWEEP, "--loss", "bce"], "--sweep-weight is for pwiser, not for bce; add --loss pwiser"),
        ([*SWEEP[:-1], "0,x"], "--sweep-weight is '0,x'; give numbers"),
        ([*SWEEP[:-1], "0,0"], "a weight of pwiser is named twice"),
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
                (["--at", "1,x"], "at is 'x'; give whole numbers of places from 1, as in 1,10"),
                (["--at", "0"], "at is '0'"),
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
                (["--position-bias", "1"], "position_bias is 1.0; give a number in [0, 1)"),
                (["--user-bias", "-1"], "user_bias is -1.0; give a number in [0, 1)"),
                (["--click-bait", "0.7"], "cvr is 0.3; give a rate in (0, 0.21)"),
                (["--device", "abacus"], "unknown device 'abacus'; choose one of cpu, cuda, auto"),
                (["--device", "auto"], "device is 'auto'; lightgbm runs on cpu or cuda"),
                (["--external-memory"], "external memory is for xgboost, xgboost_shared alone, not for"),
                (["--output", "/proc/version"], "is a file"),
                (["--dataset", "us", "--exposures", "100"], "cannot be set for us, only for simulated"),
            )
        ),
    ],
    ids=beside_compare,
)
def test_bad_arguments(run, data_dir, arguments, message):
    assert message in refused(run(*arguments))
