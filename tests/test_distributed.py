"""Two and three Dask workers train the model of one machine, whoever holds the anchors."""

import contextlib
import gc
import os
import signal
import time
import warnings

import numpy as np
import pytest

from gbdt_pwiser.distributed import train
from gbdt_pwiser.objectives import (
    InputError,
    PWiseRMultiTaskObjective,
    PWiseRObjective,
    auc,
    auc_ctr,
    auc_tasks,
    make_dmatrix,
    xgboost_params,
)

da = pytest.importorskip("dask.array", reason="dask is not installed")
dd = pytest.importorskip("distributed", reason="distributed is not installed")
import xgboost as xgb  # noqa: E402
import xgboost.dask  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # Dask's own warnings are none of ours

PARAMS = {"max_depth": 3, "learning_rate": 0.3, "tree_method": "hist", "nthread": 1}
ROUNDS = 8
N = 6000


@pytest.fixture(scope="module", params=[2, 3])
def client(request):
    with (
        dd.LocalCluster(
            n_workers=request.param, threads_per_worker=1, dashboard_address=":0", processes=True
        ) as cluster,
        dd.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def exposures():
    """Features are small integers, so that the cuts do not depend on who holds which row."""
    rng = np.random.default_rng(0)
    features = rng.integers(0, 12, (N, 5)).astype(np.float32)
    raw = -2 + 0.25 * features[:, 0] - 0.1 * features[:, 1]
    click = rng.random(N) < 1 / (1 + np.exp(-raw))
    conversion = click & (rng.random(N) < 0.05 + 0.02 * features[:, 2])
    return features, click.astype(np.float32), conversion.astype(np.float32)


def parts(exposures, boundaries):
    """Dask arrays cut at the boundaries."""
    sizes = tuple(np.diff([0, *boundaries, N]))
    features, click, conversion = exposures
    return (
        da.from_array(features, chunks=(sizes, features.shape[1])),
        da.from_array(click, chunks=(sizes,)),
        da.from_array(conversion, chunks=(sizes,)),
    )


def margins(booster, features):
    return booster.predict(xgb.DMatrix(features), output_margin=True)


def alone(exposures, objective):
    features, click, conversion = exposures
    data = make_dmatrix(features, click, conversion, quantile=True)
    return xgb.train({**PARAMS, **xgboost_params(click)}, data, ROUNDS, obj=objective)


def test_workers_train_both_tasks_as_one_machine(client, exposures):
    features, click, conversion = exposures
    objective = PWiseRMultiTaskObjective(weight=0.3, conversion_weight=2)
    cut = parts(exposures, [2500, 4000])
    booster = train(
        client,
        PARAMS,
        *cut,
        objective=objective,
        valid=parts(exposures, [3000]),
        num_boost_round=ROUNDS,
        custom_metric=auc_tasks,
        callbacks=[xgb.callback.EarlyStopping(rounds=50, metric_name="auc_cvr", data_name="valid")],
        verbose_eval=False,
    )
    data = make_dmatrix(features, click, conversion, tasks=2, quantile=True)
    params = {**PARAMS, **xgboost_params(click, conversion=conversion)}
    expected = xgb.train(params, data, ROUNDS, obj=objective)
    np.testing.assert_allclose(margins(booster, features), margins(expected, features), atol=1e-5)
    pcvr = expected.inplace_predict(features)[click == 1, 1]
    assert float(booster.best_score) == pytest.approx(auc(pcvr, conversion[click == 1]), abs=0.02)
    with pytest.raises(InputError, match="valid has 2 entries; give features, click and conversion"):
        train(client, PARAMS, *cut, objective=objective, valid=cut[:2])
    nothing = [cut[0], cut[1], 0 * cut[2]]
    with pytest.raises(InputError, match="the mean conversion of clicks is 0; a model of both tasks needs"):
        train(client, PARAMS, *nothing, objective=objective)


@pytest.mark.parametrize("surrogate", ["hinge", "squared_hinge", "logistic"])
def test_workers_train_the_model_of_one_machine(client, exposures, surrogate):
    objective = PWiseRObjective(weight=0.5, surrogate=surrogate)
    booster = train(
        client, PARAMS, *parts(exposures, [2500, 4000]), objective=objective, num_boost_round=ROUNDS
    )
    one = alone(exposures, objective)
    np.testing.assert_allclose(margins(booster, exposures[0]), margins(one, exposures[0]), atol=1e-5)
    bce = alone(exposures, PWiseRObjective(weight=0))
    assert np.abs(margins(bce, exposures[0]) - margins(one, exposures[0])).max() > 0.01


def with_open(exposures):
    """The same with a fifth of the conversions open; without a click NaN is 0."""
    features, click, conversion = exposures
    rows = np.random.default_rng(9).random(N) < 0.2
    return features, click, np.where(rows, np.nan, conversion).astype(np.float32)


def test_workers_leave_open_clicks_out_of_the_pairs(client, exposures):
    opened, objective = with_open(exposures), PWiseRObjective(weight=0.5)
    booster = train(client, PARAMS, *parts(opened, [2500, 4000]), objective=objective, num_boost_round=ROUNDS)
    found, one = margins(booster, opened[0]), margins(alone(opened, objective), opened[0])
    np.testing.assert_allclose(found, one, atol=1e-5)
    as_none = alone((*opened[:2], np.nan_to_num(opened[2])), objective)
    assert np.abs(margins(as_none, opened[0]) - one).max() > 0.01


@pytest.mark.skipif(tuple(map(int, xgb.__version__.split(".")[:2])) < (3, 2), reason="needs XGBoost 3.2")
def test_workers_leave_open_clicks_out_of_the_second_task(client, exposures):
    features, click, conversion = with_open(exposures)
    objective = PWiseRMultiTaskObjective(weight=0.3)
    cut = parts((features, click, conversion), [2500, 4000])
    booster = train(client, PARAMS, *cut, objective=objective, valid=cut, num_boost_round=ROUNDS)
    data = make_dmatrix(features, click, conversion, tasks=2, quantile=True)
    params = {**PARAMS, **xgboost_params(click, conversion=conversion)}
    expected = xgb.train(params, data, ROUNDS, obj=objective)
    np.testing.assert_allclose(margins(booster, features), margins(expected, features), atol=1e-5)
    nothing = [cut[0], cut[1], np.nan * cut[2]]
    with pytest.raises(InputError, match="the mean conversion of clicks is nan; a model of both tasks"):
        train(client, PARAMS, *nothing, objective=objective)


@pytest.mark.skipif(tuple(map(int, xgb.__version__.split(".")[:2])) < (3, 2), reason="needs XGBoost 3.2")
@pytest.mark.parametrize("kind", ["bool", "boolean", "Int64", "Float64"])
def test_both_tasks_from_columns_of_any_type(client, exposures, kind):
    dask_frames = pytest.importorskip("dask.dataframe", reason="dask has no dataframes")
    pandas = pytest.importorskip("pandas")
    features, *labels = exposures
    series = [pandas.Series(label.astype(int)).astype(kind) for label in labels]
    if kind == "Float64":  # whose missing values are NaN, as on one machine
        rows = np.random.default_rng(9).random(N) < 0.2
        series[1][rows] = pandas.NA
        labels[1] = np.where(rows, np.nan, labels[1])
    objective = PWiseRMultiTaskObjective(weight=0.3)
    table = dask_frames.from_pandas(pandas.DataFrame(features), npartitions=2)
    columns = [dask_frames.from_pandas(each, npartitions=2) for each in series]
    booster = train(client, PARAMS, table, *columns, objective=objective, num_boost_round=ROUNDS)
    data = make_dmatrix(features, *labels, tasks=2, quantile=True)
    params = {**PARAMS, **xgboost_params(labels[0], conversion=labels[1])}
    expected = xgb.train(params, data, ROUNDS, obj=objective)
    np.testing.assert_allclose(margins(booster, table.compute()), margins(expected, features), atol=1e-5)


def test_no_rounding_hides_that_all_decided_clicks_convert(client, exposures):
    features, click, conversion = with_open(exposures)
    weight = np.random.default_rng(0).random(N)
    all_of_them = np.where(np.isnan(conversion), np.nan, click)
    cut = parts((features, click, all_of_them), [2500, 4000])
    weights = da.from_array(weight, chunks=cut[1].chunks)
    with pytest.raises(InputError, match="the mean conversion of clicks is 1; a model of both tasks needs"):
        train(client, PARAMS, *cut, objective=PWiseRMultiTaskObjective(), sample_weight=weights)


def test_a_worker_without_anchors(client, exposures):
    """Sorted by grade, one part holds no conversion and another nothing else."""
    features, click, conversion = exposures
    order = np.argsort(click + conversion, kind="stable")
    by_grade = features[order], click[order], conversion[order]
    clicked, converted = int(N - click.sum()), int(N - conversion.sum())
    objective = PWiseRObjective(weight=0.5)
    booster = train(
        client, PARAMS, *parts(by_grade, [clicked, converted]), objective=objective, num_boost_round=ROUNDS
    )
    np.testing.assert_allclose(
        margins(booster, features), margins(alone(by_grade, objective), features), atol=1e-5
    )


def test_a_worker_without_rows(client, exposures):
    objective = PWiseRObjective(weight=0.5)
    booster = train(client, PARAMS, *parts(exposures, []), objective=objective, num_boost_round=ROUNDS)
    np.testing.assert_allclose(
        margins(booster, exposures[0]), margins(alone(exposures, objective), exposures[0]), atol=1e-5
    )


@pytest.mark.parametrize("boundaries", [[], [1000], [500, 4000]])
def test_auc_ctr_is_that_of_all_rows_whoever_holds_them(client, exposures, boundaries):
    """With one partition of validation all other workers hold no row."""
    features, click, _ = exposures
    valid = parts(exposures, boundaries)[:2]
    booster = train(
        client,
        PARAMS,
        *parts(exposures, [3000]),
        valid=valid,
        custom_metric=auc_ctr,
        num_boost_round=4,
        early_stopping_rounds=4,
    )
    best = booster.predict(
        xgb.DMatrix(features), output_margin=True, iteration_range=(0, booster.best_iteration + 1)
    )
    assert booster.best_score == pytest.approx(auc(best, click), abs=1e-6)


def test_a_wrong_start_is_no_reason_to_hang(client, exposures):
    features, click, conversion = parts(exposures, [3000])
    data = xgb.dask.DaskQuantileDMatrix(client, features, label=click, label_lower_bound=conversion)
    params = {**PARAMS, "objective": "binary:logistic", "base_score": 0.9}
    result = xgb.dask.train(client, params, data, num_boost_round=2, obj=PWiseRObjective())
    assert result["booster"].num_boosted_rounds() == 2


def test_what_is_refused(client, exposures):
    features, click, conversion = parts(exposures, [3000])
    with (
        pytest.warns(UserWarning, match="scale_pos_weight has no effect"),
        pytest.raises(InputError, match="conversions have no click"),
    ):
        train(client, {"scale_pos_weight": 3}, features, click, 1 - click)
    with pytest.raises(InputError, match='pairs="group" needs the group'):
        train(client, PARAMS, features, click, conversion, objective=PWiseRObjective(pairs="group"))
    with pytest.raises(InputError, match=r"the mean click is 0\.0"):
        train(client, PARAMS, features, 0 * click, 0 * conversion)
    with pytest.raises(InputError, match="weights per group"):
        train(client, PARAMS, features, click, conversion, group=click, sample_weight=click)
    grade = click + conversion
    group = da.from_array(np.arange(N) // 4000, chunks=click.chunks)
    for arguments, says in (
        ((grade, conversion), "partition 0: click is 2.0 in row .* of grades, the click is grade > 0"),
        ((click, 1 - click), "conversions have no click"),
        ((click.rechunk(1000), conversion), r"the numbers of partitions differ \(click 6, conversion 2\)"),
    ):
        with pytest.raises(InputError, match=says):
            train(client, PARAMS, features, *arguments)
    for options, says in (
        ({"sample_weight": -click}, "sample_weight -1.0 in row"),
        ({"sample_weight": 0 * click}, "every sample_weight is 0"),
        ({"sample_weight": 1e200 * (click.astype(float) + 1)}, "boosters keep weights as float32"),
        ({"group": group}, "group 0 lies in two partitions"),
        ({"group": click + 0.5}, "group is .* an id is a whole number or a text"),
    ):
        with pytest.raises(InputError, match=says):
            train(client, PARAMS, features, click, conversion, **options)


class Tells(PWiseRObjective):
    """Tells the scheduler what each round began with: this worker's rows, and the activity it recorded."""

    def __call__(self, raw_score, data):
        derivatives = super().__call__(raw_score, data)
        grade = data.get_label() + data.get_float_info("label_lower_bound")
        round_, activity = self.activity[-1]
        told = {"round": round_, "raw": raw_score.tolist(), "grade": grade.tolist(), "activity": activity}
        dd.get_worker().log_event("activity", told)
        return derivatives


def events_of(client):
    return [event for _, event in client.get_events("activity")]


def test_workers_record_the_activity_of_all_rows(client):
    """A double loop over the rows of all workers, one of which has no conversions."""
    rng = np.random.default_rng(1)
    n, rounds = 240, 3
    features = rng.integers(0, 12, (n, 3)).astype(np.float32)
    click = (rng.random(n) < 0.3).astype(np.float32)
    conversion = click * (rng.random(n) < 0.4) * (np.arange(n) >= 100)
    objective = Tells(weight=0.3, click_margin=0.02, impression_margin=0.1, record_activity=True)
    cut = [
        da.from_array(part, chunks=((100, 140), 3)[: part.ndim])
        for part in (features, click, conversion.astype(np.float32))
    ]
    train(client, PARAMS, *cut, objective=objective, num_boost_round=rounds)
    deadline = time.monotonic() + 20
    while sum(len(event["raw"]) for event in events_of(client)) < n * rounds:
        assert time.monotonic() < deadline, "what workers tell takes its time, but not that much"
        time.sleep(0.01)
    events = events_of(client)
    assert objective.activity == []  # the workers' copies have it
    for number in range(rounds):
        of_round = [event for event in events if event["round"] == number]
        raw, grade = (np.concatenate([event[name] for event in of_round]) for name in ("raw", "grade"))
        assert len(raw) == n
        s = 1 / (1 + np.exp(-raw))
        expected = [
            np.mean(
                [
                    margin - (s[i] - s[j]) > 0
                    for i in np.flatnonzero(grade == 2)
                    for j in np.flatnonzero(grade == kind)
                ]
            )
            for kind, margin in ((1, 0.02), (0, 0.1))
        ]
        for event in of_round:
            assert event["activity"] == pytest.approx(expected, abs=1e-12)
    assert 0 < min(expected) < 1


class Dies(PWiseRObjective):
    """Kills the worker with rank 1 in the third round."""

    calls = 0

    def __call__(self, raw_score, data):
        from xgboost import collective

        Dies.calls += 1
        if Dies.calls == 3 and collective.get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(raw_score, data)


def test_a_killed_worker_is_an_error_or_a_right_model(exposures):
    booster = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            dd.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
            dd.Client(cluster) as client,
            contextlib.suppress(RuntimeError, OSError, ValueError),  # of Dask's scheduler and of XGBoost
        ):
            killer = Dies(weight=0.5)
            booster = train(
                client, PARAMS, *parts(exposures, [3000]), objective=killer, num_boost_round=ROUNDS
            )
        gc.collect()  # the sockets of the dead, before they warn in some other test
    if booster is not None:
        one = alone(exposures, PWiseRObjective(weight=0.5))
        np.testing.assert_allclose(margins(booster, exposures[0]), margins(one, exposures[0]), atol=1e-5)
