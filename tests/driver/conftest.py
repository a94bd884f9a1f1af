"""One solved street for all tests of the driver."""

import pytest
from driver_cases import optimum_of, street

import macjax


@pytest.fixture(scope="session")
def hard_street():
    """100 vehicles of the hard kind: the Newton phase is needed."""
    return street()


@pytest.fixture(scope="session")
def solved(hard_street):
    """Its solution with default settings."""
    return macjax.solve(hard_street)


@pytest.fixture(scope="session")
def street_optimum(hard_street):
    """Its optimum by HiGHS [currency]."""
    return optimum_of(hard_street)
