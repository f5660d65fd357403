"""The loop over epochs: what it reaches, keeps, repeats, and how it ends."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch")

from gbdt_pwiser.data import Exposures  # noqa: E402
from gbdt_pwiser.models import make_model  # noqa: E402
from gbdt_pwiser.models.neural import NETWORKS, _loss, _model  # noqa: E402
from gbdt_pwiser.models.neural._features import FeatureEncoder  # noqa: E402
from gbdt_pwiser.models.neural._loss import ClickLoss  # noqa: E402
from gbdt_pwiser.models.neural._training import Rows, device_named  # noqa: E402
from gbdt_pwiser.objectives import InputError, PWiseRLoss, auc  # noqa: E402
from tests.models.neural.helpers import MULTI, TINY, fitted, some, spec_of  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def train():
    return some(400)


@pytest.fixture(scope="module")
def valid():
    return some(300, seed=1)


def rows_of(exposures):
    return Rows.of(exposures, FeatureEncoder.fit(exposures), CPU)


# ------------------------------------------------------------------------------ what it reaches


@pytest.mark.parametrize("name", NETWORKS)
def test_it_learns_200_rows_by_heart(name):
    rows = some(200)
    network = replace(TINY, bottom=(32, 16), towers=(16,), epochs=40, patience=40, batch_size=50)
    predictions = fitted(spec_of(name, settings=network), rows).predict(rows)
    assert auc(predictions.pctr, rows.click) > 0.999
    assert auc(predictions.pcvr[rows.click], rows.conversion[rows.click]) > 0.99
    assert auc(predictions.pctcvr, rows.conversion) > 0.98


@pytest.mark.parametrize("memory", [0, 50])
def test_the_pairwise_term_lifts_conversions(train, memory):
    """With a large weight, pCTR ranks conversions above the other clicks, which BCE does not aim at."""
    network = replace(TINY, epochs=12, patience=12, batch_size=50, anchor_memory=memory)
    spec = spec_of("shared_bottom", settings=network)
    bce, pwiser = (
        fitted(s, train).predict(train).pctr
        for s in (spec, replace(spec, loss="pwiser", pwiser=PWiseRLoss(weight=3.0)))
    )
    clicks, converted = train.click, train.conversion[train.click]
    assert auc(pwiser[clicks], converted) > auc(bce[clicks], converted) + 0.1


def test_batches_without_anchors_train_on(train):
    """One conversion in all: nearly every batch has none."""
    grade = np.minimum(train.grade, 1)
    grade[np.flatnonzero(train.grade == 2)[0]] = 2
    rare = replace(train, grade=grade)
    network = replace(TINY, batch_size=16)
    model = fitted(spec_of("mmoe", settings=network, loss="pwiser"), rare)
    assert np.isfinite(model.predict(rare).pctcvr).all()


# ------------------------------------------------------------------------------ the same for both losses


class Spy(ClickLoss):
    """Notes the grades and logits of every batch."""

    seen: list

    def __call__(self, logit, grade, group=None):
        self.seen.append((logit.detach().numpy().copy(), grade.copy()))
        return super().__call__(logit, grade, group)


@pytest.mark.parametrize("name", ["dnn", "mmoe"])
def test_both_losses_see_the_same_batches_from_the_same_weights(monkeypatch, train, valid, name):
    """And the same dropout: the first batch has the same logits."""
    spec = spec_of(name, settings=replace(TINY, dropout=0.5, patience=3))
    runs = []
    for loss in ("bce", "pwiser"):
        monkeypatch.setattr(Spy, "seen", [], raising=False)
        monkeypatch.setattr(_loss, "ClickLoss", Spy)
        fitted(replace(spec, loss=loss, pwiser=PWiseRLoss(weight=1.0)), train, valid)
        runs.append(Spy.seen)
    bce, pwiser = runs
    assert len(bce) == len(pwiser) == 3 * 6  # 400 rows in batches of 64 or a few more
    np.testing.assert_array_equal(bce[0][0], pwiser[0][0])
    for (_, ours), (_, theirs) in zip(bce, pwiser, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(bce[-1][0], pwiser[-1][0])


@pytest.mark.parametrize("name", NETWORKS)
def test_weight_0_is_bce_to_the_last_bit(train, valid, name):
    spec = spec_of(name, settings=replace(TINY, dropout=0.2, anchor_memory=9))
    zero = replace(spec, loss="pwiser", pwiser=PWiseRLoss(weight=0.0, pairs="group"))
    ours, theirs = (fitted(s, train, valid).predict(valid) for s in (zero, spec))
    np.testing.assert_array_equal(ours.pctr, theirs.pctr)
    np.testing.assert_array_equal(ours.pctcvr, theirs.pctcvr)


def test_the_conversion_network_of_dnn_is_trained_once_for_all_losses(monkeypatch, train, valid):
    rows = []
    original = _model.train_network
    monkeypatch.setattr(
        _model, "train_network", lambda *a, **k: rows.append(len(k["rows"])) or original(*a, **k)
    )
    train = replace(train)  # nothing is kept with this copy yet
    for loss in ("bce", "pwiser"):
        fitted(spec_of("dnn", loss=loss), train, valid)
    clicks = int(train.click.sum())
    assert rows == [400, clicks, 400]
    fitted(spec_of("dnn", seed=1), train, valid)
    assert rows[3:] == [400, clicks]


def test_the_conversion_network_of_dnn_is_the_same_however_long_the_click_trained(train, valid):
    """Its dropout is drawn anew, not after what the click's training has drawn."""

    def stop(_, aucs):
        if "click" in aucs:
            raise KeyboardInterrupt

    spec = spec_of("dnn", settings=replace(TINY, dropout=0.5))
    # Copies, with which nothing is kept yet.
    whole, cut = (fitted(spec, replace(train), valid, each).predict(valid) for each in (None, stop))
    assert not np.array_equal(whole.pctr, cut.pctr)
    np.testing.assert_array_equal(whole.pcvr, cut.pcvr)


