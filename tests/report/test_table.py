"""The table of a comparison, as text."""

import math
from dataclasses import replace

from gbdt_pwiser.evaluation import check_complete, summarize
from gbdt_pwiser.evaluation.summary import costs
from gbdt_pwiser.report.table import format_table


def test_one_seed_has_a_gain_but_no_error(results):
    one = [r for r in results if r.seed == 0]
    pwiser = next(s for s in summarize(one) if s.loss == "pwiser" and s.metric == "ctr_auc")
    assert (pwiser.gain, pwiser.verdict) == (0.0, "unclear")
    assert math.isnan(pwiser.standard_error)
    assert math.isnan(pwiser.gain_standard_error)
    assert "One seed: means have no error." in format_table(one)


def test_without_a_baseline_there_is_no_gain(results):
    alone = [r for r in results if r.loss == "pwiser"]
    assert all(math.isnan(s.gain) for s in summarize(alone))
    assert "gain" not in format_table(alone)


def test_the_table_by_hand(results):
    assert format_table(results) == (
        "hand, test split, 3 seeds\n"
        "\n"
        "ranking (higher is better)\n"
        "model     loss       weight         CTR AUC\n"
        "lightgbm  bce             0   .7200 ± .0115\n"
        "lightgbm  pwiser  0.01–0.03   .7400 ± .0231\n"
        "            gain             +.0200 ± .0115\n"
        "\n"
        "calibration (lower loss, entropy and ECE are better; PCOC is best at 1)\n"
        "model     loss       weight          PCOC\n"
        "lightgbm  bce             0  1.000 ± .000\n"
        "lightgbm  pwiser  0.01–0.03  1.100 ± .000\n"
        "            gain                    +.100\n"
        "\n"
        "cost (means over the seeds)\n"
        "model     loss    rounds  trees or parameters  fit s  predict s\n"
        "lightgbm  bce        101                  131    2.0       0.50\n"
        "lightgbm  pwiser     101                  131    2.0       0.50\n"
        "\n"
        "± is the standard error over the seeds.\n"
        "gain: mean difference to the same model's bce, seed by seed; ± is of test sample and seeds.\n"
        "* survives Holm's correction for all gains above: the chance of any false mark is 5 %.\n"
        "GAUC leaves out 30.0% of the groups: without a click, or with clicks only."
    )


def test_calibrated_results_have_a_block_of_their_own(results):
    better = [replace(r, split="test_isotonic", value=1.0) for r in results if r.split == "test"]
    lines = format_table(results + better).splitlines()
    start = lines.index("after isotonic calibration on validation")
    assert lines[start + 1].split() == ["model", "loss", "weight", "CTR", "AUC", "PCOC"]
    assert lines[start + 2].split() == [
        "lightgbm",
        "bce",
        "0",
        *("1.0000", "±", ".0000"),
        *("1.000", "±", ".000"),
    ]
    assert "--calibrate" not in lines[-1]
    assert [s.mean for s in summarize(results + better)] == [s.mean for s in summarize(results)]


def test_a_metric_that_is_always_nan_has_no_column(results):
    unknown = [replace(r, metric="gauc", value=math.nan) for r in results if r.metric == "ctr_auc"]
    assert format_table(results + unknown) == format_table(results)


def test_what_conversion_gauc_leaves_out_is_said_beside_it(results):
    rare = [
        replace(r, metric="conversion_gauc_left_out", value=r.value + 0.5)
        for r in results
        if r.metric == "gauc_left_out"
    ]
    assert format_table(results + rare) == (
        f"{format_table(results)}\n"
        "Conversion GAUC leaves out 80.0% of the groups: without a conversion, or with conversions only."
    )


def test_the_first_places_have_a_block_of_their_own(results):
    more = [
        replace(r, metric=m) for r in results if r.metric == "ctr_auc" for m in ("map@5", "conversions@5")
    ]
    blocks = format_table(results + more).split("\n\n")
    assert blocks[2].splitlines() == [
        "first places of each group (higher is better)",
        "                                                 conversions",
        "model     loss       weight           MAP@5            top 5",
        "lightgbm  bce             0   .7200 ± .0115    .7200 ± .0115",
        "lightgbm  pwiser  0.01–0.03   .7400 ± .0231    .7400 ± .0231",
        "            gain             +.0200 ± .0115   +.0200 ± .0115",
    ]
    assert [b for i, b in enumerate(blocks) if i != 2] == format_table(results).split("\n\n")


def test_nothing_is_complete_and_prints_as_nothing():
    check_complete([])
    assert (summarize([]), costs([]), format_table([])) == ([], [], "")
