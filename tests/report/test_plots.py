"""What the plots of a page show of data that are odd, few or many."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from gbdt_pwiser.evaluation import sweep_means
from gbdt_pwiser.metrics import ScoreDistribution
from gbdt_pwiser.report._plot_distributions import plot_distributions
from gbdt_pwiser.report._plot_weights import plot_weights
from gbdt_pwiser.report._plots import drawing_style, loss_styles
from tests.report.made import made
from tests.report.page import PLOTS, Page, drawings, flat, write


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
