"""The numbers behind the plots, in the page and as files: all that is drawn, to the last digit."""

import csv
import io
import math
import re
from html import unescape
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.evaluation import summarize, sweep_means
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.report import write_figures
from tests.report.page import write
from tests.report.wide import store, wide

NAMES = ["gains", "weights", "clicks", "reliability", "distributions", "training", "activity"]


@pytest.fixture(scope="module")
def made():
    return wide(("lightgbm", "dnn"), ("bce", "pwiser", "weighted_bce"), seeds=(0, 1))


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    written = write_figures(folder / "new", *made)
    assert [path.name for path in written] == [f"{name}.{kind}" for name in NAMES for kind in ("svg", "csv")]
    assert sorted(path.name for path in (folder / "new").iterdir()) == sorted(p.name for p in written)
    return folder / "new"


def rows(folder, name):
    """The file as Python's own reader sees it, numbers as numbers."""

    def value(text):
        try:
            return float(text)
        except ValueError:
            return text

    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return [{key: value(text) for key, text in row.items()} for row in csv.DictReader(file)]


def test_gains(made, folder):
    drawn = ("ctr_auc", "gauc", "conversion_auc", "ctcvr_auc")
    assert rows(folder, "gains") == [
        {
            **{"model": s.model, "loss": s.loss, "metric": s.metric, "over": "bce"},
            **{"gain": s.gain, "low": s.gain_low, "high": s.gain_high, "verdict": s.verdict},
        }
        for s in summarize(made[0])
        if s.metric in drawn and not math.isnan(s.gain)
    ]


def test_the_weight_path(made, folder):
    means = sweep_means(made[1].sweep)
    found = rows(folder, "weights")
    assert [(r["model"], r["loss"], r["weight"]) for r in found] == [
        (s.model, s.loss, s.weight) for s in means
    ]
    for row, s in zip(found, means, strict=True):
        assert (row["ctr_auc"], row["conversion_auc"]) == (s.ctr_auc.mean, s.conversion_auc.mean)
        errors = (row["ctr_auc_error"], row["conversion_auc_error"])
        np.testing.assert_equal(errors, (s.ctr_auc.paired_error, s.conversion_auc.paired_error))
        assert (row["chosen_by"], row["seeds"]) == (s.chosen, s.seeds)


def test_curves(made, folder):
    details = made[1]
    assert rows(folder, "training") == [
        {
            "model": c.model,
            "loss": c.loss,
            "round": k + 1,
            "ctr_auc": v,
            "counts": str(k + 1 == c.best).lower(),
        }
        for c in details.curves
        for k, v in enumerate(c.ctr_auc)
    ]
    inside = [
        (c.model, c.loss, c.split, p, o)
        for c in details.reliability
        for p, o in zip(c.predicted, c.observed, strict=True)
        if o > 0  # a bin without a click has no place on the axis of log-odds
    ]
    assert [tuple(row.values()) for row in rows(folder, "reliability")] == inside
    terms = {"unclicked": "impression", "click-only": "click"}
    assert [(*list(row.values())[:4], row["active"]) for row in rows(folder, "activity")] == [
        (c.model, c.loss, pairs, number, share)
        for c in details.activity
        for pairs, term in terms.items()
        for number, share in zip(c.rounds, getattr(c, term), strict=True)
    ]


def test_clicks_and_distributions(made, folder):
    details = made[1]
    for row, (model, tenth) in zip(
        rows(folder, "clicks"), [(t, k) for t in details.clicks for k in range(10)], strict=True
    ):
        assert (row["model"], row["tenth"]) == (model.model, tenth + 1)
        assert row["rate"] == model.conversions[tenth] / model.clicks[tenth]
        assert row["low"] < row["rate"] < row["high"]
    for d in details.distributions:
        for grade, counts in enumerate(d.counts):
            of_grade = [
                row
                for row in rows(folder, "distributions")
                if (row["model"], row["loss"]) == (d.model, d.loss)
            ]
            names = list(dict.fromkeys(row["grade"] for row in of_grade))
            shares = [row["share"] for row in of_grade if row["grade"] == names[grade]]
            assert sum(shares) == pytest.approx(1, abs=0.002)  # the outer .05 % on either side is not drawn
            assert np.rint(np.multiply(shares, counts.sum())) == pytest.approx(
                np.multiply(shares, counts.sum())
            )


