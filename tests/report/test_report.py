"""The page of a comparison."""

import math
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from gbdt_pwiser.evaluation import Details, SweepPoint, summarize, sweep_means
from gbdt_pwiser.metrics import ScoreDistribution
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.report import require_report_extra, write_report
from gbdt_pwiser.report._plot_distributions import plot_distributions
from gbdt_pwiser.report._plot_weights import plot_weights
from gbdt_pwiser.report._plots import drawing_style, loss_styles
from gbdt_pwiser.report.table import format_estimate
from tests.report.made import METRICS, losses_of, made

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements, ids and one table of a page, that of the results; refuses tags that do not close."""

    def __init__(self, text, table="results"):
        super().__init__()
        self.wanted = table
        self.elements, self.open, self.table = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append((tag, dict(attributes)))
        if self.inside_table() and tag == "tr":
            self.table.append([])
        if self.inside_table() and tag in ("th", "td"):
            self.table[-1].append([])

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.inside_table() and data.strip():
            self.table[-1][-1].append(data.strip().replace("\xa0", " "))

    def inside_table(self):
        return any(attributes.get("id") == self.wanted for _, attributes in self.open)


@pytest.fixture
def comparison():
    """Results and details of two boosters, one of them with a loss of its own, calibrated; three seeds."""
    return made(dataset="simulated <1>", extra=("test_isotonic",))  # a name is text, not markup


@pytest.fixture(scope="module")
def shared_text(tmp_path_factory):
    """The page of that comparison, written once for all tests that only read it."""
    folder = tmp_path_factory.mktemp("page")
    text = write(folder / "report.html", *made(dataset="simulated <1>", extra=("test_isotonic",)))
    assert [path.name for path in folder.iterdir()] == ["report.html"]
    return text


def write(path, results, details=None):
    write_report(path, results, details)
    return path.read_text(encoding="utf-8")


def drawings(page):
    return [attributes for tag, attributes in page.elements if tag == "svg"]


def flat(text):
    return re.sub(r"\s+", " ", text)


def test_the_page_asks_nothing_of_the_network_and_is_small(shared_text):
    for tag, attributes in Page(shared_text).elements:
        for name in ("src", "href", "xlink:href", "srcset", "data", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
    assert "//" not in re.sub(r"  // .*", "", shared_text), "an address, or the start of one"
    assert "@import" not in shared_text
    assert not re.search(r"url\((?!#)", shared_text)
    assert len(shared_text.encode()) < 6 * 2**20


PLOTS = [
    "Gain over",
    "CTR AUC and conversion AUC on",
    "Conversions per click",
    "Click rate",
    "Distribution of",
    "CTR AUC on validation by round",
    "Share of pairs that violate their margin by round",
]


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


@pytest.mark.parametrize(
    "keep",
    [
        lambda p: replace(p, conversion_auc=math.nan, ctcvr_auc=math.nan),  # neither is known
        lambda p: p if p.loss == "bce" else None,  # one weight
        lambda p: None,
    ],
)
def test_what_is_no_path_is_not_drawn(comparison, keep):
    points = [kept for p in comparison[1].sweep if (kept := keep(p)) is not None]
    assert plot_weights(sweep_means(points), loss_styles(["bce", "pwiser", "lambdarank"])) is None


def test_below_the_path_stands_what_ctr_auc_buys(tmp_path):
    results, details = made(seeds=(3,))
    results = [replace(r, value=0.7) if (r.split, r.metric) == ("valid", "ctr_auc") else r for r in results]
    gains = {"bce": 0.0, "pwiser": 0.03, "lambdarank": -0.02}
    details.sweep = [
        replace(p, ctr_auc=0.7 - 0.009 * p.weight, conversion_auc=0.8 + gains[p.loss] + p.weight / 10)
        for p in details.sweep
    ]
    details.sweep = [replace(p, chosen=p.weight == 0) for p in details.sweep]
    results = [replace(r, weight=0.0) for r in results]
    text = write(tmp_path / "report.html", results, details)
    Page(text)
    (table,) = re.findall(
        r"<h3>Largest gain in conversion AUC over bce on validation.*?</table>", text, re.DOTALL
    )
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)", row) for row in table.split("<tr>")[1:]]
    best = [
        ("lightgbm", "pwiser", "+.0310 (0.01)", "+.0400 (0.1)", "+.0400 (0.1)"),
        ("lightgbm", "lambdarank", "-.0190 (0.01)", "-.0100 (0.1)", "-.0100 (0.1)"),
        ("xgboost", "pwiser", "+.0310 (0.01)", "+.0400 (0.1)", "+.0400 (0.1)"),
    ]
    assert rows[0] == ["model", "loss", "at most .0005", "at most .0010", "at most .0020"]
    assert [tuple(row) for row in rows[1:]] == best
    assert "looks a little too good" in text
    assert "of the difference to bce of the same seed" not in text  # of one seed there is none


def test_details_of_an_older_version_draw_ctcvr_auc(comparison, tmp_path):
    results, details = comparison
    details.sweep = [replace(p, conversion_auc=math.nan) for p in details.sweep]
    text = write(tmp_path / "report.html", results, details)
    assert drawings(Page(text))[1]["aria-label"].startswith("CTR AUC and CTCVR AUC on validation by weight.")
    assert "CTCVR AUC is the chance that a converted exposure has a higher pCTCVR" in flat(text)
    assert "Largest gain" not in text


def test_odd_curves_are_drawn(comparison, tmp_path):
    """A grade that does not occur, a constant score, bins without a click throughout, one round, none."""
    results, details = comparison
    constant = ScoreDistribution.from_scores("lightgbm", "bce", np.full(9, 0.02), np.zeros(9, np.int8))
    nothing = ScoreDistribution.from_scores("xgboost", "pwiser", np.zeros(0), np.zeros(0, np.int8))
    with drawing_style():
        assert plot_distributions([nothing]) is not None
    details.distributions = [constant, nothing]
    details.reliability = [replace(c, observed=(0.0,) * 10) for c in details.reliability]
    details.curves = [
        replace(c, best=1, ctr_auc=(0.5,)) if c.loss == "bce" else replace(c, best=0, ctr_auc=())
        for c in details.curves
    ]
    nan = (math.nan,)
    details.activity = [replace(c, rounds=(0,), click=nan, impression=nan) for c in details.activity]
    shown = drawings(Page(write(tmp_path / "report.html", results, details)))
    assert [d["aria-label"].split()[0] for d in shown] == [
        "Gain",
        "CTR",
        "Conversions",
        "Distribution",
        "CTR",
    ]


def test_one_kind_of_pairs_is_drawn_without_the_other(comparison, tmp_path):
    """No click without a conversion, a model of one round, and no model with pairs of its own."""
    results, details = comparison
    nan = (math.nan, math.nan)
    details.activity = [
        replace(c, rounds=(0, 1), click=nan, impression=(1.0, 0.5))
        for c in details.activity
        if c.loss == "bce"
    ]
    text = write(tmp_path / "report.html", results, details)
    assert "xgboost bce 50 %, none" in drawings(Page(text))[-1]["aria-label"]
    assert "<li>xgboost, pwiser" not in text


def test_many_losses_have_room(tmp_path):
    """More losses than columns and colours, of models in any order."""
    losses = ("bce", "pwiser", "weighted_bce", "combined_pair", "a", "b", "c", "d")
    results, details = made(("dnn", "mmoe"), losses=lambda model: losses, seeds=(0,))
    details.distributions.reverse()
    page = Page(write(tmp_path / "report.html", results, details))
    assert len(drawings(page)) == len(PLOTS) - 1  # networks have no activity
    assert "trained with bce, pwiser, weighted_bce, combined_pair, a, b, c and d each" in flat(
        (tmp_path / "report.html").read_text()
    )


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
