"""Numbers on the command line that are out of range, or no numbers.

Refused before any data is read, so `simulated` stands for data of any size.
"""

import pytest

from tests.bad_inputs.harness import COMPARE, PREDICT, TRAIN, TUNE, ends, refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        # Numbers out of range.
        ([*TRAIN, "--seed", "-1"], "seed is -1; give a whole number from 0 to 2147483647"),
        ([*TRAIN, "--seed", "2147483648"], "seed is 2147483648; give a whole number from 0 to 2147483647"),
        ([*TRAIN, "--seed", "99999999999999999999"], "seed is 99999999999999999999; give a whole number"),
        ([*TRAIN, "--seed", "1e3"], "'1e3' is not a valid integer"),
        ([*TUNE, "--seed", "-1"], "seed is -1; give a whole number"),
        ([*TUNE, "--seed", "2147483645"], "seed is 2147483645; give a whole number from 0 to 2147483642"),
        ([*COMPARE, "--seeds", "-1"], "seeds is -1; give a whole number from 1 to 10000"),
        ([*COMPARE, "--seeds", "1000000000"], "seeds is 1000000000; give a whole number from 1 to 10000"),
        (
            [*COMPARE, "--rounds", "99999999999999999999"],
            "rounds is 99999999999999999999; give a whole number",
        ),
        ([*TRAIN, "--early-stopping", "0"], "early_stopping is 0; give a whole number from 1"),
        ([*COMPARE, "--threads", "-5"], "threads is -5; give a whole number from 0 to 1024"),
        ([*TUNE, "--threads", "100000"], "threads is 100000; give a whole number from 0 to 1024"),
        ([*PREDICT, "--threads", "-1"], "threads is -1; give a whole number from 0 to 1024"),
        ([*PREDICT, "--batch-size", "0"], "batch_size is 0; give a whole number from 1 to 2147483647"),
        ([*PREDICT, "--batch-size", "1e11"], "'1e11' is not a valid integer"),
        (
            [*PREDICT, "--batch-size", "100000000000"],
            "batch_size is 100000000000; give a whole number from 1",
        ),
        ([*COMPARE, "--bootstrap", "-1"], "replicates is -1; give a whole number from 0 to 100000"),
        ([*COMPARE, "--bootstrap", "1"], "replicates is 1; give at least 2, or 0 for no bootstrap"),
        ([*COMPARE, "--bootstrap", "1000000000"], "replicates is 1000000000; give a whole number from 0"),
        ([*COMPARE, "--exposures", "-1"], "n_exposures is -1"),
        ([*COMPARE, "--exposures", "1000000000000"], "n_exposures is 1000000000000"),
        ([*TUNE, "--n-trials", "-1"], "n_trials is -1; give a whole number from 1"),
        ([*TUNE, "--n-trials", "99999999999999999999"], "n_trials is 99999999999999999999; give a whole"),
        ([*TUNE, "--max-total-trials", "0"], "max_total_trials is 0; give a whole number from 1"),
        ([*TUNE, "--timeout", "nan"], "timeout is nan; give a positive number of seconds, or leave it out"),
        ([*TUNE, "--timeout", "inf"], "timeout is inf; give a positive number of seconds, or leave it out"),
        ([*TUNE, "--timeout", "-1"], "timeout is -1.0; give a positive number of seconds"),
        ([*COMPARE, "--learning-rate", "inf"], "learning_rate is inf; give a number above 0 and at most 1"),
        ([*COMPARE, "--learning-rate", "nan"], "learning_rate is nan; give a number above 0 and at most 1"),
        ([*TRAIN, "--learning-rate", "0"], "learning_rate is 0.0; give a number above 0 and at most 1"),
        ([*COMPARE, "--ctr", "nan"], "ctr is nan; give a rate in (0, 1)"),
        ([*COMPARE, "--cvr", "inf"], "cvr is inf; give a rate in (0, 0.7)"),
        ([*COMPARE, "--accidental-clicks", "nan"], "accidental_clicks is nan; give a share of the clicks"),
        (
            [*COMPARE, "--fractions", "nan,0.2,0.2"],
            "fractions are (nan, 0.2, 0.2); give three positive numbers",
        ),
        (
            [*COMPARE, "--fractions", "inf,0.2,0.2"],
            "fractions are (inf, 0.2, 0.2); give three positive numbers",
        ),
        ([*COMPARE, "--fractions", ""], "--fractions is ''; give numbers such as"),
        # Weights and margins.
        ([*TRAIN, "--weight", "1e30"], "weight is 1e+30; give a finite number of at least 0, at most 1e+06"),
        ([*COMPARE, "--weight", "nan"], "weight is nan; give a finite number of at least 0, at most 1e+06"),
        ([*TUNE, "--weight", "-0.1"], "weight is -0.1; give a finite number of at least 0, at most 1e+06"),
        ([*TRAIN, "--weight", ""], "--weight is ''; give numbers such as 0.01,0.03"),
        ([*TRAIN, "--weight", "0.1,,0.2"], "--weight is '0.1,,0.2'; give numbers such as 0.01,0.03"),
        ([*TRAIN, "--weight", "0.1,0.10"], "a weight of pwiser is named twice in 0.1, 0.1; name each once"),
        ([*COMPARE, "--click-margin", "1e30"], "click_margin is 1e+30; give a finite number of at least 0"),
        (
            [*COMPARE, "--impression-margin", "inf"],
            "impression_margin is inf; give a finite number",
        ),
        (
            [*TRAIN, "--loss", "weighted_bce", "--weight", "1e30"],
            "weighted_bce is 1e+30; give a number from 0",
        ),
        ([*COMPARE, "--rival-weight", ""], "--rival-weight is ''; give LOSS=NUMBERS"),
        ([*COMPARE, "--rival-weight", "weighted_bce"], "--rival-weight is 'weighted_bce'; give LOSS=NUMBERS"),
        ([*COMPARE, "--rival-weight", "weighted_bce=,"], "'weighted_bce=,'; give LOSS=NUMBERS such as"),
        ([*COMPARE, "--rival-weight", "=1"], "unknown loss ''; choose one of bce"),
        (
            [*COMPARE, "--rival-weight", "wieghted_bce=1"],
            "unknown loss 'wieghted_bce' (did you mean weighted_bce?)",
        ),
        ([*COMPARE, "--rival-weight", "pwiser=1"], "pwiser is no rival loss"),
        (
            [*COMPARE, "--loss", "bce", "--loss", "weighted_bce", "--rival-weight", "weighted_bce=nan"],
            "the weight of weighted_bce is nan; give a number from 0 to 1e+06",
        ),
        (
            [*COMPARE, "--loss", "bce", "--loss", "weighted_bce", "--rival-weight", "weighted_bce=1,1"],
            "a weight of weighted_bce is named twice in 1, 1",
        ),
    ],
    ids=ends,
)
def test_a_command_that_cannot_be(run, here, arguments, message):
    assert message in refused(run, here, *arguments)
