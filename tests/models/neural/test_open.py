"""No network learns a conversion from clicks whose conversion is open; all learn the click from them."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from gbdt_pwiser.data import Exposures  # noqa: E402
from gbdt_pwiser.models import make_model  # noqa: E402
from gbdt_pwiser.models.losses import LOSSES  # noqa: E402
from gbdt_pwiser.models.neural import NETWORKS  # noqa: E402
from gbdt_pwiser.models.neural._blocks import Outputs  # noqa: E402
from gbdt_pwiser.models.neural._features import FeatureEncoder, Layout  # noqa: E402
from gbdt_pwiser.models.neural._loss import ClickLoss, WeightedBCE, clicks_per_decided, stand_ins  # noqa: E402
from gbdt_pwiser.models.neural._model import Data, architecture  # noqa: E402
from gbdt_pwiser.models.neural._rows import Rows  # noqa: E402
from gbdt_pwiser.objectives import PWiseRLoss  # noqa: E402
from gbdt_pwiser.objectives.inputs import OPEN  # noqa: E402
from tests.models.neural.helpers import MULTI, TINY, fitted, sigmoid, some, spec_of  # noqa: E402

N = 200
OVER_ALL = ("esmm", "aitm")
"""Their conversion head is of all exposures."""


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=N), rng.normal(size=N), rng.choice(4, N).astype(np.int8)


def loss_and_gradients(model, click, conversion, grade):
    network = architecture(model)(Layout(codes=0, table=1, numbers=2), replace(TINY, constraint=0.0))
    outputs = Outputs(*(torch.tensor(z, requires_grad=True) for z in (click, conversion)))
    value = network.conversion_loss(outputs, torch.tensor(grade), clicks_per_decided(grade))
    gradients = torch.autograd.grad(value, list(outputs), allow_unused=True)
    return float(value.detach()), [None if g is None else g.numpy() for g in gradients]


@pytest.mark.parametrize("model", MULTI)
def test_the_loss_of_conversions_by_its_definition(model):
    click, conversion, grade = batch()
    value, (_, slope) = loss_and_gradients(model, click, conversion, grade)
    p = sigmoid(conversion) * (sigmoid(click) if model == "esmm" else 1.0)
    clicks, open_ones = (grade > 0).sum(), (grade == OPEN).sum()
    total = 0.0
    for each, g in zip(p, grade, strict=True):
        loss = -np.log(each if g == 2 else 1 - each)
        if g in (1, 2):
            total += loss * (clicks / (clicks - open_ones) if model in OVER_ALL else 1)
        elif g == 0 and model in OVER_ALL:
            total += loss
    assert value == pytest.approx(TINY.conversion_weight * total / N, rel=1e-9)
    assert (slope[grade == OPEN] == 0).all()


@pytest.mark.parametrize("model", MULTI)
def test_open_clicks_move_neither_head_by_their_conversion(model):
    click, conversion, grade = batch(1)
    value, gradients = loss_and_gradients(model, click, conversion, grade)
    moved_click, moved = (np.where(grade == OPEN, 3.0, z) for z in (click, conversion))
    again, others = loss_and_gradients(model, moved_click, moved, grade)
    assert again == pytest.approx(value, rel=1e-12)
    for one, other in zip(gradients, others, strict=True):
        if one is not None:
            np.testing.assert_allclose(one, other, atol=1e-12)
            assert (one[grade == OPEN] == 0).all()


def test_stand_ins_leave_the_mean_conversion_right():
    """Where clicks are open at random, pCTCVR fitted to weighted targets is that of all clicks."""
    grade = np.array([0] * 60 + [1] * 12 + [2] * 8 + [OPEN] * 20, dtype=np.int8)
    per_decided = clicks_per_decided(grade)
    like = torch.zeros(1, dtype=torch.float64)
    weight = stand_ins(torch.tensor(grade), like, per_decided).numpy()
    assert weight.sum() == pytest.approx(100)
    assert (weight * (grade == 2)).sum() / 100 == pytest.approx(0.4 * 0.4)  # click rate times pCVR
    small = np.random.default_rng(0).permutation(grade).reshape(-1, 2)
    assert any((rows > 0).any() and not np.isin(rows, (1, 2)).any() for rows in small)
    of_batches = [stand_ins(torch.tensor(rows), like, per_decided).numpy() for rows in small]
    assert np.sum(of_batches) == pytest.approx(100)  # whatever the batches
    for rows in (grade[grade != OPEN], grade[:5], grade[-3:], grade[:0]):
        assert clicks_per_decided(rows) == 1.0
        told = stand_ins(torch.tensor(rows), torch.zeros(1), 1.0).numpy()
        np.testing.assert_array_equal(told, (rows != OPEN).astype(np.float32))


@pytest.mark.parametrize("model", OVER_ALL)
def test_training_takes_the_clicks_per_decided_one_of_all_its_rows(model, monkeypatch):
    train, valid = (opened(some(600, seed)) for seed in (1, 2))
    given = []

    def noted(grade, like, per_decided):
        given.append(per_decided)
        return stand_ins(grade, like, per_decided)

    monkeypatch.setattr("gbdt_pwiser.models.neural._loss.stand_ins", noted)
    fitted(spec_of(model), train, valid)
    assert len(given) > 1
    assert set(given) == {train.click.sum() / (train.click & ~train.open).sum()}


@pytest.mark.parametrize("pairs", ["all", "group"])
def test_the_click_loss_of_a_batch_is_that_of_the_boosters(pairs):
    click, _, grade = batch(2)
    group = np.random.default_rng(3).integers(0, 9, N)
    logit = torch.tensor(click, requires_grad=True)
    loss = PWiseRLoss(weight=0.4, pairs=pairs)
    (slope,) = torch.autograd.grad(ClickLoss(loss)(logit, grade, group), logit)
    expected, _ = loss.gradient_hessian(click, grade, group=group)
    np.testing.assert_allclose(slope.numpy(), expected / N, atol=1e-9)
    weigh = LOSSES["weighted_bce"].row_weight
    one, other = (WeightedBCE(weigh, 2.0)(logit, g, None) for g in (grade, np.where(grade == OPEN, 1, grade)))
    assert torch.equal(one, other)


def opened(exposures: Exposures) -> Exposures:
    rows = np.random.default_rng(1).random(len(exposures)) < 1 / 3
    return replace(exposures, grade=np.where(exposures.click & rows, OPEN, exposures.grade).astype(np.int8))


@pytest.mark.parametrize("model", NETWORKS)
def test_every_network_trains_and_tells_its_rounds(model):
    train, valid = (opened(some(600, seed)) for seed in (1, 2))
    rounds = []
    trained = fitted(spec_of(model), train, valid, lambda number, aucs: rounds.append(aucs))
    told = trained.predict(valid)
    assert np.isfinite(told.pcvr).all()
    assert all(np.isfinite(value) for aucs in rounds for value in aucs.values())


@pytest.mark.parametrize("model", NETWORKS)
def test_the_auc_of_conversions_is_that_of_the_decided_clicks(model):
    train, valid = (opened(some(600, seed)) for seed in (1, 2))

    def first_told(part):
        aucs = []
        fitted(spec_of(model), train, part, lambda _, values: aucs.append(values))
        return next(values["conversion"] for values in aucs if "conversion" in values)

    assert first_told(valid) == pytest.approx(first_told(valid.take(~valid.open)))


def test_the_conversion_network_of_dnn_is_that_of_the_other_rows():
    train, valid = (opened(some(600, seed)) for seed in (1, 2))
    encoder, device = FeatureEncoder.fit(train, TINY.bins), torch.device("cpu")

    def weights(*parts):
        rows = (Rows.of(part, encoder, device) for part in parts)
        trained = make_model(spec_of("dnn"))._train(Data(encoder, *rows), None)
        return [weight.numpy() for weight in trained["conversion"].network.state_dict().values()]

    whole, rest = weights(train, valid), weights(train.take(~train.open), valid.take(~valid.open))
    for one, other in zip(whole, rest, strict=True):
        np.testing.assert_array_equal(one, other)
