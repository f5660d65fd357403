"""Settings of families of models on the command line: `--set`, and options that no model would take."""

import json
import re

import pytest

from gbdt_pwiser.evaluation import compare
from gbdt_pwiser.models import load_model
from gbdt_pwiser.sources import load
from tests.command_line import SIMULATED, refused
from tests.folders import names
from tests.specs import spec_of


def test_set_reaches_the_model_and_its_folder(run, tmp_path):
    train = ["train", *SIMULATED, "--model", "lightgbm", "--weight", "0.1", "--threads", "1"]
    given = ["--set", "booster.rounds=3", "--set", "booster.num_leaves=5", "--set", "booster.rounds=2"]
    code, _, err = run(*train, *given, "--output", tmp_path / "model")
    assert (code, err) == (0, "")
    settings = load_model(tmp_path / "model").manifest.spec.settings
    assert (settings.rounds, settings.params) == (2, {"num_leaves": 5})


@pytest.mark.parametrize("given", [["--stop-by", "ndcg@3"], ["--set", "booster.stop_by=ndcg@3"]])
def test_what_training_stops_by_reaches_the_model_and_its_folder(run, tmp_path, given):
    assert run("train", *SIMULATED, "--weight", "0.1", *given, "--output", tmp_path / "model")[0] == 0
    assert load_model(tmp_path / "model").manifest.spec.settings.stop_by == "ndcg@3"


def test_a_comparison_whose_training_stops_by_another_metric(run):
    losses = ["bce", "lambdarank"]
    chosen = ["--model", "lightgbm", *(word for loss in losses for word in ("--loss", loss)), "--seeds", "1"]
    chosen += ["--rounds", "30", "--stop-by", "ndcg@3", "--bootstrap", "0", "--json"]
    rows = json.loads(run("compare", *SIMULATED, *chosen)[1])
    base = spec_of("lightgbm", rounds=30, early_stopping=2, learning_rate=0.3)
    dataset = load("simulated", n_exposures=3000, ctr=0.2, cvr=0.3)
    rounds = {}
    for name in ("ctr_auc", "ndcg@3"):
        spec = spec_of("lightgbm", settings=base.settings.changed({"stop_by": name}))
        results = compare(dataset, models=["lightgbm"], losses=losses, seeds=[0], base=spec, replicates=0)
        rounds[name] = [result.rounds for result in results]
    assert [row["rounds"] for row in rows] == rounds["ndcg@3"] != rounds["ctr_auc"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--set", "network.epochs=2"], "epochs is set for a network, and xgboost is none; leave it out"),
        (["--network", "epochs=2"], "epochs is set for a network, and xgboost is none; leave it out"),
        (["--model", "mmoe", "--set", "network.epochs=x"], "network setting epochs is 'x'; give a whole"),
        (["--set", "booster"], "--set is 'booster'; give FAMILY.KEY=VALUE such as network.embedding=16"),
        (["--set", "boster.rounds=3"], "unknown family of models 'boster' (did you mean booster?)"),
        (["--set", "booster.max_dept=3"], "xgboost has no parameter 'max_dept' (did you mean max_depth?)"),
        (["--set", "booster.rounds=0"], "rounds is 0; give a whole number from 1"),
    ],
)
def test_what_no_model_would_take_is_refused(run, options, says):
    assert says in refused(run("compare", *SIMULATED, "--model", "xgboost", *options))


def test_options_of_boosters_are_none_of_networks(run):
    told = refused(run("compare", *SIMULATED, "--model", "mmoe"))
    assert told.startswith("rounds, early_stopping, learning_rate is set for a booster, and mmoe is none")
    told = refused(run("compare", *SIMULATED[:8], "--model", "mmoe", "--stop-by", "ndcg@5"))
    assert told.startswith("stop_by is set for a booster, and mmoe is none; leave it out, or add")


def test_a_search_that_cannot_stop_by_the_metric_is_refused_before_any_trial(run, tmp_path, monkeypatch):
    """As a comparison is, and with the reason: of a search every trial would fail."""
    rows = [f"{int(i % 3 > 0)},{int(i % 3 == 2)},{i % 5}" for i in range(1500)]
    (tmp_path / "d.csv").write_text("\n".join(["click,buy,x", *rows, ""]))
    (tmp_path / "d.toml").write_text('source = "d.csv"\nclick = "click"\nconversion = "buy"\n')
    monkeypatch.chdir(tmp_path)
    before = names(tmp_path)
    given = ["--dataset", "d.toml", "--rounds", "2", "--stop-by", "gauc"]
    told = refused(run("tune", *given, "--n-trials", "1"))
    assert told == refused(run("compare", *given, "--model", "lightgbm", "--seeds", "1"))
    assert re.match(
        r"d.*: gauc has no value on validation, .* and no groups; stop by ctr_auc or another", told
    )
    assert names(tmp_path) == before
