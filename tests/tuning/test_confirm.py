"""The proof on test: what is refitted, what is scored, and what is said of it."""

import numpy as np
import pytest

from gbdt_pwiser.evaluation import read_results
from gbdt_pwiser.metrics import evaluate
from gbdt_pwiser.models import ModelSpec, Predictions
from gbdt_pwiser.objectives import PWiseRLoss
from gbdt_pwiser.significance.intervals import across_seeds, delong
from gbdt_pwiser.tuning import Confirmation, Gain, Trial, Tuning
from gbdt_pwiser.tuning._result import choose, pareto_front
from tests.tuning.helpers import BestAt


@pytest.fixture
def seen(fake, split):
    """Every prediction of the test split, as (spec, predictions)."""
    asked = []

    def predict(self, exposures):
        told = BestAt.predict(self, exposures)
        if exposures is split.test:
            asked.append((self.spec, told))
        return told

    fake.predict = predict
    return asked


def test_best_and_twin_are_scored_once_per_fresh_seed(search, seen, split, tmp_path):
    found = search(spec=ModelSpec(model="fake", seed=7), pruner="none")
    assert found.confirmation.seeds == (8, 9, 10, 11, 12)  # the search's own seed is not among them
    assert sorted((spec.loss, spec.seed) for spec, _ in seen) == [
        (loss, seed) for loss in ("bce", "pwiser") for seed in range(8, 13)
    ]
    assert {spec.weight for spec, _ in seen} == {0.0, found.best.weight}
    results = read_results(tmp_path / "out" / "results.parquet")
    assert {(r.split, r.loss, r.seed) for r in results} >= {
        ("test", spec.loss, spec.seed) for spec, _ in seen
    }


def test_gains_and_intervals_are_those_of_the_scored_predictions(search, seen, split):
    found = search(pruner="none")
    by = {(spec.loss, spec.seed): told for spec, told in seen}
    values = {k: evaluate(split.test, told.pctr, told.pctcvr) for k, told in by.items()}
    seeds = found.confirmation.seeds
    for metric in ("ctr_auc", "gauc", "log_loss"):
        gain = found.confirmation.of(metric)
        bce, tuned = (np.mean([values[loss, s][metric] for s in seeds]) for loss in ("bce", "pwiser"))
        assert (gain.bce, gain.tuned) == pytest.approx((bce, tuned))
        assert gain.gain == pytest.approx(tuned - bce)
        assert gain.low < gain.gain < gain.high
    # The interval holds the error of the sample, which more seeds do not wear down, and that of the seeds.
    gain, click, group = found.confirmation.of("ctr_auc"), split.test.click, split.test.group
    one = delong(click, by["pwiser", seeds[0]].pctr, by["bce", seeds[0]].pctr, group=group)
    spread = across_seeds([values["pwiser", s]["ctr_auc"] - values["bce", s]["ctr_auc"] for s in seeds])
    assert gain.high - gain.low > 0.8 * (one.high - one.low)
    assert gain.high - gain.low > 2 * 1.96 * spread.standard_error


def test_asked_again_the_test_split_is_left_alone(search, seen):
    first = search()
    scored = len(seen)
    again = search()
    assert len(seen) == scored
    assert again.confirmation == first.confirmation
    assert again.confirmation.times == 1


def test_another_choice_is_scored_and_counted(search, seen):
    spec = ModelSpec(model="fake", pwiser=PWiseRLoss(weight=0.9))
    assert search(spec=spec, n_trials=2).confirmation.times == 1
    assert search(spec=spec, n_trials=12).confirmation.times == 2


def test_a_gain_that_is_there_is_found(search):
    found = search(n_trials=20, pruner="none")
    assert found.helps
    assert found.recommended_weight == found.best.weight > 0
    assert found.verdict.startswith("PWiseR helps: CTR AUC on test +")