# ------------------------------------------------------------------------------ batches


def test_an_epoch_is_every_row_once_in_another_order(train):
    rows = rows_of(replace(train, group=np.arange(400)))
    generator = torch.Generator().manual_seed(0)
    epochs = [[batch.group for batch in rows.batches(150, generator)] for _ in range(2)]
    for batches in epochs:
        assert [len(batch) for batch in batches] == [200, 200]  # not 150, 150 and 100
        assert sorted(np.concatenate(batches)) == list(range(400))
    assert not np.array_equal(*(np.concatenate(batches) for batches in epochs))


def test_a_batch_holds_the_features_and_grades_of_its_rows(train):
    rows = rows_of(train)
    for batch in rows.batches(128, torch.Generator().manual_seed(0)):
        whole = {
            (tuple(c), tuple(x)): g
            for c, x, g in zip(rows.codes.tolist(), rows.numbers.tolist(), rows.host_grade, strict=True)
        }
        for c, x, g in zip(batch.codes.tolist(), batch.numbers.tolist(), batch.grade.tolist(), strict=True):
            assert whole[tuple(c), tuple(x)] == g
        np.testing.assert_array_equal(batch.grade.numpy(), batch.host_grade)


# ------------------------------------------------------------------------------ the best epoch


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("loss", ["bce", "pwiser"])
def test_the_best_epoch_on_validation_is_restored(train, valid, name, loss):
    network = replace(TINY, epochs=40, patience=2, learning_rate=0.05, batch_size=32)
    scores = []
    model = fitted(
        spec_of(name, loss=loss, settings=network),
        train,
        valid,
        lambda _, aucs: scores.append(aucs.get("click")),
    )
    scores = [score for score in scores if score is not None]  # dnn goes on with the conversion's
    assert len(scores) < 40
    assert model.rounds_used == np.argmax(scores) + 1 == len(scores) - 2
    # PyTorch may give equal logits probabilities that differ in the last bit.
    pctr = np.round(model.predict(valid).pctr, 12)
    assert auc(pctr, valid.click) == pytest.approx(max(scores), abs=1e-9)


def test_of_equal_epochs_the_first_counts(monkeypatch, train, valid):
    values = iter([0.6, 0.7, 0.7, 0.65])
    told = _model.finite_auc
    monkeypatch.setattr(
        _model,
        "finite_auc",
        lambda scores, *rest: next(values) if len(scores) == 300 else told(scores, *rest),
    )
    model = fitted(spec_of("esmm", settings=replace(TINY, epochs=9, patience=2)), train, valid)
    assert model.rounds_used == 2
    assert next(values, None) is None


def test_the_conversion_network_of_dnn_stops_on_its_own_auc(train, valid):
    model = fitted(spec_of("dnn", settings=replace(TINY, epochs=30, batch_size=32)), train, valid)
    predictions = model.predict(valid)
    clicks = valid.click
    best = auc(predictions.pcvr[clicks], valid.conversion[clicks])
    for epochs in range(1, 5):
        short = fitted(
            spec_of("dnn", settings=replace(TINY, epochs=epochs, batch_size=32)), train, valid
        ).predict(valid)
        assert auc(short.pcvr[clicks], valid.conversion[clicks]) <= best + 1e-9


# ------------------------------------------------------------------------------ interrupts


def test_an_interrupt_leaves_the_best_epoch(monkeypatch, train, valid, capsys):
    """In the middle of the third epoch, so its first batches have moved the weights."""
    batches = []

    class Interrupted(ClickLoss):
        def __call__(self, *arguments):
            batches.append(1)
            if len(batches) == 2 * 6 + 3:
                raise KeyboardInterrupt
            return super().__call__(*arguments)

    network = replace(TINY, epochs=9, patience=9)
    expected = fitted(spec_of("aitm", settings=replace(network, epochs=2)), train, valid)
    monkeypatch.setattr(_loss, "ClickLoss", Interrupted)
    model = fitted(spec_of("aitm", settings=network), train, valid)
    assert model.rounds_used == expected.rounds_used
    np.testing.assert_array_equal(model.predict(valid).pctcvr, expected.predict(valid).pctcvr)
    best = expected.rounds_used
    assert capsys.readouterr().err == f"aitm: interrupted; going on with its epoch {best}, the best so far\n"


