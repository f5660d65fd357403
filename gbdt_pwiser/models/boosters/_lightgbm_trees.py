"""LightGBM's trees once they are grown, by its text format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import lightgbm
import numpy as np
from lightgbm.basic import _ConfigAliases
from numpy.typing import NDArray

from gbdt_pwiser._lightgbm_text import ModelText
from gbdt_pwiser.models.boosters.continued import GrownTrees, Newton, Values, refuse_other_values
from gbdt_pwiser.objectives.traps import without_effect

# What each is where it does nothing.
_OTHER_VALUES: Final[dict[str, Any]] = {
    **{"lambda_l1": 0, "max_delta_step": 0, "path_smooth": 0, "linear_tree": False},
    **{"monotone_constraints": None},
}


class LightGBMTrees(GrownTrees):
    """Trees of a lightgbm.Booster; leaves are numbered from 0."""

    def joined(self, first: tuple[Any, int], second: tuple[Any, int]) -> Any:
        """Return one booster of both; see `GrownTrees`."""
        earlier, later = ModelText.of(*first), ModelText.of(*second)
        return lightgbm.Booster(model_str=later._replace(trees=earlier.trees + later.trees).join())

    def leaves(
        self, booster: Any, features: NDArray[np.float32], first: int, last: int, threads: int
    ) -> NDArray[Any]:
        """Return the leaf of each row in each tree; see `GrownTrees`."""
        return booster.predict(  # type: ignore[no-any-return]
            features,
            pred_leaf=True,
            start_iteration=first,
            num_iteration=last - first,
            num_threads=threads,
        )

    def newton(self, params: dict[str, Any]) -> Newton:
        """Return what made leaf values, apart from `cat_l2`; see `GrownTrees`."""
        other = {
            name: params[name]
            for parameter, nothing in _OTHER_VALUES.items()
            for name in _ConfigAliases.get(parameter)
            if params.get(name, nothing) not in (nothing, str(nothing).lower())
        }
        refuse_other_values(other | {name: params[name] for name in without_effect(params)})
        return Newton(float(params["learning_rate"]), float(params["lambda_l2"]))

    def values(self, booster: Any, rounds: int) -> list[Values]:
        """Return per tree the values of its leaves; see `GrownTrees`."""
        trees = booster.dump_model(num_iteration=rounds)["tree_info"]
        return [
            np.array([booster.get_leaf_output(number, leaf) for leaf in range(tree["num_leaves"])])
            for number, tree in enumerate(trees)
        ]

    def with_values(self, booster: Any, values: Sequence[Values]) -> Any:
        """Return a booster with other leaf values; see `GrownTrees`."""
        changed = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=len(values)))
        for number, of_tree in enumerate(values):
            for leaf, value in enumerate(of_tree):
                changed.set_leaf_output(number, leaf, value)
        return changed
