"""The protocol of a comparison: which rows it has, what reaches the models, and when test is seen."""

from dataclasses import replace

import numpy as np
import pytest

from gbdt_pwiser.data import Dataset, SplitOptions
from gbdt_pwiser.evaluation import check_complete, compare, summarize
from gbdt_pwiser.metrics import METRICS
from gbdt_pwiser.models import BoosterSettings, ModelSpec
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from tests.evaluation.written import answers, chosen_weights, compared, ranked, shares
from tests.specs import spec_of

# ------------------------------------------------------------------------------ the rows


def test_rows_are_complete_and_say_what_was_run(dataset, written):
    written()
    results = compared(dataset, models=["a", "b"], seeds=[3, 5])
    check_complete(results)
    cells = {(r.model, r.loss, r.seed, r.split) for r in results}
    assert len(cells) == 2 * 2 * 2 * 2
    assert len(results) == len(cells) * len(METRICS)  # simulated data have a value for every metric
    for r in results:
        assert (r.dataset, r.rounds, r.size, r.fit_seconds) == ("simulated", 7, 9, 0.25)
        assert r.predict_seconds >= 0
        assert r.weight == (0 if r.loss == "bce" else 0.01)
        assert "gbdt-pwiser " in r.versions
        assert "numpy " in r.versions
    assert len(summarize(results)) == 2 * 2 * len(METRICS)


def test_metrics_beside_those_of_every_table_are_on_both_splits_and_tested(dataset, written):
    """The one that the choice is by, and those that are asked for; all other values stay what they are."""
    written(lambda spec, part, exposures: ranked(exposures, 0.3 + spec.weight))
    options = {"weights": [0.01, 0.1], "replicates": 20}
    plain = compared(dataset, choose_by="ndcg@5", **options)
    more = compared(dataset, choose_by="ndcg@7", also=["map@2", "ndcg@7"], **options)
    check_complete(more)
    assert chosen_weights(more) == {0.1}
    beside = [r for r in more if r.metric in ("ndcg@7", "map@2")]
    assert len(beside) == 2 * 2 * 2
    tested = [r for r in beside if (r.loss, r.split) == ("pwiser", "test")]
    assert all(r.gain_error > 0 for r in tested)
    kept = [(r.cell, r.value, repr(r.gain_error)) for r in more if r not in beside]
    assert kept == [(r.cell, r.value, repr(r.gain_error)) for r in plain]
    with pytest.raises(InputError, match="unknown metric 'ndcg@'"):
        compared(dataset, also=["ndcg@"])


def test_values_are_those_of_the_split_they_name(dataset, written):
    written(lambda spec, part, exposures: ranked(exposures, {"valid": 0.25, "test": 0.75}[part]))
    values = {r.split: r.value for r in compared(dataset, losses=["bce"]) if r.metric == "ctr_auc"}
    assert values == pytest.approx({"valid": 0.625, "test": 0.875}, abs=2e-3)  # a whole number of clicks


def test_versions_name_the_library_of_the_model(dataset):
    base = spec_of("lightgbm", rounds=2, threads=1)
    results = compare(dataset, models=["lightgbm", "xgboost"], losses=["bce"], seeds=[0], base=base)
    for r in results:
        other = {"lightgbm": "xgboost", "xgboost": "lightgbm"}[r.model]
        assert f"{r.model} " in r.versions
        assert other not in r.versions


def test_trees_are_compared_on_tiny_data(dataset):
    base = spec_of("lightgbm", rounds=4, early_stopping=2, learning_rate=0.2, threads=1)
    options = {"models": ["lightgbm", "xgboost"], "losses": ["bce", "pwiser"], "weights": [0.01, 0.1]}
    first, again = (compare(dataset, seeds=[1], base=base, **options) for _ in range(2))
    check_complete(first)
    assert [(r.cell, r.value, r.weight) for r in first] == [(r.cell, r.value, r.weight) for r in again]
    assert all(1 <= r.rounds <= 4 for r in first)


# ------------------------------------------------------------------------------ the specs