def test_an_interrupt_before_the_first_epoch_is_one(monkeypatch, train, valid):
    class Interrupted(ClickLoss):
        def __call__(self, *arguments):
            raise KeyboardInterrupt

    monkeypatch.setattr(_loss, "ClickLoss", Interrupted)
    model = make_model(spec_of("mmoe"))
    with pytest.raises(KeyboardInterrupt):
        model.fit(train, valid)
    with pytest.raises(InputError, match="not trained"):
        model.predict(valid)


# ------------------------------------------------------------------------------ settings


def test_settings_of_torch_are_left_as_they_were(train, valid):
    torch.set_num_threads(2)
    try:
        torch.manual_seed(5)
        first = torch.rand(3)
        torch.manual_seed(5)
        seen = []
        fitted(spec_of("dnn", threads=1), train, valid, lambda *_: seen.append(torch.get_num_threads()))
        assert set(seen) == {1}
        assert torch.get_num_threads() == 2
        assert torch.equal(torch.rand(3), first)
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("norm", [None, 1e-9])
def test_gradients_are_clipped_on_demand(monkeypatch, train, valid, norm):
    norms = []
    step = torch.optim.Adam.step

    def noted(optimizer, *arguments):
        gradients = [p.grad.flatten() for group in optimizer.param_groups for p in group["params"]]
        norms.append(float(torch.cat(gradients).norm()))
        return step(optimizer, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    fitted(spec_of("esmm", settings=replace(TINY, epochs=1, clip_norm=norm)), train, valid)
    assert (max(norms) <= 1e-9 * 1.01) == (norm is not None)


def test_the_learning_rate_decays_after_each_epoch(monkeypatch, train, valid):
    rates = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam, "step", lambda self, *a: rates.append(self.param_groups[0]["lr"]) or step(self, *a)
    )
    network = replace(TINY, epochs=3, patience=3, decay=0.5)
    fitted(spec_of("esmm", settings=network), train, valid)
    assert rates == pytest.approx(6 * [0.01] + 6 * [0.005] + 6 * [0.0025])


@pytest.mark.parametrize("name", MULTI)
def test_size_is_the_number_of_parameters(train, valid, name):
    model = make_model(spec_of(name))
    assert model.size == 0
    model.fit(train, valid)
    weights = model._trained["click"].network.parameters()
    assert model.size == sum(int(np.prod(weight.shape)) for weight in weights)


def test_size_of_dnn_counts_both_networks():
    """(3 codes + the unseen one) x 3, 3 + 1 inputs x 5 + 4 x 5..., by hand, twice."""
    rng = np.random.default_rng(0)
    features = pl.DataFrame(
        {"code": pl.Series(rng.integers(0, 3, 90), dtype=pl.Int32), "x": rng.normal(size=90)}
    )
    rows = Exposures(
        name="hand",
        features=features.cast({"x": pl.Float32}),
        grade=rng.integers(0, 3, 90).astype(np.int8),
        categorical=("code",),
    )
    layers = (4 * 5 + 5 + 10) + (5 * 4 + 4 + 8) + (4 * 3 + 3 + 6) + (3 + 1)  # weights, biases, norms
    assert fitted(spec_of("dnn"), rows).size == 2 * (4 * 3 + layers)


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: (replace(rows, grade=np.zeros(400, np.int8)), rows), "the mean click is 0.0"),
        (lambda rows: (rows, replace(rows, grade=np.ones(400, np.int8))), "validation has one class only"),
    ],
)
@pytest.mark.parametrize("name", ["dnn", "ple"])
def test_one_class_is_refused(train, name, change, message):
    with pytest.raises(InputError, match=message):
        fitted(spec_of(name), *change(train))


@pytest.mark.parametrize("loss", ["bce", "pwiser"])
def test_a_training_that_blows_up_is_an_input_error(train, valid, loss):
    spec = spec_of("shared_bottom", loss=loss, settings=replace(TINY, learning_rate=1e20))
    with pytest.raises(InputError, match=r"no longer finite|NaN or infinite"):
        fitted(spec, train, valid)


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "cuda:", "", "mps"])
def test_unknown_devices(name):
    with pytest.raises(InputError, match=f"unknown device '{name}'.*; choose one of cpu, cuda, auto"):
        make_model(spec_of("mmoe", device=name))


def test_devices(monkeypatch):
    assert device_named("cpu") == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert device_named("auto") == CPU
    with pytest.raises(InputError, match="PyTorch sees 0 such devices; choose cpu or auto"):
        device_named("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_named("auto") == torch.device("cuda")
    assert device_named("cuda:1") == torch.device("cuda:1")
    with pytest.raises(InputError, match="sees 2 such devices"):
        device_named("cuda:2")


def test_a_network_that_memory_cannot_hold_is_refused(train, valid):
    huge = replace(TINY, embedding=1 << 16, bottom=(1 << 16, 1 << 16, 1 << 16, 1 << 16, 1 << 16))
    with pytest.raises(InputError, match=r"mmoe has .* weights here, which need .* GiB in training"):
        fitted(spec_of("mmoe", settings=replace(huge, experts=64)), train, valid)
