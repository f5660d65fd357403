"""What somebody may have meant by a name that is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def did_you_mean(names: Iterable[object], known: Sequence[str]) -> str:
    """Return "did you mean A, B?" for names that come near known ones, else an empty string.

    Examples
    --------
    >>> did_you_mean(["Times", 3], ["auto", "group", "time", "row"])
    'did you mean time?'
    >>> did_you_mean(["day"], ["auto", "group"])
    ''
    """
    by_folded = {name.casefold(): name for name in known}
    near = {
        by_folded[match]
        for name in names
        for match in difflib.get_close_matches(str(name).casefold(), by_folded, n=1)
    }
    return f"did you mean {', '.join(sorted(near))}?" if near else ""
