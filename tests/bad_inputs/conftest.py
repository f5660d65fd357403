"""A folder in which commands are refused."""

import pytest

from tests.bad_inputs.harness import BEST


@pytest.fixture
def here(trained, untrained, tmp_path, monkeypatch):
    """The current folder: a model, exposures, and files of other kinds; nothing can be trained in it."""
    for name in ("model", "new.parquet"):
        (tmp_path / name).symlink_to(trained / name)
    (tmp_path / "best.toml").write_text(BEST)
    (tmp_path / "note.txt").write_text("not ours\n")
    for name in ("empty", "sets"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
