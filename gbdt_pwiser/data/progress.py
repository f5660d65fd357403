"""What long steps tell while they run: progress and notes, on standard error alone.

Progress is shown where standard error is a terminal that can move its cursor, and nowhere else. `telling`
says how much is told; the command line's --quiet and --verbose are its levels.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

from tqdm import tqdm

Level = Literal["quiet", "usual", "verbose"]

# With a bar, of no width here, tqdm cuts a line to the width of the terminal.
_LINE: Final = "{desc}{bar:0}  {elapsed}<{remaining}"
_STAGE: Final = "{desc}{bar:0}  {elapsed}"

PASSING: Final[dict[str, Any]] = {"unit_scale": True, "leave": False}
"""Options of a bar that counts a pass over much, and is gone when that is done."""

_level: Level = "usual"
_within: list[str] = []


@contextmanager
def telling(level: Level) -> Iterator[None]:
    """Tell more or less while the block lasts: no progress and no notes, or the libraries' own lines too."""
    global _level
    before, _level = _level, level
    try:
        yield
    finally:
        _level = before


@contextmanager
def within(place: str) -> Iterator[None]:
    """Have every training in the block say where it is, as in "seed 2/5"."""
    _within.append(place)
    try:
        yield
    finally:
        _within.pop()


def is_verbose() -> bool:
    """Whether the boosters are to log what they do."""
    return _level == "verbose"


def bar(iterable: Iterable[Any] | None = None, *, shown: bool = True, **options: Any) -> tqdm[Any]:
    """Return a bar of tqdm, with its options, that shows where progress is shown and is wanted."""
    return tqdm(iterable, disable=None if shown and _can_show() else True, dynamic_ncols=True, **options)


def _can_show() -> bool:
    """Whether progress is wanted; that standard error is a terminal, tqdm finds out itself."""
    return _level != "quiet" and os.environ.get("TERM") != "dumb"


@contextmanager
def stage(title: str) -> Iterator[None]:
    """Show what is being done where there is nothing to count."""
    with bar(total=1, desc=" ".join([title, *_within]), bar_format=_STAGE, leave=False):
        yield


class Rounds:
    """One line for one training: its rounds, what validation says, the best so far and the time left.

    ::

        xgboost:pwiser 0.01 seed 2/5  round 120/500  valid auc .7123 (best .7130 at 97)  00:12<00:40

    The time left is that to the last round; early stopping may end it before.

    Parameters
    ----------
    title
        What is trained; where it is, `within` says.
    most
        Rounds at most.
    what
        What a round is called.
    """

    def __init__(self, title: str, most: int, what: str = "round") -> None:
        self._title, self._most, self._what = " ".join([title, *_within]), most, what
        self._best: tuple[float, int] | None = None
        self._bar = bar(total=most, desc=self._text(0), bar_format=_LINE, leave=False)

    def __enter__(self) -> Rounds:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the line away."""
        self._bar.close()

    @property
    def shown(self) -> bool:
        """Whether anybody sees it."""
        return not self._bar.disable

    def part(self, share: float) -> None:
        """Move on by a share of a round."""
        self._bar.update(share)

    def told(self, number: int, auc: float) -> None:
        """Show a round, counted from 0, and its AUC on validation."""
        if self._best is None or auc > self._best[0]:
            self._best = auc, number + 1
        best, at = self._best
        told = f"  valid auc {_short(auc)} (best {_short(best)} at {at})"
        self._bar.set_description_str(self._text(number + 1) + told, refresh=False)
        self._bar.update(number + 1 - self._bar.n)

    def after(self, on_round: Callable[[int, float], None] | None) -> Callable[[int, float], None] | None:
        """Return a function that shows a round and then tells the one given; that one where none is shown."""
        if not self.shown:
            return on_round

        def both(number: int, auc: float) -> None:
            self.told(number, auc)
            if on_round is not None:
                on_round(number, auc)

        return both

    def _text(self, done: int) -> str:
        return f"{self._title}  {self._what} {done}/{self._most}"


def _short(auc: float) -> str:
    return f"{auc:.4f}".removeprefix("0")


def note(text: str) -> None:
    """Tell the user one line above any progress, unless quiet is wanted."""
    if _level != "quiet":
        tqdm.write(text, file=sys.stderr)
