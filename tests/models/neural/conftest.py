from importlib.util import find_spec

import pytest


@pytest.fixture(autouse=True)
def first_weights():
    """Networks made by a test begin with the same weights, whatever ran before it."""
    if find_spec("torch"):
        import torch

        torch.manual_seed(0)
