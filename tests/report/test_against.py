"""Table and page of gains over one model and loss for all; the smallest gain that could be told."""

import math
import re
from dataclasses import replace

import pytest

from gbdt_pwiser.evaluation import summarize
from gbdt_pwiser.evaluation.summary import smallest_gains
from gbdt_pwiser.report import write_report
from gbdt_pwiser.report.advice import calibration_notes
from gbdt_pwiser.report.table import format_estimate, format_smallest, format_table
from tests.report.made import made

LOSSES = ("bce", "pwiser", "weighted_bce", "combined_pair")
MODELS = ("dnn", "mmoe", "esmm", "ple", "aitm", "shared_bottom", "x", "y")


def against(results, baseline, *, error=0.002):
    """The results as of a comparison against that, every gain with an error of the test sample."""
    return [
        replace(
            r,
            baseline=baseline,
            gain_error=error if r.split == "test" and f"{r.model}:{r.loss}" != baseline else math.nan,
        )
        for r in results
    ]


@pytest.fixture
def two(results):
    """CTR AUC of two models with bce and pwiser, one seed, on test; b is .02 above a."""
    rows = [r for r in results if (r.seed, r.split, r.metric) == (0, "test", "ctr_auc")]
    return [replace(r, model=m, value=r.value + 0.02 * (m == "b")) for m in ("a", "b") for r in rows]


def test_the_table_names_the_baseline_by_hand(two):
    table = format_table(against(two, "b:bce", error=0.001234))
    assert table.splitlines()[2:11] == [
        "ranking (higher is better)",
        "model        loss    weight         CTR AUC",
        "a            bce          0           .7000",
        "  gain over  b:bce           -.0200 ± .0012*",
        "a            pwiser    0.01           .7000",
        "  gain over  b:bce           -.0200 ± .0012*",
        "b            bce          0           .7200",
        "b            pwiser    0.01           .7200",
        "  gain over  b:bce           +.0000 ± .0012",
    ]
    assert "gain: mean difference to b:bce, seed by seed" in table


def test_the_smallest_gain_is_told_where_gains_were_tested(two):
    own = format_table(against(two, "bce", error=0.001))
    told = (
        "Smallest gain that this test split could have shown: CTR AUC .0020.\n"
        "It is half the width of a typical gain's 95 % interval; Holm's correction asks for more.\n"
        "A smaller gain without a star means too little data to tell, not that there is no gain."
    )
    assert told in own
    assert "to the same model's bce" in own
    assert "Smallest" not in format_table(two)
    tiny = summarize(against(two, "bce", error=0.00000123))
    assert format_smallest(tiny) == "CTR AUC .0000024"  # two digits, though the table has four decimals


def test_the_smallest_gains_of_the_first_places_stand_beside_those_of_ranking(two):
    named = {"ctr_auc": 0.001, "ndcg@5": 0.002, "map@5": 0.003, "mrr": 0.004, "conversions@5": 0.005}
    rows = [replace(r, metric=m) for m in named for r in two]
    told = against(rows, "bce")
    told = [replace(r, gain_error=r.gain_error / 0.002 * named[r.metric]) for r in told]
    smallest = format_smallest(summarize(told))
    assert smallest == "CTR AUC .0020, NDCG@5 .0039, MAP@5 .0059, MRR .0078, conversions top 5 .0098"
    table = format_table(told)
    assert f"could have shown: {smallest}. It is half the width" in flat(table)
    assert max(map(len, table.splitlines())) <= 110
    nothing = format_table([replace(r, value=math.nan) if r.metric != "ctr_auc" else r for r in told])
    assert "could have shown: CTR AUC .0020. It is" in flat(nothing)
    assert "first places" not in nothing  # what the data cannot give, as without groups, has no table


def flat(text):
    return re.sub(r"\s+", " ", text)


@pytest.fixture
def page(tmp_path):
    """Results of eight models with four losses each, against one of them, and their page."""

    def page(baseline):
        results, _ = made(MODELS, losses=lambda model: LOSSES)
        results = against(results, baseline)
        write_report(tmp_path / "report.html", results)
        return results, flat((tmp_path / "report.html").read_text(encoding="utf-8"))

    return page


