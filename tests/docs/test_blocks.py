"""What the README and the pages print works: Python runs in order, descriptions and commands parse."""

import re
import tomllib
from dataclasses import fields
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path

import click
import numpy as np
import pytest

from gbdt_pwiser.cli import cli
from gbdt_pwiser.models import LOSSES, MODELS
from gbdt_pwiser.sources import Description
from gbdt_pwiser.tuning import Choice, read_space, search_space
from tests.docs.pages import ROOT, blocks, commands, pages, pages_with, text_of

# Pages whose code reads a trained model, with the tests that train one and run it.
ELSEWHERE = {
    "docs/guides/export.md": "tests/export/test_onnx.py",
    "docs/guides/serving.md": "tests/test_serving.py",
}
SPACE = "docs/guides/tuning.md"  # whose TOML is the space of a search, and no description
NEEDS = {
    "docs/explanation/networks.md": "torch",
    "docs/guides/distributed.md": "distributed",
    "docs/guides/gpu.md": "torch",
}


def exposures(rows=2000):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 3))
    click = rng.random(rows) < 1 / (1 + np.exp(1 - X[:, 0]))
    return {"X": X, "click": click, "conversion": click & (X[:, 1] > 0.5)}


def with_an_old_booster():
    import lightgbm as lgb

    from gbdt_pwiser import make_dataset, pwiser_objective

    names = exposures()
    train = make_dataset(names["X"], names["click"], names["conversion"])
    params = {"objective": pwiser_objective, "verbose": -1, "num_threads": 1}
    return {**names, "train": train, "params": params, "old": lgb.train(params, train, 20)}


def on_a_cluster(monkeypatch):
    import dask.array as da
    import distributed

    at_home = distributed.Client

    def client(address):
        assert address == "tcp://scheduler:8786"
        return at_home(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None)

    monkeypatch.setattr(distributed, "Client", client)
    names = exposures(400)
    return {"features" if n == "X" else n: da.from_array(v.astype(np.float32)) for n, v in names.items()}


def names_before(page, monkeypatch):
    """Return what the reader of a page has before its first block."""
    match page:
        case "docs/explanation/loss.md":
            return with_an_old_booster()
        case "docs/guides/distributed.md":
            return on_a_cluster(monkeypatch)
    return {}


@pytest.mark.parametrize("page", [page for page in pages_with("python") if page not in ELSEWHERE])
def test_python_runs_in_order(page, tmp_path, monkeypatch):
    pytest.importorskip(NEEDS.get(page, "numpy"))
    import sklearn

    monkeypatch.chdir(tmp_path)
    names = names_before(page, monkeypatch)
    try:
        with sklearn.config_context():
            for number, block in enumerate(blocks(page, "python")):
                exec(compile(block, f"{page}, block {number}", "exec"), names)
                if "pctr" in names and "click" in names:  # boosting kept the level of the mean click
                    assert ((names["pctr"] > 0) & (names["pctr"] < 1)).all()
                    assert abs(np.mean(names["pctr"]) - np.mean(names["click"])) < 0.02
    finally:
        if "client" in names:
            names["client"].close()
    check = CHECKS.get(page)
    if check:
        check(names)


def same_as_forty_rounds(names):
    import lightgbm as lgb

    from gbdt_pwiser import make_dataset

    train = make_dataset(names["X"], names["click"], names["conversion"])
    booster = lgb.train(names["params"], train, 40)
    raw = booster.predict(names["X"], raw_score=True) + train.get_init_score()[0]
    np.testing.assert_allclose(names["pctr"], 1 / (1 + np.exp(-raw)), rtol=0, atol=1e-9)
    assert [trees for trees, _ in names["objective"].activity] == list(range(20))


def searched_and_calibrated(names):
    assert names["calibrated"].predict_proba(names["X"]).shape == (1500, 2)
    assert names["search"].cv_results_["mean_test_score"].shape == (3,)


def both_tasks_are_ranked(names):
    from gbdt_pwiser.objectives import auc

    click = names["click"]
    assert auc(names["pctr"], click) > 0.7
    assert auc(names["pcvr"][click], names["conversion"][click]) > 0.7


def shapes_and_grades(names):
    assert names["grade"].tolist() == [0, 1, 2, 3]
    assert names["grad"].shape == names["hess"].shape == (4,)


