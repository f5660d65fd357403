"""The encoder: learnt from training alone, and safe for what training has not seen."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.models.neural._features import FeatureEncoder

NAN = float("nan")


def exposures(codes, numbers, more=None):
    columns = {"code": pl.Series(codes, dtype=pl.Int32), "x": pl.Series(numbers, dtype=pl.Float32)}
    for name, values in (more or {}).items():
        columns[name] = pl.Series(values, dtype=pl.Int32 if name.startswith("c") else pl.Float32)
    frame = pl.DataFrame(columns)
    categorical = tuple(name for name in frame.columns if name.startswith("c"))
    grade = np.zeros(frame.height, dtype=np.int8)
    return Exposures(name="hand", features=frame, grade=grade, categorical=categorical)


def test_by_hand():
    train = exposures([7, -2, 7, 5], [1.0, 3.0, 3.0, 5.0], {"c2": [1, 1, 2, 2]})
    encoder = FeatureEncoder.fit(train)
    codes, numbers = encoder.encode(train)
    # -2, 5, 7 are 1, 2, 3; the codes 1, 2 of the second column are 4, 5; 0 is free.
    assert codes.tolist() == [[3, 4], [1, 4], [3, 5], [2, 5]]
    np.testing.assert_allclose(numbers[:, 0], np.array([-2, 0, 0, 2]) / np.sqrt(2))
    assert encoder.layout == (6, 2, 1)
    assert (codes.dtype, numbers.dtype) == (np.int32, np.float32)


def test_unseen_codes_share_position_0():
    encoder = FeatureEncoder.fit(exposures([7, -2, 7, 5], [1.0, 2.0, 3.0, 4.0]))
    codes, _ = encoder.encode(exposures([6, None, 2**31 - 1, -(2**31), 5], [1.0] * 5))
    assert codes[:, 0].tolist() == [0, 0, 0, 0, 2]


def test_a_missing_code_is_a_code_where_training_has_it():
    encoder = FeatureEncoder.fit(exposures([7, None, 7], [1.0, 2.0, 3.0]))
    codes, _ = encoder.encode(exposures([None, 7, 8], [1.0] * 3))
    assert codes[:, 0].tolist() == [1, 2, 0]


@pytest.mark.parametrize("missing", [None, NAN])
def test_missing_numbers_are_the_mean_and_flagged(missing):
    train = exposures([1] * 4, [2.0, missing, 6.0, missing])
    numbers = FeatureEncoder.fit(train).encode(train).numbers
    assert numbers.tolist() == [[-1, 0], [0, 1], [1, 0], [0, 1]]


def test_missing_first_seen_after_training_is_the_mean():
    encoder = FeatureEncoder.fit(exposures([1, 1], [2.0, 6.0]))
    assert encoder.encode(exposures([1, 1], [NAN, 6.0])).numbers.tolist() == [[0], [1]]


@pytest.mark.parametrize("constant", [0.0, 0.1, 16_777_217.0, NAN])
def test_a_constant_column_says_nothing_whatever_comes_later(constant):
    """0.1 in float32: its rounded mean differs from it, and so would its deviation from 0."""
    encoder = FeatureEncoder.fit(exposures([1] * 7, [constant] * 7))
    assert encoder.encode(exposures([1, 1, 1], [constant, 1e30, NAN])).numbers.tolist() == [[0], [0], [0]]


def test_a_column_of_one_value_and_missing_ones_is_its_flag():
    encoder = FeatureEncoder.fit(exposures([1] * 3, [5.0, NAN, 5.0]))
    assert encoder.encode(exposures([1, 1], [9.0, NAN])).numbers.tolist() == [[0, 0], [0, 1]]


def test_flags_come_in_the_order_of_the_columns():
    more = {"y": [1.0, 2.0, 3.0], "z": [NAN, 0.0, 1.0]}
    train = exposures([1] * 3, [NAN, 1.0, 2.0], more)
    numbers = FeatureEncoder.fit(train).encode(train).numbers
    assert numbers[:, 3:].tolist() == [[1, 1], [0, 0], [0, 0]]


def test_large_numbers_keep_their_differences():
    """Means are taken in float64: in float32 these values and their mean would be one number."""
    values = [1e8 + 8.0 * k for k in range(5)]
    numbers = FeatureEncoder.fit(exposures([1] * 5, values)).encode(exposures([1] * 5, values)).numbers
    np.testing.assert_allclose(numbers[:, 0], (np.arange(5) - 2) / np.sqrt(2), rtol=1e-6)


def test_grades_are_not_read():
    train = exposures([1, 2, 3, 4], [1.0, 2.0, 3.0, NAN])
    other = replace(train, grade=np.array([2, 1, 0, 2], dtype=np.int8))
    assert FeatureEncoder.fit(train) == FeatureEncoder.fit(other)


def test_no_column_of_a_kind():
    bare = Exposures(
        name="hand",
        features=pl.DataFrame({"x": pl.Series([1.0], dtype=pl.Float32)}),
        grade=np.zeros(1, np.int8),
    )
    assert FeatureEncoder.fit(bare).layout == (1, 0, 1)
    assert FeatureEncoder.fit(bare).encode(bare).codes.shape == (1, 0)
    coded = exposures([3], [1.0])
    coded = replace(coded, features=coded.features.select("code"))
    assert FeatureEncoder.fit(coded).encode(coded).numbers.shape == (1, 0)


def test_the_record_is_the_encoder():
    encoder = FeatureEncoder.fit(exposures([7, None, 5], [0.1, NAN, 0.3]))
    assert FeatureEncoder(**encoder.record()) == encoder


# ------------------------------------------------------------------------------ bins


def test_bins_by_hand():
    """Quartiles of 0 .. 8 begin at 2, 4 and 6; the bins are the codes after the first column's."""
    train = exposures([5] * 9, np.arange(9.0))
    encoder = FeatureEncoder.fit(train, bins=4)
    codes, numbers = encoder.encode(train)
    assert codes[:, 1].tolist() == [2, 2, 3, 3, 4, 4, 5, 5, 5]
    np.testing.assert_array_equal(numbers, FeatureEncoder.fit(train).encode(train).numbers)
    later = exposures([5] * 4, [-1e30, 3.9, 1e30, NAN])
    assert encoder.encode(later).codes[:, 1].tolist() == [2, 3, 5, 0]
    assert encoder.layout == (6, 2, 1)


