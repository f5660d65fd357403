"""What the tests of AliExpress share."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from gbdt_pwiser.sources import prepare_aliexpress
from tests.sources.helpers import refusal


def prepare(source: Path, data_dir: Path, **options: int) -> Path:
    return prepare_aliexpress("us", source, data_dir, progress=False, **options)


refused = partial(refusal, prepare)
