"""Boosters out of files that may be damaged: what their libraries would follow into nowhere is refused first.

Both libraries trust the sizes, the indices and the links between nodes that a file states: where these are
wrong they end the process, read foreign memory or walk in circles. So all of them are checked here, and
whatever a booster needs no more once it is trained is left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import lightgbm
import numpy as np
import xgboost
from numpy.typing import NDArray

from gbdt_pwiser.objectives import InputError

Array = NDArray[Any]


class _DamageError(Exception):
    """What is wrong with a file, in a few words."""


def read_lightgbm(path: Path) -> Any:
    """Return the lightgbm.Booster of a file, for prediction; InputError where it is none.

    Only what predicts is handed on: the sizes and the trees, without objective and parameters.
    """
    try:
        return lightgbm.Booster(model_str=_checked_text(path.read_bytes()))
    except (_DamageError, ValueError, LookupError, OverflowError, lightgbm.basic.LightGBMError) as error:
        raise _refusal(path, "lightgbm", error) from error


def read_xgboost(path: Path, outputs: int = 1) -> Any:
    """Return the xgboost.Booster of a UBJSON file, for prediction; InputError where it is none.

    With several outputs it has trees of which each leaf holds a value for each.
    """
    content = path.read_bytes()
    try:
        _check_model(_Reader(content).document(), outputs)
        return xgboost.Booster(model_file=bytearray(content))
    except (
        *(_DamageError, ValueError, LookupError, TypeError, OverflowError, RecursionError, struct.error),
        xgboost.core.XGBoostError,
    ) as error:
        raise _refusal(path, "xgboost", error) from error


def _refusal(path: Path, model: str, error: Exception) -> InputError:
    reason = str(error).strip().partition("\n")[0] if isinstance(error, _DamageError) else "it cannot be read"
    return InputError(f"{path} is no booster of {model} ({reason}); copy the folder again or train again")


def _require(holds: bool | np.bool_, what: str) -> None:
    if not holds:
        raise _DamageError(what)


def _within(values: Array, least: int, below: int) -> bool:
    return bool(((values >= least) & (values < below)).all())


def _met(left: Array, right: Array, inner: Array, nodes: int) -> Array:
    """Follow the links from node 0 and return which nodes are met, each of them once.

    `left` and `right` are links of the inner nodes by number, `inner` says which numbers are inner nodes.
    """
    met = np.zeros(nodes, dtype=np.bool_)
    level = np.zeros(1, dtype=np.int64)
    while len(level):
        _require(not met[level].any() and len(np.unique(level)) == len(level), "a node has two parents")
        met[level] = True
        level = level[inner[level]]
        level = np.concatenate([left[level], right[level]])
    return met


# ------------------------------------------------------------------------------ LightGBM's text

_HEADER: Final = ("version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx")
_ONE_OUTPUT: Final = {"num_class": 1, "num_tree_per_iteration": 1, "label_index": 0}
_LARGEST_TREE: Final = 131_072
"""Leaves that LightGBM grows at most."""


def _checked_text(content: bytes) -> str:
    """Return header and trees of a file in LightGBM's text format, after all checks."""
    _require(content.startswith(b"tree\n") and b"\0" not in content, "it does not start as one")
    head, found, _ = content.partition(b"\nTree=0\n")
    _require(bool(found), "it has no trees")
    header = _entries(head.decode().split("\n")[1:])
    for name, wanted in _ONE_OUTPUT.items():
        _require(_whole(header[name], 1)[0] == wanted, f"{name} is not {wanted}")
    features = int(_whole(header["max_feature_idx"], 1)[0]) + 1
    for name in ("feature_names", "feature_infos"):
        _require(len(header[name].split(" ")) == features, f"{name} are not {features}")
    sizes = _whole(header["tree_sizes"])
    _require(_within(sizes, 1, len(content) + 1), "a tree has no size")
    starts = len(head) + 1 + np.concatenate([[0], np.cumsum(sizes)])
    for number, (start, end) in enumerate(pairwise(starts)):
        try:
            _check_text_tree(content[start:end].decode(), number, features)
        except (_DamageError, LookupError, ValueError) as error:
            raise _DamageError(f"tree {number}: {error}") from error
    rest = content[starts[-1] :]
    _require(rest.startswith(b"end of trees\n"), "it is cut off after its trees")
    kept = [f"{name}={header[name]}" for name in (*_HEADER, "feature_names", "feature_infos", "tree_sizes")]
    flags = ["average_output"] if "average_output" in header else []
    trees = content[len(head) + 1 : starts[-1]].decode()
    return "\n".join(["tree", *kept[:-3], *flags, *kept[-3:], "", trees]) + "end of trees\n"