def test_a_gain_on_validation_alone_is_not_believed(search, fake, split):
    def predict(self, exposures):
        """Validation flatters the pairwise term; on test it does nothing but noise."""
        flattered = exposures is split.valid and self.spec.weight > 0
        noise = np.random.default_rng([self.spec.seed, int(self.spec.weight > 0)]).random(len(exposures))
        pctr = 0.2 + 0.1 * noise + 0.1 * flattered * exposures.click
        return Predictions(pctr, pctr / 2)

    fake.predict = predict
    found = search()
    assert found.best.weight > 0
    assert not found.helps
    assert found.recommended_weight == 0
    assert found.verdict.startswith("PWiseR does not help beyond doubt: CTR AUC on test ")
    assert found.verdict.endswith("Recommended weight: 0.")


# ------------------------------------------------------------------------------ verdicts, worked out by hand


def trial(number, weight, **metrics):
    return Trial(number, "pwiser", "complete", {"weight": weight}, weight, metrics, 1, 1.0)


def gain(metric, low, high):
    return Gain(metric, 0.7, 0.7, (low + high) / 2, low, high, 0.5, "a test")


def tuning(metrics, *gains, weight=0.1):
    best = trial(1, weight, ctr_auc=0.7, ctcvr_auc=0.8, log_loss=0.3)
    spec = ModelSpec(model="fake")
    return Tuning(metrics, (best,), 1, best, None, spec, spec, Confirmation((1, 2), gains))


@pytest.mark.parametrize(
    ("metrics", "gains", "helps"),
    [
        (("ctr_auc",), [("ctr_auc", 0.001, 0.003)], True),
        (("ctr_auc",), [("ctr_auc", -0.001, 0.003)], False),
        (("ctr_auc",), [("ctr_auc", float("nan"), float("nan"))], False),
        (("log_loss",), [("log_loss", -0.003, -0.001)], True),
        (("log_loss",), [("log_loss", 0.001, 0.003)], False),
        (("ctr_auc", "ctcvr_auc"), [("ctr_auc", -0.001, 0.001), ("ctcvr_auc", 0.001, 0.003)], True),
        (("ctr_auc", "ctcvr_auc"), [("ctr_auc", -0.002, -0.001), ("ctcvr_auc", 0.001, 0.003)], False),
        (("ctr_auc", "ctcvr_auc"), [("ctr_auc", 0.001, 0.002), ("ctcvr_auc", -0.001, 0.003)], False),
    ],
)
def test_when_it_helps(metrics, gains, helps):
    found = tuning(metrics, *(gain(*g) for g in gains))
    assert found.helps == helps
    assert found.recommended_weight == (0.1 if helps else 0.0)
    assert ("PWiseR helps:" in found.verdict) == helps


def test_weight_0_never_helps():
    found = tuning(("ctr_auc",), gain("ctr_auc", 0.001, 0.003), weight=0.0)
    assert (found.helps, found.recommended_weight) == (False, 0.0)
    assert "on validation no weight is better than BCE" in found.verdict


def test_the_choice():
    a, b, c = trial(0, 0.0, ctr_auc=0.70), trial(1, 0.1, ctr_auc=0.72), trial(2, 0.2, ctr_auc=0.72)
    assert choose([a, b, c], ["ctr_auc"]) == (b, a)
    assert choose([trial(3, 0.3, ctr_auc=0.70), a], ["ctr_auc"]) == (a, a)
    assert choose([b, c], ["ctr_auc"]) == (b, None)
    pruned = Trial(4, "pwiser", "pruned", {}, 0.5, {}, 0, 0.0)
    assert choose([a, pruned], ["ctr_auc"]) == (a, a)
    both = [
        trial(0, 0.0, ctr_auc=0.70, ctcvr_auc=0.80),
        trial(1, 0.1, ctr_auc=0.71, ctcvr_auc=0.81),
        trial(2, 0.2, ctr_auc=0.70, ctcvr_auc=0.82),
        trial(3, 0.3, ctr_auc=0.69, ctcvr_auc=0.90),
    ]
    assert choose(both, ["ctr_auc", "ctcvr_auc"]) == (both[2], both[0])
    assert pareto_front([*both, pruned], ["ctr_auc", "ctcvr_auc"]) == (both[1], both[2], both[3])
    assert pareto_front([both[1], both[1]], ["ctr_auc"]) == (both[1],)
