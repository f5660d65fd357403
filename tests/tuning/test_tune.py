"""The search: what it tries first, what it returns, that it repeats, resumes, prunes and survives errors."""

import math
from dataclasses import replace

import numpy as np
import optuna
import pytest

from gbdt_pwiser.data import Split
from gbdt_pwiser.models import MODELS, ModelSpec, Predictions
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.objectives.inputs import OPEN
from gbdt_pwiser.tuning import Choice, Float, LogFloat, SearchSpace, _confirm, _storage, search_space, tune
from tests.specs import spec_of
from tests.tuning.helpers import BestAt, network


def drawn(tuning):
    return [(t.study, t.number, t.state, dict(t.parameters)) for t in tuning.trials]


# ------------------------------------------------------------------------------ the search


@pytest.mark.parametrize("metric", ["ctr_auc", "log_loss"])
def test_it_starts_with_bce_and_the_given_weight_and_finds_the_best(search, metric):
    spec = ModelSpec(model="fake", pwiser=PWiseRLoss(weight=0.5, surrogate="logistic"))
    found = search(spec=spec, n_trials=20, metric=metric, pruner="none")
    assert len(found.trials) == found.total == 20
    assert [t.weight for t in found.trials[:2]] == [0.0, 0.5]
    assert found.trials[1].parameters["surrogate"] == "logistic"
    assert found.baseline is found.trials[0]
    assert 0.005 < found.best.weight < 0.08
    values = [t.metrics[metric] for t in found.trials]
    assert found.best.metrics[metric] == (max(values) if metric == "ctr_auc" else min(values))
    assert (found.best.rounds, found.best.fit_seconds, found.best.error) == (7, 0.5, "")
    assert found.spec.weight == found.best.weight
    assert found.twin.loss == "bce"


def test_the_same_seed_gives_the_same_trials(search, tmp_path):
    first, second = (search(seed=3, output=tmp_path / name, n_trials=12) for name in "ab")
    assert drawn(first) == drawn(second)
    assert first.best == second.best
    other = search(seed=4, output=tmp_path / "c")
    assert drawn(other) != drawn(first)
    assert drawn(other)[0] == drawn(first)[0]


def test_a_search_in_parts_is_the_search_in_one(search, tmp_path):
    parts = [search(n_trials=n, output=tmp_path / "parts") for n in (1, 4, 12)]
    assert [len(part.trials) for part in parts] == [1, 4, 12]
    assert drawn(parts[-1]) == drawn(search(n_trials=12, output=tmp_path / "one"))


def test_a_rerun_trains_nothing(search, fake, monkeypatch):
    first = search()
    monkeypatch.setattr(fake, "fit", None)
    assert search() == first


@pytest.mark.filterwarnings("ignore:CTR AUC on test is 1")
def test_of_equals_bce_wins(search, fake, split):
    fake.predict = lambda self, e: Predictions(e.click * 0.5 + 0.1, e.click * 0.2 + 0.1)
    found = search(pruner="none")
    assert found.best is found.baseline
    assert found.verdict.startswith("PWiseR does not help: on validation no weight is better than BCE.")
    assert (found.recommended_weight, found.spec, found.helps) == (0.0, found.twin, False)
    assert found.confirmation.gains == ()


@pytest.mark.parametrize("sampler", ["random", "gp"])
def test_other_samplers(search, sampler):
    if sampler == "gp":
        pytest.importorskip("torch")
    assert len(search(sampler=sampler, n_trials=12, pruner="none").trials) == 12


def test_a_timeout_ends_the_search_and_a_rerun_goes_on(search, fake):
    fake.patience = 0.2
    found = search(timeout=0.5, n_trials=40)
    assert 1 <= len(found.trials) < 10
    assert found.confirmation is not None
    fake.patience = 0.0
    assert drawn(search())[: len(found.trials)] == drawn(found)


def test_a_process_may_run_less_than_the_total(search):
    found = search(n_trials=4, max_total_trials=10)
    assert (len(found.trials), found.total, found.confirmation) == (4, 10, None)
    assert found.verdict == "The search is not over, so nothing was scored on test."
    found = search(n_trials=100, max_total_trials=10)
    assert len(found.trials) == 10
    assert found.confirmation is not None


