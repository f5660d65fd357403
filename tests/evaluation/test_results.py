import json
import math
from dataclasses import replace

import polars as pl
import pytest

from gbdt_pwiser._files import replacing_file
from gbdt_pwiser.evaluation.results import (
    Result,
    check_complete,
    costs,
    format_table,
    read_results,
    records,
    summarize,
    write_results,
)
from gbdt_pwiser.objectives import InputError

# CTR AUC and PCOC of two losses over three seeds, chosen so that means and errors come out by head.
VALUES = {
    ("bce", "ctr_auc"): (0.70, 0.72, 0.74),
    ("pwiser", "ctr_auc"): (0.70, 0.74, 0.78),
    ("bce", "pcoc"): (1.0, 1.0, 1.0),
    ("pwiser", "pcoc"): (1.1, 1.1, 1.1),
    ("bce", "gauc_left_out"): (0.2, 0.3, 0.4),
    ("pwiser", "gauc_left_out"): (0.2, 0.3, 0.4),
}


@pytest.fixture
def results():
    return [
        Result(
            dataset="hand",
            model="lightgbm",
            loss=loss,
            seed=seed,
            split=split,
            metric=metric,
            value=value if split == "test" else 0.0,
            weight=0.0 if loss == "bce" else 0.01 * (seed + 1),
            rounds=100 + seed,
            size=130 + seed,
            fit_seconds=2.0,
            predict_seconds=0.5,
            versions="gbdt-pwiser 0.1.0",
        )
        for (loss, metric), values in VALUES.items()
        for seed, value in enumerate(values)
        for split in ("valid", "test")
    ]


def test_summary_by_hand(results):
    by = {(s.loss, s.metric): s for s in summarize(results)}
    bce, pwiser = by["bce", "ctr_auc"], by["pwiser", "ctr_auc"]
    assert (bce.seeds, bce.mean) == (3, pytest.approx(0.72))
    assert bce.standard_error == pytest.approx(0.02 / math.sqrt(3))  # deviation of .70 .72 .74 is .02
    assert math.isnan(bce.gain)
    # Paired gains .00 .02 .04: mean and deviation .02
    assert pwiser.gain == pytest.approx(0.02)
    assert pwiser.gain_standard_error == pytest.approx(0.02 / math.sqrt(3))
    assert pwiser.verdict == "unclear"
    assert by["pwiser", "pcoc"].verdict == "unclear"  # neither direction is better


@pytest.mark.parametrize(
    ("metric", "shift", "verdict"),
    [
        ("ctr_auc", 0.05, "better"),
        ("ctr_auc", -0.05, "worse"),
        ("ctr_auc", 0.0, "unclear"),
        ("log_loss", 0.05, "worse"),
        ("log_loss", -0.05, "better"),
    ],
)
def test_the_verdict_knows_which_way_is_better(results, metric, shift, verdict):
    rows = [
        replace(
            r,
            metric=metric,
            value=0.5 + 0.125 * r.seed + (r.loss == "pwiser") * (shift + 0.001 * r.seed),
        )
        for r in results
        if r.metric == "ctr_auc"
    ]
    assert summarize(rows)[-1].verdict == verdict


def test_one_seed_has_a_gain_but_no_error(results):
    one = [r for r in results if r.seed == 0]
    pwiser = next(s for s in summarize(one) if s.loss == "pwiser" and s.metric == "ctr_auc")
    assert (pwiser.gain, pwiser.verdict) == (0.0, "unclear")
    assert math.isnan(pwiser.standard_error)
    assert math.isnan(pwiser.gain_standard_error)
    assert "One seed: means have no error." in format_table(one)


def worse_by_two_errors(results):
    one = [r for r in results if r.seed == 0]
    return [replace(r, gain_error=0.01, value=0.7 - 0.02 * (r.loss == "pwiser")) for r in one]


