"""Figures for planners: cost with its proof, spread over feeders, who is flexible.

Every function takes solutions and `ax=`, draws, and returns the axes, as those of
`macjax.plots` do; `solutions` is one `Solution`, a list, or a dict from label to
solution.
"""

import numpy as np
import pandas as pd

from macjax._errors import SettingsError, SolutionError
from macjax.planning.feeders import feeder_table
from macjax.planning.places import TOTAL, charging_by_hour, flexibility_by_place
from macjax.planning.transformers import POWER_FACTOR, discrete_upgrades
from macjax.plots.canvas import (
    LABELS,
    SPARE_STYLES,
    STYLES,
    axes_of,
    by_label,
    legend_below,
    style_of,
)

# Colours of kinds of place; others take spare ones.
PLACES = {
    "home": "#0072B2",
    "work": "#E69F00",
    "public": "#009E73",
    "fast": "#CC79A7",
}
HOURS = np.arange(25)
MEGA = 1e3
MOST_USE = 200  # of the capacity that is shown [%]


def cost_intervals(
    solutions,
    ax=None,
    transformers: str | pd.DataFrame = "three_phase",
    power_factor: float = POWER_FACTOR,
    replace: str | None = None,
):
    """Upgrade cost of each solution, what is proved to be needed, and in transformers.

    A bar is the continuous cost of the schedule; the line across it the certified
    lower bound of any schedule of its kind; the narrow bar beside it the cost in
    standard transformers, whose unit costs hold no lines.

    Arguments:
        solutions: of one scenario.
        ax: matplotlib axes to draw in.
        transformers, power_factor, replace: of `discrete_upgrades`.
    """
    shown = by_label(solutions)
    ax = axes_of(ax, (7.0, 4.2))
    currency = next(iter(shown.values())).scenario.currency
    for rank, solution in enumerate(shown.values()):
        colour, _, hatch = style_of(solution, rank)
        numbers = solution.summary()
        cost, bound = numbers["upgrade_cost"] / 1e6, numbers["upgrade_cost_at_least"]
        look = {"color": colour, "edgecolor": "white", "lw": 0.5}
        ax.bar(rank - 0.14, cost, 0.5, hatch=hatch, **look)
        bought = discrete_upgrades(solution, transformers, power_factor, replace)
        discrete = bought["discrete_cost_usd"].sum() / 1e6
        ax.bar(rank + 0.24, discrete, 0.2, alpha=0.45, **look)
        ax.annotate(
            f"{cost:,.4g}", (rank - 0.14, cost), (0, 3), ha="center", fontsize=9,
            textcoords="offset points",
        )  # fmt: skip
        if np.isfinite(bound):
            ends = (rank - 0.42, rank + 0.14)
            ax.hlines(bound / 1e6, *ends, color="k", lw=1.4, zorder=4)
    ax.bar(0, 0, color="0.5", label="cost per kW of each feeder")
    ax.bar(0, 0, color="0.5", alpha=0.45, label="in standard transformers [USD]")
    ax.hlines(
        [], 0, 0, color="k", lw=1.4, label="certified: none of its kind needs less"
    )
    ax.set_xticks(np.arange(len(shown)), list(shown))
    ax.set_ylabel(f"upgrade cost [million {currency}]")
    ax.set_title("Cost of the upgrades that charging needs", loc="left")
    ax.grid(axis="y", color="0.9")
    ax.set_axisbelow(True)
    legend_below(ax, columns=1)
    return ax


def feeder_distribution(solutions, ax=None):
    """Share of the feeders whose largest load stays below a share of their capacity.

    The curve of a good schedule turns upright at 100 %: it fills feeders up to their
    capacity and not beyond.

    Arguments:
        solutions: of one scenario.
        ax: matplotlib axes to draw in.
    """
    shown = by_label(solutions)
    ax = axes_of(ax, (7.0, 4.2))
    base = feeder_table([next(iter(shown.values()))])["base_use"]
    share = 100 * np.arange(1, len(base) + 1) / max(len(base), 1)
    ax.step(
        100 * np.sort(base), share, where="post", color="0.6", lw=1.2,
        label="load without EVs",
    )  # fmt: skip
    highest = 0.0
    for rank, (label, solution) in enumerate(shown.items()):
        table = feeder_table([solution])
        colour, line, _ = style_of(solution, rank)
        count = int((table["units"] > 0).sum())
        use = 100 * np.sort(table["use"])
        ax.step(
            use, share, where="post", color=colour, ls=line, lw=1.6,
            label=f"{label}: {count:,} of {len(table):,} feeders over",
        )  # fmt: skip
        highest = max(highest, float(np.quantile(use[np.isfinite(use)], 0.99)))
    ax.axvline(100, color="k", lw=1.2)
    ax.set_xlim(40, min(max(1.02 * highest, 110), MOST_USE))
    ax.set_ylim(0, 101)
    ax.set_xlabel("largest load of the horizon / capacity [%]")
    ax.set_ylabel("share of the feeders [%]")
    ax.set_title("How full feeders get", loc="left")
    ax.grid(color="0.93")
    legend_below(ax, columns=2)
    return ax


