"""What a tutorial begins with, in a hidden cell: a folder that goes when it ends, commands that must succeed.

In a tutorial: `from _start import start; start()`.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

from IPython import get_ipython


def start() -> str:
    """Work in a new temporary folder, on one thread, with the commands of this environment.

    A line that begins with !, or a cell that begins with %%bash, prints what the command prints where it is
    no terminal, so no progress bars, and raises if a command fails: IPython's own line would go on, and its
    cell tells errors apart from output.

    Returns the folder, for a tutorial whose kernel ends too late to remove it.
    """
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "POLARS_MAX_THREADS"), "1"))
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    folder = mkdtemp(prefix="tutorial-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["GBDT_PWISER_DATA"] = str(Path(folder, "data"))
    # An empty entry is the working folder, which is another now.
    sys.path.insert(0, str(Path(__file__).parent))
    os.chdir(folder)
    shell = get_ipython()
    shell.system = _run
    shell.register_magic_function(lambda line, cell: _run(cell), "cell", "bash")
    return folder


def _run(command: str) -> None:
    done = subprocess.run(
        ["bash", "-ec", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    print(done.stdout, end="")
    if done.returncode:
        raise RuntimeError(f"{command!r} ended with {done.returncode}")
