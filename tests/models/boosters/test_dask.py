"""A model that two Dask workers train is the one of a single process, and saved like it."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.stored import StoredFeatures
from gbdt_pwiser.models import load_model, save_model
from gbdt_pwiser.models.boosters.dask_model import DaskXGBoostModel
from gbdt_pwiser.models.registry import make_on_workers
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from tests.models.helpers import ODD, SPEC, every_part, fitted, make_split, renamed
from tests.specs import varied

pytest.importorskip("dask.array", reason="dask is not installed")
dd = pytest.importorskip("distributed", reason="distributed is not installed")

pytestmark = pytest.mark.filterwarnings("default")  # Dask's own warnings are none of ours

# Each worker would draw rows of its own.
EXACT = {"subsample": 1.0, "colsample_bytree": 1.0}
WEIGHTY = varied(SPEC, model="xgboost", loss="pwiser", pwiser=PWiseRLoss(weight=0.5), params=EXACT)


@pytest.fixture(scope="module")
def client():
    with (
        dd.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        dd.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def split():
    """Few values in each column, so that the cuts do not depend on who holds which row."""

    def coarse(part: Exposures) -> Exposures:
        numbers = [name for name in part.features.columns if name not in part.categorical]
        return replace(
            part, features=part.features.with_columns((pl.col(name) * 4).round() for name in numbers)
        )

    return every_part(make_split(), coarse)


def on_workers(spec, split, client):
    model = DaskXGBoostModel(spec, client)
    model.fit(split.train, split.valid)
    return model


def stored(part, folder):
    """The same exposures, their features in a file."""
    path = folder / f"{len(part)}.parquet"
    part.features.write_parquet(path)
    return replace(part, features=StoredFeatures.open([path], part.features.schema))


@pytest.mark.parametrize("loss", ["bce", "pwiser"])
def test_it_is_the_model_of_one_process(loss, client, split, tmp_path):
    spec = replace(WEIGHTY, loss=loss)
    model, alone = on_workers(spec, split, client), fitted(spec, split)
    save_model(model, tmp_path / "model", split)
    again, manifest = load_model(tmp_path / "model")
    assert (model.rounds_used, manifest.spec) == (alone.rounds_used, spec)
    expected = alone.predict(split.test)
    for each in (model, again):
        predicted = each.predict(split.test)
        np.testing.assert_allclose(predicted.pctr, expected.pctr, atol=1e-5)
        np.testing.assert_allclose(predicted.pctcvr, expected.pctcvr, atol=1e-5)
    rounds = [0, 1, alone.rounds_used]
    staged = zip(*(each.raw_scores_at(split.train, rounds) for each in (model, alone)), strict=True)
    for (_, there), (_, here) in staged:
        np.testing.assert_allclose(there, here, atol=1e-4)
    assert expected.pctr.std() > 0.01
    assert again.size == alone.size


def test_open_clicks_are_open_on_workers_too(client, split):
    def opened(part):
        return replace(
            part,
            grade=np.where(part.grade == 1, np.where(np.arange(len(part)) % 2, 3, 1), part.grade).astype(
                np.int8
            ),
        )

    some_open = every_part(split, opened)
    found = on_workers(WEIGHTY, some_open, client).predict(split.test).pctr
    np.testing.assert_allclose(found, fitted(WEIGHTY, some_open).predict(split.test).pctr, atol=1e-5)
    assert np.abs(found - fitted(WEIGHTY, split).predict(split.test).pctr).max() > 1e-3


def test_any_name_trains_and_is_constrained(client, split):
    odd = renamed(split)
    spec = varied(WEIGHTY, params={**EXACT, "monotone_constraints": dict.fromkeys(ODD[4:], -1)})
    model, alone = on_workers(spec, odd, client), fitted(spec, odd)
    np.testing.assert_allclose(model.predict(odd.test).pctr, alone.predict(odd.test).pctr, atol=1e-5)
    np.testing.assert_allclose(model.predict(odd.test).pctcvr, alone.predict(odd.test).pctcvr, atol=1e-5)


def test_workers_read_stored_features(client, split, tmp_path):
    there = every_part(split, lambda part: stored(part, tmp_path))
    in_memory, read = (on_workers(WEIGHTY, parts, client) for parts in (split, there))
    np.testing.assert_allclose(read.predict(split.test).pctr, in_memory.predict(split.test).pctr, atol=1e-6)


def test_train_on_a_scheduler(client, run, tmp_path):
    arguments = [
        "train", "--dataset", "simulated", "--exposures", "3000", "--ctr", "0.2", "--cvr", "0.3", "--model",
        "xgboost", "--rounds", "3", "--weight", "0.1", "--output", tmp_path / "model",
    ]  # fmt: skip
    code, out, _ = run(*arguments, "--dask", client.scheduler.address)
    assert (code, out.splitlines()[-1]) == (0, str(tmp_path / "model"))
    manifest = load_model(tmp_path / "model").manifest
    assert (manifest.spec.model, manifest.spec.settings.rounds) == ("xgboost", 3)
    assert manifest.validation["ctr_auc"] > 0.5


def test_compare_on_a_scheduler(client, run):
    arguments = [
        "compare", "--dataset", "simulated", "--exposures", "3000", "--ctr", "0.2", "--cvr", "0.3", "--model",
        "xgboost", "--rounds", "3", "--weight", "0.1", "--seeds", "1", "--bootstrap", "0", "--json",
    ]  # fmt: skip
    code, out, _ = run(*arguments, "--dask", client.scheduler.address)
    rows = {(r["loss"], r["metric"], r["split"]): r for r in json.loads(out)}
    assert code == 0
    assert {loss for loss, _, _ in rows} == {"bce", "pwiser"}
    assert rows["pwiser", "ctr_auc", "test"]["value"] > 0.5
    assert rows["pwiser", "ctr_auc", "test"]["fit_seconds"] > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "lightgbm"}, "lightgbm cannot be trained with Dask, whose workers share the pairs"),
        ({"model": "mmoe"}, "mmoe cannot be trained with Dask"),
        ({"loss": "weighted_bce"}, "weighted_bce cannot be trained with Dask; choose bce, or pwiser"),
        ({"pwiser": PWiseRLoss(pairs="group")}, "pwiser in groups cannot be trained with Dask"),
        ({"external_memory": True}, "workers keep their bins in memory; leave external_memory out"),
        (
            {"stop_by": "gauc"},
            "stop by ctr_auc alone, not by gauc; leave stop_by out",
        ),
    ],
)
def test_what_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        make_on_workers(varied(WEIGHTY, **change), client=None)


def test_a_cluster_without_workers(split):
    class Idle:
        def nthreads(self):
            return {}

    with pytest.raises(InputError, match="the Dask cluster has no workers; start some"):
        on_workers(WEIGHTY, split, Idle())


def test_no_scheduler(run, tmp_path, monkeypatch):
    monkeypatch.setattr("gbdt_pwiser.cli._dask.SECONDS_TO_CONNECT", 0.2)
    arguments = ["train", "--dataset", "simulated", "--exposures", "3000", "--output", tmp_path / "model"]
    for address in ("tcp://127.0.0.1:9", "nonsense://"):
        code, _, err = run(*arguments, "--model", "xgboost", "--dask", address)
        assert (code, err.splitlines()[-1].partition(" (")[0]) == (
            2,
            f"gbdt-pwiser: no Dask scheduler answers at {address}",
        )
    code, _, err = run(*arguments, "--dask", "tcp://127.0.0.1:9")
    assert (code, err.partition(",")[0]) == (2, "gbdt-pwiser: lightgbm cannot be trained with Dask")
