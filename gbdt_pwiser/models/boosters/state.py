"""What is saved of two boosters beside their files, and whether it makes sense."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gbdt_pwiser.models.boosters._rates import ClickRates
from gbdt_pwiser.models.checks import is_number, require
from gbdt_pwiser.models.losses import LOSSES
from gbdt_pwiser.models.spec import ModelSpec
from gbdt_pwiser.objectives.errors import LARGEST, check_whole

TASKS: Final = ("click", "conversion")


def check_state(spec: ModelSpec, state: Mapping[str, Any], files: Mapping[str, str]) -> None:
    """Raise ValueError, LookupError or TypeError for what no pair of saved boosters has."""
    known = set(state) <= set(TASKS) and TASKS[0] in state
    require(known, "state", list(state), " and ".join(TASKS))
    for task, of_task in state.items():
        _check_task(task, of_task, files, task != TASKS[0] or LOSSES[spec.loss].is_log_odds)


def check_shared_state(spec: ModelSpec, state: Mapping[str, Any], files: Mapping[str, str]) -> None:
    """Raise the same for a pair of boosters that has click rates of categories beside it."""
    require(isinstance(state["rates"], dict), "rates", state["rates"], "click rates by column")
    ClickRates.from_record(state["rates"])
    check_state(spec, {task: of for task, of in state.items() if task != "rates"}, files)


def _check_task(task: str, state: Mapping[str, Any], files: Mapping[str, str], is_log_odds: bool) -> None:
    require(
        set(state) - {"slope"} == {"file", "rounds", "start", "seconds"},
        f"state of {task}",
        list(state),
        "file, rounds, start, seconds and slope",
    )
    file = state["file"]
    slope: Any = state.get("slope")
    is_plain = isinstance(file, str) and Path(file).name == file
    require(is_plain and file in files, f"file of {task}", file, "one of its files")
    check_whole(f"rounds of {task}", state["rounds"], 1, LARGEST)
    for name, is_wanted in (("start", math.isfinite), ("seconds", lambda x: 0 <= x < math.inf)):
        value = state[name]
        require(is_number(value) and is_wanted(value), f"{name} of {task}", value, "a finite number")
    require(
        slope is None if is_log_odds else (is_number(slope) and 0 < slope < math.inf),
        f"slope of {task}",
        slope,
        "none, as its scores are log-odds" if is_log_odds else "a positive number",
    )
