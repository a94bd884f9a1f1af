"""Prices of feeders and slots as a map of colours."""

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.plots.canvas import (
    axes_of,
    inches_of,
    local_time_axis,
    require_known,
    require_matplotlib,
    shown_name,
    slot_edges,
)
from macjax.plots.given import one_solution

FEWEST_PRICE_ROWS, MOST_PRICE_ROWS = 8, 40


def price_heatmap(solution, feeders=None, ax=None):
    """Price of one more kW by feeder and slot [currency/kW], darker is dearer.

    Arguments:
        solution: one with prices.
        feeders: ids to show, in this order, or one; by default those with prices,
            the largest sum first, at most 40.
        ax: matplotlib axes to draw in.
    """
    require_matplotlib()
    from matplotlib import colors

    table = _price_table(one_solution(solution))
    count = len(table)
    if feeders is None:
        total = table.abs().sum(axis=1)
        table = table.loc[total.sort_values(ascending=False, kind="stable").index]
        priced = int((total > 0).sum())
        table = table.head(min(max(priced, FEWEST_PRICE_ROWS), MOST_PRICE_ROWS))
    else:
        feeders = [feeders] if np.isscalar(feeders) else list(feeders)
        require_known(feeders, table.index)
        table = table.loc[feeders]
    if table.empty:
        raise SettingsError("feeders: there is no feeder to draw the prices of")
    ax = axes_of(ax, (9.0, 1.6 + 0.16 * max(len(table), 6)))
    values = table.to_numpy(np.float64)
    if values.min() < 0:
        most = np.abs(values).max()
        norm, colours = colors.Normalize(-most, most), "PuOr"
    else:  # most cells are cheap: the root spreads the small prices apart
        norm, colours = colors.PowerNorm(0.5, 0.0, values.max() or 1.0), "magma_r"
    edges = slot_edges(table.columns.to_series(), solution.scenario)
    rows = np.arange(len(table) + 1) - 0.5
    mesh = ax.pcolormesh(edges, rows, values, norm=norm, cmap=colours, rasterized=True)
    currency = shown_name(solution.scenario.currency)
    ax.figure.colorbar(mesh, ax=ax, pad=0.02, label=f"price [{currency}/kW]")
    # Names as large as the rows allow.
    row_points = 72 * inches_of(ax)[1] / len(table)
    names = [shown_name(i) for i in table.index]
    ax.set_yticks(np.arange(len(table)), names, fontsize=min(8.0, 0.8 * row_points))
    ax.invert_yaxis()
    ax.set_ylabel("feeder")
    shown = (
        f"{len(table)} of {count:,} feeders" if len(table) < count else "all feeders"
    )
    ax.set_title(f"Price of one more kW, {shown}", loc="left")
    local_time_axis(ax, solution.scenario)
    return ax


def _price_table(solution) -> pd.DataFrame:
    """Prices with a row per feeder and a column per slot start."""
    prices = solution.prices()
    prices = prices.assign(time=pd.to_datetime(prices["time"], utc=True))
    return prices.pivot(index="feeder_id", columns="time", values="price")
