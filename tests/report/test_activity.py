"""What is said of the activity of pairs."""

import math
from dataclasses import replace

import pytest

from gbdt_pwiser.report.activity import activity_notes
from tests.report.made import active

START = "xgboost, pwiser: "
BOTH = "still violate their margins (0.3 and 0.1) in the round that counts"


def said(**shares):
    (note,) = activity_notes([active("xgboost", "pwiser", **shares)])
    return note


def test_a_term_whose_pairs_are_all_active_is_a_weight():
    share = "97 % of the pairs with unclicked exposures and 88 % of those with click-only ones "
    weight = (
        f"{START}{share}{BOTH}, so the term acts as a weight of about 0.8 on conversions; smaller margins"
    )
    assert said() == f"{weight} or the logit scale would make it rank."
    assert said(scale="logit") == f"{weight} would make it rank."
    assert "a weight of about 0.034 on conversions" in said(conversion_weight=0.03391)


@pytest.mark.parametrize("conversion_weight", [0.01, 0.0])
def test_a_term_whose_margins_are_met_ranks(conversion_weight):
    assert said(impression=0.2, click=0.499, conversion_weight=conversion_weight) == (
        f"{START}20 % of the pairs with unclicked exposures and 50 % of those with click-only ones {BOTH}: "
        "the margins are met by most pairs, and the term ranks the rest."
    )


@pytest.mark.parametrize(
    ("shares", "end"),
    [
        (
            {"impression": 0.5, "click": 0.3},
            "so the term ranks against click-only exposures and acts as a weight on conversions against "
            "unclicked ones (about 0.8 with both); a smaller impression_margin or the logit scale would make "
            "it rank there too.",
        ),
        (
            {"impression": 0.3, "click": 0.5, "scale": "logit"},
            "so the term ranks against unclicked exposures and acts as a weight on conversions against "
            "click-only ones (about 0.8 with both); a smaller click_margin would make it rank there too.",
        ),
    ],
)
def test_each_term_is_told_by_its_own_share(shares, end):
    assert said(**shares).endswith(f"{BOTH}, {end}")


def test_one_term_is_told_of_alone():
    alone = said(click=math.nan)
    assert alone.startswith(
        f"{START}97 % of the pairs with unclicked exposures still violate their margin (0.3) in the round"
    )
    assert alone.endswith(
        "so the term acts as a weight of about 0.8 on conversions; smaller margins or the "
        "logit scale would make it rank."
    )
    assert said(impression=math.nan, click=0.1).startswith(
        f"{START}10 % of the pairs with click-only exposures still violate their margin (0.1)"
    )


def test_a_term_without_weight_did_nothing():
    assert said(conversion_weight=0.0, weight=0.0).endswith(f"{BOTH}, but they had no weight in training.")


def test_nothing_is_said_of_other_losses_and_of_no_pairs():
    nothing = active("xgboost", "pwiser", impression=math.nan, click=math.nan)
    assert activity_notes([active("xgboost", "bce"), replace(nothing, conversion_weight=math.nan)]) == []
