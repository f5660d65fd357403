"""A small split, and specs that train on it in no time."""

from dataclasses import replace

from gbdt_pwiser.data import Dataset, Split
from gbdt_pwiser.models import make_model
from gbdt_pwiser.sources import simulate
from tests.specs import FEW_ROUNDS, spec_of

TREES = ("lightgbm", "xgboost")
BOOSTERS = (*TREES, "xgboost_shared")
SPEC = spec_of("lightgbm", settings=FEW_ROUNDS)
PARTS = ("train", "valid", "test")
# Some features of the search, and those of the item that show the most.
COLUMNS = [f"categorical_{i}" for i in (1, 10, 11, 12)] + [f"numerical_{i}" for i in (1, 2, *range(24, 32))]
# In their place, names that a booster refuses or rewrites.
ODD = ["price[usd]", "age<18", "x,y", "ctr:7d", "", "a b", "a_b", "^.*$", 'q"{1}', "f3", "é", "-", "0", "f0"]


def make_split(seed=0):
    """Few rows and features, so that a fit is quick; many clicks, so that it learns something."""
    exposures = simulate(4000, seed=seed, ctr=0.2, cvr=0.3).exposures
    few = replace(exposures, features=exposures.features.select(COLUMNS), categorical=tuple(COLUMNS[:4]))
    return Dataset(few).split(seed)


def fitted(spec, split):
    model = make_model(spec)
    model.fit(split.train, split.valid)
    return model


def pctr(spec, split):
    return fitted(spec, split).predict(split.test).pctr


_READY = {}


def ready(spec, split):
    """Return a trained model that other tests of this split have too: to predict with, and nothing else."""
    key = id(split), repr(spec)
    if key not in _READY:
        _READY[key] = fitted(spec, split), split  # while the split is kept, nothing else has its id
    return _READY[key][0]


def changed(exposures, **columns):
    return replace(exposures, features=exposures.features.with_columns(**columns))


def every_part(split, change):
    return Split(*[change(getattr(split, part)) for part in PARTS])


def renamed(split):
    names = dict(zip(COLUMNS, ODD, strict=True))

    def odd(part):
        categorical = tuple(names[name] for name in part.categorical)
        return replace(part, features=part.features.rename(names), categorical=categorical)

    return every_part(split, odd)
