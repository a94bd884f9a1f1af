"""One solved street, and a folder of checkpoints, for all tests of the driver."""

import pytest
from checkpoint_cases import GAP, copy_of
from driver_cases import optimum_of, street

import macjax
from macjax.driver.checkpoints import checkpoint_files


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


@pytest.fixture(scope="session")
def whole(hard_street):
    """The run that nothing stops."""
    return macjax.solve(hard_street, gap=GAP)


@pytest.fixture(scope="session")
def left(hard_street, tmp_path_factory):
    """A folder as a run leaves it that ended by its limit in the Newton phase."""
    folder = tmp_path_factory.mktemp("left") / "run"
    solution = macjax.solve(
        hard_street, gap=GAP, max_iterations=75, checkpoint=folder, checkpoint_every=0
    )
    assert solution.status == "iteration_limit"
    assert f"go on with macjax.resume({str(folder)!r})" in solution.message
    return folder


@pytest.fixture
def folder(left, tmp_path):
    """A copy of it."""
    return copy_of(left, checkpoint_files(left), tmp_path / "run")