def _check_text_tree(text: str, number: int, features: int) -> None:
    first, *lines = text.split("\n")
    _require(first == f"Tree={number}", "it starts elsewhere")
    tree = _entries(lines)
    leaves = int(_whole(tree["num_leaves"], 1)[0])
    splits, categorical_splits = leaves - 1, int(_whole(tree["num_cat"], 1)[0])
    _require(1 <= leaves <= _LARGEST_TREE and 0 <= categorical_splits <= splits, "its size is wrong")
    split = _whole(tree["split_feature"], splits)
    decision = _whole(tree["decision_type"], splits)
    left, right = _whole(tree["left_child"], splits), _whole(tree["right_child"], splits)
    threshold = _numbers(tree["threshold"], splits)
    _require(_within(split, 0, features), "a split is on a feature that there is not")
    _require(_within(decision, 0, 12), "a decision is of no kind")
    # Leaves have the numbers -1, -2, ...; here they follow the splits.
    children = np.concatenate([left, right])
    _require(_within(children, -leaves, max(splits, 1)), "a child is missing")
    inner = np.arange(splits + leaves) < splits
    if splits:
        left, right = (np.where(links < 0, splits + ~links, links) for links in (left, right))
        _require(_met(left, right, inner, splits + leaves).all(), "a leaf cannot be reached")
    _require(np.isfinite(_numbers(tree["leaf_value"], leaves)).all(), "a leaf has no value")
    for name in ("split_gain", "internal_value", "internal_weight", "internal_count"):
        _numbers(tree[name], splits)
    for name in ("leaf_weight", "leaf_count"):
        if tree[name].strip() or splits:  # a lone leaf has no weight
            _numbers(tree[name], leaves)
    if categorical_splits:
        bounds = _whole(tree["cat_boundaries"], categorical_splits + 1)
        words = _whole(tree["cat_threshold"])
        _require(
            bounds[0] == 0 and (np.diff(bounds) >= 0).all() and bounds[-1] == len(words),
            "its categories are cut elsewhere",
        )
        _require(_within(words, 0, 1 << 32), "a category is out of range")
    of_categories = threshold[(decision & 1) == 1]
    _require(_within(of_categories, 0, categorical_splits), "a split is on categories that there are not")
    _require(tree["is_linear"] in ("0", "1"), "is_linear is neither 0 nor 1")
    if tree["is_linear"] == "1":
        _require(np.isfinite(_numbers(tree["leaf_const"], leaves)).all(), "a leaf has no value")
        terms = _whole(tree["num_features"], leaves)
        _require(_within(terms, 0, features + 1), "a leaf has too many terms")
        used = _whole(tree["leaf_features"], int(terms.sum()))
        _require(_within(used, 0, features), "a leaf is of a feature that there is not")
        _numbers(tree["leaf_coeff"], int(terms.sum()))
    _numbers(tree["shrinkage"], 1)


def _entries(lines: list[str]) -> dict[str, str]:
    """Read lines of the form name=value, or name alone; each name once."""
    entries: dict[str, str] = {}
    for line in filter(None, lines):
        name, _, value = line.partition("=")
        _require(name not in entries, f"{name} occurs twice")
        entries[name] = value
    return entries


def _whole(text: str, count: int | None = None) -> Array:
    _require(not text.strip("-0123456789 "), "a whole number is none")
    return _counted(np.array(text.split(), dtype=np.int64), count)


