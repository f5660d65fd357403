"""Run tests on the lowest versions that pyproject.toml allows, or find out anew which ones these are.

    python -m release.lowest [--extra report --extra export ...] [-- ARGUMENTS OF PYTEST]
    python -m release.lowest --resolve

`--resolve` writes `lowest.txt`: the lowest version of each declared dependency, and the newest of what these
bring along. Warnings are no errors here: an old library on the newest of its own dependencies has some.
"""

from __future__ import annotations

import argparse
import subprocess
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

from release.check import EXTRAS
from release.environments import ROOT, environment, uv

PINS = ROOT / "release" / "lowest.txt"
OLDEST_PYTHON = "3.11"
LIGHT = ("report", "distributed", "export")  # the lowest PyTorch comes with gigabytes
# What uses the libraries; the rest is about files, texts and messages.
TESTS = (
    *("objectives", "data", "metrics", "significance", "sklearn", "models", "evaluation", "tuning"),
    *("report", "export", "test_serving.py", "test_distributed.py", "cli/test_main.py"),
)
TOOLS = ("array-api-strict", "hypothesis", "pytest", "pytest-xdist")


def floors() -> list[str]:
    """Return every dependency of users in the lowest version that is declared: what was >= becomes ==."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in EXTRAS)]
    return sorted(each.replace(">=", "==") for group in declared for each in group)


def resolve() -> None:
    """Write the versions to be installed; floors that do not go together end in uv's explanation."""
    options = ["--python-version", OLDEST_PYTHON, "--upgrade", "--no-annotate", "--no-header"]
    with TemporaryDirectory() as folder:
        wanted = Path(folder, "floors.txt")
        wanted.write_text("\n".join(floors()))
        uv("pip", "compile", *options, "--output-file", PINS, wanted)


def tools() -> list[str]:
    """Return what tests run on, in the versions of every other environment."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line.partition("==")[0] in TOOLS]


def main() -> None:
    """Run the tests, or resolve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument("--extra", action="append", choices=EXTRAS, help=f"only these ({', '.join(LIGHT)})")
    parser.add_argument("pytest", nargs="*", help="other tests, other options")
    arguments = parser.parse_args()
    if arguments.resolve:
        return resolve()
    package = f"{ROOT}[{','.join(arguments.extra or LIGHT)}]"
    tests = arguments.pytest or ["-n", "auto", "--dist", "worksteal", *(f"tests/{name}" for name in TESTS)]
    with TemporaryDirectory() as folder:
        python = environment(Path(folder) / ".venv", "--constraint", PINS, "--editable", package, *tools())
        done = subprocess.run([python, "-m", "pytest", "-W", "default", *tests], cwd=ROOT)
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
