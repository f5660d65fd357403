"""The page of a comparison."""

import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from gbdt_pwiser.evaluation import Details, SweepPoint, summarize
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.report import require_report_extra, write_report
from gbdt_pwiser.report.table import format_estimate
from tests.report.made import METRICS, losses_of, made
from tests.report.page import PLOTS, Page, drawings, flat, write


@pytest.fixture(scope="module")
def shared_text(tmp_path_factory):
    """The page of that comparison, written once for all tests that only read it."""
    folder = tmp_path_factory.mktemp("page")
    text = write(folder / "report.html", *made(dataset="simulated <1>", extra=("test_isotonic",)))
    assert [path.name for path in folder.iterdir()] == ["report.html"]
    return text


def test_the_page_asks_nothing_of_the_network_and_is_small(shared_text):
    for tag, attributes in Page(shared_text).elements:
        for name in ("src", "href", "xlink:href", "srcset", "data", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
    assert "//" not in re.sub(r"  // .*", "", shared_text), "an address, or the start of one"
    assert "@import" not in shared_text
    assert not re.search(r"url\((?!#)", shared_text)
    assert len(shared_text.encode()) < 6 * 2**20


def test_every_plot_is_drawn_and_named(shared_text):
    page = Page(shared_text)
    shown = drawings(page)
    assert [d["role"] for d in shown] == ["img"] * len(PLOTS)
    for drawing, start in zip(shown, PLOTS, strict=True):
        assert drawing["aria-label"].startswith(start)
    paths = [attributes["d"] for tag, attributes in page.elements if tag == "path"]
    # A step line of three grades in each of five panels is far longer than any tick or dot.
    assert sum(len(d) > 500 for d in paths) >= 3 * 5
    assert all(paths)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = {a["xlink:href"][1:] for _, a in page.elements if "xlink:href" in a}
    assert used <= set(ids)


def test_plots_name_what_they_show(comparison, shared_text):
    results, details = comparison
    labels = [d["aria-label"] for d in drawings(Page(shared_text))]
    for loss in ("pwiser", "lambdarank"):
        s = next(s for s in summarize(results) if (s.loss, s.metric) == (loss, "ctr_auc"))
        gain = format_estimate(s.gain, s.gain_standard_error, 4, signed=True)
        assert f"lightgbm {loss} {gain}" in labels[0]
    points = [p.ctr_auc for p in details.sweep if (p.model, p.loss, p.weight) == ("xgboost", "pwiser", 0.1)]
    assert f"xgboost pwiser 0.1: {np.mean(points):.4f}, " in labels[1]
    chosen = sum(p.chosen for p in details.sweep if (p.model, p.loss, p.weight) == ("xgboost", "bce", 0.0))
    assert f"(chosen by {chosen} of 3)" in labels[1]
    assert "lightgbm 0.0%, 5.0%, 10.0%" in labels[2]
    assert "before and after calibration: lightgbm, xgboost, each with bce, pwiser, lambdarank" in labels[3]
    best = next(c for c in details.curves if c.loss == "lambdarank").ctr_auc[11]
    assert f"lightgbm lambdarank {best:.4f} in round 12" in labels[5]
    assert "lightgbm bce 97 %, 88 %; lightgbm pwiser 97 %, 88 %; xgboost bce 97 %, 88 %; " in labels[6]


def test_the_table_holds_the_summaries(comparison, shared_text):
    results, _ = comparison
    head, *rows = Page(shared_text).table
    names = ("ctr_auc", "gauc", "ctcvr_auc", "log_loss", "normalized_entropy", "pcoc", "ece")
    assert [" ".join(h) for h in head] == [
        *("model", "loss", "weight"),
        *("CTR AUC", "GAUC", "CTCVR AUC", "log loss", "normalized entropy", "PCOC", "ECE"),
    ]
    assert set(names) == set(METRICS)
    by = {(s.model, s.loss, s.metric): s for s in summarize(results)}
    assert [(model, loss) for (model,), (loss,), *_ in rows] == [
        (model, loss) for model in ("lightgbm", "xgboost") for loss in losses_of(model)
    ]
    for (model,), (loss,), _, *cells in rows:
        for metric, cell in zip(names, cells, strict=True):
            s = by[model, loss, metric]
            decimals = 3 if metric == "pcoc" else 4
            expected = [format_estimate(s.mean, s.standard_error, decimals)]
            if loss != "bce":
                mark = {"better": "▲ ", "worse": "▼ ", "unclear": ""}[s.verdict]
                expected.append(mark + format_estimate(s.gain, s.gain_standard_error, decimals, signed=True))
            assert cell == expected
    assert {s.verdict for s in by.values()} == {"better", "worse", "unclear"}


def test_the_first_places_have_a_table_of_their_own_where_there_are_groups(comparison, shared_text, tmp_path):
    results, details = comparison
    assert Page(shared_text, table="top").table == []
    top = {"ctr_auc": "ndcg@5", "gauc": "conversions@5"}
    more = [replace(r, metric=top[r.metric]) for r in results if r.metric in top]
    write_report(tmp_path / "report.html", results + more, details)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    head, *rows = Page(text, table="top").table
    assert [" ".join(h) for h in head] == ["model", "loss", "weight", "NDCG@5", "conversions top 5"]
    results_head, *results_rows = Page(text).table
    assert "NDCG@5" not in results_head
    assert [row[3][0] for row in rows] == [row[3][0] for row in results_rows]  # the same numbers
    assert "<h3>First places of each group</h3>" in text
    assert "gains of the tables: the chance of any false mark in them is 5" in text
    assert "<dt>NDCG@5</dt><dd>gains of the first 5 places of each group by pCTR" in text


def test_the_page_says_what_was_compared(shared_text):
    text = flat(shared_text)
    for said in (
        "<h1>BCE, BCE+PWiseR and lambdarank on simulated &lt;1&gt;</h1>",
        "lightgbm and xgboost, trained with bce, pwiser and lambdarank, each loss where it exists for the "
        "model, on simulated &lt;1&gt;, 3 seeds.",
        "Corrected for all gains of the table, 2 of 2 gains are above zero by more than chance and 0 below.",
        "300 (10.00%)",
        "30 (10.00% of clicks)",
        "Sizes are those of seed 3.",
        "Seeds 3, 4, 5.",
        "gbdt-pwiser compare --seeds 3",
        "gbdt-pwiser 0.1.0, lightgbm 4.7.0",
        "trained and scored on <strong>validation</strong>, mean over 3 seeds",
        "difference to bce of the same model and seed",
        "for its CTR AUC",
        "<h2>What the pairwise term does</h2>",
        "on training data of seed 3 after some of the rounds",
        "<li>xgboost, pwiser: 97 % of the pairs with unclicked exposures and 88 % of those with click-only "
        "ones still violate their margins (0.3 and 0.1) in the round that counts, so the term acts as a "
        "weight of about 0.8 on conversions; smaller margins or the logit scale would make it rank.</li>",
        "Conversion AUC is the chance that a converted exposure has a higher pCTR than any other.",
    ):
        assert said in text, said
    assert "Published" not in text


def test_calibration_is_told_before_and_after(comparison, shared_text):
    results, _ = comparison
    head, *rows = Page(shared_text, table="calibration").table
    assert [" ".join(h) for h in head] == [
        *("model", "loss", "pCTR"),
        *("PCOC", "ECE", "normalized entropy", "CTR AUC"),
    ]
    assert len(rows) == 2 * 5
    after = {(s.model, s.loss, s.metric): s for s in summarize(results, "test_isotonic")}
    for (model,), (loss,), (how,), (pcoc,), *_, (auc,) in rows:
        if how == "isotonic":
            for metric, shown, decimals in (("pcoc", pcoc, 3), ("ctr_auc", auc, 4)):
                s = after[model, loss, metric]
                assert shown == format_estimate(s.mean, s.standard_error, decimals)
        else:
            assert how == "as trained"
    text = flat(shared_text)
    assert "<li>After isotonic calibration lightgbm pwiser: normalized entropy is 0.8" in text


def test_without_calibration_there_is_advice(comparison, tmp_path):
    results = [
        replace(r, value=1.1 if (r.loss, r.metric) == ("pwiser", "pcoc") else r.value)
        for r in comparison[0]
        if r.split != "test_isotonic"
    ]
    text = flat(write(tmp_path / "report.html", results))
    assert "lightgbm pwiser: PCOC on validation is 1.100; calibrate for bids" in text
    assert 'id="calibration"' not in text


def test_published_figures_stand_apart(tmp_path):
    results, details = made(dataset="us")
    page = Page(write(tmp_path / "report.html", results, details), table="published")
    assert page.table[5] == [
        ["AITM"],
        ["0.7048"],
        ["0.8730"],
        ["easezyc/Multitask-Recommendation-Library, README, 5 runs"],
    ]
    text = flat((tmp_path / "report.html").read_text())
    assert "<h2>Published on the full us set, not by this run</h2>" in text
    assert "These were chosen on the test file, epoch by epoch" in text


@pytest.mark.parametrize("known", [True, False])
def test_own_data_of_that_name_are_not_beside_published_figures(tmp_path, known):
    results, details = made(dataset="us")
    details.released = False
    text = flat(write(tmp_path / "report.html", results, details if known else None))
    assert "Published on the full" not in text


def test_equal_input_gives_an_equal_file(comparison, shared_text, tmp_path):
    assert write(tmp_path / "again.html", *comparison) == shared_text


def test_one_seed_claims_nothing(tmp_path):
    text = write(tmp_path / "report.html", *made(seeds=(3,)))
    Page(text)
    assert "Without an error it cannot be told from chance." in text
    assert not re.search('class="number (better|worse)"', text)


def test_results_alone_make_a_page_with_less(comparison, tmp_path):
    results, _ = comparison
    page = Page(write(tmp_path / "report.html", results))
    assert [d["aria-label"].split()[0] for d in drawings(page)] == ["Gain"]
    text = write(tmp_path / "report.html", [r for r in results if r.loss == "bce"], Details())
    Page(text)
    assert "<svg" not in text
    assert "<pre>" not in text


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_a_missing_extra_is_named(comparison, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    says = rf"the report needs {package}, which is missing; pip install 'gbdt-pwiser\[report\]'"
    with pytest.raises(InputError, match=says):
        require_report_extra()
    with pytest.raises(InputError, match=says):
        write(tmp_path / "report.html", *comparison)


def test_what_a_report_cannot_show_is_refused(comparison, tmp_path):
    path = tmp_path / "report.html"
    results, details = comparison
    other = Details(sweep=[SweepPoint("lightgbm", "bce", 3, 0.0, True, 0.6, 0.6)])
    for results_, details_, says in (
        (
            [*results, replace(results[0], dataset="b")],
            details,
            "are of simulated <1>, b; write one report per",
        ),
        ([r for r in results if r.split == "valid"], details, "no result is of the test split"),
        (results[1:], details, "1 cells are missing, the first is .*model=lightgbm, loss=bce, seed=3"),
        ([*results, results[0]], details, "1 cells occur more than once, the first is .*seed=3"),
        (results, other, "the details are of another run"),
    ):
        with pytest.raises(InputError, match=says):
            write(path, results_, details_)
    assert not path.exists()