def _numbers(text: str, count: int) -> Array:
    _require(not text.strip("+-.0123456789einfa "), "a number is none")
    return _counted(np.array(text.split(), dtype=np.float64), count)


def _counted(values: Array, count: int | None) -> Array:
    _require(count is None or len(values) == count, f"{len(values)} numbers are there and not {count}")
    return values


# ------------------------------------------------------------------------------ XGBoost's UBJSON

_NO_PARENT: Final = 2**31 - 1
_LARGEST_CATEGORY: Final = 1 << 24
"""XGBoost counts categories as float32."""


def _check_model(document: Any, outputs: int) -> None:
    """Check what XGBoost follows when it reads and predicts; LookupError or TypeError for another form."""
    learner = document["learner"]
    sizes = learner["learner_model_param"]
    features = int(sizes["num_feature"])
    found = int(sizes["num_target"])
    _require(int(sizes["num_class"]) in (0, 1) and found == outputs, f"it has {found} outputs, not {outputs}")
    for name in ("feature_names", "feature_types"):
        _require(len(learner[name]) in (0, features), f"{name} are not {features}")
        _require(all(isinstance(text, str) for text in learner[name]), f"{name} are no texts")
    boosted = learner["gradient_booster"]
    _require(boosted["name"] in ("gbtree", "dart"), "it has no trees")
    if boosted["name"] == "dart":
        weights = _array(boosted["weight_drop"])
        boosted = boosted["gbtree"]
        _require(len(weights) == len(boosted["model"]["trees"]), "a tree has no weight")
    model = boosted["model"]
    trees = model["trees"]
    _require(len(trees) == int(model["gbtree_model_param"]["num_trees"]), "its trees are not all there")
    info, ends = _array(model["tree_info"]), _array(model["iteration_indptr"])
    _require(len(info) == len(trees) and (info == 0).all(), "a tree is of no output")
    _require(
        len(ends) >= 1 and ends[0] == 0 and (np.diff(ends) > 0).all() and ends[-1] == len(trees),
        "its rounds do not share out its trees",
    )
    if "cats" in model:  # the values behind the categories; ours are codes
        _require(not any(len(part) for part in model["cats"].values()), "it encodes categories itself")
    for number, tree in enumerate(trees):
        try:
            _check_model_tree(tree, number, features, outputs)
        except (_DamageError, LookupError, TypeError, ValueError) as error:
            raise _DamageError(f"tree {number}: {error}") from error


