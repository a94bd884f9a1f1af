"""All figures of some solutions as files, or one as the text of an SVG image."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from macjax._errors import SettingsError, SolutionError
from macjax.plots.bars import upgrades
from macjax.plots.canvas import DRAWN_LAST, require_matplotlib
from macjax.plots.given import by_label
from macjax.plots.heatmap import price_heatmap
from macjax.plots.loads import feeder_load, has_capacity, load_duration
from macjax.plots.runs import convergence, has_history

DOTS_PER_INCH = 150
FILES = ("feeder_load.png", "load_duration.png", "upgrades.png", "convergence.png")
FILES += ("prices.png",)
# Text stays text, and the same numbers give the same file.
SVG: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "macjax"}
SAYS_NOTHING = {"Date": None, "Creator": None, "Format": None, "Type": None}


def save_all(solutions, folder, feeder_id=None) -> list[Path]:
    """Draw every figure that the solutions have the numbers for, as PNG files.

    `feeder_load.png`, `load_duration.png` and `upgrades.png` from all of them that have
    a schedule (the load from unmanaged and MAC alone where both are given),
    `convergence.png` and `prices.png` from MAC, or else from the first solution that
    has them.

    Arguments:
        solutions: one solution, a list, or a dict from label to solution.
        folder: where to write; made if missing, files of these names are replaced.
        feeder_id: the feeder of `feeder_load.png`; by default the worst.

    Returns:
        The paths written.

    Raises:
        SolutionError: there is nothing to draw, as no solution has a schedule or a
            history.
        SettingsError: the folder cannot be written, or solutions of several scenarios.
    """
    matplotlib = require_matplotlib()
    given = by_label(solutions)
    shown = {k: s for k, s in given.items() if s.plan is not None}
    pair = {k: s for k, s in shown.items() if s.method in DRAWN_LAST}
    load = pair if len({s.method for s in pair.values()}) == 2 else shown
    figures = {}
    if shown:
        figures["feeder_load.png"] = lambda ax: feeder_load(load, feeder_id, ax)
        figures["upgrades.png"] = lambda ax: upgrades(shown, ax)
    if any(has_capacity(s) for s in shown.values()):
        figures["load_duration.png"] = lambda ax: load_duration(shown, ax=ax)
    optimised = [s for s in given.values() if has_history(s)]
    optimised.sort(key=lambda s: s.method != "mac")
    if optimised:
        figures["convergence.png"] = lambda ax: convergence(optimised[0], ax)
    if optimised and optimised[0].has_prices:
        figures["prices.png"] = lambda ax: price_heatmap(optimised[0], ax=ax)
    if not figures:
        found = ", ".join(f"'{label}' is {s.status}" for label, s in given.items())
        raise SolutionError(f"there is no schedule and no history to draw: {found}")
    paths = {name: Path(folder) / name for name in FILES if name in figures}
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, path in paths.items():
            figure = matplotlib.figure.Figure(figsize=(9.0, 4.8), layout="constrained")
            figures[name](figure.add_subplot())
            figure.savefig(path, dpi=DOTS_PER_INCH)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(
            f"cannot write figures to '{folder}': {reason}; name another folder"
        ) from error
    return list(paths.values())


def as_svg(draw: Callable, size: tuple[float, float]) -> str:
    """What a function draws in the axes it is given, as the text of an SVG image.

    Text stays text: a browser shows it in its own font, with letters that matplotlib's
    has not.

    Arguments:
        draw: takes axes and draws in them.
        size: width and height [inch].
    """
    matplotlib = require_matplotlib()
    text = io.StringIO()
    with matplotlib.rc_context(SVG), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
        draw(figure.add_subplot())
        figure.savefig(text, format="svg", metadata=SAYS_NOTHING)
    return text.getvalue()
