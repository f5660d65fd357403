"""The first lines of a text file: its separator, and whether they name its columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources._ali_ccp_files import LAYOUTS
from gbdt_pwiser.sources.aliexpress import ITEM, USER
from gbdt_pwiser.sources.text.delimited import SEPARATORS

UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


def records(text: str, separator: str, *, strict: bool = False) -> Iterator[list[str]]:
    """Yield the fields of each record that is not blank; `strict` raises where quotes stay open."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=strict
    )
    yield from (fields for fields in reader if len(fields) > 1 or "".join(fields).strip())


def separator_of(text: str) -> str:
    """Return the separator that the first line has most of."""
    line = next((line for line in re.split(r"[\r\n]", text) if line.strip()), "")
    return max(SEPARATORS, key=line.count)


def decoded(start: bytes) -> str:
    """Return the text of the first bytes of a file, which may be cut anywhere."""
    if start.startswith(UTF16):
        return start.decode("utf-16", errors="ignore")
    return start.decode("utf-8-sig", errors="replace")


def check_header(source: Path, text: str) -> None:
    """Raise InputError where the first line of a text has values and no names.

    Names may be numbers, as those of Ali-CCP's fields are. So it is taken for values where each column that
    is a number in the second line is one in the first, too.
    """
    with suppress(csv.Error):
        lines = records(text, separator_of(text))
        first, second = next(lines, []), next(lines, [])
        listed = re.search(r"[\x01-\x03]", "".join(first)) is not None
        numbers = [name for name, value in zip(first, second or first, strict=False) if _is_number(value)]
        if listed or (numbers and all(map(_is_number, numbers))):
            raise InputError(
                f"{source} looks like it has no header: its first line is "
                f"{', '.join(map(repr, first[:4]))}{', ...' if len(first) > 4 else ''}; "
                f"{_remedy(len(first), first, listed=listed)}"
            )


def _remedy(width: int, first: list[str], *, listed: bool) -> str:
    """Say what to do about a file without a header, which some released sets have."""
    of_ali_ccp = listed or any(layout.bare and width == len(layout.columns) for layout in LAYOUTS)
    if of_ali_ccp and (listed or first[0] in ("0", "1")):
        return "an Ali-CCP file goes through `gbdt-pwiser prepare --dataset ccp --source FOLDER`"
    if width in (len(USER), len(ITEM)):
        return "an AliExpress file goes through `gbdt-pwiser prepare --dataset us --source FOLDER`"
    return "write the names of its columns into a first line"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
