"""Fresh virtual environments, filled by uv from wherever pip installs from."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
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


def _as_pip() -> dict[str, str]:
    """Return the environment in which uv finds the releases that pip finds, and prefers the same ones."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    found = {}
    for line in done.stdout.splitlines():  # such as global.index-url='...'; :env: comes last, and wins
        name, _, value = line.partition("=")
        if (known := _NAMES.get(name.rpartition(".")[2])) is not None:
            words = " ".join(shlex.split(value)).split()
            found[known] = (",".join if known == "UV_FIND_LINKS" else " ".join)(words)
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **found, **os.environ}


def uv(*arguments: object) -> None:
    """Run uv quietly."""
    command = [sys.executable, "-m", "uv", "--quiet", *map(str, arguments)]
    subprocess.run(command, check=True, cwd=ROOT, env=_as_pip())


def environment(folder: Path, *requirements: object) -> Path:
    """Make a virtual environment with these requirements, as arguments of `pip install`; return its Python."""
    uv("venv", "--clear", "--python", sys.executable, folder)
    uv("pip", "install", "--python", folder, *requirements)
    return folder / "bin" / "python"
