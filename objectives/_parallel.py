"""Blocks of rows on several threads, with the same bits for any number of them.

NumPy lets go of the interpreter inside a pass over an array, so threads of one process share the work. Each
block gives its part of the sums back, and the parts are added in the order of the blocks, whoever finished
first. Blocks are the same for any number of threads, and so is then every rounding.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from threading import Condition
from typing import Any, TypeVar

from gbdt_pwiser.objectives.errors import check_whole

Item = TypeVar("Item")
Part = TypeVar("Part")

MOST_THREADS = 1024

# Below so many rows a second thread costs more than it brings.
FEWEST_ROWS = 200_000


def in_order(
    items: Iterable[Item], work: Callable[[Item], Part], collect: Callable[[Part], None], *, threads: int
) -> None:
    """Work on each item, on some threads, and collect what came of it, in the order of the items.

    This thread works with threads - 1 others of a pool, so that a busy pool, or one that gets no thread any
    more, is no deadlock: whoever comes to it finds less to do. Nobody works on when this returns or raises.
    An error is that of the first item that had one among those that were begun.
    """
    waiting = list(items)
    todo, done, state = enumerate(waiting), dict[int, Part](), Condition()
    failed: list[tuple[int, BaseException]] = []
    collected = active = 0

    def run() -> None:
        nonlocal collected, active
        while True:
            with state:
                number, item = next(todo, (-1, None)) if not failed else (-1, None)
                if number < 0:
                    return
                active += 1
            try:
                part = work(item)  # type: ignore[arg-type]
                with state:
                    done[number] = part
                    while collected in done:
                        collect(done.pop(collected))
                        collected += 1
            except BaseException as error:
                with state:
                    failed.append((number, error))
            finally:
                with state:
                    active -= 1
                    state.notify_all()

    helpers = []
    try:
        with suppress(RuntimeError):  # the interpreter is ending, or there is no thread to be had
            for _ in range(min(threads, len(waiting)) - 1):
                helpers.append(_pool(os.getpid()).submit(run))
        run()
    except BaseException as error:
        failed.append((-1, error))
    finally:
        for helper in helpers:
            helper.cancel()  # one that waits for a thread has nothing left to do
        with state:
            state.wait_for(lambda: not active)
    if failed:
        raise min(failed, key=lambda each: each[0])[1]


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Return the threads of a process: a fork has none of its parent's."""
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="gbdt-pwiser")


def check_threads(threads: int | None) -> None:
    """Raise InputError where a number of threads is neither None nor a whole number from 1 to 1024."""
    if threads is not None:
        check_whole("threads", threads, 1, MOST_THREADS)


def default_threads() -> int:
    """Return what OMP_NUM_THREADS says, as for the boosters, else the cores that the process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdecimal() and int(asked):
        return min(int(asked), MOST_THREADS)
    return _cores()


@cache
def _cores() -> int:
    from joblib import cpu_count  # knows affinity and the limits of containers

    return min(int(cpu_count()), MOST_THREADS)


def threads_for(rows: int, *wanted: int | None) -> int:
    """Return the threads for so many rows: the first number that somebody wanted, else the default."""
    if rows < FEWEST_ROWS:
        return 1
    return next((threads for threads in wanted if threads), None) or default_threads()


def threads_of(data: Any) -> int | None:
    """Return the threads that a booster's data set was made with, or None where it says nothing.

    Parameters of `xgboost.train` are not seen by an objective; those of LightGBM lie with the data set.
    """
    if hasattr(data, "get_float_info"):
        import xgboost

        # Dask's workers, and xgboost.config_context, set it for all that is done inside.
        given = [getattr(data, "nthread", None), xgboost.get_config().get("nthread")]
    else:
        import lightgbm

        params = getattr(data, "params", None) or {}
        names = lightgbm.basic._ConfigAliases.get("num_threads")
        given = [params[name] for name in sorted(names) if name in params]
    return next((threads for each in given if (threads := _positive(each))), None)


def _positive(value: Any) -> int | None:
    try:
        return min(int(value), MOST_THREADS) if int(value) > 0 else None
    except (TypeError, ValueError):
        return None
