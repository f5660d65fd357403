"""Margins as quantiles of the scores' differences, against those of the matrix of all pairs."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gbdt_pwiser.objectives import InputError, MultiTaskLoss, PWiseRLoss
from tests.objectives.libraries import LIBRARIES, asarray
from tests.objectives.test_activity import exposures
from tests.objectives.test_peers import Threads


def differences(loss, z, grade, group=None, sample_weight=None):
    """Differences of the scores of each term's pairs, ascending, and the share of the weight up to each."""
    s = 1 / (1 + np.exp(-z)) if loss.scale == "probability" else z
    w = np.ones(len(z)) if sample_weight is None else sample_weight
    found = []
    for kind in (1, 0):
        i, j = np.flatnonzero(grade == 2)[:, None], np.flatnonzero(grade == kind)
        paired = np.ones((len(i), len(j)), bool) if loss.pairs == "all" else group[i] == group[j]
        difference, weight = (s[i] - s[j])[paired], (w[i] * w[j])[paired]
        order = np.argsort(difference)
        found.append((difference[order], weight[order].cumsum() / weight.sum()))
    return found


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("pairs", ["all", "group"])
@pytest.mark.parametrize("scale", ["probability", "logit"])
def test_a_quantile_is_that_of_the_differences(library, scale, pairs, weighted):
    z, grade, extra = exposures(700)
    z[grade == 2] += 1.0
    extra["sample_weight"] = extra["sample_weight"] if weighted else None
    loss = PWiseRLoss(scale=scale, pairs=pairs, click_margin="q60", impression_margin="q90", warm_up=1)
    fixed = loss.fixed_at(asarray(library, z), grade, **extra)
    of_click, of_impression = differences(loss, z, grade, **extra)
    for margin, (difference, up_to), share in (
        (fixed.click_margin, of_click, 0.6),
        (fixed.impression_margin, of_impression, 0.9),
    ):
        expected = difference[np.searchsorted(up_to, share)]
        assert margin == pytest.approx(expected, rel=2e-5, abs=2e-6 * np.ptp(z))
        assert margin == float(f"{margin:.5g}")
    assert fixed.pair_activity(z, grade, **extra) == pytest.approx((0.6, 0.9), abs=0.01)


@given(
    z=st.lists(st.floats(-20, 20), min_size=3, max_size=30),
    share=st.floats(1, 99).map(lambda share: round(share, 1)),
    data=st.data(),
)
def test_it_is_the_least_that_leaves_so_many_active(z, share, data):
    z = np.array(z)
    grade = np.array(data.draw(st.lists(st.sampled_from([0, 2]), min_size=len(z), max_size=len(z))))
    assume(0 < (grade == 2).sum() < len(z))
    quantile = f"q{share:g}"
    loss = PWiseRLoss(scale="logit", impression_margin=quantile, warm_up=3)
    margin = loss.fixed_at(z, grade).impression_margin

    def active(margin):
        at = PWiseRLoss(scale="logit", impression_margin=max(0.0, margin))
        return at.pair_activity(z, grade).impression

    slack = 1e-4 * abs(margin) + 1e-5 * np.ptp(z) + 1e-12  # five digits, and steps between two differences
    assert active(margin + slack) >= share / 100
    assert margin == 0 or active(margin - slack) < share / 100


def test_numbers_stay_and_weight_and_surrogate_play_no_part():
    z, grade, _ = exposures(300)
    loss = PWiseRLoss(weight=0.7, surrogate="logistic", click_margin="q50", impression_margin=0.4, warm_up=5)
    fixed = loss.fixed_at(z, grade)
    assert not loss.is_fixed
    assert fixed.is_fixed
    assert (fixed.weight, fixed.surrogate, fixed.impression_margin, fixed.warm_up) == (
        0.7,
        "logistic",
        0.4,
        5,
    )
    assert fixed.click_margin == PWiseRLoss(click_margin="q50", warm_up=1).fixed_at(z, grade).click_margin
    assert fixed.fixed_at(z, grade) is fixed


def test_without_pairs_or_without_differences_it_is_zero():
    loss = PWiseRLoss(click_margin="q50", impression_margin="q50", warm_up=1)
    for z, grade in (([], []), ([0.3, 0.1], [0, 1]), ([0.2] * 3, [0, 1, 2]), ([0.0, 5.0, 5.0], [2, 1, 0])):
        fixed = loss.fixed_at(np.array(z), grade)
        assert (fixed.click_margin, fixed.impression_margin) == (0.0, 0.0)


@pytest.mark.parametrize("pairs", ["all", "group"])
def test_workers_find_the_number_of_one_machine(pairs):
    z, grade, extra = exposures(900)
    order = np.argsort(extra["group"], kind="stable")
    z, grade, group = z[order], grade[order], extra["group"][order]
    loss = PWiseRLoss(pairs=pairs, click_margin="q40", impression_margin="q80", warm_up=1)
    cut = int(np.searchsorted(group, 17))
    parts = [slice(0, cut), slice(cut, None), slice(0, 0)]

    def work(rank, peer):
        rows = parts[rank]
        plan = loss.plan(grade[rows], group=group[rows], peers=peer)
        return loss.fixed_at(z[rows], plan)

    assert set(Threads(3).run(work)) == {loss.fixed_at(z, grade, group=group)}


def test_both_tasks_fix_the_clicks():
    z, grade, _ = exposures(300)
    click = PWiseRLoss(click_margin="q50", impression_margin="q50", warm_up=2)
    loss = MultiTaskLoss(click=click)
    fixed = loss.fixed_at(np.stack([z, -z], axis=1), loss.plan(grade))
    assert fixed.click == click.fixed_at(z, grade)
    assert fixed.of_round(1).click.weight == 0
    assert fixed.of_round(2) == fixed


@pytest.mark.parametrize("margin", ["q0", "q100", "q", "50", "q-1", "Q50", "", "q5e1", "q50.", None, [1]])
def test_what_is_no_margin_is_refused(margin):
    for name in ("click_margin", "impression_margin"):
        with pytest.raises(InputError, match=f"{name} is .*; give a number of at least 0"):
            PWiseRLoss(**{name: margin}, warm_up=1)


def test_a_quantile_needs_a_warm_up_and_scores():
    with pytest.raises(InputError, match=r"click_margin is 'q50'.* give a warm_up of at least 1 round"):
        PWiseRLoss(click_margin="q50")
    loss = PWiseRLoss(click_margin="q50", warm_up=1)
    for method in (loss.value, loss.gradient_hessian, loss.pair_activity):
        with pytest.raises(InputError, match="a quantile is no number yet; fix it by fixed_at"):
            method([0.0, 1.0, 2.0], [0, 1, 2])
    with pytest.raises(InputError, match="NaN or infinite"):
        loss.fixed_at([0.0, np.nan, 0.0], [2, 1, 0])


@pytest.mark.parametrize("warm_up", [-1, 1.5, True, None, 2**31])
def test_a_warm_up_is_a_whole_number(warm_up):
    with pytest.raises(InputError, match=r"warm_up is .*; give a whole number"):
        PWiseRLoss(warm_up=warm_up)
