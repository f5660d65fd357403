"""What exposures are, how they lie on disk, and how they are split."""

from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.data.split import Dataset, Split, SplitOptions, split

__all__ = ["Dataset", "Exposures", "Split", "SplitOptions", "split"]
