"""Features that give the label away are named; honest ones, however few the rows, are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Dataset, Exposures, SplitOptions, leaks
from gbdt_pwiser.data.leaks import FEWEST, find_leaks, own_auc, too_good
from gbdt_pwiser.sources import simulate
from tests.exposures import store

N = 6000
RNG = np.random.default_rng(0)
GRADE = RNG.choice(np.array([0, 1, 2], np.int8), N, p=[0.8, 0.15, 0.05])
CLICK = GRADE >= 1
NOISE = RNG.standard_normal(N)
UNIQUE = RNG.permutation(N)


def exposures(codes: bool = False, grade: np.ndarray = GRADE, **columns: np.ndarray) -> Exposures:
    features = pl.DataFrame(columns).fill_nan(None).cast(pl.Int32 if codes else pl.Float32)
    return Exposures(name="toy", features=features, grade=grade, categorical=tuple(columns) if codes else ())


def where(condition: np.ndarray, one: object, other: object) -> np.ndarray:
    return np.where(condition, one, other)


LEAKS = {
    "the label": (False, CLICK * 1.0),
    "against the label": (False, CLICK * -1.0),
    "with some noise": (False, CLICK + 0.2 * NOISE),
    "null only where clicked": (False, where(CLICK, np.nan, NOISE)),
    "null only where not clicked": (False, where(CLICK, NOISE, np.nan)),
    "far off on both sides": (False, where(CLICK, 9 * np.sign(NOISE), NOISE.clip(-3, 3))),
    "one number among others": (False, where(CLICK, 2, 4 * (UNIQUE % 2))),
    "codes": (True, where(CLICK, 3 + UNIQUE % 3, UNIQUE % 3)),
    "a missing code": (True, where(CLICK, np.nan, UNIQUE % 7)),
    "many codes": (True, where(CLICK, 500 + UNIQUE % 200, UNIQUE % 300)),
}


@pytest.mark.parametrize(("codes", "values"), LEAKS.values(), ids=LEAKS)
def test_a_leak_of_the_click_is_found(codes: bool, values: np.ndarray) -> None:
    found = find_leaks(exposures(codes, leak=values.astype(float), fine=(UNIQUE % 5).astype(float)))
    assert [(name, what) for name, what, _ in found] == [("leak", "click")]
    assert 0.99 < found[0][2] <= 1


def test_a_leak_of_the_conversion_is_found() -> None:
    values = where(GRADE == 2, 1.0, RNG.random(N) < 0.003)
    values = where(CLICK, values, UNIQUE % 2)  # says nothing of the click
    found = find_leaks(exposures(leak=values, fine=NOISE))
    assert [(name, what) for name, what, _ in found] == [("leak", "conversion of a click")]


def test_open_clicks_are_no_clicks_without_a_conversion() -> None:
    """The feature tells open clicks from conversions, and only most of the clicks without a conversion."""
    grade = where((GRADE == 1) & (UNIQUE % 25 > 0), 3, GRADE).astype(np.int8)
    values = where(grade == 1, UNIQUE // 25 % 3 > 0, where(grade == 0, UNIQUE % 2, grade == 3))
    as_none = where(grade == 3, 1, grade).astype(np.int8)
    found = find_leaks(exposures(grade=as_none, told=values))
    assert [label for _, label, _ in found] == ["conversion of a click"]
    assert find_leaks(exposures(grade=grade, told=values)) == []


HONEST = {
    "an id of its own in each row": (True, UNIQUE),
    "an id of two rows": (True, UNIQUE // 2),
    "a strong feature": (False, CLICK + 0.45 * NOISE),  # AUC .94
    "a strong code": (True, where(RNG.random(N) < 0.95, CLICK, ~CLICK)),
    "a number": (False, NOISE),
    "a constant": (False, np.zeros(N)),
    "all missing": (False, np.full(N, np.nan)),
    "a constant code": (True, np.zeros(N)),
    "all codes missing": (True, np.full(N, np.nan)),
    "missing by chance": (False, where(RNG.random(N) < 0.5, np.nan, NOISE)),
}


@pytest.mark.parametrize(("codes", "values"), HONEST.values(), ids=HONEST)
def test_an_honest_feature_is_not_named(codes: bool, values: np.ndarray) -> None:
    assert find_leaks(exposures(codes, honest=values.astype(float))) == []


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_few_numbers_are_judged_by_their_order(sign: float) -> None:
    """No value occurs twice and each quantile holds one row, so that the other half knows no rate."""
    positive = np.arange(40) % 2 == 1
    values = (sign * (np.arange(40) + 100 * positive)).astype(np.float32)
    assert own_auc(values, positive, np.arange(40) < 20, codes=False) == 1.0


def test_own_auc_of_codes_by_hand() -> None:
    """Of each code the rate in the other half: 0 has (0, 1/2), 1 has (1, 1), 2 is in one half only."""
    code = np.array([0, 0, 1, 0, 0, 1, 2], dtype=np.float32)
    positive = np.array([0, 0, 1, 0, 1, 1, 1], dtype=bool)
    half = np.array([1, 1, 1, 0, 0, 0, 0], dtype=bool)
    first, second = 1 / 3, 3 / 4  # share of positives in each half
    rate = np.array([*[(1 + second) / 3] * 2, (1 + second) / 2, *[first / 3] * 2, (1 + first) / 2, first])
    pairs = [(p > n) + (p == n) / 2 for p in rate[positive] for n in rate[~positive]]
    assert own_auc(code, positive, half, codes=True) == pytest.approx(np.mean(pairs))


def test_few_rows_raise_no_alarm() -> None:
    """A feature that ranks all rows by chance: nothing is said below 20 rows of the rarer class."""
    grade = np.zeros(200, np.int8)
    for count, expected in ((FEWEST - 1, []), (FEWEST, ["leak"])):
        grade[:count] = 1
        assert [name for name, *_ in find_leaks(exposures(grade=grade, leak=grade * 1.0))] == expected
    assert find_leaks(exposures(grade=np.zeros(0, np.int8), leak=np.zeros(0))) == []
    label = np.arange(100) < FEWEST
    assert too_good(0.991, label)
    assert not too_good(0.99, label)
    assert not too_good(0.991, np.arange(100) < FEWEST - 1)


def test_it_is_told_once_for_all_seeds() -> None:
    columns = {f"leak_{i}": CLICK * 1.0 for i in range(7)}
    dataset = Dataset(exposures(fine=NOISE, **columns), SplitOptions("row"))
    with pytest.warns(UserWarning, match="give the label away") as told:
        _ = [dataset.split(seed) for seed in range(3)]
    [message] = [str(warning.message) for warning in told]
    assert message.startswith(
        "toy: on train, single features all but give the label away (leak_0: AUC 1.0000 for the click; "
    )
    assert message.endswith(
        "leak_4: AUC 1.0000 for the click; and 2 more); list in ignore what is known only after the exposure"
    )
    assert "fine" not in message


def test_test_rows_are_not_looked_at() -> None:
    """A feature that leaks in the last rows only, which are the test part."""
    train = np.arange(N) < 0.8 * N
    data = exposures(leak=where(train, NOISE, CLICK * 1.0))
    assert [name for name, *_ in find_leaks(data.take(~train))] == ["leak"]
    Dataset(replace(data, time=np.arange(N)), SplitOptions("time")).split()


@pytest.mark.parametrize("seed", range(3))
def test_simulated_data_raise_no_alarm(seed: int) -> None:
    Dataset(simulate(5000, ctr=0.2, cvr=0.3, seed=seed).exposures).split(seed)
    Dataset(simulate(8000, seed=seed, ctr=0.05, cvr=0.2, accidental_clicks=0.0).exposures).split(seed)


def test_features_in_files_are_read_in_stretches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "BLOCK", 800)
    filed = store(exposures(leak=CLICK * 1.0, fine=NOISE), tmp_path)
    read = []
    original = type(filed.features).frames

    def counted(self, rows):  # type: ignore[no-untyped-def]
        read.append(self.rows)
        return original(self, rows)

    monkeypatch.setattr(type(filed.features), "frames", counted)
    assert [name for name, *_ in find_leaks(filed)] == ["leak"]
    [rows] = read
    assert len(rows) <= 800
    stretches = np.unique(rows // 100)
    assert len(stretches) <= 2 * leaks.STRETCHES
    assert rows.min() < 100
    assert rows.max() >= N - 100


def test_the_sample_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "SAMPLE", 50)
    seen = []
    original = Exposures.take
    monkeypatch.setattr(Exposures, "take", lambda self, rows: seen.append(rows) or original(self, rows))
    assert [name for name, *_ in find_leaks(exposures(leak=CLICK * 1.0))] == ["leak"]
    assert len(seen[0]) <= 4 * 50
