"""Settings of the networks, in Python and as text."""

from dataclasses import asdict, replace

import pytest

from gbdt_pwiser.models import NetworkSettings
from gbdt_pwiser.objectives import InputError


def test_defaults_are_those_published_for_aliexpress():
    config = NetworkSettings()
    assert (config.embedding, config.bottom, config.towers) == (128, (512, 256), (128, 64))
    assert config.bins == 0
    assert (config.dropout, config.experts, config.batch_size) == (0.2, 8, 2048)
    assert (config.learning_rate, config.weight_decay, config.epochs) == (1e-3, 1e-6, 50)
    assert (config.clip_norm, config.anchor_memory) == (None, 0)
    assert config.conversion_weight == 1.0


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("embedding", [0, -1, 2.5, True, "8", 10**12]),
        ("bins", [-1, 0.5, 10**12]),
        ("experts", [0, 10**9]),
        ("epochs", [0]),
        ("patience", [0]),
        ("batch_size", [1, 0]),
        ("anchor_memory", [-1]),
        ("bottom", [(), (0,), (8, -1), [8], 8, (8.0,), (10**9,), (8,) * 1000]),
        ("towers", [(), (0,)]),
        ("dropout", [-0.1, 1.0, float("nan"), "0.1"]),
        ("conversion_weight", [0.0, -1.0, float("inf"), "1"]),
        ("constraint", [-0.1]),
        ("learning_rate", [0.0, -1e-3, float("inf"), None]),
        ("decay", [0.0, 1.1, -0.5]),
        ("weight_decay", [-1e-6]),
        ("clip_norm", [0.0, -1.0, float("nan")]),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(name, values):
    for value in values:
        with pytest.raises(InputError, match=f"^{name} is .*; give "):
            replace(NetworkSettings(), **{name: value})


def test_the_bounds_themselves_are_allowed():
    NetworkSettings(
        embedding=1,
        experts=1,
        epochs=1,
        patience=1,
        batch_size=2,
        anchor_memory=0,
        bottom=(1,),
        towers=(1,),
        dropout=0,
        constraint=0,
        decay=1,
        weight_decay=0,
        clip_norm=1e-9,
    )


def test_every_setting_can_be_given_as_text():
    """Its own value, printed, is read back."""
    odd = NetworkSettings(
        embedding=3,
        bins=2,
        bottom=(5, 6),
        towers=(7,),
        dropout=0.25,
        experts=3,
        conversion_weight=0.25,
        constraint=0.5,
        epochs=4,
        patience=5,
        batch_size=6,
        learning_rate=0.5,
        decay=0.75,
        weight_decay=0.125,
        clip_norm=2.5,
        anchor_memory=8,
    )
    assert all(value != asdict(NetworkSettings())[name] for name, value in asdict(odd).items())
    texts = [
        f"{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in asdict(odd).items()
    ]
    assert NetworkSettings(**NetworkSettings.read(texts)) == odd
    assert NetworkSettings.read([]) == {}


def test_the_later_setting_wins():
    assert NetworkSettings.read(["epochs=3", "epochs = 4 "]) == {"epochs": 4}
    assert NetworkSettings.read(["clip_norm=1", "clip_norm=None"]) == {"clip_norm": None}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "embeding=3",
            r"unknown network setting 'embeding' \(did you mean embedding\?\); choose one of embedding, ",
        ),
        ("hidden=3", "unknown network setting 'hidden'; choose one of embedding, bins, bottom, towers, "),
        ("embedding", "network setting 'embedding' has no value; write KEY=VALUE"),
        ("embedding=x", "embedding is 'x'; give a whole number. The settings are embedding, bins, bottom"),
        ("embedding=", "embedding is ''; give a whole number"),
        ("bottom=64,", "bottom is '64,'; give widths such as 64,32"),
        ("dropout=high", "dropout is 'high'; give a number"),
        ("clip_norm=off", "clip_norm is 'off'; give a number or none"),
        ("dropout=1", r"dropout is 1\.0; give a number from 0 to below 1"),
    ],
)
def test_text_that_is_no_setting(option, message):
    with pytest.raises(InputError, match=message):
        NetworkSettings(**NetworkSettings.read([option]))