# ------------------------------------------------------------------------------ pruning


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_pruned_trials_count_and_are_never_chosen(search, pruner):
    found = search(pruner=pruner, n_trials=24)
    states = [t.state for t in found.trials]
    assert len(states) == 24
    assert states.count("pruned") > 3
    assert states[:2] == ["complete", "complete"]  # what the others are measured against
    assert all((t.metrics == {}) == (t.state == "pruned") for t in found.trials)
    assert 0.005 < found.best.weight < 0.08


def test_bce_is_not_pruned_whatever_it_reports(search, fake):
    def fit(self, train, valid, on_round=None):
        for number in range(10 if on_round else 0):
            on_round(number, {"click": 0.9 if self.spec.weight else 0.1, "conversion": 0.5})

    fake.fit = fit
    assert search(pruner="hyperband").trials[0].state == "complete"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"metric": "gauc", "pruner": "median"}, "rounds report CTR AUC, so a search for gauc cannot prune"),
        ({"pareto": ("ctr_auc", "gauc"), "pruner": "hyperband"}, "a Pareto search cannot prune"),
    ],
)
def test_what_cannot_be_pruned_is_refused(search, options, says):
    with pytest.raises(InputError, match=says):
        search(**options)


# ------------------------------------------------------------------------------ two metrics


def test_a_pareto_search_chooses_what_can_be_had_for_nothing(search, fake):
    def quality(self):
        """A light weight is a little better than BCE, a heavy one far worse."""
        return 0.3 - 0.25 * self.spec.weight + 0.02 * (self.spec.weight > 0)

    def predict(self, exposures):
        """CTCVR AUC rises with every weight."""
        told = BestAt.predict(self, exposures)
        lift = self.spec.weight * exposures.conversion
        return Predictions(told.pctr, (0.2 * told.pctr + 0.7 * lift).clip(0, 1))

    fake.quality = quality
    fake.predict = predict
    spec = ModelSpec(model="fake", pwiser=PWiseRLoss(weight=0.9))  # one end of the front is among the trials
    found = search(spec=spec, pareto=("ctr_auc", "ctcvr_auc"), n_trials=15)
    floor = found.baseline.metrics["ctr_auc"]
    allowed = [t for t in found.trials if t.metrics["ctr_auc"] >= floor]
    assert found.best.metrics["ctcvr_auc"] == max(t.metrics["ctcvr_auc"] for t in allowed)
    first, second = ([t.metrics[m] for t in found.front] for m in found.metrics)
    assert len(first) > 1
    assert first == sorted(first, reverse=True)
    assert second == sorted(second)
    assert first[-1] < floor  # the front has more than what can be had for nothing
    assert (first[0], second[-1]) == tuple(max(t.metrics[m] for t in found.trials) for m in found.metrics)


# ------------------------------------------------------------------------------ BCE's own search


@pytest.mark.parametrize("space", ["booster", "both"])
def test_bce_gets_as_many_trials_where_the_model_is_searched(search, monkeypatch, fake, space):
    monkeypatch.setitem(MODELS, "lightgbm", replace(MODELS["lightgbm"], make=fake))
    spec = spec_of("lightgbm", rounds=10, pwiser=PWiseRLoss(weight=0.03))
    seen = []
    fake.fit = lambda self, train, valid, on_round=None: seen.append(self.spec)
    found = search(spec=spec, space=space, n_trials=6)
    assert found.total == len(found.trials) == 12
    bce = [t for t in found.trials if t.study == "bce"]
    assert len(bce) == 6
    assert all(t.weight == 0 and "weight" not in t.parameters for t in bce)
    assert {s.loss for s in seen[:2]} == (
        {"bce"} if space == "both" else {"pwiser", "bce"}
    )  # they take turns
    assert len({t.parameters["num_leaves"] for t in bce}) > 3
    if space == "booster":
        assert {t.weight for t in found.trials if t.study == "pwiser"} == {0.03}
    assert found.twin.loss == "bce"
    assert found.twin.settings.params["num_leaves"] == found.baseline.parameters["num_leaves"]


def test_a_weight_that_is_not_searched_is_measured_against_one_bce(search):
    space = SearchSpace({"click_margin": LogFloat(0.01, 1.0)}, {"weight": 0.02})
    found = search(space=space, n_trials=5)
    assert [t.study for t in found.trials] == ["pwiser"] * 5 + ["bce"]
    assert [t.weight for t in found.trials] == [0.02] * 5 + [0.0]
    assert found.best.weight == 0.02
    found = search(space=SearchSpace({"weight": Choice((0, 0.02, 0.3))}), study_name="choices", n_trials=5)
    assert {t.study for t in found.trials} == {"pwiser"}
    assert found.baseline.weight == 0


