"""How long one waits for a first answer: the import, the help, and the demo from nothing.

    python -m benchmarks.startup [--runs 15] [--demo] [--json FILE]

Each way starts a process of its own, in turn with the others, so that they share what else the machine does;
the first turn warms the disk and is not counted. `--demo` runs `make demo` with a new environment beside,
with packages of pip's cache where it has them. The targets are those that a person notices.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
COMMAND = str(Path(sys.executable).with_name("gbdt-pwiser"))
WAYS = {
    "python alone": [sys.executable, "-c", "pass"],
    "import gbdt_pwiser": [sys.executable, "-c", "import gbdt_pwiser"],
    "gbdt-pwiser --help": [COMMAND, "--help"],
    "gbdt-pwiser compare --help": [COMMAND, "compare", "--help"],
}
TARGETS = {"import gbdt_pwiser": 0.2, "gbdt-pwiser --help": 0.3, "make demo": 90.0}  # seconds


def seconds(command: list[str], **variables: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, env=os.environ | variables)
    return time.perf_counter() - started


def demo() -> float:
    """Return the seconds of `make demo`, the environment's installation included."""
    with TemporaryDirectory() as folder:
        return seconds(["make", "demo", f"PYTHON={sys.executable}", f"VENV={folder}/venv"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for turn in range(arguments.runs + 1):
        for name, command in WAYS.items():
            taken = seconds(command)
            if turn:
                times[name].append(taken)
    medians = {name: median(taken) for name, taken in times.items()}
    if arguments.demo:
        medians["make demo"] = demo()
    for name, taken in medians.items():
        print(f"{name:<28}{taken:>8.3f} s" + (f"   target {TARGETS[name]:g} s" if name in TARGETS else ""))
    if arguments.json:
        cells = [
            {"way": name, "seconds": taken, "target": TARGETS.get(name)} for name, taken in medians.items()
        ]
        arguments.json.write_text(json.dumps({"runs": arguments.runs, "cells": cells}, indent=2))


if __name__ == "__main__":
    main()