def test_base_reaches_the_models(dataset, written):
    events = written()
    loss = PWiseRLoss(weight=0.5, surrogate="logistic", click_margin=0.2)
    settings = BoosterSettings(rounds=3, params={"x": 1})
    base = ModelSpec(model="other", settings=settings, pwiser=loss)
    compared(dataset, seeds=[4], weights=[0.2], base=base)
    specs = [event[1] for event in events if event[0] == "fit"]
    assert specs == [
        replace(base, model="a", seed=4),
        replace(base, model="a", seed=4, loss="pwiser", pwiser=replace(loss, weight=0.2)),
    ]


def test_without_weights_the_one_of_base_is_used(dataset, written):
    written()
    base = ModelSpec(model="a", pwiser=PWiseRLoss(weight=0.7))
    assert chosen_weights(compared(dataset, weights=None, base=base)) == {0.7}


@pytest.mark.filterwarnings("ignore:CTR AUC on test is 1")
def test_tuned_specs_stand_as_they_are(dataset, written):
    """A search's pwiser at weight 0 is still compared as pwiser, and its parameters differ from bce's."""
    events = written(answers)
    tuned = {
        "bce": spec_of("a", learning_rate=0.2),
        "pwiser": spec_of("a", loss="pwiser", learning_rate=0.3, pwiser=PWiseRLoss(weight=0.07)),
    }
    rows = compare(dataset, models=["a"], losses=["bce", "pwiser"], seeds=[4], tuned=tuned)
    fits = [event[1] for event in events if event[0] == "fit"]
    assert [(s.loss, s.settings.learning_rate, s.weight, s.seed) for s in fits] == [
        ("bce", 0.2, 0.0, 4),
        ("pwiser", 0.3, 0.07, 4),
    ]
    assert {r.weight for r in rows if r.loss == "pwiser"} == {0.07}
    events.clear()
    compare(dataset, models=["a"], losses=["pwiser"], seeds=[4], weights=[1, 2], tuned=tuned)
    fits = [event[1] for event in events if event[0] == "fit"]
    assert [(s.settings.learning_rate, s.weight) for s in fits] == [(0.3, 1), (0.3, 2)]


# ------------------------------------------------------------------------------ the test split


def test_the_test_split_is_seen_once_after_the_choice(dataset, written):
    events = written(shares({0.0: (0.5, 0.5), 0.01: (0.1, 1.0), 0.1: (0.9, 0.0), 1.0: (0.5, 0.5)}))
    compared(dataset)
    assert [(event[0], event[1].loss, event[1].weight) for event in events] == [
        ("fit", "bce", 0),
        ("valid", "bce", 0),
        ("test", "bce", 0),
        ("fit", "pwiser", 0.01),
        ("valid", "pwiser", 0.01),
        ("fit", "pwiser", 0.1),
        ("valid", "pwiser", 0.1),
        ("fit", "pwiser", 1.0),
        ("valid", "pwiser", 1.0),
        ("test", "pwiser", 0.1),
    ]


def test_all_models_of_a_seed_share_a_split_and_seeds_differ(dataset, written):
    events = written()
    compared(dataset, models=["a", "b"], seeds=[0, 1])
    parts = {
        seed: {
            kind: [event[2:] for event in events if event[0] == kind and event[1].seed == seed]
            for kind in ("fit", "test")
        }
        for seed in (0, 1)
    }
    for seed in (0, 1):
        fits, tests = parts[seed]["fit"], parts[seed]["test"]
        assert (len(fits), len(tests)) == (2 * (1 + 3), 2 * 2)
        # one object each, so that a model can keep what it makes of them
        assert len({id(train) for train, _ in fits}) == len({id(valid) for _, valid in fits}) == 1
        assert len({id(test) for (test,) in tests}) == 1
        (train, valid), (test,) = fits[0], tests[0]
        groups = [set(part.group.tolist()) for part in (train, valid, test)]
        assert sum(map(len, groups)) == len(set.union(*groups))
        assert len(train) + len(valid) + len(test) == len(dataset.exposures)
        np.testing.assert_array_equal(test.grade, dataset.split(seed).test.grade)
    assert set(parts[0]["test"][0][0].group) != set(parts[1]["test"][0][0].group)