def test_the_page_draws_every_cell_below_the_name_of_its_model(page):
    results, text = page("mmoe:bce")
    assert "<h2>Gain over mmoe:bce</h2>" in text
    assert "over mmoe:bce, paired on the same test rows, bars their" in text
    assert "Below it the gain over mmoe:bce: the mean difference within each seed" in text
    assert "of the same model:" not in text
    (label,) = re.findall(r'aria-label="(Gain over [^"]*)"', text)
    assert label.startswith(
        "Gain over mmoe:bce of every other model and loss, by metric, with 95 % intervals."
    )
    drawn = re.search(r"<svg[^>]*Gain over.*?</svg>", text)[0]
    for s in summarize(results):
        named = f"{s.model} {s.loss}"
        if s.metric == "ctr_auc" and named != "mmoe bce":
            assert f"{named} {format_estimate(s.gain, s.gain_standard_error, 4, signed=True)}" in label
    written = re.findall(r">([^<>]+)</text>", drawn)
    start = written.index("dnn")
    of_mmoe = ["mmoe", *LOSSES[1:]]  # it is the baseline itself that has no gain
    expected = [of_mmoe if model == "mmoe" else [model, *LOSSES] for model in MODELS]
    assert written[start : start + 39] == [line for lines in expected for line in lines]
    for metric in ("CTR AUC", "GAUC", "CTCVR AUC", "gain over mmoe:bce"):
        assert f">{metric}</text>" in drawn
    assert "#000000" not in drawn  # black is the colour of the page's text, light or dark


def test_the_page_says_what_was_found_in_one_sentence(page):
    results, text = page("x:pwiser")
    gains = [s for s in summarize(results) if s.metric == "ctr_auc" and not math.isnan(s.gain)]
    low, high = min(gains, key=lambda s: s.gain), max(gains, key=lambda s: s.gain)
    better = sum(s.verdict == "better" for s in gains)
    worse = sum(s.verdict == "worse" for s in gains)
    assert (
        "Gain in CTR AUC of every other model and loss over x:pwiser: "
        f"from {low.gain:+.4f} ({low.model} {low.loss}) to {high.gain:+.4f} ({high.model} {high.loss}). "
        f"Corrected for all gains of the table, {better} of 31 gains are above zero by more than chance and "
        f"{worse} below." in text
    )
    assert text.count("Gain in CTR AUC of") == 1
    smallest = smallest_gains(summarize(results))
    assert list(smallest) == ["ctr_auc", "gauc", "ctcvr_auc"]
    assert f"could have shown: {format_smallest(summarize(results))}. It is half the width" in text


def test_without_a_baseline_the_page_is_of_each_models_own_bce(page):
    _, text = page("bce")
    assert "<h2>Gain over bce</h2>" in text
    assert "Below it the gain over bce of the same model: the mean" in text
    assert "over the same model's bce</text>" in text.replace("&#x27;", "'")
    assert text.count("Gain in CTR AUC of") == 3


def test_a_name_is_text_and_not_markup(tmp_path):
    results, details = made(("<b>", "dnn"), losses=lambda model: ("bce", "pwiser"))
    write_report(tmp_path / "report.html", against(results, "<b>:bce"), details)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<b>" not in text
    assert "over &lt;b&gt;:bce, paired" in text


def test_advice_on_calibration_is_about_the_loss_whatever_the_baseline():
    results, _ = made(("lightgbm", "xgboost"), extra=("test_isotonic",))
    results = [replace(r, value=r.value * 1.1 if r.model == "xgboost" else r.value) for r in results]
    own = calibration_notes(results)
    assert calibration_notes(against(results, "lightgbm:bce")) == own
    alone = [r for r in results if r.split != "test_isotonic"]
    assert calibration_notes(against(alone, "lightgbm:bce")) == calibration_notes(alone)
