"""A warm-up, and margins as quantiles, through models, files, searches and the command line."""

import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from gbdt_pwiser.models import load_model, make_model, save_model
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.tuning import Choice, SearchSpace, read_params, tune
from tests.command_line import COMPARE, SIMULATED, refused
from tests.models.helpers import SPEC, fitted
from tests.specs import varied

LOSS = PWiseRLoss(weight=0.3, click_margin="q50", impression_margin="q75", warm_up=3)
BOOSTERS = ["lightgbm", "xgboost", "xgboost_shared"]


@pytest.fixture(params=BOOSTERS)
def spec(request):
    return varied(
        SPEC, model=request.param, loss="pwiser", pwiser=LOSS, rounds=8, early_stopping=8, learning_rate=0.05
    )


def test_the_spec_of_a_trained_model_has_the_numbers(spec, split):
    model = fitted(spec, split)
    loss = model.spec.pwiser
    assert loss.is_fixed
    assert (loss.weight, loss.warm_up) == (LOSS.weight, LOSS.warm_up)
    # They are those of the scores at the end of the warm-up, as a model of so many rounds has them.
    warm = fitted(varied(spec, loss="bce", rounds=3), split)
    warm._click = replace(warm._click, rounds=3)  # whichever of them is best on validation
    expected = LOSS.fixed_at(logit(warm.predict(split.train).pctr), split.train.grade)
    assert loss.click_margin == pytest.approx(expected.click_margin, rel=1e-4)
    assert loss.impression_margin == pytest.approx(expected.impression_margin, rel=1e-4)


def test_with_the_numbers_it_is_the_same_model(spec, split):
    model = fitted(spec, split)
    again = fitted(replace(spec, pwiser=model.spec.pwiser), split)
    np.testing.assert_array_equal(again.predict(split.test).pctr, model.predict(split.test).pctr)
    # and the warm-up is no part of it that could be left out
    cold = fitted(replace(spec, pwiser=replace(model.spec.pwiser, warm_up=0)), split)
    assert np.abs(cold.predict(split.test).pctr - model.predict(split.test).pctr).max() > 1e-4


def test_a_second_fit_asks_for_the_quantiles_again(spec, split):
    model = make_model(spec)
    for part in (split.valid, split.train):
        model.fit(part, split.valid)
    assert model.spec.pwiser == fitted(spec, split).spec.pwiser


def test_the_manifest_has_the_numbers(spec, split, tmp_path):
    model = fitted(spec, split)
    save_model(model, tmp_path / "model", split=split)
    stored = json.loads((tmp_path / "model/manifest.json").read_text())["spec"]["pwiser"]
    assert stored["click_margin"] == model.spec.pwiser.click_margin
    loaded = load_model(tmp_path / "model").model
    assert loaded.spec.pwiser == model.spec.pwiser
    np.testing.assert_array_equal(loaded.predict(split.test).pctr, model.predict(split.test).pctr)


def test_a_training_that_ends_in_the_warm_up_knows_no_numbers(split):
    spec = varied(SPEC, model="lightgbm", loss="pwiser", pwiser=replace(LOSS, warm_up=50))
    assert fitted(spec, split).spec.pwiser == spec.pwiser


def test_networks_and_workers_refuse_what_they_cannot():
    for name in ("dnn", "mmoe"):
        with pytest.raises(InputError, match=f"warm_up is 3, in boosting rounds, and {name} has none"):
            make_model(varied(SPEC, model=name, loss="pwiser", pwiser=LOSS))
        # Other losses have no warm-up, whatever stands beside them.
    from gbdt_pwiser.models.boosters.dask_model import DaskXGBoostModel

    spec = varied(SPEC, model="xgboost", loss="pwiser", pwiser=LOSS)
    with pytest.raises(InputError, match="margins are 'q50' and 'q75', and workers do not tell"):
        DaskXGBoostModel(spec, client=None)


# ------------------------------------------------------------------------------ search


def test_a_search_leaves_numbers_in_best_toml(split, tmp_path):
    spec = varied(SPEC, model="lightgbm", rounds=6, early_stopping=6, learning_rate=0.05)
    space = SearchSpace(
        {"click_margin": Choice(("q50", "q90"))}, {"weight": 0.3, "impression_margin": "q75", "warm_up": 2}
    )
    found = tune(split, spec=spec, space=space, n_trials=2, output=tmp_path)
    (trial,) = [t for t in found.trials if t is found.best and t.study == "pwiser"] or [found.trials[0]]
    assert trial.parameters["click_margin"] in ("q50", "q90")
    assert all(isinstance(margin, float) for margin in trial.margins.values())
    if found.best.weight > 0:
        assert tomllib.loads((tmp_path / "best.toml").read_text())["loss"]["warm_up"] == 2
    loss = read_params(tmp_path / "best.toml")["pwiser"].pwiser
    assert loss.is_fixed or found.best.weight == 0


def test_a_space_with_quantiles_needs_a_warm_up(split, tmp_path):
    space = SearchSpace({"click_margin": Choice(("q50", 0.1))})
    spec = varied(SPEC, model="lightgbm")
    with pytest.raises(InputError, match="click_margin may be q50, a quantile"):
        tune(split, spec=spec, space=space, n_trials=2, output=tmp_path)
    with pytest.raises(InputError, match="without a warm-up"):
        tune(
            split,
            spec=spec,
            space=SearchSpace({**space.parameters, "warm_up": Choice((0, 5))}),
            n_trials=2,
            output=tmp_path,
        )


def test_quantiles_are_a_space_of_their_own(split, tmp_path):
    spec = varied(SPEC, model="lightgbm", rounds=4, early_stopping=4, learning_rate=0.05)
    found = tune(split, spec=spec, space="quantiles", n_trials=3, output=tmp_path)
    assert {trial.state for trial in found.trials} <= {"complete", "pruned"}
    assert all(trial.parameters["click_margin"].startswith("q") for trial in found.trials)


# ------------------------------------------------------------------------------ command line


def test_on_the_command_line(run, tmp_path):
    args = ["--loss", "pwiser", "--click-margin", "q50", "--warm-up", "2", "--model", "lightgbm"]
    code, _, err = run("train", *SIMULATED, *args, "--output", str(tmp_path / "model"))
    assert code == 0, err
    loss = json.loads((tmp_path / "model/manifest.json").read_text())["spec"]["pwiser"]
    assert isinstance(loss["click_margin"], float)
    assert loss["impression_margin"] == 0.3


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--click-margin", "half"], "--click-margin is 'half'; give a number such as 0.1, or q50"),
        (["--click-margin", "q50"], "click_margin is 'q50', a quantile of what BCE has learnt"),
        (["--impression-margin", "q101", "--warm-up", "3"], "impression_margin is 'q101'; give a number"),
        (["--warm-up", "-1"], "warm_up is -1; give a whole number from 0"),
    ],
)
def test_what_is_refused(run, args, told):
    assert told in refused(run(*COMPARE, *args))
