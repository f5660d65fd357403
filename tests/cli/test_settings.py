"""Settings of families of models on the command line: `--set`, and options that no model would take."""

import pytest

from gbdt_pwiser.models import load_model
from tests.command_line import SIMULATED, refused


def test_set_reaches_the_model_and_its_folder(run, tmp_path):
    train = ["train", *SIMULATED, "--model", "lightgbm", "--weight", "0.1", "--threads", "1"]
    given = ["--set", "booster.rounds=3", "--set", "booster.num_leaves=5", "--set", "booster.rounds=2"]
    code, _, err = run(*train, *given, "--output", tmp_path / "model")
    assert (code, err) == (0, "")
    settings = load_model(tmp_path / "model").manifest.spec.settings
    assert (settings.rounds, settings.params) == (2, {"num_leaves": 5})


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
