"""An ONNX graph that is put together a node at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.export.trees import Condition, Tree

_OPSET: Final = 18
_OPSET_ML: Final = 5
"""TreeEnsemble, with conditions on members, came with version 5 of ai.onnx.ml."""
_IR: Final = 10
_PREFIX: Final = "gbdt_pwiser/"
"""Of names that no input has."""
_ML: Final = "ai.onnx.ml"
_MODES: Final = {"<=": 0, "<": 1, "in": 6}
_LONE: Final = Condition(0, "<", 0.0, (), ~0, ~0, missing=False)
"""The root of a tree that is one leaf: a graph's trees have a condition."""


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

    def lookup(self, value: str, keys: NDArray[Any], found: NDArray[np.float32]) -> str:
        """Return what is found, float32, for the keys among the values; NaN for all else."""
        kind = {"O": "strings", "i": "int64s", "f": "floats"}[keys.dtype.kind]
        if not len(keys):
            keys, found = np.array(["" if kind == "strings" else 0], dtype=keys.dtype), np.float32([np.nan])
        return self.add(
            "LabelEncoder",
            value,
            domain=_ML,
            **{f"keys_{kind}": keys.tolist()},
            values_floats=found.tolist(),
            default_float=float("nan"),
        )

    def trees(self, trees: Sequence[Tree], features: str, dtype: type[Any], *, apart: bool = False) -> str:
        """Return the sum of the trees' leaves (n, 1), or the leaf of each tree (n, trees) where `apart`.

        Leaves and splits are of the type that the features (n, columns) have.
        """
        roots: list[int] = []
        columns: dict[str, list[Any]] = {name: [] for name in ("feature", "mode", "split", "missing")}
        branches: dict[str, list[int]] = {name: [] for name in ("true", "true_leaf", "false", "false_leaf")}
        members: list[float] = []
        targets: list[int] = []
        leaves: list[float] = []
        for number, tree in enumerate(trees):
            first, first_leaf = len(columns["feature"]), len(leaves)
            roots.append(first)
            for condition in tree.conditions or [_LONE]:
                never = condition.mode == "in" and not condition.members
                columns["feature"].append(condition.feature)
                columns["mode"].append(_MODES["<" if never else condition.mode])
                columns["split"].append(-np.inf if never else condition.split)
                columns["missing"].append(int(condition.missing))
                if condition.members:
                    members += [*condition.members, np.nan]
                for name, child in (("true", condition.true), ("false", condition.false)):
                    branches[name].append(first + child if child >= 0 else first_leaf + ~child)
                    branches[f"{name}_leaf"].append(int(child < 0))
            leaves += tree.leaves
            targets += [number if apart else 0] * len(tree.leaves)

        def tensor(values: Sequence[Any], of: type[Any] = dtype) -> Any:
            return self._from_array(np.array(values, dtype=of))

        return self.add(
            "TreeEnsemble",
            features,
            domain=_ML,
            n_targets=len(trees) if apart else 1,
            aggregate_function=1,  # the sum
            post_transform=0,
            tree_roots=roots,
            nodes_featureids=columns["feature"],
            nodes_modes=tensor(columns["mode"], np.uint8),
            nodes_splits=tensor(columns["split"]),
            nodes_missing_value_tracks_true=columns["missing"],
            nodes_truenodeids=branches["true"],
            nodes_trueleafs=branches["true_leaf"],
            nodes_falsenodeids=branches["false"],
            nodes_falseleafs=branches["false_leaf"],
            leaf_targetids=targets,
            leaf_weights=tensor(leaves),
            **({"membership_values": tensor(members)} if members else {}),
        )

    def serialized(self, comment: str) -> bytes:
        """Return the graph as the content of a file."""
        helper = self._helper
        graph = helper.make_graph(
            self._nodes, "predict", list(self._inputs.values()), self._outputs, self._constants
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_ML, _OPSET_ML)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=_IR, producer_name="gbdt-pwiser", doc_string=comment
        )
        return bytes(model.SerializeToString())

    def _type(self, dtype: Any) -> int:
        return int(self._helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
