"""Large text files in blocks of whole lines, parsed on all cores in order, each bad line found."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.progress import PASSING, bar
from gbdt_pwiser.objectives import InputError

BLOCK = 1 << 24


class LineFormat(Protocol):
    """How the lines of a file become a frame: fast for a block of good lines, slowly for one line's fault."""

    def parse(self, lines: bytes) -> pl.DataFrame | None:
        """Return the rows of the lines, one each; None where any line breaks a rule."""
        ...

    def fault(self, line: str) -> str | None:
        """Say which rule a line breaks; None if it breaks none."""
        ...


@dataclass
class BadLines:
    """The count of damaged lines that were left out, and how many may be.

    Parameters
    ----------
    allowed
        The most lines, over all files, that are left out; one more stops the run.

    Raises
    ------
    InputError
        `allowed` is negative.
    """

    allowed: int = 0
    skipped: int = 0

    def __post_init__(self) -> None:
        if self.allowed < 0:
            raise InputError(f"skip_bad_lines is {self.allowed}; give 0 or how many may be left out")

    def skip(self, path: Path, line: int, fault: str) -> None:
        """Count one line; an InputError names it if it is one too many."""
        self.add(1, f"{path.name}, line {line}: {fault}; correct the line or fetch the file again")

    def add(self, number: int, message: str) -> None:
        """Count so many lines; an InputError with the message if there are too many now."""
        self.skipped += number
        if self.skipped > self.allowed:
            raise InputError(f"{message} {self._limit}")

    @property
    def _limit(self) -> str:
        if self.allowed:
            return f"({self.skipped} bad lines so far, {self.allowed} may be skipped)"
        return "(--skip-bad-lines N leaves out up to N such lines)"


class _Block(NamedTuple):
    first: int
    lines: bytes


class Lines(NamedTuple):
    """Rows of a block, and int64 (n,) the line each comes from, counted from 1."""

    rows: pl.DataFrame
    numbers: NDArray[np.int64]


class _Parsed(NamedTuple):
    lines: Lines | None
    faults: list[tuple[int, str]]


def read_lines(
    path: Path,
    form: LineFormat,
    bad: BadLines,
    *,
    header: bool = False,
    complete: bool = False,
    progress: bool = False,
) -> Iterator[Lines]:
    """Yield the rows of a file in its order, block by block; memory holds a few blocks.

    Parameters
    ----------
    path
        Lines that end with a newline.
    form
        What the lines are.
    bad
        Where lines that break a rule are counted.
    header
        Whether to pass over the first line.
    complete
        Whether a last line without its newline counts as cut, however whole it looks.
    progress
        Whether to show the bytes read on a terminal.

    Raises
    ------
    InputError
        More bad lines than may be left out; the first of those too many is named.
    """

    def parse(block: _Block) -> _Parsed:
        return _parse(path, form, block, complete)

    for parsed in _in_order(parse, _blocks(path, header, progress)):
        for line, fault in parsed.faults:
            bad.skip(path, line, fault)
        if parsed.lines is not None:
            yield parsed.lines


def _blocks(path: Path, header: bool, progress: bool) -> Iterator[_Block]:
    number = 1
    with (
        path.open("rb") as file,
        bar(total=path.stat().st_size, desc=path.name, unit="B", shown=progress, **PASSING) as passed,
    ):
        if header:
            passed.update(len(file.readline(BLOCK)))
            number += 1
        # A line longer than a block is no line of these files: it is cut, and both pieces are bad.
        while lines := file.read(BLOCK):
            lines += file.readline(BLOCK)
            yield _Block(number, lines)
            number += lines.count(b"\n")
            passed.update(len(lines))


def _parse(path: Path, form: LineFormat, block: _Block, complete: bool) -> _Parsed:
    cut = complete and not block.lines.endswith(b"\n")
    if not cut and (rows := form.parse(block.lines)) is not None:
        return _Parsed(Lines(rows, block.first + np.arange(rows.height)), [])
    lines = block.lines.split(b"\n")
    if not lines[-1]:
        lines.pop()  # what follows the last newline
    good: list[int] = []
    faults: list[tuple[int, str]] = []
    for place, line in enumerate(lines):
        fault = form.fault(line.decode("utf-8", errors="replace").removesuffix("\r"))
        if cut and place == len(lines) - 1:
            fault = f"{fault} (the line is cut)" if fault else "the line has no newline, it seems cut"
        if fault:
            faults.append((block.first + place, fault))
        else:
            good.append(place)
    if not good:
        return _Parsed(None, faults)
    rows = form.parse(b"".join(lines[place] + b"\n" for place in good))
    if rows is None:
        raise InputError(
            f"{path.name} cannot be read between the lines {block.first} and "
            f"{block.first + len(lines) - 1}; fetch it again"
        )
    return _Parsed(Lines(rows, block.first + np.array(good)), faults)


def _in_order(function: Callable[[_Block], _Parsed], blocks: Iterator[_Block]) -> Iterator[_Parsed]:
    """Map with as many threads as polars uses, which leaves the interpreter free most of the time."""
    workers = pl.thread_pool_size()
    waiting: deque[Future[_Parsed]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for block in blocks:
                waiting.append(pool.submit(function, block))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
