"""An ONNX graph that is put together a node at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.export.trees import Condition, Tree
from gbdt_pwiser.objectives import InputError

OPSET: Final = 18
_OPSET_ML: Final = 3
"""ONNX Runtime 1.21 to 1.23 reads the trees of version 5 wrong, without a word."""
_IR: Final = 8
_LONGEST_WAY: Final = 4000
"""Comparisons from root to leaf; ONNX Runtime ends the process where there are some 10,000."""
_PREFIX: Final = "gbdt_pwiser/"
"""Of names that no input has."""
_ML: Final = "ai.onnx.ml"
_MODES: Final = {"<=": "BRANCH_LEQ", "<": "BRANCH_LT"}
_KINDS: Final = {"O": "string", "i": "int64", "f": "float"}


class Graph:
    """Nodes, inputs, outputs and constants; every value goes by a name of the graph's own."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._from_array = helper, numpy_helper.from_array
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: dict[str, Any] = {}
        self._outputs: list[Any] = []

    def is_taken(self, name: str) -> bool:
        """Whether an input can no more have this name."""
        return name in self._inputs or name.startswith(_PREFIX)

    def input(self, name: str, dtype: np.dtype[Any]) -> str:
        """Add an input (n, 1); of texts where the type is object."""
        self._inputs[name] = self._helper.make_tensor_value_info(name, self._type(dtype), ["n", 1])
        return name

    def output(self, name: str, value: str) -> None:
        """Give a value, float64 (n,), as an output of this name."""
        self._nodes.append(self._helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._helper.make_tensor_value_info(name, self._type(np.float64), ["n"]))

    def constant(self, values: Any) -> str:
        """Add a constant, of the type that NumPy gives it."""
        name = f"{_PREFIX}constant_{len(self._constants)}"
        self._constants.append(self._from_array(np.asarray(values), name))
        return name

    def add(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        name = f"{_PREFIX}{op}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(op, list(inputs), [name], domain=domain, **attributes))
        return name

    def cast(self, value: str, dtype: type[Any]) -> str:
        """Return a value as another type."""
        return self.add("Cast", value, to=self._type(dtype))

    def lookup(self, value: str, keys: NDArray[Any], found: NDArray[Any], default: float) -> str:
        """Return what is found, float32 or int64, for the keys among the values; the default for all else."""
        kind, kind_found = (_KINDS[each.dtype.kind] for each in (keys, found))
        if not len(keys):
            keys = np.array(["" if kind == "string" else 0], dtype=keys.dtype)
            found = np.array([default], dtype=found.dtype)
        return self.add(
            "LabelEncoder",
            value,
            domain=_ML,
            **{f"keys_{kind}s": keys.tolist(), f"values_{kind_found}s": found.tolist()},
            **{f"default_{kind_found}": default},
        )

    def count(self, value: str, ascending: Sequence[float]) -> str:
        """Return how many of the ascending numbers are at most a value, float64 (n, 1), as int64 (n, 1)."""
        return self.cast(self.leaves([_search_tree(ascending)], value, np.float64), np.int64)

    def inline(self, model: Any, inputs: Mapping[str, str]) -> list[str]:
        """Add the nodes of another graph, whose inputs are these values; return its outputs."""
        from onnx import compose

        (opset,) = {each.version for each in model.opset_import if not each.domain}
        assert opset == OPSET
        assert not model.functions
        prefix = f"{_PREFIX}inner/"
        inner = compose.add_prefix(model, prefix).graph
        for name, value in inputs.items():
            self._nodes.append(self._helper.make_node("Identity", [value], [f"{prefix}{name}"]))
        self._nodes += inner.node
        self._constants += inner.initializer
        return [each.name for each in inner.output]

    def leaves(self, trees: Sequence[Tree], features: str, dtype: type[Any]) -> str:
        """Return the leaf of each tree, float32 (n, trees), for features (n, columns) of a type.

        Splits are of the same type; of leaves there is float32 only.
        """
        nodes: dict[str, list[Any]] = {name: [] for name in (*_Node._fields, "treeids", "nodeids")}
        leaves: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "weights")}
        for number, tree in enumerate(trees):
            of_tree = list(_nodes(tree))
            for name, values in zip(_Node._fields, zip(*of_tree, strict=True), strict=True):
                nodes[name] += values
            nodes["treeids"] += [number] * len(of_tree)
            nodes["nodeids"] += range(len(of_tree))
            leaves["treeids"] += [number] * len(tree.leaves)
            leaves["nodeids"] += range(len(of_tree) - len(tree.leaves), len(of_tree))
            leaves["weights"] += tree.leaves

        def tensor(values: Sequence[float]) -> Any:
            return self._from_array(np.array(values, dtype=dtype))

        return self.add(
            "TreeEnsembleRegressor",
            features,
            domain=_ML,
            n_targets=len(trees),
            nodes_treeids=nodes["treeids"],
            nodes_nodeids=nodes["nodeids"],
            nodes_featureids=nodes["feature"],
            nodes_modes=nodes["mode"],
            nodes_values_as_tensor=tensor(nodes["split"]),
            nodes_missing_value_tracks_true=nodes["missing"],
            nodes_truenodeids=nodes["true"],
            nodes_falsenodeids=nodes["false"],
            target_ids=leaves["treeids"],
            target_treeids=leaves["treeids"],
            target_nodeids=leaves["nodeids"],
            target_weights_as_tensor=tensor(leaves["weights"]),
        )

    def serialized(self, comment: str) -> bytes:
        """Return the graph as the content of a file."""
        helper = self._helper
        graph = helper.make_graph(
            self._nodes, "predict", list(self._inputs.values()), self._outputs, self._constants
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_ML, _OPSET_ML)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=_IR, producer_name="gbdt-pwiser", doc_string=comment
        )
        return bytes(model.SerializeToString())

    def _type(self, dtype: Any) -> int:
        return int(self._helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


class _Node(NamedTuple):
    """A condition or a leaf as a graph has it; children are nodes by their numbers."""

    feature: int
    mode: str
    split: float
    missing: int
    true: int
    false: int


def _nodes(tree: Tree) -> Iterator[_Node]:
    """Yield the nodes of a tree, its leaves last.

    A condition on members becomes a chain of comparisons with the ends of each run of members, in which
    every one leads to the same two children. Modes for members exist, and runtimes get them wrong.
    """
    chains = [_comparisons(condition) for condition in tree.conditions]
    if (longest := _longest_way(tree, list(map(len, chains)))) > _LONGEST_WAY:
        raise InputError(
            f"a tree splits on categories in {longest:,} comparisons one after the other, and a graph may "
            f"have {_LONGEST_WAY:,} of them; export native, or train with a smaller max_cat_threshold"
        )
    starts = np.cumsum([0, *map(len, chains)]).tolist()

    def placed(child: int) -> int:
        return int(starts[child]) if child >= 0 else int(starts[-1]) + ~child

    for condition, chain, start in zip(tree.conditions, chains, starts[:-1], strict=True):
        for number, (split, is_true, missing) in enumerate(chain, start + 1):
            below = placed(condition.true if is_true else condition.false)
            beyond = placed(condition.false) if number == start + len(chain) else number
            yield _Node(condition.feature, _MODES[condition.mode], split, int(missing), below, beyond)
    for _ in tree.leaves:
        yield _Node(0, "LEAF", 0.0, 0, 0, 0)


def _longest_way(tree: Tree, lengths: Sequence[int]) -> int:
    """Return how many comparisons are between root and leaf at most."""
    longest, ahead = 0, [(0, 0)] if tree.conditions else []
    while ahead:
        child, passed = ahead.pop()
        if child >= 0:
            passed += lengths[child]
            ahead += [(tree.conditions[child].true, passed), (tree.conditions[child].false, passed)]
        longest = max(longest, passed)
    return longest


def _comparisons(condition: Condition) -> list[tuple[float, bool, bool]]:
    """Return comparisons in order: the split, whether what is below it is `true`, whether missing is below.

    What passes all of them is `false`.
    """
    if condition.members is None:
        return [(condition.split, True, condition.missing)]
    members = np.sort(np.array(condition.members, dtype=np.int64))
    follows = np.diff(members) == 1
    runs = members[np.append(True, ~follows)], members[np.append(~follows, True)] + 1
    ends = np.stack(runs, axis=1).ravel() if len(members) else np.array([], dtype=np.int64)
    at = ends - (condition.mode == "<=")  # whole numbers below an end are at most one less
    chain = [(float(end), bool(number % 2), False) for number, end in enumerate(at)]
    return [(-np.inf, True, condition.missing), *chain] if condition.missing or not chain else chain


def _search_tree(x: Sequence[float]) -> Tree:
    """Return a tree whose leaf is how many of the ascending numbers are at most a value."""
    conditions: list[Condition] = []

    def between(low: int, high: int) -> int:
        """Return the place of what tells the counts from low to high apart."""
        if low == high:
            return ~low
        place, middle = len(conditions), (low + high) // 2
        conditions.append(Condition(0, "<", float(x[middle]), None, 0, 0, missing=False))
        true, false = between(low, middle), between(middle + 1, high)
        conditions[place] = replace(conditions[place], true=true, false=false)
        return place

    between(0, len(x))
    return Tree(conditions, list(map(float, range(len(x) + 1))))
