"""Fresh virtual environments, filled by uv from wherever pip installs from."""

from __future__ import annotations

import os
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

ROOT = Path(__file__).parents[1]

# uv does not read pip's configuration: what it calls the same things.
_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
}


def translated(configuration: str) -> dict[str, str]:
    """Return uv's variables for what `pip config list` printed, such as global.index-url='...'.

    Of a name that comes twice the last one counts, which is how pip lists them.
    """
    found = {}
    for line in configuration.splitlines():
        name, _, value = line.partition("=")
        if (known := _NAMES.get(name.rpartition(".")[2])) is not None:
            words = literal_eval(value).split()
            found[known] = (",".join if known == "UV_FIND_LINKS" else " ".join)(words)
    return found


def as_pip() -> dict[str, str]:
    """Return the environment in which uv finds the releases that pip finds, and prefers the same ones."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **translated(done.stdout), **os.environ}


def uv(*arguments: object) -> None:
    """Run uv quietly."""
    command = [sys.executable, "-m", "uv", "--quiet", *map(str, arguments)]
    subprocess.run(command, check=True, cwd=ROOT, env=as_pip())


def environment(folder: Path, *requirements: object) -> Path:
    """Make a virtual environment with what `pip install` is given; return its Python."""
    uv("venv", "--clear", "--python", sys.executable, folder)
    uv("pip", "install", "--python", folder, *requirements)
    return folder / "bin" / "python"
