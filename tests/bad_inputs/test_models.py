"""Model folders that are damaged or forged: every one is refused in one line, and none ends the process."""

import hashlib
import json
import random
import shutil
from importlib.util import find_spec

import numpy as np
import pytest

from gbdt_pwiser.models import BoosterSettings, NetworkSettings, make_model, save_model
from gbdt_pwiser.models.boosters._files import read_lightgbm, read_xgboost
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import load
from tests.bad_inputs.harness import refused
from tests.specs import spec_of

NAMES = ("lightgbm", "xgboost", *(["dnn"] if find_spec("torch") else []))
FILES = {"lightgbm": "click.txt", "xgboost": "click.ubj", "dnn": "network.pt"}
THREE_ROUNDS = BoosterSettings(rounds=3, learning_rate=0.3)
SETTINGS = {
    "lightgbm": THREE_ROUNDS,
    "xgboost": THREE_ROUNDS,
    "dnn": NetworkSettings(embedding=2, bottom=(4,), towers=(4,), epochs=1),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model folder by name, and exposures to predict."""
    top = tmp_path_factory.mktemp("saved")
    split = load("simulated", n_exposures=1500, ctr=0.2, cvr=0.3).split(0)
    for name in NAMES:
        model = make_model(spec_of(name, loss="pwiser", settings=SETTINGS[name]))
        model.fit(split.train, split.valid)
        save_model(model, top / name, split, calibration={"method": "sigmoid", "x": [], "y": []})
    split.test.features.write_parquet(top / "test.parquet")
    return top


@pytest.fixture
def predict(run, saved, tmp_path, monkeypatch):
    """Damage a copy of a model folder, and return what predict says of it."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(saved / "test.parquet", "test.parquet")

    def attempt(name, damage):
        folder = shutil.copytree(saved / name, tmp_path / name)
        damage(folder)
        arguments = ["--input", "test.parquet", "--output", "p.parquet", "--threads", "1"]
        return refused(run, tmp_path, "predict", "--model", name, *arguments)

    return attempt


def edited(change):
    """Change the manifest of a folder."""

    def damage(folder):
        path = folder / "manifest.json"
        stored = json.loads(path.read_text())
        change(stored)
        path.write_text(json.dumps(stored))

    return damage


def forged(file, change):
    """Change a file of a folder, and its digest with it."""

    def damage(folder):
        content = change((folder / file).read_bytes())
        (folder / file).write_bytes(content)
        edited(lambda m: m["files"].update({file: hashlib.sha256(content).hexdigest()}))(folder)

    return damage


def of_click(**changes):
    return lambda manifest: manifest["state"]["click"].update(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (of_click(rounds="3"), "rounds of click is '3'; give a whole number"),
        (of_click(rounds=0), "rounds of click is 0; give a whole number from 1"),
        (of_click(rounds=True), "rounds of click is True; give a whole number"),
        (of_click(rounds=4), "click.txt has 3 rounds, and 4 are to count"),
        (of_click(rounds=10**20), "rounds of click is 100000000000000000000"),
        (of_click(start="0"), "start of click: '0' and not a finite number"),
        (of_click(start=float("nan")), "start of click: 'nan' and not a finite number"),
        (of_click(start=float("inf")), "start of click: 'inf' and not a finite number"),
        (of_click(start=None), "start of click: 'None' and not a finite number"),
        (of_click(slope=2.0), "slope of click: '2.0' and not none"),
        (of_click(seconds=-1), "seconds of click"),
        (of_click(file="../click.txt"), "file of click: '../click.txt' and not one of its files"),
        (of_click(file="/etc/passwd"), "file of click: '/etc/passwd' and not one of its files"),
        (of_click(file=3), "file of click: '3' and not one of its files"),
        (of_click(file="manifest.json"), "file of click: 'manifest.json' and not one of its files"),
        (of_click(more=1), "state of click"),
        (lambda m: m["state"].update(purchase=m["state"]["click"]), "state: "),
        (lambda m: m["state"].pop("click"), "state: "),
        (lambda m: m["state"].update(click=[]), "is damaged"),
        (lambda m: m.update(state=[]), "state"),
        (
            lambda m: m.update(calibration={"method": "magic", "x": [], "y": []}),
            "unknown calibration 'magic'",
        ),
        (lambda m: m.update(calibration={"method": []}), "is no saved calibration"),
        (
            lambda m: m.update(calibration={"method": "sigmoid", "slope": "x", "x": [], "y": []}),
            "no saved cal",
        ),
        (lambda m: m.update(calibration={"method": "sigmoid", "slope": 0, "x": [], "y": []}), "slope is 0"),
        (
            lambda m: m.update(calibration={"method": "isotonic", "x": [1, 0], "y": [0, 1]}),
            "no ascending map",
        ),
        (lambda m: m.update(calibration={"method": "isotonic", "x": 3, "y": 3}), "is no saved calibration"),
        (lambda m: m.update(calibration=3), "calibration: '3' and not names and values"),
        (lambda m: m.update(calibration=[]), "calibration: '[]' and not names and values"),
        (lambda m: m["columns"][-1].update(kind="position", served_as="x"), "served_as of numerical_63: 'x'"),
        (lambda m: m["columns"][-1].update(kind="position"), "is damaged"),
        (
            lambda m: m["columns"][-1].update(kind="relative", of="numerical_1", within=3),
            "within of numerical_63: '3' and not a column",
        ),
        (
            lambda m: m["columns"][-1].update(kind="relative", of="x", within="search"),
            "of of numerical_63: 'x' and not a numerical column",
        ),
        (
            lambda m: m["columns"][-1].update(kind="relative", of="numerical_1", within="search"),
            "relative features: ",
        ),
        (lambda m: m["columns"].append(m["columns"][0]), "and not each once"),
        (lambda m: m["columns"].pop(), "has 79 features, not 78"),
        (lambda m: m["columns"][0].update(name=3), "columns: "),
        (
            lambda m: m["columns"][0].update(kind="text"),
            "kind of categorical_1: 'text' and not categorical or",
        ),
        (lambda m: m["columns"][0].update(type="String", categories=["a", "a"]), "and not each value once"),
        (lambda m: m["columns"][0].update(type="String", categories=["a", None]), "and not each value once"),
        (lambda m: m["columns"][0].update(type="Int64", categories=["a", "b"]), "is damaged"),
        (lambda m: m["columns"][0].update(type="Int64", categories=3), "categories of categorical_1"),
        (lambda m: m["columns"][0].update(missing="NA"), "missing of categorical_1"),
        (lambda m: m["columns"][0].update(missing=[1]), "missing of categorical_1"),
        (
            lambda m: m["columns"][-1].update(type="Int64", categories=[1]),
            "and not those of a categorical column",
        ),
        (lambda m: m.update(columns={}), "columns"),
        (lambda m: m.update(columns=[]), "columns"),
        (lambda m: m["spec"].update(model="lightgmb"), "unknown model 'lightgmb' (did you mean lightgbm?)"),
        (lambda m: m["spec"].update(model=["lightgbm"]), "model: "),
        (lambda m: m["spec"].update(model="xgboost"), "is no booster of xgboost"),
        (lambda m: m["spec"].update(loss="pwise"), "unknown loss 'pwise' (did you mean pwiser?)"),
        (lambda m: m["spec"]["settings"].update(rounds="many"), "rounds is 'many'"),
        (lambda m: m["spec"].update(seed=-1), "seed is -1"),
        (lambda m: m["spec"]["settings"].update(params=[]), "params is []"),
        (lambda m: m["spec"]["pwiser"].update(weight="much"), "weight is 'much'"),
        (lambda m: m["spec"]["settings"].update(embedding=1), "embedding"),
        (lambda m: m["files"].update({"click.txt": None}), "digest of click.txt"),
        (lambda m: m["files"].update({"": "0"}), "is missing"),
        (lambda m: m["files"].update({"a\0b": "0"}), "is missing"),
        (lambda m: m.update(validation=3), "is damaged"),
        (lambda m: m.update(validation={"ctr_auc": "high"}), "validation of ctr_auc"),
        (lambda m: m.update(split=3), "is damaged"),
        (lambda m: m.update(dataset=3), "dataset: '3' and not text"),
        (lambda m: m.update(versions=3), "versions: '3' and not names and values"),
        (lambda m: m.update(format=[1]), "has format [1], this version reads 1"),
    ],
)
def test_a_manifest_with_a_wrong_entry(predict, change, message):
    assert message in predict("lightgbm", edited(change))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "\x00", "[" * 100_000, '{"format": 1}'])