def test_missing_numbers_have_a_bin_where_training_has_them():
    train = exposures([5] * 6, [NAN, 1.0, 2.0, 3.0, 4.0, None])
    codes = FeatureEncoder.fit(train, bins=2).encode(train).codes
    assert codes[:, 1].tolist() == [2, 3, 3, 4, 4, 2]


def test_ties_and_constants_need_fewer_bins():
    tied = exposures([5] * 6, [0.0, 0.0, 0.0, 0.0, 7.0, 9.0], {"y": [3.0] * 6})
    encoder = FeatureEncoder.fit(tied, bins=4)
    assert list(encoder.codes) == ["code", "x"]
    # The quartiles are 0, 0 and 5.25: two bins.
    assert encoder.encode(tied).codes[:, 1].tolist() == [2, 2, 2, 2, 3, 3]
    assert FeatureEncoder.fit(tied, bins=1).layout == FeatureEncoder.fit(tied).layout


def test_the_record_of_an_encoder_with_bins():
    train = exposures([7, None, 5], [0.1, NAN, 0.3])
    encoder = FeatureEncoder.fit(train, bins=2)
    assert FeatureEncoder(**encoder.record()) == encoder


def test_positions_are_those_of_encode():
    train = exposures([7, None, 5], [1.0, 2.0, 3.0], {"c2": [1, 1, 2]})
    encoder = FeatureEncoder.fit(train, bins=2)
    positions = encoder.positions()
    assert positions == {"code": {None: 1, 5: 2, 7: 3}, "x": {0: 4, 1: 5}, "c2": {1: 6, 2: 7}}
    columns = [positions["code"][7], positions["x"][0], positions["c2"][1]]
    assert encoder.encode(train).codes[0].tolist() == columns
