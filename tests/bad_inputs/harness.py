"""The command lines that the tables of refusals vary, and what every refusal has in common."""

from pathlib import Path

from tests import command_line
from tests.folders import snapshot

TINY = ["--rounds", "2", "--early-stopping", "2", "--threads", "1"]
DATA = ["--dataset", "simulated", "--exposures", "800", "--ctr", "0.2", "--cvr", "0.3"]
COMPARE = ["compare", *DATA, *TINY, "--seeds", "1"]
TRAIN = ["train", *DATA, *TINY, "--output", "new"]
TUNE = ["tune", *DATA, *TINY]
PREDICT = ["predict", "--model", "model", "--input", "new.parquet", "--output", "p.parquet", "--threads", "1"]
BEST = 'model = "xgboost"\n[loss]\n[parameters.bce]\n[parameters.pwiser]\nmax_depth = 2\n'


def refused(run, folder: Path, *arguments) -> str:
    """Return the message of a command that ends in one line with code 2 and leaves the folder as it was."""
    before = snapshot(folder)
    told = command_line.refused(run(*arguments))
    assert snapshot(folder) == before
    return told


def ends(value: object) -> str:
    """Return the id of a parameter: the command and its last option, and nothing for a message."""
    return " ".join(value[:1] + value[-2:]) if isinstance(value, list) else ""
