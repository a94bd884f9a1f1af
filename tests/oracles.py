"""Reference answers from outside: the fleet problem as one LP, solved by HiGHS.

Compact form: one variable for each charging opportunity (a stay in a slot), one state
for each stay, rows only for what is in the tables. Nothing of macjax is used: the
tables are converted here a second time, so that the two can disagree.

    min  sum_f peak_f * theta_f + dt * sum_ft over_f * o_ft + dt * sum_ft energy_ft P_ft
    P_ft - theta_f <= H_ft,  P_ft - o_ft <= H_ft  (P_ft <= H_ft where hard)
    P_ft = sum_{opportunities in (f, t)} weight * u / (efficiency * dt)     [kW]
    S_k = S_{k-1} + sum_{opportunities of stay k} u,  low_k <= S_k <= high_k  [kWh]
"""

import dataclasses
import time

import highspy
import numpy as np
import pandas as pd
from scipy import sparse

DEFAULTS = {
    "vehicles": {"reserve_kwh": 0.0, "charge_efficiency": 0.92, "weight": 1.0},
    "stays": {"charger_kw": 0.0, "feeder_id": None},
    "trips": {},
    "feeders": {"upgrade_cost_per_kw": 1.0},
    "feeder_profile": {},
}


@dataclasses.dataclass
class Problem:
    """The tables as arrays: opportunities in order of vehicle and time, and states.

    Opportunities (n,): `stay` row of the stays table, `slot`, `state` (number of the
    stay's state), `most` battery kWh, `cell` = feeder * T + slot or -1,
    `kw_per_kwh` = weight / (efficiency * dt). States (k,): `vehicle`, `low`, `high`
    battery kWh charged since the start, `opens` True for the first of a vehicle.
    Vehicles: `missing` kWh (v,) that no charging can repair (before or without stays).
    """

    stay: np.ndarray
    slot: np.ndarray
    state: np.ndarray
    most: np.ndarray
    cell: np.ndarray
    kw_per_kwh: np.ndarray
    grid_per_battery: np.ndarray
    vehicle: np.ndarray
    low: np.ndarray
    high: np.ndarray
    opens: np.ndarray
    missing: np.ndarray
    headroom: np.ndarray
    cost: np.ndarray
    dt: float


@dataclasses.dataclass
class Answer:
    """What HiGHS found: optimum, plan (stay, slot, kw), prices and loads (f, t)."""

    status: str
    optimum: float
    plan: pd.DataFrame
    prices: np.ndarray
    loads: np.ndarray
    seconds: float


def tables(scenario) -> dict:
    """The tables and keys of a scenario (or of a dict of them) with defaults."""
    get = scenario.get if isinstance(scenario, dict) else vars_of(scenario)
    out = {k: get(k) for k in ("start", "timezone", "slot_minutes", "slots")}
    for name, defaults in DEFAULTS.items():
        frame = get(name).reset_index(drop=True).copy()
        for column, value in defaults.items():
            if column not in frame:
                frame[column] = value
            elif value is not None:
                frame[column] = frame[column].astype(float).fillna(value)
        out[name] = frame
    vehicles = out["vehicles"]
    if "final_kwh" not in vehicles:
        vehicles["final_kwh"] = vehicles["initial_kwh"]
    vehicles["final_kwh"] = vehicles["final_kwh"].fillna(vehicles["initial_kwh"])
    return out


def vars_of(scenario):
    """`get` of an object by attribute."""
    return lambda name: getattr(scenario, name)


def hours_since(start, stamps) -> np.ndarray:
    """Hours of timestamps after the start [h], of any unit and offset."""
    origin = pd.Timestamp(start).tz_convert("UTC")
    stamps = pd.to_datetime(pd.Series(stamps), utc=True)
    return ((stamps - origin) / pd.Timedelta(hours=1)).to_numpy(float)


