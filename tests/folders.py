"""What a folder holds; and file systems that are mounted, or have no room left."""

import resource
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def snapshot(folder: Path) -> dict[Path, bytes | None]:
    """Content of each file below a folder; None for what is none: a folder, a link to nowhere, a device."""
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@contextmanager
def mounted(folder, *options):
    """A file system of its own on a folder, where this process may mount one."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here ({done.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def small_files(size):
    """A limit on the size of files, which stands for a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
