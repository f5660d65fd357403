"""Settings: what every family's class can do, and what is special to the boosters'."""

import json

import pytest

from gbdt_pwiser.models import BoosterSettings, NetworkSettings, Settings
from gbdt_pwiser.models.registry import families
from gbdt_pwiser.objectives import InputError

OTHER = (
    BoosterSettings(
        rounds=7,
        stop_by="ndcg@7",
        learning_rate=0.5,
        external_memory=True,
        params={"max_bin": 63, "x": [1, 2]},
    ),
    NetworkSettings(bottom=(8, 4), clip_norm=2.0, epochs=9),
    Settings(),
)


@pytest.mark.parametrize("settings", [*OTHER, BoosterSettings(), NetworkSettings()], ids=repr)
def test_a_record_in_json_gives_the_settings_back(settings):
    assert type(settings).from_record(json.loads(json.dumps(settings.record()))) == settings


@pytest.mark.parametrize("settings", OTHER, ids=repr)
def test_parameters_and_training_make_the_settings_again(settings):
    """As a search writes and reads them; where bins lie is no part of a model."""
    training = {name: settings.value(name) for name in settings.of_training}
    again = type(settings)().changed({**training, **settings.parameters()})
    where = {"external_memory": True} if isinstance(settings, BoosterSettings) else {}
    assert again.changed(where) == settings


def test_families():
    assert families() == {"booster": BoosterSettings, "network": NetworkSettings}
    assert (BoosterSettings(rounds=3).most_rounds, NetworkSettings(epochs=4).most_rounds) == (3, 4)


def test_what_is_no_field_of_a_booster_is_its_librarys():
    settings = BoosterSettings(params={"max_bin": 7}).changed({"num_leaves": 9, "rounds": 2})
    assert settings == BoosterSettings(rounds=2, params={"max_bin": 7, "num_leaves": 9})
    assert [settings.value(name) for name in ("rounds", "max_bin", "max_depth")] == [2, 7, None]
    assert settings.changed({"max_bin": 8}).params == {"max_bin": 8, "num_leaves": 9}
    assert settings.changed({"params": {}}).params == {}


def test_settings_of_a_booster_as_text():
    read = BoosterSettings.read(
        [
            "rounds=3",
            "learning_rate=0.5",
            "external_memory=true",
            "stop_by=ndcg@5",
            "num_leaves=9",
            "boosting=dart",
            "mc=[1, 0]",
        ]
    )
    assert read == {
        "rounds": 3,
        "learning_rate": 0.5,
        "external_memory": True,
        "stop_by": "ndcg@5",
        "num_leaves": 9,
        "boosting": "dart",
        "mc": [1, 0],
    }


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BoosterSettings(rounds=0), "rounds is 0; give a whole number from 1"),
        (lambda: BoosterSettings(external_memory="yes"), "external_memory is 'yes'; give True or False"),
        (lambda: BoosterSettings(params=[]), r"params is \[\]; give names and values"),
        (
            lambda: BoosterSettings.read(["rounds=many"]),
            "booster setting rounds is 'many'; give a",
        ),
        (lambda: BoosterSettings.read(["external_memory=1"]), "external_memory is '1'; give true or false"),
        (
            lambda: NetworkSettings().changed({"rounds": 3}),
            "unknown network setting 'rounds'; choose one",
        ),
        (
            lambda: Settings().changed({"rounds": 3}),
            "model setting 'rounds' is given, and there is none",
        ),
    ],
)
def test_what_cannot_be(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("family", [BoosterSettings, NetworkSettings])
def test_every_name_that_may_be_searched_can_be_changed(family):
    model = {"booster": "xgboost", "network": "mmoe"}[family.family]
    assert "learning_rate" in family.names(model)
    assert family().changed({"learning_rate": 0.125}).value("learning_rate") == 0.125
