"""The frames of a solution, from the scenario and the plan alone.

    P_ft = sum of weight * kw over the plan's entries on feeder f in slot t    [kW]
    overload_ft = (base_ft + P_ft - capacity_ft)_+,  upgrade_f = max_t overload_ft
    SOC(t) = initial + efficiency * grid energy up to t - trip energy up to t  [kWh]

Whole columns are computed at once. Times are instants in the scenario's timezone.
"""

import numpy as np
import pandas as pd

from macjax._errors import FIRST_IDS, SettingsError
from macjax.scenario.events import microseconds_of
from macjax.scenario.header import MINUTE
from macjax.scenario.ids import listed
from macjax.scenario.plan import Plan

MOST_SOC_ROWS = 50_000_000
OVERLOAD_COUNTS = 1e-6


def check_plan(scenario, plan: Plan) -> str:
    """What is wrong with the form of a plan; empty if nothing is.

    Entries are sorted by stay and slot without repeats, name stays that overlap the
    horizon and slots within it, and hold finite power. Whether every vehicle can
    follow the plan is the matter of the certificate.
    """
    stay, slot, kw = plan
    if not len(stay) == len(slot) == len(kw):
        return f"{len(stay)} stays, {len(slot)} slots, {len(kw)} powers"
    if len(stay) == 0:
        return ""
    if len(_windows_of(scenario, stay)[1]):
        return "it names a stay that is not in the horizon of the scenario"
    if slot.min() < 0 or slot.max() >= scenario.slots:
        return f"it names a slot outside 0 to {scenario.slots - 1}"
    if not np.isfinite(kw).all():
        return "it holds a power that is not a finite number"
    same = stay[1:] == stay[:-1]
    if (stay[1:] < stay[:-1]).any() or (slot[1:][same] <= slot[:-1][same]).any():
        return "its rows are not sorted by stay and slot, or repeat"
    return ""


