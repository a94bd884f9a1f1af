"""Upgrades by feeder, as bars."""

import numpy as np
import pandas as pd

from macjax.plots.canvas import (
    LEGEND_LINE,
    LEGEND_POINTS,
    amount,
    axes_of,
    inches_of,
    legend_inches,
    shown_name,
    styles_of,
    thousands,
)
from macjax.plots.given import scheduled

MOST_FEEDERS = 20


def upgrades(solutions, ax=None):
    """Upgrade that each feeder needs, one bar per solution [kW].

    The feeders with an upgrade in any solution are shown, at most the 20 largest; the
    totals in the legend count all feeders.

    Arguments:
        solutions: one solution, a list, or a dict from label to solution.
        ax: matplotlib axes to draw in.
    """
    shown = scheduled(solutions)
    frames = {k: s.upgrades().set_index("feeder_id") for k, s in shown.items()}
    table = pd.DataFrame({k: f["upgrade_kw"] for k, f in frames.items()}).fillna(0.0)
    order = table.max(axis=1).sort_values(ascending=False, kind="stable").index
    needed = int((table.max(axis=1) > 0).sum())
    table = table.loc[order].head(min(max(needed, 1), MOST_FEEDERS))
    bars = table.to_numpy(np.float64)
    ax = axes_of(ax, (9.0, 4.2))
    thick, styles = 0.8 / len(shown), styles_of(shown)
    for rank, (label, solution) in enumerate(shown.items()):
        colour, _, hatch = styles[label]
        total = frames[label][["upgrade_kw", "upgrade_cost"]].sum()
        currency = shown_name(solution.scenario.currency)
        cost = f"{currency} {amount(total['upgrade_cost'])}"
        ax.bar(
            np.arange(len(bars)) + (rank + 0.5) * thick - 0.4,
            bars[:, rank],
            thick,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            lw=0.5,
            label=f"{shown_name(label)}: {amount(total['upgrade_kw'])} kW, {cost}",
        )
    slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    names = [shown_name(i) for i in table.index]
    ax.set_xticks(np.arange(len(bars)), names, fontsize=8, **slant)
    ax.set_xlabel("feeder")
    ax.set_ylabel("upgrade [kW]")
    most = f", the {len(table)} largest shown" if needed > len(table) else ""
    title = f"Upgrade by feeder: {needed:,} of {len(order):,} need one{most}"
    ax.set_title(title, loc="left")
    ax.grid(axis="y", color="0.9")
    ax.set_axisbelow(True)
    thousands(ax.yaxis)
    # The bars fall to the right: those below the legend must leave room for it.
    width, height = inches_of(ax)
    wide = legend_inches(ax.get_legend_handles_labels()[1]) / width
    room = min(LEGEND_LINE * (len(shown) + 2.0) / (0.75 * height), 0.7)
    below = bars[int(max(1.0 - wide, 0.0) * len(bars)) :].max(initial=0.0) / (1 - room)
    ax.set_ylim(0.0, max(1.05 * bars.max(initial=0.0), below) or 1.0)
    look = {"loc": "upper right", "frameon": False, "fontsize": LEGEND_POINTS}
    ax.legend(title="in all feeders", **look)
    return ax
