"""What a model gains by knowing the page: features relative to it, and the position on it.

    python -m benchmarks.page [--seeds 5] [--exposures 100000] [--only position] [--kuairand kuairand.toml]

LightGBM with BCE, AUC on test. Each seed has data and a split by group of its own (KuaiRand: a split). Gains
are means over seeds with a 95 % interval (Student's t over the seeds). Validation stops training early, and
nothing else is chosen.

Position, in four logs. The accidental clicks of `simulate` crowd the top of the page (position_bias); or
every click needs somebody who looks as far down, on pages in no order, in the order of what the features show
of relevance, and in an order that knows what they do not show.

Relative features, in two simulated shops: buyers look at the price beside the others of the page, or at the
price itself. And in KuaiRand, within users.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, logit
from tqdm import tqdm

from gbdt_pwiser.data import Exposures, Split, split
from gbdt_pwiser.data.relative import Relative, relative_to_group
from gbdt_pwiser.models import BoosterSettings, Model, ModelSpec, make_model
from gbdt_pwiser.objectives import auc
from gbdt_pwiser.significance import across_seeds
from gbdt_pwiser.sources import load_description, simulate

SETTINGS: Final = BoosterSettings(rounds=500, early_stopping=30, learning_rate=0.1)
PAGE: Final = 20
POSITION: Final = "position"
KUAIRAND: Final = ("duration_ms", "hourmin", "server_width", "server_height")
"""Numerical columns of KuaiRand that differ from row to row of a user."""

Aucs = dict[str, tuple[float, ...]]
"""By the name of a way: AUC of the click and, where it is known, of the noise-free click."""


def fitted(parts: Split, threads: int) -> Model:
    model = make_model(ModelSpec(model="lightgbm", loss="bce", settings=SETTINGS, threads=threads))
    model.fit(parts.train, parts.valid)
    return model


def measured(model: Model, test: Exposures) -> tuple[float, ...]:
    pctr = model.predict(test).pctr
    truths = [test.click] if test.noise_free_click is None else [test.click, test.noise_free_click]
    return tuple(auc(pctr, truth) for truth in truths)


# ------------------------------------------------------------------------------ position


def accidental(seed: int, rows: int, bias: float) -> Exposures:
    """A log of `simulate` whose accidental clicks, half of all, crowd the top of the page."""
    options = {"ctr": 0.1, "cvr": 0.1, "accidental_clicks": 0.5, "position_bias": bias}
    return simulate(rows, seed=seed, **options).exposures


def looked_at(seed: int, rows: int, bias: float, order_by: str) -> Exposures:
    """A log in which somebody looks as far down as a place with probability (1 - bias)^log2(place).

    A wanted item is clicked if it is looked at. An earlier ranker has ordered the pages by `features`, the
    sum of them that is nearest to relevance, or by `relevance` itself and as much noise; or by `nothing`.
    """
    simulation = simulate(rows, seed=seed, ctr=0.3, cvr=0.2, accidental_clicks=0.0)
    exposures, relevance = simulation.exposures, simulation.relevance
    rng = np.random.default_rng([seed, 1])
    if order_by != "nothing":
        truth = logit(relevance) - logit(relevance).mean()
        known = truth / truth.std() + rng.standard_normal(rows)
        if order_by == "features":
            shown = exposures.matrix()
            known = shown @ np.linalg.lstsq(shown, truth)[0]
        order = np.lexsort((-known, exposures.group))
        exposures, relevance = exposures.take(order), relevance[order]
    group, features = exposures.group, exposures.features
    assert group is not None
    assert isinstance(features, pl.DataFrame)
    place = np.arange(rows) - np.searchsorted(group, group) + 1
    wanted = rng.random(rows) < relevance
    click = wanted & (rng.random(rows) < (1 - bias) ** np.log2(place))
    bought = click & (rng.random(rows) < 0.2)
    return replace(
        exposures,
        features=features.with_columns(pl.Series(POSITION, place.astype(np.float32))),
        grade=click.astype(np.int8) + bought.astype(np.int8),
        noise_free_click=wanted,
    )


def by_position(log: Callable[[int], Exposures], threads: int, seed: int) -> Aucs:
    """Score what can be done with a position, on test rows whose position is known or is not."""
    logged = log(seed)
    features = logged.features
    assert isinstance(features, pl.DataFrame)
    without = split(replace(logged, features=features.drop(POSITION)), by="group", seed=seed)
    learnt = {
        place: split(replace(logged, served_as={POSITION: place}), by="group", seed=seed)
        for place in (1.0, float(PAGE))
    }
    naive = split(logged, by="group", seed=seed)
    model = fitted(naive, threads)

    def served(number: float) -> Exposures:
        return replace(naive.test, served_as={POSITION: number}).as_served()

    return {
        "left out": measured(fitted(without, threads), without.test),
        **{
            f"learnt, served as {place:.0f}": measured(fitted(parts, threads), parts.test)
            for place, parts in learnt.items()
        },
        "an ordinary feature, true at test": measured(model, naive.test),
        "the same model, all served as 1": measured(model, served(1.0)),
        "the same model, all missing": measured(model, served(float("nan"))),
    }


# ------------------------------------------------------------------------------ relative features


def shop(seed: int, rows: int, *, beside_others: bool) -> Exposures:
    """Pages of 20 items at prices around one of their own, which no other feature shows.

    P(click) = sigmoid(quality - 2 - 3 (x - 1/2)), with x the rank of the price on its page, or in the log.
    """
    rng = np.random.default_rng([seed, 2])
    page = np.arange(rows, dtype=np.int64) // PAGE
    level = rng.standard_normal(page[-1] + 1)
    price = np.exp(level[page] + 0.4 * rng.standard_normal(rows))
    quality = rng.standard_normal((rows, 3))
    x, _ = relative_to_group(price, page if beside_others else np.zeros(rows, dtype=np.int64))
    click = rng.random(rows) < expit(quality.sum(axis=1) / 2 - 2 - 3 * (x - 0.5))
    bought = click & (rng.random(rows) < 0.2)
    columns: dict[str, NDArray[np.float64]] = {"price": price}
    columns |= {f"quality_{i}": quality[:, i] for i in range(3)}
    return Exposures(
        name="shop",
        features=pl.DataFrame(columns).cast(pl.Float32),
        grade=click.astype(np.int8) + bought.astype(np.int8),
        group=page,
    )


def by_relative(log: Callable[[int], Exposures], columns: tuple[str, ...], threads: int, seed: int) -> Aucs:
    """Score the features as they are, and with those that are relative to the group."""
    plain = log(seed)
    relative = Relative("page", columns)
    assert isinstance(plain.features, pl.DataFrame)
    assert plain.group is not None
    features = plain.features.hstack(relative.features(plain.features, plain.group))
    ways = {"as they are": plain, "with relative features": replace(plain, features=features)}
    parts = {way: split(each, by="group", seed=seed) for way, each in ways.items()}
    return {way: measured(fitted(each, threads), each.test) for way, each in parts.items()}


# ------------------------------------------------------------------------------ tables


def table(title: str, found: list[Aucs]) -> str:
    """A row per way: the mean AUC, and the gain over the first way with its interval."""
    base = next(iter(found[0]))
    truths = ("click", "noise-free click")[: len(found[0][base])]
    head = ["AUC on test of the", *(f"{truth} | gain over {base!r}" for truth in truths)]
    lines = [
        f"\n{title}, {len(found)} seeds\n",
        f"| {' | '.join(head)} |",
        "|---" * (1 + 2 * len(truths)) + "|",
    ]
    for way in found[0]:
        cells = [way]
        for place in range(len(truths)):
            cells.append(f"{np.mean([row[way][place] for row in found]):.4f}")
            test = across_seeds([row[way][place] - row[base][place] for row in found])
            cells.append("" if way == base else f"{test.gain:+.4f} [{test.low:+.4f}, {test.high:+.4f}]")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--exposures", type=int, default=100_000)
    parser.add_argument("--bias", type=float, default=0.5)
    parser.add_argument("--only", choices=("position", "relative"))
    parser.add_argument("--kuairand", type=Path, help="the description, with its data beside it")
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    rows, bias, threads = arguments.exposures, arguments.bias, arguments.threads

    jobs: dict[str, Callable[[int], Aucs]] = {}
    if arguments.only != "relative":
        logs: Mapping[str, Callable[[int], Exposures]] = {
            "accidental clicks crowd the top": lambda seed: accidental(seed, rows, bias),
            **{
                f"looked at from the top, ordered by {what}": partial(
                    looked_at, rows=rows, bias=bias, order_by=what
                )
                for what in ("nothing", "features", "relevance")
            },
        }
        jobs |= {f"Position: {name}": partial(by_position, log, threads) for name, log in logs.items()}
    if arguments.only != "position":
        shops: Mapping[str, Callable[[int], Exposures]] = {
            "the price beside the others of the page decides": lambda s: shop(s, rows, beside_others=True),
            "the price itself decides": lambda seed: shop(seed, rows, beside_others=False),
        }
        jobs |= {
            f"Relative: {name}": partial(by_relative, log, ("price",), threads) for name, log in shops.items()
        }
        if arguments.kuairand is not None:
            real = load_description(arguments.kuairand).exposures
            of_users = partial(by_relative, lambda seed: real, KUAIRAND, threads)
            jobs["Relative: KuaiRand, numbers within a user"] = of_users
    for title, job in jobs.items():
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        print(table(title, [job(seed) for seed in tqdm(seeds, disable=None)]), flush=True)


if __name__ == "__main__":
    main()
