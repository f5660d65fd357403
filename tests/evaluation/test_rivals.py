"""Rival losses in a comparison: which are run for which model, with which weights."""

import numpy as np
import pytest

from gbdt_pwiser.evaluation import compare
from gbdt_pwiser.models import LOSSES
from gbdt_pwiser.objectives import InputError
from tests.comparison import HARNESS
from tests.specs import spec_of, varied

BASE = spec_of("lightgbm", rounds=4, early_stopping=2, learning_rate=0.2, threads=1)


def test_a_loss_is_run_for_the_models_that_have_it(dataset):
    rows = compare(
        dataset,
        models=["lightgbm", "xgboost"],
        losses=["lambdarank", "bce", "weighted_bce", "rank_pairwise"],
        seeds=[0],
        base=BASE,
        replicates=0,
        rival_weights={"weighted_bce": [2.0], "rank_pairwise": [7.0]},
    )
    weights = {}
    for row in rows:
        weights.setdefault((row.model, row.loss), set()).add(row.weight)
    chosen = weights.pop(("lightgbm", "lambdarank"))
    assert weights == {
        ("lightgbm", "bce"): {0.0},
        ("lightgbm", "weighted_bce"): {2.0},
        ("xgboost", "bce"): {0.0},
        ("xgboost", "weighted_bce"): {2.0},
        ("xgboost", "rank_pairwise"): {7.0},
    }
    assert len(chosen) == 1
    assert chosen < set(LOSSES["lambdarank"].weights)
    assert all(np.isfinite(row.value) for row in rows if row.metric == "ctr_auc")


@pytest.mark.parametrize("tuned_bce", [False, True])
def test_what_is_tried(dataset, monkeypatch, tuned_bce):
    """Each loss its own weights, on the base, or on what a search found for bce."""
    tried = []

    class EnoughError(Exception):
        pass

    def choose(candidates, *args, **options):
        tried.append(candidates)
        raise EnoughError

    monkeypatch.setattr(HARNESS, "choose", choose)
    tuned = {"bce": varied(BASE, learning_rate=0.3)} if tuned_bce else {}
    for loss in ("bce", "pwiser", "weighted_bce", "lambdarank"):
        with pytest.raises(EnoughError):
            compare(
                dataset,
                models=["lightgbm"],
                losses=[loss],
                seeds=[3],
                weights=[0.1, 0.2],
                rival_weights={loss: [4, 5]} if loss == "lambdarank" else None,
                base=BASE,
                tuned=tuned,
            )
    assert [[(spec.loss, spec.weight) for spec in specs] for specs in tried] == [
        [("bce", 0.0)],
        [("pwiser", 0.1), ("pwiser", 0.2)],
        [("weighted_bce", weight) for weight in LOSSES["weighted_bce"].weights],
        [("lambdarank", 4.0), ("lambdarank", 5.0)],
    ]
    assert {spec.settings.learning_rate for specs in tried for spec in specs} == {0.3 if tuned_bce else 0.2}
    assert {spec.seed for specs in tried for spec in specs} == {3}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"losses": ["bce", "lambdarank"], "models": ["xgboost", "dnn"]},
            "lambdarank exists for lightgbm only, and the models are xgboost, dnn; add one that has it",
        ),
        ({"losses": ["bce", "wieghted_bce"]}, r"unknown loss 'wieghted_bce' \(did you mean weighted_bce\?\)"),
        ({"rival_weights": {"lambdarank": [1.0]}}, "weights are given for lambdarank, which is not compared"),
        ({"rival_weights": {"pwiser": [1.0]}}, "pwiser is no rival loss; the weights of pwiser are given by"),
        ({"rival_weights": {"weighted_bce": []}}, "no weight to try; give at least one for weighted_bce"),
        (
            {"rival_weights": {"weighted_bce": [1.0, -1.0]}},
            r"the weight of weighted_bce is -1\.0; give a num",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_trained(
    dataset, monkeypatch, options, message
):
    monkeypatch.delattr(HARNESS, "choose")
    asked = {"models": ["lightgbm"], "losses": ["bce", "weighted_bce"], "seeds": [0], "base": BASE}
    with pytest.raises(InputError, match=message):
        compare(dataset, **{**asked, **options})
