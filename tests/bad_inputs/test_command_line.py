"""A table of command lines that cannot be: each ends in one line, with code 2, and no file has changed.

Almost all are refused before any data is read, so `simulated` stands for data of any size.
"""

import importlib
import json

import polars as pl
import pytest

from gbdt_pwiser.sources import load
from tests.bad_inputs.harness import refused
from tests.specs import spec_of

HARNESS = importlib.import_module("gbdt_pwiser.evaluation.compare")  # beside the function of that name
TINY = ["--rounds", "2", "--early-stopping", "2", "--threads", "1"]
SIMULATED = ["--dataset", "simulated", "--exposures", "800", "--ctr", "0.2", "--cvr", "0.3", *TINY]
COMPARE = ["compare", *SIMULATED, "--seeds", "1"]
TRAIN = ["train", *SIMULATED, "--output", "new"]
TUNE = ["tune", *SIMULATED]
PREDICT = [
    "predict",
    "--model",
    "model",
    "--input",
    "test.parquet",
    "--output",
    "p.parquet",
    "--threads",
    "1",
]
BEST = 'model = "xgboost"\n[loss]\n[parameters.bce]\n[parameters.pwiser]\nmax_depth = 2\n'


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a trained model and exposures to predict."""
    import sys

    from gbdt_pwiser.cli import main

    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(
            sys, "argv", ["gbdt-pwiser", "train", *SIMULATED, "--weight", "0.1", "--output", "model"]
        )
        main()
    test = load("simulated", n_exposures=800, ctr=0.2, cvr=0.3).split(0).test
    test.features.write_parquet(folder / "test.parquet")
    return folder


@pytest.fixture
def here(model, tmp_path, monkeypatch):
    """The current folder: a model, exposures, and files of other kinds; nothing can be trained in it."""
    (tmp_path / "model").symlink_to(model / "model")
    (tmp_path / "test.parquet").symlink_to(model / "test.parquet")
    (tmp_path / "best.toml").write_text(BEST)
    (tmp_path / "note.txt").write_text("not ours\n")
    for name in ("empty", "sets"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(HARNESS, "fit", None)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        # Numbers out of range.
        ([*TRAIN, "--seed", "-1"], "seed is -1; give a whole number from 0 to 2147483647"),
        ([*TRAIN, "--seed", "2147483648"], "seed is 2147483648; give a whole number from 0 to 2147483647"),
        ([*TRAIN, "--seed", "99999999999999999999"], "seed is 99999999999999999999; give a whole number"),
        ([*TRAIN, "--seed", "1e3"], "'1e3' is not a valid integer"),
        ([*TUNE, "--seed", "-1"], "seed is -1; give a whole number"),
        ([*TUNE, "--seed", "2147483645"], "seed is 2147483645; give a whole number from 0 to 2147483642"),
        ([*COMPARE, "--seeds", "-1"], "seeds is -1; give a whole number from 1 to 10000"),
        ([*COMPARE, "--seeds", "1000000000"], "seeds is 1000000000; give a whole number from 1 to 10000"),
        (
            [*COMPARE, "--rounds", "99999999999999999999"],
            "rounds is 99999999999999999999; give a whole number",
        ),
        ([*TRAIN, "--early-stopping", "0"], "early_stopping is 0; give a whole number from 1"),
        ([*COMPARE, "--threads", "-5"], "threads is -5; give a whole number from 0 to 1024"),
        ([*TUNE, "--threads", "100000"], "threads is 100000; give a whole number from 0 to 1024"),
        ([*PREDICT, "--threads", "-1"], "threads is -1; give a whole number from 0 to 1024"),
        ([*PREDICT, "--batch-size", "0"], "batch_size is 0; give a whole number from 1 to 2147483647"),
        ([*PREDICT, "--batch-size", "1e11"], "'1e11' is not a valid integer"),
        (
            [*PREDICT, "--batch-size", "100000000000"],
            "batch_size is 100000000000; give a whole number from 1",
        ),
        ([*COMPARE, "--bootstrap", "-1"], "replicates is -1; give a whole number from 0 to 100000"),
        ([*COMPARE, "--bootstrap", "1"], "replicates is 1; give at least 2, or 0 for no bootstrap"),
        ([*COMPARE, "--bootstrap", "1000000000"], "replicates is 1000000000; give a whole number from 0"),
        ([*COMPARE, "--exposures", "-1"], "n_exposures is -1"),
        ([*COMPARE, "--exposures", "1000000000000"], "n_exposures is 1000000000000"),
        ([*TUNE, "--n-trials", "-1"], "n_trials is -1; give a whole number from 1"),
        ([*TUNE, "--n-trials", "99999999999999999999"], "n_trials is 99999999999999999999; give a whole"),
        ([*TUNE, "--max-total-trials", "0"], "max_total_trials is 0; give a whole number from 1"),
        ([*TUNE, "--timeout", "nan"], "timeout is nan; give a positive number of seconds, or leave it out"),
        ([*TUNE, "--timeout", "inf"], "timeout is inf; give a positive number of seconds, or leave it out"),
        ([*TUNE, "--timeout", "-1"], "timeout is -1.0; give a positive number of seconds"),
        ([*COMPARE, "--learning-rate", "inf"], "learning_rate is inf; give a number above 0 and at most 1"),
        ([*COMPARE, "--learning-rate", "nan"], "learning_rate is nan; give a number above 0 and at most 1"),
        ([*TRAIN, "--learning-rate", "0"], "learning_rate is 0.0; give a number above 0 and at most 1"),
        ([*COMPARE, "--ctr", "nan"], "ctr is nan; give a rate in (0, 1)"),
        ([*COMPARE, "--cvr", "inf"], "cvr is inf; give a rate in (0, 0.7)"),
        ([*COMPARE, "--accidental-clicks", "nan"], "accidental_clicks is nan; give a share of the clicks"),
        (
            [*COMPARE, "--fractions", "nan,0.2,0.2"],
            "fractions are (nan, 0.2, 0.2); give three positive numbers",
        ),
        (
            [*COMPARE, "--fractions", "inf,0.2,0.2"],
            "fractions are (inf, 0.2, 0.2); give three positive numbers",
        ),
        ([*COMPARE, "--fractions", ""], "--fractions is ''; give numbers such as"),
        # Weights and margins.
        ([*TRAIN, "--weight", "1e30"], "weight is 1e+30; give a finite number of at least 0, at most 1e+06"),
        ([*COMPARE, "--weight", "nan"], "weight is nan; give a finite number of at least 0, at most 1e+06"),
        ([*TUNE, "--weight", "-0.1"], "weight is -0.1; give a finite number of at least 0, at most 1e+06"),
        ([*TRAIN, "--weight", ""], "--weight is ''; give numbers such as 0.01,0.03"),
        ([*TRAIN, "--weight", "0.1,,0.2"], "--weight is '0.1,,0.2'; give numbers such as 0.01,0.03"),
        ([*TRAIN, "--weight", "0.1,0.10"], "a weight of pwiser is named twice in 0.1, 0.1; name each once"),
        ([*COMPARE, "--click-margin", "1e30"], "click_margin is 1e+30; give a finite number of at least 0"),
        (
            [*COMPARE, "--impression-margin", "inf"],
            "impression_margin is inf; give a finite number",
        ),
        (
            [*TRAIN, "--loss", "weighted_bce", "--weight", "1e30"],
            "weighted_bce is 1e+30; give a number from 0",
        ),
        ([*COMPARE, "--rival-weight", ""], "--rival-weight is ''; give LOSS=NUMBERS"),
        ([*COMPARE, "--rival-weight", "weighted_bce"], "--rival-weight is 'weighted_bce'; give LOSS=NUMBERS"),
        ([*COMPARE, "--rival-weight", "weighted_bce=,"], "'weighted_bce=,'; give LOSS=NUMBERS such as"),
        ([*COMPARE, "--rival-weight", "=1"], "unknown loss ''; choose one of bce"),
        (
            [*COMPARE, "--rival-weight", "wieghted_bce=1"],
            "unknown loss 'wieghted_bce' (did you mean weighted_bce?)",
        ),
        ([*COMPARE, "--rival-weight", "pwiser=1"], "pwiser is no rival loss"),
        (
            [*COMPARE, "--loss", "bce", "--loss", "weighted_bce", "--rival-weight", "weighted_bce=nan"],
            "the weight of weighted_bce is nan; give a number from 0 to 1e+06",
        ),
        (
            [*COMPARE, "--loss", "bce", "--loss", "weighted_bce", "--rival-weight", "weighted_bce=1,1"],
            "a weight of weighted_bce is named twice in 1, 1",
        ),
        # Names, with the one that was meant.
        (
            [*COMPARE, "--device", "gpu"],
            "unknown device 'gpu' (did you mean cuda?); choose one of cpu, cuda, auto",
        ),
        ([*TUNE, "--device", "gpu"], "unknown device 'gpu' (did you mean cuda?)"),
        ([*PREDICT, "--device", "CPU"], "unknown device 'CPU' (did you mean cpu?)"),
        ([*COMPARE, "--device", "auto"], "device is 'auto'; lightgbm runs on cpu or cuda"),
        ([*COMPARE, "--device", ""], "unknown device ''"),
        ([*COMPARE, "--model", ""], "unknown model ''; choose one of lightgbm"),
        ([*TRAIN, "--model", ""], "unknown model ''; choose one of lightgbm"),
        ([*TUNE, "--model", "LightGBM"], "unknown model 'LightGBM' (did you mean lightgbm?)"),
        ([*COMPARE, "--loss", ""], "unknown loss ''; choose one of bce"),
        ([*TRAIN, "--loss", "pwise"], "unknown loss 'pwise' (did you mean pwiser?)"),
        ([*COMPARE, "--choose-by", "ctrauc"], "unknown metric 'ctrauc' (did you mean ctr_auc?)"),
        ([*TRAIN, "--choose-by", ""], "unknown metric ''; choose one of ctr_auc"),
        ([*TUNE, "--metric", "logloss"], "unknown metric 'logloss' (did you mean log_loss?)"),
        ([*TUNE, "--metric", "pcoc"], "cannot choose by 'pcoc', of which no value is the best"),
        ([*TUNE, "--pareto", "ctr_auc"], "pareto is ctr_auc; give two different metrics"),
        ([*TUNE, "--pareto", "ctr_auc,ctr_auc"], "pareto is ctr_auc, ctr_auc; give two different metrics"),
        ([*TUNE, "--pareto", "ctr_auc,gauc,ctr_auc"], "give two different metrics, as in ctr_auc,ctcvr_auc"),
        ([*TUNE, "--pareto", ""], "pareto is ; give two different metrics"),
        ([*TUNE, "--pareto", "ctr_auc, ctcvr_acu"], "unknown metric 'ctcvr_acu' (did you mean ctcvr_auc?)"),
        ([*TUNE, "--pareto", "ctr_auc,gauc", "--metric", "gauc"], "--pareto stands in place of --metric"),
        (
            [*TUNE, "--sampler", "tep"],
            "unknown sampler 'tep' (did you mean tpe?); choose one of tpe, gp, random",
        ),
        ([*TUNE, "--pruner", "hyperbands"], "unknown pruner 'hyperbands' (did you mean hyperband?)"),
        ([*TUNE, "--pruner", ""], "unknown pruner ''; choose one of median, hyperband, none"),
        ([*TUNE, "--space", "boosters"], "unknown space 'boosters' (did you mean booster?)"),
        ([*TUNE, "--study-name", ""], "--study-name is empty; give a value or leave it out"),
        ([*TUNE, "--storage", ""], "--storage is empty"),
        ([*TUNE, "--output", ""], "--output is empty"),
        ([*COMPARE, "--surrogate", "squared-hinge"], "'squared-hinge' (did you mean squared_hinge?)"),
        ([*COMPARE, "--scale", "logits"], "unknown scale 'logits' (did you mean logit?)"),
        ([*COMPARE, "--pairs", "groups"], "unknown pairs 'groups' (did you mean group?)"),
        ([*COMPARE, "--calibrate", "isotone"], "unknown calibration 'isotone' (did you mean isotonic?)"),
        ([*TRAIN, "--calibrate", ""], "unknown calibration ''; choose one of none, isotonic, sigmoid"),
        ([*COMPARE, "--model", "dnn", "--network", "embeding=4"], "'embeding' (did you mean embedding?)"),
        ([*COMPARE, "--network", "embedding"], "network setting 'embedding' has no value; write KEY=VALUE"),
        ([*COMPARE, "--network", "=1"], "unknown network setting ''"),
        (
            [*COMPARE, "--network", "embedding=1e12"],
            "network setting embedding is '1e12'; give a whole number",
        ),
        (
            [*COMPARE, "--network", "embedding=1000000000000"],
            "embedding is 1000000000000; give a whole number from 1",
        ),
        ([*COMPARE, "--network", "bottom=64,-1"], "bottom is (64, -1); give a tuple of 1 to 64 widths"),
        ([*COMPARE, "--network", "dropout=nan"], "dropout is nan; give a number from 0 to below 1"),
        # A file of a search beside options.
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
        # A cluster.
        ([*COMPARE, "--model", "xgboots", "--dask", "tcp://127.0.0.1:1"], "unknown model 'xgboots'"),
        (
            [*COMPARE, "--model", "lightgbm", "--dask", "tcp://127.0.0.1:1"],
            "lightgbm cannot be trained with Dask",
        ),
        ([*TRAIN, "--model", "xgboost", "--dask", ""], "--dask is empty; give a value or leave it out"),
        (
            [*TRAIN, "--model", "xgboost", "--dask", "nonsense://x"],
            "no Dask scheduler answers at nonsense://x",
        ),
        (
            [*TRAIN, "--model", "xgboost", "--dask", "tcp://127.0.0.1:notaport"],
            "no Dask scheduler answers at tcp",
        ),
        # Files and folders of another kind.
        ([*PREDICT, "--model", "empty"], "empty is no model folder"),
        ([*PREDICT, "--model", "note.txt"], "note.txt is no model folder"),
        ([*PREDICT, "--model", ""], "--model is empty"),
        ([*PREDICT, "--input", "note.txt"], "note.txt is no Parquet file"),
        ([*PREDICT, "--input", ""], "--input is empty"),
        ([*PREDICT, "--keep", ""], "to keep; known: categorical_1"),
        (["report", "empty"], "results.parquet is not a file"),
        (["report", "note.txt"], "note.txt"),
        (["report", ""], "is empty"),
        (["datasets", "--data-dir", "note.txt"], "note.txt"),
        (["datasets", "--data-dir", ""], "--data-dir is empty"),
        ([*COMPARE, "--data-dir", "note.txt"], "note.txt"),
        (["prepare", "--dataset", "us", "--source", "/dev/null", "--data-dir", "sets"], "/dev/null"),
        (["prepare", "--dataset", "us", "--source", "note.txt", "--data-dir", "sets"], "note.txt"),
        (["prepare", "--dataset", "ccp", "--source", "note.txt", "--data-dir", "sets"], "note.txt"),
        (["prepare", "--dataset", "us", "--source", "empty", "--data-dir", "sets"], "empty"),
        (["prepare", "--dataset", "", "--source", "empty", "--data-dir", "sets"], "''"),
        (["prepare", "--dataset", "us", "--source", "", "--data-dir", "sets"], "--source is empty"),
        (
            ["prepare", "--dataset", "ccp", "--source", "empty", "--rare", "-1", "--data-dir", "sets"],
            "rare is -1",
        ),
        (
            [
                "prepare",
                "--dataset",
                "ccp",
                "--source",
                "empty",
                "--rare",
                "99999999999999999999",
                "--data-dir",
                "sets",
            ],
            "rare is 99999999999999999999; give a whole number",
        ),
        (
            [
                "prepare",
                "--dataset",
                "us",
                "--source",
                "empty",
                "--skip-bad-lines",
                "-1",
                "--data-dir",
                "sets",
            ],
            "skip_bad_lines is -1",
        ),
    ],
    ids=lambda value: " ".join(value[:1] + value[-2:]) if isinstance(value, list) else "",
)
def test_a_command_that_cannot_be(run, here, arguments, message):
    if "Dask" in message:
        pytest.importorskip("distributed")
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


def test_one_rule_for_a_search_file_beside_options(run, model, tmp_path, monkeypatch):
    """Compare and train alike: what is given on the command line wins, but for another model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "best.toml").write_text(
        BEST.replace("[loss]", '[training]\nrounds = 3\n[loss]\nsurrogate = "logistic"')
    )
    data = [*SIMULATED[: -len(TINY)], *TINY[2:]]
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


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("results.parquet", b"junk"),
        ("results.parquet", b""),
        ("details.json", b"junk"),
        ("details.json", b"[]"),
        ("details.json", b'{"format": 1}'),
        ("details.json", b'{"format": 2}'),
        ("details.json", b"\xff"),
    ],
)
def test_a_comparison_whose_files_are_damaged(run, here, name, content, results_folder):
    for file in results_folder.iterdir():
        (here / "empty" / file.name).write_bytes(file.read_bytes())
    (here / "empty" / name).write_bytes(content)
    assert name in refused(run, here, "report", "empty")


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.drop("metric"),
        lambda frame: frame.with_columns(pl.lit(1).alias("more")),
        lambda frame: frame.head(0),
        lambda frame: frame.with_columns(pl.lit("x").alias("split")),
        lambda frame: frame.with_columns(pl.lit("x").alias("metric")),
        lambda frame: frame.with_columns(pl.lit(None, dtype=pl.Float64).alias("value")),
        lambda frame: frame.with_columns(pl.lit("x").alias("value")),
        lambda frame: pl.concat([frame, frame]),
        lambda frame: frame.head(3),
    ],
)
def test_results_that_no_comparison_has(run, here, change, results_folder):
    for file in results_folder.iterdir():
        (here / "empty" / file.name).write_bytes(file.read_bytes())
    path = here / "empty" / "results.parquet"
    change(pl.read_parquet(path)).write_parquet(path)
    refused(run, here, "report", "empty")


@pytest.fixture(scope="module")
def results_folder(tmp_path_factory):
    """What a comparison leaves, without the page."""
    from gbdt_pwiser.evaluation import Details, compare, write_details, write_results
    from gbdt_pwiser.sources import load as load_data

    folder = tmp_path_factory.mktemp("compared")
    details = Details()
    base = spec_of("lightgbm", rounds=2, early_stopping=2, threads=1)
    dataset = load_data("simulated", n_exposures=800, ctr=0.2, cvr=0.3)
    results = compare(
        dataset,
        models=["lightgbm"],
        losses=["bce", "pwiser"],
        seeds=[0],
        base=base,
        replicates=0,
        details=details,
    )
    write_results(results, folder / "results.parquet")
    write_details(details, folder / "details.json")
    assert json.loads((folder / "details.json").read_text())["format"] == 1
    return folder
