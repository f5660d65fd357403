"""The protocol of the comparison, on a model whose predictions are written down by the test."""

import importlib
from dataclasses import dataclass, replace

import numpy as np
import pytest

from gbdt_pwiser.data import Dataset, SplitOptions
from gbdt_pwiser.evaluation import Details, check_complete, compare, summarize
from gbdt_pwiser.evaluation.details import check_belongs
from gbdt_pwiser.metrics import METRICS
from gbdt_pwiser.models import MODELS, BoosterSettings, ModelKind, ModelSpec, Predictions
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.sources import simulate
from tests.specs import spec_of

# The package exports the function under the name of its module.
module = importlib.import_module("gbdt_pwiser.evaluation.compare")


@pytest.fixture(scope="module")
def dataset():
    return Dataset(simulate(4000, ctr=0.2, cvr=0.3).exposures)


# ------------------------------------------------------------------------------ a model under control


def ranked(part, share, low=0.1, high=0.3):
    """Give `share` of the clicks the high pCTR, and nothing else: CTR AUC = 0.5 + share / 2."""
    pctr = np.full(len(part), low)
    clicks = np.flatnonzero(part.click)
    pctr[clicks[: round(share * len(clicks))]] = high
    return Predictions(pctr=pctr, pctcvr=0.5 * pctr)


@dataclass
class Written:
    """A model that predicts what `answer(spec, part, exposures)` says and notes all it is asked."""

    spec: ModelSpec
    answer: object
    events: list
    rounds_used = 7
    size = 9
    fit_seconds = 0.25

    def fit(self, train, valid, on_round=None):
        for number in range(10):
            on_round(number, {"click": 0.5 + 0.01 * number})
        on_round(0, {"conversion": 0.9})  # of a model of its own, and so no round of the curve
        self.train, self.valid = train, valid
        self.events.append(("fit", self.spec, train, valid))

    def predict(self, exposures):
        assert exposures is not self.train
        part = "valid" if exposures is self.valid else "test"
        self.events.append((part, self.spec, exposures))
        return self.answer(self.spec, part, exposures)


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


def run(dataset, **options):
    defaults = {"models": ["a"], "losses": ["bce", "pwiser"], "seeds": [0], "weights": [0.01, 0.1, 1.0]}
    return compare(dataset, **{**defaults, **options})


def chosen_weights(results):
    return {r.weight for r in results if r.loss == "pwiser"}


# ------------------------------------------------------------------------------ the rows


def test_rows_are_complete_and_say_what_was_run(dataset, written):
    written()
    results = run(dataset, models=["a", "b"], seeds=[3, 5])
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


def test_values_are_those_of_the_split_they_name(dataset, written):
    written(lambda spec, part, exposures: ranked(exposures, {"valid": 0.25, "test": 0.75}[part]))
    values = {r.split: r.value for r in run(dataset, losses=["bce"]) if r.metric == "ctr_auc"}
    assert values == pytest.approx({"valid": 0.625, "test": 0.875}, abs=2e-3)  # a whole number of clicks


def test_versions_name_the_library_of_the_model(dataset):
    base = spec_of("lightgbm", rounds=2, threads=1)
    results = compare(dataset, models=["lightgbm", "xgboost"], losses=["bce"], seeds=[0], base=base)
    for r in results:
        other = {"lightgbm": "xgboost", "xgboost": "lightgbm"}[r.model]
        assert f"{r.model} " in r.versions
        assert other not in r.versions


def test_base_reaches_the_models(dataset, written):
    events = written()
    loss = PWiseRLoss(weight=0.5, surrogate="logistic", click_margin=0.2)
    settings = BoosterSettings(rounds=3, params={"x": 1})
    base = ModelSpec(model="other", settings=settings, pwiser=loss)
    run(dataset, seeds=[4], weights=[0.2], base=base)
    specs = [event[1] for event in events if event[0] == "fit"]
    assert specs == [
        replace(base, model="a", seed=4),
        replace(base, model="a", seed=4, loss="pwiser", pwiser=replace(loss, weight=0.2)),
    ]


def test_without_weights_the_one_of_base_is_used(dataset, written):
    written()
    base = ModelSpec(model="a", pwiser=PWiseRLoss(weight=0.7))
    assert chosen_weights(run(dataset, weights=None, base=base)) == {0.7}


# ------------------------------------------------------------------------------ the choice


def shares(table):
    """Answer with these shares of clicks ranked right, (validation, test) by weight."""

    def answer(spec, part, exposures):
        return ranked(exposures, table[spec.weight][part == "test"])

    return answer


@pytest.mark.parametrize("best", [0.01, 0.1, 1.0])
def test_the_best_on_validation_is_chosen_though_it_is_the_worst_on_test(dataset, written, best):
    written(shares({w: (0.9, 0.0) if w == best else (0.2, 1.0) for w in (0.01, 0.1, 1.0)}))
    results = run(dataset, losses=["pwiser"])
    assert chosen_weights(results) == {best}
    test_auc = next(r.value for r in results if (r.split, r.metric) == ("test", "ctr_auc"))
    assert test_auc == 0.5


