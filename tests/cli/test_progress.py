"""What a user sees while something long runs: on standard error, on a terminal, and nowhere else."""

import io
import os
import re

import pytest
from tqdm import tqdm

from gbdt_pwiser.data import progress
from gbdt_pwiser.models import make_model
from gbdt_pwiser.sources import load
from tests.command_line import COMPARE, SIMULATED
from tests.specs import spec_of, varied

ROUND = re.compile(
    r"^(?P<title>.+?)  (?P<what>round|epoch) (?P<done>\d+)/(?P<most>\d+)"
    r"(?:  valid auc (?P<auc>[\d.]+) \(best (?P<best>[\d.]+) at (?P<at>\d+)\))?  (?P<times>\S+)$"
)


class Terminal(io.StringIO):
    """What standard error is to a user who looks at it."""

    looked_at = True

    def isatty(self):
        return self.looked_at

    def lines(self):
        """Return all that stood in a line of the terminal, one after the other."""
        parts = re.split("[\r\n]|\x1b\\[A", self.getvalue())
        return [part.rstrip() for part in parts if part.strip()]

    def rounds(self):
        return [found.groupdict() for line in self.lines() if (found := ROUND.match(line))]


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 120 columns in the place of standard error, of which every change is seen."""
    made = Terminal()

    class Seen(tqdm):
        def __init__(self, *arguments, **options):
            width = int(os.environ["COLUMNS"])  # what tqdm asks of a real terminal
            ours = {"file": made, "mininterval": 0, "miniters": 0, "dynamic_ncols": False, "ncols": width}
            super().__init__(*arguments, **{**options, **ours})

    monkeypatch.setattr(progress, "tqdm", Seen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return made


@pytest.fixture(scope="module")
def split():
    return load("simulated", n_exposures=3000, ctr=0.2, cvr=0.3).split(0)


def fitted(split, spec, on_round=None):
    model = make_model(spec)
    model.fit(split.train, split.valid, on_round)
    return model


def told_by(split, spec):
    """Return a model and, by task, the AUCs that `on_round` is told."""
    curves = {}

    def on_round(_, aucs):
        for task, auc in aucs.items():
            curves.setdefault(task, []).append(auc)

    return fitted(split, spec, on_round), curves


def short(auc):
    return f"{auc:.4f}".removeprefix("0")


@pytest.mark.parametrize("model", ["lightgbm", "xgboost", "xgboost_shared"])
def test_every_round_of_both_boosters(terminal, split, model):
    spec = spec_of(model, loss="pwiser", rounds=9, early_stopping=9, learning_rate=0.3, threads=1)
    _, curves = told_by(split, spec)
    by_title = {}
    for found in terminal.rounds():
        if found["auc"]:
            by_title.setdefault(found["title"], []).append(found)
    assert list(by_title) == [spec.title, f"{model} conversion"]
    for seen, curve in zip(by_title.values(), curves.values(), strict=True):
        for number, auc in enumerate(curve, 1):
            best = max(curve[:number])
            expected = {
                "what": "round",
                "done": str(number),
                "most": "9",
                "auc": short(auc),
                "best": short(best),
                "at": str(curve.index(best) + 1),
            }
            assert [f for f in seen if expected.items() <= f.items()], (expected, seen)


def test_every_epoch_of_a_network(terminal, split):
    pytest.importorskip("torch")
    spec = spec_of("shared_bottom", loss="pwiser", epochs=2, patience=2, threads=1)
    _, curves = told_by(split, spec)
    seen = [found for found in terminal.rounds() if found["auc"]]
    assert {found["title"] for found in seen} == {spec.title}
    assert {(found["what"], found["most"]) for found in seen} == {("epoch", "2")}
    last = seen[-1]
    assert (last["done"], last["auc"]) == (str(len(curves["click"])), short(curves["click"][-1]))


def test_nobody_is_told_of_rounds_where_nothing_is_shown(split):
    """Training runs as without: the library is handed no function at all."""
    with progress.Rounds("x", 3) as rounds:
        assert not rounds.shown
        assert rounds.after(None) is None


@pytest.mark.parametrize("how", ["quiet", "dumb", "pipe"])
def test_silence(terminal, split, monkeypatch, how):
    if how == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    terminal.looked_at = how != "pipe"
    with progress.telling("quiet" if how == "quiet" else "usual"):
        fitted(split, spec_of("xgboost", rounds=3, early_stopping=3, threads=1))
    assert terminal.getvalue() == ""


def test_the_models_are_those_without_progress(terminal, split):
    spec = spec_of("lightgbm", loss="pwiser", rounds=5, early_stopping=5, threads=1)
    seen = fitted(split, spec).predict(split.test)
    assert terminal.rounds()
    terminal.looked_at = False
    unseen = fitted(split, varied(spec, seed=0)).predict(split.test)
    assert (seen.pctr == unseen.pctr).all()


def test_a_line_fits_a_narrow_terminal(terminal, split, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    fitted(split, spec_of("xgboost", loss="pwiser", rounds=4, early_stopping=4, threads=1))
    lines = terminal.lines()
    assert any(line.startswith("xgboost:pwiser") for line in lines)
    assert max(map(len, lines)) <= 50


def test_an_interrupted_training_leaves_no_line(terminal, split):
    def stop(number, _):
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(split, spec_of("xgboost", rounds=9, early_stopping=9, threads=1), stop)
    assert terminal.getvalue().endswith("\r")


def test_a_comparison_tells_seed_and_the_whole(run, terminal):
    code, _, _ = run(*COMPARE, "--seeds", "2", "--model", "xgboost", "--bootstrap", "0")
    assert code == 0
    titles = list(dict.fromkeys(found["title"] for found in terminal.rounds()))
    of_seed = ("xgboost:bce", "xgboost conversion", "xgboost:pwiser 0.01", "xgboost:pwiser 0.1")
    assert titles == [f"{title} seed {seed}/2" for seed in (1, 2) for title in of_seed]
    assert "6/6" in [line for line in terminal.lines() if line.startswith("all: ")][-1]


def test_quiet_on_the_command_line(run, terminal):
    assert run(*COMPARE, "--model", "xgboost", "--bootstrap", "0", "--quiet")[0] == 0
    assert terminal.getvalue() == ""


def test_a_search_tells_which_trial(run, terminal, tmp_path, monkeypatch):
    from gbdt_pwiser.tuning import _confirm

    monkeypatch.setattr(_confirm, "REPLICATES", 2)
    tune = ["tune", *SIMULATED, "--exposures", "6000", "--model", "xgboost", "--n-trials", "2"]
    assert run(*tune, "--output", tmp_path / "search")[0] == 0
    titles = {found["title"] for found in terminal.rounds()}
    assert {"xgboost:bce trial 1/2", "xgboost:pwiser 0.03 trial 2/2"} <= titles
    assert any(title.endswith("seed 5/5") for title in titles)  # of the proof on test
    assert any("best CTR AUC" in line for line in terminal.lines())


def test_predictions_and_preparation_are_counted(run, terminal, predict, tmp_path, released, data_dir):
    assert predict(tmp_path / "p.parquet")[0] == 0
    assert any("3.00k/3.00k" in line for line in terminal.lines())
    assert run("prepare", "--dataset", "us", "--source", released)[0] == 0
    assert any("us_item_train.csv: 100%" in line for line in terminal.lines())
    before = terminal.getvalue()
    assert predict(tmp_path / "p.parquet", "--quiet")[0] == 0
    assert run("prepare", "--dataset", "us", "--source", released, "--quiet")[0] == 0
    assert terminal.getvalue() == before
