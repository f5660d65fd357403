"""What is searched: the declarations, their start, files that change them, and the specs they make."""

import optuna
import pytest

from gbdt_pwiser.data import Dataset
from gbdt_pwiser.models import ModelSpec, make_model
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.sources import simulate
from gbdt_pwiser.tuning import (
    Choice,
    Float,
    Int,
    LogFloat,
    SearchSpace,
    booster_space,
    loss_space,
    quantile_space,
    read_space,
    search_space,
)
from gbdt_pwiser.tuning._space import LOSS, configured
from tests.specs import spec_of


def suggested(space, **values):
    return space.suggest(optuna.trial.FixedTrial(values))


def test_the_loss_space_holds_every_parameter_of_the_loss():
    assert set(quantile_space(grouped=True).parameters) == LOSS
    assert set(quantile_space(grouped=False).parameters) == LOSS - {"pairs"}
    # Margins that are numbers need no warm-up.
    assert set(loss_space(grouped=True).parameters) == LOSS - {"warm_up"}


def test_the_least_weight_stands_for_zero_and_no_other_does():
    space = SearchSpace({"weight": LogFloat(1e-4, 1.0, zero=True)})
    assert suggested(space, weight=1e-4) == {"weight": 0.0}
    assert suggested(space, weight=1.0001e-4) == {"weight": 1.0001e-4}
    assert space.bce(ModelSpec(model="xgboost")) == {"weight": 1e-4}
    assert suggested(SearchSpace({"x": LogFloat(1e-4, 1.0)}), x=1e-4) == {"x": 1e-4}


@pytest.mark.parametrize("model", ["lightgbm", "xgboost", "dnn", "mmoe"])
def test_the_search_starts_at_the_spec(model):
    space = search_space("both", model, grouped=True)
    spec = ModelSpec(model=model, pwiser=PWiseRLoss(weight=0.2, surrogate="logistic", pairs="group"))
    assert configured(spec, suggested(space, **space.start(spec))).pwiser == spec.pwiser
    assert configured(spec, suggested(space, **space.bce(spec))).loss == "bce"
    far = ModelSpec(model=model, pwiser=PWiseRLoss(weight=7.0, click_margin=0.0))
    assert (space.start(far)["weight"], space.start(far)["click_margin"]) == (1.0, 0.01)


@pytest.mark.parametrize("model", ["lightgbm", "xgboost"])
def test_the_boosters_start_is_what_they_train_with_unasked(model):
    """The start repeats the models' own defaults, which this keeps honest."""
    split = Dataset(simulate(2000, ctr=0.2, cvr=0.3).exposures).split(0)
    spec = spec_of(model, loss="pwiser", rounds=3, threads=1)
    space = booster_space(model)
    told = []
    for each in (spec, configured(spec, space.start(spec))):
        trained = make_model(each)
        trained.fit(split.train, split.valid)
        told.append(trained.predict(split.valid).pctr)
    assert (told[0] == told[1]).all()


def test_values_reach_the_spec():
    spec = spec_of("lightgbm", params={"max_bin": 63})
    told = configured(spec, {"weight": 0.5, "scale": "logit", "learning_rate": 0.01, "num_leaves": 9})
    assert (told.loss, told.weight, told.pwiser.scale) == ("pwiser", 0.5, "logit")
    assert (told.settings.learning_rate, dict(told.settings.params)) == (
        0.01,
        {"max_bin": 63, "num_leaves": 9},
    )
    network = configured(ModelSpec(model="mmoe"), {"dropout": 0.3, "learning_rate": 0.002})
    assert (network.settings.dropout, network.settings.learning_rate) == (0.3, 0.002)
    with pytest.raises(InputError, match="unknown network setting 'num_leaves'; choose one of embedding"):
        configured(ModelSpec(model="mmoe"), {"num_leaves": 9})


# ------------------------------------------------------------------------------ files


def read(folder, text, space=None):
    (folder / "space.toml").write_text(text)
    return read_space(folder / "space.toml", space or loss_space(grouped=False))


def test_a_file_changes_what_it_names(tmp_path):
    space = read(
        tmp_path,
        """
        weight = { low = 1e-3, high = 0.3 }
        surrogate = ["hinge", "logistic"]
        scale = "logit"
        num_leaves = { low = 4, high = 64, log = true }
        bagging_fraction = { low = 0.5, high = 0.9 }
        """,
    )
    assert dict(space.parameters) == {
        "click_margin": LogFloat(0.01, 1.0),
        "impression_margin": LogFloat(0.01, 1.0),
        "weight": LogFloat(1e-3, 0.3, zero=True),
        "surrogate": Choice(("hinge", "logistic")),
        "num_leaves": Int(4, 64, log=True),
        "bagging_fraction": Float(0.5, 0.9),
    }
    assert space.fixed == {"scale": "logit"}
    assert space.reaches_bce
    assert set(space.of_model.parameters) == {"num_leaves", "bagging_fraction"}


def test_a_weight_that_cannot_be_zero_is_seen(tmp_path):
    for text, reaches in (
        ("weight = 0.1", False),
        ("weight = [0.01, 0.1]", False),
        ("weight = [0, 0.1]", True),
        ("weight = { low = 0, high = 0.1, log = false }", True),
        ("weight = { low = 0.01, high = 0.1, log = false }", False),
    ):
        assert read(tmp_path, text).reaches_bce == reaches, text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("weight = ", "cannot be read as a search space"),
        ("weight = { low = 1.0, high = 0.1 }", "weight: a range is from 1.0 to 0.1; let low be below high"),
        ("weight = { low = 0, high = 1 }", "weight: a log range starts at 0; give a positive low"),
        ("weight = { low = 0.1 }", "weight: a range needs low and high"),
        ("weight = { low = 0.1, high = 1, step = 2 }", "weight: unknown keys step; give low, high and log"),
        ('weight = { low = "a", high = 1 }', "weight: low is 'a' and high 1; give finite numbers"),
        ("weight = []", "weight: choices are"),
        ("weight = -1", "weight is -1; give a finite number of at least 0"),
        ('surrogate = ["hinged"]', "'hinged'"),
        ("num_leaves = { low = 0, high = 9, log = true }", "above 0 for log"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused(tmp_path, text, says):
    with pytest.raises(InputError, match=r"space\.toml") as refused:
        read(tmp_path, text)
    assert says in str(refused.value)


def test_nothing_to_search_and_nothing_to_read(tmp_path):
    with pytest.raises(InputError, match="leaves nothing to search"):
        read(tmp_path, "weight = 0.1", SearchSpace({"weight": LogFloat(0.1, 1.0)}))
    with pytest.raises(InputError, match=r"absent\.toml cannot be read"):
        read_space(tmp_path / "absent.toml", loss_space(grouped=False))
    with pytest.raises(InputError, match="unknown space 'all'; choose one of loss, quantiles, booster, both"):
        search_space("all", "lightgbm", grouped=False)


def test_the_parameters_of_a_file_are_those_of_the_model(tmp_path):
    (tmp_path / "space.toml").write_text("max_depth = [3, 4]\ncolsample_bynode = 0.5\n")
    read_space(tmp_path / "space.toml", loss_space(grouped=False), "xgboost")
    read_space(tmp_path / "space.toml", loss_space(grouped=False))  # of any model
    with pytest.raises(InputError, match=r"space\.toml: max_depth: neither the loss nor dnn has a parameter"):
        read_space(tmp_path / "space.toml", loss_space(grouped=False), "dnn")
