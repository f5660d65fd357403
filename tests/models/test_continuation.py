"""What a saved model goes on with, what is refused, and what a new manifest says of it."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Split
from gbdt_pwiser.models import Manifest, continue_model, load_model, save_model
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from tests.folders import snapshot
from tests.models.helpers import SPEC, TREES, changed, every_part, fitted
from tests.specs import varied

ROOT = Path(__file__).parents[2]
OTHERS = [
    "xgboost_shared",
    pytest.param("dnn", marks=pytest.mark.skipif(not find_spec("torch"), reason="no")),
]


def saved(folder, split, **values):
    save_model(fitted(varied(SPEC, **values), split), folder, split)
    return folder


@pytest.fixture(scope="module")
def folder(split, tmp_path_factory):
    """A model folder, for reading only."""
    return saved(tmp_path_factory.mktemp("went-on") / "model", split, loss="pwiser")


@pytest.mark.parametrize("model", OTHERS)
def test_only_pairs_of_boosters_go_on(model, split, tmp_path):
    folder = saved(tmp_path / "model", split, model=model)
    with pytest.raises(
        InputError, match=rf"{model} cannot be continued; train again \(lightgbm and xgboost can\)"
    ):
        continue_model(folder, split)


@pytest.mark.parametrize("model", TREES)
@pytest.mark.parametrize("refit", [None, 0.5])
def test_the_manifest_says_what_it_went_on_from(model, refit, split, tmp_path):
    folder = saved(tmp_path / "model", split, model=model)
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    before = load_model(folder)
    went_on = continue_model(folder, split, refit=refit, seed=7, threads=1)
    rounds = went_on.model.rounds_used - before.model.rounds_used
    record = {"from": digest, "created": before.manifest.created, "rounds": rounds, "refit": refit}
    assert went_on.record == record
    assert rounds == 0 if refit else rounds >= 1
    save_model(went_on.model, folder, went_on.split, continued=went_on.record)  # in its place
    reloaded = load_model(folder)
    assert reloaded.manifest.continued == record
    assert (reloaded.manifest.spec.loss, reloaded.manifest.spec.seed) == ("bce", 7)
    expected, found = (each.predict(split.test) for each in (went_on.model, reloaded.model))
    np.testing.assert_array_equal(found.pctr, expected.pctr)
    np.testing.assert_array_equal(found.pctcvr, expected.pctcvr)


def test_a_model_trained_from_scratch_has_the_manifest_of_before(folder):
    assert "continued" not in json.loads((folder / "manifest.json").read_text())
    assert Manifest.read(folder).continued is None


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("from", 3),
        ("created", None),
        ("rounds", -1),
        ("rounds", 1.5),
        ("refit", 2),
        ("refit", "x"),
        ("new", 1),
    ],
)
def test_a_damaged_record_is_refused(entry, value, split, tmp_path):
    folder = saved(tmp_path / "model", split)
    path = folder / "manifest.json"
    record = {"from": "ab", "created": "", "rounds": 3, "refit": None}
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | {"continued": record}))
    assert load_model(folder).manifest.continued == record
    path.write_text(json.dumps(stored | {"continued": record | {entry: value}}))
    with pytest.raises(InputError, match="is damaged"):
        load_model(folder)


def test_a_warm_up_is_over(split, tmp_path):
    pwiser = PWiseRLoss(weight=0.1, warm_up=3, click_margin="q50")
    folder = saved(tmp_path / "model", split, loss="pwiser", pwiser=pwiser)
    before = load_model(folder).model
    if not before.spec.pwiser.is_fixed:
        pytest.fail("the training was to outlast its warm-up")
    went_on = continue_model(folder, split, rounds=3, threads=1).model
    assert went_on.spec.pwiser == replace(before.spec.pwiser, warm_up=0)


def test_a_margin_without_a_number_is_refused(split, tmp_path):
    pwiser = PWiseRLoss(warm_up=50, click_margin="q50")
    folder = saved(tmp_path / "model", split, loss="pwiser", pwiser=pwiser)
    with pytest.raises(InputError, match=r"are q50 and 0\.3, and its training ended before the warm-up"):
        continue_model(folder, split)


def reordered(part):
    return replace(part, features=part.features.select(part.features.columns[::-1]))


def numerical_first(part):
    features = part.features.with_columns(pl.col("categorical_1").cast(pl.Float32))
    return replace(part, features=features, categorical=part.categorical[1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda part: changed(part, extra=pl.lit(1.0, pl.Float32)),
            "simulated adds extra; give the",
        ),
        (reordered, "has the feature columns in another order"),
        (
            lambda part: replace(part, features=part.features.drop("numerical_1")),
            "simulated lacks numerical_1; give the columns of training",
        ),
        (
            numerical_first,
            "categorical_1 is numerical and was codes in training; convert the values",
        ),
    ],
    ids=["more", "order", "fewer", "kind"],
)
def test_other_columns_are_refused(change, message, folder, split):
    with pytest.raises(InputError, match=message):
        continue_model(folder, every_part(split, change))


def test_refit_grows_nothing(folder, split):
    with pytest.raises(InputError, match="refit grows no trees, and rounds, stop_by is given"):
        continue_model(folder, split, refit=0.5, rounds=3, stop_by="gauc")


@pytest.mark.parametrize("model", TREES)
def test_new_categories_count_as_missing(model, split, tmp_path):
    """They come with other codes for the same values, in another order of them."""
    values = pl.Series([f"shop {code:02}" for code in range(50)])

    def named(part, names, codes):
        return replace(
            changed(part, categorical_1=codes),
            categories={**dict.fromkeys(part.categorical, values), **names},
        )

    first = every_part(split, lambda part: named(part, {}, pl.col("categorical_1")))
    folder = saved(tmp_path / "model", first, model=model)
    others = pl.concat([pl.Series(["new"]), values.reverse()])
    flipped = pl.lit(50, pl.Int32) - pl.col("categorical_1")
    second = every_part(split, lambda part: named(part, {"categorical_1": others}, flipped))
    plain, recoded = (continue_model(folder, each, rounds=3, threads=1) for each in (first, second))
    assert plain.unseen == recoded.unseen == {}
    expected = plain.model.predict(first.test).pctr
    np.testing.assert_array_equal(recoded.model.predict(recoded.split.test).pctr, expected)
    save_model(recoded.model, tmp_path / "next", recoded.split, continued=recoded.record)
    assert load_model(tmp_path / "next").manifest.columns.categories["categorical_1"].equals(values)
    third = every_part(split, lambda part: named(part, {"categorical_1": others}, pl.lit(0, pl.Int32)))
    gone = continue_model(folder, third, rounds=3, threads=1)
    rows = sum(len(part) for part in (split.train, split.valid, split.test))
    assert gone.unseen == {"categorical_1": rows}
    assert gone.split.train.features["categorical_1"].null_count() == len(split.train)


@pytest.mark.parametrize("model", TREES)
def test_a_day_whose_clicks_are_all_alike_keeps_the_conversion_booster(model, split, tmp_path):
    """Where every clicked exposure of validation or train converts, there is nothing to tell apart."""
    folder = saved(tmp_path / "model", split, model=model)
    alike = Split(
        replace(split.train, grade=np.where(split.train.click, 2, 0).astype(np.int8)), split.valid, split.test
    )
    before = load_model(folder, threads=1).model.predict(split.test).pcvr
    for refit in (None, 0.5):
        went_on = continue_model(folder, alike, refit=refit, threads=1).model
        np.testing.assert_array_equal(went_on.predict(split.test).pcvr, before)


@pytest.mark.parametrize("model", TREES)
def test_a_conversion_booster_begins_where_there_was_none(model, split, tmp_path):
    alike = every_part(split, lambda part: replace(part, grade=np.where(part.click, 2, 0).astype(np.int8)))
    folder = saved(tmp_path / "model", alike, model=model)
    assert (load_model(folder).model.predict(split.test).pcvr == 1).all()
    went_on = continue_model(folder, split, threads=1).model
    assert len(np.unique(went_on.predict(split.test).pcvr)) > 1


KILLED = """
import os, signal, sys
from gbdt_pwiser.models import Manifest, continue_model, save_model
from tests.models.helpers import make_split

def killed(manifest, folder):
    assert (folder / "click.txt").is_file()  # what is new lies beside what was
    os.kill(os.getpid(), signal.SIGKILL)

Manifest.write = killed
went_on = continue_model(sys.argv[1], make_split(), threads=1)
save_model(went_on.model, sys.argv[1], went_on.split, continued=went_on.record)
"""


def test_killed_while_it_writes_it_leaves_the_old_model(split, tmp_path):
    folder = saved(tmp_path / "model", split)
    before, pctr = snapshot(folder), load_model(folder).model.predict(split.test).pctr
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", KILLED, folder], cwd=ROOT, env=environment, timeout=120)
    assert done.returncode == -signal.SIGKILL
    left = snapshot(folder)
    assert {path: left[path] for path in before} == before
    np.testing.assert_array_equal(load_model(folder).model.predict(split.test).pctr, pctr)
    went_on = continue_model(folder, split, threads=1)
    save_model(went_on.model, folder, went_on.split, continued=went_on.record)
    assert load_model(folder).manifest.continued == went_on.record
    assert set(snapshot(folder)) == set(before)  # what the killed one left is gone
