"""The sentence that a page of a comparison opens with: what it claims is what the marks of the table say."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdt_pwiser.evaluation.summary import Summary
from gbdt_pwiser.report import write_report
from gbdt_pwiser.report.answer import answer
from tests.report.wide import wide


def gain(value, *, p=0.001, error=0.0005, model="lightgbm", loss="pwiser", baseline="bce", metric="ctr_auc"):
    low, high = (value - 2 * error, value + 2 * error) if not math.isnan(p) else (math.nan, math.nan)
    cell = ("us", model, loss, metric, 5, 0.7, 0.001)
    return Summary(*cell, value, error, low, high, p, "test sample", baseline)


NAN = math.nan
CASES = {
    "one, better": (
        [gain(0.0031)],
        "BCE+PWiseR ranks clicks better than BCE here: the gain in CTR AUC is +.0031 (95 % interval "
        "+.0021 to +.0041), more than chance.",
    ),
    "one, too small to tell": (
        [gain(0.0003, p=0.6)],
        "BCE+PWiseR does not rank clicks better than BCE here: the gain in CTR AUC is +.0003 (95 % interval "
        "-.0007 to +.0013), which may be chance.",
    ),
    "one, marked by itself and not among all": (
        [gain(0.0012, p=0.08)],
        "BCE+PWiseR does not rank clicks better than BCE here: the gain in CTR AUC is +.0012 (95 % interval "
        "+.0002 to +.0022), which may be chance among all gains of the table.",
    ),
    "one, worse": (
        [gain(-0.0031, loss="weighted_bce")],
        "weighted_bce does not rank clicks better than BCE here: the gain in CTR AUC is -.0031 (95 % "
        "interval -.0041 to -.0021), lower by more than chance.",
    ),
    "some models": (
        [gain(0.0031), gain(0.0001, p=0.9, model="dnn"), gain(-0.004, loss="weighted_bce")],
        "BCE+PWiseR ranks clicks better than BCE for 1 of 2 models here: the largest such gain in CTR AUC is "
        "+.0031 (lightgbm pwiser, 95 % interval +.0021 to +.0041), more than chance, and 1 of 3 gains is "
        "below zero by more than chance.",
    ),
    "the largest gain is not the one that counts": (
        [gain(0.0031), gain(0.009, p=0.9, error=0.01, model="dnn")],
        "BCE+PWiseR ranks clicks better than BCE for 1 of 2 models here: the largest such gain in CTR AUC is "
        "+.0031 (lightgbm pwiser, 95 % interval +.0021 to +.0041), more than chance.",
    ),
    "several losses": (
        [gain(0.0031), gain(0.002, loss="weighted_bce"), gain(0.0001, p=0.9, loss="lambdarank")],
        "2 of 3 models and losses rank clicks better than BCE here: the largest such gain in CTR AUC is "
        "+.0031 (lightgbm pwiser, 95 % interval +.0021 to +.0041), more than chance.",
    ),
    "no loss": (
        [gain(-0.0001, p=0.9), gain(-0.004, loss="weighted_bce"), gain(-0.003, loss="weighted_bce")],
        "No loss ranks clicks better than BCE here: the largest gain in CTR AUC is -.0001 (lightgbm pwiser, "
        "95 % interval -.0011 to +.0009), which may be chance, and 2 of 3 gains are below zero by more than "
        "chance.",
    ),
    "against one model and loss": (
        [gain(-0.0001, p=0.9, baseline="dnn:bce"), gain(-0.004, baseline="dnn:bce")],
        "No other model and loss ranks clicks better than dnn:bce here: the largest gain in CTR AUC is "
        "-.0001 (lightgbm pwiser, 95 % interval -.0011 to +.0009), which may be chance, and 1 of 2 gains is "
        "below zero by more than chance.",
    ),
    "one other, better": (
        [gain(0.0031, baseline="dnn:bce")],
        "lightgbm pwiser ranks clicks better than dnn:bce here: the gain in CTR AUC is +.0031 (95 % interval "
        "+.0021 to +.0041), more than chance.",
    ),
    "without an error": (
        [gain(0.0031, p=NAN)],
        "Nothing here tells whether a loss ranks clicks better than BCE: the gain in CTR AUC is +.0031, "
        "without an error.",
    ),
    "nothing compared": (
        [gain(NAN, p=NAN), gain(0.3, metric="gauc")],
        "Nothing is compared here: no gain in CTR AUC was measured.",
    ),
    "small gains keep two digits of their interval": (
        [gain(0.0000123, error=0.0000021)],
        "BCE+PWiseR ranks clicks better than BCE here: the gain in CTR AUC is +.0000123 (95 % interval "
        "+.0000081 to +.0000165), more than chance.",
    ),
}


@pytest.mark.parametrize(("summaries", "says"), CASES.values(), ids=CASES)
def test_the_sentence(summaries, says):
    assert answer(summaries) == says


gains = st.builds(
    gain,
    st.floats(-0.01, 0.01),
    p=st.sampled_from([0.0001, 0.04, 0.06, 0.9, 1.0]),
    model=st.sampled_from(["lightgbm", "dnn", "mmoe"]),
    loss=st.sampled_from(["pwiser", "weighted_bce"]),
)


@given(st.lists(gains, min_size=1, max_size=8))
def test_it_claims_a_gain_where_one_is_marked_and_counts_those_below(summaries):
    told = answer(summaries)
    better = sum(s.p_value < 0.05 and s.gain > 0 for s in summaries)
    worse = sum(s.p_value < 0.05 and s.gain <= 0 for s in summaries)
    denied = told.startswith("No loss ranks") or " does not rank " in told
    assert denied == (better == 0)
    assert told.count(".") - len(re.findall(r"[+-]\.\d", told)) <= 2  # one sentence; a zero may be ".0000"
    if better and len({s.loss for s in summaries if s.verdict == "better"}) > 1:
        assert told.startswith(f"{better} of {len(summaries)} ")
    if better and worse:
        assert f"{worse} of {len(summaries)} gains {'is' if worse == 1 else 'are'} below zero" in told


def test_the_page_opens_with_it_and_the_gain_plot(tmp_path):
    results, details = wide(("lightgbm",), ("bce", "pwiser"), seeds=(0, 1), extra=())
    write_report(tmp_path / "report.html", results, details)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    main = text[text.index("<main>") :]
    opening = re.sub(r"\s+", " ", main[: main.index("<svg")])
    assert re.search(r'<p class="answer">BCE\+PWiseR [^<]*better than BCE here: the gain in CTR AUC', opening)
    assert "<p>" not in opening
    assert main[main.index("<svg") :].startswith('<svg role="img" aria-label="Gain over bce')
