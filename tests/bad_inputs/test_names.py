"""Names on the command line that nothing has, with the one that was meant.

Refused before any data is read, so `simulated` stands for data of any size.
"""

import pytest

from tests.bad_inputs.harness import COMPARE, PREDICT, TRAIN, TUNE, ends, refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
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
        ([*COMPARE, "--stop-by", "ndgc@5"], "unknown metric 'ndgc@5' (did you mean ndcg@5?)"),
        ([*TRAIN, "--stop-by", ""], "unknown metric ''; choose one of ctr_auc"),
        (
            [*TUNE, "--stop-by", "log_loss"],
            "cannot stop by 'log_loss', which needs more",
        ),
        ([*TRAIN, "--set", "booster.stop_by=5"], "unknown metric '5'; choose one of ctr_auc"),
        ([*TUNE, "--metric", "logloss"], "unknown metric 'logloss' (did you mean log_loss?)"),
        ([*TUNE, "--metric", "pcoc"], "cannot choose by 'pcoc', of which no value is the best"),
        ([*TUNE, "--pareto", "ctr_auc"], "pareto is ctr_auc; give two different metrics"),
        ([*TUNE, "--pareto", "ctr_auc,ctr_auc"], "pareto is ctr_auc, ctr_auc; give two different metrics"),
        (
            [*TUNE, "--pareto", "ctr_auc,gauc,ctr_auc"],
            "give two different metrics, as in ctr_auc,conversion_auc",
        ),
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
    ],
    ids=ends,
)
def test_a_command_that_cannot_be(run, here, arguments, message):
    assert message in refused(run, here, *arguments)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Simulated", "unknown data set 'Simulated', did you mean simulated?; choose one of us, nl"),
        ("simulation", "did you mean simulated?"),
        ("US", "did you mean us?"),
        ("", "unknown data set ''; choose one of us"),
        ("gone.toml", "gone.toml: there is no such file; give the path of a description"),
        ("folder.toml", "folder.toml: it cannot be read (Is a directory); give the path of a description"),
        ("folder", "unknown data set 'folder'; choose one of us"),
        ("~nobody-here/d.toml", "~nobody-here/d.toml is in the home of nobody"),
        ("d.csv", "d.csv has no description; write d.toml"),
        ("d.csv.gz", "d.csv.gz has no description; write d.toml"),
        ("d.parquet/", "d.parquet has no description; write d.toml"),
    ],
)
def test_no_such_data_set(run, folder, name, message):
    (folder / "folder.toml").mkdir()
    assert message in refused(run, folder, "compare", "--dataset", name)
