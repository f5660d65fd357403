"""BCE+PWiseR for gradient boosting: objectives, data, models and an honest comparison of CTR models.

What a user types is here, and is imported when it is first used, so that the package itself is light.

Train, save and predict:

>>> import gbdt_pwiser as gp
>>> dataset = gp.load("simulated", n_exposures=4000, ctr=0.2, cvr=0.3)
>>> split = dataset.split(seed=0)
>>> spec = gp.ModelSpec(model="xgboost", loss="pwiser", threads=1, settings=gp.BoosterSettings(rounds=5))
>>> model = gp.make_model(spec)
>>> model.fit(split.train, split.valid)
>>> from tempfile import TemporaryDirectory
>>> from pathlib import Path
>>> with TemporaryDirectory() as folder:
...     manifest = gp.save_model(model, Path(folder, "model"), split)
...     predictor = gp.Predictor.load(Path(folder, "model"))
...     saved = gp.load_model(Path(folder, "model"))
>>> (predictor.predict(split.test.features).table["pctr"] == saved.model.predict(split.test).pctr).all()
True

Compare losses; `gp.tune(split, spec, output=...)` searches for the weight:

>>> results = gp.compare(dataset, models=["xgboost"], losses=["bce", "pwiser"], seeds=[0], base=spec)
>>> sorted({result.loss for result in results})
['bce', 'pwiser']

Or train a booster of your own with the objective:

>>> import xgboost
>>> exposures = gp.simulate(1000, ctr=0.2, cvr=0.3).exposures
>>> data = gp.make_dmatrix(exposures.matrix(), exposures.click, exposures.conversion)
>>> params = {"objective": "binary:logistic", "base_score": exposures.click.mean()}
>>> booster = xgboost.train(params, data, num_boost_round=2, obj=gp.pwiser_objective)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from gbdt_pwiser._version import __version__

if TYPE_CHECKING:
    from gbdt_pwiser.data import Exposures, Split
    from gbdt_pwiser.evaluation.compare import compare
    from gbdt_pwiser.export import export_model
    from gbdt_pwiser.models import (
        BoosterSettings,
        ModelSpec,
        NetworkSettings,
        continue_model,
        load_model,
        make_model,
        save_model,
    )
    from gbdt_pwiser.objectives import (
        InputError,
        Objective,
        PWiseRLoss,
        PWiseRMultiTaskObjective,
        PWiseRObjective,
        PWiseRSklearnObjective,
        make_dataset,
        make_dmatrix,
        pwiser_objective,
    )
    from gbdt_pwiser.serving import Predictor
    from gbdt_pwiser.sources import load, simulate
    from gbdt_pwiser.tuning import tune

__all__ = [
    "BoosterSettings",
    "Exposures",
    "InputError",
    "ModelSpec",
    "NetworkSettings",
    "Objective",
    "PWiseRLoss",
    "PWiseRMultiTaskObjective",
    "PWiseRObjective",
    "PWiseRSklearnObjective",
    "Predictor",
    "Split",
    "__version__",
    "compare",
    "continue_model",
    "export_model",
    "load",
    "load_model",
    "make_dataset",
    "make_dmatrix",
    "make_model",
    "pwiser_objective",
    "save_model",
    "simulate",
    "tune",
]

_ROOMS: Final = {
    "data": ("Exposures", "Split"),
    "evaluation": ("compare",),
    "export": ("export_model",),
    "models": (
        "BoosterSettings",
        "ModelSpec",
        "NetworkSettings",
        "continue_model",
        "load_model",
        "make_model",
        "save_model",
    ),
    "objectives": (
        "InputError",
        "Objective",
        "PWiseRLoss",
        "PWiseRMultiTaskObjective",
        "PWiseRObjective",
        "PWiseRSklearnObjective",
        "make_dataset",
        "make_dmatrix",
        "pwiser_objective",
    ),
    "serving": ("Predictor",),
    "sources": ("load", "simulate"),
    "tuning": ("tune",),
}
_ROOM_OF: Final = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is asked for from its room."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    globals()[name] = found  # the next time it is an ordinary attribute
    return found


def __dir__() -> list[str]:
    return __all__