def headroom_table(data: dict) -> np.ndarray:
    """Capacity minus base load [kW], shape (F, T)."""
    slots, profile = int(data["slots"]), data["feeder_profile"]
    step = pd.Timedelta(minutes=int(data["slot_minutes"]))
    start = pd.Timestamp(data["start"])
    spare = (profile["capacity_kw"] - profile["base_kw"]).to_numpy(float)
    row = pd.Index(data["feeders"]["feeder_id"]).get_indexer(profile["feeder_id"])
    count = len(data["feeders"])
    if "hour" in profile:
        local = pd.DatetimeIndex([start + i * step for i in range(slots)])
        hour = local.tz_convert(data["timezone"]).hour
        daily = np.full((count, 24), np.nan)
        daily[row, profile["hour"].to_numpy(int)] = spare
        return daily[:, hour]
    hours = hours_since(start, profile["time"])
    slot = np.round(hours * 60 / int(data["slot_minutes"])).astype(int)
    inside = (slot >= 0) & (slot < slots)
    out = np.full((count, slots), np.nan)
    out[row[inside], slot[inside]] = spare[inside]
    return out


def convert(scenario) -> Problem:
    """The tables of a scenario as a `Problem`."""
    data = tables(scenario)
    dt, slots = int(data["slot_minutes"]) / 60.0, int(data["slots"])
    end = slots * dt
    vehicles, stays, trips = data["vehicles"], data["stays"], data["trips"]
    ids = pd.Index(vehicles["vehicle_id"])
    v_stay = ids.get_indexer(stays["vehicle_id"])
    v_trip = ids.get_indexer(trips["vehicle_id"])
    arrive = hours_since(data["start"], stays["arrival"]).clip(0.0, end)
    leave = hours_since(data["start"], stays["departure"]).clip(0.0, end)
    depart = hours_since(data["start"], trips["departure"])
    counted = (depart >= 0) & (depart < end)

    rows = np.flatnonzero(leave > arrive)
    rows = rows[np.lexsort((arrive[rows], v_stay[rows]))]
    v = v_stay[rows]
    opens = np.append(True, v[1:] != v[:-1])[: rows.size]
    last = np.append(v[1:] != v[:-1], True)[: rows.size]

    # energy used before each stay and up to the next one, by a merge in time
    # (a trip that departs at the very arrival of a stay cannot be: it would overlap)
    trip = np.flatnonzero(counted)
    energy = trips["energy_kwh"].to_numpy(float)[trip]
    used = np.bincount(v_trip[trip], energy, len(ids))
    before = np.zeros(rows.size)
    when = np.concatenate((depart[trip], arrive[rows]))
    who = np.concatenate((v_trip[trip], v))
    amount = np.concatenate((energy, np.zeros(rows.size)))
    is_stay = np.concatenate((np.zeros(trip.size), np.ones(rows.size)))
    order = np.lexsort((1 - is_stay, when, who))
    running = np.cumsum(amount[order])
    start_of = np.concatenate(([0.0], np.cumsum(used)))[who[order]]
    before_all = np.empty(order.size)
    before_all[order] = running - start_of
    before = before_all[trip.size :]
    until_next = np.where(last, used[v], np.append(before[1:], 0.0)[: rows.size])

    battery, initial, reserve, final, efficiency, weight = (
        vehicles[c].to_numpy(float)
        for c in (
            "battery_kwh", "initial_kwh", "reserve_kwh",
            "final_kwh", "charge_efficiency", "weight",
        )
    )  # fmt: skip
    low = reserve[v] - initial[v] + until_next
    low = np.where(last, np.maximum(low, final[v] - initial[v] + until_next), low)
    high = battery[v] - initial[v] + before

    has_stay = np.bincount(v, minlength=len(ids)) > 0
    first_use = used.copy()
    first_use[v[opens]] = before[opens]
    missing = np.maximum(reserve - (initial - first_use), 0.0)
    missing = np.where(has_stay, missing, np.maximum(missing, final - (initial - used)))

    first = np.floor(arrive[rows] / dt + 1e-9).astype(int)
    stop = np.ceil(leave[rows] / dt - 1e-9).astype(int)
    count = np.maximum(stop - first, 1)
    state = np.repeat(np.arange(rows.size), count)
    slot = np.arange(state.size) - np.repeat(np.cumsum(count) - count, count)
    slot = slot + first[state]
    overlap = np.minimum(leave[rows][state], (slot + 1) * dt)
    overlap = overlap - np.maximum(arrive[rows][state], slot * dt)
    power = stays["charger_kw"].to_numpy(float)[rows][state]
    most = np.maximum(overlap, 0.0) * power * efficiency[v][state]
    use = most > 0
    state, slot, most = state[use], slot[use], most[use]
    feeder = pd.Index(data["feeders"]["feeder_id"]).get_indexer(stays["feeder_id"])
    feeder = np.where(stays["feeder_id"].isna(), -1, feeder)[rows][state]
    owner = v[state]
    return Problem(
        stay=rows[state],
        slot=slot,
        state=state,
        most=most,
        cell=np.where(feeder >= 0, feeder * slots + slot, -1),
        kw_per_kwh=weight[owner] / (efficiency[owner] * dt),
        grid_per_battery=1.0 / efficiency[owner],
        vehicle=v,
        low=low,
        high=high,
        opens=opens,
        missing=missing,
        headroom=headroom_table(data),
        cost=data["feeders"]["upgrade_cost_per_kw"].to_numpy(float),
        dt=dt,
    )


