"""A network that is saved and read again."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from gbdt_pwiser.models import make_model  # noqa: E402
from gbdt_pwiser.models.neural import NETWORKS, load_network  # noqa: E402
from gbdt_pwiser.objectives import InputError, PWiseRLoss  # noqa: E402
from tests.models.neural.helpers import TINY, fitted, some, spec_of  # noqa: E402


@pytest.fixture(scope="module")
def train():
    return some(300)


@pytest.mark.parametrize("name", NETWORKS)
def test_predictions_are_identical(tmp_path, train, name):
    network = replace(TINY, epochs=1, clip_norm=5.0, anchor_memory=3)
    loss = PWiseRLoss(weight=0.2, surrogate="logistic", pairs="group")
    spec = spec_of(name, loss="pwiser", pwiser=loss, settings=network, seed=3)
    model = fitted(spec, train)
    path = tmp_path / "new" / "model.pt"
    model.write(path)
    again = load_network(path)
    ours, theirs = (m.predict(some(100, seed=4)) for m in (model, again))
    np.testing.assert_array_equal(ours.pctr, theirs.pctr)
    np.testing.assert_array_equal(ours.pctcvr, theirs.pctcvr)
    assert again.spec == spec
    assert (again.rounds_used, again.fit_seconds, again.size) == (
        model.rounds_used,
        model.fit_seconds,
        model.size,
    )
    with pytest.raises(InputError, match="other feature columns"):
        again.predict(replace(train, features=train.features.drop("numerical_1")))


def test_a_file_of_a_version_without_the_weight_of_the_second_task_is_read(tmp_path, train):
    path = tmp_path / "model.pt"
    model = fitted(spec_of("shared_bottom"), train)
    model.write(path)
    stored = torch.load(path, weights_only=True)
    older = stored["description"].replace('"conversion_weight": 1.0, ', "")
    assert older != stored["description"]
    torch.save({**stored, "description": older}, path)
    again = load_network(path)
    np.testing.assert_array_equal(again.predict(train).pctcvr, model.predict(train).pctcvr)


def test_it_is_read_without_running_anything(tmp_path, train, monkeypatch):
    path = tmp_path / "model.pt"
    fitted(spec_of("mmoe"), train).write(path)
    load = torch.load
    seen = []
    monkeypatch.setattr(torch, "load", lambda *a, **k: seen.append(k["weights_only"]) or load(*a, **k))
    load_network(path)
    assert seen == [True]


def test_saving_again_replaces(tmp_path, train):
    path = tmp_path / "model.pt"
    for seed in (0, 1):
        model = fitted(spec_of("esmm", seed=seed), train)
        model.write(path)
    np.testing.assert_array_equal(load_network(path).predict(train).pctr, model.predict(train).pctr)
    assert [file.name for file in tmp_path.iterdir()] == ["model.pt"]


def test_another_device(tmp_path, train, monkeypatch):
    path = tmp_path / "model.pt"
    fitted(spec_of("esmm"), train).write(path)
    assert load_network(path, device="auto").spec.device == "auto"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InputError, match="sees 0 such devices"):
        load_network(path, device="cuda")


def test_an_untrained_network_is_not_saved(tmp_path):
    with pytest.raises(InputError, match="not trained; call fit first"):
        make_model(spec_of("ple")).write(tmp_path / "model.pt")


class Unwanted:
    """Its pickle would run something."""

    def __reduce__(self):
        return (print, ("ran",))


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"description": "{}"},
        {"description": "no json", "weights": {}},
        [1, 2],
        Unwanted(),
    ],
    ids=["empty", "half", "no json", "a list", "code"],
)
def test_other_files_are_refused(tmp_path, content, capsys):
    path = tmp_path / "model.pt"
    torch.save(content, path)
    with pytest.raises(InputError, match="is no saved network"):
        load_network(path)
    assert capsys.readouterr().out == ""


def test_broken_files_are_refused(tmp_path, train):
    path = tmp_path / "model.pt"
    with pytest.raises(InputError, match="is not a file"):
        load_network(path)
    fitted(spec_of("esmm"), train).write(path)
    whole = path.read_bytes()
    for part in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(part)
        with pytest.raises(InputError, match="is no saved network"):
            load_network(path)


def test_weights_of_another_network_are_refused(tmp_path, train):
    path = tmp_path / "model.pt"
    fitted(spec_of("esmm"), train).write(path)
    stored = torch.load(path, weights_only=True)
    stored["description"] = stored["description"].replace('"esmm"', '"mmoe"')
    torch.save(stored, path)
    with pytest.raises(InputError, match="is no saved network"):
        load_network(path)
