"""The search for the pairwise weight, and for the model around it."""

if __name__ != "gbdt_pwiser.tuning":
    raise ImportError(
        f"this package was imported as {__name__!r}, which would make a second copy of it; "
        "import gbdt_pwiser.tuning instead"
    )

from gbdt_pwiser.models.ranges import Choice, Float, Int, LogFloat
from gbdt_pwiser.tuning._output import read_params, record
from gbdt_pwiser.tuning._result import Confirmation, Gain, Trial, Tuning
from gbdt_pwiser.tuning._space import (
    SearchSpace,
    booster_space,
    loss_space,
    quantile_space,
    read_space,
    search_space,
)
from gbdt_pwiser.tuning._tune import check_search, tune

__all__ = [
    "Choice",
    "Confirmation",
    "Float",
    "Gain",
    "Int",
    "LogFloat",
    "SearchSpace",
    "Trial",
    "Tuning",
    "booster_space",
    "check_search",
    "loss_space",
    "quantile_space",
    "read_params",
    "read_space",
    "record",
    "search_space",
    "tune",
]
