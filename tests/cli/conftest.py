"""What the tests of several commands begin with."""

import pytest

from tests.aliexpress import write_raw


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """Where prepared sets lie, for this test only."""
    folder = tmp_path / "prepared"
    monkeypatch.setenv("GBDT_PWISER_DATA", str(folder))
    return folder


@pytest.fixture
def released(tmp_path):
    """Released files of a country: 250 and 60 searches of 6 items, the grade a function of the item."""
    return write_raw(tmp_path / "raw", train=(250, 6), test=(60, 6))


@pytest.fixture
def folder(tmp_path):
    """Where a model may be written, with its parent."""
    return tmp_path / "new" / "model"


@pytest.fixture
def predict(run, trained):
    """Predict with the trained model into a file."""

    def predict(target, *options):
        model, source = trained / "model", trained / "new.parquet"
        return run("predict", "--model", model, "--input", source, "--output", target, *options)

    return predict
