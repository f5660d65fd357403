"""XGBoost's trees once they are grown, by its JSON format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from gbdt_pwiser.models.boosters.continued import GrownTrees, Newton, Values, refuse_other_values
from gbdt_pwiser.models.boosters.xgboost_document import document_of, trees_of
from gbdt_pwiser.objectives.traps import without_effect


class XGBoostTrees(GrownTrees):
    """Trees of a xgboost.Booster; leaves have the numbers of their nodes."""

    def joined(self, first: tuple[Any, int], second: tuple[Any, int]) -> Any:
        """Return one booster of both, that starts where the first does; see `GrownTrees`."""
        document = document_of(*first)
        both = trees_of(document)[0] + trees_of(document_of(*second))[0]
        model = document["learner"]["gradient_booster"]["model"]
        model["trees"] = [{**tree, "id": number} for number, tree in enumerate(both)]
        model["tree_info"] = [0] * len(both)
        model["iteration_indptr"] = list(range(len(both) + 1))
        model["gbtree_model_param"]["num_trees"] = str(len(both))
        return _booster(document, second[0])

    def leaves(
        self, booster: Any, features: NDArray[np.float32], first: int, last: int, threads: int
    ) -> NDArray[Any]:
        """Return the leaf of each row in each tree; see `GrownTrees`."""
        types, names = booster.feature_types, booster.feature_names
        data = xgboost.DMatrix(
            features, feature_types=types, feature_names=names, enable_categorical=True, nthread=threads
        )
        # Leaves are told of all rounds from the first one on alone.
        found = booster[first:last].predict(data, pred_leaf=True, strict_shape=True)
        return np.asarray(found).reshape(len(features), last - first).astype(np.int64)

    def newton(self, params: dict[str, Any]) -> Newton:
        """Return what made leaf values, apart from `min_child_weight`; see `GrownTrees`."""
        config = json.loads(xgboost.Booster({**params, "num_feature": 1, "device": "cpu"}).save_config())
        used = config["learner"]["gradient_booster"]["tree_train_param"]
        other = {name: used[name] for name in ("alpha", "max_delta_step") if float(used[name])}
        if used["monotone_constraints"].strip("()"):
            other["monotone_constraints"] = used["monotone_constraints"]
        refuse_other_values(other | {name: params[name] for name in without_effect(params)})
        return Newton(float(used["learning_rate"]), float(used["lambda"]))

    def values(self, booster: Any, rounds: int) -> list[Values]:
        """Return per tree the values of its leaves; see `GrownTrees`."""
        return [
            np.where(_is_leaf(tree), tree["split_conditions"], np.nan)
            for tree in trees_of(document_of(booster, rounds))[0]
        ]

    def with_values(self, booster: Any, values: Sequence[Values]) -> Any:
        """Return a booster with other leaf values; see `GrownTrees`."""
        document = document_of(booster, len(values))
        for tree, of_tree in zip(trees_of(document)[0], values, strict=True):
            changed = np.where(_is_leaf(tree), of_tree, tree["split_conditions"])
            tree["split_conditions"] = changed.tolist()
        return _booster(document, booster)


def _is_leaf(tree: dict[str, Any]) -> NDArray[np.bool_]:
    is_leaf: NDArray[np.bool_] = np.array(tree["left_children"]) == -1
    return is_leaf


def _booster(document: Any, like: Any) -> Any:
    """Return the booster of a document, with threads and device of another one."""
    booster = xgboost.Booster(model_file=bytearray(json.dumps(document), "utf-8"))
    generic = json.loads(like.save_config())["learner"]["generic_param"]
    booster.set_param({"nthread": generic["nthread"], "device": generic["device"]})
    return booster
