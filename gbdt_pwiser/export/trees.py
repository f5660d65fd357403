"""Trees of both libraries in one form: conditions on a feature, each with what a missing value does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from gbdt_pwiser._lightgbm_text import ModelText, entries
from gbdt_pwiser.models.boosters.trees import Trained
from gbdt_pwiser.models.boosters.xgboost_document import base_margins, document_of, trees_of
from gbdt_pwiser.objectives import InputError


@dataclass(frozen=True)
class Condition:
    """An inner node.

    Attributes
    ----------
    feature
        Place of the column.
    mode
        What holds of a number on the way to `true`: it is below the split, or at most the split.
    split
        The number.
    members
        Codes on the way to `true`, where there is no split.
    true, false
        Where the value goes: a condition by its place, from 0, or a leaf by ~place, as -1, -2, ...
    missing
        Whether a missing value goes to `true`.
    """

    feature: int
    mode: Literal["<", "<="]
    split: float
    members: Sequence[int] | None
    true: int
    false: int
    missing: bool


@dataclass(frozen=True)
class Tree:
    """Conditions, the root first, and the values of leaves; without conditions it is one leaf."""

    conditions: list[Condition]
    leaves: list[float]


# ------------------------------------------------------------------------------ LightGBM

_CATEGORICAL, _DEFAULT_LEFT, _ZERO, _NAN = 1, 2, 4, 8
"""Bits of a decision: its kind, where what counts as missing goes, and what does."""


def of_lightgbm(trained: Trained) -> list[Tree]:
    """Return the trees of a LightGBM booster; InputError for linear leaves and for zeros that are missing."""
    return [_lightgbm_tree(entries(tree)) for tree in ModelText.of(trained.booster, trained.rounds).trees]


def _lightgbm_tree(tree: dict[str, list[str]]) -> Tree:
    if tree["is_linear"] == ["1"]:
        raise InputError("leaves that are linear (linear_tree) have no place in ONNX; export native")
    leaves = list(map(float, tree["leaf_value"]))
    if len(leaves) == 1:
        return Tree([], leaves)
    bounds = list(map(int, tree.get("cat_boundaries", [])))
    words = list(map(int, tree.get("cat_threshold", [])))
    conditions = []
    for feature, decision, split, left, right in zip(
        map(int, tree["split_feature"]),
        map(int, tree["decision_type"]),
        map(float, tree["threshold"]),
        map(int, tree["left_child"]),
        map(int, tree["right_child"]),
        strict=True,
    ):
        if decision & _CATEGORICAL:
            members = _bits(words[bounds[int(split)] : bounds[int(split) + 1]])
            conditions.append(Condition(feature, "<=", 0.0, members, left, right, missing=False))
            continue
        if decision & _ZERO:
            raise InputError("zeros that count as missing (zero_as_missing) do not in ONNX; export native")
        # Where training had no missing value, one counts as 0.
        missing = bool(decision & _DEFAULT_LEFT) if decision & _NAN else split >= 0
        conditions.append(Condition(feature, "<=", split, None, left, right, missing))
    return Tree(conditions, leaves)


def _bits(words: Sequence[int]) -> list[int]:
    return [32 * i + bit for i, word in enumerate(words) for bit in range(32) if word >> bit & 1]


# ------------------------------------------------------------------------------ XGBoost

_OF_LEAF: Final = -1
"""In the place of a leaf's left child."""


def of_xgboost(trained: Trained, output: int = 0) -> tuple[list[Tree], float]:
    """Return the trees of an XGBoost booster, with the leaves of one of its outputs, and where it starts."""
    document = document_of(trained.booster, trained.rounds)
    trees, counts = trees_of(document)
    bases = base_margins(document)
    return [
        _xgboost_tree(tree, output, len(bases), count) for tree, count in zip(trees, counts, strict=True)
    ], bases[output]


def _xgboost_tree(tree: Any, output: int, outputs: int, count: float) -> Tree:
    left, right = tree["left_children"], tree["right_children"]
    if outputs > 1:  # a leaf has its place among the values of the leaves where its right child would be
        values = {
            i: tree["leaf_weights"][right[i] * outputs + output] for i in _reached(left, right, leaves=True)
        }
    else:
        values = {i: tree["split_conditions"][i] for i in _reached(left, right, leaves=True)}
    inner = _reached(left, right, leaves=False)
    place = {node: i for i, node in enumerate(inner)} | {node: ~i for i, node in enumerate(values)}
    starts = dict(zip(tree["categories_nodes"], tree["categories_segments"], strict=True))
    sizes = dict(zip(tree["categories_nodes"], tree["categories_sizes"], strict=True))
    conditions = []
    for node in inner:
        feature, default_left = tree["split_indices"][node], bool(tree["default_left"][node])
        children = place[left[node]], place[right[node]]
        if tree["split_type"][node]:  # members go right
            members = tree["categories"][starts[node] : starts[node] + sizes[node]]
            conditions.append(Condition(feature, "<", 0.0, members, *children[::-1], not default_left))
        else:
            split = float(np.float32(tree["split_conditions"][node]))
            conditions.append(Condition(feature, "<", split, None, *children, default_left))
    return Tree(conditions, [float(np.float32(count) * np.float32(value)) for value in values.values()])


def _reached(left: Sequence[int], right: Sequence[int], *, leaves: bool) -> list[int]:
    """Return the leaves or the inner nodes that the root leads to, the root first."""
    found, ahead = [], [0]
    while ahead:
        node = ahead.pop()
        is_leaf = left[node] == _OF_LEAF
        if is_leaf == leaves:
            found.append(node)
        if not is_leaf:
            ahead += [right[node], left[node]]
    return found
