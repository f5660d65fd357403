"""LightGBM's text of a booster, taken apart and put together: its header, its trees, and the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from gbdt_pwiser.objectives import InputError

_END: Final = "end of trees\n"
_SCALED: Final = ("leaf_value", "internal_value", "leaf_const", "leaf_coeff")
_SHIFTED: Final = ("leaf_value", "internal_value", "leaf_const")
"""Of the first tree. A linear leaf is a constant plus terms; its value counts where a term is missing."""

Tree = list[str]
"""Lines, the first of which names the tree by its number."""


class ModelText(NamedTuple):
    """The parts of a text, in order; together they are the text."""

    header: list[str]
    trees: list[Tree]
    rest: str

    @classmethod
    def of(cls, booster: Any, rounds: int = -1) -> ModelText:
        """Return the text of so many rounds of a lightgbm.Booster; InputError for a random forest."""
        text: str = booster.model_to_string(num_iteration=rounds)
        head, _, rest = text.partition("\n\nTree=")
        trees, _, rest = rest.partition(_END)
        header = head.split("\n")
        if "average_output" in header:
            raise InputError(
                "a random forest averages its trees, and here they are added up; use predict, or train again "
                "with another boosting"
            )
        return cls(header, [("Tree=" + t).rstrip("\n").split("\n") for t in trees.split("\nTree=")], rest)

    def join(self) -> str:
        """Return the text, in which the trees have their numbers and sizes anew."""
        numbered = [[f"Tree={number}", *lines[1:]] for number, lines in enumerate(self.trees)]
        blocks = ["\n".join([*lines, "", "", ""]) for lines in numbered]
        sizes = "tree_sizes=" + " ".join(str(len(block.encode())) for block in blocks)
        header = [sizes if line.startswith("tree_sizes=") else line for line in self.header]
        return "\n".join([*header, "", ""]) + "".join(blocks) + _END + self.rest

    def as_binary(self, start: float, *, slope: float = 1.0, more: Sequence[str] = ()) -> ModelText:
        """Return the model of LightGBM's binary objective with log-odds of slope * raw score + start.

        The start is in the first tree, where LightGBM keeps that of a built-in objective. `more` are further
        lines of the header.
        """
        header = [line for line in self.header if not line.startswith("objective=")]
        place = next(i for i, line in enumerate(header) if line.startswith("feature_names="))
        header[place:place] = ["objective=binary sigmoid:1", *more]
        first, *others = self.trees
        trees = [_changed(first, slope, start), *(_changed(tree, slope, 0.0) for tree in others)]
        return ModelText(header, trees, self.rest)


def entries(tree: Tree) -> dict[str, list[str]]:
    """Return the values of a tree's lines by name."""
    return {name: values.split() for name, _, values in (line.partition("=") for line in tree)}


def _changed(tree: Tree, slope: float, start: float) -> Tree:
    """Return the tree with slope times its values, plus start; its digits stay where both change nothing."""
    if slope == 1.0 and start == 0.0:
        return tree
    changed = []
    for line in tree:
        name, _, values = line.partition("=")
        if name in _SCALED and values:
            numbers = slope * np.array(values.split(), dtype=np.float64)
            numbers += start if name in _SHIFTED else 0.0
            line = f"{name}={' '.join(map(repr, numbers.tolist()))}"
        changed.append(line)
    return changed
