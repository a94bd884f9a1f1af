"""State of charge of single vehicles, and which of them are worth a look.

For the choice each vehicle's charging has a middle, its mean time weighted by energy;
between two solutions a vehicle moves

    min(E_a, E_b) |middle_a - middle_b|                                       [kWh h]

"""

import numpy as np
import pandas as pd

from macjax._errors import SettingsError, SolutionError
from macjax.plots.canvas import (
    axes_of,
    legend_below,
    local_time_axis,
    shown_name,
    slot_edges,
    styles_of,
    thousands,
)
from macjax.plots.given import listed, of_one_scenario


def soc_trace(solutions, vehicle_id=None, ax=None):
    """State of charge of one vehicle over the horizon, a line per solution [kWh].

    Grey bands are its stays at a charger; the lines of battery and reserve are the
    limits. Trip energy leaves linearly between departure and arrival.

    Arguments:
        solutions: one solution, a list, or a dict from label to solution.
        vehicle_id: which vehicle; by default the one whose charging is moved most.
        ax: matplotlib axes to draw in.
    """
    shown = of_one_scenario(solutions)
    if vehicle_id is None:
        picked = pick_vehicles(list(shown.values()), 1)
        if not picked:
            raise SolutionError("there is no vehicle to draw: nobody charges")
        vehicle_id = picked[0]
    if not np.isscalar(vehicle_id):
        raise SettingsError(f"vehicle_id must be one id, not {vehicle_id!r}")
    first = next(iter(shown.values())).scenario
    traces = {label: solution.soc(vehicle_id) for label, solution in shown.items()}
    ax = axes_of(ax, (9.0, 4.2))
    styles = styles_of(shown)
    for label, solution in shown.items():
        soc, (colour, line, _) = traces[label], styles[label]
        ax.plot(
            _instants(soc["time"]), soc["soc_kwh"], color=colour, ls=line,
            lw=2.0 if solution.method == "mac" else 1.4, label=shown_name(label),
            zorder=3,
        )  # fmt: skip
    _limits(ax, first, vehicle_id)
    ax.set_ylabel("state of charge [kWh]")
    thousands(ax.yaxis)
    name = shown_name(vehicle_id)
    ax.set_title(f"Vehicle {name}: state of charge", loc="left")
    local_time_axis(ax, first)
    edges = slot_edges(pd.Series(first.slot_starts), first)
    ax.set_xlim(edges[0], edges[-1])
    legend_below(ax, columns=3)
    return ax


def pick_vehicles(solutions, count: int) -> list:
    """Ids of vehicles to look at: half moved most, half spread over all that charge.

    Moved from the first to the last solution with a plan; of one solution, half of
    them are those that charge most.

    Arguments:
        solutions: one solution, a list, or a dict from label to solution; of one
            scenario.
        count: how many, at most.
    """
    solutions = [s for _, s in listed(solutions) if s.plan is not None]
    if not solutions:
        return []
    energy, middle = _middle(solutions[0])
    rank = energy
    if len(solutions) > 1:
        later, other = _middle(solutions[-1])
        rank = np.minimum(energy, later) * np.abs(middle - other)
        energy = np.maximum(energy, later)
    order = np.lexsort((np.arange(len(rank)), -energy, -rank))
    order = order[energy[order] > 0]
    top = order[: -(-count // 2)]
    rest = order[len(top) :]
    spread = min(count - len(top), len(rest))
    at = (np.arange(spread) + 0.5) * len(rest) / max(spread, 1)
    chosen = np.append(top, rest[at.astype(np.int64)])
    return solutions[0].scenario.vehicles["vehicle_id"].iloc[chosen].tolist()


def _middle(solution) -> tuple[np.ndarray, np.ndarray]:
    """Grid energy [kWh] and mean charging time [h] of every vehicle, both (V,)."""
    scenario, plan = solution.scenario, solution.plan
    windows, vehicles = scenario.stay_windows(), len(scenario.vehicles)
    vehicle = np.zeros(len(scenario.stays), np.int64)
    vehicle[windows.row] = windows.vehicle
    who, kwh = vehicle[plan.stay], plan.kw * scenario.slot_hours
    energy = np.bincount(who, kwh, vehicles).astype(np.float64, copy=False)
    times = np.bincount(who, kwh * plan.slot, vehicles) * scenario.slot_hours
    return energy, times / np.where(energy > 0, energy, 1.0)


def _limits(ax, scenario, vehicle_id) -> None:
    """Battery, reserve and the stays at a charger of a vehicle."""
    vehicles, stays = scenario.vehicles, scenario.stays
    row = vehicles[vehicles["vehicle_id"] == vehicle_id].iloc[0]
    ax.axhline(row["battery_kwh"], color="k", lw=1.2, label="battery")
    ax.axhline(row["reserve_kwh"], color="k", lw=1.0, ls=":", label="reserve")
    mine = stays[(stays["vehicle_id"] == vehicle_id) & (stays["charger_kw"] > 0)]
    begin, end = _instants(mine["arrival"]), _instants(mine["departure"])
    for rank, pair in enumerate(zip(begin, end, strict=True)):
        label = None if rank else "at a charger"
        ax.axvspan(*pair, color="0.92", lw=0, zorder=0, label=label)


def _instants(times: pd.Series) -> np.ndarray:
    """UTC instants as matplotlib takes them, (n,)."""
    utc = pd.DatetimeIndex(pd.to_datetime(times, utc=True)).tz_localize(None)
    return utc.to_numpy("datetime64[ns]")
