"""A text file as UTF-8 with newlines, unpacked and decoded a block at a time."""

from __future__ import annotations

import codecs
import gzip
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import polars as pl

from gbdt_pwiser.data.stored import UNREADABLE
from gbdt_pwiser.objectives import InputError

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZIP: Final = b"PK\x03\x04"
_PARQUET: Final = b"PAR1"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_LOOK: Final = 1 << 16
_BLOCK: Final = 1 << 22
_LINES: Final = 1 << 16


def plain_text(path: Path, scratch: Path) -> Path:
    """Return the file itself where it is UTF-8 with newlines; else one in the scratch folder that is.

    Raises
    ------
    InputError
        The first bytes are of no text, it cannot be unpacked, or UTF-16 is cut short.
    """
    place, start = path, _start(path)
    if start.startswith((_GZIP, _ZSTD)):
        unpacked = _gunzipped(path) if start.startswith(_GZIP) else _unpacked_zstd(path)
        place = _written(unpacked, scratch)
        start = _start(place)
    if start.startswith(_PARQUET):
        raise InputError(f"source {path} is a Parquet file; name it .parquet")
    if start.startswith(_ZIP):
        raise InputError(f"source {path} is a zip archive or a workbook; unpack it, or save it as CSV")
    if start.startswith(_UTF16):
        place = _written(_decoded(path, place), scratch)
        start = _start(place)
    if b"\x00" in start:
        raise InputError(
            f"source {path} holds NUL bytes, as binary files do, and UTF-16 without its mark; save it as "
            "UTF-8"
        )
    if b"\r" in start and b"\n" not in start:
        place = _written((block.replace(b"\r", b"\n") for block in _blocks(place)), scratch)
    return place


def first_bytes(path: Path, size: int) -> bytes:
    """Return so many bytes from the start of a file, unpacked where it is packed; all where it has fewer.

    InputError where it cannot be unpacked.
    """
    start = _start(path)
    if not start.startswith((_GZIP, _ZSTD)):
        with path.open("rb") as file:
            return file.read(size)
    blocks, read = [], 0
    for block in _gunzipped(path) if start.startswith(_GZIP) else _unpacked_zstd(path):
        blocks.append(block)
        read += len(block)
        if read >= size:
            break
    return b"".join(blocks)[:size]


def is_packed(path: Path) -> bool:
    """Return whether a file is packed, as its first bytes say."""
    return _start(path).startswith((_GZIP, _ZSTD))


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LOOK)


def _written(blocks: Iterable[bytes], scratch: Path) -> Path:
    with tempfile.NamedTemporaryFile(dir=scratch, suffix=".txt", delete=False) as file:
        for block in blocks:
            file.write(block)
    return Path(file.name)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _gunzipped(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) as file:
            while block := file.read(_BLOCK):
                yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"source {path} cannot be unpacked ({error}); fetch it again") from error


def _unpacked_zstd(path: Path) -> Iterator[bytes]:
    try:
        for lines in pl.scan_lines(path, glob=False).collect_batches(chunk_size=_LINES, maintain_order=True):
            yield "\n".join([*lines.to_series().fill_null(""), ""]).encode()
    except (*UNREADABLE, OSError) as error:
        raise InputError(
            f"source {path} cannot be unpacked ({str(error).partition(chr(10))[0]}); fetch it again, and "
            "pack UTF-8"
        ) from error


def _decoded(path: Path, place: Path) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        for block in _blocks(place):
            yield decoder.decode(block).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeDecodeError as error:
        raise InputError(f"source {path} is UTF-16 and cut short; save it as UTF-8") from error
