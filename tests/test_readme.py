"""The README's code runs as it is printed."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import numpy as np

from gbdt_pwiser.sources import Description

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language):
    found = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found
    return found


def test_python_blocks_run_in_order():
    names = {}
    seen = []
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
        seen.append(names["pctr"])
    for pctr in seen:
        assert ((pctr > 0) & (pctr < 1)).all()
        # Boosting kept the level: mean pCTR is near the mean click.
        assert abs(np.mean(pctr) - names["click"].mean()) < 0.02
    assert names["grad"].shape == names["hess"].shape == (3,)


def test_the_description_has_known_keys():
    (description,) = blocks("toml")
    assert set(tomllib.loads(description)) <= {field.name for field in fields(Description)}
