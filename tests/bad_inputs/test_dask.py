"""`--dask` with a cluster that does not answer, or for what it cannot train."""

import pytest

from tests.bad_inputs.harness import COMPARE, TRAIN, ends, refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*COMPARE, "--model", "xgboots", "--dask", "tcp://127.0.0.1:1"], "unknown model 'xgboots'"),
        (
            [*COMPARE, "--model", "lightgbm", "--dask", "tcp://127.0.0.1:1"],
            "lightgbm cannot be trained with Dask",
        ),
        (
            [*COMPARE, "--model", "xgboost", "--stop-by", "mrr", "--dask", "tcp://127.0.0.1:1"],
            "stop by ctr_auc alone, not by mrr; leave stop_by out, or train without Dask",
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
    ],
    ids=ends,
)
def test_a_command_that_cannot_be(run, here, arguments, message):
    if "Dask" in message:
        pytest.importorskip("distributed")
    assert message in refused(run, here, *arguments)
