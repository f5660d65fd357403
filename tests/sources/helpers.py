"""Where real data may lie, and how a source is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gbdt_pwiser.objectives import InputError


def shared_data(*parts: str) -> Path:
    """Path in the folder of real data; the test is skipped where it is absent."""
    root = Path(
        os.environ.get("GBDT_PWISER_SHARED_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")
    )
    path = root.joinpath(*parts).resolve()
    if not path.exists():
        pytest.skip(f"needs {path}")
    return path


def refusal(prepare: Callable[..., Path], source: Path, data_dir: Path, **options: int) -> str:
    """Message of a prepare that must fail and leave nothing behind."""
    with pytest.raises(InputError) as caught:
        prepare(source, data_dir, **options)
    assert not data_dir.exists() or list(data_dir.iterdir()) == []
    assert "\n" not in str(caught.value)
    return str(caught.value)
