"""The fronts of a Pareto search: one per loss, what CTR AUC buys on each, and the references among them."""

import re

import optuna
import pytest

from gbdt_pwiser.models import ModelSpec
from gbdt_pwiser.objectives import PWiseRLoss
from gbdt_pwiser.report.tuning import write_tuning_report
from gbdt_pwiser.tuning import Trial, Tuning
from gbdt_pwiser.tuning._result import choose
from tests.tuning.helpers import BestAt

PARETO = ("ctr_auc", "conversion_auc")
WEIGHTS = [0.3, 1.0, 3.0, 10.0]


def trial(number, weight, ctr, conversion, study="pwiser", **parameters):
    metrics = {"ctr_auc": ctr, "conversion_auc": conversion, "ctcvr_auc": 0.5}
    return Trial(number, study, "complete", {"weight": weight, **parameters}, weight, metrics, 1, 1.0)


def tuning(*trials, metrics=PARETO, spec=ModelSpec(model="fake")):  # noqa: B008
    best, baseline = choose(trials, metrics)
    return Tuning(metrics, trials, len(trials), best, baseline, spec, spec)


HINGE, LOGISTIC = {"surrogate": "hinge", "scale": "logit"}, {"surrogate": "logistic", "scale": "logit"}
BCE = trial(0, 0.0, 0.7500, 0.800, **HINGE)
# Of hinge the first two are a front; of logistic one trial beats the other in both.
A, B, C = (
    trial(1, 0.1, 0.7497, 0.810, **HINGE),
    trial(2, 0.3, 0.7485, 0.830, **HINGE),
    trial(3, 0.2, 0.7484, 0.829, **HINGE),
)
D, E = trial(4, 0.01, 0.7502, 0.801, **LOGISTIC), trial(5, 0.5, 0.7400, 0.790, **LOGISTIC)
F, G = trial(0, 3.0, 0.7600, 0.900, "weighted_bce"), trial(1, 10.0, 0.7000, 0.95, "weighted_bce")
PRUNED = Trial(6, "pwiser", "pruned", {"weight": 0.3, **HINGE}, 0.3, {}, 0, 0.0)


def test_a_front_per_loss_by_hand():
    found = tuning(BCE, A, B, C, D, E, PRUNED, F, G)
    assert found.by_loss == {
        ("pwiser hinge", "logit"): [A, B, C],
        ("pwiser logistic", "logit"): [D, E],
        ("weighted_bce", ""): [F, G],
    }
    assert list(found.fronts.values()) == [(A, B), (D,), (F, G)]
    # The reference is better in both than all others, and neither chosen nor on the front of what can be.
    assert (found.best, found.baseline) == (D, BCE)
    assert found.front == (D, A, B)


@pytest.mark.parametrize(
    ("given_up", "hinge"),
    [(0.0001, None), (0.0005, (0.1, 0.01)), (0.001, (0.1, 0.01)), (0.002, (0.3, 0.03))],
)
def test_what_ctr_auc_buys_by_hand(given_up, hinge):
    found = tuning(BCE, A, B, C, D, E, F, G).best_within(given_up)
    told = found["pwiser hinge", "logit"]
    assert told is None if hinge is None else told[:2] == pytest.approx(hinge)
    assert found["pwiser logistic", "logit"][:2] == pytest.approx((0.01, 0.001))
    assert found["weighted_bce", ""][:2] == pytest.approx((3.0, 0.1))


def test_nothing_is_bought_without_ctr_auc_or_bce():
    assert tuning(BCE, A, metrics=("conversion_auc", "ctr_auc")).best_within(0.001) == {}
    assert tuning(BCE, A, metrics=("ctr_auc",)).best_within(0.001) == {}
    assert tuning(A, B).best_within(0.001) == {}


def test_of_a_loss_to_be_minimised_the_least_is_the_best():
    low, high = (trial(n, 0.1 * n, 0.75, 0.8, **HINGE) for n in (1, 2))
    low.metrics["log_loss"], high.metrics["log_loss"] = 0.25, 0.31
    bce = trial(0, 0.0, 0.75, 0.8, **HINGE)
    bce.metrics["log_loss"] = 0.30
    found = tuning(bce, low, high, metrics=("ctr_auc", "log_loss")).best_within(0.001)
    assert found["pwiser hinge", "logit"][:2] == pytest.approx((0.1, -0.05))


def test_a_surrogate_that_is_not_searched_is_that_of_the_spec():
    spec = ModelSpec(model="fake", pwiser=PWiseRLoss(surrogate="squared_hinge", scale="logit"))
    assert list(tuning(trial(1, 0.1, 0.7, 0.8), spec=spec).by_loss) == [("pwiser squared_hinge", "logit")]


# ------------------------------------------------------------------------------ references in a search


@pytest.fixture
def seen(fake):
    """The specs that were trained; weighted BCE ranks best of all, whatever its weight."""
    seen = []
    fake.fit = lambda self, train, valid, on_round=None: seen.append(self.spec)
    fake.quality = lambda self: 1.0 if self.spec.loss == "weighted_bce" else BestAt.quality(self)
    return seen


