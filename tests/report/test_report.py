import math
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.evaluation.results import Result, format_estimate, summarize
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.report import ScoreDistribution, SplitSize, require_report_extra, write_report
from gbdt_pwiser.report._distribution import EDGES

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements, ids and the results table of a page; refuses tags that do not close."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.table = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append((tag, dict(attributes)))
        if self.inside_results() and tag == "tr":
            self.table.append([])
        if self.inside_results() and tag in ("th", "td"):
            self.table[-1].append([])

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.inside_results() and data.strip():
            self.table[-1][-1].append(data.strip())

    def inside_results(self):
        return any(attributes.get("id") == "results" for _, attributes in self.open)


@pytest.fixture
def results():
    rng = np.random.default_rng(0)
    return [
        Result(
            dataset="simulated <1>",  # a name is text, not markup
            model=model,
            loss=loss,
            seed=seed,
            split=split,
            metric=metric,
            value=0.7 + 0.01 * rng.random() + 0.1 * (loss == "pwiser"),
            weight=0.01 * (loss == "pwiser"),
            rounds=100,
            size=130,
            fit_seconds=1.5,
            predict_seconds=0.25,
            versions="gbdt-pwiser 0.1.0, lightgbm 4.7.0",
        )
        for model in ("lightgbm", "xgboost")
        for loss in ("bce", "pwiser")
        for seed in (3, 4, 5)
        for split in ("test", "valid")
        for metric in ("ctr_auc", "gauc", "ctcvr_auc", "log_loss")
    ]


@pytest.fixture
def distributions():
    rng = np.random.default_rng(1)
    grade = rng.choice(np.array([0, 1, 2], dtype=np.int8), 5000, p=[0.9, 0.08, 0.02])
    return [
        ScoreDistribution.from_scores(model, loss, rng.beta(1 + grade, 20), grade)
        for model in ("lightgbm", "xgboost")
        for loss in ("bce", "pwiser")
    ]


def write(path, results, distributions, **options):
    options = {"title": "A <title>", "command": "gbdt-pwiser compare --seeds 3"} | options
    write_report(path, results, distributions, **options)
    return path.read_text(encoding="utf-8")


