"""The one exception for input that breaks a rule, and how it is worded for names and whole numbers."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable, Mapping
from typing import Any, Final

LARGEST: Final = 2**31 - 1
"""Of seeds, rounds and other counts: LightGBM keeps them in 32 bits."""

_OTHERWISE_CALLED: Final[Mapping[str, str]] = {"gpu": "cuda"}


class InputError(ValueError):
    r"""Input breaks a stated rule; the message names the value, the rule and the remedy.

    The message is one line, whatever a library says in it. The command line prints it and exits with code 2.

    Examples
    --------
    >>> str(InputError("the library refuses x (bad x\n  see its manual); give another"))
    'the library refuses x (bad x see its manual); give another'
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(line.strip() for line in message.splitlines()))


def did_you_mean(names: Iterable[object], known: Iterable[str]) -> str:
    """Return "did you mean A, B?" for names that come near known ones, else an empty string.

    Examples
    --------
    >>> did_you_mean(["Times", 3], ["auto", "group", "time", "row"])
    'did you mean time?'
    >>> did_you_mean(["day"], ["auto", "group"])
    ''
    """
    by_folded = {name.casefold(): name for name in known}
    near = set()
    for text in (str(name).casefold() for name in names):
        other = _OTHERWISE_CALLED.get(text)
        near |= {other} if other in by_folded else set(difflib.get_close_matches(text, by_folded, n=1))
    return f"did you mean {', '.join(sorted(by_folded[each] for each in near))}?" if near else ""


def near_miss(name: object, known: Iterable[str]) -> str:
    """Return the same for one name, to stand behind it: " (did you mean hinge?)", or nothing.

    Examples
    --------
    >>> near_miss("Hing", ["hinge", "logistic"])
    ' (did you mean hinge?)'
    """
    hint = did_you_mean([name], known)
    return f" ({hint})" if hint else ""


def unknown(what: str, name: object, known: Iterable[str]) -> InputError:
    """Return the error for a name that is none of the known ones.

    Examples
    --------
    >>> unknown("surrogate", "hing", ["hinge", "logistic"])
    InputError("unknown surrogate 'hing' (did you mean hinge?); choose one of hinge, logistic")
    """
    known = list(known)
    return InputError(f"unknown {what} {name!r}{near_miss(name, known)}; choose one of {', '.join(known)}")


def check_whole(what: str, number: Any, least: int, most: int) -> None:
    """Raise InputError where a number is not whole, or not from least to most."""
    try:
        fits = least <= operator.index(number) <= most and not isinstance(number, bool)
    except TypeError:
        fits = False
    if not fits:
        raise InputError(f"{what} is {number!r}; give a whole number from {least} to {most}")
