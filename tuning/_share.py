"""One study, any number of processes: who runs which trial, and exactly how many finish.

Optuna numbers the trials of a study one by one, in every storage. A process asks for a trial, then counts
those of lower number that are finished, running or waiting; with fewer than the total it runs the trial,
else it drops it. Of the trials that finish, the one with the highest number had all others below it, so they
are at most the total; and as long as they are fewer, somebody asks for another one.

A trial of a process that is gone is marked failed and its parameters are tried again. It is known by who runs
it: process id and start time on this machine, elsewhere a counter that its process raises while it works.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import optuna
import sqlalchemy.exc
from optuna.trial import FrozenTrial, TrialState

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.tuning._storage import storage_errors

BEAT: Final = 30.0
"""Seconds between two raises of the counter."""
SILENCE: Final = 300.0
"""Seconds without one after which a process on another machine counts as gone."""
NO_OWNER: Final = 60.0
"""The same for a process that was stopped before it could sign its trial."""


def is_finished(trial: FrozenTrial) -> bool:
    """Whether a trial counts: complete, pruned, or failed by an error of its own."""
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or "error" in trial.user_attrs


def _stands(trial: FrozenTrial) -> bool:
    """Whether a trial counts or may yet count."""
    return trial.state != TrialState.FAIL or is_finished(trial)


class Share:
    """The part of this process in a study that is to end with exactly `total` finished trials.

    Parameters
    ----------
    study
        Its storage may be shared.
    where
        What the storage is called in messages.
    total
        Finished trials of all processes together.
    start
        Parameters of the first trials, by label.
    """

    def __init__(
        self, study: optuna.Study, where: str, total: int, start: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self.study, self.where, self.total, self.start = study, where, total, start
        self._me = _identity(os.getpid())
        self._heard: dict[int, tuple[Any, float]] = {}

    def trials(self) -> list[FrozenTrial]:
        """Return all trials as they are now."""
        with storage_errors(self.where):
            return list(self.study.get_trials(deepcopy=False))

    @property
    def finished(self) -> int:
        """How many trials count already, of all processes."""
        return sum(map(is_finished, self.trials()))

    def claim(self) -> optuna.Trial | None:
        """Return a trial for this process to run, or None where the others leave nothing to do now."""
        with storage_errors(self.where):
            trials = self.trials()
            if self._bury(trials):
                trials = self.trials()
            queued = self._queue(trials) or any(t.state == TrialState.WAITING for t in trials)
            if sum(is_finished(t) or t.state == TrialState.RUNNING for t in trials) >= self.total:
                return None
            if not queued:
                # By way of the queue a trial bears a name from its first moment, however soon we are stopped.
                self.study.enqueue_trial({}, user_attrs={"queued_by": self._me})
            try:
                trial = self.study.ask()
            except ValueError as error:  # as of one that knows one metric only
                raise InputError(f"this sampler cannot be used: {error}; choose another") from error
            # A database without row locks may let two take the same trial from the queue.
            if "owner" in trial.user_attrs:
                return None
            try:
                trial.set_user_attr("owner", self._me)
            except (sqlalchemy.exc.IntegrityError, RuntimeError):  # or another process took it for abandoned
                return None
            label = trial.user_attrs.get("label")
            before = [t for t in self.trials() if t.number < trial.number and _stands(t)]
            doubled = label is not None and label in (t.user_attrs.get("label") for t in before)
            if doubled or len(before) >= self.total:
                self.abandon(trial, surplus=True)
                return None
            return trial

    def finish(
        self,
        trial: optuna.Trial,
        state: TrialState,
        values: Sequence[float] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Record what became of a trial; nothing where another process took this one for gone."""
        with storage_errors(self.where):
            try:
                for name, value in (attributes or {}).items():
                    trial.set_user_attr(name, value)
                self.study.tell(trial, values, state=state, skip_if_finished=True)
            except RuntimeError:  # Optuna: a finished trial cannot be updated
                return

    def abandon(self, trial: optuna.Trial, *, surplus: bool = False) -> None:
        """Fail a trial that was not run to its end; unless it is one too many it will be tried again."""
        self.finish(trial, TrialState.FAIL, attributes={"surplus": True} if surplus else None)

    @contextmanager
    def working(self, trial: optuna.Trial) -> Iterator[None]:
        """Let processes on other machines see that this trial is being worked on."""
        done = threading.Event()

        def beat() -> None:
            count = 0
            while not done.wait(BEAT):
                count += 1
                try:
                    trial.set_user_attr("beat", count)
                except Exception:  # what is wrong will show when the result is written
                    return

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _bury(self, trials: Sequence[FrozenTrial]) -> bool:
        """Mark the trials of processes that are gone as failed, and return whether there were any."""
        gone = [t for t in trials if t.state == TrialState.RUNNING and self._is_gone(t)]
        for trial in gone:
            try:
                self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
            except (RuntimeError, ValueError):  # it finished, or somebody else did this, in between
                continue
        return bool(gone)

    def _queue(self, trials: Sequence[FrozenTrial]) -> bool:
        """Queue the first trials and what was abandoned, and return whether any was not in the study yet.

        All follows from what is in the storage, so a process may die anywhere in between.
        """
        wanted = dict(self.start)
        for trial in trials:
            if not _stands(trial) and "surplus" not in trial.user_attrs:
                label = trial.user_attrs.get("label", f"retry of {trial.number}")
                wanted.setdefault(label, trial.params)
        known = {trial.user_attrs.get("label") for trial in trials if _stands(trial)}
        missing = [label for label in wanted if label not in known]
        for label in missing:
            self.study.enqueue_trial(dict(wanted[label]), user_attrs={"label": label, "queued_by": self._me})
        return bool(missing)

    def _is_gone(self, trial: FrozenTrial) -> bool:
        owner = trial.user_attrs.get("owner", trial.user_attrs.get("queued_by"))
        if owner is not None and owner["machine"] == self._me["machine"]:
            # A trial of this very process is one that an earlier search in it left behind.
            return bool(owner == self._me or owner != _identity(owner["pid"]))
        sign = trial.user_attrs.get("beat")
        now = time.monotonic()
        heard, since = self._heard.setdefault(trial.number, (sign, now))
        if heard != sign:
            self._heard[trial.number] = (sign, now)
            return False
        return now - since > (NO_OWNER if owner is None else SILENCE)


def _identity(pid: int) -> dict[str, Any]:
    """Describe a process such that no other one, now or later, is described alike."""
    return {"machine": _machine(), "pid": pid, "started": _started(pid)}


def _machine() -> str:
    """Name what process ids are unique in: the running system, and the container inside it."""
    parts = [socket.gethostname()]
    if Path("/proc/self/ns/pid").exists():
        parts += [
            Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            os.readlink("/proc/self/ns/pid"),
        ]
    return " ".join(parts)


def _started(pid: int) -> str | None:
    """Return when a process started, "unknown" without /proc, or None where there is no such process."""
    try:
        if not Path("/proc/self/stat").exists():
            os.kill(pid, 0)
            return "unknown"
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except PermissionError:
        return "unknown"
    except (ProcessLookupError, FileNotFoundError):
        return None
    return None if state in "ZX" else rest[18]
