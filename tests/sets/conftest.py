"""The mathematics of the sets is tested in float64 unless a test says float32."""

import jax
import pytest


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield
