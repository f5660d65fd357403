"""Where a test prepares to, and the released files of AliExpress that it prepares."""

from pathlib import Path

import pytest

from tests.aliexpress import write_processed, write_raw


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "raw")


@pytest.fixture
def processed(tmp_path: Path) -> Path:
    return write_processed(tmp_path / "processed")
