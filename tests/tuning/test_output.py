"""The files: best.toml and back, trials.parquet, JSON, and the page."""

import json
import math
import re
import tomllib
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pytest

from gbdt_pwiser.metrics import METRICS
from gbdt_pwiser.models import MODELS, ModelSpec, NetworkSettings
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.report.tuning import write_tuning_report
from gbdt_pwiser.tuning import read_params, record
from tests.specs import spec_of

BASE = spec_of("lightgbm", rounds=10, early_stopping=3, params={"max_bin": 63})


@pytest.fixture
def booster(search, monkeypatch, fake):
    monkeypatch.setitem(MODELS, "lightgbm", replace(MODELS["lightgbm"], make=fake))
    return lambda **options: search(**{"spec": BASE, "space": "both", "n_trials": 6, **options})


# ------------------------------------------------------------------------------ best.toml


def test_best_toml_gives_the_specs_back(booster, tmp_path):
    found = booster()
    path = tmp_path / "out" / "best.toml"
    specs = read_params(path, ModelSpec(model="xgboost", threads=2, seed=5))
    chosen = specs["pwiser"]
    assert (chosen.model, chosen.loss, chosen.threads, chosen.seed) == ("lightgbm", "pwiser", 2, 5)
    assert (chosen.settings.rounds, chosen.settings.early_stopping) == (10, 3)
    for spec, wanted in ((chosen, found.spec), (specs["bce"], found.twin)):
        assert dict(spec.settings.params) == dict(wanted.settings.params)
        assert spec.settings.learning_rate == wanted.settings.learning_rate
        assert spec.settings.params["max_bin"] == 63
    assert chosen.weight == found.best.weight
    assert (specs["bce"].loss, specs["bce"].weight) == ("bce", 0.0)
    assert tomllib.loads(path.read_text())["recommended_weight"] == found.recommended_weight
    assert found.verdict in path.read_text()


@pytest.mark.parametrize("name", ["ctr_auc", "ndcg@7"])
def test_best_toml_says_what_training_stops_by_whatever_is_searched_for(booster, tmp_path, name):
    booster(spec=spec_of("lightgbm", rounds=10, stop_by=name), metric="mrr", n_trials=2)
    path = tmp_path / "out" / "best.toml"
    assert tomllib.loads(path.read_text())["training"]["stop_by"] == name
    assert {spec.settings.stop_by for spec in read_params(path).values()} == {name}
    path.write_text(re.sub("stop_by = .*\n", "", path.read_text()))  # as of a version that had no other
    assert {spec.settings.stop_by for spec in read_params(path).values()} == {"ctr_auc"}


def test_a_chosen_bce_stays_a_pwiser_of_weight_0(search, fake, tmp_path):
    fake.quality = lambda self: 0.5 if self.spec.weight == 0 else 0.1
    found = search()
    assert found.best.weight == 0
    specs = read_params(tmp_path / "out" / "best.toml")
    assert (specs["pwiser"].loss, specs["pwiser"].weight) == ("pwiser", 0.0)


def test_a_network_keeps_what_is_not_its_default(search, tmp_path, fake):
    settings = NetworkSettings(bottom=(8, 4), epochs=3)
    found = search(spec=ModelSpec(model="fake", settings=settings), space="both", n_trials=3)
    spec = read_params(tmp_path / "out" / "best.toml")["pwiser"]
    assert spec.settings == found.spec.settings
    assert (spec.settings.bottom, spec.settings.epochs) == ((8, 4), 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model = ", "cannot be read"),
        ('model = "lightgbm"', "lacks loss"),
        ('model = "lightgbm"\n[loss]\n[parameters.bce]\n', "lacks pwiser"),
        (
            'model = "lightgbm"\n[loss]\nweight = -1\n[parameters.bce]\n[parameters.pwiser]\n',
            "weight is -1; give a finite",
        ),
        ('model = "lightgbm"\nloss = 1\n[parameters.bce]\n[parameters.pwiser]\n', "cannot be used"),
        (
            'model = "dnn"\n[loss]\n[parameters.bce]\nleaves = 1\n[parameters.pwiser]\n',
            "nor dnn has a parameter 'leaves'",
        ),
        (
            'model = "lightgbm"\n[loss]\n[parameters.bce]\n[parameters.pwiser]\n[training]\nrounds = 0\n',
            "rounds is 0",
        ),
    ],
)
def test_a_file_that_a_search_did_not_write(tmp_path, text, says):
    (tmp_path / "best.toml").write_text(text)
    with pytest.raises(InputError, match=says) as refused:
        read_params(tmp_path / "best.toml")
    assert "best.toml" in str(refused.value)
    with pytest.raises(InputError, match="absent"):
        read_params(tmp_path / "absent.toml")


