"""Array libraries and exposures that several modules of tests share."""

import pytest

from tests.objectives.boosters import Data
from tests.objectives.libraries import LIBRARIES, require


@pytest.fixture(scope="module", params=LIBRARIES)
def library(request):
    """Each array library that is installed."""
    require(request.param)
    return request.param


@pytest.fixture(scope="module")
def data():
    """Exposures to train boosters on."""
    return Data()
