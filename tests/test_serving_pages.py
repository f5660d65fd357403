"""Predictions of a model that knows the page: the same in one table and in batches that would cut pages."""

import json
from importlib.util import find_spec

import numpy as np
import polars as pl
import pytest

import gbdt_pwiser.serving as serving
from gbdt_pwiser.data import pages
from gbdt_pwiser.models import make_model, save_model
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.serving import Predictor
from gbdt_pwiser.sources import load_description
from tests.models.helpers import SPEC
from tests.specs import varied

MODELS = [
    "lightgbm",
    "xgboost",
    pytest.param("dnn", marks=pytest.mark.skipif(not find_spec("torch"), reason="no torch")),
]
DESCRIPTION = """
source = "shown.parquet"
click = "click"
conversion = "buy"
group = "page"
categorical = ["shop"]
relative = ["price", "^s.*$"]
position = "rank"
position_at_serving = 1
"""


def frame(pages, seed=0):
    """Pages of 1 to 9 rows whose cheapest items are clicked, less so further down; some lack a price."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 10, pages)
    page = np.repeat(rng.permutation(pages), sizes)
    rows = len(page)
    rank = np.concatenate([np.arange(1, size + 1) for size in sizes])
    price = np.exp(rng.normal(size=pages)[page] + rng.normal(size=rows) * 0.3)
    table = pl.DataFrame(
        {
            "page": [f"page {i}" for i in page],
            "rank": rank,
            "price": price,
            "^s.*$": rng.integers(0, 5, rows),
            "shop": rng.integers(0, 4, rows),
        }
    )
    cheap = price < table.select(pl.col("price").median().over("page")).to_series().to_numpy()
    click = rng.random(rows) < np.where(cheap, 0.7, 0.2) / np.sqrt(rank)
    holes = pl.Series(rng.random(rows) < 0.1)
    return table.with_columns(
        click=click,
        buy=click & (rng.random(rows) < 0.4),
        price=pl.when(holes).then(None).otherwise(pl.col("price")),
    )


@pytest.fixture(scope="module")
def predictors(tmp_path_factory):
    """Predictors by model, made once."""
    top, made = tmp_path_factory.mktemp("paged"), {}
    frame(300).write_parquet(top / "shown.parquet")
    (top / "toy.toml").write_text(DESCRIPTION)
    split = load_description(top / "toy.toml").split()

    def predictor(name):
        if name not in made:
            model = make_model(varied(SPEC, model=name))
            model.fit(split.train, split.valid)
            save_model(model, top / name, split)
            made[name] = Predictor.load(top / name, threads=1), model, split
        return made[name]

    return predictor


@pytest.fixture
def new():
    return frame(60, seed=1).drop("click", "buy")


def of_file(predictor, table, folder, **options):
    table.write_parquet(folder / "new.parquet", row_group_size=37)
    predictor.predict_file(folder / "new.parquet", folder / "p.parquet", **options)
    return pl.read_parquet(folder / "p.parquet")


@pytest.mark.parametrize("name", MODELS)
def test_the_saved_model_predicts_the_table_it_was_tested_on(name, predictors):
    predictor, model, split = predictors(name)
    table = frame(300)
    ids = table["page"].rank("dense").cast(pl.Int64) - 1
    test = table.filter(ids.is_in(split.test.group))
    found = predictor.predict(test.drop("rank")).table  # which it does not need
    expected = model.predict(split.test)
    for column in found.columns:
        np.testing.assert_allclose(found[column], getattr(expected, column), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7, 50, 10_000])
def test_a_file_is_predicted_as_one_table(name, apart, batch_size, predictors, new, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "AT_A_TIME", 20)
    monkeypatch.setattr(serving, "BLOCK", 33)
    predictor, _, _ = predictors(name)
    if apart:
        new = new.sample(fraction=1.0, shuffle=True, seed=2)
    expected = predictor.predict(new).table
    found = of_file(predictor, new, tmp_path, batch_size=batch_size, keep=["page", "rank"])
    assert found.select("page", "rank").equals(new.select("page", "rank"))
    if name == "dnn":  # whose sums depend on how many rows there are
        np.testing.assert_allclose(found["pctr"], expected["pctr"], rtol=0, atol=1e-6)
    else:
        assert found.select(expected.columns).equals(expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.parquet", "p.parquet"]


def test_batches_end_where_pages_do(predictors, new, tmp_path, monkeypatch):
    predictor, _, _ = predictors("lightgbm")
    heights, predicted = [], Predictor._predicted
    monkeypatch.setattr(
        Predictor, "_predicted", lambda *given: heights.append(given[1].height) or predicted(*given)
    )
    of_file(predictor, new, tmp_path, batch_size=20)
    ends = np.flatnonzero(new["page"].to_numpy()[1:] != new["page"].to_numpy()[:-1]) + 1
    assert set(np.cumsum(heights)[:-1]) <= set(ends)
    assert max(heights) <= 20
    assert len(heights) < len(ends) / 2


def test_rows_of_other_pages_change_nothing(predictors, new):
    predictor, _, _ = predictors("xgboost")
    together = predictor.predict(new).table
    for page in new["page"].unique(maintain_order=True)[:5]:
        mask = new["page"] == page
        assert predictor.predict(new.filter(mask)).table.equals(together.filter(mask))


def test_the_page_decides(predictors):
    """The same item is the cheap one on one page and the dear one on another."""
    predictor, _, _ = predictors("lightgbm")
    table = pl.DataFrame(
        {
            "page": ["a", "a", "a", "b", "b", "b"],
            "price": [1.0, 2.0, 3.0, 1.0, 0.5, 0.3],
            "^s.*$": [1] * 6,
            "shop": [0] * 6,
        }
    )
    pctr = predictor.predict(table).table["pctr"]
    assert pctr[0] > 1.5 * pctr[3]


def test_true_positions_are_not_read(predictors, new):
    predictor, _, _ = predictors("lightgbm")
    expected = predictor.predict(new.drop("rank")).table
    for rank in (pl.lit(9), pl.lit("top"), pl.col("rank")):
        assert predictor.predict(new.with_columns(rank=rank)).table.equals(expected)


def test_columns_of_the_names_that_are_made_are_not_read(predictors, new):
    predictor, _, _ = predictors("lightgbm")
    own = new.with_columns(price_rank=pl.lit("x"), price_difference=pl.lit(9.0))
    assert predictor.predict(own).table.equals(predictor.predict(new).table)


def test_what_is_missing_is_refused(predictors, new, tmp_path):
    predictor, _, _ = predictors("lightgbm")
    told = r"lacks the group column page, within which the model compares price, \^s\.\*\$; give each row its"
    with pytest.raises(InputError, match=f"^the table {told} page$"):
        predictor.predict(new.drop("page"))
    with pytest.raises(InputError, match=told):
        of_file(predictor, new.drop("page"), tmp_path)
    with pytest.raises(InputError, match="lacks 1 of 3 feature columns: price; give"):
        predictor.predict(new.drop("price"))
    holes = new.with_columns(page=pl.when(pl.int_range(pl.len()) < 50).then(pl.col("page")))
    told = rf"group page is missing in {new.height - 50} rows \(the first is row 51\); give each row one"
    with pytest.raises(InputError, match=told):
        predictor.predict(holes)
    with pytest.raises(InputError, match=r"\(the first is row 51\); give each row one"):
        of_file(predictor, holes, tmp_path, batch_size=8)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.parquet"]


def test_no_rows(predictors, new, tmp_path):
    predictor, _, _ = predictors("lightgbm")
    assert of_file(predictor, new.clear(), tmp_path).height == 0


def test_the_command_line(run, tmp_path):
    """Train, compare, tune and predict from one description."""
    frame(300).write_parquet(tmp_path / "shown.parquet")
    frame(40, seed=3).drop("rank").write_parquet(tmp_path / "new.parquet")
    toml = tmp_path / "toy.toml"
    toml.write_text(DESCRIPTION)
    tiny = ["--rounds", "5", "--early-stopping", "2", "--threads", "1", "--dataset", toml]
    code, _, err = run("compare", "--loss", "bce", "--seeds", "1", *tiny, "--output", tmp_path / "compared")
    assert code == 0, err
    code, _, err = run("tune", "--n-trials", "1", *tiny, "--output", tmp_path / "tuned")
    assert code == 0, err
    code, _, err = run("train", "--weight", "0.1", *tiny, "--output", tmp_path / "model")
    assert (code, err) == (0, "")
    code, _, err = run(
        *("predict", "--model", tmp_path / "model", "--batch-size", "3"),
        *("--input", tmp_path / "new.parquet", "--output", tmp_path / "p.parquet"),
    )
    assert (code, err) == (0, "")
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert [entry["kind"] for entry in manifest["columns"]] == [
        *("position", "numerical", "numerical", "categorical"),
        *["relative"] * 4,
    ]
    code, _, err = run(
        *("train", "--from", tmp_path / "model", "--rounds", "2", "--threads", "1"),
        *("--dataset", toml, "--output", tmp_path / "next"),
    )
    assert (code, err) == (0, "")
    later = json.loads((tmp_path / "next" / "manifest.json").read_text())
    assert later["columns"] == manifest["columns"]