def solve_lp(
    scenario,
    peak=None,
    overload=0.0,
    energy=0.0,
    hard=False,
    method: str = "choose",
    time_limit: float = np.inf,
    crossover: bool = True,
    **options,
) -> Answer:
    """The optimum of a scenario by HiGHS, its plan and its prices.

    Arguments:
        peak: cost of the largest overload [currency/kW], (f,) or a number; None for
            the upgrade costs of the feeders table.
        overload: cost of overload energy [currency/kWh], (f,) or a number.
        energy: price of EV energy [currency/kWh], (f, t) or what broadcasts to it.
        hard: feeders whose load must stay under the capacity, (f,) or a bool.
        method: "choose", "simplex", "ipm", "ipx", "hipo", "pdlp" or "hipdlp".
        time_limit: seconds for HiGHS.
        options: further HiGHS options.

    Prices are the duals of the feeder rows, currency per kW in one slot, (f, t),
    >= 0 for the peak and overload terms, plus dt * `energy`.
    """
    p = convert(scenario)
    if (p.missing > 1e-9).any():
        return _no_answer(p, "Infeasible", 0.0)
    feeders, slots = p.headroom.shape
    peak = np.broadcast_to(p.cost if peak is None else peak, feeders).astype(float)
    over = np.broadcast_to(overload, feeders).astype(float)
    hard = np.broadcast_to(hard, feeders)
    price = np.broadcast_to(energy, (feeders, slots)).reshape(-1) * p.dt
    lp, rows = _build(p, np.where(hard, 0.0, peak), np.where(hard, 0.0, over), price,
                       hard)  # fmt: skip
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("solver", method)
    if np.isfinite(time_limit):
        highs.setOptionValue("time_limit", float(time_limit))
    if not crossover:
        highs.setOptionValue("run_crossover", "off")
    for name, value in options.items():
        highs.setOptionValue(name, value)
    begin = time.perf_counter()
    highs.passModel(lp)
    highs.run()
    seconds = time.perf_counter() - begin
    status = highs.modelStatusToString(highs.getModelStatus())
    if status not in ("Optimal", "Time limit reached", "Unknown"):
        return _no_answer(p, status, seconds)
    return _read(p, highs, rows, price, status, seconds)


def _no_answer(p: Problem, status: str, seconds: float) -> Answer:
    empty = pd.DataFrame({"stay": [], "slot": [], "kw": []})
    nothing = np.full(p.headroom.shape, np.nan)
    value = np.inf if status == "Infeasible" else np.nan
    return Answer(status, value, empty, nothing, nothing, seconds)


