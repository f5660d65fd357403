"""`gbdt-pwiser compare` with rival losses."""

import json

import pytest
from click.testing import CliRunner

from gbdt_pwiser.cli._compare import compare
from gbdt_pwiser.models import LOSSES

QUICK = ("compare", "--dataset", "simulated", "--exposures", 4000, "--ctr", 0.2, "--cvr", 0.3, "--seeds", 1)
QUICK += ("--rounds", 3, "--threads", 1, "--bootstrap", 0)


def test_rivals_are_compared_where_they_exist(run):
    losses = ("--loss", "bce", "--loss", "weighted_bce", "--loss", "lambdarank")
    weights = ("--rival-weight", "weighted_bce=2", "--rival-weight", "lambdarank=5")
    code, out, err = run(*QUICK, *losses, *weights, "--json")
    assert code == 0, err
    cells = {(row["model"], row["loss"], row["weight"]) for row in json.loads(out)}
    assert cells == {
        ("lightgbm", "bce", 0.0),
        ("lightgbm", "weighted_bce", 2.0),
        ("lightgbm", "lambdarank", 5.0),
        ("xgboost", "bce", 0.0),
        ("xgboost", "weighted_bce", 2.0),
    }
    assert "gbdt-pwiser: lambdarank exists for lightgbm only; left out for xgboost\n" in err


def test_the_table_may_be_ragged(run):
    code, out, err = run(
        *QUICK, "--loss", "bce", "--loss", "rank_pairwise", "--rival-weight", "rank_pairwise=0"
    )
    assert code == 0, err
    assert "rank_pairwise" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--loss", "bce", "--loss", "lambdarnk"), "unknown loss 'lambdarnk' (did you mean lambdarank?)"),
        (
            ("--model", "xgboost", "--loss", "bce", "--loss", "lambdarank"),
            "lambdarank exists for lightgbm only",
        ),
        (("--rival-weight", "lambdarank"), "--rival-weight is 'lambdarank'; give LOSS=NUMBERS such as"),
        (("--rival-weight", "lambdarank=a,2"), "--rival-weight is 'lambdarank=a,2'; give LOSS=NUMBERS"),
        (("--rival-weight", "lambdarank=1"), "weights are given for lambdarank, which is not compared"),
        (
            (
                "--loss",
                "weighted_bce",
                "--rival-weight",
                "weighted_bce=1",
                "--rival-weight",
                "weighted_bce=2",
            ),
            "--rival-weight names weighted_bce twice; name each loss once",
        ),
    ],
)
def test_refusals(run, arguments, message):
    code, out, err = run(*QUICK, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_the_help_names_every_loss():
    told = CliRunner().invoke(compare, ["--help"]).output
    assert all(name in told for name in LOSSES)
