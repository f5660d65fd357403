"""Small networks, small exposures, and weights written by a formula."""

import numpy as np
import torch

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.models import ModelSpec, NetworkSettings, make_model
from gbdt_pwiser.models.neural import NETWORKS
from gbdt_pwiser.sources import simulate

TINY = NetworkSettings(
    embedding=3,
    bottom=(5, 4),
    towers=(3,),
    experts=2,
    dropout=0.0,
    epochs=3,
    batch_size=64,
    learning_rate=0.01,
)
MULTI = [name for name in NETWORKS if name != "dnn"]


def spec_of(model, **changes):
    return ModelSpec(**{"model": model, "threads": 1, "settings": TINY, **changes})


def some(n, seed=0, **options) -> Exposures:
    """Exposures with many clicks and conversions."""
    return simulate(n, seed=seed, **{"ctr": 0.4, "cvr": 0.4, **options}).exposures


def fitted(spec, train, valid=None, on_round=None):
    model = make_model(spec)
    model.fit(train, train if valid is None else valid, on_round)
    return model


def write_weights(network):
    """Give every weight and running mean a number of its own, and running variances positive ones."""
    rng = np.random.default_rng(2)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                values = torch.from_numpy(rng.normal(scale=0.7, size=tensor.shape))
                tensor.copy_(values.abs() + 0.2 if name.endswith("running_var") else values)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))
