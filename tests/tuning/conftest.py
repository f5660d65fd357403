"""A search that takes no time, by a model whose quality is known."""

import pytest

from gbdt_pwiser.models import MODELS
from gbdt_pwiser.tuning import _confirm, tune
from tests.specs import spec_of
from tests.tuning.helpers import BestAt, network, small_split


@pytest.fixture(scope="package")
def split():
    return small_split()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Leave out what takes longer than all the rest of a search of this size."""
    monkeypatch.setattr(_confirm, "REPLICATES", 20)


@pytest.fixture
def fake(monkeypatch):
    """A subclass of BestAt for this test, known as the model "fake"."""
    model = type("Fake", (BestAt,), {})
    monkeypatch.setitem(MODELS, "fake", network(model))
    return model


@pytest.fixture
def search(split, fake, tmp_path):
    """Tune the fake model in a folder of this test."""

    def search(**options):
        spec = options.pop("spec", spec_of("fake", epochs=10))
        output = options.setdefault("output", tmp_path / "out")
        output.mkdir(exist_ok=True)
        # A journal is read and written faster than the database that a search has by itself.
        return tune(split, spec, **{"n_trials": 9, "storage": str(output / "study.log"), **options})

    return search