def flexibility(solutions, cells: str = "peak", by: str = "place", ax=None):
    """Energy by kind of place, unmanaged and coordinated, as stacked bars [MWh].

    Arguments:
        solutions: of one scenario, unmanaged charging among them.
        cells: `peak`, the feeders and slots that unmanaged charging overloads, or
            `all`.
        by: column of the stays that says the kind of place.
        ax: matplotlib axes to draw in.
    """
    if cells not in ("peak", "all"):
        raise SettingsError(f"cells must be 'peak' or 'all', not {cells!r}")
    shown = by_label(solutions)
    table = flexibility_by_place(shown.values(), by)
    names = {s.method: label for label, s in shown.items()}
    before = "peak_unmanaged_kwh" if cells == "peak" else "unmanaged_kwh"
    after = "peak_kwh" if cells == "peak" else "energy_kwh"
    table = table[table["place"] != TOTAL]
    first = table[table["method"] == table["method"].iloc[0]]
    bars = {"unmanaged": first.set_index("place")[before]}
    for method, frame in table.groupby("method", sort=False):
        bars[names[str(method)]] = frame.set_index("place")[after]
    ax = axes_of(ax, (7.0, 4.2))
    bottom = np.zeros(len(bars))
    for rank, place in enumerate(first["place"]):
        values = np.array([bar[place] for bar in bars.values()]) / MEGA
        if not values.any():
            continue
        ax.bar(
            np.arange(len(bars)), values, 0.6, bottom, color=place_colour(place, rank),
            label=str(place), edgecolor="white", lw=0.5,
        )  # fmt: skip
        bottom += values
    ax.set_xticks(np.arange(len(bars)), list(bars))
    ax.set_ylabel("energy from the grid [MWh]")
    where = "in the peak slots of overloaded feeders" if cells == "peak" else "in all"
    ax.set_title(f"Charging by place, {where}", loc="left")
    ax.grid(axis="y", color="0.9")
    ax.set_axisbelow(True)
    legend_below(ax, columns=4)
    return ax


def charging_profile(solution, by: str = "place", ax=None):
    """Mean charging power by local hour of the day, stacked by kind of place [MW].

    Arguments:
        solution: one with a plan.
        by: column of the stays that says the kind of place.
        ax: matplotlib axes to draw in.
    """
    if solution.plan is None:
        raise SolutionError("the solution has no plan to draw")
    table = charging_by_hour([solution], by)
    ax = axes_of(ax, (7.0, 4.2))
    bottom = np.zeros(25)
    for rank, (place, frame) in enumerate(table.groupby("place", sort=False)):
        values = frame.sort_values("hour")["kw"].to_numpy(np.float64) / MEGA
        values = np.append(values, values[-1:])
        if not np.nansum(values):
            continue
        ax.fill_between(
            HOURS, bottom, bottom + values, step="post", lw=0, label=str(place),
            color=place_colour(place, rank),
        )  # fmt: skip
        bottom = bottom + values
    ax.set_xlim(0, 24)
    ax.set_xticks(range(0, 25, 4))
    ax.set_ylim(bottom=0)
    ax.set_xlabel(f"hour of the day ({solution.scenario.timezone})")
    ax.set_ylabel("charging power, mean over the days [MW]")
    name = LABELS.get(solution.method, solution.method)
    ax.set_title(f"When and where cars charge: {name}", loc="left")
    ax.grid(axis="y", color="0.9")
    ax.set_axisbelow(True)
    legend_below(ax, columns=4)
    return ax


def place_colour(place, rank: int) -> str:
    """Colour of a kind of place; for one that is not known, by its rank."""
    spare = [style[0] for style in (*SPARE_STYLES, *STYLES.values())]
    return PLACES.get(str(place), spare[rank % len(spare)])
