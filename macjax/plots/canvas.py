"""What all figures share: axes, labels, styles, and the axis of local time.

Colours are Okabe and Ito's, told apart with any colour vision; with the line style or
hatch they also differ in grey. Needs matplotlib (`pip install macjax[plots]`), imported
when the first figure is made.
"""

import itertools
from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from macjax._errors import FIRST_IDS, MacjaxError, SettingsError, SolutionError

# Colour, line style and hatch of each method.
STYLES = {
    "mac": ("#0072B2", "-", ""),
    "unmanaged": ("#D55E00", "--", "///"),
    "per_session": ("#009E73", "-.", "..."),
    "time_of_use": ("#CC79A7", ":", "xxx"),
    "first_come": ("#56B4E9", (0, (5, 1, 1, 1, 1, 1)), "++"),
}
SPARE_STYLES = (
    ("#E69F00", (0, (8, 2)), "\\\\\\"),
    ("#000000", (0, (1, 1)), "ooo"),
    ("#F0E442", (0, (3, 1)), "**"),
)
DRAWN_LAST = ("unmanaged", "mac")
LONGEST_NAME = 40  # characters of an id or a label in a figure
# About the sizes of texts [inch]: a letter and the line of a legend, the mark with its
# room, names of days beside one another, numbers and label of an axis.
LEGEND_POINTS, LETTER, LEGEND_LINE, LEGEND_MARK = 9, 0.0625, 0.19, 0.6
DAY_INCHES, BELOW_AXES = 0.55, 0.54


def require_matplotlib():
    """The matplotlib package, or an error that names the extra to install."""
    try:
        import matplotlib
        import matplotlib.figure
    except ImportError as error:
        raise MacjaxError(
            "figures need matplotlib, which is not installed: "
            "pip install 'macjax[plots]'"
        ) from error
    return matplotlib


def axes_of(ax, size: tuple[float, float]):
    """The axes given, or those of a new figure of that size [inch]."""
    require_matplotlib()
    if ax is None:
        import matplotlib.pyplot as pyplot

        _, ax = pyplot.subplots(figsize=size, layout="constrained")
    if not hasattr(ax, "spines"):
        raise SettingsError(f"ax must be matplotlib axes, not {type(ax).__name__}")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax


def two_axes(axes, size: tuple[float, float]) -> list:
    """The two axes given, or two of a new figure of that size [inch], side by side."""
    require_matplotlib()
    if axes is None:
        import matplotlib.pyplot as pyplot

        _, axes = pyplot.subplots(1, 2, figsize=size, layout="constrained")
    pair = np.asarray(axes, dtype=object).reshape(-1)
    if len(pair) != 2:
        raise SettingsError(f"axes must be two matplotlib axes, not {len(pair)}")
    return [axes_of(ax, size) for ax in pair]


