"""`gbdt-pwiser report` as a user meets it."""

import polars as pl
import pytest

from tests.command_line import COMPARE, SWEEP, refused


def test_report_makes_the_page_again(run, tmp_path):
    assert run(*SWEEP, "--calibrate", "isotonic", "--output", tmp_path)[0] == 0
    page = tmp_path / "report.html"
    first = page.read_text()
    page.unlink()
    assert run("report", tmp_path) == (0, f"{page}\n", "")
    assert page.read_text() == first
    assert first.count("<svg") == 6

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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report"], "Missing argument 'FOLDER'"),
        (["report", "/nowhere"], "/nowhere/results.parquet is not a file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments(run, arguments, message):
    assert message in refused(run(*arguments))
