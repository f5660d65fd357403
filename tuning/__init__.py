"""The search for the weight of the pairwise term."""

if __name__ != "gbdt_pwiser.tuning":
    raise ImportError(
        f"this package was imported as {__name__!r}, which would make a second copy of it; "
        "import gbdt_pwiser.tuning instead"
    )

from gbdt_pwiser.tuning._weight import Trial, WeightSearch, tune_weight

__all__ = ["Trial", "WeightSearch", "tune_weight"]
