"""Map of the feeders: where upgrades are needed, and how large they are."""

import numpy as np
import pandas as pd

from macjax._errors import SolutionError
from macjax.planning.feeders import feeder_table
from macjax.plots.canvas import LABELS, axes_of, style_of

# Columns that place a feeder, with the labels of the axes.
PLACES = (
    ("longitude", "latitude", "longitude [degrees]", "latitude [degrees]"),
    ("x", "y", "x", "y"),
)
SMALLEST, LARGEST = 6.0, 220.0  # areas of the dots [points^2]


def feeder_map(solution, largest_kw: float | None = None, ax=None):
    """Feeders where they are; those that need an upgrade in colour, by its size.

    Arguments:
        solution: one with a plan; its feeders have longitude and latitude, or x and y.
        largest_kw: upgrade of the largest dot [kW], to draw several maps to one scale;
            None takes the largest of the solution.
        ax: matplotlib axes to draw in.
    """
    table = feeder_table([solution])
    kind = placed_by(table)
    if kind is None:
        raise SolutionError(
            "the feeders have no longitude and latitude, or x and y, to draw a map from"
        )
    horizontal, vertical, x_label, y_label = kind
    ax = axes_of(ax, (6.0, 6.0))
    x, y = (table[name].to_numpy(np.float64) for name in (horizontal, vertical))
    upgrade = table["upgrade_kw"].to_numpy(np.float64)
    needs = (table["units"] > 0).to_numpy(bool)
    most = upgrade.max(initial=0.0) if largest_kw is None else float(largest_kw)
    colour, _, _ = style_of(solution, 0)
    ax.scatter(x[~needs], y[~needs], s=SMALLEST / 2, c="0.75", lw=0)
    area = SMALLEST + (LARGEST - SMALLEST) * upgrade[needs] / (most or 1.0)
    order = np.argsort(-area)
    ax.scatter(
        x[needs][order], y[needs][order], s=area[order], c=colour, alpha=0.5, lw=0
    )
    if most > 0:
        for kw in (most, most / 4):
            size = SMALLEST + (LARGEST - SMALLEST) * kw / most
            label = f"{float(f'{kw:.2g}'):,.0f} kW"
            ax.scatter([], [], s=size, c="0.5", alpha=0.6, lw=0, label=label)
        ax.legend(frameon=False, fontsize=9, labelspacing=1.0, loc="best")
    if horizontal == "longitude":
        ax.set_aspect(1 / np.cos(np.radians(np.nanmean(y))))
    else:
        ax.set_aspect("equal")
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    name = LABELS.get(solution.method, solution.method)
    total = upgrade.sum() / 1e3
    ax.set_title(
        f"{name}: {int(needs.sum()):,} of {len(table):,} feeders, {total:,.4g} MW",
        loc="left",
    )
    return ax


def placed_by(feeders: pd.DataFrame) -> tuple[str, str, str, str] | None:
    """Columns that place feeders and labels of the axes; None if nothing does."""
    for kind in PLACES:
        pair = list(kind[:2])
        if set(pair) <= set(feeders.columns) and feeders[pair].notna().any(axis=None):
            return kind
    return None
