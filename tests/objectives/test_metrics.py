"""CTR AUC and GAUC as metrics of both boosters, on one machine and over workers."""

import warnings

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb

from gbdt_pwiser.metrics import gauc
from gbdt_pwiser.objectives import (
    InputError,
    PWiseRObjective,
    auc,
    auc_by_group,
    auc_ctr,
    make_dataset,
    make_dmatrix,
    xgboost_params,
)
from gbdt_pwiser.objectives import _auc as implementation
from gbdt_pwiser.objectives._plan import make_plan
from gbdt_pwiser.objectives.traps import warn_of_start
from tests.objectives.test_peers import Threads

N = 3000
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4))
CLICK = RNG.random(N) < 1 / (1 + np.exp(1.5 - X[:, 0]))
CONVERSION = CLICK & (RNG.random(N) < 0.3)
GROUP = np.sort(RNG.integers(0, 400, N))
SCORE = np.round(X[:, 0] + RNG.normal(size=N), 1)  # ties
WEIGHT = RNG.integers(0, 4, N).astype(float)


# ------------------------------------------------------------------------------ GAUC


def test_auc_by_group_is_gauc():
    expected = gauc(SCORE, CLICK, GROUP).value
    assert expected != auc(SCORE, CLICK)
    for data in (
        make_dmatrix(X, CLICK, CONVERSION, group=GROUP),
        make_dataset(X, CLICK, CONVERSION, group=GROUP).construct(),
    ):
        name, value, *higher_is_better = auc_by_group(SCORE, data)
        assert (name, value) == ("auc_by_group", pytest.approx(expected, abs=1e-12))
        assert higher_is_better == ([] if isinstance(data, xgb.DMatrix) else [True])


def test_auc_by_group_is_weighted_where_the_data_set_is():
    data = make_dataset(X, CLICK, CONVERSION, group=GROUP, sample_weight=WEIGHT).construct()
    expected = gauc(SCORE, CLICK, GROUP, sample_weight=WEIGHT).value
    assert auc_by_group(SCORE, data)[1] == pytest.approx(expected, abs=1e-12)
    dmatrix = make_dmatrix(X, CLICK, CONVERSION, group=GROUP)
    per_group = np.arange(1.0, 1 + len(np.unique(GROUP)))
    dmatrix.set_weight(per_group)
    spread = np.repeat(per_group, np.unique(GROUP, return_counts=True)[1])
    assert auc_by_group(SCORE, dmatrix)[1] == pytest.approx(
        gauc(SCORE, CLICK, GROUP, sample_weight=spread).value, abs=1e-6
    )


def test_groups_of_one_class_rank_nothing():
    data = make_dmatrix(X[:4], [0, 1, 0, 1], [0, 0, 0, 1], group=[0, 1, 2, 3])
    assert np.isnan(auc_by_group(SCORE[:4], data)[1])


@pytest.mark.parametrize("metric", [auc_ctr, auc_by_group])
def test_early_stopping_maximizes_it(metric):
    dtrain = make_dmatrix(X, CLICK, CONVERSION, group=GROUP)
    valid = make_dmatrix(X[::-1], CLICK, CONVERSION, group=GROUP)
    seen = {}
    params = {**xgboost_params(CLICK), "nthread": 1, "disable_default_eval_metric": True}
    booster = xgb.train(
        params,
        dtrain,
        30,
        obj=PWiseRObjective(),
        custom_metric=metric,
        evals=[(valid, "valid")],
        evals_result=seen,
        early_stopping_rounds=3,
        verbose_eval=False,
    )
    (history,) = seen["valid"].values()
    assert booster.best_iteration == int(np.argmax(history)) < len(history) - 1
    assert (np.diff(history) != 0).any()


def test_lightgbm_takes_both():
    data = make_dataset(X, CLICK, CONVERSION, group=GROUP)
    seen = {}
    lgb.train(
        {"objective": PWiseRObjective(), "verbose": -1, "num_threads": 1, "metric": "None"},
        data,
        5,
        valid_sets=[data],
        feval=[auc_ctr, auc_by_group],
        callbacks=[lgb.record_evaluation(seen)],
    )
    for history in seen["training"].values():
        assert history[-1] > history[0] > 0.5


def test_groups_are_needed():
    with pytest.raises(InputError, match=r"auc_by_group needs the groups .* or use auc_ctr"):
        auc_by_group(SCORE, make_dataset(X, CLICK, CONVERSION).construct())


# ------------------------------------------------------------------------------ workers


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("worker", [GROUP % 3, 2 * CLICK, np.zeros(N, int)], ids=["mixed", "by class", "one"])
def test_auc_over_workers_is_that_of_all_rows(worker, weight):
    def work(rank, peer):
        mine = worker == rank
        return implementation._across(
            SCORE[mine], CLICK[mine], None if weight is None else weight[mine], peer
        )

    expected = auc(SCORE, CLICK, sample_weight=weight)
    for found in Threads(3).run(work):
        assert found == pytest.approx(expected, abs=1e-12)


def test_auc_over_workers_without_rows_or_a_class():
    def work(rank, peer):
        return [
            implementation._across(SCORE[:n], np.full(n, clicked), None, peer)
            for n, clicked in ((0, False), (5, False), (5, True))
        ]

    assert np.isnan(Threads(2).run(work)).all()


@pytest.mark.parametrize(("start", "warned"), [(0.0, 1), (None, 0)])
def test_the_first_worker_warns_of_the_mean_of_all_rows(start, warned):
    """Each worker's own mean is far from that of all."""
    grade = CLICK.astype(np.int8) + CONVERSION
    rate = CLICK.mean()
    raw = np.log(rate / (1 - rate)) if start is None else start

    def work(rank, peer):
        mine = np.flatnonzero(rank == CLICK)
        plan = make_plan(grade[mine], group=None, sample_weight=None, within_groups=False, peers=peer)
        warn_of_start(np.full(len(mine), raw), plan, "remedy", equal_only=True)

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        Threads(3).run(work)
    assert [f"the mean click is {rate:.2g}; remedy" in str(w.message) for w in seen] == [True] * warned
