"""Objects on S3, Google Cloud and Azure by URL, read by Polars; credentials come from the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import polars as pl

from gbdt_pwiser.data.stored import UNREADABLE
from gbdt_pwiser.objectives import InputError

SCHEMES: Final = ("s3", "s3a", "gs", "gcs", "az", "azure", "abfs", "abfss", "adl")
_URL: Final = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_LINES: Final = 1 << 16


def is_url(source: object) -> bool:
    """Return whether a source is the URL of an object."""
    return isinstance(source, str) and _URL.match(source) is not None


def check_scheme(url: str) -> None:
    """Raise InputError for a URL that Polars does not read."""
    found = _URL.match(url)
    if found is None or found[1].lower() not in SCHEMES:
        raise InputError(
            f"source {url} is of a kind that is not read; copy it to a folder, or to one of "
            f"{', '.join(f'{scheme}://' for scheme in SCHEMES)}"
        )


def parquet_objects(pattern: str, *, is_pattern: bool) -> list[str]:
    """Return the URLs of Parquet objects; none where a pattern has none."""
    with _telling(pattern):
        try:
            scan = pl.scan_parquet(
                pattern, glob=is_pattern, hive_partitioning=False, include_file_paths="path"
            )
            return sorted(scan.select(pl.col("path").unique()).collect()["path"].to_list())
        except pl.exceptions.ComputeError as error:
            if is_pattern and "expanded paths were empty" in str(error):
                return []
            raise


def fetch_texts(pattern: str, scratch: Path, *, is_pattern: bool) -> dict[str, Path]:
    """Copy text objects, unpacked, to a folder, a block at a time; return where each is, by its URL."""
    fetched: dict[str, Path] = {}
    with _telling(pattern):
        scan = pl.scan_lines(pattern, glob=is_pattern, include_file_paths="path")
        for frame in scan.collect_batches(chunk_size=_LINES, maintain_order=True):
            for (url,), lines in frame.group_by("path", maintain_order=True):
                if url not in fetched:
                    fetched[str(url)] = scratch / f"object-{len(list(scratch.iterdir()))}.txt"
                with fetched[str(url)].open("ab") as file:
                    file.write("\n".join([*lines["line"].fill_null(""), ""]).encode())
    return dict(sorted(fetched.items()))


@contextmanager
def _telling(url: str) -> Iterator[None]:
    try:
        yield
    except (*UNREADABLE, OSError) as error:
        told = str(error).strip().partition("\n")[0].partition(": <?xml")[0]
        raise InputError(
            f"source {url} cannot be read: {told}; correct the URL, or set region and credentials in the "
            "environment (AWS_REGION, AWS_ACCESS_KEY_ID and so on)"
        ) from error
