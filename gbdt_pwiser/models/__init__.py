"""Models behind one protocol: named by a string, built from a frozen spec."""

from gbdt_pwiser.models.losses import LOSSES, Loss
from gbdt_pwiser.models.manifest import Manifest
from gbdt_pwiser.models.network_config import NetworkConfig
from gbdt_pwiser.models.protocol import Model, Predictions
from gbdt_pwiser.models.registry import MODELS, exists_for, losses_of, make_model, models_of
from gbdt_pwiser.models.saved import SavedModel, load_model, save_model
from gbdt_pwiser.models.spec import ModelSpec

__all__ = [
    "LOSSES",
    "MODELS",
    "Loss",
    "Manifest",
    "Model",
    "ModelSpec",
    "NetworkConfig",
    "Predictions",
    "SavedModel",
    "exists_for",
    "load_model",
    "losses_of",
    "make_model",
    "models_of",
    "save_model",
]
