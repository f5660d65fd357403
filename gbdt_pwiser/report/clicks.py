"""Where the clicks of a data set convert, in words."""

from __future__ import annotations

import math
from typing import Final

from gbdt_pwiser.evaluation.diagnosis import FEWEST, ClickTenths

HINT: Final = (
    "A hint, no estimate of accidental clicks: the ratio also tells how conversions follow pCTR without any.",
    "Simulated, it is 3.6 to 6.8 without them, 2.3 to 4.1 where they are 30 %, and .9 to 1.8 where 50 %.",
)
"""What the ratio may and may not be taken for; the figures are those of `ClickTenths`."""


def format_clicks(tenths: ClickTenths) -> str:
    """Print the conversion rates of the tenths in at most six lines, or that there are too few to tell.

    Examples
    --------
    >>> few = ClickTenths("lightgbm", "bce", (0.1, 0.2), (500, 500), (40, 55))
    >>> print(format_clicks(few))
    where this data lies: 95 clicks of validation convert, too few to tell; it takes 100
    """
    conversions = sum(tenths.conversions)
    if not tenths.enough:
        return (
            f"where this data lies: {conversions:,} clicks of validation convert, too few to tell; it takes "
            f"{FEWEST}"
        )
    heading = "conversions per click on validation, by tenth of the clicks, lowest pCTR of"
    rates = "  ".join(f"{rate:.1%}" for rate in tenths.rates)
    lines = [
        f"{heading} {tenths.model} {tenths.loss} first",
        f"  {rates}  of {sum(tenths.clicks):,} clicks, {conversions:,} of which convert",
    ]
    if told := ratio_in_words(tenths):
        lines += [told, *HINT]
    return "\n".join(lines)


def ratio_in_words(tenths: ClickTenths) -> str:
    """Say how the highest fifth of the clicks compares with the lowest; empty where there is no ratio.

    Examples
    --------
    >>> print(ratio_in_words(ClickTenths("m", "bce", (0.1, 0.2, 0.3, 0.4, 0.5), (500,) * 5, (40, 45, 60, 90, 120))))
    The fifth of highest pCTR converts 2.98 times as often as the lowest (95 % interval 2.13 to 4.15).
    """  # noqa: E501
    ratio = tenths.ratio
    if math.isnan(ratio.value):
        return ""
    return (
        f"The fifth of highest pCTR converts {ratio.value:.2f} times as often as the lowest (95 % interval "
        f"{ratio.low:.2f} to {ratio.high:.2f})."
    )
