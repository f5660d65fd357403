"""Specs for tests: small settings of each family, and specs that differ from others by name alone."""

from dataclasses import fields, replace

from gbdt_pwiser.models import BoosterSettings, ModelSpec, NetworkSettings
from gbdt_pwiser.models.registry import MODELS, settings_of

SMALL = NetworkSettings(
    embedding=4, bottom=(8,), towers=(8,), experts=2, epochs=4, batch_size=200, learning_rate=0.03
)
FEW_ROUNDS = BoosterSettings(rounds=12, early_stopping=5, learning_rate=0.2)
OF_SPEC = frozenset(field.name for field in fields(ModelSpec))


def spec_of(model, **values):
    """Return a spec on one thread; a value is of the spec where it has that name, else of the settings."""
    return varied(ModelSpec(model=model, threads=1), **values)


def varied(spec, **values):
    """Return the spec with other values; settings of another family give way to the small ones of its own."""
    own = {name: values.pop(name) for name in list(values) if name in OF_SPEC}
    if own.get("model", spec.model) != spec.model and "settings" not in own:
        family = MODELS[own["model"]].settings
        if not isinstance(spec.settings, family):
            own["settings"] = next((each for each in (FEW_ROUNDS, SMALL) if type(each) is family), None)
    spec = replace(spec, **own)
    return replace(spec, settings=settings_of(spec).changed(values)) if values else spec
