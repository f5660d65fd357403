"""Blocks of rows on several threads: the same bits for any number, and nobody waits for ever."""

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from gbdt_pwiser.objectives import (
    InputError,
    PWiseRLoss,
    PWiseRObjective,
    _parallel,
    auc,
    make_dataset,
    make_dmatrix,
)
from gbdt_pwiser.objectives._parallel import check_threads, default_threads, in_order, threads_for, threads_of
from tests.objectives.cases import KINDS, case, rows

RNG = np.random.default_rng(0)
patched = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def bits(*arrays):
    return [np.asarray(array).tobytes() for array in arrays]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind))
@patched
@given(data=rows)
def test_any_number_of_threads_gives_the_same_bits(many_blocks, kind, data):
    loss, z, grade, extra = case(kind, data)
    found = []
    for threads in (1, 2, 7):
        loss = PWiseRLoss(**{**vars(loss), "threads": threads})
        value, activity = loss.value(z, grade, **extra), loss.pair_activity(z, grade, **extra)
        derivatives = loss.gradient_hessian(z, grade, **extra)
        narrow = loss.gradient_hessian(z.astype(np.float32), grade, **extra)
        found.append(bits(value, activity, *derivatives, *narrow))
    assert found[0] == found[1] == found[2]


def test_large_sets_give_the_same_bits_on_threads():
    n = 300_000
    z, grade, w = RNG.normal(-3, 1, n), RNG.choice(4, n, p=[0.9, 0.06, 0.03, 0.01]), RNG.random(n)
    for extra in ({"sample_weight": w}, {}):
        plan = PWiseRLoss().plan(grade, **extra)
        found = [bits(*PWiseRLoss(threads=k).gradient_hessian(z, plan)) for k in (1, 2, 7)]
        assert found[0] == found[1] == found[2]