def test_a_parameter_that_toml_cannot_hold(booster):
    with pytest.raises(InputError, match=r"a parameter is None, which best\.toml cannot hold"):
        booster(spec=spec_of("lightgbm", rounds=10, params={"max_bin": None}), n_trials=1)


# ------------------------------------------------------------------------------ trials.parquet, JSON


def test_trials_parquet_has_a_row_per_trial(booster, fake, tmp_path):
    def fit(self, train, valid, on_round=None):
        if self.spec.pwiser.surrogate == "logistic" and self.spec.loss == "pwiser":
            raise RuntimeError("none")

    fake.fit = fit
    found = booster(n_trials=12)
    frame = pl.read_parquet(tmp_path / "out" / "trials.parquet")
    assert frame.select("study", "number", "state", "error").rows() == [
        (t.study, t.number, t.state, t.error) for t in found.trials
    ]
    assert set(METRICS) <= set(frame.columns)
    for row, t in zip(frame.iter_rows(named=True), found.trials, strict=True):
        assert row["weight"] == t.weight
        assert row["num_leaves"] == t.parameters["num_leaves"]
        assert row["surrogate"] == t.parameters.get("surrogate")
        told = row["ctr_auc"]
        assert math.isnan(told) if t.state == "failed" else told == t.metrics["ctr_auc"]
    assert {"complete", "failed"} == set(frame["state"])


def test_the_record_is_json(booster):
    found = booster(pareto=("ctr_auc", "ctcvr_auc"))
    told = json.loads(json.dumps(record(found), allow_nan=False))
    assert told["metrics"] == ["ctr_auc", "ctcvr_auc"]
    assert told["recommended_weight"] == found.recommended_weight
    assert told["best"]["parameters"] == dict(found.best.parameters)
    assert len(told["trials"]) == told["finished"] == told["total"] == 6 + 6 + 4  # with weighted BCE's
    assert [t["number"] for t in told["front"]] == [t.number for t in found.front]


# ------------------------------------------------------------------------------ the page


class Page(HTMLParser):
    """Elements and text of a page; refuses tags that do not close."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.headings = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def page(found, path, **options):
    write_tuning_report(path, found, **{"title": "A <title>", "command": "gbdt-pwiser tune", **options})
    return path.read_text(encoding="utf-8")


def test_the_page_shows_the_search_and_asks_nothing_of_the_network(search, tmp_path):
    found = search(pareto=("ctr_auc", "ctcvr_auc"), n_trials=12)
    text = page(found, tmp_path / "tuning.html")
    read = Page(text)
    assert read.headings == [
        *("Gain on test", "On validation", "On test", "The weight path", "Pareto front", "History"),
        *("Slices", "Importance of the parameters", "How this was made"),
    ]
    drawings = [attributes for tag, attributes in read.elements if tag == "svg"]
    assert [d["role"] for d in drawings] == ["img"] * 6
    starts = ["Gain", "CTR", "Pareto", "CTR", "CTCVR", "Importance"]
    assert [d["aria-label"].split()[0] for d in drawings] == starts
    # A mark per complete trial in each of the three panels of the path.
    label = "CTR AUC, conversion AUC, CTCVR AUC"
    (path,) = re.findall(rf'<svg role="img" aria-label="{label}.*?</svg>', text, re.DOTALL)
    complete = sum(t.state == "complete" for t in found.trials)
    assert path.count("<use") >= 3 * complete
    for _, attributes in read.elements:
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    assert "//" not in text
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert "A &lt;title&gt;" in text
    assert found.verdict in text.replace("&#39;", "'")
    assert text == page(found, tmp_path / "again.html")


def test_a_page_of_little(search, fake, tmp_path):
    found = search(n_trials=1)
    read = Page(page(found, tmp_path / "one.html"))
    assert read.headings == ["On validation", "History", "How this was made"]

    def fit(self, train, valid, on_round=None):
        if self.spec.loss == "pwiser":
            raise RuntimeError("<none>")

    fake.fit = fit
    spec = ModelSpec(model="fake", pwiser=PWiseRLoss(weight=0.1))
    text = page(search(n_trials=3, spec=spec, study_name="b"), tmp_path / "two.html")
    assert "RuntimeError: &lt;none&gt;" in text
    Page(text)
