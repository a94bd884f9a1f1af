"""Figures of a case and its plans: maps, queues, station loads, tariffs, studies.

Every function draws into `ax`, or into a new figure, and returns the axes. Needs
matplotlib (`pip install macjax[plots]`).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from macjax._errors import FIRST_IDS, SettingsError
from macjax.plots.canvas import (
    SPARE_STYLES,
    STYLES,
    axes_of,
    legend_below,
    shown_name,
)
from macjax.tariffs.case import Case
from macjax.tariffs.frames import line_frame, power_table
from macjax.tariffs.operator import Operator
from macjax.tariffs.roads import lookup

COLOURS = [style[0] for style in (*STYLES.values(), *SPARE_STYLES)]
BLACK = "#000000"
LINES = ("-", "--", "-.", ":")


def road_map(case: Case, operator: Operator | None = None, ax=None):
    """The roads, stations as squares; wider where more EVs travel.

    Arguments:
        case: with a table of road nodes that has x and y.
        operator: whose flows give the widths; None draws all alike.
        ax: matplotlib axes to draw in.
    """
    x, y = _positions(case.tables["road_nodes"], case.roads.nodes, "road_nodes")
    ax = axes_of(ax, (7.5, 4.6))
    width = np.full(len(case.roads.names), 1.0)
    if operator is not None:
        total = operator.queues.groupby("arc")["out"].sum()
        flow = total.reindex(case.roads.names).to_numpy(np.float64)
        width = 0.6 + 5.0 * np.nan_to_num(flow) / max(np.nanmax(flow), 1e-9)
    for a, b, w in zip(case.roads.tail, case.roads.head, width, strict=True):
        # Both directions side by side
        dx, dy = np.array([x[b] - x[a], y[b] - y[a]]) / np.hypot(
            x[b] - x[a], y[b] - y[a]
        )
        shift_x, shift_y = 0.05 * dy, -0.05 * dx
        ends = [x[a] + shift_x, x[b] + shift_x], [y[a] + shift_y, y[b] + shift_y]
        ax.plot(*ends, color="0.6", lw=w, solid_capstyle="round", zorder=1)
    station = np.isin(np.arange(len(x)), case.stations.road_node)
    _dots(ax, x, y, case.roads.nodes, station)
    ax.set_title(
        "roads and charging stations" + (", EVs" if operator else ""), loc="left"
    )
    return ax


def grid_map(case: Case, operator: Operator | None = None, ax=None):
    """The tree of lines, stations as squares; lines with a limit carry it [kW].

    Arguments:
        case: with a table of grid nodes that has x and y.
        operator: lines at their limit in some step are drawn in red.
        ax: matplotlib axes to draw in.
    """
    grid = case.grid
    x, y = _positions(case.tables["grid_nodes"], grid.nodes, "grid_nodes")
    ax = axes_of(ax, (7.5, 4.6))
    full = np.zeros(len(grid.lines), bool)
    if operator is not None:
        lines = operator.lines
        over = lines["kw"].abs() + lines["margin_kw"] >= lines["limit_kw"] * (1 - 1e-6)
        full = over.groupby(lines["line"]).any().reindex(grid.lines).to_numpy(bool)
    parent = grid.parent[grid.child]
    for line, (a, b) in enumerate(zip(parent, grid.child, strict=True)):
        colour = COLOURS[1] if full[line] else "0.5"
        ax.plot([x[a], x[b]], [y[a], y[b]], color=colour, lw=2, zorder=1)
        if not np.isnan(grid.limit_kw[line]):
            text = f"{shown_name(grid.lines[line])} {grid.limit_kw[line]:g}"
            middle = (x[a] + x[b]) / 2, (y[a] + y[b]) / 2
            ax.annotate(text, middle, fontsize=7, ha="center", va="bottom")
    station = np.isin(np.arange(len(x)), case.stations.grid_node)
    _dots(ax, x, y, grid.nodes, station)
    ax.set_title("distribution lines, limits in kW", loc="left")
    return ax


def _positions(table: pd.DataFrame, names: np.ndarray, owner: str):
    """x and y of the nodes."""
    at = lookup(names, table["node_id"].to_numpy(object))
    place = table[["x", "y"]].to_numpy(np.float64)
    if (at < 0).any() or not np.isfinite(place).all():
        raise SettingsError(f"a map needs x and y of every node in the table {owner}")
    return place[at].T


def _dots(ax, x, y, names, station) -> None:
    for some, marker, colour in ((~station, "o", "white"), (station, "s", COLOURS[0])):
        ax.scatter(
            x[some], y[some], s=150, marker=marker, c=colour, edgecolors=BLACK, zorder=2
        )
    for name, here, there, dark in zip(names, x, y, station, strict=True):
        colour = "white" if dark else BLACK
        ax.annotate(
            shown_name(name),
            (here, there),
            fontsize=6,
            ha="center",
            va="center",
            color=colour,
        )
    ax.set_aspect("equal")
    ax.axis("off")


def queues(operator: Operator, arcs: int = 5, ax=None):
    """EVs that queue at the ends of the arcs with most of them, over time.

    Arguments:
        operator: solved.
        arcs: how many arcs.
        ax: matplotlib axes to draw in.
    """
    ax = axes_of(ax, (9.0, 3.6))
    table = operator.queues.pivot(index="time", columns="arc", values="queue")
    most = table.sum().nlargest(arcs)
    for rank, arc in enumerate(most.index):
        look = {"color": COLOURS[rank % len(COLOURS)], "ls": LINES[rank % len(LINES)]}
        ax.step(table.index, table[arc], where="post", label=shown_name(arc), **look)
    ax.set_ylabel("queue [EVs]")
    ax.set_title("Queues at the exits of roads", loc="left")
    ax.legend(fontsize=8)
    _days(ax, table.index)
    return ax


def line_loads(case: Case, plans: Mapping, line: str, ax=None):
    """Load of one line against its limit, with the boxes it may fall in [kW].

    The band around the last plan is the worst case of the whole box.

    Arguments:
        case: the case.
        plans: from labels to plans (`Operator` or `Aggregators`).
        line: id of the line.
        ax: matplotlib axes to draw in.
    """
    _check_plans(plans)
    whole = np.ones(case.injections.gamma.shape)
    row = lookup([line], case.grid.lines)[0]
    if row < 0:
        raise SettingsError(f"there is no line '{line}' in the grid")
    ax = axes_of(ax, (9.0, 3.6))
    for rank, (label, plan) in enumerate(plans.items()):
        frame = line_frame(case, power_table(case, plan.powers), whole)
        mine = frame[frame["line"] == line]
        colour = COLOURS[rank % len(COLOURS)]
        kw, spare = mine["kw"].to_numpy(), mine["margin_kw"].to_numpy()
        look = {"color": colour, "ls": LINES[rank % len(LINES)]}
        ax.step(mine["time"], kw, where="post", label=shown_name(label), **look)
        if rank == len(plans) - 1:
            edges = kw - spare, kw + spare
            ax.fill_between(
                mine["time"], *edges, step="post", color=colour, alpha=0.25, lw=0
            )
    limit = float(case.grid.limit_kw[row])
    if not np.isnan(limit):
        ax.axhline(limit, color=BLACK, lw=1.2)
    ax.set_ylabel("load of the line [kW]")
    ax.set_title(f"Load of line {shown_name(line)} and its limit", loc="left")
    ax.legend(fontsize=8)
    _days(ax, case.times)
    return ax


def tariff_curves(plans: Mapping, stations, ax=None):
    """Tariffs of stations over time, one colour a station, one line style a plan.

    Arguments:
        plans: from labels to `Operator`s.
        stations: ids, or one.
        ax: matplotlib axes to draw in.
    """
    _check_plans(plans)
    stations = [stations] if np.isscalar(stations) else list(stations)
    tables = {
        label: plan.tariffs.pivot(index="time", columns="station", values="tariff")
        for label, plan in plans.items()
    }
    for table in tables.values():
        if unknown := [str(i) for i in stations if i not in table.columns]:
            known = ", ".join(map(str, table.columns[:FIRST_IDS]))
            raise SettingsError(
                f"stations: no station {', '.join(unknown[:FIRST_IDS])} in a plan; it "
                f"has {known}"
            )
    ax = axes_of(ax, (9.0, 3.6))
    times = next(iter(tables.values())).index
    for rank, (label, table) in enumerate(tables.items()):
        for number, station in enumerate(stations):
            ax.step(
                times,
                table[station],
                where="post",
                color=COLOURS[number % len(COLOURS)],
                ls=LINES[rank % len(LINES)],
                label=f"{shown_name(station)}, {shown_name(label)}",
            )
    ax.set_ylabel("tariff [currency/kWh]")
    ax.set_title("Dynamic tariffs", loc="left")
    legend_below(ax, columns=min(len(stations), 4))
    _days(ax, times)
    return ax


def cost_of_gamma(study, ax=None):
    """Cost above that of gamma = 0 against gamma, a line for each level.

    Arguments:
        study: a `GammaStudy` that has gamma = 0.
        ax: matplotlib axes to draw in.
    """
    ax = axes_of(ax, (6.0, 3.8))
    for rank, (level, rows) in enumerate(study.rows.groupby("level")):
        rows = rows.sort_values("gamma")
        start = rows.loc[rows["gamma"] == 0, "cost"]
        if not len(start):
            raise SettingsError("the study has no gamma = 0 to compare with")
        ax.plot(
            rows["gamma"],
            rows["cost"] - start.iloc[0],
            marker="o",
            color=COLOURS[rank % len(COLOURS)],
            ls=LINES[rank % len(LINES)],
            label=f"half-widths {100 * float(str(level)):g} %",
        )
    ax.set(xlabel="gamma", ylabel="cost above that of gamma = 0 [currency]")
    ax.set_title("Cost of robustness", loc="left")
    ax.legend(fontsize=8)
    return ax


def _check_plans(plans) -> None:
    """Raise unless plans are a dict with at least one."""
    if not isinstance(plans, Mapping) or not plans:
        got = "none" if isinstance(plans, Mapping) else type(plans).__name__
        raise SettingsError(f"plans must be a dict from label to plan; got {got}")


def _days(ax, times) -> None:
    """Hours of the day along the time axis."""
    from matplotlib import dates

    zone = pd.DatetimeIndex(times).tz
    ax.xaxis.set_major_locator(dates.HourLocator(byhour=range(0, 24, 6), tz=zone))
    ax.xaxis.set_major_formatter(dates.DateFormatter("%H", tz=zone))
    ax.set_xlabel("hour of the day [h]")
    ax.set_xlim(times[0], times[-1])
