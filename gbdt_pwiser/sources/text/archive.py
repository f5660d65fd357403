"""Files out of archives."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import IO

from tqdm import tqdm


def unpack(packed: IO[bytes], size: int, target: Path, progress: bool) -> None:
    """Copy `size` bytes to a file, with progress on a terminal if wanted."""
    with (
        target.open("wb") as unpacked,
        tqdm.wrapattr(
            packed,
            "read",
            total=size,
            desc=f"unpack {target.name}",
            leave=False,
            disable=None if progress else True,
        ) as stream,
    ):
        shutil.copyfileobj(stream, unpacked, 1 << 20)