# ------------------------------------------------------------------------------ test split


class Poison:
    def __getattribute__(self, name):
        raise AssertionError(f"the test split was read: {name}")

    def __len__(self):
        raise AssertionError("the test split was read: len")


def test_trials_never_read_the_test_split(split, fake, tmp_path):
    poisoned = object.__new__(Split)
    for name, part in (("train", split.train), ("valid", split.valid), ("test", Poison())):
        object.__setattr__(poisoned, name, part)
    spec = spec_of("fake", epochs=10)
    options = {"output": tmp_path, "n_trials": 9}
    unread = tune(poisoned, spec, **{**options, "n_trials": 8}, max_total_trials=9)  # one is left
    assert len(unread.trials) == 8
    with pytest.raises(AssertionError, match="the test split was read"):
        tune(poisoned, spec, **options)  # the last one, and then the proof
    (study,) = optuna.get_all_study_summaries(f"sqlite:///{tmp_path / 'study.db'}")
    assert study.n_trials == 9
    assert len(tune(split, spec, **options).trials) == 9


# ------------------------------------------------------------------------------ errors


def test_a_trial_that_raises_is_recorded_and_the_study_goes_on(search, fake):
    def fit(self, train, valid, on_round=None):
        if self.spec.pwiser.surrogate == "logistic" and self.spec.loss == "pwiser":
            raise RuntimeError("no logistic today")

    fake.fit = fit
    found = search()
    failed = [t for t in found.trials if t.state == "failed"]
    assert len(found.trials) == 9
    assert 0 < len(failed) < 9
    assert {t.error for t in failed} == {"RuntimeError: no logistic today"}
    assert {t.parameters["surrogate"] for t in failed} == {"logistic"}
    assert found.best.state == "complete"


def test_where_all_trials_fail_the_reason_is_told(search, fake):
    def fit(self, train, valid, on_round=None):
        raise ValueError("nothing works")

    fake.fit = fit
    with pytest.raises(InputError, match="all 3 trials failed, the first with ValueError: nothing works"):
        search(n_trials=3)


def test_an_interrupted_trial_is_tried_again(search, fake):
    fits = []

    def fit(self, train, valid, on_round=None):
        fits.append(self.spec)
        if len(fits) == 5:
            raise KeyboardInterrupt

    fake.fit = fit
    with pytest.raises(KeyboardInterrupt):
        search()
    found = search()
    assert len(found.trials) == 9
    assert fits[5] == fits[4]
    assert [t.number for t in found.trials] == [0, 1, 2, 3, *range(5, 10)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"n_trials": 0}, "n_trials is 0; give a whole number from 1"),
        ({"max_total_trials": 0}, "max_total_trials is 0; give a whole number from 1"),
        ({"timeout": 0.0}, "timeout is 0.0; give a positive number of seconds"),
        ({"metric": "accuracy"}, "unknown metric 'accuracy'; choose one of ctr_auc"),
        ({"metric": "pcoc"}, "cannot choose by 'pcoc'"),
        ({"pareto": ("ctr_auc",)}, "pareto is ctr_auc; give two different metrics"),
        ({"pareto": ("ctr_auc", "ctr_auc")}, "give two different metrics"),
        ({"sampler": "grid"}, "unknown sampler 'grid'; choose one of tpe, gp, random"),
        ({"pruner": "all"}, "unknown pruner 'all'; choose one of median, hyperband, none"),
        ({"space": "everything"}, "unknown space 'everything'; choose one of loss, quantiles, booster, both"),
        ({"spec": ModelSpec(model="fakes")}, r"unknown model 'fakes' \(did you mean fake\?\)"),
    ],
)
def test_bad_input(search, options, says):
    with pytest.raises(InputError, match=says):
        search(**options)


def test_a_metric_that_validation_cannot_give(split, fake, tmp_path):
    lacking = object.__new__(Split)
    no_click = split.valid.take(~split.valid.click)
    for name, part in (("train", split.train), ("valid", no_click), ("test", split.test)):
        object.__setattr__(lacking, name, part)
    with pytest.raises(InputError, match="ctr_auc cannot be computed on the validation split"):
        tune(lacking, ModelSpec(model="fake"), output=tmp_path, n_trials=2)


