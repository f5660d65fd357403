"""BCE+PWiseR for gradient boosting: objectives, data, models and an honest comparison of CTR models."""

from gbdt_pwiser.objectives import (
    InputError,
    PWiseRLoss,
    PWiseRObjective,
    PWiseRSklearnObjective,
    pwiser_objective,
)

__version__ = "0.1.0"

__all__ = [
    "InputError",
    "PWiseRLoss",
    "PWiseRObjective",
    "PWiseRSklearnObjective",
    "__version__",
    "pwiser_objective",
]
