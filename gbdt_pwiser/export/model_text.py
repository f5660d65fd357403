"""LightGBM's text of a booster: its header, a block of lines a tree, and the rest."""

from __future__ import annotations

from typing import NamedTuple

from gbdt_pwiser.models.boosters.trees import Trained
from gbdt_pwiser.objectives import InputError


class ModelText(NamedTuple):
    """The parts of a text, in order; together they are the text."""

    header: list[str]
    trees: list[list[str]]
    rest: str

    @classmethod
    def of(cls, trained: Trained) -> ModelText:
        """Return the text of the rounds that count; InputError for a random forest."""
        text: str = trained.booster.model_to_string(num_iteration=trained.rounds)
        head, _, rest = text.partition("\n\nTree=")
        trees, _, rest = rest.partition("end of trees\n")
        header = head.split("\n")
        if "average_output" in header:
            raise InputError("a random forest averages its trees, and exports add them up; use predict")
        blocks = [("Tree=" + block).rstrip("\n").split("\n") for block in trees.split("\nTree=")]
        return cls(header, blocks, "end of trees\n" + rest)

    def join(self) -> str:
        """Return the text, in whose header the sizes of the trees stand anew."""
        blocks = ["\n".join([*lines, "", "", ""]) for lines in self.trees]
        sizes = "tree_sizes=" + " ".join(str(len(block.encode())) for block in blocks)
        header = [sizes if line.startswith("tree_sizes=") else line for line in self.header]
        return "\n".join([*header, "", ""]) + "".join(blocks) + self.rest


def entries(lines: list[str]) -> dict[str, list[str]]:
    """Return the values of a tree's lines by name."""
    return {name: values.split() for name, _, values in (line.partition("=") for line in lines)}
