"""Figure of a power-flow check: lowest voltage against the use of the capacity."""

import numpy as np

from macjax._errors import SolutionError
from macjax.plots import LABELS as METHODS
from macjax.plots.canvas import SPARE_STYLES, STYLES, axes_of, legend_below
from macjax.powerflow.result import BASE, EXISTING, PowerFlow

LABELS = METHODS | {BASE: "base load alone"}
MARKERS = {BASE: "o", "unmanaged": "^", "per_session": "s", "mac": "D"}
SPARE_MARKERS = "vPX*"


def voltages(result: PowerFlow, lines: str = EXISTING, ax=None):
    """Lowest voltage of each feeder [pu] against its largest load over capacity [%].

    One point for every method and feeder; filled where a line or a voltage is beyond
    its limit in some slot. Filled points up to 100 % are feeders whose capacity limit
    alone is not enough.

    Arguments:
        result: of `check`.
        lines: `existing`, or `reinforced`; methods without such rows are not shown.
        ax: matplotlib axes to draw in.
    """
    found = result.by_feeder()
    found = found[(found["lines"] == lines) & found["lowest_pu"].notna()]
    if found.empty:
        raise SolutionError(f"there is no row with lines '{lines}' to draw")
    ax = axes_of(ax, (7.0, 4.6))
    for rank, (method, mine) in enumerate(found.groupby("method", sort=False)):
        colour, marker = _look(str(method), rank)
        look = {"s": 28, "marker": marker, "edgecolors": colour}
        for harmed, part in mine.groupby("harmed"):
            ax.scatter(
                100 * part["capacity_use"].to_numpy(np.float64),
                part["lowest_pu"].to_numpy(np.float64),
                facecolors=colour if harmed else "none",
                zorder=4 if harmed else 3,
                **look,
            )
        count = int(mine["harmed"].sum())
        label = f"{LABELS.get(str(method), method)}: {count} beyond a limit"
        ax.scatter([], [], facecolors=colour, label=label, **look)
    ax.axvline(100, color="k", lw=1.2)
    ax.axhline(result.band_pu[0], color="k", lw=1.2, ls=":")
    ax.set_xlabel("largest load / capacity by balance [%]")
    ax.set_ylabel("lowest voltage of the feeder [pu]")
    count = found["feeder_id"].nunique()
    ax.set_title(
        f"Voltage against capacity, {count} feeders, {lines} lines", loc="left"
    )
    ax.grid(color="0.93")
    ax.set_axisbelow(True)
    legend_below(ax, columns=2)
    return ax


def _look(method: str, rank: int) -> tuple[str, str]:
    """Colour and marker of a method."""
    if method == BASE:
        return "0.45", MARKERS[BASE]
    colour, _, _ = STYLES.get(method, SPARE_STYLES[rank % len(SPARE_STYLES)])
    return colour, MARKERS.get(method, SPARE_MARKERS[rank % len(SPARE_MARKERS)])
