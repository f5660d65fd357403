"""A model that knows the page goes on with data that say the same of it, and with no others."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Split
from gbdt_pwiser.data.relative import Relative
from gbdt_pwiser.models import Manifest, continue_model, save_model
from gbdt_pwiser.objectives import InputError
from tests.models.helpers import PARTS, SPEC, TREES, fitted, make_split
from tests.specs import varied

COLUMN, POSITION = "numerical_24", "numerical_1"
RELATIVE = Relative("search", (COLUMN,))


def paged(seed=0, relative=RELATIVE, served_as=None):
    """A split whose description says so of the page."""
    plain = make_split(seed)
    parts = []
    for name in PARTS:
        part = getattr(plain, name)
        features = part.features
        if relative is not None:
            features = features.hstack(relative.features(features, part.group))
        served = {POSITION: 1.0} if served_as is None else served_as
        part = replace(part, features=features, relative=relative, served_as=served)
        parts.append(part if name == "train" else part.as_served())
    return Split(*parts)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    top = tmp_path_factory.mktemp("paged")
    for name in TREES:
        split = paged()
        save_model(fitted(varied(SPEC, model=name), split), top / name, split)
    return top


@pytest.mark.parametrize("model", TREES)
@pytest.mark.parametrize("refit", [None, 0.5])
def test_it_goes_on(model, refit, folders, tmp_path):
    went_on = continue_model(folders / model, paged(seed=1), refit=refit, threads=1)
    assert set(went_on.split.valid.features[POSITION]) == {1.0}
    assert went_on.split.train.features[POSITION].n_unique() > 5
    save_model(went_on.model, tmp_path / "next", went_on.split, continued=went_on.record)
    before, after = (Manifest.read(folder).columns for folder in (folders / model, tmp_path / "next"))
    assert after.record() == before.record()


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"relative": None}, f"lacks {COLUMN}_rank, {COLUMN}_difference; give the columns of training"),
        (
            {"relative": Relative("user", (COLUMN,))},
            f"{COLUMN}_rank is relative within user and was relative within search, {COLUMN}_difference is",
        ),
        ({"served_as": {}}, f"{POSITION} is numerical and was served as 1 in training"),
        ({"served_as": {POSITION: 2.0}}, f"{POSITION} is served as 2 and was served as 1 in training"),
    ],
)
def test_another_page_is_refused_by_name(split, message, folders):
    with pytest.raises(InputError, match=message):
        continue_model(folders / "lightgbm", paged(seed=1, **split), threads=1)


def test_columns_of_the_same_names_are_not_the_same(folders):
    made = paged(seed=1)
    plain = Split(*[replace(getattr(made, name), relative=None) for name in PARTS])
    told = rf"{COLUMN}_rank is numerical and was relative within search, .*; convert the values, or describe"
    with pytest.raises(InputError, match=told):
        continue_model(folders / "lightgbm", plain, threads=1)


def test_a_model_of_plain_columns_has_the_manifest_of_before(tmp_path):
    split = make_split()
    save_model(fitted(SPEC, split), tmp_path / "model", split)
    stored = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert {frozenset(entry) for entry in stored["columns"]} == {frozenset({"name", "kind"})}
    assert {entry["kind"] for entry in stored["columns"]} == {"numerical", "categorical"}


def test_the_constant_is_what_the_model_predicts_with(folders):
    split = paged()
    model = fitted(SPEC, split)
    true = paged(served_as={}).test
    assert not np.array_equal(model.predict(split.test).pctr, model.predict(true).pctr)
    as_one = replace(true, features=true.features.with_columns(pl.lit(1.0, pl.Float32).alias(POSITION)))
    np.testing.assert_array_equal(model.predict(split.test).pctr, model.predict(as_one).pctr)