def test_a_manifest_that_is_none(predict, text):
    assert "manifest.json is damaged" in predict("xgboost", lambda f: (f / "manifest.json").write_text(text))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"",
        lambda content: b"junk",
        lambda content: content[: len(content) // 2],
        lambda content: (
            content[:-100] if not content.startswith(b"tree") else content[: content.index(b"end of")]
        ),
        lambda content: bytes(len(content)),
        lambda content: content[:200] + bytes(100) + content[300:],
        lambda content: b"[" * 100_000,
        lambda content: content[:50],
    ],
)
def test_a_file_that_is_cut_or_junk_and_has_its_digest(predict, name, change):
    told = predict(name, forged(FILES[name], change))
    assert f"{name}/{FILES[name]} is no " in told


def without(line):
    return lambda text: "\n".join(each for each in text.split("\n") if not each.startswith(line))


def put(line, value):
    return lambda text: "\n".join(
        f"{line}={value}" if each.startswith(f"{line}=") else each for each in text.split("\n")
    )


def first_number(line, value):
    """Change the first number of each such line."""
    return lambda text: "\n".join(
        f"{line}={value} {each.partition(' ')[2]}".rstrip() if each.startswith(f"{line}=") else each
        for each in text.split("\n")
    )


@pytest.mark.parametrize(
    "change",
    [
        *(
            without(f"{name}=")
            for name in ("num_leaves", "split_feature", "left_child", "leaf_value", "tree_sizes")
        ),
        *(without(f"{name}=") for name in ("max_feature_idx", "num_class", "threshold", "decision_type")),
        *(put("num_leaves", n) for n in ("-1", "0", "999999999", "x", "99999999999999999999", "")),
        *(put("num_class", n) for n in ("0", "2", "-1")),
        *(put("num_tree_per_iteration", n) for n in ("0", "2")),
        *(put("max_feature_idx", n) for n in ("-1", "3", "999999999")),
        *(put("num_cat", n) for n in ("-1", "1000", "x")),
        *(put("tree_sizes", n) for n in ("", "1", "1 1 1", "-5 5 5", "99999999 9 9", "x")),
        *(put("shrinkage", n) for n in ("", "x", "1 1")),
        *(put("is_linear", n) for n in ("1", "2", "")),
        *(first_number("split_feature", n) for n in ("-1", "99999", "x")),
        *(first_number("left_child", n) for n in ("0", "99999", "-99999", "1 1", "")),
        *(first_number("right_child", n) for n in ("0", "99999", "-99999")),
        *(first_number("leaf_value", n) for n in ("nan", "inf", "x", "")),
        *(first_number("decision_type", n) for n in ("1", "3", "64", "-1", "99999")),
        *(first_number("leaf_count", n) for n in ("", "x", "1 1")),
        lambda text: text.replace("Tree=1", "Tree=7"),
        lambda text: text.replace("num_leaves=", "num_leaves=2\nnum_leaves="),
        lambda text: text.replace("end of trees", "end"),
        lambda text: text.replace("tree\n", "tree\x00\n", 1),
    ],
)
def test_a_lightgbm_file_with_a_wrong_number(saved, tmp_path, change, capfd):
    """With the sizes of the trees put right again, so that no more than the number is wrong."""
    text = change((saved / "lightgbm" / "click.txt").read_text())
    head, *trees = text.partition("end of trees")[0].split("Tree=")
    if trees and "tree_sizes=" in head and change.__qualname__.startswith("first_number"):
        sizes = " ".join(str(len(f"Tree={tree}".encode())) for tree in trees)
        text = put("tree_sizes", sizes)(text)
    (tmp_path / "click.txt").write_text(text)
    with pytest.raises(
        InputError, match=r"click\.txt is no booster of lightgbm \(.*\); copy the folder again"
    ):
        read_lightgbm(tmp_path / "click.txt")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("name", "reader"), [("lightgbm", read_lightgbm), ("xgboost", read_xgboost)])