def test_one_seed_has_the_error_of_its_test_sample(results):
    """-2 errors: p is twice the normal tail, .0455, and Holm leaves the only marked cell as it is."""
    one = [
        replace(r, gain_error=0.01, value=0.7 - 0.02 * (r.loss == "pwiser")) for r in results if r.seed == 0
    ]
    pwiser = next(s for s in summarize(one) if s.loss == "pwiser" and s.metric == "ctr_auc")
    assert (pwiser.gain, pwiser.gain_standard_error) == (pytest.approx(-0.02), 0.01)
    assert (pwiser.gain_low, pwiser.gain_high) == (
        pytest.approx(-0.0396, abs=1e-4),
        pytest.approx(-0.0004, abs=1e-4),
    )
    assert pwiser.p_value == pytest.approx(0.0455, abs=1e-4)
    assert pwiser.verdict == "worse"


def test_seeds_and_test_sample_share_the_error(results):
    """Variance of a mean gain: .03 ** 2 of the sample, .02 ** 2 / 3 of the gains .00 .02 .04."""
    tested = [replace(r, gain_error=0.03 if r.loss == "pwiser" else math.nan) for r in results]
    pwiser = next(s for s in summarize(tested) if s.loss == "pwiser" and s.metric == "ctr_auc")
    assert pwiser.gain_standard_error == pytest.approx(math.sqrt(0.03**2 + 0.02**2 / 3))


def test_marks_are_for_the_whole_table(results):
    """One gain with p = .0455 is marked alone, and not as one of two."""
    one = [
        replace(r, gain_error=0.01, value=0.7 - 0.02 * (r.loss == "pwiser")) for r in results if r.seed == 0
    ]
    alone = [r for r in one if r.metric == "ctr_auc"]
    other = [replace(r, metric="log_loss", gain_error=math.nan if r.loss == "bce" else 1.0) for r in alone]
    assert [s.verdict for s in summarize(alone)] == ["unclear", "worse"]
    assert [s.verdict for s in summarize(alone + other)] == ["unclear"] * 4


def test_without_a_baseline_there_is_no_gain(results):
    alone = [r for r in results if r.loss == "pwiser"]
    assert all(math.isnan(s.gain) for s in summarize(alone))
    assert "gain" not in format_table(alone)


def test_the_table_by_hand(results):
    assert format_table(results) == (
        "hand, test split, 3 seeds\n"
        "\n"
        "ranking (higher is better)\n"
        "model     loss       weight         CTR AUC\n"
        "lightgbm  bce             0   .7200 ± .0115\n"
        "lightgbm  pwiser  0.01–0.03   .7400 ± .0231\n"
        "            gain             +.0200 ± .0115\n"
        "\n"
        "calibration (lower loss, entropy and ECE are better; PCOC is best at 1)\n"
        "model     loss       weight          PCOC\n"
        "lightgbm  bce             0  1.000 ± .000\n"
        "lightgbm  pwiser  0.01–0.03  1.100 ± .000\n"
        "            gain                    +.100\n"
        "\n"
        "cost (means over the seeds)\n"
        "model     loss    rounds  trees or parameters  fit s  predict s\n"
        "lightgbm  bce        101                  131    2.0       0.50\n"
        "lightgbm  pwiser     101                  131    2.0       0.50\n"
        "\n"
        "± is the standard error over the seeds.\n"
        "gain: mean difference to the same model's bce, seed by seed; ± is of test sample and seeds.\n"
        "* survives Holm's correction for all gains above: the chance of any false mark is 5 %.\n"
        "GAUC leaves out 30.0% of the groups: without a click, or with clicks only."
    )


@pytest.mark.parametrize(
    ("bce", "pwiser", "advised"), [(1.0, 1.1, True), (1.1, 1.1, False), (1.0, 1.01, False), (None, 1.1, True)]
)
def test_calibration_is_advised_where_the_loss_moved_pcoc(results, bce, pwiser, advised):
    pcoc = {"bce": bce, "pwiser": pwiser}
    rows = [
        replace(r, value=pcoc[r.loss]) for r in results if r.metric == "pcoc" and pcoc[r.loss] is not None
    ]
    says = "lightgbm pwiser: PCOC on validation is 1.100; calibrate for bids (--calibrate isotonic)."
    assert (format_table(rows).splitlines()[-1] == says) == advised


