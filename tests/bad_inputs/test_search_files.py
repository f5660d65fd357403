"""Files of a search, `best.toml` and its space: what they cannot say, and options that stand beside them."""

import pytest

from tests.bad_inputs.harness import BEST, COMPARE, DATA, TINY, TRAIN, TUNE, ends, refused
from tests.comparison import HARNESS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [*COMPARE, "--params", "best.toml", "--model", "lightgbm"],
            "best.toml is for xgboost, not lightgbm; leave",
        ),
        (
            [*TRAIN, "--params", "best.toml", "--model", "lightgbm"],
            "best.toml is for xgboost, not lightgbm; leave",
        ),
        (
            [*TRAIN, "--params", "best.toml", "--loss", "weighted_bce"],
            "best.toml holds bce and pwiser, not weighted",
        ),
        (
            [*COMPARE, "--params", "best.toml", "--sweep-weight", "0,1"],
            "--sweep-weight stands in place of --params",
        ),
        ([*COMPARE, "--params", ""], "--params is empty"),
        ([*COMPARE, "--params", "empty"], "empty cannot be read"),
        ([*TRAIN, "--params", "note.txt"], "note.txt cannot be read"),
        ([*TUNE, "--space-file", "absent.toml"], "absent.toml cannot be read as a search space"),
    ],
    ids=ends,
)
def test_a_command_that_cannot_be(run, here, arguments, message):
    assert message in refused(run, here, *arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wieght = 0.1", "best.toml cannot be used: the file has a key 'wieght'"),
        (
            'modle = "xgboost"',
            "the file has a key 'modle' (did you mean model?); leave it out, or give one of",
        ),
        ("[loss]\nsurogate = 1", "loss has a key 'surogate' (did you mean surrogate?)"),
        ("[loss]\nsurrogate = 3", "unknown surrogate 3; choose one of"),
        ("[loss]\nweight = true", "weight is True; give a number"),
        ("[loss]\nscale = { low = 1 }", "unknown scale {'low': 1}"),
        ('[training]\nrounds = "many"', "rounds is 'many'; give a whole number"),
        ("[training]\nround = 3", "training has a key 'round' (did you mean rounds?)"),
        ('[training]\nstop_by = "pcoc"', "cannot stop by 'pcoc', which needs more than the order of pCTR"),
        ("[training]\nstop_by = 5", "unknown metric 5; choose one of ctr_auc"),
        ("training = 3", "training is 3; make it a table"),
        ("[parameters.pwiser]\nmax_dept = 3", "has a parameter 'max_dept' (did you mean max_depth?)"),
        ('[parameters.pwiser]\nmax_depth = "deep"', "xgboost refuses max_depth = 'deep'"),
        ("[parameters.bce.max_depth]\nlow = 1", "max_depth of xgboost is {'low': 1}; give a number"),
        ("[parameters.bce]\nlearning_rate = inf", "learning_rate is inf; give a number"),
        ("[parameters.pwisr]\nmax_depth = 3", "parameters has a key 'pwisr' (did you mean pwiser?)"),
        ("parameters = []", "parameters is []; make it a table"),
        ('model = "xgbost"', "unknown model 'xgbost' (did you mean xgboost?)"),
        ("model = 3", "unknown model 3; choose one of"),
        ("recommended_weight = []", "weight is []; give a number"),
    ],
)
@pytest.mark.parametrize("command", [COMPARE, TRAIN], ids=["compare", "train"])
def test_a_key_of_best_toml_that_is_misspelt_or_of_another_kind(run, here, command, text, message):
    head, _, table = text.partition("\n")
    given = dict(line.split(" = ", 1) for line in ([text] if not head.startswith("[") else []))
    tables = {"loss": [], "training": [], "parameters.bce": [], "parameters.pwiser": []}
    if head.startswith("["):
        tables.setdefault(head.strip("[]"), []).append(table)
    tables = {name: lines for name, lines in tables.items() if name.partition(".")[0] not in given}
    lines = [f"{name} = {value}" for name, value in ({"model": '"xgboost"'} | given).items()]
    lines += [line for name, body in tables.items() for line in (f"[{name}]", *body)]
    (here / "best.toml").write_text("\n".join(lines) + "\n")
    told = refused(run, here, *command, "--params", "best.toml")
    assert message in told
    assert told.startswith("best.toml cannot be used: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wieght = 0.1", "has a parameter 'wieght' (did you mean weight?)"),
        ("num_leafs = { low = 7, high = 9 }", "has a parameter 'num_leafs' (did you mean num_leaf?)"),
        ("max_leaf_nodess = [7, 9]", "has a parameter 'max_leaf_nodess' (did you mean max_leaf_nodes?)"),
        ('num_leaves = ["few", "many"]', "lightgbm refuses num_leaves = 'few'"),
        ("num_leaves = { low = 2.5, high = 9.5 }", "lightgbm refuses num_leaves = 2.5"),
        ("weight = { low = 0.1, high = inf }", "low is 0.1 and high inf; give finite numbers"),
        (
            "weight = { low = 0.1, high = 1e9 }",
            "weight is 1000000000.0; give a finite number",
        ),
        ("weight = { low = 0.1, hihg = 1 }", "unknown keys hihg; give low, high and log"),
        ("weight = true", "weight is True; give a number"),
        ("surrogate = { low = 1, high = 2 }", "unknown surrogate 1"),
        ("learning_rate = [0.1, 7]", "learning_rate is 7; give a number above 0 and at most 1"),
        ("lambda_l2 = { low = 0.1, high = 1, log = 3 }", "log is 3; give true or false"),
        ("bagging_fraction = 2001-01-01", "lightgbm refuses bagging_fraction"),
        ("num_leaves = [[7], [9]]", "num_leaves"),
        ('objective = "regression"', "objective is a parameter that the loss decides"),
    ],
)
def test_a_key_of_a_space_file_that_is_misspelt_or_of_another_kind(run, here, text, message):
    (here / "space.toml").write_text(text)
    told = refused(run, here, *TUNE, "--space", "both", "--space-file", "space.toml")
    assert told.startswith("space.toml: ")
    assert message in told


def test_one_rule_for_a_search_file_beside_options(run, tmp_path, monkeypatch):
    """Compare and train alike: what is given on the command line wins, but for another model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "best.toml").write_text(
        BEST.replace("[loss]", '[training]\nrounds = 3\n[loss]\nsurrogate = "logistic"')
    )
    data = [*DATA, *TINY[2:]]  # without the rounds
    seen = []

    def fit(spec, *_):
        seen.append(spec)
        raise KeyboardInterrupt

    monkeypatch.setattr(HARNESS, "fit", fit)
    options = ["--params", "best.toml", "--loss", "pwiser"]
    for command in (["compare", "--seeds", "1"], ["train", "--output", "new"]):
        for more in ([], ["--weight", "0.5", "--surrogate", "hinge", "--rounds", "4", "--model", "xgboost"]):
            run(*command, *data, *options, *more)
    told = [
        (
            s.model,
            s.weight,
            s.pwiser.surrogate,
            *map(s.settings.value, ("rounds", "early_stopping", "params")),
        )
        for s in seen
    ]
    of_file = ("xgboost", 0.03, "logistic", 3, 2, {"max_depth": 2})
    changed = ("xgboost", 0.5, "hinge", 4, 2, {"max_depth": 2})
    assert told == [of_file, changed, of_file, changed]