def test_a_booster_whose_bytes_are_changed_at_random(saved, tmp_path, name, reader):
    """What is still read is safe to walk; what is not is refused. Anything else would end this process."""
    content = (saved / name / FILES[name]).read_bytes()
    rng, read = random.Random(0), 0
    path, features = tmp_path / FILES[name], np.zeros((4, 79), dtype=np.float32)
    for _ in range(120):
        changed = bytearray(content)
        for _ in range(rng.choice([1, 1, 4])):
            at = rng.randrange(len(changed))
            changed[at] = rng.randrange(48, 58) if name == "lightgbm" else rng.randrange(256)
        path.write_bytes(changed)
        try:
            booster = reader(path)
        except InputError:
            continue
        read += 1
        if name == "lightgbm":
            booster.predict(features, raw_score=True, num_threads=1)
        else:
            booster.inplace_predict(features, validate_features=False)
    assert 0 < read < 120


def key(name):
    return b"L" + len(name).to_bytes(8, "big") + name.encode()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("left_children", [0, 10**6, -2, 2**31 - 1]),
        ("right_children", [0, 10**6, -1]),
        ("parents", [0, 10**6, -5]),
        ("split_indices", [10**6, -1]),
    ],
)
def test_an_xgboost_file_with_a_wrong_link(saved, tmp_path, name, values):
    content = (saved / "xgboost" / "click.ubj").read_bytes()
    # The first entry of the first tree: behind [$l#L and a length in eight bytes.
    at = content.index(key(name)) + len(key(name)) + len(b"[$l#L") + 8
    for value in values:
        path = tmp_path / "click.ubj"
        path.write_bytes(content[:at] + value.to_bytes(4, "big", signed=True) + content[at + 4 :])
        with pytest.raises(InputError, match=r"click\.ubj is no booster of xgboost \(tree 0: "):
            read_xgboost(path)