def test_each_seed_chooses_for_itself(dataset, written):
    written(
        lambda spec, part, exposures: ranked(exposures, 0.9 if spec.weight == (0.1, 1.0)[spec.seed] else 0.1)
    )
    results = run(dataset, losses=["pwiser"], seeds=[0, 1])
    assert {(r.seed, r.weight) for r in results} == {(0, 0.1), (1, 1.0)}


@pytest.mark.parametrize(
    ("choose_by", "weight"), [("ctr_auc", 0.01), ("log_loss", 0.1), ("normalized_entropy", 0.1)]
)
def test_the_metric_decides_and_its_direction_counts(dataset, written, choose_by, weight):
    """0.01 ranks best, far from the click rate of 0.2; 0.1 ranks worse, near it."""

    def answer(spec, part, exposures):
        if spec.weight == 0.01:
            return ranked(exposures, 0.9, low=0.90, high=0.95)
        return ranked(exposures, 0.1, low=0.19, high=0.21)

    written(answer)
    assert chosen_weights(run(dataset, weights=[0.01, 0.1], choose_by=choose_by)) == {weight}


NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "choice"),
    [
        ({0.1: 0.6, 0.2: 0.7, 0.3: 0.7}, 0.2),
        ({0.3: 0.7, 0.2: 0.7, 0.1: 0.6}, 0.3),
        ({0.1: 0.5, 0.2: 0.5}, 0.1),
        ({0.1: NAN, 0.2: 0.1, 0.3: NAN}, 0.2),
        ({0.1: 0.3, 0.2: NAN}, 0.1),
        ({0.1: NAN}, 0.1),  # nothing to choose, so nothing to choose by
    ],
)
@pytest.mark.parametrize(("metric", "sign"), [("ctr_auc", 1), ("log_loss", -1)])
def test_of_equals_the_earlier_and_of_nan_any_other(
    dataset, written, monkeypatch, values, choice, metric, sign
):
    written(
        lambda spec, part, exposures: Predictions(
            np.full(len(exposures), spec.weight), np.zeros(len(exposures))
        )
    )
    monkeypatch.setattr(module, "evaluate", lambda _, pctr, *others: {metric: sign * values[pctr[0]]})
    specs = [ModelSpec(model="a", loss="pwiser", pwiser=PWiseRLoss(weight=w)) for w in values]
    assert module.choose(specs, dataset.split(0), metric).model.spec.weight == choice


@pytest.mark.parametrize("metric", ["gauc", "noise_free_ctr_auc"])
def test_a_metric_that_is_nan_throughout_chooses_nothing(dataset, written, metric):
    bare = Dataset(replace(dataset.exposures, group=None, noise_free_click=None))
    events = written()
    with pytest.raises(InputError, match=f"{metric} cannot be computed on the validation split"):
        run(bare, losses=["pwiser"], choose_by=metric)
    assert "test" not in {event[0] for event in events}
    assert run(bare, losses=["pwiser"], weights=[0.1], choose_by=metric)


def test_nothing_to_choose_from(dataset):
    with pytest.raises(InputError, match="no model to choose from"):
        module.choose([], dataset.split(0), "ctr_auc")


# ------------------------------------------------------------------------------ the test split


def test_the_test_split_is_seen_once_after_the_choice(dataset, written):
    events = written(shares({0.0: (0.5, 0.5), 0.01: (0.1, 1.0), 0.1: (0.9, 0.0), 1.0: (0.5, 0.5)}))
    run(dataset)
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
    run(dataset, models=["a", "b"], seeds=[0, 1])
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
    run(dataset, models=["a", "b"], seeds=[0, 1], on_test=lambda *call: calls.append(call))
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


# ------------------------------------------------------------------------------ details


def test_every_candidate_is_told_by_what_validation_says_of_it(dataset, written):
    best = {0: 0.1, 1: 1.0}

    def answer(spec, part, exposures):
        return ranked(exposures, {"valid": 0.8 if spec.weight == best[spec.seed] else 0.2, "test": 0.5}[part])

    written(answer)
    details = Details()
    results = run(dataset, seeds=[0, 1], details=details, choose_by="gauc")
    assert details.choose_by == "gauc"
    assert [(p.model, p.loss, p.seed, p.weight) for p in details.sweep] == [
        ("a", loss, seed, weight)
        for seed in (0, 1)
        for loss, weight in (("bce", 0.0), ("pwiser", 0.01), ("pwiser", 0.1), ("pwiser", 1.0))
    ]
    for p in details.sweep:
        if p.loss == "pwiser":
            assert p.chosen == (p.weight == best[p.seed])
            assert p.ctr_auc == pytest.approx(0.9 if p.chosen else 0.6, abs=2e-3)
    check_belongs(details, results)


