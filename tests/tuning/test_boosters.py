"""The search on the real boosters: rounds are reported, pruning unwinds, features are binned once."""

import lightgbm
import numpy as np
import optuna
import pytest

from gbdt_pwiser.data import Dataset
from gbdt_pwiser.models import make_model
from gbdt_pwiser.models.boosters import lightgbm_model, xgboost_model
from gbdt_pwiser.objectives import auc
from gbdt_pwiser.sources import simulate
from gbdt_pwiser.tuning import tune
from tests.specs import spec_of

BOOSTERS = ["lightgbm", "xgboost"]


@pytest.fixture
def fresh():
    """A split that no model has binned yet."""
    return Dataset(simulate(3000, ctr=0.2, cvr=0.3).exposures).split(0)


@pytest.mark.parametrize("model", BOOSTERS)
@pytest.mark.parametrize("loss", ["bce", "pwiser"])
def test_each_round_is_reported_with_its_auc(model, loss):
    # Enough rows for each code to occur in training: XGBoost's binned validation knows no others.
    split = Dataset(simulate(20_000, ctr=0.2, cvr=0.3).exposures).split(0)
    told = []
    spec = spec_of(model, loss=loss, rounds=6, threads=1)
    trained = make_model(spec)
    trained.fit(split.train, split.valid, on_round=lambda *report: told.append(report))
    clicks, predictions = split.valid.click, trained.predict(split.valid)
    scores = {
        "click": auc(predictions.pctr, clicks),
        "conversion": auc(predictions.pcvr[clicks], split.valid.conversion[clicks]),
    }
    assert [(number, *aucs) for number, aucs in told] == [(n, task) for task in scores for n in range(6)]
    for task, score in scores.items():
        best = max(aucs[task] for _, aucs in told if task in aucs)
        assert best == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("model", BOOSTERS)
def test_what_a_report_raises_ends_the_training_and_the_next_one_is_whole(fresh, model):
    spec = spec_of(model, loss="pwiser", rounds=6, threads=1)

    def stop(number, _):
        if number == 2:
            raise optuna.TrialPruned

    with pytest.raises(optuna.TrialPruned):
        make_model(spec).fit(fresh.train, fresh.valid, on_round=stop)
    told = []
    for split in (fresh, Dataset(simulate(3000, ctr=0.2, cvr=0.3).exposures).split(0)):
        trained = make_model(spec)
        trained.fit(split.train, split.valid)
        told.append(trained.predict(split.valid).pctr)
    np.testing.assert_array_equal(*told)


@pytest.mark.parametrize("model", BOOSTERS)
@pytest.mark.parametrize("space", ["loss", "both"])
def test_features_are_binned_once_for_all_trials(fresh, model, space, tmp_path, monkeypatch):
    binned = []

    def counted(make):
        def made(features, *arguments, **options):
            # Boosters for conversions see clicked rows; only those on all rows are counted.
            if len(features) == len(fresh.train):
                binned.append("sorted by group" if options.get("group") is not None else "as they come")
            return make(features, *arguments, **options)

        return made

    monkeypatch.setattr(lightgbm_model, "make_dataset", counted(lightgbm_model.make_dataset))
    monkeypatch.setattr(xgboost_model, "make_dmatrix", counted(xgboost_model.make_dmatrix))
    spec = spec_of(model, rounds=4, threads=1)
    found = tune(fresh, spec, output=tmp_path, space=space, n_trials=7)
    assert [t.state for t in found.trials].count("failed") == 0
    assert len({t.parameters.get("num_leaves", t.parameters.get("max_depth")) for t in found.trials}) > (
        2 if space == "both" else 0
    )
    # Once for each order of the rows: pairs inside groups want a group's rows side by side.
    assert sorted(binned) == sorted(set(binned))
    assert "as they come" in binned


def test_a_booster_that_refuses_is_a_failed_trial(fresh, tmp_path, monkeypatch):
    whole = lightgbm_model.LightGBMModel._train

    def refuse(self, *arguments):
        if self.spec.weight > 0.02:
            raise lightgbm.basic.LightGBMError("too heavy")
        return whole(self, *arguments)

    monkeypatch.setattr(lightgbm_model.LightGBMModel, "_train", refuse)
    found = tune(fresh, spec_of("lightgbm", rounds=3, threads=1), output=tmp_path, n_trials=8)
    errors = {t.error for t in found.trials if t.state == "failed"}
    assert errors == {"InputError: lightgbm refuses the data or a parameter: too heavy"}
