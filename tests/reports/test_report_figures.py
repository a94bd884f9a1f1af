"""Every figure of reports: drawn where it is told, with units, for all readers."""

import inspect
import itertools

import matplotlib
import numpy as np
import pytest
from figure_cases import ax as ax
from matplotlib.colors import to_rgb
from report_cases import even, town, unmanaged

from macjax import planning, plots

FIGURES = {
    f"{module.__name__}.{name}": value
    for module in (plots, planning)
    for name, value in vars(module).items()
    if inspect.isfunction(value) and "ax" in inspect.signature(value).parameters
    if not name.startswith("_")
}
# Axes of names, of counts and of instants have no unit.
PLAIN = ("feeder", "iteration", "local time", "hour of the day")
# Machado, Oliveira and Fernandes 2009: what people without one kind of cones see, as a
# linear map of linear RGB (severity 1).
SEEN_BY = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
JUST_NOTICED = 2.3  # distance in CIELAB that people just notice


@pytest.fixture(scope="module")
def solutions():
    scenario = town(spare_kw=0.0, longitude=[-122.3, -122.2], latitude=[37.8, 37.9])
    scenario = scenario.with_tables(stays=scenario.stays.assign(place="home"))
    return [unmanaged(scenario), even(scenario, "per_session"), even(scenario)]


def draw(name, solutions, ax):
    figure = FIGURES[name]
    first = next(iter(inspect.signature(figure).parameters))
    assert first in ("solution", "solutions")
    return figure(solutions if first == "solutions" else solutions[-1], ax=ax)


def test_these_are_the_figures_of_a_report():
    named = {name.rpartition(".")[2] for name in FIGURES}
    assert named >= {"feeder_load", "load_duration", "price_heatmap", "upgrades"}
    assert named >= {"soc_trace", "convergence", "feeder_map", "cost_intervals"}


@pytest.mark.parametrize("name", FIGURES)
def test_it_draws_in_the_axes_it_is_given(name, solutions, ax):
    assert draw(name, solutions, ax) is ax
    assert ax.has_data()


@pytest.mark.parametrize("name", FIGURES)
def test_its_axes_have_units(name, solutions, ax):
    draw(name, solutions, ax)
    ax.figure.canvas.draw()
    for axes, axis in [(a, x) for a in ax.figure.axes for x in (a.xaxis, a.yaxis)]:
        label = axis.get_label_text()
        texts = [text.get_text() for text in axis.get_ticklabels()]
        numbers = [text for text in texts if is_number(text)]
        if numbers and (axes is ax or label):
            assert "[" in label or label.startswith(PLAIN), f"{label!r}: {numbers}"


def is_number(text: str) -> bool:
    try:
        float(text.replace("\N{MINUS SIGN}", "-").replace(",", ""))
    except ValueError:
        return False
    return True


def lab(colour) -> np.ndarray:
    """CIELAB of a linear RGB colour (white of D65)."""
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    x, y, z = to_xyz @ np.clip(colour, 0, 1) / [0.95047, 1.0, 1.08883]
    f = np.cbrt([x, y, z])
    small = np.array([x, y, z]) <= 0.008856
    f[small] = (np.array([x, y, z])[small] * 903.3 + 16) / 116
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def linear(colour) -> np.ndarray:
    """Linear RGB of a colour of matplotlib."""
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("vision", SEEN_BY)
def test_colours_of_methods_differ_for_colour_blind_people(vision):
    colours = [colour for colour, _, _ in plots.STYLES.values()]
    seen = [lab(np.array(SEEN_BY[vision]) @ linear(colour)) for colour in colours]
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(one - other) > 3 * JUST_NOTICED


@pytest.mark.parametrize("figure", [plots.feeder_load, plots.load_duration])
def test_lines_of_methods_differ_without_colour(figure, solutions, ax):
    """The dashes of the three methods are not the same."""
    figure(solutions, ax=ax)
    labels = {plots.LABELS[s.method] for s in solutions}
    lines = [i for i in ax.get_lines() if i.get_label().split(":")[0] in labels]
    assert len(lines) == 3
    assert len({str(i._dash_pattern) for i in lines}) == 3


def test_bars_of_methods_differ_without_colour(solutions, ax):
    plots.upgrades(solutions, ax)
    hatches = {patch.get_hatch() for patch in ax.patches}
    assert len(hatches) == 3


def test_darker_is_dearer_in_grey(solutions, ax):
    """The lightness of the colours of prices only falls."""
    plots.price_heatmap(solutions[-1], ax=ax)
    (mesh,) = [c for c in ax.collections if hasattr(c, "get_coordinates")]
    colours = matplotlib.colormaps[mesh.cmap.name](np.linspace(0, 1, 64))[:, :3]
    lightness = [lab(linear(colour))[0] for colour in colours]
    assert (np.diff(lightness) < 0).all()
