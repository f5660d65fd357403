"""What a network tells of its epochs while it trains."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from gbdt_pwiser.models import make_model  # noqa: E402
from gbdt_pwiser.objectives import InputError, auc  # noqa: E402
from tests.models.neural.helpers import MULTI, TINY, fitted, some, spec_of  # noqa: E402


@pytest.fixture(scope="module")
def train():
    return some(400)


@pytest.fixture(scope="module")
def valid():
    return some(300, seed=1)


def aucs_of(predictions, rows):
    clicks = rows.click
    # PyTorch may give equal logits probabilities that differ in the last bit.
    pctr, pcvr = np.round(predictions.pctr, 12), np.round(predictions.pcvr, 12)
    return {"click": auc(pctr, clicks), "conversion": auc(pcvr[clicks], rows.conversion[clicks])}


def test_on_round_gets_every_epoch_and_may_end_the_training(train, valid):
    class EnoughError(Exception):
        pass

    epochs = []

    def stop(epoch, aucs):
        assert 0 < aucs["click"] < 1
        epochs.append(epoch)
        if epoch == 1:
            raise EnoughError

    model = make_model(spec_of("mmoe", settings=replace(TINY, epochs=9, patience=9)))
    threads = torch.get_num_threads()
    with pytest.raises(EnoughError):
        model.fit(train, valid, stop)
    assert epochs == [0, 1]
    assert torch.get_num_threads() == threads
    with pytest.raises(InputError, match="not trained"):
        model.predict(valid)


@pytest.mark.parametrize("name", MULTI)
def test_on_round_gets_the_aucs_of_both_tasks(train, valid, name):
    told = []
    model = fitted(spec_of(name), train, valid, lambda *each: told.append(each))
    assert [epoch for epoch, _ in told] == list(range(len(told)))
    best = aucs_of(model.predict(valid), valid)
    assert told[model.rounds_used - 1][1] == pytest.approx(best, abs=1e-9)


def test_on_round_gets_the_epochs_of_dnns_networks_one_after_the_other(train, valid):
    told = []
    spec = spec_of("dnn", settings=replace(TINY, patience=3))
    train = replace(train)  # nothing is kept with this copy yet
    model = fitted(spec, train, valid, lambda *each: told.append(each))
    assert [(epoch, *aucs) for epoch, aucs in told] == [
        (epoch, task) for task in ("click", "conversion") for epoch in range(3)
    ]
    best = {task: max(aucs[task] for _, aucs in told if task in aucs) for task in ("click", "conversion")}
    assert best == pytest.approx(aucs_of(model.predict(valid), valid), abs=1e-9)
    del told[:]
    fitted(replace(spec, loss="pwiser"), train, valid, lambda *each: told.append(each))
    assert {task for _, aucs in told for task in aucs} == {"click"}  # the conversion's is kept


def test_the_auc_of_conversions_that_are_of_one_kind_is_nan(train, valid):
    told = []
    none = replace(valid, grade=np.minimum(valid.grade, 1))
    fitted(spec_of("mmoe"), train, none, lambda _, aucs: told.append(aucs["conversion"]))
    assert len(told) == 3
    assert np.isnan(told).all()