@pytest.mark.skipif("dnn" not in NAMES, reason="no torch")
@pytest.mark.parametrize(
    "change",
    [
        lambda d, w: d["trained"].clear(),
        lambda d, w: d["trained"].update(purchase=[1, 1.0]),
        lambda d, w: d["trained"].update(click=3),
        lambda d, w: d.pop("columns"),
        lambda d, w: d.update(columns=["a"]),
        lambda d, w: d["encoder"]["codes"].pop("categorical_1"),
        lambda d, w: d["encoder"]["codes"]["categorical_1"].append(-1),
        lambda d, w: d["encoder"]["means"].update(numerical_1=float("nan")),
        lambda d, w: d["encoder"]["scales"].pop("numerical_1"),
        lambda d, w: d["network"].update(embedding=1 << 16),
        lambda d, w: d["network"].update(bottom=[]),
        lambda d, w: d["spec"].update(model="xgboost"),
        lambda d, w: w["click"].popitem(),
        lambda d, w: w.clear(),
        lambda d, w: next(iter(w["click"].values())).fill_(float("nan")),
        lambda d, w: w.update(click=3),
    ],
)
def test_a_network_of_another_form(predict, change):
    import torch

    def damage(folder):
        stored = torch.load(folder / "network.pt", weights_only=True)
        described = json.loads(stored["description"])
        change(described, stored["weights"])
        torch.save(
            {"description": json.dumps(described), "weights": stored["weights"]}, folder / "network.pt"
        )
        forged("network.pt", lambda content: content)(folder)

    assert "network.pt " in predict("dnn", damage)
