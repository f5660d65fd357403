"""`compare --against`: the table, JSON, the page and what is made of its files later; what is refused."""

import json

import polars as pl
import pytest

from gbdt_pwiser.evaluation import read_results, summarize

SIMULATED = ["--dataset", "simulated", "--exposures", "3000", "--ctr", "0.2", "--cvr", "0.3"]
TINY = ["--rounds", "4", "--early-stopping", "2", "--learning-rate", "0.3", "--threads", "1"]
COMPARE = ["compare", *SIMULATED, *TINY, "--seeds", "2", "--weight", "0.1", "--bootstrap", "20"]


def test_gains_are_over_the_one_that_is_named(run, tmp_path):
    code, out, err = run(*COMPARE, "--against", "xgboost", "--output", tmp_path)
    page = tmp_path / "report.html"
    assert (code, err) == (0, f"{page}\n")
    lines = [line.split() for line in out.splitlines()]
    assert sum(line[:3] == ["gain", "over", "xgboost:bce"] for line in lines) == 3 * 3
    assert "gain: mean difference to xgboost:bce, seed by seed; ± is of test sample and seeds." in out
    assert "Smallest gain that this test split could have shown: CTR AUC ." in out

    first = page.read_text()
    assert "<h2>Gain over xgboost:bce</h2>" in first
    page.unlink()
    assert run("report", tmp_path) == (0, f"{page}\n", "")
    assert page.read_text() == first

    results = read_results(tmp_path / "results.parquet")
    cells = {(s.model, s.loss) for s in summarize(results) if s.metric == "ctr_auc" and s.tested}
    assert cells == {("lightgbm", "bce"), ("lightgbm", "pwiser"), ("xgboost", "pwiser")}


def test_json_says_what_the_errors_are_of(run):
    one, own = (
        json.loads(run(*COMPARE, "--json", *more)[1]) for more in (["--against", "xgboost:pwiser"], [])
    )
    assert {row["baseline"] for row in one} == {"xgboost:pwiser"}
    assert {row["baseline"] for row in own} == {"bce"}
    same = ("model", "loss", "seed", "split", "metric", "value")
    assert [[row[key] for key in same] for row in one] == [[row[key] for key in same] for row in own]


def test_files_of_before_make_the_page_they_made(run, tmp_path):
    assert run(*COMPARE, "--output", tmp_path)[0] == 0
    results, page = tmp_path / "results.parquet", tmp_path / "report.html"
    first = page.read_text()
    pl.read_parquet(results).drop("baseline").write_parquet(results)
    assert run("report", tmp_path) == (0, f"{page}\n", "")
    assert page.read_text() == first
    assert "<h2>Gain over bce</h2>" in first


@pytest.mark.parametrize(
    ("against", "says"),
    [
        ("", "--against is empty; give a value or leave it out"),
        (
            "xgbost",
            "against is 'xgbost', and xgbost:bce is not compared (did you mean xgboost:bce?); name one of "
            "lightgbm:bce, lightgbm:pwiser, xgboost:bce, xgboost:pwiser, or add its model and loss",
        ),
        ("dnn", "dnn:bce is not compared"),
        ("lightgbm:lambdarank", "lightgbm:lambdarank is not compared"),
    ],
)
def test_what_is_not_compared_is_refused_before_the_data_are_read(run, monkeypatch, against, says):
    monkeypatch.setattr("gbdt_pwiser.sources.load", lambda *_, **__: pytest.fail("data were read"))
    code, out, err = run(*COMPARE, "--against", against)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_nothing_else_to_compare_is_refused(run):
    code, out, err = run(*COMPARE, "--model", "xgboost", "--loss", "bce", "--against", "xgboost")
    assert (code, out) == (2, "")
    assert "nothing but xgboost:bce is compared; add a model or a loss" in err