def test_the_page_asks_nothing_of_the_network_and_is_small(results, distributions, tmp_path):
    text = write(tmp_path / "report.html", results, distributions)
    for tag, attributes in Page(text).elements:
        for name in ("src", "href", "xlink:href", "srcset", "data", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
    assert "//" not in re.sub(r"  // .*", "", text), "an address, or the start of one"
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert len(text.encode()) < 6 * 2**20
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_both_plots_are_drawn_and_named(results, distributions, tmp_path):
    page = Page(write(tmp_path / "report.html", results, distributions))
    drawings = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert [d["role"] for d in drawings] == ["img", "img"]
    assert [d["aria-label"].split()[0] for d in drawings] == ["Gain", "Distribution"]
    paths = [attributes["d"] for tag, attributes in page.elements if tag == "path"]
    # A step line of three grades in each of four panels is far longer than any tick or dot.
    assert sum(len(d) > 500 for d in paths) == 3 * 4
    assert all(paths)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = {a["xlink:href"][1:] for _, a in page.elements if "xlink:href" in a}
    assert used <= set(ids)


def test_the_table_holds_the_summaries(results, distributions, tmp_path):
    head, *rows = Page(write(tmp_path / "report.html", results, distributions)).table
    names = ["ctr_auc", "gauc", "ctcvr_auc", "log_loss"]
    assert [" ".join(h) for h in head] == [
        *("model", "loss", "weight"),
        *("CTR AUC", "GAUC", "CTCVR AUC", "log loss"),
    ]
    by = {(s.model, s.loss, s.metric): s for s in summarize(results)}
    assert len(rows) == 4
    for (model,), (loss,), (weight,), *cells in rows:
        assert weight == ("0" if loss == "bce" else "0.01")
        for metric, cell in zip(names, cells, strict=True):
            s = by[model, loss, metric]
            expected = [format_estimate(s.mean, s.standard_error, 4)]
            if loss == "pwiser":
                mark = "▼" if metric == "log_loss" else "▲"
                expected.append(f"{mark} {format_estimate(s.gain, s.gain_standard_error, 4, signed=True)}")
            assert cell == expected


def test_the_page_says_what_was_compared(results, distributions, tmp_path):
    exposures = Exposures("x", pl.DataFrame({"x": np.zeros(3, np.float32)}), np.array([0, 1, 2], np.int8))
    text = write(tmp_path / "report.html", results, distributions, sizes=[SplitSize.of("test", exposures)])
    flat = re.sub(r"\s+", " ", text)
    for said in (
        "<h1>A &lt;title&gt;</h1>",
        "lightgbm and xgboost, trained with bce and pwiser each, on simulated &lt;1&gt;, 3 seeds.",
        "Corrected for all gains of the table, 2 of 2 gains are above zero by more than chance and 0 below.",
        "2 (66.67%)",
        "1 (50.00% of clicks)",
        "Sizes are those of seed 3.",
        "gbdt-pwiser compare --seeds 3",
        "gbdt-pwiser 0.1.0, lightgbm 4.7.0",
    ):
        assert said in flat, said


def test_equal_input_gives_an_equal_file(results, distributions, tmp_path):
    first, second = (write(tmp_path / name, results, distributions) for name in ("a.html", "b.html"))
    assert first == second


def test_one_seed_claims_nothing(results, distributions, tmp_path):
    text = write(tmp_path / "report.html", [r for r in results if r.seed == 3], distributions)
    Page(text)
    assert "Without an error it cannot be told from chance." in text
    assert not re.search('class="number (better|worse)"', text)


def test_what_is_not_there_is_left_out(results, tmp_path):
    text = write(tmp_path / "report.html", [r for r in results if r.loss == "bce"], [])
    Page(text)
    assert "<svg" not in text


def test_a_grade_that_does_not_occur_and_a_constant_score_are_drawn(results, tmp_path):
    constant = ScoreDistribution.from_scores("lightgbm", "bce", np.full(9, 0.02), np.zeros(9, np.int8))
    nothing = ScoreDistribution.from_scores("xgboost", "pwiser", np.zeros(0), np.zeros(0, np.int8))
    Page(write(tmp_path / "report.html", results, [constant, nothing]))
    Page(write(tmp_path / "report.html", results, [nothing]))


def test_a_distribution_counts_each_exposure_once():
    p = np.array([0.0, 0.5, 0.5, 1.0, 1e-12, 0.1], dtype=np.float32)
    counts = ScoreDistribution.from_scores("m", "bce", p, np.array([0, 0, 1, 2, 2, 1], np.int8)).counts
    assert counts.sum(axis=1).tolist() == [2, 2, 2]
    at = np.searchsorted(EDGES, math.log(0.1 / 0.9)) - 1
    middle = len(EDGES) // 2
    assert [np.flatnonzero(row).tolist() for row in counts] == [
        [0, middle],
        [at, middle],
        [0, len(EDGES) - 2],
    ]


@pytest.mark.parametrize(
    ("pctr", "grade", "says"),
    [
        ([0.1], [0, 1], r"pctr has shape \(1,\), grade \(2,\)"),
        ([math.nan], [0], "NaN or outside"),
        ([1.1], [0], "NaN or outside"),
        ([0.1], [3], "grade has values outside 0, 1, 2"),
    ],
)
def test_a_distribution_refuses_what_is_no_score(pctr, grade, says):
    with pytest.raises(InputError, match=says):
        ScoreDistribution.from_scores("m", "bce", np.array(pctr), np.array(grade, np.int8))


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_a_missing_extra_is_named(results, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    says = rf"the report needs {package}, which is missing; pip install 'gbdt-pwiser\[report\]'"
    with pytest.raises(InputError, match=says):
        require_report_extra()
    with pytest.raises(InputError, match=says):
        write(tmp_path / "report.html", results, [])


def test_results_a_report_cannot_show_are_refused(results, tmp_path):
    path = tmp_path / "report.html"
    with pytest.raises(InputError, match="results are of simulated <1>, b; write one report per data set"):
        write(path, [*results, replace(results[0], dataset="b")], [])
    with pytest.raises(InputError, match="no result is of the test split"):
        write(path, [r for r in results if r.split == "valid"], [])
    with pytest.raises(InputError, match="cells are missing"):
        write(path, results[1:], [])
    assert not path.exists()