def tensors(names):
    assert type(names["grad"]) is type(names["hess"]) is type(names["scores"])


def predictions_are_probabilities(names):
    assert (names["predictions"].pctcvr > 0).all()


def two_hundred_trees(names):
    assert names["booster"].num_boosted_rounds() == 200


CHECKS = {
    "docs/explanation/loss.md": same_as_forty_rounds,
    "docs/explanation/multi_task.md": both_tasks_are_ranked,
    "docs/explanation/networks.md": predictions_are_probabilities,
    "docs/explanation/open_conversions.md": shapes_and_grades,
    "docs/guides/distributed.md": two_hundred_trees,
    "docs/guides/gpu.md": tensors,
    "docs/guides/sklearn.md": searched_and_calibrated,
}


@pytest.mark.parametrize("page", ELSEWHERE)
def test_what_runs_elsewhere_is_read_there(page):
    named = " / ".join(f'"{part}"' for part in Path(page).parts)
    assert named in (ROOT / ELSEWHERE[page]).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [page for page in pages_with("toml") if page != SPACE])
def test_descriptions_have_known_keys(page):
    known = {field.name for field in fields(Description)}
    for block in blocks(page, "toml"):
        assert set(tomllib.loads(block)) <= known


def test_the_space_of_a_search_is_one(tmp_path):
    (block,) = blocks(SPACE, "toml")
    (tmp_path / "space.toml").write_text(block)
    space = read_space(tmp_path / "space.toml", search_space("both", "lightgbm", grouped=False), "lightgbm")
    assert space.fixed["scale"] == "probability"
    assert space.parameters["surrogate"] == Choice(("hinge", "logistic"))


def check_command(words):
    """Parse a command as click does, without running it: options and arguments exist and have values."""
    words = list(takewhile(lambda word: word not in (">", "|"), words))  # what a shell is told goes beyond it
    command = cli.get_command(click.Context(cli), words[0])
    context = click.Context(command, info_name=words[0])
    given, rest, _ = command.make_parser(context).parse_args(list(words[1:]))
    assert not rest, rest
    for parameter in command.params:
        value = given.get(parameter.name)
        assert not (parameter.required and value is None), parameter.name
        if value is not None and not isinstance(parameter.type, click.Path):
            parameter.type_cast_value(context, value)
    models = given.get("models") or given.get("model")
    if words[0] in ("compare", "tune", "train"):
        assert set([models] if isinstance(models, str) else models or ()) <= set(MODELS)
    losses = given.get("losses") or given.get("loss")
    assert set([losses] if isinstance(losses, str) else losses or ()) <= set(LOSSES)


@pytest.mark.parametrize("page", [page for page in pages() if commands(page, "gbdt-pwiser")])
def test_commands_parse(page):
    for words in commands(page, "gbdt-pwiser"):
        check_command(words[1:])


@pytest.mark.parametrize(
    "words",
    [
        ["compare", "--dataset", "us", "--no-such-option"],
        ["compare"],
        ["compare", "--dataset", "us", "--seeds", "many"],
        ["train", "--dataset", "us", "--output", "m", "--model", "catboost"],
        ["check", "one.toml", "two.toml"],
    ],
)
def test_a_command_that_does_not_parse_is_found(words):
    with pytest.raises((AssertionError, click.ClickException)):
        check_command(words)


@pytest.mark.parametrize("page", [page for page in pages() if commands(page, "python -m benchmarks")])
def test_benchmarks_exist_and_have_the_options(page):
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").rglob("*.py"))
    for _, _, module, *arguments in commands(page, "python -m benchmarks"):
        assert find_spec(module), module
        for option in (word for word in arguments if word.startswith("--")):
            assert f'"{option}"' in sources, (module, option)


def test_options_in_the_running_text_exist():
    known = {
        option
        for name in cli.list_commands(click.Context(cli))
        for parameter in cli.get_command(click.Context(cli), name).get_params(click.Context(cli))
        for option in parameter.opts
    }
    for page in pages():
        if "development/" not in page:
            for code in re.findall(r"`(gbdt-pwiser [^`]+)`", text_of(page)):
                for word in code.split():
                    assert not word.startswith("--") or word in known, (page, word)
