"""Upgrades by feeder, as bars."""

import numpy as np
import pandas as pd

from macjax.plots.canvas import axes_of, by_label, shown_name, style_of

MOST_FEEDERS = 20


def upgrades(solutions, ax=None):
    """Upgrade that each feeder needs, one bar per solution [kW].

    The feeders with an upgrade in any solution are shown, at most the 20 largest; the
    totals in the legend count all feeders.

    Arguments:
        solutions: one solution, a list, or a dict from label to solution.
        ax: matplotlib axes to draw in.
    """
    shown = by_label(solutions)
    frames = {k: s.upgrades().set_index("feeder_id") for k, s in shown.items()}
    table = pd.DataFrame({k: f["upgrade_kw"] for k, f in frames.items()}).fillna(0.0)
    order = table.max(axis=1).sort_values(ascending=False, kind="stable").index
    needed = int((table.max(axis=1) > 0).sum())
    table = table.loc[order].head(min(max(needed, 1), MOST_FEEDERS))
    bars = table.to_numpy(np.float64)
    ax = axes_of(ax, (9.0, 4.2))
    width = 0.8 / len(shown)
    for rank, (label, solution) in enumerate(shown.items()):
        colour, _, hatch = style_of(solution, rank)
        total = frames[label][["upgrade_kw", "upgrade_cost"]].sum()
        cost = f"{solution.scenario.currency} {total['upgrade_cost']:,.0f}"
        ax.bar(
            np.arange(len(bars)) + (rank + 0.5) * width - 0.4,
            bars[:, rank],
            width,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            lw=0.5,
            label=f"{shown_name(label)}: {total['upgrade_kw']:,.0f} kW, {cost}",
        )
    slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    names = [shown_name(i) for i in table.index]
    ax.set_xticks(np.arange(len(bars)), names, fontsize=8, **slant)
    ax.set_xlabel("feeder")
    ax.set_ylabel("upgrade [kW]")
    most = f", the {len(table)} largest shown" if needed > len(table) else ""
    title = f"Upgrade by feeder: {needed} of {len(order)} need one{most}"
    ax.set_title(title, loc="left")
    ax.grid(axis="y", color="0.9")
    ax.set_axisbelow(True)
    # The bars fall to the right: with some room the upper right corner is free.
    ax.set_ylim(0.0, 1.25 * (bars.max(initial=0.0) or 1.0))
    ax.legend(loc="upper right", frameon=False, fontsize=9, title="in all feeders")
    return ax