def _check_model_tree(tree: Mapping[str, Any], number: int, features: int, outputs: int) -> None:
    sizes = {name: int(text) for name, text in tree["tree_param"].items()}
    nodes = sizes["num_nodes"]
    leaf_sizes = (0, 1) if outputs == 1 else (outputs,)
    _require(nodes >= 1 and sizes["size_leaf_vector"] in leaf_sizes, "its size is wrong")
    _require(sizes["num_feature"] == features and sizes["num_deleted"] >= 0, "its size is wrong")
    _require(tree["id"] == number, "it is in another one's place")
    each = {
        name: _counted(_array(tree[name]), nodes)
        for name in (
            *("left_children", "right_children", "parents", "split_indices", "split_type"),
            *("split_conditions", "default_left", "loss_changes", "sum_hessian"),
        )
    }
    _counted(_array(tree["base_weights"]), nodes * outputs)
    left, right = each["left_children"].astype(np.int64), each["right_children"].astype(np.int64)
    inner = left != -1
    if outputs > 1:  # a leaf has its place among the values of the leaves where its right child would be
        values = _counted(_array(tree["leaf_weights"]), outputs * int((~inner).sum()))
        _require(np.isfinite(values).all(), "a leaf has no value")
        _require(_within(right[~inner], 0, len(values) // outputs), "a leaf has no value")
        right = np.where(inner, right, -1)
    _require(
        _within(left[inner], 0, nodes) and _within(right[inner], 0, nodes) and (right[~inner] == -1).all(),
        "a child is missing",
    )
    met = _met(left, right, inner, nodes)
    _require((~met).sum() == sizes["num_deleted"], "a leaf cannot be reached")
    parents = each["parents"]
    inner = np.flatnonzero(inner & met)
    _require(
        (parents[left[inner]] == inner).all() and (parents[right[inner]] == inner).all(),
        "a parent has other children",
    )
    _require(parents[0] in (-1, _NO_PARENT), "the root has a parent")
    _require(_within(each["split_indices"][inner], 0, features), "a split is on a feature that there is not")
    _require(np.isfinite(each["split_conditions"][~inner]).all(), "a leaf has no value")
    _require(_within(each["split_type"], 0, 2) and _within(each["default_left"], 0, 2), "a flag is none")
    categories = _array(tree["categories"]).astype(np.int64)
    of_nodes = _array(tree["categories_nodes"]).astype(np.int64)
    starts, lengths = (
        _counted(_array(tree[f"categories_{name}"]), len(of_nodes)).astype(np.int64)
        for name in ("segments", "sizes")
    )
    _require(_within(categories, 0, _LARGEST_CATEGORY), "a category is out of range")
    _require(
        np.array_equal(of_nodes, np.flatnonzero(each["split_type"]))
        and (lengths > 0).all()
        and (starts >= 0).all()
        and (starts + lengths <= len(categories)).all(),
        "its categories are cut elsewhere",
    )


def _array(values: Any) -> Array:
    array = np.asarray(values)
    _require(array.ndim == 1 and (array.dtype.kind in "iuf" or not len(array)), "numbers are missing")
    return array


class _Reader:
    """The subset of UBJSON that XGBoost writes; an array of numbers of one type becomes a NumPy array."""

    _NUMBERS: Final = {"d": ">f4", "D": ">f8", "i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8"}
    _WORDS: Final = {"T": True, "F": False, "N": None, "Z": None}

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def document(self) -> Any:
        """Return the one value of the file."""
        value = self._value(self._mark())
        _require(self._at == len(self._content), "something follows its end")
        return value

    def _take(self, size: int) -> bytes:
        _require(0 <= size <= len(self._content) - self._at, "it is cut off")
        self._at += size
        return self._content[self._at - size : self._at]

    def _mark(self) -> str:
        return self._take(1).decode("ascii")

    def _peek(self) -> str:
        return self._content[self._at : self._at + 1].decode("ascii")

    def _value(self, mark: str) -> Any:
        match mark:
            case "{":
                return dict(self._items())
            case "[":
                return self._values()
            case "S":
                return self._text()
            case _ if mark in self._WORDS:
                return self._WORDS[mark]
            case _ if mark in self._NUMBERS:
                return self._typed(mark, 1)[0].item()
        raise _DamageError(f"{mark!r} is no type of UBJSON")

    def _items(self) -> Iterator[tuple[str, Any]]:
        names: set[str] = set()
        while self._peek() != "}":
            name = self._text()
            _require(name not in names, f"{name} occurs twice")
            names.add(name)
            yield name, self._value(self._mark())
        self._take(1)

    def _values(self) -> Any:
        kind = None
        if self._peek() == "$":
            self._take(1)
            kind = self._mark()
        if kind is not None or self._peek() == "#":
            _require(self._mark() == "#", "an array has no length")
            length = self._length()
            if kind is not None:
                return self._typed(kind, length)
            _require(length <= len(self._content) - self._at, "it is cut off")
            return [self._value(self._mark()) for _ in range(length)]
        values = []
        while self._peek() != "]":
            values.append(self._value(self._mark()))
        self._take(1)
        return values

    def _typed(self, kind: str, length: int) -> Array:
        dtype = np.dtype(self._NUMBERS[kind])
        return np.frombuffer(self._take(length * dtype.itemsize), dtype=dtype)

    def _length(self) -> int:
        _require(self._mark() == "L", "a length has another type")
        length: int = struct.unpack(">q", self._take(8))[0]
        return length

    def _text(self) -> str:
        return self._take(self._length()).decode()
