"""DeLong's test, the bootstrap by group, several seeds, Holm: against references and by simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from gbdt_pwiser.metrics import auc
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.significance.intervals import (
    PairedTest,
    across_seeds,
    combine_seeds,
    delong,
    group_bootstrap,
    holm,
)

F, T = False, True


def beats(a, b):
    return 1.0 if a > b else 0.5 if a == b else 0.0


def textbook_delong(positive, score, baseline):
    """The covariance matrices of DeLong et al. over explicit pairs."""
    parts = {T: [], F: []}
    for s in (score, baseline):
        pairs = np.array([[beats(a, b) for b in s[~positive]] for a in s[positive]])
        parts[T].append(pairs.mean(axis=1))
        parts[F].append(pairs.mean(axis=0))
    covariance = np.cov(parts[T]) / positive.sum() + np.cov(parts[F]) / (~positive).sum()
    gain = np.mean(parts[T][0]) - np.mean(parts[T][1])
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    return gain, error


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("values", [4, 10**6])
def test_delong_is_the_textbook_over_explicit_pairs(seed, values):
    rng = np.random.default_rng(seed)
    positive = rng.permutation(np.arange(40) < rng.integers(2, 38))
    score, baseline = rng.integers(0, values, (2, 40)) + positive
    gain, error = textbook_delong(positive, score, baseline)
    test = delong(positive, score, baseline)
    assert (test.gain, test.standard_error) == (
        pytest.approx(gain, abs=1e-14),
        pytest.approx(error, rel=1e-12),
    )
    assert test.gain == pytest.approx(auc(score, positive) - auc(baseline, positive), abs=1e-14)
    z = gain / error
    assert test.p_value == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-10)
    assert (test.low, test.high) == pytest.approx(stats.norm.interval(0.95, gain, error), rel=1e-10)
    assert (test.p_value < 0.05) == (not test.low <= 0 <= test.high)
    swapped = delong(positive, baseline, score)
    assert (swapped.gain, swapped.standard_error) == (-test.gain, pytest.approx(test.standard_error))


def test_delong_by_hand():
    positive = np.array([T, T, T, F, F, F])
    test = delong(positive, np.array([5, 4, 2, 3, 1, 0]), np.array([5, 1, 2, 3, 4, 0]))
    # Placements differ by 0, 2/3, 1/3 for the positives, 1/3, 2/3, 0 for the negatives: variance 1/9 each.
    assert test.gain == pytest.approx(1 / 3)
    assert test.standard_error == pytest.approx(math.sqrt((1 / 9) / 3 + (1 / 9) / 3))


def test_delong_with_weights_is_the_sum_over_pairs():
    rng = np.random.default_rng(1)
    positive, weight = rng.random(30) < 0.5, rng.uniform(0.1, 3, 30)
    score, baseline = rng.integers(0, 6, (2, 30))
    up, down = np.flatnonzero(positive), np.flatnonzero(~positive)
    pairs = np.array(
        [[beats(score[i], score[j]) - beats(baseline[i], baseline[j]) for j in down] for i in up]
    )
    gain = weight[up] @ pairs @ weight[down] / weight[up].sum() / weight[down].sum()
    of_up = weight[up] * (pairs @ weight[down] / weight[down].sum() - gain) / weight[up].sum()
    of_down = weight[down] * (weight[up] @ pairs / weight[up].sum() - gain) / weight[down].sum()
    variance = sum((s @ s) * len(s) / (len(s) - 1) for s in (of_up, of_down))
    test = delong(positive, score, baseline, sample_weight=weight)
    assert test.gain == pytest.approx(gain, rel=1e-12)
    assert test.standard_error == pytest.approx(math.sqrt(variance), rel=1e-12)
    ones = delong(positive, score, baseline, sample_weight=np.full(30, 7.0))
    plain = delong(positive, score, baseline)
    assert (ones.gain, ones.standard_error) == pytest.approx((plain.gain, plain.standard_error), rel=1e-12)
    absent = np.where(np.arange(30) < 5, 0.0, 1.0)
    assert delong(positive, score, baseline, sample_weight=absent) == delong(
        positive[5:], score[5:], baseline[5:]
    )


def test_delong_by_group_is_the_sum_over_pairs():
    rng = np.random.default_rng(4)
    positive, group = rng.random(30) < 0.5, rng.integers(-2, 3, 30)
    score, baseline = rng.integers(0, 6, (2, 30))
    wins = np.array(
        [
            [beats(a, b) - beats(c, d) for b, d in zip(score, baseline, strict=True)]
            for a, c in zip(score, baseline, strict=True)
        ]
    )
    wins = wins * positive[:, None] * ~positive[None, :]
    up, down = positive.sum(), (~positive).sum()
    gain = wins.sum() / up / down
    parts = [
        (wins[group == g].sum() / down - gain * positive[group == g].sum()) / up
        + (wins[:, group == g].sum() / up - gain * (~positive)[group == g].sum()) / down
        for g in set(group)
    ]
    test = delong(positive, score, baseline, group=group)
    assert len(parts) == 5
    assert test.gain == pytest.approx(gain, rel=1e-12)
    assert test.standard_error == pytest.approx(math.sqrt(np.square(parts).sum() * 5 / 4), rel=1e-12)


def test_in_groups_of_one_delong_is_itself_and_copies_of_rows_add_nothing():
    rng = np.random.default_rng(2)
    positive = rng.random(400) < 0.4
    score, baseline = rng.random((2, 400))
    alone = delong(positive, score, baseline)
    grouped = delong(positive, score, baseline, group=np.arange(400))
    assert grouped.standard_error == pytest.approx(alone.standard_error, rel=0.003)
    four = np.repeat(np.arange(400), 4)  # ties inside a class leave its placements alone
    copied = delong(positive[four], score[four], baseline[four], group=four)
    assert copied.standard_error == pytest.approx(grouped.standard_error, rel=1e-12)
    assert delong(positive[four], score[four], baseline[four]).standard_error < 0.51 * alone.standard_error


def test_the_same_ranking_is_no_difference_for_certain():
    rng = np.random.default_rng(3)
    positive, score = rng.random(50) < 0.3, rng.random(50)
    for group in (None, np.arange(50) // 5):
        test = delong(positive, score, np.exp(score), group=group)
        assert (test.gain, test.standard_error, test.low, test.high, test.p_value) == (0, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("positive", "score", "group", "gain"),
    [
        ([T, F, F, F], [2, 3, 1, 1], None, 2 / 3 - 1 / 2),  # one positive
        ([T, T, F, F], [4, 2, 3, 1], [0, 0, 0, 1], 3 / 4 - 1 / 2),  # both positives in one group
        ([T, T, F, F], [4, 2, 3, 1], [0, 1, 5, 5], 3 / 4 - 1 / 2),  # both negatives
        ([T, T, F, F], [4, 3, 2, 1], None, 1 - 1 / 2),  # nothing varies
        ([T, T, T, T], [4, 3, 2, 1], None, math.nan),
    ],
)
def test_what_cannot_vary_has_no_error(positive, score, group, gain):
    test = delong(
        np.array(positive), np.array(score), np.zeros(4), group=None if group is None else np.array(group)
    )
    assert test.gain == pytest.approx(gain, nan_ok=True)
    assert all(math.isnan(v) for v in (test.standard_error, test.low, test.high, test.p_value))


def test_two_classes_are_needed_but_no_rows_are_no_crash():
    nothing = np.zeros(0)
    assert math.isnan(delong(nothing.astype(bool), nothing, nothing).gain)
    assert math.isnan(group_bootstrap(lambda w: math.nan, nothing.astype(int)).gain)


# Coverage. Scores are binormal, so the AUC of either model is known: Phi(shift / sqrt 2).
SIMULATIONS = 1500


def shares(tests, truth):
    """How often the interval covers the truth, and how often 0 is refused."""
    return (
        np.mean([t.low <= truth <= t.high for t in tests]),
        np.mean([t.p_value < 0.05 for t in tests]),
    )


def two_models(rng, *, shifts, correlation, positives=60, negatives=240):
    positive = np.arange(positives + negatives) < positives
    common, own = rng.normal(size=len(positive)), rng.normal(size=(2, len(positive)))
    scores = math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own
    return positive, *(scores + np.array(shifts)[:, None] * positive)


@pytest.mark.parametrize(("shifts", "correlation"), [((1.0, 0.7), 0.5), ((1.6, 1.4), 0.9)])
def test_intervals_of_delong_cover_the_true_gain(shifts, correlation):
    rng = np.random.default_rng(10)
    truth = np.diff(stats.norm.cdf(np.array(shifts[::-1]) / math.sqrt(2)))[0]
    tests = [delong(*two_models(rng, shifts=shifts, correlation=correlation)) for _ in range(SIMULATIONS)]
    assert 0.93 <= shares(tests, truth)[0] <= 0.97


def test_delong_calls_equally_good_models_different_5_percent_of_the_time():
    rng = np.random.default_rng(11)
    tests = [delong(*two_models(rng, shifts=(1, 1), correlation=0.6)) for _ in range(SIMULATIONS)]
    assert 0.035 <= shares(tests, 0.0)[1] <= 0.065


def grouped_models(rng, groups=150, size=6):
    """Equally good, with errors that exposures of one group share: a model likes or dislikes whole groups."""
    group = np.repeat(np.arange(groups), size)
    positive = rng.random(len(group)) < np.repeat(rng.choice([0.05, 0.6], groups), size)
    scores = rng.normal(size=(2, groups))[:, group] + 0.5 * rng.normal(size=(2, len(group))) + positive
    return group, positive, *scores


def test_in_groups_the_grouped_tests_hold_their_level_and_the_plain_one_does_not():
    rng = np.random.default_rng(12)
    plain, grouped, drawn = [], [], []
    for i in range(600):
        group, positive, score, baseline = grouped_models(rng)
        plain.append(delong(positive, score, baseline))
        grouped.append(delong(positive, score, baseline, group=group))
        surplus = (score - baseline) * (2 * positive - 1)
        drawn.append(group_bootstrap(lambda w, s=surplus: w @ s / w.sum(), group, replicates=150, seed=i))
    assert shares(plain, 0.0)[1] > 0.15
    for tests in (grouped, drawn):
        covered, refused = shares(tests, 0.0)
        assert 0.93 <= covered <= 0.97
        assert 0.03 <= refused <= 0.07


def test_the_bootstrap_of_a_mean_is_its_standard_error():
    rng = np.random.default_rng(13)
    x = rng.exponential(size=300)
    test = group_bootstrap(lambda w: w @ x / w.sum(), rng.permutation(300), replicates=4000)
    assert test.gain == pytest.approx(x.mean(), rel=1e-12)
    assert test.standard_error == pytest.approx(stats.sem(x), rel=0.05)
    reach = stats.t.ppf(0.975, 299) * test.standard_error
    assert (test.low, test.high) == pytest.approx((test.gain - reach, test.gain + reach), rel=1e-10)


def test_the_bootstrap_of_few_groups_is_not_too_sure():
    x = np.array([1.0, 2.0, 4.0, 8.0, 16.0])  # draws of 5 deviate by sqrt(4 / 5) of the standard error
    test = group_bootstrap(lambda w: w @ x / w.sum(), np.arange(5), replicates=8000)
    assert test.standard_error == pytest.approx(stats.sem(x), rel=0.03)


def test_the_bootstrap_draws_whole_groups_and_repeats_itself():
    group = np.array([5, 5, -2, -2, 9])
    seen = []
    test = group_bootstrap(lambda w: seen.append(w) or w[0], group, replicates=50, seed=4)
    assert all(w[0] == w[1] and w[2] == w[3] and w[0] + w[2] + w[4] == 3 for w in seen)
    assert len({w[0] for w in seen}) > 2
    assert group_bootstrap(lambda w: w[0], group, replicates=50, seed=4) == test
    assert group_bootstrap(lambda w: w[0], group, replicates=50, seed=5) != test


def test_draws_without_a_value_are_left_out_while_they_are_few():
    x = np.arange(1.0, 31.0)

    def gain_unless(rare):  # the share of draws without the first `rare` rows is about exp(-rare)
        return lambda w: w @ x / w.sum() if w[:rare].any() else math.nan

    few, many = (group_bootstrap(gain_unless(k), np.arange(30), replicates=300) for k in (4, 1))
    assert few.standard_error == pytest.approx(stats.sem(x), rel=0.15)
    assert many.gain == x.mean()
    assert math.isnan(many.standard_error)


def test_one_group_has_no_error():
    test = group_bootstrap(lambda w: w.mean(), np.zeros(4, dtype=int))
    assert (test.gain, math.isnan(test.p_value)) == (1.0, T)


def test_across_seeds_is_students_test():
    gains = [0.004, -0.001, 0.003, 0.002]
    test, theirs = across_seeds(gains), stats.ttest_1samp(gains, 0.0)
    interval = theirs.confidence_interval(0.95)
    assert test.p_value == pytest.approx(theirs.pvalue, rel=1e-10)
    assert (test.low, test.high) == pytest.approx((interval.low, interval.high), rel=1e-10)
    assert test.method == "4 seeds"


def test_one_seed_tells_no_error_and_none_is_refused():
    test = across_seeds([0.01])
    assert test.gain == 0.01
    assert all(math.isnan(v) for v in (test.standard_error, test.low, test.high, test.p_value))
    assert math.isnan(across_seeds([0.01, math.nan]).gain)
    assert across_seeds([0.0, 0.0]).p_value == 1.0
    for gain in (0.1, 1.3, -0.7):  # deterministic models: no spread but rounding, which is no certainty
        assert math.isnan(across_seeds([gain] * 6).p_value)
        assert combine_seeds([of(gain, 0.5)] * 6).p_value == pytest.approx(of(gain, 0.5).p_value, rel=1e-9)
    for refuse in (across_seeds, combine_seeds):
        with pytest.raises(InputError, match="give one per seed"):
            refuse([])


def of(gain, error):
    return PairedTest.from_error(gain, error, "DeLong")


def test_combined_seeds_by_hand():
    test = combine_seeds([of(0.01, 0.003), of(0.02, 0.004), of(0.03, 0.005)])
    sample, seeds = (9 + 16 + 25) / 3 * 1e-6, 0.01**2 / 3
    assert test.gain == pytest.approx(0.02)
    assert test.standard_error == pytest.approx(math.sqrt(sample + seeds))
    degrees = 2 * ((sample + seeds) / seeds) ** 2
    assert test.p_value == pytest.approx(2 * stats.t.sf(0.02 / test.standard_error, degrees), rel=1e-10)
    assert test.method == "DeLong; 3 seeds"
    assert combine_seeds([of(0.01, 0.003)]) == of(0.01, 0.003)
    same = combine_seeds([of(0.01, 0.003)] * 4)  # deterministic models: more seeds tell nothing new
    assert same.standard_error == pytest.approx(0.003)
    assert same.p_value == pytest.approx(of(0.01, 0.003).p_value)
    assert math.isnan(combine_seeds([of(0.01, 0.003), of(0.02, math.nan)]).p_value)


@pytest.mark.parametrize("of_seeds", [0.0, 0.5, 1.0, 5.0])
def test_combined_intervals_cover_where_seeds_share_the_test_set(of_seeds):
    rng = np.random.default_rng(14)
    truth, tests, naive = 0.3, [], []
    for _ in range(2000):
        gains = truth + rng.normal() + of_seeds * rng.normal(size=5)
        tests.append(combine_seeds([of(g, 1.0) for g in gains]))
        naive.append(across_seeds(gains))
    assert 0.93 <= shares(tests, truth)[0] <= 0.97
    if of_seeds <= 1.0:
        assert shares(naive, truth)[0] < 0.9  # the shared test sample is unseen by the spread over seeds


def test_holm_by_hand():
    adjusted = holm([[0.01, 0.04], [math.nan, 0.03]])
    np.testing.assert_allclose(adjusted, [[3 * 0.01, 2 * 0.03], [math.nan, 2 * 0.03]], rtol=1e-15)
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert holm([]).shape == (0,)
    with pytest.raises(InputError, match=r"run from 0\.1 to 1\.5; a p-value lies in \[0, 1\]"):
        holm([0.1, 1.5])


def test_holm_marks_any_of_twenty_cells_by_chance_5_percent_of_the_time():
    p = np.random.default_rng(15).random((3000, 20))
    marked = np.mean([(holm(row) < 0.05).any() for row in p])
    assert 0.035 <= marked <= 0.06
    assert np.mean((p < 0.05).any(axis=1)) > 0.5


def test_bad_input_is_refused():
    positive, score = np.array([T, F, T]), np.array([0.1, 0.2, 0.3])
    with pytest.raises(InputError, match=r"baseline_score has shape \(2,\); give one per exposure"):
        delong(positive, score, score[:2])
    with pytest.raises(InputError, match="group has shape"):
        delong(positive, score, score, group=np.arange(2))
    with pytest.raises(InputError, match="sample_weight is negative"):
        delong(positive, score, score, sample_weight=-score)
    with pytest.raises(InputError, match="replicates is 1; give at least 2"):
        group_bootstrap(lambda w: 0.0, np.arange(3), replicates=1)
    with pytest.raises(InputError, match="group has type float64; give integer ids"):
        group_bootstrap(lambda w: 0.0, score)