def shown_name(name) -> str:
    """An id or a label as figures show it: on one line, not too long, never as math.

    Characters that have no shape, which image files cannot hold, become a mark.

    Arguments:
        name: the id or label; anything with a text.
    """
    text = "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(name)
    )
    if len(text) > LONGEST_NAME:
        text = text[: LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"
    # matplotlib leaves labels that begin with a line out of legends.
    return (" " if text.startswith("_") else "") + text.replace("$", r"\$")


def amount(value: float, toward: int = 0) -> str:
    """A number for people: thousands by comma, decimals where they tell something.

    As the script of a report writes it: 12,346 and 573.6 and 0.37.

    Arguments:
        value: the number.
        toward: -1 rounds down, as what is proved to be needed at least must not become
            more than is proved; 1 up; 0 to the nearest.
    """
    size = abs(value)
    digits = 0 if size >= 1000 else 1 if size >= 10 else 2
    if toward and np.isfinite(value):
        # What is a rounding of floats away from a whole one counts as that.
        parts = value * 10**digits - toward * 1e-9 * (1 + size)
        value = (np.ceil(parts) if toward > 0 else np.floor(parts)) / 10**digits
    text = f"{value:,.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def styles_of(shown: Mapping) -> dict:
    """Colour, line style and hatch of each label, no two alike while there are some.

    The first solution of a method has the method's own, any other a spare one.

    Arguments:
        shown: solutions by label.
    """
    methods = {solution.method for solution in shown.values()}
    free = [STYLES[name] for name in STYLES if name not in methods]
    first, *last = SPARE_STYLES  # black and yellow are the hardest to tell and to see
    spare = itertools.cycle([first, *free, *last])
    own = {name: style for name, style in STYLES.items() if name in methods}
    return {
        label: own.pop(solution.method, None) or next(spare)
        for label, solution in shown.items()
    }


def style_of(solution):
    """Colour, line style and hatch of a method, spare ones for unknown methods."""
    return STYLES.get(solution.method, SPARE_STYLES[0])


def require_known(wanted, known) -> None:
    """An error that names the feeders that are wanted and not known."""
    known = list(known)
    unknown = [i for i in wanted if i not in known]
    if unknown:
        names = ", ".join(str(i) for i in unknown[:FIRST_IDS])
        some = ", ".join(str(i) for i in known[:FIRST_IDS])
        raise SolutionError(f"no feeder {names} in the solution; it has {some}")


def slot_edges(times: pd.Series, scenario) -> np.ndarray:
    """Slot starts and the end of the last slot as UTC instants, (t + 1,)."""
    utc = pd.DatetimeIndex(pd.to_datetime(times, utc=True)).tz_localize(None)
    starts = utc.to_numpy("datetime64[ns]")
    length = np.timedelta64(scenario.slot_minutes, "m")
    return np.append(starts, starts[-1:] + length)


def as_steps(column: pd.Series) -> np.ndarray:
    """Values with the last one repeated, for a step line over the slot edges."""
    values = column.to_numpy(np.float64)
    return np.append(values, values[-1:])


def local_time_axis(ax, scenario) -> None:
    """Ticks at round local times of the scenario."""
    from matplotlib import dates

    zone = ZoneInfo(scenario.timezone)
    width, _ = inches_of(ax)
    most = min(max(int(width / DAY_INCHES), 3), 10)
    locator = dates.AutoDateLocator(tz=zone, minticks=min(4, most), maxticks=most)
    ax.xaxis.set_major_locator(locator)
    # Weeks of charging are read by the day of the week.
    formats = ["%Y", "%b", "%a %d", "%H:%M", "%H:%M", "%S.%f"]
    midnights = ["", "%Y", "%a %d %b", "%a %d", "%H:%M", "%H:%M"]
    formatter = dates.ConciseDateFormatter(
        locator, tz=zone, formats=formats, zero_formats=midnights
    )
    ax.xaxis.set_major_formatter(formatter)
    ax.set_xlabel(f"local time ({scenario.timezone})")


def thousands(axis) -> None:
    """Numbers along an axis with commas, and never as powers of ten.

    Arguments:
        axis: `ax.xaxis` or `ax.yaxis`, linear.
    """

    def text(value: float, _) -> str:
        found = f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.10g}"
        return found.replace("-", "\N{MINUS SIGN}")

    axis.set_major_formatter(text)


def inches_of(ax) -> tuple[float, float]:
    """Width and height of axes as they are before the layout [inch]."""
    return ax.bbox.width / ax.figure.dpi, ax.bbox.height / ax.figure.dpi


def legend_inches(labels: Iterable) -> float:
    """About how wide a column of a legend with these labels is [inch]."""
    letters = max((len(str(label)) for label in labels), default=0)
    return LEGEND_MARK + LETTER * letters


def legend_below(ax, columns: int) -> None:
    """The legend under the axes, where it hides nothing, in columns that have room.

    Arguments:
        ax: axes with all that is drawn.
        columns: how many, at most.
    """
    from matplotlib.transforms import ScaledTranslation

    _, labels = ax.get_legend_handles_labels()
    fit = int(inches_of(ax)[0] / legend_inches(labels))
    below = ScaledTranslation(0, -BELOW_AXES, ax.figure.dpi_scale_trans)
    ax.legend(
        loc="upper left",
        bbox_to_anchor=(0.0, 0.0),
        bbox_transform=ax.transAxes + below,
        ncols=min(max(fit, 1), columns),
        frameon=False,
        fontsize=LEGEND_POINTS,
        borderaxespad=0.0,
    )
