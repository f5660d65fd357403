"""Models on exposures in files, or of several blocks: what they are on a matrix in memory."""

import gc
import tempfile
import weakref
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import stored
from gbdt_pwiser.models.boosters import _binning, _rates, lightgbm_model, shared_model, trees, xgboost_model
from gbdt_pwiser.objectives import InputError, PWiseRLoss, auc
from tests.exposures import store
from tests.models.helpers import BOOSTERS, PARTS, SPEC, changed, every_part, fitted, make_split
from tests.specs import varied

BLOCK = 500
LOSSES = {
    "bce": {},
    "pwiser": {"loss": "pwiser", "pwiser": PWiseRLoss(weight=0.3)},
    "groups": {"loss": "pwiser", "pwiser": PWiseRLoss(weight=0.3, pairs="group")},
    "squared hinge": {"loss": "pwiser", "pwiser": PWiseRLoss(weight=0.3, surrogate="squared_hinge")},
    "logistic": {"loss": "pwiser", "pwiser": PWiseRLoss(weight=0.3, surrogate="logistic")},
}


def holey(part):
    """A fifth of a number's and of a code's values is missing."""
    hole = pl.Series(np.random.default_rng(len(part)).random(len(part)) < 0.2)
    columns = {c: pl.when(~hole).then(pl.col(c)) for c in ("numerical_24", "categorical_10")}
    return changed(part, **columns)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The same split in memory and in files."""
    held, folder = every_part(make_split(), holey), tmp_path_factory.mktemp("filed")
    return held, replace(held, **{part: store(getattr(held, part), folder / part) for part in PARTS})


# Copies, for bins are kept with the training data.
@pytest.fixture
def held(made):
    return every_part(made[0], replace)


@pytest.fixture
def filed(made):
    return every_part(made[1], replace)


@pytest.fixture
def small_blocks(monkeypatch):
    """Call it to have blocks of few rows from then on."""

    def make_small():
        for module in (trees, lightgbm_model, xgboost_model, shared_model, _rates):
            monkeypatch.setattr(module, "BLOCK", BLOCK)
        monkeypatch.setattr(stored, "BLOCK", 370)

    return make_small


@pytest.fixture(params=BOOSTERS)
def spec(request):
    return varied(SPEC, model=request.param)


def predictions(spec, split):
    predicted = fitted(spec, split).predict(split.test)
    return np.stack([predicted.pctr, predicted.pctcvr])


# ------------------------------------------------------------------------------ boosters


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_boosters_from_files_are_those_from_memory(spec, held, filed, small_blocks, loss):
    spec = replace(spec, **loss)
    expected = predictions(spec, held)
    small_blocks()
    assert len(filed.train) > 4 * BLOCK
    np.testing.assert_allclose(predictions(spec, filed), expected, atol=1e-6, rtol=0)


def test_blocks_of_memory_are_those_of_files(spec, held, filed, small_blocks):
    small_blocks()
    np.testing.assert_array_equal(predictions(spec, held), predictions(spec, filed))


def test_one_block_in_a_file_is_the_matrix_in_memory(spec, held, filed):
    np.testing.assert_array_equal(predictions(spec, filed), predictions(spec, held))


def test_rows_of_a_group_are_brought_together_in_files(spec, held, tmp_path, small_blocks):
    """The first row of every group, then the second of every group, and so on."""
    spec = replace(spec, **LOSSES["groups"])
    expected = predictions(spec, held)[0]
    group = held.train.group
    place = np.arange(len(group)) - np.searchsorted(group, group)
    scattered = held.train.take(np.argsort(place, kind="stable"))
    small_blocks()
    filed = replace(held, train=store(scattered, tmp_path / "scattered"))
    np.testing.assert_allclose(predictions(spec, filed)[0], expected, atol=1e-6, rtol=0)


def test_groups_that_are_adjacent_keep_their_order(held):
    backwards = held.train.take(np.arange(len(held.train))[::-1].copy())
    assert _binning.with_adjacent_groups(backwards) is backwards
    one_away = held.train.take(np.roll(np.arange(len(held.train)), 1))
    brought = _binning.with_adjacent_groups(one_away)
    assert brought is not one_away
    assert (np.diff(brought.group) >= 0).all()


def test_lightgbm_samples_its_bins_as_from_memory(held, filed, small_blocks):
    """A sample of 250 rows decides the bins: another one would give other bins."""
    spec = varied(SPEC, params={"bin_construct_sample_cnt": 250})
    expected = predictions(spec, held)
    assert np.abs(expected - predictions(SPEC, held)).max() > 1e-3
    small_blocks()
    np.testing.assert_array_equal(predictions(spec, filed), expected)


# ------------------------------------------------------------------------------ what is read, and when


def test_no_matrix_of_all_rows_is_made(spec, filed, small_blocks, monkeypatch):
    heights = []
    as_matrix = stored.as_matrix
    monkeypatch.setattr(
        "gbdt_pwiser.data.exposures.as_matrix",
        lambda frame: heights.append(frame.height) or as_matrix(frame),
    )
    small_blocks()
    predictions(spec, filed)
    assert sum(heights) > len(filed.train) + len(filed.valid) + len(filed.test)
    assert max(heights) <= BLOCK


def test_bins_go_with_the_training_data(spec, tmp_path, small_blocks):
    small_blocks()
    split = every_part(make_split(), lambda part: store(part, tmp_path / str(id(part))))
    fitted(spec, split)
    train = weakref.ref(split.train)
    del split
    gc.collect()
    assert train() is None


def test_a_file_that_changes_between_fit_and_predict(spec, held, filed, tmp_path):
    model = fitted(spec, filed)
    test = store(held.test, tmp_path)
    path = tmp_path / "test.parquet"
    pl.read_parquet(path).reverse().write_parquet(path)
    with pytest.raises(
        InputError, match=r"test\.parquet has changed since it was loaded; load the set again"
    ):
        model.predict(test)


@pytest.mark.parametrize("error", [InputError("enough"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_what_stops_a_reading_stops_the_training(spec, filed, small_blocks, monkeypatch, error):
    """XGBoost calls from C++, where an exception would be the end of the rows."""
    small_blocks()
    reads = []
    read = stored.StoredFile.read

    def stopped(self, *args):
        reads.append(1)
        if len(reads) == 4:
            raise error
        return read(self, *args)

    monkeypatch.setattr(stored.StoredFile, "read", stopped)
    with pytest.raises(type(error)):
        fitted(spec, filed)
    assert len(reads) == 4


# ------------------------------------------------------------------------------ external memory


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder of temporary files, for this test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def bins_in(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("loss", ["bce", "pwiser", "groups"])
def test_external_memory_changes_no_prediction(held, filed, small_blocks, temporary, loss):
    spec = varied(SPEC, model="xgboost", **LOSSES[loss])
    small_blocks()
    expected = predictions(spec, filed)
    assert not list(temporary.iterdir())
    seen = []
    model = xgboost_model.XGBoostModel(varied(spec, external_memory=True))
    model.fit(filed.train, filed.valid, lambda *_: seen.append(bins_in(temporary)))
    features = len(filed.train.features.columns)
    assert min(seen) >= (len(filed.train) + len(filed.valid)) * features  # a byte for each value
    found = model.predict(filed.test)
    np.testing.assert_allclose(np.stack([found.pctr, found.pctcvr]), expected, atol=1e-6, rtol=0)


def test_temporary_bins_go_with_the_training_data(held, small_blocks, temporary):
    small_blocks()
    split = replace(held, train=replace(held.train))
    fitted(varied(SPEC, model="xgboost", external_memory=True), split)
    assert len(list(temporary.iterdir())) == 2  # those of the click
    del split
    gc.collect()
    assert not list(temporary.iterdir())


def test_temporary_bins_go_where_binning_fails(filed, small_blocks, temporary, monkeypatch):
    small_blocks()

    def failing(self, *args):
        assert list(temporary.iterdir())
        raise InputError("enough")

    monkeypatch.setattr(stored.StoredFile, "read", failing)
    with pytest.raises(InputError, match="enough"):
        fitted(varied(SPEC, model="xgboost", external_memory=True), filed)
    gc.collect()
    assert not list(temporary.iterdir())


# ------------------------------------------------------------------------------ networks


def test_networks_from_files_are_those_from_memory(held, filed):
    pytest.importorskip("torch")
    spec = varied(SPEC, model="mmoe", **LOSSES["pwiser"])
    spec = varied(spec, bins=4)
    np.testing.assert_array_equal(predictions(spec, filed), predictions(spec, held))


@pytest.fixture
def rows_module(monkeypatch):
    """The module of rows: memory for none, blocks of 100 rows, two of which are shuffled together."""
    pytest.importorskip("torch")
    from gbdt_pwiser.models.neural import _rows

    monkeypatch.setattr(_rows, "_memory", lambda device: 0)
    monkeypatch.setattr(_rows, "BLOCK", 100)
    monkeypatch.setattr(_rows, "SHUFFLED", 2)
    return _rows


@pytest.fixture
def stored_rows(rows_module, filed):
    """The encoded rows of 555 exposures, in files and in memory."""
    import torch

    from gbdt_pwiser.models.neural._features import FeatureEncoder

    few = filed.train.take(np.arange(0, 1665, 3))
    encoder, cpu = FeatureEncoder.fit(few), torch.device("cpu")
    rows = rows_module.encoded_rows(few, encoder, cpu)
    assert isinstance(rows, rows_module.StoredRows)
    return rows, rows_module.Rows.of(few, encoder, cpu)


def table(rows):
    """A row for each exposure: everything that a batch holds of it."""
    return np.column_stack([rows.codes, rows.numbers, rows.grade, rows.host_grade, rows.group])


def batches(rows, seed, size=32):
    import torch

    return [table(batch) for batch in rows.batches(size, torch.Generator().manual_seed(seed))]


def test_batches_from_files_hold_every_row_once(stored_rows):
    rows, expected = stored_rows
    first, again, other = batches(rows, 1), batches(rows, 1), batches(rows, 2)
    assert min(map(len, first)) >= 32
    assert max(map(len, first)) < 64
    in_order = np.concatenate(first)
    assert not np.array_equal(in_order, table(expected))
    np.testing.assert_array_equal(np.unique(in_order, axis=0), np.unique(table(expected), axis=0))
    assert len(in_order) == len(rows) == len(expected) == 555
    np.testing.assert_array_equal(in_order, np.concatenate(again))
    assert not np.array_equal(in_order, np.concatenate(other))


def test_rows_are_shuffled_among_some_blocks(stored_rows):
    """Six blocks of 92 or 93 rows, two of which make a buffer of five batches."""
    rows, expected = stored_rows
    block = np.repeat(np.arange(6), [93, 93, 93, 92, 92, 92])
    block_of = dict(zip([row.tobytes() for row in table(expected)], block.tolist(), strict=True))
    for start in range(0, 15, 5):
        buffer = batches(rows, seed=0)[start : start + 5]
        blocks = [{block_of[row.tobytes()] for row in batch} for batch in buffer]
        assert len(set.union(*blocks)) == 2
        assert all(len(each) == 2 for each in blocks)


def test_features_from_files_are_in_order(stored_rows):
    rows, expected = stored_rows
    blocks = list(rows.features(40))
    assert max(len(codes) for codes, _ in blocks) == 40
    for k, name in enumerate(("codes", "numbers")):
        joined = np.concatenate([block[k] for block in blocks])
        np.testing.assert_array_equal(joined, getattr(expected, name))
    np.testing.assert_array_equal(table(rows.decided_clicks()), table(expected.decided_clicks()))


@pytest.mark.parametrize("model", ["dnn", "esmm"])
def test_a_network_without_memory_learns_as_well(rows_module, held, filed, model):
    spec = varied(SPEC, model=model, **LOSSES["pwiser"])
    streamed, in_memory = fitted(spec, filed), fitted(spec, held)
    assert auc(streamed.predict(filed.test).pctr, held.test.click) > 0.6
    # Weights may differ, since the order of the rows does; what a model predicts does not depend on where.
    for predict in (streamed.predict, in_memory.predict):
        for name in ("pctr", "pctcvr"):
            np.testing.assert_allclose(
                getattr(predict(filed.test), name), getattr(predict(held.test), name), rtol=1e-5
            )


def test_a_network_lets_go_of_training_data_in_files(rows_module, tmp_path):
    split = every_part(make_split(), lambda part: store(part, tmp_path / str(id(part))))
    fitted(varied(SPEC, model="dnn"), split)
    train = weakref.ref(split.train)
    del split
    gc.collect()
    assert train() is None
