"""Loads of feeders against their capacity, over time and by duration."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from macjax._errors import SettingsError, SolutionError
from macjax.plots.canvas import (
    DRAWN_LAST,
    amount,
    as_steps,
    axes_of,
    legend_below,
    local_time_axis,
    require_known,
    shown_name,
    slot_edges,
    styles_of,
    thousands,
)
from macjax.plots.given import of_one_scenario

MOST_POINTS = 800  # of a curve of all feeders
MOST_SHARE = 400  # of the capacity that is drawn [%]


def feeder_load(solutions, feeder_id=None, ax=None):
    """Load of one feeder against its capacity, one line per solution [kW].

    The line is base load + EV load, average over the slot; the legend gives the
    feeder's upgrade, the largest excess over the capacity.

    Arguments:
        solutions: one solution, a list, or a dict from label to solution.
        feeder_id: which feeder; by default the one with the largest overload in any
            of the solutions, or else the highest ratio of load to capacity.
        ax: matplotlib axes to draw in.
    """
    shown = of_one_scenario(solutions)
    loads = {label: _with_load(solution) for label, solution in shown.items()}
    if feeder_id is None:
        feeder_id = worst_feeder(loads)
    first = next(iter(shown.values()))
    first_rows = _rows_of(next(iter(loads.values())), feeder_id)
    ax = axes_of(ax, (9.0, 4.2))
    edges = slot_edges(first_rows["time"], first.scenario)
    base = as_steps(first_rows["base_kw"])
    ax.fill_between(
        edges, 0, base, step="post", color="0.88", lw=0, label="load without EVs"
    )
    styles = styles_of(shown)
    for label, solution in shown.items():
        rows = _rows_of(loads[label], feeder_id)
        colour, line, _ = styles[label]
        upgrade = rows["overload_kw"].max()
        ax.step(
            slot_edges(rows["time"], solution.scenario),
            as_steps(rows["load_kw"]),
            where="post",
            color=colour,
            ls=line,
            lw=2.0 if solution.method == "mac" else 1.4,
            label=f"{shown_name(label)}: upgrade {amount(upgrade)} kW",
            zorder=3 + (solution.method in DRAWN_LAST),
        )
    capacity = as_steps(first_rows["capacity_kw"])
    ax.step(edges, capacity, where="post", color="k", lw=1.2, label="capacity")
    ax.set_ylabel("feeder load [kW]")
    name = shown_name(feeder_id)
    ax.set_title(f"Feeder {name}: load against capacity", loc="left")
    ax.set_ylim(bottom=min(0.0, float(np.nanmin(base, initial=0.0))))
    thousands(ax.yaxis)
    local_time_axis(ax, first.scenario)
    ax.set_xlim(edges[0], edges[-1])
    legend_below(ax, columns=2)
    return ax


def load_duration(solutions, feeder_id=None, ax=None):
    """Load over capacity in falling order: for how long it is above which share [%].

    Of one feeder over the hours of the horizon; of all feeders together over the share
    of their slots, on a logarithmic axis that shows the few full ones. Slots without
    any capacity are left out; where no slot has some, there is nothing to draw.

    Arguments:
        solutions: one solution, a list, or a dict from label to solution.
        feeder_id: which feeder; None takes the slots of all.
        ax: matplotlib axes to draw in.
    """
    shown = of_one_scenario(solutions)
    first = next(iter(shown.values()))
    base = first.loads()
    base = base.assign(load_kw=base["base_kw"])
    hours, whole = _duration(base, feeder_id, first.scenario)
    if not len(hours[0]):
        which = "no feeder" if feeder_id is None else f"feeder {feeder_id} never"
        raise SolutionError(
            f"there is no share of the capacity to draw: {which} has a capacity "
            "above 0 kW"
        )
    ax = axes_of(ax, (7.0, 4.2))
    drawn: Any = {"drawstyle": "steps-pre" if feeder_id is None else "steps-post"}
    ax.plot(*hours, color="0.6", lw=1.2, label="load without EVs", **drawn)
    styles = styles_of(shown)
    for label, solution in shown.items():
        (x, y), _ = _duration(_with_load(solution), feeder_id, solution.scenario)
        colour, line, _ = styles[label]
        ax.plot(
            x, y, color=colour, ls=line, lw=2.0 if solution.method == "mac" else 1.4,
            label=f"{shown_name(label)}: at most {amount(y.max())} %",
            zorder=3 + (solution.method in DRAWN_LAST), **drawn,
        )  # fmt: skip
    ax.axhline(100, color="k", lw=1.2)
    ax.set_ylabel("load / capacity [%]")
    if feeder_id is None:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_xlabel("share of the slots of all feeders [%]")
        ax.set_title("Load duration, all feeders", loc="left")
    else:
        ax.set_xlabel("hours of the horizon [h]")
        name = shown_name(feeder_id)
        ax.set_title(f"Feeder {name}: load duration", loc="left")
    ax.set_xlim(hours[0][0], whole)
    # Next to no capacity makes a share without end; the legend says it.
    ax.set_ylim(top=min(ax.get_ylim()[1], MOST_SHARE))
    thousands(ax.yaxis)
    ax.grid(color="0.93")
    legend_below(ax, columns=2)
    return ax


def has_capacity(solution) -> bool:
    """Whether a share of some capacity can be drawn: one is above 0 kW."""
    return bool((solution.loads()["capacity_kw"] > 0).any())


def worst_feeder(loads: Mapping[str, pd.DataFrame]):
    """Id of the feeder with the largest overload, or else the fullest one.

    Arguments:
        loads: frames with feeder_id, load_kw, capacity_kw and overload_kw [kW].
    """
    if not isinstance(loads, Mapping):
        raise SettingsError(
            "worst_feeder takes a dict from label to a frame of loads, not "
            f"{type(loads).__name__}"
        )
    rows = pd.concat(loads.values(), ignore_index=True)
    if rows.empty:
        raise SolutionError("there is no feeder to draw: the solution has no loads")
    if rows["overload_kw"].max() > 0:
        return rows["feeder_id"].loc[rows["overload_kw"].idxmax()]
    fullness = rows["load_kw"] / rows["capacity_kw"].clip(lower=1e-9)
    return rows["feeder_id"].loc[fullness.idxmax()]


def _with_load(solution) -> pd.DataFrame:
    loads = solution.loads()
    return loads.assign(load_kw=loads["base_kw"] + loads["ev_kw"])


def _duration(loads: pd.DataFrame, feeder_id, scenario):
    """Load over capacity in falling order: (where, percent), and the end of the axis.

    `where` is hours for one feeder, percent of the slots for all, both (n,).
    """
    rows = loads if feeder_id is None else _rows_of(loads, feeder_id)
    load, capacity = rows["load_kw"].to_numpy(), rows["capacity_kw"].to_numpy()
    has_limit = capacity > 0
    percent = np.sort(100.0 * load[has_limit] / capacity[has_limit])[::-1]
    count = len(percent)
    if not count:
        return (percent, percent), 100.0
    if feeder_id is not None:
        hours = scenario.slot_minutes / 60 * np.arange(count + 1)
        return (hours, np.append(percent, percent[-1:])), hours[-1]
    steps = np.geomspace(1, count, MOST_POINTS) - 1
    some = np.unique(steps.round().astype(np.int64))
    # A share holds up to its place; the first from half a slot, as 0 has no logarithm.
    where = np.append(50.0 / count, 100.0 * (some + 1) / count)
    return (where, percent[np.append(0, some)]), 100.0


def _rows_of(loads: pd.DataFrame, feeder_id) -> pd.DataFrame:
    require_known([feeder_id], loads["feeder_id"].unique())
    return loads[loads["feeder_id"] == feeder_id].sort_values("time")