def test_a_study_that_was_made_otherwise_is_refused(search, tmp_path):
    search(n_trials=2)
    for options, says in (
        ({"metric": "gauc"}, r"metrics was \['ctr_auc'\], now \['gauc'\]"),
        ({"seed": 5}, "seed was 0, now 5"),
        ({"space": search_space("loss", "fake", grouped=False)}, "space was "),
        (
            {"spec": spec_of("fake", epochs=11)},
            "epochs was 10, now 11",
        ),
    ):
        with pytest.raises(InputError, match=says) as refused:
            search(n_trials=2, **options)
        assert "another --output or --study-name" in str(refused.value)
    assert len(search(n_trials=2, metric="gauc", study_name="other").trials) == 2


def test_a_study_of_other_open_clicks_is_refused(split, search, fake, tmp_path):
    search(n_trials=2)
    grade = split.valid.grade.copy()
    grade[np.flatnonzero(grade == 1)[0]] = OPEN
    other = Split(split.train, replace(split.valid, grade=grade), split.test)
    with pytest.raises(InputError, match=r"valid was \[\d+, \d+, \d+\], now \[\d+, \d+, \d+, 1\]"):
        tune(
            other,
            spec_of("fake", epochs=10),
            output=tmp_path / "out",
            storage=str(tmp_path / "out/study.log"),
            n_trials=2,
        )


@pytest.mark.parametrize(
    ("first", "then", "says"),
    [
        ({"sampler": "random"}, {"sampler": "tpe"}, "sampler was random, now tpe; give the same ones"),
        ({"pruner": "hyperband"}, {"pruner": None}, "pruner was hyperband, now median; give the same ones"),
    ],
)
def test_a_study_goes_on_with_its_own_sampler_and_pruner(search, fake, first, then, says):
    search(n_trials=2, **first)
    with pytest.raises(InputError, match=says):
        search(n_trials=3, **then)
    assert len(search(n_trials=3, **first).trials) == 3


def test_a_study_of_a_version_that_did_not_keep_them_goes_on(search, tmp_path, monkeypatch):
    """What a study does not say of how it was made is not held against it."""
    kept = _storage.keep

    def keep(study, where, key, value):
        if key == "setup":
            value = {name: entry for name, entry in value.items() if name not in ("sampler", "pruner")}
        kept(study, where, key, value)

    monkeypatch.setattr(_storage, "keep", keep)
    search(n_trials=2, sampler="random")
    monkeypatch.undo()
    monkeypatch.setattr(_confirm, "REPLICATES", 20)
    monkeypatch.setitem(MODELS, "fake", network(BestAt))
    assert len(search(n_trials=3, sampler="tpe").trials) == 3
    with pytest.raises(InputError, match="search_seed was 0, now 1"):
        search(n_trials=3, seed=1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"timeout": math.inf}, "timeout is inf; give a positive number of seconds, or leave it out"),
        ({"n_trials": 2.5}, r"n_trials is 2\.5; give a whole number"),
        ({"pareto": ("ctr_auc", "gauc", "ctr_auc")}, "give two different metrics"),
        ({"pruner": ""}, "unknown pruner ''"),
        ({"sampler": "Tpe"}, r"unknown sampler 'Tpe' \(did you mean tpe\?\)"),
        ({"study_name": " "}, "study_name is empty; give a name or leave it out"),
        ({"seed": -1}, "seed is -1; give a whole number"),
        (
            {"spec": ModelSpec(model="fake", seed=2**31 - 3)},
            "seed is 2147483645; give a whole number from 0 to",
        ),
        ({"space": SearchSpace({"wieght": Float(0, 1)})}, r"'wieght' \(did you mean weight\?\)"),
        ({"space": SearchSpace({"weight": Float(0, 1e9)})}, "weight is 1000000000.0; give a finite number"),
        ({"space": SearchSpace({"weight": Float(0, 1)}, {"surrogat": "hinge"})}, "did you mean surrogate"),
    ],
)
def test_what_is_refused_before_a_study_is_opened(search, tmp_path, options, says):
    with pytest.raises(InputError, match=says):
        search(**options)
    assert list((tmp_path / "out").iterdir()) == []
