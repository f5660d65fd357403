"""AliExpress figures that others published, to print beside one's own and apart from them."""

from __future__ import annotations

from typing import Final, NamedTuple

PROTOCOL: Final = (
    "chosen on the test file, epoch by epoch, so higher than the same models would score under this protocol"
)


class Published(NamedTuple):
    """CTR AUC and CTCVR AUC of one model on one AliExpress set."""

    model: str
    ctr_auc: float
    ctcvr_auc: float
    source: str


_LIBRARY: Final = "easezyc/Multitask-Recommendation-Library, README, 5 runs"
_EXPERTS: Final = "NoahRSChallenge/Multi-Task-Multi-Expert, README, 3 runs"

PUBLISHED: Final[dict[str, tuple[Published, ...]]] = {
    "us": (
        Published("SingleTask", 0.7061, 0.8637, _LIBRARY),
        Published("Shared-Bottom", 0.7029, 0.8698, _LIBRARY),
        Published("MMoE", 0.7043, 0.8758, _LIBRARY),
        Published("PLE", 0.7138, 0.8675, _LIBRARY),
        Published("AITM", 0.7048, 0.8730, _LIBRARY),
        Published("ESMM", 0.7035, 0.8712, _EXPERTS),
    ),
    "nl": (
        Published("SingleTask", 0.7222, 0.8590, _LIBRARY),
        Published("Shared-Bottom", 0.7228, 0.8511, _LIBRARY),
        Published("MMoE", 0.7234, 0.8606, _LIBRARY),
        Published("PLE", 0.7292, 0.8591, _LIBRARY),
        Published("AITM", 0.7240, 0.8577, _LIBRARY),
        Published("ESMM", 0.7202, 0.8606, _EXPERTS),
    ),
    "fr": (
        Published("SingleTask", 0.7259, 0.8737, _LIBRARY),
        Published("Shared-Bottom", 0.7245, 0.8700, _LIBRARY),
        Published("MMoE", 0.7216, 0.8811, _LIBRARY),
        Published("PLE", 0.7276, 0.8805, _LIBRARY),
        Published("AITM", 0.7236, 0.8763, _LIBRARY),
        Published("ESMM", 0.7222, 0.8684, _EXPERTS),
    ),
    "es": (
        Published("SingleTask", 0.7266, 0.8855, _LIBRARY),
        Published("Shared-Bottom", 0.7287, 0.8866, _LIBRARY),
        Published("MMoE", 0.7285, 0.8898, _LIBRARY),
        Published("PLE", 0.7273, 0.8913, _LIBRARY),
        Published("AITM", 0.7290, 0.8885, _LIBRARY),
        Published("ESMM", 0.7263, 0.8891, _EXPERTS),
    ),
}
"""By name of the released data set; one's own data may have the same name."""


def format_published(dataset: str) -> str:
    """Print what is published on a released data set, with where it is from; empty where nothing is.

    Examples
    --------
    >>> print(format_published("us").splitlines()[0])
    published on the full us set (not this run)
    >>> format_published("simulated")
    ''
    """
    figures = PUBLISHED.get(dataset, ())
    if not figures:
        return ""
    lines = [f"published on the full {dataset} set (not this run)", "", "model            CTR AUC  CTCVR AUC"]
    lines += [f"{f.model:<15}{f.ctr_auc:>9.4f}{f.ctcvr_auc:>11.4f}".replace(" 0.", "  .") for f in figures]
    sources = "; ".join(dict.fromkeys(f.source for f in figures))
    return "\n".join([*lines, "", f"{sources}.", f"These were {PROTOCOL}."])
