"""Made-up files of any size in the layouts of the released AliExpress and Ali-CCP files, to test and time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.aliexpress import ITEM, USER
from gbdt_pwiser.sources.simulate import simulate

BLOCK = 100_000
PARTS = ("train", "test")

Integers = NDArray[np.int64]


def write_aliexpress(
    folder: Path | str,
    rows: int,
    *,
    test_rows: int | None = None,
    country: str = "us",
    seed: int = 0,
    ctr: float = 0.022,
    cvr: float = 0.025,
) -> None:
    """Write the four raw files of a country, with exposures of `simulate`, a block at a time.

    Parameters
    ----------
    folder
        Where the files go; made if need be.
    rows, test_rows
        Exposures of the train and of the test part, at least 1; by default a quarter as many for test.
    country
        What the names of the files begin with.
    seed
        Of everything random.
    ctr, cvr
        As in `simulate`.

    Raises
    ------
    InputError
        A number of rows below 1, or what `simulate` refuses.
    """
    folder = Path(folder)
    for part, file_rows in _parts(folder, rows, test_rows):
        searches = 0
        with (
            (folder / f"{country}_user_{part}.csv").open("wb") as user,
            (folder / f"{country}_item_{part}.csv").open("wb") as item,
        ):
            for block, n in enumerate(_blocks(file_rows, BLOCK)):
                state = np.random.SeedSequence([seed, PARTS.index(part), block]).generate_state(1)
                shown = simulate(n, seed=int(state[0]), ctr=ctr, cvr=cvr).exposures
                assert shown.group is not None
                assert isinstance(shown.features, pl.DataFrame)
                frame = shown.features.with_columns(
                    pl.Series("search_id", shown.group + searches + 1),
                    pl.Series("grade", shown.grade),
                    pl.col(pl.Float32).cast(pl.Float64).round(6),
                )
                searches += int(shown.group[-1]) + 1
                first = np.flatnonzero(np.diff(shown.group, prepend=-1))
                frame[first].select(list(USER)).write_csv(user, include_header=False)
                frame.select(list(ITEM)).write_csv(item, include_header=False)


# Of each field of Ali-CCP: its first id, and how many there are for each 100 users, or at all.
_PROFILE = {"121": (3438658, 98), "122": (3438762, 7), "124": (3438769, 3), "125": (3438774, 4)} | {
    "126": (3438778, 4),
    "127": (3438782, 4),
    "128": (3864885, 2),
    "129": (3864887, 5),
}
_HISTORIES = {"109_14": 5_000_000, "110_14": 5_100_000, "127_14": 6_200_000, "150_14": 6_500_000}
_ITEM = {"205": (4186222, 300), "206": (8316676, 20), "207": (8416205, 100), "216": (9154780, 50)}
_CROSSED = {"508": (9355039, 20), "509": (9360000, 60), "702": (9500000, 40)}
_MANY = {"210": (9045000, 80), "853": (9600000, 80)}


def write_ali_ccp(
    folder: Path | str,
    rows: int,
    *,
    test_rows: int | None = None,
    seed: int = 0,
    rows_per_user: int = 58,
    history: int = 20,
) -> None:
    """Write the four released files: skeletons and common features, a block of users at a time.

    Values and frequencies are made up: ids are long-tailed, fields may miss, features come in any order,
    about one in twenty exposures is clicked and one in ten clicks converts, depending on item and crossed
    features, and some exposures convert without a click. Half of the users of test are not in train.

    Parameters
    ----------
    folder
        Where the files go; made if need be.
    rows, test_rows
        Exposures of the train and of the test part, at least 1; by default a quarter as many for test.
    seed
        Of everything random.
    rows_per_user
        Exposures that share one line of common features; 58 in the release.
    history
        Mean length of each of the four histories of a user; about 130 in the release.

    Raises
    ------
    InputError
        A number below 1.
    """
    if min(rows_per_user, history) < 1:
        raise InputError(f"rows_per_user is {rows_per_user}, history is {history}; give at least 1 of each")
    users = -(-rows // rows_per_user)
    folder = Path(folder)
    for part, file_rows in _parts(folder, rows, test_rows):
        first_user = users // 2 if part == "test" else 0
        written = 0
        with ExitStack() as stack:
            common, skeleton = (
                stack.enter_context((folder / f"{kind}_{part}.csv").open("wb"))
                for kind in ("common_features", "sample_skeleton")
            )
            per_block = max(BLOCK // max(rows_per_user, 4 * history), 1)
            for block, n in enumerate(_blocks(file_rows, per_block * rows_per_user)):
                rng = np.random.default_rng([seed, PARTS.index(part), block])
                user = first_user + np.arange(written, written + n) // rows_per_user
                _write_common(common, np.unique(user), history, rng)
                _write_skeleton(skeleton, written, user, users, rng)
                written += n


def _parts(folder: Path, rows: int, test_rows: int | None) -> Iterator[tuple[str, int]]:
    test_rows = max(rows // 4, 1) if test_rows is None else test_rows
    if min(rows, test_rows) < 1:
        raise InputError(f"rows is {rows}, test_rows is {test_rows}; write at least 1 of each")
    folder.mkdir(parents=True, exist_ok=True)
    yield "train", rows
    yield "test", test_rows


def _blocks(rows: int, size: int) -> Iterator[int]:
    for start in range(0, rows, size):
        yield min(size, rows - start)


class _Features:
    """Features of n rows, gathered field by field and then written as lists in any order."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self._n, self._rng = n, rng
        self._frames: list[pl.DataFrame] = []

    def add(
        self, field: str, row: Integers, ids: Integers, values: NDArray[np.float64] | None = None
    ) -> None:
        values = np.ones(len(row)) if values is None else values.round(5)
        self._frames.append(
            pl.DataFrame({"row": row, "id": ids, "value": values}).with_columns(field=pl.lit(field))
        )

    def lists(self) -> pl.DataFrame:
        """Columns count and list, one row each."""
        text = pl.concat_str("field", pl.lit("\x02"), "id", pl.lit("\x03"), "value")
        features = pl.concat(self._frames).select("row", text.alias("list"))
        return (
            features[self._rng.permutation(features.height)]
            .group_by("row")
            .agg(pl.len().alias("count"), pl.col("list").str.join("\x01"))
            .sort("row")
            .drop("row")
        )


