"""The click's loss under autograd: the boosters' numbers, and those of a pair matrix."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from gbdt_pwiser.models.losses import LOSSES, _combined_pair_torch  # noqa: E402
from gbdt_pwiser.models.losses._combined_pair_torch import CombinedPair  # noqa: E402
from gbdt_pwiser.models.neural._features import Layout  # noqa: E402
from gbdt_pwiser.models.neural._loss import (  # noqa: E402
    ClickLoss,
    WeightedBCE,
    clicked_bce,
    loss_of_clicks,
    product_bce,
)
from gbdt_pwiser.models.neural.mmoe import MMoE  # noqa: E402
from gbdt_pwiser.objectives import SURROGATES, InputError, PWiseRLoss  # noqa: E402
from tests.models.neural.helpers import TINY, spec_of  # noqa: E402

PHI = {
    "hinge": torch.relu,
    "squared_hinge": lambda u: torch.relu(u) ** 2,
    "logistic": functional.softplus,
}


def batch(n=40, seed=0, grades=(0, 1, 2)):
    rng = np.random.default_rng(seed)
    logit = torch.tensor(rng.normal(size=n), requires_grad=True)
    return logit, rng.choice(grades, n).astype(np.int8), rng.integers(0, 4, n)


def pair_matrix(loss, logit, grade, group, anchors=None, anchor_groups=None):
    """BCE + weight * PWiseR by autograd; anchors: scores of further ones."""
    click = torch.tensor(grade >= 1, dtype=logit.dtype)
    total = functional.binary_cross_entropy_with_logits(logit, click)
    up = torch.cat([logit[grade == 2], logit.new_empty(0) if anchors is None else anchors])
    up_groups = np.concatenate([group[grade == 2], [] if anchors is None else anchor_groups])
    scale = torch.sigmoid if loss.scale == "probability" else (lambda z: z)
    for kind, margin in ((1, loss.click_margin), (0, loss.impression_margin)):
        u = margin - (scale(up)[:, None] - scale(logit[grade == kind])[None, :])
        alike = up_groups[:, None] == group[grade == kind][None, :]
        paired = torch.tensor(alike if loss.pairs == "group" else np.ones_like(alike))
        if paired.any():
            total = total + loss.weight * PHI[loss.surrogate](u)[paired].mean()
    return total


def gradient(value, logit):
    (found,) = torch.autograd.grad(value, logit)
    return found.numpy()


@pytest.mark.parametrize("surrogate", list(SURROGATES))
@pytest.mark.parametrize("scale", ["probability", "logit"])
@pytest.mark.parametrize("pairs", ["all", "group"])
def test_the_gradient_is_that_of_the_boosters_over_n(surrogate, scale, pairs):
    loss = PWiseRLoss(weight=0.7, surrogate=surrogate, scale=scale, pairs=pairs)
    logit, grade, group = batch()
    value = ClickLoss(loss)(logit, grade, group)
    expected, _ = loss.gradient_hessian(logit.detach().numpy(), grade, group=group)
    np.testing.assert_allclose(gradient(value, logit), expected / len(grade), rtol=0, atol=1e-6)
    assert float(value.detach()) == pytest.approx(
        loss.value(logit.detach().numpy(), grade, group=group), abs=1e-12
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("surrogate", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("pairs", ["all", "group"])
def test_the_gradient_is_that_of_a_pair_matrix(dtype, surrogate, pairs):
    loss = PWiseRLoss(weight=0.7, surrogate=surrogate, pairs=pairs)
    logit, grade, group = batch()
    logit = logit.detach().to(dtype).requires_grad_()
    ours, theirs = ClickLoss(loss)(logit, grade, group), pair_matrix(loss, logit, grade, group)
    assert ours.dtype == dtype
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), abs=1e-6)
    np.testing.assert_allclose(gradient(ours, logit), gradient(theirs, logit), rtol=0, atol=1e-6)


def test_the_gradient_reaches_the_weights_of_a_network():
    """Through mmoe, and times what stands before the loss."""
    torch.manual_seed(0)
    network = MMoE(Layout(table=9, codes=1, numbers=1), TINY).double()
    codes, numbers = torch.arange(40).reshape(-1, 1) % 9, torch.linspace(-1, 1, 40).reshape(-1, 1).double()
    _, grade, group = batch()
    loss = PWiseRLoss(weight=0.7)
    weights = [weight for name, weight in network.named_parameters() if not name.startswith("conversion")]

    def gradients(of):
        return torch.autograd.grad(3.0 * of(network(codes, numbers).click), weights)

    ours = gradients(lambda click: ClickLoss(loss)(click, grade))
    theirs = gradients(lambda click: pair_matrix(loss, click, grade, group))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0, atol=1e-6)
    assert any(a.abs().max() > 1e-3 for a in ours)


@pytest.mark.parametrize("grades", [(0, 1), (0,), (2,), (1, 2)])
def test_a_batch_of_some_grades(grades):
    """Without anchors, or without opponents, what is left is BCE."""
    loss = PWiseRLoss(weight=5.0)
    logit, grade, group = batch(grades=grades)
    value = ClickLoss(loss)(logit, grade, group)
    expected = pair_matrix(loss, logit, grade, group)
    np.testing.assert_allclose(gradient(value, logit), gradient(expected, logit), rtol=0, atol=1e-9)
    if 2 not in grades:
        bce = functional.binary_cross_entropy_with_logits(
            logit, torch.tensor(grade >= 1, dtype=torch.float64)
        )
        assert float(value.detach()) == pytest.approx(float(bce.detach()), abs=1e-12)


@pytest.mark.parametrize("memory", [0, 8])
def test_weight_0_has_the_very_floats_of_bce(memory):
    click_loss = ClickLoss(PWiseRLoss(weight=0.0, pairs="group"), memory)
    for seed in range(3):
        logit, grade, group = batch(seed=seed)
        logit = logit.detach().float().requires_grad_()
        ours, bce = click_loss(logit, grade, group), ClickLoss(PWiseRLoss(weight=0.0))(logit, grade)
        assert float(ours.detach()) == float(bce.detach())
        np.testing.assert_array_equal(gradient(ours, logit), gradient(bce, logit))


@pytest.mark.parametrize("pairs", ["all", "group"])
def test_remembered_anchors_are_constants_that_push_opponents(pairs):
    loss = PWiseRLoss(weight=0.7, surrogate="squared_hinge", pairs=pairs)
    click_loss = ClickLoss(loss, memory=12)
    scores, groups = torch.empty(0, dtype=torch.float64), np.empty(0)
    # Many anchors, few, none: the memory fills, and then loses the oldest.
    for seed, grades in enumerate([(0, 1, 2), (0, 0, 1, 2), (0, 1), (0, 1, 2, 2)]):
        logit, grade, group = batch(seed=seed, grades=grades)
        ours = click_loss(logit, grade, group)
        theirs = pair_matrix(loss, logit, grade, group, scores, groups)
        assert float(ours.detach()) == pytest.approx(float(theirs.detach()), abs=1e-9)
        ours = gradient(ours, logit)
        np.testing.assert_allclose(ours, gradient(theirs, logit), rtol=0, atol=1e-9)
        if seed == 2:  # no anchor of its own, and yet a pairwise term
            plain = ClickLoss(loss)(logit, grade, group)
            assert np.abs(gradient(plain, logit) - ours).max() > 1e-4
        scores = torch.cat([scores, logit.detach()[grade == 2]])[-12:]
        groups = np.concatenate([groups, group[grade == 2]])[-12:]
    assert len(scores) == 12


def test_pairs_in_groups_need_groups():
    logit, grade, _ = batch()
    loss = PWiseRLoss(pairs="group")
    with pytest.raises(InputError, match="needs the group of each exposure"):
        ClickLoss(loss)(logit, grade, None)
    ClickLoss(replace(loss, weight=0.0))(logit, grade, None)


@pytest.mark.parametrize("impressions", [0, 5, 95])
def test_a_clicked_row_weighs_as_much_as_in_the_loss_of_the_click(impressions):
    """Whatever the click rate: rows without a click are in the divisor of both, and in no gradient."""
    grade = torch.tensor([2, 1, 1, 2] + [0] * impressions)
    logit = torch.zeros(len(grade), requires_grad=True)
    slope = gradient(clicked_bce(logit, grade), logit)
    of_click = gradient(
        functional.binary_cross_entropy_with_logits(logit, (grade >= 1).to(logit.dtype)), logit
    )
    np.testing.assert_allclose(np.abs(slope[:4]), np.abs(of_click[:4]), rtol=1e-6)
    assert not slope[4:].any()


def test_clicked_bce_without_clicks_is_0():
    logit = torch.tensor([1.0, -2.0], requires_grad=True)
    loss = clicked_bce(logit, torch.tensor([0, 0]))
    assert float(loss.detach()) == 0
    assert not gradient(loss, logit).any()


def test_product_bce_where_probabilities_round():
    """1 - sigmoid(a) sigmoid(b) by hand: at (-90, x) it rounds to 1, at (90, 90) to 0."""
    a, b = torch.tensor([-90.0, 90.0, 0.0, 90.0]), torch.tensor([5.0, 90.0, 0.0, 90.0])
    grade = torch.tensor([2, 0, 0, 2])
    # -log p = 90; -log(1 - p) = 90 - log 2; -log(3 / 4); about 0
    expected = (90 + np.log1p(np.exp(-5.0)) + 90 - np.log(2) + np.log(4 / 3)) / 4
    assert float(product_bce(a, b, grade)) == pytest.approx(expected, rel=1e-6)


# ------------------------------------------------------------------------------ rivals


def test_an_integer_weight_is_as_if_converted_rows_occurred_more_often():
    logit, grade, _ = batch()
    often = np.repeat(np.arange(len(grade)), 1 + 3 * (grade == 2))
    repeated = logit[torch.from_numpy(often)]
    ours = WeightedBCE(LOSSES["weighted_bce"].row_weight, 3.0)(logit, grade)
    theirs = functional.binary_cross_entropy_with_logits(repeated, torch.tensor(grade[often] >= 1).double())
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), abs=1e-12)
    np.testing.assert_allclose(gradient(ours, logit), gradient(theirs, logit), rtol=0, atol=1e-12)


def combined_pair(weight, z, grade):
    """Return the value and the gradient by two loops over the exposures."""
    y, n = grade >= 1, len(z)
    value = np.mean(np.log1p(np.exp(z)) - y * z) * (1 - weight)
    slope = (1 / (1 + np.exp(-z)) - y) / n * (1 - weight)
    count = max(1, y.sum() * (n - y.sum()))
    for i in np.flatnonzero(y):
        for j in np.flatnonzero(~y):
            value += weight * np.log1p(np.exp(-(z[i] - z[j]))) / count
            pull = weight / (1 + np.exp(z[i] - z[j])) / count
            slope[i] -= pull
            slope[j] += pull
    return value, slope


@pytest.mark.parametrize("weight", [0.3, 1.0])
@pytest.mark.parametrize("grades", [(0, 1, 2), (0, 1), (0, 2), (0,), (1, 2)])
@pytest.mark.parametrize("pairs", [1, 50, 10**6])
def test_combined_pair_is_a_double_loop(weight, grades, pairs, monkeypatch):
    """Whatever the pairs at a time; without a click, or with nothing else, only BCE is left."""
    monkeypatch.setattr(_combined_pair_torch, "PAIRS", pairs)
    logit, grade, _ = batch(grades=grades)
    ours = CombinedPair(weight)(logit, grade)
    value, slope = combined_pair(weight, logit.detach().numpy(), grade)
    assert float(ours.detach()) == pytest.approx(value, abs=1e-12)
    np.testing.assert_allclose(gradient(ours, logit), slope, rtol=0, atol=1e-12)


def test_combined_pair_of_far_scores_is_finite():
    logit = torch.tensor([900.0, -900.0, 0.0], requires_grad=True)
    ours = CombinedPair(0.5)(logit, np.array([0, 1, 2], dtype=np.int8))
    assert float(ours.detach()) == pytest.approx(0.5 * (1800 + np.log(2)) / 3 + 0.5 * (1800 + 900) / 2)
    assert np.isfinite(gradient(ours, logit)).all()


@pytest.mark.parametrize("loss", ["weighted_bce", "combined_pair"])
def test_a_rival_of_weight_0_has_the_very_floats_of_bce(loss):
    logit, grade, _ = batch()
    logit = logit.detach().float().requires_grad_()
    ours = loss_of_clicks(spec_of("dnn", loss=loss, rival_weight=0.0))(logit, grade)
    bce = loss_of_clicks(spec_of("dnn"))(logit, grade)
    assert float(ours.detach()) == float(bce.detach())
    np.testing.assert_array_equal(gradient(ours, logit), gradient(bce, logit))


@pytest.mark.parametrize(
    ("loss", "made"),
    [
        ("pwiser", lambda w: ClickLoss(PWiseRLoss(weight=w))),
        ("weighted_bce", lambda w: WeightedBCE(LOSSES["weighted_bce"].row_weight, w)),
        ("combined_pair", CombinedPair),
    ],
)
def test_the_weight_of_the_spec_is_that_of_the_loss(loss, made):
    logit, grade, _ = batch()
    spec = spec_of("mmoe", loss=loss).with_weight(0.25)
    np.testing.assert_allclose(loss_of_clicks(spec)(logit, grade).item(), made(0.25)(logit, grade).item())
    assert loss_of_clicks(spec)(logit, grade).item() != made(0.125)(logit, grade).item()
