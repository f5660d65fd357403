"""Models behind one protocol: named by a string, built from a frozen spec."""

from gbdt_pwiser.models.losses import LOSSES, Loss, losses_of
from gbdt_pwiser.models.neural import NetworkConfig
from gbdt_pwiser.models.protocol import Model, ModelSpec, Predictions
from gbdt_pwiser.models.registry import MODELS, make_model
from gbdt_pwiser.models.saved import Manifest, SavedModel, load_model, save_model

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
    "load_model",
    "losses_of",
    "make_model",
    "save_model",
]
