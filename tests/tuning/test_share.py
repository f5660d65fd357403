"""Processes that share a study, and storages that fail."""

import contextlib
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from gbdt_pwiser.models import MODELS
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.tuning import _share, _storage
from gbdt_pwiser.tuning._share import Share, is_finished
from tests.tuning.helpers import Slow, network, worker

ROOT = Path(__file__).parents[2]
TOTAL = 14


@pytest.fixture
def slow(monkeypatch):
    """The model that the processes train, in this one too."""
    monkeypatch.setitem(MODELS, "fake", network(Slow))


def start(folder, names, storage):
    """Start a search in as many processes, all at once."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.tuning.helpers", folder / name, str(TOTAL), storage, folder / "go"],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    waited(lambda: all((folder / f"{name}.ready").exists() for name in names))
    (folder / "go").touch()
    return processes


def waited(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not (seen := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return seen


def rows(database, query):
    """Ask a database that may not be there yet, without Optuna."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []


FINISHED = "select count(*) from trials where state in ('COMPLETE', 'PRUNED')"
OWNERS = (
    "select value_json from trials join trial_user_attributes using (trial_id) where key='owner' and state="
)


def test_two_processes_one_killed_end_with_exactly_the_trials_asked_for(tmp_path, slow):
    database = tmp_path / "study.db"
    storage = f"sqlite:///{database}"
    doomed, survivor = processes = start(tmp_path, "ab", storage)

    def half_way():
        if not any(count >= TOTAL // 3 for (count,) in rows(database, FINISHED)):
            return False
        return {json.loads(owner)["pid"] for (owner,) in rows(database, f"{OWNERS}'COMPLETE'")} == {
            process.pid for process in processes
        } and any(json.loads(owner)["pid"] == doomed.pid for (owner,) in rows(database, f"{OWNERS}'RUNNING'"))

    def trials():
        return optuna.load_study(study_name="simulated-fake", storage=storage).trials

    try:
        waited(half_way)
        os.kill(doomed.pid, signal.SIGKILL)
        doomed.wait()
        left = [t for t in trials() if t.state == TrialState.RUNNING]
        assert survivor.wait(60) == 0, survivor.stderr.read()
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stderr.close()

    after = trials()
    finished = [t for t in after if is_finished(t)]
    assert len(finished) == TOTAL
    assert all(t.state.is_finished() for t in after)
    assert len({t.user_attrs["owner"]["pid"] for t in finished}) == 2  # they shared the work
    # What the killed one was at is failed, and its parameters were tried again, once.
    gone = [t for t in left if t.user_attrs.get("owner", {}).get("pid") == doomed.pid]
    for trial in gone:
        assert after[trial.number].state == TrialState.FAIL
        (again,) = [t for t in finished if t.user_attrs.get("label") == f"retry of {trial.number}"]
        assert trial.params.items() <= again.params.items()  # it may have been killed while drawing them
    assert len(after) == TOTAL + len([t for t in after if t.state == TrialState.FAIL])
    # A process that comes later finds nothing to do.
    worker(tmp_path / "c", TOTAL, storage)
    assert len(trials()) == len(after)


def test_killed_and_started_again_at_once(tmp_path, slow):
    database = tmp_path / "study.db"
    storage = f"sqlite:///{database}"
    (first,) = start(tmp_path, "a", storage)
    waited(lambda: any(count >= 3 for (count,) in rows(database, FINISHED)))
    first.kill()
    first.wait()
    first.stderr.close()
    started = time.monotonic()
    worker(tmp_path / "b", TOTAL, storage)
    assert time.monotonic() - started < _share.NO_OWNER  # it does not wait for a sign of the dead
    trials = optuna.load_study(study_name="simulated-fake", storage=storage).trials
    assert sum(map(is_finished, trials)) == TOTAL
    assert {t.user_attrs["owner"]["pid"] for t in trials if is_finished(t)} == {first.pid, os.getpid()}


# ------------------------------------------------------------------------------ the rule, step by step


@pytest.fixture
def study():
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))


