"""Which parameters a booster's library knows; both ignore what they do not, in silence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import lightgbm
import numpy as np
import xgboost

from gbdt_pwiser.models.boosters.device import nothing_on_stderr
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import near_miss

# By the loss that is compared.
_DECIDED: Final = frozenset({"objective", "objective_type", "app", "application", "loss", "num_class"})
# What XGBoost reads and does not list.
_UNLISTED: Final = frozenset({"eval_metric", "verbosity"})


def known_params(model: str) -> frozenset[str]:
    """Return the names, aliases included, of the parameters that a model's library knows."""
    return _KNOWN[model]()


def check_params(model: str, params: Mapping[str, Any]) -> None:
    """Raise InputError for a parameter that the model's library does not know, or a value it cannot have.

    Aliases count as known.
    """
    if not params:
        return
    known = _KNOWN[model]()
    for name, value in params.items():
        if name in _DECIDED:
            raise InputError(f"{name} is a parameter that the loss decides; leave it out and choose a loss")
        if name not in known:
            raise InputError(
                f"{model} has no parameter {name!r}{near_miss(name, known)}; name one as the library does"
            )
        is_table = isinstance(value, Mapping) and "constrain" not in name  # of columns, where they are named
        if is_table or value != value:  # NaN, which passes every check of XGBoost's
            raise InputError(f"parameter {name} of {model} is {value!r}; give a number, a word or a list")
        reason = None if _is_list(value) else _REFUSALS[model](name, value)
        if reason is not None:
            raise InputError(f"{model} refuses {name} = {value!r}: {reason}; give another value")


def _is_list(value: Any) -> bool:
    """Whether it may be a value per feature, of which there are none here."""
    return isinstance(value, list | tuple | Mapping) or (
        isinstance(value, str) and not {",", "["}.isdisjoint(value)
    )


@cache
def _known_to_lightgbm() -> frozenset[str]:
    from lightgbm.basic import _ConfigAliases

    _ConfigAliases.get("objective")  # asks the library once
    return frozenset(name for one, others in _ConfigAliases.aliases.items() for name in (one, *others))


@cache
def _known_to_xgboost() -> frozenset[str]:
    """Every parameter that a configured booster lists, of both tree boosters and all objectives here."""
    names: set[str] = set(_UNLISTED)
    for booster in ("gbtree", "dart"):
        for objective in ("binary:logistic", "rank:pairwise"):
            for method in ("hist", "approx", "exact"):
                configured = xgboost.Booster(
                    {"booster": booster, "objective": objective, "tree_method": method, **_NO_DATA}
                )
                names |= set(_listed(json.loads(configured.save_config())))
    return frozenset(names)


def _listed(config: Any, inside: bool = False) -> Iterator[str]:
    """Give the names of all parameters in what `Booster.save_config` returned."""
    if isinstance(config, list):
        for each in config:
            yield from _listed(each)
    elif isinstance(config, dict):
        for name, value in config.items():
            if inside and not isinstance(value, dict | list):
                yield name
            yield from _listed(value, inside=name.endswith("_param"))


_NO_DATA: Final = {"num_feature": 1, "verbosity": 0}


def _refusal_of_lightgbm(name: str, value: Any) -> str | None:
    """Return what LightGBM says against a value; a data set without data reads all parameters."""
    rows = lightgbm.Dataset(np.zeros((2, 1)), label=[0, 1], params={name: value, "verbosity": -1})
    try:
        with nothing_on_stderr():
            rows.construct()
    except (lightgbm.basic.LightGBMError, TypeError, ValueError) as error:
        return re.sub(r" at \S+, line \d+ ?\.$", "", _reason(error))
    return None


def _refusal_of_xgboost(name: str, value: Any) -> str | None:
    """Return what XGBoost says against a value."""
    try:
        xgboost.Booster({"tree_method": "hist", name: value, "device": "cpu", **_NO_DATA}).save_config()
    except (xgboost.core.XGBoostError, TypeError, ValueError) as error:
        return _reason(error)
    return None


def _reason(error: Exception) -> str:
    """Return the first line, which is without the library's C++ stack."""
    return str(error).strip().partition("\n")[0].strip()


_KNOWN: Final = {"lightgbm": _known_to_lightgbm, "xgboost": _known_to_xgboost}
_REFUSALS: Final = {"lightgbm": _refusal_of_lightgbm, "xgboost": _refusal_of_xgboost}
