"""Models behind one protocol: named by a string, built from a frozen spec."""

from gbdt_pwiser.models.boosters import BoosterSettings
from gbdt_pwiser.models.continuation import Continued, continue_model
from gbdt_pwiser.models.kind import ModelKind
from gbdt_pwiser.models.losses import LOSSES, Loss
from gbdt_pwiser.models.manifest import Manifest
from gbdt_pwiser.models.neural import NetworkSettings
from gbdt_pwiser.models.protocol import Model, Predictions, StagedModel
from gbdt_pwiser.models.registry import MODELS, exists_for, losses_of, make_model, models_of
from gbdt_pwiser.models.saved import SavedModel, load_model, save_model
from gbdt_pwiser.models.settings import Settings
from gbdt_pwiser.models.spec import ModelSpec

__all__ = [
    "LOSSES",
    "MODELS",
    "BoosterSettings",
    "Continued",
    "Loss",
    "Manifest",
    "Model",
    "ModelKind",
    "ModelSpec",
    "NetworkSettings",
    "Predictions",
    "SavedModel",
    "Settings",
    "StagedModel",
    "continue_model",
    "exists_for",
    "load_model",
    "losses_of",
    "make_model",
    "models_of",
    "save_model",
]