def test_never_more_than_the_total_however_claims_and_ends_interleave(study, monkeypatch):
    """Two parts of one process stand for two processes: neither takes the other for gone."""
    monkeypatch.setattr(Share, "_is_gone", lambda self, trial: False)
    one, two = (Share(study, "memory", 5, {"first": {"x": 0.5}}) for _ in range(2))
    held = []
    for turn in range(40):
        trial = (one, two)[turn % 2].claim()
        if trial is not None:
            trial.suggest_float("x", 0, 1)
            held.append(trial)
        if len(held) == 3 or (held and trial is None):
            (one, two)[turn % 2].finish(held.pop(0), TrialState.COMPLETE, [0.0])
    assert one.finished == two.finished == 5
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 5
    assert study.trials[0].params == {"x": 0.5}
    assert one.claim() is None


def test_one_too_many_is_dropped(study, monkeypatch):
    """Another process asks between this one's look and its own asking."""
    share, ask = Share(study, "memory", 3, {}), study.ask

    def overtaken():
        for _ in range(3):
            trial = ask()
            trial.set_user_attr("owner", {"machine": "elsewhere"})
        return ask()

    monkeypatch.setattr(study, "ask", overtaken)
    assert share.claim() is None
    assert [t.state for t in study.trials] == [TrialState.RUNNING] * 3 + [TrialState.FAIL]
    assert study.trials[3].user_attrs["surplus"]
    monkeypatch.setattr(study, "ask", ask)
    assert share.claim() is None  # the others have all there is
    assert len(study.trials) == 4


def test_a_label_is_run_once_though_two_processes_queued_it(study, monkeypatch):
    monkeypatch.setattr(Share, "_is_gone", lambda self, trial: False)
    share = Share(study, "memory", 4, {"bce": {"x": 0.1}})
    study.enqueue_trial({"x": 0.1}, user_attrs={"label": "bce"})
    study.enqueue_trial({"x": 0.1}, user_attrs={"label": "bce"})
    first, doubled, third = share.claim(), share.claim(), share.claim()
    assert (first.number, doubled, third.number) == (0, None, 2)


