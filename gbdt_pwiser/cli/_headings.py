"""The headings under which options stand in `--help`, the same in every command.

An option says which is its where it is defined: `option("--rounds", panel=MODEL)`.
"""

from __future__ import annotations

from typing import Final

from rich_click.decorators import option as option

COMPARED: Final = "What is compared"
SEARCH: Final = "Search"
DATA: Final = "Data"
SIMULATED: Final = "Simulated data"
LOSS: Final = "Loss"
MODEL: Final = "Model"
EVALUATION: Final = "Evaluation"
OUTPUT: Final = "Output"

HEADINGS: Final = (COMPARED, SEARCH, DATA, SIMULATED, LOSS, MODEL, EVALUATION, OUTPUT)
"""In the order in which they are shown; a command has those that it has options for."""