@patched
@given(data=rows)
def test_auc_is_the_same_on_threads(many_blocks, data):
    score, grade, _, w = (np.array(column) for column in zip(*data, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        found = []
        for threads in ("1", "5"):
            patch.setenv("OMP_NUM_THREADS", threads)
            found.append(bits(auc(score, grade > 0), auc(score, grade > 0, sample_weight=w)))
    assert found[0] == found[1]


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_parts_are_collected_in_order_whoever_finishes_first(threads):
    collected, workers = [], set()

    def work(item):
        workers.add(threading.get_ident())
        time.sleep(0.002 * (item % 3))
        return item * item

    in_order(range(20), work, collected.append, threads=threads)
    assert collected == [k * k for k in range(20)]
    assert len(workers) <= threads
    assert threads == 1 or len(workers) > 1
    in_order([], work, collected.append, threads=threads)
    assert len(collected) == 20


@pytest.mark.parametrize("threads", [1, 4])
def test_an_error_ends_the_work_and_is_raised(threads):
    begun = []

    def work(item):
        begun.append(item)
        if item == 3:
            raise InputError("three")
        return item

    with pytest.raises(InputError, match="three"):
        in_order(range(10_000), work, lambda part: None, threads=threads)
    assert len(begun) < 10_000
    with pytest.raises(ZeroDivisionError):
        in_order(range(5), lambda item: item, lambda part: 1 / 0, threads=threads)


def test_a_score_that_is_no_number_is_refused_on_threads():
    z, grade = np.zeros(400_000), np.zeros(400_000, dtype=int)
    z[-1] = np.nan
    with pytest.raises(InputError, match="NaN or infinite"):
        PWiseRLoss(threads=3).gradient_hessian(z, grade)


def test_many_trainings_at_once_share_the_pool(many_blocks):
    z, grade = RNG.normal(size=60), RNG.integers(0, 3, 60)
    alone = bits(*PWiseRLoss(threads=1).gradient_hessian(z, grade))
    found = []

    def train():
        loss = PWiseRLoss(threads=6)
        plan = loss.plan(grade)
        found.extend(bits(*loss.gradient_hessian(z, plan)) for _ in range(20))

    trainings = [threading.Thread(target=train) for _ in range(6)]
    for training in trainings:
        training.start()
    for training in trainings:
        training.join(60)
    assert found == [alone] * 120


def test_trainings_at_once_on_one_plan_do_not_share_results(many_blocks):
    grade = RNG.integers(0, 3, 60)
    loss = PWiseRLoss(threads=2)
    plan = loss.plan(grade)
    wrong = []

    def train(seed):
        z = np.random.default_rng(seed).normal(size=60)
        expected = bits(*loss.gradient_hessian(z, grade))
        for _ in range(50):
            if bits(*loss.gradient_hessian(z, plan)) != expected:
                wrong.append(seed)

    trainings = [threading.Thread(target=train, args=(seed,)) for seed in range(6)]
    for training in trainings:
        training.start()
    for training in trainings:
        training.join(60)
    assert not wrong


def test_results_are_written_over_only_when_nobody_holds_them():
    # Another thread may hold them for a moment longer than the call takes.
    loss, grade = PWiseRLoss(threads=1), RNG.integers(0, 3, 50)
    plan = loss.plan(grade)
    first = loss.gradient_hessian(RNG.normal(size=50), plan)
    kept = bits(*first)
    part, _ = loss.gradient_hessian(RNG.normal(size=50), plan)[0][3:9], None
    kept_part = bits(part)
    for _ in range(5):
        loss.gradient_hessian(RNG.normal(size=50), plan)
    assert bits(*first) == kept
    assert bits(part) == kept_part
    del first, part
    again = loss.gradient_hessian(RNG.normal(size=50), plan)
    address = again[0].ctypes.data
    del again
    assert loss.gradient_hessian(RNG.normal(size=50), plan)[0].ctypes.data == address
    assert loss.gradient_hessian(RNG.normal(size=50), plan, dtype="float32")[0].dtype == np.float32


def test_a_fork_and_a_worker_of_joblib_compute_the_same():
    program = """
import multiprocessing, sys
import numpy as np
from joblib import Parallel, delayed, parallel_config
from gbdt_pwiser.objectives import PWiseRLoss, _parallel

rng = np.random.default_rng(0)
z, grade = rng.normal(size=300_000), rng.integers(0, 3, 300_000)

def gradient(threads=3):
    return [array.tobytes() for array in PWiseRLoss(threads=threads).gradient_hessian(z, grade)]

def threads_there():
    return _parallel.default_threads()

here = gradient()
with multiprocessing.get_context("fork").Pool(2) as pool:
    there = pool.map(gradient, [3, 1])
assert all(each == here for each in there)
with parallel_config(backend="loky", inner_max_num_threads=1):
    assert Parallel(n_jobs=2)(delayed(threads_there)() for _ in range(2)) == [1, 1]
print("same")
"""
    # What is set here would be kept by the workers.
    told = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env=told,
        check=False,
    )
    assert done.stdout == "same\n", done.stderr


def test_threads_are_those_that_openmp_is_told_or_the_cores_of_the_process(monkeypatch):
    for told, threads in (("3", 3), ("4,2", 4), ("99999", _parallel.MOST_THREADS)):
        monkeypatch.setenv("OMP_NUM_THREADS", told)
        assert default_threads() == threads
    monkeypatch.setattr(_parallel, "_cores", lambda: 5)
    monkeypatch.setattr(_parallel, "FEWEST_ROWS", 200_000)
    for told in ("0", "many", "", "-1"):
        monkeypatch.setenv("OMP_NUM_THREADS", told)
        assert default_threads() == 5
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert default_threads() == 5
    assert threads_for(10**6) == threads_for(10**6, None, None) == 5
    assert threads_for(10**6, 3, 2) == 3
    assert threads_for(10**6, None, 2) == 2
    assert threads_for(199_999, 7) == 1


def test_the_cores_of_a_process_are_those_that_it_may_use():
    affinity = multiprocessing.get_context("spawn")
    assert 1 <= _parallel._cores() <= affinity.cpu_count()


def test_threads_of_a_data_set_are_those_it_was_made_with():
    import xgboost

    features, click = RNG.random((40, 2)), RNG.integers(0, 2, 40)
    conversion = click * 0
    assert threads_of(make_dmatrix(features, click, conversion)) is None
    assert threads_of(make_dmatrix(features, click, conversion, nthread=3)) == 3
    with xgboost.config_context(nthread=2):
        assert threads_of(make_dmatrix(features, click, conversion)) == 2
    for name in ("num_threads", "n_jobs", "nthread"):
        assert threads_of(make_dataset(features, click, conversion, params={name: 4})) == 4
    for params in (None, {}, {"num_threads": 0}, {"num_threads": -1}, {"num_threads": "x"}):
        assert threads_of(make_dataset(features, click, conversion, params=params)) is None


def test_an_objective_computes_on_the_threads_of_its_data_set(monkeypatch):
    told = []
    monkeypatch.setattr(
        "gbdt_pwiser.objectives._loss.threads_for", lambda rows, *wanted: told.append(wanted) or 1
    )
    features, click = RNG.random((40, 2)), RNG.integers(0, 2, 40)
    data = make_dmatrix(features, click, click, nthread=3)
    PWiseRObjective()(np.zeros(40, dtype=np.float32), data)
    PWiseRObjective(threads=2)(np.zeros(40, dtype=np.float32), data)
    assert told == [(None, 3), (2, 3)]


@pytest.mark.parametrize("threads", [0, -1, 1025, 1.5, "2", True])
def test_a_number_of_threads_that_is_none_is_refused(threads):
    with pytest.raises(InputError, match=r"threads is .*; give a whole number from 1 to 1024"):
        check_threads(threads)
    with pytest.raises(InputError, match="threads is"):
        PWiseRObjective(threads=threads)


def test_threads_are_no_part_of_what_a_loss_is():
    assert PWiseRLoss(threads=2) == PWiseRLoss()
    assert repr(PWiseRLoss(threads=2)) == repr(PWiseRLoss())


def test_work_is_done_where_no_thread_is_to_be_had(monkeypatch):
    def refuse(self, work):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("concurrent.futures.ThreadPoolExecutor.submit", refuse)
    collected = []
    in_order(range(8), lambda item: item, collected.append, threads=4)
    assert collected == list(range(8))


def test_arrays_that_somebody_changed_are_not_used_again():
    loss = PWiseRLoss(threads=1)
    plan, z = loss.plan([0, 1, 2]), np.array([0.5, 0.1, -0.2])
    expected = bits(*loss.gradient_hessian(z, [0, 1, 2]))
    for change in (
        lambda array: array.setflags(write=False),
        lambda array: setattr(array, "shape", (3, 1)),
        lambda array: setattr(array, "dtype", np.int64),
    ):
        for number in (0, 1):
            derivatives = loss.gradient_hessian(z, plan)
            change(derivatives[number])
            del derivatives
            assert bits(*loss.gradient_hessian(z, plan)) == expected


def test_a_plan_travels_without_arrays_to_be_used_again():
    loss, grade = PWiseRLoss(), np.zeros(1000, dtype=int)
    plan = loss.plan(grade)
    before = len(pickle.dumps(plan))
    loss.gradient_hessian(np.zeros(1000), plan)
    assert len(pickle.dumps(plan)) == before


@pytest.mark.parametrize("pairs", ["all", "group"])
def test_a_score_of_no_pair_must_be_a_number_too(pairs):
    with pytest.raises(InputError, match="NaN or infinite"):
        PWiseRLoss(pairs=pairs).pair_activity([np.nan, 0.0, 0.0], [0, 0, 2], group=[0, 1, 1])
    with pytest.raises(InputError, match="NaN or infinite"):
        PWiseRLoss(pairs=pairs).pair_activity([np.nan, 0.0, 0.0], [3, 1, 2], group=[0, 1, 1])
