"""The table of results that is worked out by hand; and data to compare on, by a model under control."""

import pytest

from gbdt_pwiser.data import Dataset
from gbdt_pwiser.models import MODELS, BoosterSettings, ModelKind
from gbdt_pwiser.sources import simulate
from tests.evaluation.written import Written, ranked
from tests.results import results

__all__ = ["results"]


@pytest.fixture(scope="package")
def dataset():
    return Dataset(simulate(4000, ctr=0.2, cvr=0.3).exposures)


@pytest.fixture
def written(monkeypatch):
    """Register the models "a" and "b", which answer alike; return the list of what happens to them."""

    def register(answer=lambda spec, part, exposures: ranked(exposures, 0.5)):
        events = []
        for name in ("a", "b"):
            kind = ModelKind(make=lambda spec: Written(spec, answer, events), settings=BoosterSettings)
            monkeypatch.setitem(MODELS, name, kind)
        return events

    return register
