"""Models behind one protocol: named by a string, built from a frozen spec."""

from gbdt_pwiser.models.neural import NetworkConfig
from gbdt_pwiser.models.protocol import LOSSES, Model, ModelSpec, Predictions
from gbdt_pwiser.models.registry import MODELS, make_model

__all__ = ["LOSSES", "MODELS", "Model", "ModelSpec", "NetworkConfig", "Predictions", "make_model"]