def test_a_silent_process_elsewhere_is_taken_for_gone_and_a_beating_one_is_not(study, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(_share.time, "monotonic", lambda: now[0])
    share = Share(study, "memory", 3, {})
    silent, beating, unsigned = study.ask(), study.ask(), study.ask()
    for trial in (silent, beating):
        trial.set_user_attr("owner", {"machine": "elsewhere", "pid": 1, "started": "1"})
    states = []
    for minute in range(7):
        now[0] = 60.0 * minute
        beating.set_user_attr("beat", minute)
        share._bury(share.trials())
        states.append([t.state == TrialState.RUNNING for t in study.trials])
    assert [alive[0] for alive in states] == [True] * 6 + [False]
    assert all(alive[1] for alive in states)
    assert [alive[2] for alive in states] == [True] * 2 + [False] * 5
    assert unsigned.number == 2


def test_a_process_id_that_was_given_away_is_another_process():
    me = _share._identity(os.getpid())
    assert me == _share._identity(os.getpid())
    assert me["started"] != _share._identity(1)["started"]
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.kill()
    time.sleep(0.2)
    assert _share._started(child.pid) is None  # dead, though nobody has waited for it
    child.wait()
    assert _share._started(child.pid) is None


def test_a_process_that_died_before_it_could_sign_its_trial_is_known_at_once(study):
    """The trial bears the name of the one that queued it, who is most likely the one that took it."""
    gone = {**_share._identity(os.getpid()), "started": "long ago"}
    study.enqueue_trial({"x": 0.25}, user_attrs={"queued_by": gone})
    study.ask()
    again = Share(study, "memory", 2, {}).claim()
    assert study.trials[0].state == TrialState.FAIL
    assert again.user_attrs["label"] == "retry of 0"


def test_what_was_taken_over_cannot_be_finished_twice(study):
    share = Share(study, "memory", 2, {})
    trial = share.claim()
    trial.suggest_float("x", 0, 1)
    share._bury(share.trials())  # as another process does that takes this one for gone
    share.finish(trial, TrialState.COMPLETE, [1.0], {"result": {}})
    assert study.trials[0].state == TrialState.FAIL
    assert share.finished == 0
    assert share.claim().suggest_float("x", 0, 1) == trial.params["x"]


def test_a_sampler_that_cannot_serve_the_study(study, monkeypatch):
    def ask():
        raise ValueError("one objective only")

    monkeypatch.setattr(study, "ask", ask)
    with pytest.raises(InputError, match="this sampler cannot be used: one objective only"):
        Share(study, "memory", 1, {}).claim()


def test_a_trial_beats_while_it_is_worked_on(study, monkeypatch):
    monkeypatch.setattr(_share, "BEAT", 0.01)
    share = Share(study, "memory", 1, {})
    trial = share.claim()
    with share.working(trial):
        waited(lambda: study.trials[0].user_attrs.get("beat", 0) > 1, 10)


# ------------------------------------------------------------------------------ storages


def test_every_storage_gives_the_same_search(search, tmp_path):
    journal = search(output=tmp_path / "a")
    assert not (tmp_path / "a" / "study.db").exists()
    embedded = search(output=tmp_path / "b", storage=None)
    assert (tmp_path / "b" / "study.db").exists()
    url = search(output=tmp_path / "c", storage=f"sqlite:///{tmp_path / 'mine.db'}")
    assert journal == embedded == url


@pytest.mark.parametrize(
    ("storage", "says"),
    [
        ("mysqll://host/db", "cannot be used"),
        ("sqlite:////nowhere/at/all/study.db", "unable to open database file"),
        ("postgresql+psycopg2://nobody@localhost:1/db", "cannot be used"),
        ("/nowhere/at/all/study.log", "No such file or directory"),
        ("://", "cannot be used"),
    ],
)
def test_a_storage_that_cannot_be_opened(search, storage, says):
    with pytest.raises(InputError, match=says) as refused:
        search(storage=storage)
    assert storage in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_database(search, tmp_path):
    (tmp_path / "study.db").write_text("no database at all, but long enough to be taken for one" * 40)
    with pytest.raises(InputError, match="not a database"):
        search(storage=f"sqlite:///{tmp_path / 'study.db'}")


def test_a_locked_database(search, tmp_path, monkeypatch):
    search(n_trials=1, storage=None)
    monkeypatch.setattr(_storage, "SECONDS_TO_WAIT_FOR_A_LOCK", 0.05)
    with sqlite3.connect(tmp_path / "out" / "study.db", isolation_level=None) as other:
        other.execute("begin immediate")
        with pytest.raises(InputError, match="database is locked; another program holds it"):
            search(n_trials=1, study_name="another", storage=None)
    other.close()
    assert len(search(n_trials=1, study_name="another", storage=None).trials) == 1


@pytest.mark.parametrize("storage", [None, "study.log"])
def test_a_full_disk(search, tmp_path, monkeypatch, storage, fake):
    """A limit on the size of files stands for it; the system says "too large" or "I/O error" of that."""
    monkeypatch.chdir(tmp_path)
    search(n_trials=2, storage=storage)
    file = tmp_path / (storage or "out/study.db")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 8192, before[1]))
    try:
        with pytest.raises(InputError, match="cannot be used: ") as refused:
            search(n_trials=200, storage=storage)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(refused.value)
    assert len(search(n_trials=12, storage=storage, timeout=30).trials) >= 2


def test_a_storage_that_fails_is_no_fault_of_the_trial(search, fake):
    """It ends the search at once; nothing is recorded as the trial's error."""

    def fit(self, train, valid, on_round=None):
        with _storage.storage_errors("a place"):
            raise OSError(28, "No space left on device")

    whole, fake.fit = fake.fit, fit
    with pytest.raises(InputError, match="No space left on device; make room and start again"):
        search(n_trials=3)
    fake.fit = whole
    found = search(n_trials=3)
    assert [t.state for t in found.trials] == ["complete"] * 3
