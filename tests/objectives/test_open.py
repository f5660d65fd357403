"""Clicks whose conversion is open: clicks for BCE, in no pair, and unknown to the loss of conversions."""

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from hypothesis import given
from hypothesis import strategies as st

from gbdt_pwiser.objectives import (
    InputError,
    MultiTaskLoss,
    PWiseRLoss,
    PWiseRMultiTaskObjective,
    PWiseRObjective,
    PWiseRSklearnObjective,
    auc,
    auc_tasks,
    grade_from,
    make_dataset,
    make_dmatrix,
    xgboost_params,
)
from gbdt_pwiser.objectives.inputs import OPEN
from gbdt_pwiser.objectives.labels import task_labels
from tests.objectives.boosters import LGB, XGB, Data
from tests.objectives.cases import KINDS, case
from tests.objectives.test_peers import Threads

NAN = float("nan")


class OpenData(Data):
    """Exposures a third of whose clicks are open."""

    def __init__(self, seed=0, n=3000):
        super().__init__(seed, n)
        self.open = self.click & (np.random.default_rng(seed + 1).random(n) < 1 / 3)

    @property
    def known(self):
        """Conversions, NaN where they are open and, as nothing can come there, without a click."""
        return np.where(self.open | ~self.click, NAN, self.conversion)

    @property
    def grade(self):
        return np.where(self.open, OPEN, super().grade)


@pytest.fixture(scope="module")
def data():
    return OpenData()


# ------------------------------------------------------------------------------ grades


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 1.0, NAN])), max_size=30))
def test_grades_and_labels_are_inverse(drawn):
    rows = [(click, value) for click, value in drawn if click or value != 1]
    click, conversion = (np.array([row[i] for row in rows], dtype=float) for i in (0, 1))
    grade = grade_from(click, conversion)
    assert grade.dtype == np.int8
    assert grade.tolist() == [0 if not c else OPEN if v != v else 1 + int(v) for c, v in rows]
    both = task_labels(grade, tasks=1)
    np.testing.assert_array_equal(both[:, 0], click)
    np.testing.assert_array_equal(grade_from(both[:, 0], both[:, 1]), grade)


@pytest.mark.parametrize("bad", [float("inf"), -1.0, 0.5, 2.0, 3.0])
def test_other_values_are_refused_and_told_of_nan(bad):
    with pytest.raises(
        InputError, match=rf"conversion is {bad} in row 1 .*NaN where the conversion of a click"
    ):
        grade_from([1, 1], [0.0, bad])


def test_missing_entries_other_than_nan_are_refused():
    with pytest.raises(InputError, match=r"conversion is None in row 1 .*or NaN"):
        grade_from([1, 1], [0, None])
    with pytest.raises(InputError, match=r"conversion is missing .* in 1 rows; give NaN where it is open"):
        grade_from([1, 1], np.ma.array([0, 1], mask=[False, True]))
    with pytest.raises(InputError, match="click is nan"):
        grade_from([1, NAN], [0, 0])


# ------------------------------------------------------------------------------ the loss of the click


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_pairs_are_those_of_the_other_rows(kind):
    """Without the open rows the loss has the same pairs: only BCE and the number of rows differ."""
    rng = np.random.default_rng(3)
    n = 400
    drawn = zip(rng.normal(-1, 2, n), rng.choice(4, n), rng.integers(0, 30, n), rng.random(n), strict=True)
    loss, z, grade, extra = case(kind, list(drawn))
    rest = grade != OPEN
    part = {name: None if values is None else values[rest] for name, values in extra.items()}
    whole, others = loss.plan(grade, **extra), loss.plan(grade[rest], **part)
    assert [o.pairs for o in whole.opponents] == pytest.approx([o.pairs for o in others.opponents])
    assert loss.pair_activity(z, whole) == pytest.approx(loss.pair_activity(z[rest], others))

    def pull(z, plan):
        with_pairs, without = (PWiseRLoss(**{**loss.__dict__, "weight": w}) for w in (loss.weight, 0.0))
        gradients = [each.gradient_hessian(z, plan)[0] for each in (with_pairs, without)]
        return (gradients[0] - gradients[1]) / plan.total_weight

    np.testing.assert_allclose(pull(z, whole)[rest], pull(z[rest], others), atol=1e-9)
    np.testing.assert_allclose(pull(z, whole)[~rest], 0.0, atol=1e-12)
    assert loss.equivalent_weight(z, whole) == pytest.approx(
        loss.equivalent_weight(z[rest], others) * whole.total_weight / others.total_weight, rel=1e-6
    )


