"""The rows of a comparison: which belong together, and the file they are kept in."""

import json
import math
from dataclasses import replace

import polars as pl
import pytest

from gbdt_pwiser._files import replacing_file
from gbdt_pwiser.evaluation import summarize
from gbdt_pwiser.evaluation.results import check_complete, read_results, records, write_results
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.report.table import format_table


def test_a_hole_is_refused_by_name(results):
    gone = next(r for r in results if r.loss == "pwiser" and r.seed == 1 and r.split == "test")
    holed = [r for r in results if r is not gone]
    where = "dataset=hand, model=lightgbm, loss=pwiser, seed=1, split=test, metric=ctr_auc"
    for refuse in (check_complete, summarize, format_table):
        with pytest.raises(InputError, match=f"1 cells are missing, the first is {where}"):
            refuse(holed)


def with_models(results, losses):
    """The rows of each loss for the models that have it; losses by model."""
    return [
        replace(r, model=m, loss=own)
        for m, names in losses.items()
        for own in names
        for r in results
        if r.loss == "bce"
    ]


def test_a_loss_that_a_model_lacks_is_no_hole(results):
    ragged = {"lightgbm": ("bce", "lambdarank"), "xgboost": ("bce", "rank_pairwise"), "dnn": ("bce",)}
    check_complete(with_models(results, ragged))


@pytest.mark.parametrize("loss", ["pwiser", "weighted_bce"])
def test_a_loss_that_a_model_has_is_a_hole_where_it_is_missing(results, loss):
    rows = [
        r
        for r in with_models(results, {"lightgbm": ("bce", loss), "xgboost": ("bce", loss)})
        if not (r.model == "lightgbm" and r.loss == loss)
    ]
    where = f"dataset=hand, model=lightgbm, loss={loss}, seed=0, split=valid, metric=ctr_auc"
    with pytest.raises(InputError, match=f"18 cells are missing, the first is {where}"):
        check_complete(rows)


def test_a_loss_that_a_model_lacks_is_complete_where_it_was_trained(results):
    """Results of another version, say, which had it."""
    rows = with_models(results, {"dnn": ("bce",), "xgboost": ("bce", "lambdarank")})
    check_complete(rows)
    with pytest.raises(
        InputError, match=r"1 cells are missing, the first is .*model=xgboost, loss=lambdarank"
    ):
        check_complete(rows[:-1])


def test_a_double_is_refused_by_name(results):
    with pytest.raises(InputError, match=r"1 cells occur more than once.*dataset=hand.*seed=0, split=valid"):
        check_complete([*results, replace(results[0], value=0.9)])


def test_data_sets_need_not_share_their_cells(results):
    other = [replace(r, dataset="other") for r in results if r.metric == "pcoc" and r.seed < 2]
    check_complete(results + other)
    assert format_table(results + other).count("test split") == 2


def test_what_is_written_is_read(results, tmp_path):
    path = tmp_path / "new folder" / "results.parquet"
    results[0] = replace(results[0], value=math.nan)
    write_results(results, path)
    # repr, because a NaN does not equal itself
    assert repr(read_results(path)) == repr(results)
    write_results([], path)
    assert read_results(path) == []
    assert [p.name for p in path.parent.iterdir()] == ["results.parquet"]


def test_a_path_is_no_pattern(results, tmp_path):
    for folder, rows in (("o1", []), ("o[1]", results)):
        (tmp_path / folder).mkdir()
        write_results(rows, tmp_path / folder / "results.parquet")
    assert repr(read_results(tmp_path / "o[1]" / "results.parquet")) == repr(results)


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
        ({"metric": "accuracy"}, "unknown metric 'accuracy'; choose one of ctr_auc"),
        ({"split": "train"}, "unknown split 'train'"),
    ],
)
def test_an_unknown_metric_or_split_is_refused(results, change, says):
    with pytest.raises(InputError, match=says):
        replace(results[0], **change)