def local_times(scenario, instants: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Instants shown in the scenario's timezone, without name and frequency."""
    shown = pd.DatetimeIndex(instants).tz_convert(scenario.timezone)
    return pd.DatetimeIndex(shown, freq=None, name=None)


def _windows_of(scenario, stay: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where stays are among the clipped ones, and the entries that are not there."""
    row = scenario.stay_windows().row
    if len(row) == 0:
        return np.zeros(len(stay), np.int64), np.arange(len(stay))
    at = np.minimum(np.searchsorted(row, stay), len(row) - 1)
    return at, np.flatnonzero(row[at] != stay)


def vehicle_feeder(scenario, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Vehicle and feeder index of every entry of a plan; feeder -1 for none."""
    windows, (at, _) = scenario.stay_windows(), _windows_of(scenario, plan.stay)
    return windows.vehicle[at], windows.feeder[at]


def _totals(cell: np.ndarray, values: np.ndarray, cells: int) -> np.ndarray:
    """Sum of the values in each cell, float64 also where there are none."""
    return np.bincount(cell, values, cells).astype(np.float64, copy=False)


def schedule(scenario, plan: Plan) -> pd.DataFrame:
    """Rows with power: vehicle_id, stay, time, feeder_id, kw.

    `stay` is the row number of the stays table as given; `kw` the average grid power
    over the slot of one vehicle of the row [kW], not multiplied by its weight;
    `feeder_id` is null for a charger without a feeder.
    """
    stays, times = scenario.stays, local_times(scenario, scenario.slot_starts)
    return pd.DataFrame(
        {
            "vehicle_id": stays["vehicle_id"].array.take(plan.stay),
            "stay": np.array(plan.stay, np.int64),
            "time": times.take(plan.slot),
            "feeder_id": stays["feeder_id"].array.take(plan.stay),
            "kw": np.array(plan.kw, np.float64),
        }
    )


def ev_load(scenario, plan: Plan) -> np.ndarray:
    """P, the weighted load of the vehicles, shape (F, T) [kW]."""
    vehicle, feeder = vehicle_feeder(scenario, plan)
    served = feeder >= 0
    feeders, slots = len(scenario.feeders), scenario.slots
    weight = scenario.vehicles["weight"].to_numpy(np.float64)
    cell = feeder[served].astype(np.int64) * slots + plan.slot[served]
    kw = weight[vehicle[served]] * plan.kw[served]
    return _totals(cell, kw, feeders * slots).reshape(feeders, slots)


def energy_kwh(scenario, plan: Plan) -> float:
    """Grid energy of all vehicles, weighted, with and without a feeder [kWh]."""
    vehicle, _ = vehicle_feeder(scenario, plan)
    weight = scenario.vehicles["weight"].to_numpy(np.float64)
    return float(np.sum(weight[vehicle] * plan.kw) * scenario.slot_hours)


def _cells(scenario, **columns) -> pd.DataFrame:
    """A frame with a row for every feeder and slot; columns are (F, T) arrays."""
    feeders, slots = len(scenario.feeders), scenario.slots
    every = np.repeat(np.arange(feeders), slots)
    times = local_times(scenario, scenario.slot_starts)
    frame = {
        "feeder_id": scenario.feeders["feeder_id"].array.take(every),
        "time": times.take(np.tile(np.arange(slots), feeders)),
    }
    flat = {name: np.array(a, np.float64).reshape(-1) for name, a in columns.items()}
    return pd.DataFrame(frame | flat)


def loads(scenario, plan: Plan, beside_kw: float | np.ndarray = 0.0) -> pd.DataFrame:
    """Every feeder and slot: feeder_id, time, base_kw, ev_kw, capacity_kw, overload_kw.

    Average power over the slot [kW]; the vehicles' weights are counted. `beside_kw` is
    the load of vehicles that are not in the scenario, here and below.
    """
    capacity, base = scenario.capacity_base()
    load = ev_load(scenario, plan) + beside_kw
    return _cells(
        scenario,
        base_kw=base,
        ev_kw=load,
        capacity_kw=capacity,
        overload_kw=np.maximum(base + load - capacity, 0.0),
    )


def cell_prices(scenario, table: np.ndarray, column: str = "price") -> pd.DataFrame:
    """A (F, T) array as a frame: feeder_id, time and the values.

    A price is the cost of one more kW in that slot [currency/kW]; one grid kWh there
    costs price / slot hours.
    """
    return _cells(scenario, **{column: table})


def upgrades(scenario, plan: Plan, beside_kw: float | np.ndarray = 0.0) -> pd.DataFrame:
    """What each feeder needs: upgrade_kw, upgrade_cost, peak_time, base_only_kw.

    `peak_time` is the slot of the largest overload (the first one of equal ones), NaT
    without overload; `base_only_kw` the upgrade that the base load alone needs.
    """
    capacity, base = scenario.capacity_base()
    excess = base + ev_load(scenario, plan) + beside_kw - capacity
    peak = np.argmax(excess, axis=1)
    upgrade = np.maximum(excess[np.arange(len(excess)), peak], 0.0)
    times = pd.Series(local_times(scenario, scenario.slot_starts).take(peak))
    cost = scenario.feeders["upgrade_cost_per_kw"].to_numpy(np.float64)
    return pd.DataFrame(
        {
            "feeder_id": scenario.feeders["feeder_id"].array.copy(),
            "upgrade_kw": upgrade,
            "upgrade_cost": upgrade * cost,
            "peak_time": times.where(upgrade > 0),
            "base_only_kw": np.max(np.maximum(base - capacity, 0.0), axis=1),
        }
    )


def overloaded(scenario, plan: Plan, beside_kw: float | np.ndarray = 0.0) -> np.ndarray:
    """Whether each feeder is overloaded, by more than rounding, shape (F,).

    overload_ft > 1e-6 max(1 kW, capacity_ft) in some slot t.
    """
    capacity, base = scenario.capacity_base()
    excess = base + ev_load(scenario, plan) + beside_kw - capacity
    return np.any(excess > OVERLOAD_COUNTS * np.maximum(1.0, capacity), axis=1)


def select_vehicles(scenario, vehicles) -> np.ndarray:
    """Indices of the named vehicles, in the order given, each once.

    Arguments:
        vehicles: one id, or a list, Series or array of ids; None for all.
    """
    ids = pd.Index(scenario.vehicles["vehicle_id"])
    if vehicles is None:
        return np.arange(len(ids))
    names = listed(vehicles, "vehicles")
    at = ids.get_indexer(pd.Index(names, dtype=None if names else ids.dtype))
    unknown = [str(n) for n, i in zip(names, at, strict=True) if i < 0]
    if unknown:
        more = ", ..." if len(unknown) > FIRST_IDS else ""
        raise SettingsError(
            f"vehicles: {len(unknown)} not in the vehicles table: "
            f"{', '.join(unknown[:FIRST_IDS])}{more}; its ids are "
            f"{'integers' if ids.dtype.kind == 'i' else 'text'}"
        )
    return at


def soc(scenario, plan: Plan, selected: np.ndarray, initial_kwh) -> pd.DataFrame:
    """State of charge at every slot edge: vehicle_id, time, soc_kwh.

    Charging counts in full at the end of its slot and trip energy leaves linearly
    between departure and arrival, so the values are exact at the edges. A trip that
    arrives after the horizon counts in full: all its energy leaves linearly between
    departure and the end of the horizon. slots + 1 rows a vehicle.

    Arguments:
        selected: indices into the vehicles table, shape (n,).
        initial_kwh: SOC at the start of the horizon, shape (vehicles,) [kWh].
    """
    edges = scenario.slots + 1
    if len(selected) * edges > MOST_SOC_ROWS:
        raise SettingsError(
            f"soc() of {len(selected)} vehicles has {len(selected) * edges} rows, more "
            f"than {MOST_SOC_ROWS}; name some: soc(vehicles=[...])"
        )
    level = _soc_table(scenario, plan, selected, initial_kwh)
    every = np.repeat(selected, edges)
    times = local_times(scenario, scenario.slot_edges)
    return pd.DataFrame(
        {
            "vehicle_id": scenario.vehicles["vehicle_id"].array.take(every),
            "time": times.take(np.tile(np.arange(edges), len(selected))),
            "soc_kwh": level.reshape(-1),
        }
    )


def _soc_table(scenario, plan, selected, initial_kwh) -> np.ndarray:
    """SOC of the selected vehicles at the slot edges, shape (n, slots + 1) [kWh]."""
    edges = scenario.slots + 1
    efficiency = scenario.vehicles["charge_efficiency"].to_numpy(np.float64)
    place = np.full(len(efficiency), -1, np.int64)
    place[selected] = np.arange(len(selected))

    vehicle, _ = vehicle_feeder(scenario, plan)
    mine = place[vehicle] >= 0
    gained = plan.kw * scenario.slot_hours * efficiency[vehicle]
    cell = place[vehicle] * edges + plan.slot + 1
    level = _totals(cell[mine], gained[mine], len(selected) * edges)

    _, vehicle, depart_h, arrive_h, energy = scenario.trip_events()
    mine = place[vehicle] >= 0
    trip, slot, share = _trip_shares(depart_h[mine], arrive_h[mine], scenario)
    cell = place[vehicle[mine]][trip] * edges + slot + 1
    level -= _totals(cell, energy[mine][trip] * share, len(selected) * edges)

    level = level.reshape(len(selected), edges)
    level[:, 0] += np.asarray(initial_kwh, np.float64)[selected]
    return np.cumsum(level, axis=1, out=level)


def _trip_shares(depart_h, arrive_h, scenario):
    """Slots that trips touch: trip, slot, share of the trip's time in that slot.

    The shares of a trip add up to one. Instants are whole microseconds, so that one on
    a slot edge is on it, which hours / slot_hours misses by rounding.
    """
    depart, arrive = microseconds_of(depart_h), microseconds_of(arrive_h)
    length = scenario.slot_minutes * MINUTE
    low = np.clip(depart // length, 0, scenario.slots - 1)
    high = np.clip(-(-arrive // length), low + 1, scenario.slots)
    count = high - low
    trip = np.repeat(np.arange(len(count)), count)
    slot = low[trip] + np.arange(len(trip)) - np.repeat(np.cumsum(count) - count, count)
    last = slot == high[trip] - 1
    duration, begin = (arrive - depart)[trip], slot * length - depart[trip]
    until = np.where(last, 1.0, (begin + length) / duration)
    since = np.where(slot == low[trip], 0.0, begin / duration)
    return trip, slot, until - since
