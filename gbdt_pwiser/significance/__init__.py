"""Whether a gain is more than chance: paired tests, bootstrap by group, several seeds, Holm's correction."""

from gbdt_pwiser.significance.intervals import (
    PairedTest,
    across_seeds,
    combine_seeds,
    delong,
    group_bootstrap,
    holm,
)
from gbdt_pwiser.significance.paired import paired_tests

__all__ = [
    "PairedTest",
    "across_seeds",
    "combine_seeds",
    "delong",
    "group_bootstrap",
    "holm",
    "paired_tests",
]
