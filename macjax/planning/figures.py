"""Figures for planners: cost with its proof, spread over feeders, who is flexible.

Every function takes solutions and `ax=`, draws, and returns the axes, as those of
`macjax.plots` do; `solutions` is one `Solution`, a list, or a dict from label to
solution.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import SettingsError, SolutionError
from macjax.planning.feeders import feeder_table
from macjax.planning.places import (
    BASELINE,
    TOTAL,
    charging_by_hour,
    flexibility_by_place,
)
from macjax.planning.transformers import POWER_FACTOR, discrete_upgrades
from macjax.plots.canvas import (
    SPARE_STYLES,
    STYLES,
    axes_of,
    legend_below,
    shown_name,
    styles_of,
    thousands,
)
from macjax.plots.given import LABELS, of_one_scenario, one_solution

# Colours and hatches of kinds of place; others take spare ones.
PLACES = {
    "home": ("#0072B2", ""),
    "work": ("#E69F00", "///"),
    "public": ("#009E73", "..."),
    "fast": ("#CC79A7", "xxx"),
}
HOURS = np.arange(25)
MEGA = 1e3
MOST_USE = 200  # of the capacity that is shown [%]
OF_TRANSFORMERS = "USD"  # currency of the unit costs
# What an axis of money counts in, by its largest value.
COUNTED_IN = ((1e6, 1e6, "million "), (1e4, 1e3, "thousand "), (0.0, 1.0, ""))


class Costs(NamedTuple):
    """Upgrade cost of a schedule, what is proved to be needed, in transformers."""

    found: float
    at_least: float
    bought: float


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
    standard transformers, whose unit costs hold no lines. They are USD: in another
    currency they are not drawn, as one axis has one unit.

    Arguments:
        solutions: of one scenario.
        ax: matplotlib axes to draw in.
        transformers, power_factor, replace: of `discrete_upgrades`.
    """
    shown = of_one_scenario(solutions)
    ax = axes_of(ax, (7.0, 4.2))
    currency = next(iter(shown.values())).scenario.currency
    costs = [_costs(s, transformers, power_factor, replace) for s in shown.values()]
    if currency != OF_TRANSFORMERS:
        costs = [row._replace(bought=0.0) for row in costs]
    largest = max(max(row.found, row.bought) for row in costs)
    unit, word = next((u, w) for least, u, w in COUNTED_IN if largest >= least)
    styles = styles_of(shown).values()
    for rank, (row, (colour, _, hatch)) in enumerate(zip(costs, styles, strict=True)):
        row = Costs(*(value / unit for value in row))
        look = {"color": colour, "edgecolor": "white", "lw": 0.5}
        ax.bar(rank - 0.14, row.found, 0.5, hatch=hatch, **look)
        ax.bar(rank + 0.24, row.bought, 0.2, alpha=0.45, **look)
        ax.annotate(
            _four_digits(row.found), (rank - 0.14, row.found), (0, 3), ha="center",
            fontsize=9, textcoords="offset points",
        )  # fmt: skip
        if np.isfinite(row.at_least):
            ends = (rank - 0.42, rank + 0.14)
            ax.hlines(row.at_least, *ends, color="k", lw=1.4, zorder=4)
    ax.bar(0, 0, color="0.5", label="cost per kW of each feeder")
    if currency == OF_TRANSFORMERS:
        ax.bar(0, 0, color="0.5", alpha=0.45, label="in standard transformers [USD]")
    ax.hlines(
        [], 0, 0, color="k", lw=1.4, label="certified: none of its kind needs less"
    )
    ax.set_xticks(np.arange(len(shown)), [shown_name(label) for label in shown])
    ax.set_ylabel(f"upgrade cost [{word}{shown_name(currency)}]")
    ax.set_ylim(bottom=0.0)
    thousands(ax.yaxis)
    ax.set_title("Cost of the upgrades that charging needs", loc="left")
    ax.grid(axis="y", color="0.9")
    ax.set_axisbelow(True)
    legend_below(ax, columns=1)
    return ax


def _costs(solution, transformers, power_factor, replace) -> Costs:
    numbers = solution.summary()
    bought = discrete_upgrades(solution, transformers, power_factor, replace)
    return Costs(
        numbers["upgrade_cost"],
        numbers["upgrade_cost_at_least"],
        float(bought["discrete_cost_usd"].sum()),
    )


