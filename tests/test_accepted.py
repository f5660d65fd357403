"""What a user may type in the place of plain numbers and paths: NumPy's numbers, and texts."""

import json
from dataclasses import asdict
from importlib.util import find_spec

import numpy as np
import polars as pl
import pytest

import gbdt_pwiser as gp
from gbdt_pwiser.data.prepared import load_prepared
from gbdt_pwiser.evaluation import (
    Details,
    read_details,
    read_results,
    records,
    write_details,
    write_results,
)
from gbdt_pwiser.sources import load_description, prepare
from gbdt_pwiser.sources.generate import write_ali_ccp, write_aliexpress
from gbdt_pwiser.tuning import loss_space, read_params, read_space

I, F = np.int64, np.float32
NETWORK = gp.NetworkSettings(
    embedding=I(2),
    bins=I(0),
    bottom=(I(4),),
    towers=(I(4),),
    experts=I(2),
    epochs=I(1),
    patience=I(1),
    batch_size=I(256),
    dropout=F(0.25),
)
SETTINGS = {
    "lightgbm": gp.BoosterSettings(rounds=I(3), early_stopping=I(3), params={"num_leaves": I(7)}),
    "xgboost": gp.BoosterSettings(rounds=I(3), early_stopping=I(3), params={"max_depth": I(3)}),
    "mmoe": NETWORK,
}
MODELS = [
    pytest.param(name, marks=pytest.mark.skipif(name == "mmoe" and not find_spec("torch"), reason="no torch"))
    for name in SETTINGS
]


@pytest.fixture(scope="module")
def dataset():
    return gp.load("simulated", n_exposures=I(3000), ctr=0.2, cvr=0.3, seed=I(1))


@pytest.fixture(scope="module")
def split(dataset):
    return dataset.split(seed=I(0))


def spec_of(model):
    loss = gp.PWiseRLoss(weight=F(0.25), click_margin=I(0))
    return gp.ModelSpec(
        model=model, loss="pwiser", pwiser=loss, seed=I(1), threads=I(1), settings=SETTINGS[model]
    )


@pytest.mark.parametrize("model", MODELS)
def test_numbers_become_pythons_own(model):
    told = asdict(spec_of(model))
    assert json.loads(json.dumps(told))["pwiser"]["weight"] == 0.25


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_trained_saved_and_read(model, split, tmp_path):
    folder, source, target = (str(tmp_path / name) for name in ("model", "in.parquet", "out.parquet"))
    trained = gp.make_model(spec_of(model))
    trained.fit(split.train, split.valid)
    gp.save_model(trained, folder, split)
    assert gp.load_model(folder, threads=I(1)).manifest.spec == spec_of(model)
    split.test.features.write_parquet(source)
    gp.Predictor.load(folder).predict_file(source, target, batch_size=I(1 << 20))
    np.testing.assert_array_equal(pl.read_parquet(target)["pctr"], trained.predict(split.test).pctr)
    if model == "mmoe":
        from gbdt_pwiser.models.neural import load_network

        trained.write(str(tmp_path / "mmoe.pt"))
        assert load_network(str(tmp_path / "mmoe.pt")).spec == trained.spec


def test_a_comparison_is_written_and_read(dataset, tmp_path):
    results, told = str(tmp_path / "results.parquet"), str(tmp_path / "details.json")
    details = Details()
    found = gp.compare(
        dataset,
        models=["xgboost"],
        losses=["bce", "pwiser"],
        seeds=[I(0)],
        weights=[F(0.25)],
        base=spec_of("xgboost"),
        replicates=I(3),
        details=details,
    )
    write_results(found, results)
    write_details(details, told)
    assert [r.value for r in read_results(results)] == [r.value for r in found]
    assert read_details(told).sweep == details.sweep
    json.dumps(records(found))
    if find_spec("matplotlib"):
        from gbdt_pwiser.report import write_report

        write_report(str(tmp_path / "report.html"), found, details)


def test_a_search_is_written_and_read(split, tmp_path):
    (tmp_path / "space.toml").write_text("weight = [0.1, 0.25]\n")
    space = read_space(str(tmp_path / "space.toml"), loss_space(grouped=False))
    output = str(tmp_path / "search")
    found = gp.tune(split, spec_of("xgboost"), output=output, space=space, n_trials=I(3), seed=I(2))
    assert read_params(f"{output}/best.toml")["pwiser"].weight == found.best.weight


def test_data_are_written_and_read(dataset, tmp_path):
    raw, data = str(tmp_path / "raw"), str(tmp_path / "data")
    write_aliexpress(f"{raw}/us", I(300), seed=I(1))
    write_ali_ccp(f"{raw}/ccp", I(300), seed=I(1))
    for name in ("us", "ccp"):
        prepare(name, f"{raw}/{name}", data, skip_bad_lines=I(0), progress=False)
        assert len(gp.load(name, data_dir=data).exposures) == len(load_prepared(f"{data}/{name}"))
    exposures = dataset.exposures
    exposures.features.with_columns(pl.Series("g", exposures.grade)).write_parquet(tmp_path / "x.parquet")
    (tmp_path / "x.toml").write_text('source = "x.parquet"\ngrade = "g"\n')
    own = load_description(str(tmp_path / "x.toml"), source=str(tmp_path / "x.parquet"))
    np.testing.assert_array_equal(own.exposures.grade, exposures.grade)
