"""One split for all tests of the models."""

import pytest

from tests.models.helpers import make_split


@pytest.fixture(scope="session")
def split():
    return make_split()