def test_calibrated_results_have_a_block_of_their_own(results):
    better = [replace(r, split="test_isotonic", value=1.0) for r in results if r.split == "test"]
    lines = format_table(results + better).splitlines()
    start = lines.index("after isotonic calibration on validation")
    assert lines[start + 1].split() == ["model", "loss", "weight", "CTR", "AUC", "PCOC"]
    assert lines[start + 2].split() == [
        "lightgbm",
        "bce",
        "0",
        *("1.0000", "±", ".0000"),
        *("1.000", "±", ".000"),
    ]
    assert "--calibrate" not in lines[-1]
    assert [s.mean for s in summarize(results + better)] == [s.mean for s in summarize(results)]


def test_a_metric_that_is_always_nan_has_no_column(results):
    unknown = [replace(r, metric="gauc", value=math.nan) for r in results if r.metric == "ctr_auc"]
    assert format_table(results + unknown) == format_table(results)


def test_costs_by_hand(results):
    bce, pwiser = costs(results)
    assert (bce.loss, bce.rounds, bce.size) == ("bce", 101.0, 131.0)
    assert (bce.fit_seconds, bce.predict_seconds) == (2.0, 0.5)
    assert (bce.weight, pwiser.weight) == ("0", "0.01–0.03")


def test_a_hole_is_refused_by_name(results):
    gone = next(r for r in results if r.loss == "pwiser" and r.seed == 1 and r.split == "test")
    holed = [r for r in results if r is not gone]
    where = "dataset=hand, model=lightgbm, loss=pwiser, seed=1, split=test, metric=ctr_auc"
    for refuse in (check_complete, summarize, format_table):
        with pytest.raises(InputError, match=f"1 cells are missing, the first is {where}"):
            refuse(holed)


def test_a_double_is_refused_by_name(results):
    with pytest.raises(InputError, match=r"1 cells occur more than once.*dataset=hand.*seed=0, split=valid"):
        check_complete([*results, replace(results[0], value=0.9)])


def test_data_sets_need_not_share_their_cells(results):
    other = [replace(r, dataset="other") for r in results if r.metric == "pcoc" and r.seed < 2]
    check_complete(results + other)
    assert format_table(results + other).count("test split") == 2


def test_nothing_is_complete_and_prints_as_nothing():
    check_complete([])
    assert (summarize([]), costs([]), format_table([])) == ([], [], "")


def test_what_is_written_is_read(results, tmp_path):
    path = tmp_path / "new folder" / "results.parquet"
    results[0] = replace(results[0], value=math.nan)
    write_results(results, path)
    # repr, because a NaN does not equal itself
    assert repr(read_results(path)) == repr(results)
    write_results([], path)
    assert read_results(path) == []
    assert [p.name for p in path.parent.iterdir()] == ["results.parquet"]


def test_a_failed_write_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail_halfway():
        with replacing_file(path) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail_halfway()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_hold_no_results_are_refused(results, tmp_path):
    path = tmp_path / "results.parquet"
    with pytest.raises(InputError, match=r"is not a file; give the results\.parquet"):
        read_results(path)
    write_results(results, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="is not a whole Parquet file"):
        read_results(path)
    pl.DataFrame({"model": ["lightgbm"]}).write_parquet(path)
    with pytest.raises(InputError, match="has the columns model String; results have dataset String, model"):
        read_results(path)
    write_results(results, path)
    pl.read_parquet(path).with_columns(value=pl.lit(None, pl.Float64)).write_parquet(path)
    with pytest.raises(InputError, match="has empty cells in value"):
        read_results(path)


def test_records_are_json(results):
    rows = json.loads(json.dumps(records([*results, *summarize(results)]), allow_nan=False))
    assert rows[0]["metric"] == "ctr_auc"
    assert [row["gain"] for row in rows if "gain" in row and row["loss"] == "bce"] == [None] * 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"metric": "accuracy"}, "metric is 'accuracy'; choose one of ctr_auc"),
        ({"split": "train"}, "split is 'train'"),
    ],
)
def test_an_unknown_metric_or_split_is_refused(results, change, says):
    with pytest.raises(InputError, match=says):
        replace(results[0], **change)