def _long_tail(n: int, size: int, rng: np.random.Generator) -> Integers:
    return (size * rng.random(n) ** 3).astype(np.int64)


def _index(user: Integers) -> pl.Series:
    """Different 16 hex characters for different users: an odd multiple, modulo 2^64."""
    hashed = (user + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return pl.Series("index", [f"{h:016x}" for h in hashed.tolist()])


def _write_common(file: IO[bytes], user: Integers, history: int, rng: np.random.Generator) -> None:
    n = len(user)
    features = _Features(n, rng)
    features.add("101", np.arange(n), user + 1)
    for field, (first, size) in _PROFILE.items():
        row = np.flatnonzero(rng.random(n) < 0.9)
        features.add(field, row, first + _long_tail(len(row), size, rng))
    for field, first in _HISTORIES.items():
        row = np.repeat(np.arange(n), rng.poisson(history, n))
        ids = first + _long_tail(len(row), 100 * history, rng)
        features.add(field, row, ids, np.log1p(rng.geometric(0.5, len(row))))
    frame = features.lists().with_columns(_index(user))
    frame.select("index", "count", "list").write_csv(file, include_header=False, quote_style="never")


def _write_skeleton(
    file: IO[bytes], start: int, user: Integers, users: int, rng: np.random.Generator
) -> None:
    n = len(user)
    features = _Features(n, rng)
    everyone = np.arange(n)
    item = _long_tail(n, 3 * users + 10, rng)
    features.add("205", everyone, _ITEM["205"][0] + item)
    features.add("301", everyone, 9351665 + rng.integers(0, 3, n))
    for field in ("206", "207", "216"):
        first, size = _ITEM[field]
        row = everyone if field != "216" else np.flatnonzero(rng.random(n) < 0.7)
        features.add(field, row, first + item[row] % (size * users // 100 + 3))
    liking = np.zeros(n)
    for field, (first, size) in _CROSSED.items():
        row = np.flatnonzero(rng.random(n) < 0.4)
        value = np.log1p(rng.geometric(0.4, len(row)))
        liking[row] += value
        features.add(field, row, first + _long_tail(len(row), size * users // 100 + 3, rng), value)
    for field, (first, size) in _MANY.items():
        row = np.repeat(everyone, rng.poisson(2.0, n))
        values = np.ones(len(row)) if field == "210" else np.log1p(rng.geometric(0.4, len(row)))
        features.add(field, row, first + _long_tail(len(row), size * users // 100 + 3, rng), values)
    liking += np.sin(item.astype(np.float64))
    click = rng.random(n) < expit(liking - 5.0)
    conversion = rng.random(n) < np.where(click, expit(liking - 5.0), 0.001)
    frame = features.lists().with_columns(
        _index(user),
        sample=pl.Series(start + everyone + 1),
        click=pl.Series(click.astype(np.int8)),
        conversion=pl.Series(conversion.astype(np.int8)),
    )
    columns = ("sample", "click", "conversion", "index", "count", "list")
    frame.select(columns).write_csv(file, include_header=False, quote_style="never")
