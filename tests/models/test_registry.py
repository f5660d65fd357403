"""The registry: what is added to it in one place is known everywhere."""

from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np
import pytest

from gbdt_pwiser.data import Dataset
from gbdt_pwiser.evaluation import compare
from gbdt_pwiser.models import (
    LOSSES,
    MODELS,
    Loss,
    ModelKind,
    ModelSpec,
    Predictions,
    Settings,
    exists_for,
    load_model,
    losses_of,
    make_model,
    models_of,
    save_model,
)
from gbdt_pwiser.models.registry import make_on_workers, versions_of
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from tests.models.helpers import SPEC, TREES, fitted, pctr
from tests.specs import varied

TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch")
NETWORKS = [pytest.param(name, marks=TORCH) for name in ("dnn", "mmoe")]


class Brier:
    """Squared error of the probability, by its definition."""

    def plan(self, grade, **more):
        return PWiseRLoss(weight=0).plan(grade, **more)

    def value(self, raw_score, plan):
        _, error = self._parts(raw_score, plan)
        return float((error**2).mean())

    def gradient_hessian(self, raw_score, plan, *, dtype=None):
        p, error = self._parts(raw_score, plan)
        slope = p * (1 - p)
        return (2 * error * slope).astype("float32"), (2 * slope**2 + 1e-3).astype("float32")

    def _parts(self, raw_score, plan):
        p = 1 / (1 + np.exp(-np.asarray(raw_score, dtype=np.float64)))
        error = p.copy()
        error[plan.clicked] -= 1
        return p, error


@dataclass
class Constant:
    """A model that predicts the rates of training; all that `Model` asks for, and no more."""

    spec: ModelSpec
    rounds_used, fit_seconds, size = 1, 0.0, 2

    def fit(self, train, valid, on_round=None):
        self.rates = float(train.click.mean()), float(train.conversion.mean())

    def predict(self, exposures):
        pctr, pctcvr = (np.full(len(exposures), rate) for rate in self.rates)
        return Predictions(pctr=pctr, pctcvr=pctcvr)

    def save(self, folder):
        return {"rates": list(self.rates)}

    def restore(self, folder, columns, state):
        self.rates = tuple(state["rates"])


@pytest.mark.parametrize("model", [*TREES, *NETWORKS])
def test_a_loss_of_scores_trains_every_model(model, monkeypatch, split):
    loss = Loss(name="brier", weight="It has none.", of_scores=lambda weight, pwiser: Brier())
    monkeypatch.setitem(LOSSES, "brier", loss)
    assert "brier" in losses_of(model)
    assert models_of("brier") == tuple(MODELS)
    bce = varied(SPEC, model=model)
    brier = pctr(replace(bce, loss="brier"), split)
    assert 0.5 < np.corrcoef(brier, pctr(bce, split))[0, 1] < 1
    rows = compare(Dataset(split.train), models=[model], losses=["brier"], seeds=[0], base=bce)
    assert {r.weight for r in rows} == {0.0}
    with pytest.raises(InputError, match="brier has no weight; leave it out"):
        replace(bce, loss="brier").with_weight(0.5)


@pytest.mark.parametrize("model", [*TREES, *NETWORKS])
def test_a_loss_of_weighted_rows_trains_every_model(model, monkeypatch, split):
    """Weights that are all 1 make it BCE."""
    ones = Loss(
        name="ones", weight="w.", weights=(1.0,), row_weight=lambda grade, w: np.ones(len(grade), "f4")
    )
    monkeypatch.setitem(LOSSES, "ones", ones)
    bce = varied(SPEC, model=model)
    np.testing.assert_allclose(pctr(replace(bce, loss="ones"), split), pctr(bce, split), rtol=0.02)


def test_a_loss_of_a_library_exists_for_its_models_alone(monkeypatch):
    monkeypatch.setitem(LOSSES, "own", Loss(name="own", weight="w.", native={"xgboost": None}))
    assert (models_of("own"), exists_for("own", "lightgbm")) == (("xgboost", "xgboost_shared"), False)


def test_a_model_is_trained_compared_and_saved(monkeypatch, split, tmp_path):
    monkeypatch.setitem(MODELS, "constant", ModelKind(make=Constant))
    model = fitted(ModelSpec(model="constant"), split)
    assert model.spec.settings == Settings()
    manifest = save_model(model, tmp_path / "model", split)
    assert manifest.files == {}
    assert "numpy" in versions_of("constant")
    again = load_model(tmp_path / "model").model
    assert (again.predict(split.test).pctcvr == split.train.conversion.mean()).all()
    rows = compare(Dataset(split.train), models=["constant"], losses=["bce"], seeds=[0])
    assert {r.value for r in rows if r.metric == "ctr_auc"} == {0.5}
    with pytest.raises(InputError, match="constant cannot be trained with Dask"):
        make_on_workers(ModelSpec(model="constant"), None)
    with pytest.raises(InputError, match="unknown model 'constnt'"):
        make_model(ModelSpec(model="constnt"))


def test_the_threads_of_a_loss_are_no_part_of_what_files_keep_of_a_spec():
    spec = ModelSpec(model="xgboost", pwiser=PWiseRLoss(weight=0.1))
    on_threads = ModelSpec(model="xgboost", pwiser=PWiseRLoss(weight=0.1, threads=3))
    assert on_threads.record() == spec.record()
    assert spec.record()["pwiser"]["weight"] == 0.1
    assert "threads" not in spec.record()["pwiser"]