def _build(p: Problem, peak, over, price, hard):
    """The HighsLp: columns u (n), S (k), theta (f), o (f, t) where it has a cost."""
    feeders, slots = p.headroom.shape
    cells, n, k = feeders * slots, p.most.size, p.low.size
    on_feeder = p.cell >= 0
    load = sparse.csr_matrix(
        (p.kw_per_kwh[on_feeder], (p.cell[on_feeder], np.flatnonzero(on_feeder))),
        (cells, n),
    )
    feeder_of = np.repeat(np.arange(feeders), slots)
    theta = sparse.csr_matrix(
        (-np.ones(cells), (np.arange(cells), feeder_of)), (cells, feeders)
    )
    step = np.flatnonzero(~p.opens)
    chain = sparse.csr_matrix(
        (
            np.concatenate((np.ones(k), -np.ones(step.size))),
            (np.append(np.arange(k), step), np.append(np.arange(k), step - 1)),
        ),
        (k, k),
    )
    gather = sparse.csr_matrix((-np.ones(n), (p.state, np.arange(n))), (k, n))

    peak_rows = np.flatnonzero(peak[feeder_of] > 0)
    over_rows = np.flatnonzero(over[feeder_of] > 0)
    hard_rows = np.flatnonzero(hard[feeder_of])
    excess = sparse.csr_matrix(
        (-np.ones(over_rows.size), (np.arange(over_rows.size),) * 2),
        (over_rows.size, over_rows.size),
    )
    blocks = [
        [gather, chain, sparse.csr_matrix((k, feeders)), None],
        [load[peak_rows], None, theta[peak_rows], None],
        [load[over_rows], None, None, excess],
        [load[hard_rows], None, None, sparse.csr_matrix((hard_rows.size,
                                                         over_rows.size))],
    ]  # fmt: skip
    matrix = sparse.bmat(blocks, format="csc")
    room = p.headroom.reshape(-1)
    rows = np.concatenate((peak_rows, over_rows, hard_rows))
    unit = np.zeros(n)
    unit[on_feeder] = p.kw_per_kwh[on_feeder] * price[p.cell[on_feeder]]
    inf = highspy.kHighsInf
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = matrix.shape[1], matrix.shape[0]
    lp.col_cost_ = np.concatenate(
        (unit, np.zeros(k), peak, over[feeder_of[over_rows]] * p.dt)
    )
    zeros = np.zeros(n + k + feeders + over_rows.size)
    zeros[n : n + k] = p.low
    lp.col_lower_ = zeros
    lp.col_upper_ = np.concatenate(
        (p.most, p.high, np.full(feeders + over_rows.size, inf))
    )
    lp.row_lower_ = np.concatenate((np.zeros(k), np.full(rows.size, -inf)))
    lp.row_upper_ = np.concatenate((np.zeros(k), room[rows]))
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = matrix.indptr
    lp.a_matrix_.index_ = matrix.indices
    lp.a_matrix_.value_ = matrix.data
    return lp, rows


def _read(p: Problem, highs, rows, price, status, seconds) -> Answer:
    """Plan, prices and loads out of a solved model."""
    solution, info = highs.getSolution(), highs.getInfo()
    n, k = p.most.size, p.low.size
    u = np.clip(np.asarray(solution.col_value)[:n], 0.0, p.most)
    dual = np.asarray(solution.row_dual)[k:]
    prices = np.bincount(rows, np.maximum(-dual, 0.0), p.headroom.size)
    prices = (prices + price).reshape(p.headroom.shape)
    used = np.flatnonzero(u > 1e-12)
    plan = pd.DataFrame(
        {
            "stay": p.stay[used],
            "slot": p.slot[used],
            "kw": u[used] * p.grid_per_battery[used] / p.dt,
        }
    )
    optimum = info.objective_function_value
    return Answer(status, optimum, plan, prices, loads_of(p, u), seconds)


def loads_of(p: Problem, u: np.ndarray) -> np.ndarray:
    """Feeder loads of EVs [kW], (f, t), of battery energies u (n,) [kWh]."""
    on = p.cell >= 0
    load = np.bincount(p.cell[on], (u * p.kw_per_kwh)[on], p.headroom.size)
    return load.reshape(p.headroom.shape)


def greedy_feasible(scenario, slack: float = 1e-9) -> np.ndarray:
    """Which vehicles can make all trips at full power on arrival, bool (v,).

    A plain loop over vehicles and stays.
    """
    p = convert(scenario)
    room = np.bincount(p.state, p.most, p.low.size)
    good = p.missing <= slack
    total, seen = 0.0, -1
    for k in range(p.low.size):
        v = p.vehicle[k]
        if v != seen:
            total, seen = 0.0, v
        # room later never shrinks: high grows with the trips
        total = min(total + room[k], p.high[k])
        if total < p.low[k] - slack:
            good[v] = False
    return good


