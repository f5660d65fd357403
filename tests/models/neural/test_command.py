"""Networks on the command line, with and without PyTorch."""

import subprocess
import sys

import pytest

from gbdt_pwiser.evaluation import check_complete, read_results
from gbdt_pwiser.models import ModelSpec, make_model
from gbdt_pwiser.models.neural import NETWORKS, load_network
from gbdt_pwiser.objectives import InputError

TINY = ["--dataset", "simulated", "--exposures", "1500", "--ctr", "0.3", "--cvr", "0.3", "--threads", "1"]
TINY += ["--rounds", "4", "--seeds", "1", "--weight", "0.1"]
SMALL = ["embedding=2", "bottom=4", "towers=4", "experts=2", "epochs=2", "batch_size=256"]
SETTINGS = [word for setting in SMALL for word in ("--network", setting)]

# The command line as if PyTorch were not installed.
WITHOUT = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, Block())
from gbdt_pwiser.cli import main
main()
"""


def without_torch(*arguments):
    return subprocess.run([sys.executable, "-c", WITHOUT, *arguments], capture_output=True, text=True)


def test_trees_and_networks_in_one_table(run, tmp_path):
    pytest.importorskip("torch")
    models = ["--model", "lightgbm", "--model", "mmoe", "--model", "dnn"]
    code, out, err = run("compare", *TINY, *SETTINGS, *models, "--output", tmp_path)
    assert code == 0, err
    lines = [line.split()[:2] for line in out.splitlines()]
    for model in ("lightgbm", "mmoe", "dnn"):
        for loss in ("bce", "pwiser"):
            assert lines.count([model, loss]) == 4  # ranking, first places, calibration, cost
    results = read_results(tmp_path / "results.parquet")
    check_complete(results)
    for r in results:
        assert ("torch " in r.versions) == (r.model != "lightgbm")
        assert ("lightgbm " in r.versions) == (r.model == "lightgbm")
        if r.model == "lightgbm":
            assert r.rounds < r.size <= 2 * 4  # trees of both boosters
        else:
            assert r.rounds <= 2
            assert r.size > 500
    assert (tmp_path / "report.html").stat().st_size > 0


@pytest.mark.parametrize(
    ("setting", "message"),
    [("embeding=2", "did you mean embedding?"), ("embedding=two", "give a whole number")],
)
def test_a_wrong_setting_is_one_line_and_code_2(run, setting, message):
    code, out, err = run("compare", *TINY, "--model", "mmoe", "--network", setting)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert "choose one of embedding" in err or "The settings are embedding" in err


def test_without_torch_a_network_names_the_extra():
    done = without_torch("compare", *TINY, "--model", "lightgbm", "--model", "mmoe")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "gbdt-pwiser: model mmoe needs PyTorch (No module named 'torch'); install gbdt-pwiser[neural]\n"
    )


@pytest.mark.parametrize("model", NETWORKS)
def test_every_network_names_the_extra(monkeypatch, tmp_path, model):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=rf"model {model} needs PyTorch .*install gbdt-pwiser\[neural\]"):
        make_model(ModelSpec(model=model))
    with pytest.raises(InputError, match="a saved network needs PyTorch"):
        load_network(tmp_path / "model.pt")


def test_without_torch_the_boosters_work():
    done = without_torch("compare", *TINY, "--model", "lightgbm", "--model", "xgboost")
    assert (done.returncode, done.stderr) == (0, "")
    assert "xgboost   pwiser" in done.stdout


def test_importing_the_models_does_not_import_torch():
    code = "import sys, gbdt_pwiser.models, gbdt_pwiser.evaluation; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