@pytest.fixture(scope="module")
def text(made, tmp_path_factory):
    return write(tmp_path_factory.mktemp("page") / "report.html", *made)


def test_the_page_holds_the_same_files(text, folder):
    links = dict(re.findall(r'<a download="(\w+)\.csv" href="data:text/csv;charset=utf-8,([^"]*)"', text))
    assert set(links) == {*NAMES, "results", "top"}
    for name in NAMES:
        held = unquote(unescape(links[name]))
        assert held == (folder / f"{name}.csv").read_text(encoding="utf-8")
        assert pl.read_csv(io.StringIO(held), infer_schema_length=None).write_csv() == held
        told = re.search(rf'download="{name}.csv"[^>]*>Data of this plot \(CSV, ([\d,]+) rows\)', text)[1]
        assert int(told.replace(",", "")) == held.count("\n") - 1


def test_the_table_comes_at_full_precision(made, text):
    held = unquote(re.search(r'download="results.csv" href="data:[^,]*,([^"]*)"', text)[1])
    found = list(csv.DictReader(io.StringIO(held)))
    expected = [s for s in summarize(made[0]) if s.metric not in ("ndcg@5", "mrr", "conversions@5")]
    for row, s in zip(found, expected, strict=True):
        assert (row["model"], row["loss"], row["metric"]) == (s.model, s.loss, s.metric)
        for name in ("mean", "standard_error", "gain", "gain_low", "gain_high", "p_value"):
            np.testing.assert_equal(float(row[name]), getattr(s, name))
        assert row["verdict"] == s.verdict


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_stands_by_itself(folder, name):
    text = (folder / f"{name}.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    width, height = (float(root.get(side)) for side in ("width", "height"))
    box = [float(number) for number in root.get("viewBox").split()]
    assert width / height == pytest.approx(box[2] / box[3], rel=1e-3)
    # Paper of its own, and ink that goes with it, light and dark.
    (paper,) = root.findall("{*}rect[@class='paper']")
    assert [float(paper.get(side)) for side in ("width", "height")] == box[2:]
    (style,) = root.findall("{*}style")
    assert style.text.count("prefers-color-scheme: dark") == 1
    assert "#000000" not in text
    assert "var(" not in text  # which not every reader of SVG knows
    assert not re.search(r"(?:href|src)=\"(?!#)", text)
    assert re.findall(r"https?://[^\"]*", text) == [
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    ]


def test_foreign_files_are_left_and_ours_replaced(made, folder, tmp_path):
    """Of results alone, which make the gain plot and no other."""
    svg, csv_ = written = write_figures(tmp_path, made[0])
    assert [path.name for path in written] == ["gains.svg", "gains.csv"]
    assert write_figures(tmp_path, made[0]) == written
    assert [path.read_bytes() for path in written] == [(folder / path.name).read_bytes() for path in written]
    for foreign, other, text in (
        (svg, csv_, "my own\n"),
        (csv_, svg, "my own\n"),
        (csv_, svg, "model,price\n"),
    ):
        ours, before = foreign.read_bytes(), other.stat().st_mtime_ns
        foreign.write_text(text)
        with pytest.raises(InputError, match=rf"{foreign.name} exists and was not written by gbdt-pwiser"):
            write_figures(tmp_path, made[0])
        assert foreign.read_text() == text
        assert other.stat().st_mtime_ns == before
        foreign.write_bytes(ours)


def test_the_command_writes_them(made, folder, tmp_path, run):
    store(tmp_path, *made)
    code, out, err = run("report", tmp_path, "--figures", tmp_path / "docs" / "figures")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == str(tmp_path / "report.html")
    assert len(out.splitlines()) == 1 + 2 * len(NAMES)
    for path in map(type(tmp_path), out.splitlines()[1:]):
        assert path.read_bytes() == (folder / path.name).read_bytes()
    (tmp_path / "docs" / "figures" / "gains.csv").write_text("mine")
    code, out, err = run("report", tmp_path, "--figures", tmp_path / "docs" / "figures")
    assert (code, out) == (2, "")
    assert "gains.csv exists and was not written by gbdt-pwiser" in err