@pytest.mark.parametrize("space", ["loss", "booster"])
def test_weighted_bce_is_trained_with_the_given_parameters_and_never_chosen(search, seen, space):
    found = search(pareto=PARETO, n_trials=6, space=space)
    trained = [s for s in seen if s.loss == "weighted_bce"]
    assert [s.rival_weight for s in trained] == WEIGHTS
    assert {s.settings for s in trained} == {seen[0].settings}
    references = [t for t in found.trials if t.study == "weighted_bce"]
    assert [(t.weight, dict(t.parameters), t.state) for t in references] == [
        (weight, {"weight": weight}, "complete") for weight in WEIGHTS
    ]
    assert len(found.trials) == found.total == (6 if space == "loss" else 12) + 4
    assert min(t.metrics["ctr_auc"] for t in references) > found.best.metrics["ctr_auc"]
    assert found.best.study != "weighted_bce"
    assert not set(map(id, references)) & set(map(id, found.front))


def test_one_metric_has_no_references(search, seen):
    assert {t.study for t in search(n_trials=3).trials} == {"pwiser"}
    assert {s.loss for s in seen} == {"bce", "pwiser"}


def test_a_search_with_references_goes_on_and_is_shared(search, seen, tmp_path):
    def drawn(tuning):
        return [(t.study, dict(t.parameters), dict(t.metrics)) for t in tuning.trials]

    whole = search(pareto=PARETO, n_trials=8, output=tmp_path / "whole")
    parts = [
        search(pareto=PARETO, n_trials=n, max_total_trials=8, output=tmp_path / "parts") for n in (5, 99)
    ]
    assert [(len(part.trials), part.total, part.confirmation is None) for part in parts] == [
        (5, 12, True),
        (12, 12, False),
    ]
    assert drawn(parts[-1]) == drawn(whole)
    seen.clear()
    assert search(pareto=PARETO, n_trials=8, output=tmp_path / "parts") == search(
        pareto=PARETO, n_trials=8, output=tmp_path / "parts"
    )
    assert seen == []


def test_a_search_of_a_version_without_references_gets_them_and_is_not_proved_again(search, seen, tmp_path):
    first = search(pareto=PARETO, n_trials=5)
    journal = optuna.storages.journal.JournalFileBackend(str(tmp_path / "out" / "study.log"))
    storage = optuna.storages.JournalStorage(journal)
    name = next(study.study_name for study in optuna.get_all_study_summaries(storage))
    assert not name.endswith("-weighted_bce")
    optuna.delete_study(study_name=f"{name}-weighted_bce", storage=storage)
    seen.clear()
    again = search(pareto=PARETO, n_trials=5)
    assert [s.rival_weight for s in seen] == WEIGHTS
    assert {s.loss for s in seen} == {"weighted_bce"}
    assert again.trials == first.trials
    assert again.confirmation.times == 1


def test_references_that_fail_leave_the_rest_as_it_is(search, fake, tmp_path):
    def fit(self, train, valid, on_round=None):
        if self.spec.loss == "weighted_bce":
            raise RuntimeError("no weights")

    fake.fit = fit
    found = search(pareto=PARETO, n_trials=5)
    assert {t.error for t in found.trials if t.study == "weighted_bce"} == {"RuntimeError: no weights"}
    assert not any(loss == "weighted_bce" for loss, _ in found.by_loss)
    text = page(found, tmp_path)
    assert "weighted_bce, its weight beside it" not in text


# ------------------------------------------------------------------------------ on the page


def page(found, folder):
    write_tuning_report(folder / "tuning.html", found, title="A search", command="gbdt-pwiser tune")
    return (folder / "tuning.html").read_text(encoding="utf-8")


def test_the_page_draws_a_front_per_loss_and_tells_what_ctr_auc_buys(tmp_path):
    text = page(tuning(BCE, A, B, C, D, E, F, G), tmp_path)
    (front,) = re.findall(r'aria-label="Pareto front on validation, .*?</svg>', text, re.DOTALL)
    assert "CTR AUC / conversion AUC: from 0.7502 / 0.8010 to 0.7485 / 0.8300" in front
    for name in ("hinge, logit", "logistic, logit", "weighted_bce", "bce", "choice"):
        assert f">{name}</text>" in front
    assert [w for w in ("3", "10") if f">{w}</text>" in front] == ["3", "10"]
    (table,) = re.findall(
        r"<h3>Largest gain in conversion AUC over bce on validation.*?</table>", text, re.DOTALL
    )
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)", row) for row in table.split("<tr>")[1:]]
    assert rows == [
        ["loss", "scale", "at most .0005", "at most .0010", "at most .0020"],
        ["pwiser hinge", "logit", "+.0100 (0.1)", "+.0100 (0.1)", "+.0300 (0.3)"],
        ["pwiser logistic", "logit", *["+.0010 (0.01)"] * 3],
        ["weighted_bce", "", *["+.1000 (3)"] * 3],
    ]
    assert "Of single trials, and so without an error" in text


def test_a_front_of_other_metrics_has_no_table(tmp_path):
    text = page(tuning(BCE, A, B, metrics=("ctcvr_auc", "ctr_auc")), tmp_path)
    assert "<h2>Pareto front</h2>" in text
    assert "<h3>" not in text


def test_where_no_trial_is_near_bce_there_is_a_front_and_no_table(tmp_path):
    text = page(tuning(BCE, E), tmp_path)
    assert "<h2>Pareto front</h2>" in text
    assert "<h3>" not in text
