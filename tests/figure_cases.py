"""What tests of figures draw on and look for."""

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def ax():
    """Axes of a new figure."""
    return Figure(layout="constrained").add_subplot()


def line(ax, start):
    """The one line whose label starts so."""
    (found,) = [i for i in ax.get_lines() if i.get_label().startswith(start)]
    return found
