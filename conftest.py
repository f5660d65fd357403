"""What holds before any test is collected."""

import os
from importlib.util import find_spec
from pathlib import Path

# Tests run on all cores already, and threads of OpenMP that wait for each other spin.
os.environ.setdefault("OMP_NUM_THREADS", "1")

HERE = Path(__file__).parent


def _needs_torch(path: Path) -> bool:
    lines = path.read_text(encoding="utf-8").splitlines()
    return any(line.startswith(("import torch", "from torch")) for line in lines)


# Modules of an extra that is not installed have no doctests to run.
collect_ignore = [
    str(path.relative_to(HERE))
    for folder in (
        "gbdt_pwiser/export",
        "gbdt_pwiser/models/losses",
        "gbdt_pwiser/models/neural",
        "tests/models/neural",
    )
    for path in sorted(HERE.joinpath(folder).glob("*.py"))
    if find_spec("torch") is None and _needs_torch(path)
]