def test_on_test_gets_each_scored_model_once(dataset, written):
    written(shares({0.0: (0.5, 0.5), 0.01: (0.1, 0.1), 0.1: (0.9, 0.3), 1.0: (0.5, 0.5)}))
    calls = []
    compared(dataset, models=["a", "b"], seeds=[0, 1], on_test=lambda *call: calls.append(call))
    assert [(spec.seed, spec.model, spec.loss, spec.weight) for spec, _, _ in calls] == [
        (seed, model, loss, weight)
        for seed in (0, 1)
        for model in ("a", "b")
        for loss, weight in (("bce", 0), ("pwiser", 0.1))
    ]
    for spec, test, predictions in calls:
        np.testing.assert_array_equal(test.grade, dataset.split(spec.seed).test.grade)
        expected = ranked(test, 0.5 if spec.loss == "bce" else 0.3)
        np.testing.assert_array_equal(predictions.pctr, expected.pctr)


def test_a_test_auc_that_cannot_be_true_is_told_once(dataset, written):
    """For the first of the models, losses and seeds that have one, and not where there are few clicks."""
    written(lambda spec, part, exposures: ranked(exposures, 0.5 if spec.loss == "bce" else 1.0))
    options = {"models": ["a", "b"], "losses": ["bce", "pwiser"], "replicates": 0}
    with pytest.warns(UserWarning, match="CTR AUC on test") as told:
        compare(dataset, seeds=[7, 8], **options)
    assert [str(warning.message) for warning in told] == [
        "CTR AUC on test is 1.0000 (a, pwiser, seed 7), which says that a feature knows the click; "
        "list in ignore what is known only after the exposure"
    ]
    few = dataset.exposures.take(np.arange(300))
    assert few.click.sum() < 100
    compare(Dataset(few, SplitOptions("row")), seeds=[0], **options)


# ------------------------------------------------------------------------------ tests of gains, calibration


@pytest.mark.filterwarnings("ignore:CTR AUC on test is 1")
def test_gains_are_tested_on_the_test_sample_whatever_the_order(dataset, written):
    written(answers)
    rows = compare(dataset, models=["a", "b"], losses=["pwiser", "bce"], seeds=[0], replicates=20)
    assert list(dict.fromkeys((r.model, r.loss) for r in rows)) == [
        *(("a", "bce"), ("a", "pwiser"), ("b", "bce"), ("b", "pwiser"))
    ]
    errors = {(r.loss, r.split, r.metric): r.gain_error for r in rows if r.model == "b"}
    assert 0 < errors["pwiser", "test", "ctr_auc"] < 0.1
    assert errors["pwiser", "test", "log_loss"] > 0
    assert np.isnan(errors["bce", "test", "ctr_auc"])
    assert np.isnan(errors["pwiser", "valid", "ctr_auc"])
    gain = next(s for s in summarize(rows) if (s.model, s.loss, s.metric) == ("b", "pwiser", "ctr_auc"))
    assert gain.gain == pytest.approx(0.25, abs=0.002)
    assert gain.verdict == "better"


def test_without_bootstrap_or_baseline_nothing_is_tested(dataset, written):
    written(answers)
    for options in ({"losses": ["bce", "pwiser"], "replicates": 0}, {"losses": ["pwiser"]}):
        with pytest.warns(UserWarning, match=r"CTR AUC on test is 1\.0000"):
            rows = compare(dataset, models=["a"], seeds=[0], **options)
        assert all(np.isnan(r.gain_error) for r in rows)


def test_calibration_is_fitted_on_validation_and_scored_on_test(dataset, written):
    written(answers)
    rows = compare(dataset, models=["a"], losses=["bce"], seeds=[0], calibrate="isotonic")
    by = {(r.split, r.metric): r.value for r in rows}
    check_complete(rows)
    assert by["test", "pcoc"] > 2
    assert by["test_isotonic", "pcoc"] == pytest.approx(1.0, abs=0.1)
    assert by["test_isotonic", "ctr_auc"] == pytest.approx(by["test", "ctr_auc"])
    assert by["test_isotonic", "cvr_auc"] == pytest.approx(by["test", "cvr_auc"])
    with pytest.raises(InputError, match="unknown calibration 'beta'; choose one of none, isotonic, sigmoid"):
        compare(dataset, models=["a"], losses=["bce"], seeds=[0], calibrate="beta")