def _four_digits(value: float) -> str:
    """Four digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.4g}"


def feeder_distribution(solutions, ax=None):
    """Share of the feeders whose largest load stays below a share of their capacity.

    The curve of a good schedule turns upright at 100 %: it fills feeders up to their
    capacity and not beyond.

    Arguments:
        solutions: of one scenario.
        ax: matplotlib axes to draw in.
    """
    shown = of_one_scenario(solutions)
    ax = axes_of(ax, (7.0, 4.2))
    base = feeder_table([next(iter(shown.values()))])["base_use"]
    share = 100 * np.arange(1, len(base) + 1) / max(len(base), 1)
    ax.step(
        100 * np.sort(base), share, where="post", color="0.6", lw=1.2,
        label="load without EVs",
    )  # fmt: skip
    highest = 0.0
    styles = styles_of(shown)
    for label, solution in shown.items():
        table = feeder_table([solution])
        colour, line, _ = styles[label]
        count = int((table["units"] > 0).sum())
        use = 100 * np.sort(table["use"])
        ax.step(
            use, share, where="post", color=colour, ls=line, lw=1.6,
            label=f"{shown_name(label)}: {count:,} of {len(table):,} feeders over",
        )  # fmt: skip
        if len(limited := use[np.isfinite(use)]):
            highest = max(highest, float(np.quantile(limited, 0.99)))
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
    shown = of_one_scenario(solutions)
    table = flexibility_by_place(shown.values(), by)
    # As in the table, the first of each method counts.
    names = {s.method: label for label, s in reversed(shown.items())}
    before = "peak_unmanaged_kwh" if cells == "peak" else "unmanaged_kwh"
    after = "peak_kwh" if cells == "peak" else "energy_kwh"
    table = table[table["place"] != TOTAL]
    first = table[table["method"] == table["method"].iloc[0]]
    bars = {names[BASELINE]: first.set_index("place")[before]}
    for method, frame in table.groupby("method", sort=False):
        bars[names[str(method)]] = frame.set_index("place")[after]
    ax = axes_of(ax, (7.0, 4.2))
    bottom = np.zeros(len(bars))
    for rank, place in enumerate(first["place"]):
        values = np.array([bar[place] for bar in bars.values()]) / MEGA
        if not values.any():
            continue
        colour, hatch = place_look(place, rank)
        ax.bar(
            np.arange(len(bars)), values, 0.6, bottom, color=colour, hatch=hatch,
            label=shown_name(place), edgecolor="white", lw=0.5,
        )  # fmt: skip
        bottom += values
    ax.set_xticks(np.arange(len(bars)), [shown_name(label) for label in bars])
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
    if one_solution(solution).plan is None:
        raise SolutionError("the solution has no plan to draw")
    table = charging_by_hour([solution], by)
    ax = axes_of(ax, (7.0, 4.2))
    bottom = np.zeros(25)
    for rank, (place, frame) in enumerate(table.groupby("place", sort=False)):
        values = frame.sort_values("hour")["kw"].to_numpy(np.float64) / MEGA
        values = np.append(values, values[-1:])
        if not np.nansum(values):
            continue
        colour, hatch = place_look(place, rank)
        ax.fill_between(
            HOURS, bottom, bottom + values, step="post", lw=0, label=shown_name(place),
            facecolor=colour, edgecolor="white", hatch=hatch,
        )  # fmt: skip
        bottom = bottom + values
    ax.set_xlim(0, 24)
    ax.set_xticks(range(0, 25, 4))
    ax.set_ylim(bottom=0)
    ax.set_xlabel(f"hour of the day ({solution.scenario.timezone})")
    ax.set_ylabel("charging power, mean over the days [MW]")
    name = shown_name(LABELS.get(solution.method, solution.method))
    ax.set_title(f"When and where cars charge: {name}", loc="left")
    ax.grid(axis="y", color="0.9")
    ax.set_axisbelow(True)
    legend_below(ax, columns=4)
    return ax


def place_look(place, rank: int) -> tuple[str, str]:
    """Colour and hatch of a kind of place; for one that is not known, by its rank."""
    spare = [(style[0], style[2]) for style in (*SPARE_STYLES, *STYLES.values())]
    return PLACES.get(str(place), spare[rank % len(spare)])
