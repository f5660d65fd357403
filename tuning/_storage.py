"""Where trials are kept, and its failures as one clear line."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import numpy as np
import optuna
import sqlalchemy.exc

from gbdt_pwiser.metrics import metric_named
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import unknown

SAMPLERS: Final = ("tpe", "gp", "random")
PRUNERS: Final = ("median", "hyperband", "none")
SECONDS_TO_WAIT_FOR_A_LOCK: float = 30.0
_JOURNAL: Final = b'{"op_code":'
"""How the entries of a journal begin."""

_T = TypeVar("_T")


class StorageError(InputError):
    """The storage of a study cannot be read or written: no fault of a trial."""


@contextmanager
def storage_errors(where: str) -> Iterator[None]:
    """Turn what a database, a file system or Optuna says of a storage into one line."""
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError, OSError) as error:
        cause = error.__cause__ or error
        reason = str(getattr(cause, "orig", None) or cause).partition("\n")[0]
        remedy = "see that it can be written and give another --storage or --output if not"
        if "locked" in reason:
            remedy = (
                "another program holds it; wait for it to end, or use a database server for many processes"
            )
        elif "full" in reason or "No space" in reason or "too large" in reason:
            remedy = "make room and start again with the same arguments: finished trials are kept"
        raise StorageError(f"the study in {where} cannot be used: {reason}; {remedy}") from error


@contextmanager
def open_storage(place: str) -> Iterator[optuna.storages.BaseStorage]:
    """Open a database URL, or else a journal file, and close it at the end.

    Raises
    ------
    StorageError
        The URL cannot be understood, its driver is missing, or the database or file cannot be opened.
    """
    with storage_errors(place):
        storage = _open(place)
    try:
        yield storage
    finally:
        if isinstance(storage, optuna.storages.RDBStorage):
            storage.remove_session()
            storage.engine.dispose()


def _open(place: str) -> optuna.storages.BaseStorage:
    if "://" not in place:
        _check_journal(Path(place))
        _mend(place)
        return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(place))
    _check_sqlite(place)
    # Several processes write in turn: wait rather than fail.
    sqlite = {"connect_args": {"timeout": SECONDS_TO_WAIT_FOR_A_LOCK, "factory": _Connection}}
    try:
        return _made_once(
            lambda: optuna.storages.RDBStorage(
                place, engine_kwargs=sqlite if place.startswith("sqlite") else None
            )
        )
    except (ImportError, ValueError, RuntimeError, sqlalchemy.exc.ArgumentError) as error:
        reason = str(error).partition("\n")[0]
        raise StorageError(
            f"--storage {place} cannot be used: {reason}; give a URL such as sqlite:///study.db, whose "
            "driver is installed, or the path of a journal file"
        ) from error


def _made_once(make: Callable[[], _T]) -> _T:
    """Call again where another process made the same tables or rows a moment earlier."""
    for pause in (0.1, 0.3, 1.0):
        try:
            return make()
        except sqlalchemy.exc.IntegrityError:
            pass
        except sqlalchemy.exc.DBAPIError as error:
            if "already exists" not in str(error):
                raise
        time.sleep(pause)
    return make()


def keep(study: optuna.Study, where: str, key: str, value: Any) -> None:
    """Keep a value in a study, though another process may do the same at this moment."""
    with storage_errors(where):
        _made_once(lambda: study.set_user_attr(key, value))


def _check_journal(path: Path) -> None:
    """Refuse what exists and is no journal before anything is cut from it or added to it."""
    if not path.exists():
        return
    if not path.is_file():
        raise StorageError(
            f"--storage {path} is no regular file; give the path of a journal file, or a database URL"
        )
    with path.open("rb") as file:
        first = file.readline(1 << 20)
    # Of an entry that a full disk left half written there is at least the beginning.
    if first.startswith(b"SQLite format 3"):
        raise StorageError(
            f"--storage {path} is an SQLite database and no journal file; if it holds a study, give "
            f"sqlite:///{path}"
        )
    if not _JOURNAL[: len(first)] == first[: len(_JOURNAL)]:
        raise StorageError(
            f"--storage {path} exists and is no journal of a study; give the path of one, or of a new file"
        )


def _check_sqlite(url: str) -> None:
    """Refuse an SQLite database that holds something and no study: opening it as a study would change it."""
    try:
        parsed = sqlalchemy.engine.make_url(url)
    except sqlalchemy.exc.ArgumentError:
        return  # is told of where it is opened
    path = Path(parsed.database or "")
    if parsed.get_backend_name() != "sqlite" or not path.is_file():
        return
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
        try:
            tables = {
                name for (name,) in database.execute("select name from sqlite_master where type = 'table'")
            }
        except sqlite3.OperationalError:
            return  # locked; it is told of where it is opened
        except sqlite3.DatabaseError as error:
            raise StorageError(
                f"--storage {url} cannot be used: {path} is not a database; give another path"
            ) from error
    if tables and not {"studies", "trials"} <= tables:
        raise StorageError(
            f"--storage {url} holds {', '.join(sorted(tables)[:3])} and no study; give a database of its own"
        )


def _mend(journal: str) -> None:
    """Cut off an entry that a full disk left half written; the next one would be joined to it."""
    lock = optuna.storages.journal.JournalFileSymlinkLock(journal)
    lock.acquire()
    try:
        if Path(journal).exists():
            with open(journal, "r+b") as file:
                content = file.read()
                file.truncate(content.rfind(b"\n") + 1)
    finally:
        lock.release()


def embedded(folder: Path) -> str:
    """Return the URL of the database that a search keeps in a folder of its own."""
    return f"sqlite:///{folder.resolve() / 'study.db'}"


def open_study(
    storage: optuna.storages.BaseStorage,
    where: str,
    name: str,
    metrics: Sequence[str],
    setup: Mapping[str, Any],
    sampler: optuna.samplers.BaseSampler,
    pruner: optuna.pruners.BasePruner,
) -> optuna.Study:
    """Create a study, or go on with it where it was made with the same setup.

    Raises
    ------
    InputError
        The study there was made otherwise.
    """
    directions = ["maximize" if metric_named(metric).higher_is_better else "minimize" for metric in metrics]
    with storage_errors(where):
        study = optuna.create_study(
            study_name=name,
            storage=storage,
            directions=directions,
            load_if_exists=True,
            sampler=sampler,
            pruner=pruner,
        )
        wanted = json.loads(json.dumps(setup, default=str))
        there = study.user_attrs.get("setup")
        if there is None:
            keep(study, where, "setup", wanted)
        # A study of an older version says less of how it was made.
        elif changed := [key for key in wanted if key in there and there[key] != wanted[key]]:
            raise InputError(
                f"study {name!r} in {where} was made with other settings: "
                + "; ".join(f"{key} was {_short(there[key])}, now {_short(wanted[key])}" for key in changed)
                + "; give the same ones to go on with it, or another --output or --study-name to start anew"
            )
    return study


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


class SeededByNumber(optuna.samplers.BaseSampler):  # type: ignore[misc]
    """A sampler whose draws for a trial follow from the seed and the trial's number alone.

    So a search that was stopped goes on as if it had not been, and several processes with one seed do not
    draw the same.
    """

    def __init__(self, kind: str, seed: int) -> None:
        self.kind, self.seed = kind, seed
        self._number, self._sampler = -1, self._make(-1)

    def _of(self, trial: optuna.trial.FrozenTrial) -> optuna.samplers.BaseSampler:
        if trial.number != self._number:
            self._number, self._sampler = trial.number, self._make(trial.number)
        return self._sampler

    def _make(self, number: int) -> optuna.samplers.BaseSampler:
        seed = int(np.random.SeedSequence([self.seed, number + 1]).generate_state(1)[0])
        if self.kind == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        if self.kind == "gp":
            return optuna.samplers.GPSampler(seed=seed)
        # Both are the defaults of Optuna 5 and not of Optuna 4.
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)

    def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
        """See Optuna."""
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> Any:
        """See Optuna."""
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(self, study: Any, trial: Any, param_name: Any, param_distribution: Any) -> Any:
        """See Optuna."""
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Any, trial: Any) -> None:
        """See Optuna."""
        self._of(trial).before_trial(study, trial)

    def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
        """See Optuna."""
        self._of(trial).after_trial(study, trial, state, values)


def make_sampler(kind: str, seed: int) -> optuna.samplers.BaseSampler:
    """Return the sampler of a name.

    Raises
    ------
    InputError
        An unknown name, or "gp" without PyTorch.
    """
    if kind not in SAMPLERS:
        raise unknown("sampler", kind, SAMPLERS)
    if kind == "gp":
        try:
            import torch  # noqa: F401
        except ModuleNotFoundError as error:
            raise InputError(
                "sampler gp needs PyTorch; pip install 'gbdt-pwiser[neural]', or use tpe"
            ) from error
    return SeededByNumber(kind, seed)


def make_pruner(kind: str, rounds: int) -> optuna.pruners.BasePruner:
    """Return the pruner of a name, for models of so many rounds at most."""
    match kind:
        case "median":
            # A tenth of the rounds says little, the more so where learning rates differ.
            return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=rounds // 10)
        case "hyperband":
            return optuna.pruners.HyperbandPruner(
                min_resource=max(1, rounds // 27), max_resource=max(1, rounds), reduction_factor=3
            )
        case "none":
            return optuna.pruners.NopPruner()
    raise unknown("pruner", kind, PRUNERS)


class _Connection(sqlite3.Connection):
    """SQLite with a log in place of a disk flush at every step: nothing is lost when a process is killed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=NORMAL")