def test_curves_are_of_the_first_seed_and_of_test(dataset, written):
    written(shares({0.0: (0.5, 0.5), 0.01: (0.1, 0.1), 0.1: (0.9, 0.3), 1.0: (0.5, 0.5)}))
    details = Details()
    run(dataset, models=["a", "b"], seeds=[3, 5], calibrate="sigmoid", details=details)
    split = dataset.split(3)
    trained = [(model, loss) for model in ("a", "b") for loss in ("bce", "pwiser")]
    assert [(s.split, s.exposures, s.clicks) for s in details.sizes] == [
        (name, len(part), part.click.sum())
        for name, part in (("train", split.train), ("valid", split.valid), ("test", split.test))
    ]
    assert [(c.model, c.loss, c.weight) for c in details.curves] == [
        (*key, 0.1 * (key[1] == "pwiser")) for key in trained
    ]
    for curve in details.curves:
        assert (curve.best, curve.ctr_auc) == (7, tuple(0.5 + 0.01 * number for number in range(10)))
    assert [(d.model, d.loss) for d in details.distributions] == trained
    assert [(c.model, c.loss, c.split) for c in details.reliability] == [
        (*key, part) for key in trained for part in ("test", "test_sigmoid")
    ]
    plain, calibrated = details.reliability[2:4]
    for counts in (plain.exposures, calibrated.exposures):
        assert sum(counts) == len(split.test)
    assert plain.predicted == pytest.approx((0.1, 0.3))  # 30 % of the clicks, and nothing else, at .3
    high = round(0.3 * split.test.click.sum())
    low = len(split.test) - high
    assert plain.exposures == (low, high)
    assert plain.observed == pytest.approx(((split.test.click.sum() - high) / low, 1.0))
    assert calibrated.predicted != plain.predicted
    for row, part in zip(details.distributions[0].counts, np.bincount(split.test.grade), strict=True):
        assert row.sum() == part


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": []}, "no model to compare; name at least one"),
        ({"losses": []}, "no loss to compare"),
        ({"seeds": []}, "no seed to compare"),
        ({"weights": []}, "no weight to try; give at least one"),
        ({"models": ["a", "b", "a"]}, "a model is named twice in a, b, a; name each once"),
        ({"losses": ["bce", "bce"]}, "a loss is named twice in bce, bce"),
        ({"seeds": [1, 2, 1]}, "a seed is named twice in 1, 2, 1"),
        ({"weights": [0.1, 1.0, 0.1]}, r"a weight of pwiser is named twice in 0\.1, 1, 0\.1"),
        ({"models": ["a", "c"]}, "unknown model 'c'"),
        ({"losses": ["bce", "hinge"]}, "unknown loss 'hinge'"),
        ({"weights": [0.1, -1.0]}, r"weight is -1\.0; give a finite number of at least 0"),
        ({"weights": [0.1, NAN]}, "weight is nan"),
        ({"choose_by": "auc"}, "unknown metric 'auc'"),
        ({"choose_by": "pcoc"}, "cannot choose by 'pcoc'"),
        ({"choose_by": "gauc_left_out"}, "cannot choose by 'gauc_left_out'"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_trained(dataset, written, options, message):
    events = written()
    with pytest.raises(InputError, match=message):
        run(dataset, **options)
    assert events == []


# ------------------------------------------------------------------------------ the models as they are


def test_trees_are_compared_on_tiny_data(dataset):
    base = spec_of("lightgbm", rounds=4, early_stopping=2, learning_rate=0.2, threads=1)
    options = {"models": ["lightgbm", "xgboost"], "losses": ["bce", "pwiser"], "weights": [0.01, 0.1]}
    first, again = (compare(dataset, seeds=[1], base=base, **options) for _ in range(2))
    check_complete(first)
    assert [(r.cell, r.value, r.weight) for r in first] == [(r.cell, r.value, r.weight) for r in again]
    assert all(1 <= r.rounds <= 4 for r in first)


# ------------------------------------------------------------------------------ tests of gains, calibration


def answers(spec, part, exposures):
    """Loss "pwiser" gives more clicks the high pCTR; both promise far too much."""
    return ranked(exposures, 1.0 if spec.loss == "pwiser" else 0.5, low=0.5, high=0.9)


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


@pytest.mark.parametrize("released", [False, True])
def test_details_know_whether_figures_are_published_on_the_data(dataset, written, released):
    written(lambda spec, part, exposures: ranked(exposures, 0.5))
    details = Details()
    compare(replace(dataset, released=released), models=["a"], losses=["bce"], seeds=[0], details=details)
    assert details.released == released


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


@pytest.mark.parametrize("replicates", [-3, 1, 10**9])
def test_a_bootstrap_that_cannot_be_is_refused_before_training(dataset, written, replicates):
    events = written(answers)
    with pytest.raises(InputError, match=f"replicates is {replicates}; give "):
        compare(dataset, models=["a"], losses=["bce", "pwiser"], seeds=[0], replicates=replicates)
    assert events == []