def unmanaged_loads(scenario) -> np.ndarray:
    """Loads [kW] (f, t) when every vehicle starts full and charges on arrival.

    A plain loop over vehicles, stays and slots.
    """
    data, p = tables(scenario), convert(scenario)
    battery = data["vehicles"]["battery_kwh"].to_numpy(float)
    initial = data["vehicles"]["initial_kwh"].to_numpy(float)
    u = np.zeros(p.most.size)
    begin = np.searchsorted(p.state, np.arange(p.low.size + 1))
    total, seen = 0.0, -1
    for k in range(p.low.size):
        v = p.vehicle[k]
        if v != seen:  # full at the start instead of initial
            total, seen = battery[v] - initial[v], v
        for j in range(begin[k], begin[k + 1]):
            u[j] = min(p.most[j], max(p.high[k] - total, 0.0))
            total += u[j]
    return loads_of(p, u)


def objective_of(scenario, loads: np.ndarray, peak=None) -> float:
    """sum_f peak_f * max_t (load - headroom)_+ for EV loads (f, t) [kW]."""
    p = convert(scenario)
    peak = p.cost if peak is None else peak
    over = np.maximum(loads - p.headroom, 0.0)
    return float(np.sum(peak * over.max(axis=1, initial=0.0)))


def bound_lp(scenario, prices: np.ndarray) -> float:
    """Dual lower bound of the peak objective from prices (f, t), by HiGHS.

    min over schedules of prices . P minus prices . H; the prices must be >= 0 and sum
    over time to at most the upgrade cost of each feeder.
    """
    p = convert(scenario)
    assert (prices >= 0).all() and (prices.sum(axis=1) <= p.cost * (1 + 1e-9)).all()
    best = solve_lp(scenario, peak=0.0, energy=prices / p.dt, method="simplex")
    return best.optimum - float(np.sum(prices * p.headroom))


def replay(scenario, plan: pd.DataFrame) -> dict:
    """Largest violation of each vehicle [kWh] when a plan is driven, {vehicle: kWh}.

    A plain loop through stays and trips in order of time. A row of the plan gives
    kw * dt * efficiency to the battery between the start of its stay in that slot and
    the end of it; SOC only rises in a stay and only falls in a trip, so the ends of
    both are where it can leave its bounds.
    """
    data = tables(scenario)
    dt, slots = int(data["slot_minutes"]) / 60.0, int(data["slots"])
    arrive = hours_since(data["start"], data["stays"]["arrival"])
    leave = hours_since(data["start"], data["stays"]["departure"])
    depart = hours_since(data["start"], data["trips"]["departure"])
    power = data["stays"]["charger_kw"].to_numpy(float)
    given = {i: group for i, group in plan.groupby("stay")}
    stays_of = data["stays"].groupby("vehicle_id").indices
    trips_of = data["trips"].groupby("vehicle_id").indices
    violations = {}
    for car in data["vehicles"].to_dict("records"):
        name, worst, soc = car["vehicle_id"], 0.0, car["initial_kwh"]
        events = [(leave[i], "stay", i) for i in stays_of.get(name, [])]
        events += [
            (depart[i], "trip", i)
            for i in trips_of.get(name, [])
            if 0 <= depart[i] < slots * dt
        ]
        for _, kind, i in sorted(events, key=lambda event: (event[0], event[1])):
            if kind == "trip":
                soc -= data["trips"]["energy_kwh"].iloc[i]
                worst = max(worst, car["reserve_kwh"] - soc)
                continue
            for row in given.get(i, plan[:0]).itertuples():
                begin, end = row.slot * dt, (row.slot + 1) * dt
                overlap = max(0.0, min(leave[i], end) - max(arrive[i], begin, 0.0))
                overlap = overlap if 0 <= row.slot < slots else 0.0
                worst = max(worst, row.kw * dt - power[i] * overlap, -row.kw * dt)
                soc += row.kw * dt * car["charge_efficiency"]
            worst = max(worst, soc - car["battery_kwh"], car["reserve_kwh"] - soc)
        violations[name] = max(worst, car["final_kwh"] - soc)
    return violations
