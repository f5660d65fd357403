"""The made-up log of a shop's sponsored offers that the tutorials work on."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

SIZE = 10
CATEGORIES = np.array(["audio", "books", "garden", "kitchen", "shoes", "toys"])

DESCRIPTION = """\
source = "{source}"
click = "clicked"
conversion = "purchased"
group = "request_id"
time = "served_at"
categorical = ["device", "category", "banner"]
relative = ["price"]
ignore = ["item_id", "rank", "basket", "on_screen_s", "dwell_s"]

[split]
by = "{by}"
"""


def shop_log(
    pages: int,
    *,
    seed: int,
    first: str = "2026-10-01",
    days: int = 14,
    accidents: bool = True,
    sale: bool = False,
) -> pl.DataFrame:
    """Return a row for each offer on pages of ten.

    A click that is meant follows the offer. More than half of the clicks are accidents, which follow the
    phone and the banner; without accidents about as many more are meant. A purchase follows a meant click.
    In a sale discounts count for more.
    """
    rng = np.random.default_rng(seed)
    n = pages * SIZE
    page = np.repeat(np.arange(pages), SIZE)
    rank = np.tile(np.arange(1, SIZE + 1), pages)

    # What is known before a page is shown.
    seconds = np.sort(rng.integers(0, days * 86400, pages)).astype("timedelta64[s]")
    served_at = (np.datetime64(first) + seconds).astype("datetime64[ms]")
    device = rng.choice(["phone", "desktop", "tablet"], pages, p=[0.6, 0.3, 0.1])
    category = rng.integers(0, len(CATEGORIES), pages)
    usual_price = np.exp(np.linspace(2.9, 4.3, len(CATEGORIES)))[category][page]
    haste = rng.normal(size=pages)[page]
    price = np.round(usual_price * np.exp(rng.normal(0, 0.5, n)), 2)
    rating = np.round(np.clip(rng.normal(4, 0.5, n), 1, 5), 1)
    reviews = rng.poisson(np.exp(rng.normal(3, 1, n)))
    delivery = rng.integers(1, 8, n)
    discount = np.where(rng.random(n) < 0.3, rng.integers(1, 9, n) * 5, 0)
    match = rng.normal(size=n)
    banner = rng.choice(["small", "large", "video"], n, p=[0.5, 0.3, 0.2])

    relevance = (
        0.9 * match
        + 1.2 * (rating - 4)
        - 1.4 * np.log(price / usual_price)
        + (0.08 if sale else 0.03) * discount
        + 0.3 * haste
        - 0.15 * (delivery - 4)
        - 0.07
    ) / 1.47
    slip = 1.6 * (device == "phone")[page] + 1.2 * (banner == "video") + 0.6 * (banner == "large")
    meant = rng.random(n) < _chance((-3.7 if accidents else -2.7) + 1.3 * relevance)
    accident = (rng.random(n) < _chance(-3.6 + slip - 0.5 * np.log(rank))) & accidents
    click = meant | accident
    basket = meant & (rng.random(n) < _chance(-0.2 + 1.3 * relevance))
    purchase = basket & (rng.random(n) < 0.75)
    on_screen = np.round(rng.gamma(2, 1.5, n) * (1 + click) / (1 + 0.1 * rank), 1)
    dwell = np.where(click, np.round(np.where(meant, rng.gamma(2, 20, n), rng.gamma(1, 2, n)), 1), 0)
    return pl.DataFrame(
        {
            "request_id": page + 100_000,
            "served_at": served_at[page],
            "device": device[page],
            "category": CATEGORIES[category][page],
            "item_id": [f"i{number}" for number in rng.integers(1, 20_000, n)],
            "banner": banner,
            "price": price,
            "rating": rating,
            "reviews": reviews,
            "discount_pct": discount,
            "delivery_days": delivery,
            "text_match": np.round(_chance(match + rng.normal(0, 0.5, n)), 3),
            "rank": rank,
            "clicked": click.astype(int),
            "basket": basket.astype(int),
            "purchased": purchase.astype(int),
            "on_screen_s": on_screen,
            "dwell_s": dwell,
        }
    )


def _chance(log_odds: Any) -> Any:
    return 1 / (1 + np.exp(-log_odds))
