"""Odd values for every option of every command: what comes is success or one line, never a traceback."""

import importlib
import shutil
from dataclasses import replace

import click
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gbdt_pwiser.cli import COMMANDS, cli
from gbdt_pwiser.models import MODELS, Predictions
from gbdt_pwiser.tuning import _confirm
from tests.bad_inputs.harness import BEST, DATA, TINY

BASE = {
    "prepare": ["--dataset", "us", "--source", "folder"],
    "datasets": [],
    "describe": ["log.csv"],
    "check": [],
    "compare": [*DATA, *TINY, "--seeds", "1", "--bootstrap", "0", "--model", "xgboost"],
    "report": [],
    "tune": [*DATA, *TINY, "--n-trials", "1", "--sampler", "random"],
    "train": [*DATA, *TINY, "--output", "trained", "--model", "xgboost"],
    "predict": ["--model", "model", "--input", "test.parquet", "--output", "p.parquet"],
    "export": ["--model", "model", "--format", "native", "--output", "exported.txt"],
}
ODD = (
    *("", " ", "-1", "0", "1", "2", "0.5", "1e30", "1e-300", "nan", "inf", "-inf", "99999999999999999999"),
    *("2147483648", "1_0", "0x10", "ä", "\u2028", "a,b", "1,2", ",", "=", "x=1", "embedding=2", "bce=1"),
    *(
        "weighted_bce=1",
        "None",
        "none",
        "true",
        "auto",
        "x" * 5000,
        "*",
        "[a]",
        "~",
        "..",
        ".",
        "://",
        "tcp://",
    ),
    *(
        "folder",
        "file",
        "absent",
        "model",
        "test.parquet",
        "best.toml",
        "sqlite://",
        "sqlite:///file",
        "--json",
        "--quiet",
        "--verbose",
    ),
)


class Quick:
    """A model that knows nothing and is trained at once."""

    rounds_used, fit_seconds, size = 1, 0.0, 1

    def __init__(self, spec):
        self.spec = spec

    def fit(self, train, valid, on_round=None):
        if on_round is not None:
            on_round(0, {"click": 0.5})

    def predict(self, exposures):
        noise = np.random.default_rng(self.spec.seed).uniform(0.1, 0.9, len(exposures))
        return Predictions(pctr=noise, pctcvr=noise / 2)

    def save(self, path):
        path.touch()


@pytest.fixture
def here(monkeypatch, trained, tmp_path):
    """The current folder, with a file of each kind; `..` and `~` are the test's own, too."""
    place = tmp_path / "deep" / "down"
    (place / "folder").mkdir(parents=True)
    shutil.copytree(trained / "model", place / "model")  # what is drawn may write into it
    pl.read_parquet(trained / "new.parquet").head(30).write_parquet(place / "test.parquet")
    (place / "file").write_text("not ours\n")
    rows = [f"{int(i % 3 > 0)},{int(i % 3 == 2)},{i % 5}" for i in range(100)]
    (place / "log.csv").write_text("\n".join(["click,buy,x", *rows, ""]))
    (place / "best.toml").write_text(BEST)
    monkeypatch.chdir(place)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GBDT_PWISER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(_confirm, "REPLICATES", 2)
    monkeypatch.setattr(importlib.import_module("gbdt_pwiser.cli._dask"), "SECONDS_TO_CONNECT", 2)
    report = importlib.import_module("gbdt_pwiser.report")
    monkeypatch.setattr(report, "write_report", lambda *_: None)
    monkeypatch.setattr(report, "write_figures", lambda *_: [])
    checked = importlib.import_module("gbdt_pwiser.report.check_page")
    monkeypatch.setattr(checked, "write_check_report", lambda *_, **__: None)
    pages = importlib.import_module("gbdt_pwiser.report.tuning")
    monkeypatch.setattr(pages, "write_tuning_report", lambda *_, **__: None)
    return place


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_of_every_command(run, here, name, monkeypatch):
    if name not in ("predict", "export", "describe", "check"):
        for model in MODELS:
            monkeypatch.setitem(MODELS, model, replace(MODELS[model], make=Quick))
    options = [
        [] if isinstance(param, click.Argument) else [param.opts[0]]
        for param in cli.get_command(click.Context(cli), name).params
        if not (isinstance(param, click.Option) and param.is_flag)
    ]

    def check(arguments):
        code, _, err = run(name, *BASE[name], *arguments)
        assert code in (0, 2), (arguments, err)
        if code == 2:
            assert err.splitlines()[-1].startswith("gbdt-pwiser: "), (arguments, err)
        assert "Traceback" not in err

    for option in options:
        for value in ("", "99999999999999999999"):
            check([*option, value])

    @settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.tuples(st.sampled_from(options), st.sampled_from(ODD)), min_size=1, max_size=2))
    def fuzz(pairs):
        check([word for option, value in pairs for word in (*option, value)])

    fuzz()
