import pytest


@pytest.fixture(autouse=True)
def first_weights():
    """Networks made by a test begin with the same weights, whatever ran before it."""
    pytest.importorskip("torch").manual_seed(0)
