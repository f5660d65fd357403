"""Classifiers of LightGBM and XGBoost that train on BCE + weight * PWiseR, for pipelines of scikit-learn.

Each library is imported with the classifier that needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gbdt_pwiser.sklearn._lgbm import LGBMPWiseRClassifier
    from gbdt_pwiser.sklearn._xgb import XGBPWiseRClassifier

__all__ = ["LGBMPWiseRClassifier", "XGBPWiseRClassifier"]

_MODULE_OF: Final = {"LGBMPWiseRClassifier": "_lgbm", "XGBPWiseRClassifier": "_xgb"}


def __getattr__(name: str) -> Any:
    """Import a classifier with its library."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = found  # the next time it is an ordinary attribute
    return found


def __dir__() -> list[str]:
    return __all__