def test_without_weight_an_open_click_is_a_click():
    rng = np.random.default_rng(4)
    z, grade = rng.normal(size=200), rng.choice(4, 200)
    loss = PWiseRLoss(weight=0)
    for one, other in zip(
        loss.gradient_hessian(z, grade), loss.gradient_hessian(z, (grade > 0).astype(int)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("pairs", ["all", "group"])
def test_workers_agree(pairs):
    rng = np.random.default_rng(5)
    n, loss = 600, PWiseRLoss(weight=0.5, pairs=pairs)
    z, grade, group = rng.normal(-1, 1, n), rng.choice(4, n), np.arange(n) // 20
    expected, _ = loss.gradient_hessian(z, grade, group=group)

    def work(rank, peer):
        rows = group % 2 == rank
        return loss.gradient_hessian(z[rows], loss.plan(grade[rows], group=group[rows], peers=peer))[0]

    for rank, gradient in enumerate(Threads(2).run(work)):
        np.testing.assert_allclose(gradient, expected[group % 2 == rank], atol=1e-9)


# ------------------------------------------------------------------------------ adapters


def test_all_adapters_agree(data):
    z = np.random.default_rng(6).normal(size=len(data.click))
    loss = PWiseRLoss(weight=0.3)
    expected = loss.gradient_hessian(z, data.grade, dtype="float32")
    objective = PWiseRObjective(weight=0.3)
    sets = [
        make_dmatrix(data.features, data.click, data.known),
        make_dmatrix(data.features, data.click, data.known, quantile=True),
        xgb.DMatrix(data.features, label=data.grade),
        make_dataset(data.features, data.click, data.known).construct(),
        lgb.Dataset(data.features, label=data.grade, init_score=np.full(len(z), -1.0)).construct(),
    ]
    told = [objective(z, each) for each in sets]
    told.append(PWiseRSklearnObjective(data.known, weight=0.3)(data.click.astype(int), z))
    told.append(PWiseRSklearnObjective(weight=0.3)(data.grade, z))
    for each in told:
        np.testing.assert_array_equal(each, expected)


def test_a_data_set_with_open_rows_is_read_once(data, monkeypatch):
    planned = []
    plan = PWiseRLoss.plan
    monkeypatch.setattr(PWiseRLoss, "plan", lambda *args, **more: planned.append(1) or plan(*args, **more))
    xgb.train(
        {**XGB, **xgboost_params(data.click)},
        make_dmatrix(data.features, data.click, data.known),
        3,
        obj=PWiseRObjective(weight=0.3),
    )
    assert len(planned) == 1


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_trees_at_weight_0_are_those_of_the_clicks(data, library):
    def trained(conversion):
        objective = PWiseRObjective(weight=0)
        if library == "lightgbm":
            dataset = make_dataset(data.features, data.click, conversion)
            return lgb.train({**LGB, "objective": objective}, dataset, 10).predict(data.features)
        matrix = make_dmatrix(data.features, data.click, conversion)
        return xgb.train({**XGB, **xgboost_params(data.click)}, matrix, 10, obj=objective).predict(matrix)

    np.testing.assert_array_equal(trained(data.known), trained(np.zeros(len(data.click))))


# ------------------------------------------------------------------------------ both tasks


@pytest.mark.parametrize("weighted", [False, True])
def test_open_rows_have_no_part_in_the_loss_of_conversions(data, weighted):
    n = 300
    scores = np.random.default_rng(7).normal(size=(n, 2))
    grade, weight = data.grade[:n], data.weight[:n].astype(float) if weighted else np.ones(n)
    loss = MultiTaskLoss(click=PWiseRLoss(weight=0.2), conversion_weight=3.0)
    plan = loss.plan(grade, sample_weight=weight if weighted else None)
    q = 1 / (1 + np.exp(-scores[:, 1]))
    decided, total = 0.0, weight.sum()
    for u, w, g in zip(scores[:, 1], weight, grade, strict=True):
        if g in (1, 2):
            decided += w * (np.log1p(np.exp(u)) - (g == 2) * u)
    of_click = loss.click.value(scores[:, 0], grade, sample_weight=weight)
    assert loss.value(scores, plan) == pytest.approx(of_click + 3 * decided / total, rel=1e-9)
    grad, hess = loss.gradient_hessian(scores, plan)
    expected = 3 * weight * np.isin(grade, (1, 2)) * (q - (grade == 2))
    np.testing.assert_allclose(grad[:, 1], expected, atol=1e-12)
    assert (grade == OPEN).any()
    assert (grad[grade == OPEN, 1] == 0).all()
    np.testing.assert_array_equal(hess[grade == OPEN, 1], hess[grade == 0, 1][0])


def test_shared_trees_start_and_are_judged_without_them(data):
    matrix = make_dmatrix(data.features, data.click, data.known, tasks=2)
    decided = np.isin(data.grade, (1, 2))
    params = xgboost_params(data.click, conversion=data.known)
    assert params["base_score"] == pytest.approx([data.click.mean(), data.conversion[decided].mean()])
    scores = np.random.default_rng(8).normal(size=(len(data.click), 2))
    told = dict(auc_tasks(scores, matrix))
    assert told["auc_ctr"] == auc(scores[:, 0], data.click)
    assert told["auc_cvr"] == auc(scores[decided, 1], data.conversion[decided])
    grad, _ = PWiseRMultiTaskObjective(weight=0.2)(scores, matrix)
    loss = MultiTaskLoss(click=PWiseRLoss(weight=0.2))
    np.testing.assert_array_equal(
        grad, loss.gradient_hessian(scores, loss.plan(data.grade), dtype="float32")[0]
    )
    with pytest.raises(InputError, match="the mean conversion of clicks is nan"):
        xgboost_params(data.click, conversion=np.full(len(data.click), NAN))
