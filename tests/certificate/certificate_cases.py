"""Random fleets as frames, and the charging problem as one obvious LP or QP.

Nothing of macjax's certificate is used: constraints are written event by event from
the rows of the frames, in plain Python loops.
"""

import clarabel
import highspy
import numpy as np
import pandas as pd
from scipy import sparse

from macjax.objectives.compile import FeederTermsData
from macjax.scenario.plan import Plan
from macjax.scenario.scenario import Scenario

START = pd.Timestamp("2026-03-02T00:00:00-08:00")


def scenario_of(vehicles, stays, trips, feeders, profile, slots, minutes=60, **more):
    """A Scenario from frames."""
    keys = {
        "name": "test",
        "start": START,
        "timezone": "America/Los_Angeles",
        "slot_minutes": minutes,
        "slots": slots,
        "vehicles": vehicles,
        "stays": stays,
        "trips": trips,
        "feeders": feeders,
        "feeder_profile": profile,
    }
    return Scenario.from_frames(**(keys | more))


def hour(h: float) -> pd.Timestamp:
    """The instant h hours after the start, to the minute."""
    return START + pd.Timedelta(minutes=round(60 * h))


def random_scenario(
    seed: int,
    vehicles: int = 6,
    feeders: int = 3,
    slots: int = 24,
    minutes: int = 60,
    short: bool = False,
    base: float = 1.0,
):
    """A fleet with partial slots, touching stays, free and missing chargers, weights.

    Stays and trips may begin before the horizon and end behind it. Vehicles can make
    their trips unless `short`; `base` scales the base load, above 1 also beyond the
    capacity.
    """
    rng = np.random.default_rng(seed)
    horizon = slots * minutes / 60
    rows = {"vehicles": [], "stays": [], "trips": []}
    for v in range(vehicles):
        rows_of = _random_vehicle(rng, f"car {v}", feeders, horizon, short)
        for name, new in rows_of.items():
            rows[name] += new
    columns = {
        "stays": ["vehicle_id", "arrival", "departure", "feeder_id", "charger_kw"],
        "trips": ["vehicle_id", "departure", "arrival", "energy_kwh"],
    }
    ids = [f"feeder {f}" for f in range(feeders)]
    step = pd.Timedelta(minutes=minutes)
    times = [START + t * step for t in range(slots)]
    profile = pd.DataFrame(
        {
            "feeder_id": np.repeat(ids, slots),
            "time": times * feeders,
            "capacity_kw": np.repeat(rng.uniform(2, 20, feeders), slots),
        }
    )
    load = rng.uniform(0.1, 0.9, len(profile)) * base
    profile["base_kw"] = profile["capacity_kw"] * load
    stays = pd.DataFrame(rows["stays"], columns=columns["stays"])
    trips = pd.DataFrame(rows["trips"], columns=columns["trips"])
    return scenario_of(
        pd.DataFrame(rows["vehicles"]),
        stays.sample(frac=1, random_state=seed).reset_index(drop=True),
        trips.sample(frac=1, random_state=seed).reset_index(drop=True),
        pd.DataFrame(
            {"feeder_id": ids, "upgrade_cost_per_kw": rng.uniform(1, 5, feeders)}
        ),
        profile.sample(frac=1, random_state=seed),
        slots,
        minutes,
    )


def _random_vehicle(rng, name, feeders, horizon, short):
    battery = rng.uniform(30, 80)
    count = int(rng.integers(0, 7))
    # Minutes, so that two stays may lie in one slot.
    edges = np.sort(rng.choice(int(60 * (horizon + 4)), 2 * count + 2, replace=False))
    edges = (edges - 120) / 60
    stays, trips = [], []
    for k in range(count + 1):
        begin, end = edges[2 * k], edges[2 * k + 1]
        # The stay may be two that touch, at different chargers.
        cuts = [begin, end]
        if rng.random() < 0.3 and end - begin > 0.1:
            cuts = [begin, (begin + end) / 2, end]
        for a, b in zip(cuts[:-1], cuts[1:], strict=True):
            if hour(a) < hour(b):
                feeder = rng.choice([f"feeder {f}" for f in range(feeders)] + [None])
                kw = rng.choice([0.0, 3.7, 7.4, 22.0])
                stays.append([name, hour(a), hour(b), feeder, kw])
        if k < count and hour(end) < hour(edges[2 * k + 2]):
            energy = rng.uniform(0, 25 if short else 9)
            trips.append([name, hour(end), hour(edges[2 * k + 2]), energy])
    vehicle = {
        "vehicle_id": name,
        "battery_kwh": battery,
        "initial_kwh": battery * rng.uniform(0.3, 1.0),
        "reserve_kwh": battery * rng.uniform(0, 0.2),
        "final_kwh": battery * rng.uniform(0, 0.7),
        "charge_efficiency": rng.uniform(0.8, 1.0),
        "weight": rng.choice([1.0, 2.0, 3.5]),
    }
    if not short:
        reach, need = greedy(vehicle, stays, trips, horizon)
        lack = max(0.0, need)
        # Give the battery and the start what even full power cannot bring.
        vehicle["battery_kwh"] += lack
        vehicle["initial_kwh"] += lack
    return {"vehicles": [vehicle], "stays": stays, "trips": trips}


def greedy(vehicle, stays, trips, horizon):
    """Highest SOC at the end, and how far it ever falls short of what is needed."""
    end = hour(horizon)
    events = []
    for _, arrival, departure, _, kw in stays:
        begin, until = max(arrival, START), min(departure, end)
        if until > begin:
            hours = (until - begin) / pd.Timedelta(hours=1)
            events.append((begin, kw * hours * vehicle["charge_efficiency"]))
    for _, departure, _, energy in trips:
        if START <= departure < end:
            events.append((departure, -energy))
    soc = vehicle["initial_kwh"]
    short = vehicle["reserve_kwh"] - soc
    for _, change in sorted(events):
        soc = min(soc + change, vehicle["battery_kwh"])
        short = max(short, vehicle["reserve_kwh"] - soc)
    return soc, max(short, vehicle["final_kwh"] - soc)


def terms_of(scenario, kappa=None, linear=0.0, quadratic=0.0, hard=False, energy=0.0):
    """Coefficients without macjax's own compiler; headroom is left to the code."""
    feeders, slots = len(scenario.feeders), scenario.slots
    costs = scenario.feeders["upgrade_cost_per_kw"].to_numpy(float)
    return FeederTermsData(
        kappa=costs if kappa is None else np.broadcast_to(float(kappa), (feeders,)),
        linear=np.broadcast_to(np.asarray(linear, float), (feeders,)),
        quadratic=np.broadcast_to(np.asarray(quadratic, float), (feeders,)),
        hard=np.broadcast_to(np.asarray(hard, bool), (feeders,)),
        energy=np.broadcast_to(np.asarray(energy, float), (feeders, slots)),
        headroom=np.full((feeders, slots), np.nan),
        tolerance=np.full((feeders, slots), np.nan),
        epsilon=0.0,
    )


class Program:
    """min c.x + 1/2 x.diag(q).x with rows low <= A x <= high and x within bounds.

    x holds u (battery kWh per opportunity), load P (F, T), peak m (F,), overload o
    (F, T). `balance` are the rows P - sum a u = 0, whose duals are the prices.
    """

    def __init__(self, scenario, terms: FeederTermsData, targets=None):
        self.scenario, self.terms = scenario, terms
        self.step = pd.Timedelta(minutes=scenario.slot_minutes)
        self.hours = scenario.slot_minutes / 60
        self.end = START + scenario.slots * self.step
        self.rows, self.low, self.high = [], [], []
        self.chances = self._chances()
        self.columns = len(self.chances)
        self.u = len(self.chances)
        feeders, slots = terms.energy.shape
        self.load = self.u + np.arange(feeders * slots).reshape(feeders, slots)
        self.peak = self.load.max(initial=self.u - 1) + 1 + np.arange(feeders)
        self.over = self.peak.max(initial=self.u - 1) + 1
        self.over = self.over + np.arange(feeders * slots).reshape(feeders, slots)
        self.size = self.u + 2 * feeders * slots + feeders
        self._bound_variables()
        self._serve_vehicles(targets)
        self._balance_cells()

    def _chances(self):
        """(stay row, slot, vehicle row, feeder row or -1, most) of each opportunity."""
        s, chances = self.scenario, []
        ids = s.vehicles["vehicle_id"].tolist()
        feeders = s.feeders["feeder_id"].tolist()
        efficiency = s.vehicles["charge_efficiency"].tolist()
        for i, stay in enumerate(s.stays.itertuples()):
            v = ids.index(stay.vehicle_id)
            f = -1 if pd.isna(stay.feeder_id) else feeders.index(stay.feeder_id)
            for t in range(s.slots):
                opens = max(stay.arrival, START + t * self.step)
                closes = min(stay.departure, START + (t + 1) * self.step)
                hours = (closes - opens) / pd.Timedelta(hours=1)
                if hours > 0 and stay.charger_kw > 0:
                    most = stay.charger_kw * hours * efficiency[v]
                    chances.append((i, t, v, f, most))
        return chances

    def _bound_variables(self):
        terms = self.terms
        self.lower = np.full(self.size, 0.0)
        self.upper = np.full(self.size, np.inf)
        self.upper[: self.u] = [chance[4] for chance in self.chances]
        self.lower[self.load] = -np.inf
        self.cost = np.zeros(self.size)
        self.cost[self.load] = terms.energy
        self.cost[self.peak] = terms.kappa
        self.cost[self.over] = terms.linear[:, None]
        self.square = np.zeros(self.size)
        self.square[self.over] = terms.quadratic[:, None]
        if terms.epsilon:
            weight = self.scenario.vehicles["weight"].to_numpy(float)
            owner = [chance[2] for chance in self.chances]
            self.square[: self.u] = terms.epsilon * weight[owner]

    def _row(self, columns, values, low, high):
        self.rows.append((columns, values))
        self.low.append(low)
        self.high.append(high)

    def _serve_vehicles(self, targets):
        """One row for each event of each vehicle that must keep the SOC in bounds."""
        s, leaves = self.scenario, self.scenario.stays["departure"].tolist()
        for v, car in enumerate(s.vehicles.itertuples()):
            stays = s.stays[s.stays["vehicle_id"] == car.vehicle_id]
            trips = s.trips[s.trips["vehicle_id"] == car.vehicle_id]
            trips = trips[
                (trips["departure"] >= START) & (trips["departure"] < self.end)
            ]
            mine = [(j, c) for j, c in enumerate(self.chances) if c[2] == v]

            def charged(until, mine=mine):
                kept = [j for j, c in mine if leaves[c[0]] <= until]
                return kept, np.ones(len(kept))

            def used(until, trips=trips):
                return trips.loc[trips["departure"] < until, "energy_kwh"].sum()

            if targets is not None:
                for row in stays.index:
                    if any(c[0] == row for _, c in mine):
                        goal = targets[row]
                        self._row(*charged(leaves[row]), goal, goal)
                continue
            later = pd.Timestamp.max.tz_localize("UTC")
            for trip in trips.itertuples():
                need = car.reserve_kwh - car.initial_kwh + used(trip.arrival)
                self._row(*charged(trip.departure), need, np.inf)
            for stay in stays.itertuples():
                room = car.battery_kwh - car.initial_kwh + used(stay.arrival)
                self._row(*charged(stay.departure), -np.inf, room)
            need = max(car.final_kwh, car.reserve_kwh) - car.initial_kwh + used(later)
            self._row(*charged(later), need, np.inf)
            self._row([], [], car.reserve_kwh - car.initial_kwh, np.inf)

    def _balance_cells(self):
        s = self.scenario
        feeders, slots = self.load.shape
        capacity, base = profile_tables(s)
        self.headroom = capacity - base
        weight = s.vehicles["weight"].to_numpy(float)
        eta = s.vehicles["charge_efficiency"].to_numpy(float)
        users = {}
        for j, (_, t, v, f, _) in enumerate(self.chances):
            users.setdefault((f, t), []).append((j, weight[v] / (eta[v] * self.hours)))
        self.balance = np.zeros((feeders, slots), int)
        for f in range(feeders):
            for t in range(slots):
                own = users.get((f, t), [])
                self.balance[f, t] = len(self.rows)
                columns = [self.load[f, t], *(j for j, _ in own)]
                self._row(columns, [1.0, *(-a for _, a in own)], 0.0, 0.0)
                spare = self.headroom[f, t]
                if self.terms.hard[f]:
                    # Overload within the tolerance counts 0, whatever it would cost.
                    spare += 1e-3 * max(1.0, capacity[f, t])
                    self._row([self.load[f, t]], [1.0], -np.inf, spare)
                    continue
                for extra in (self.peak[f], self.over[f, t]):
                    columns = [self.load[f, t], extra]
                    self._row(columns, [1.0, -1.0], -np.inf, spare)

    def matrix(self):
        """The rows as a sparse matrix."""
        at = [(i, c) for i, (columns, _) in enumerate(self.rows) for c in columns]
        values = [x for _, row in self.rows for x in row]
        at = np.array(at).reshape(-1, 2)
        shape = (len(self.rows), self.size)
        return sparse.csr_matrix((values, (at[:, 0], at[:, 1])), shape)

    def solve(self):
        """HiGHS: optimum, prices (F, T) and a plan; optimum None if infeasible."""
        matrix = self.matrix()
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self.size, len(self.rows)
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = self.cost, self.lower, self.upper
        lp.row_lower_, lp.row_upper_ = np.array(self.low), np.array(self.high)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = matrix.indptr
        lp.a_matrix_.index_ = matrix.indices
        lp.a_matrix_.value_ = matrix.data
        highs = highspy.Highs()
        highs.setOptionValue("output_flag", False)
        highs.setOptionValue("primal_feasibility_tolerance", 1e-9)
        highs.setOptionValue("dual_feasibility_tolerance", 1e-9)
        highs.passModel(lp)
        highs.run()
        if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None, None, None
        solution = highs.getSolution()
        duals = np.array(solution.row_dual)
        x = np.array(solution.col_value)
        optimum = highs.getInfo().objective_function_value
        return optimum, duals[self.balance], self.plan(x)

    def solve_square(self):
        """clarabel, for squares: optimum, prices (F, T) and a plan."""
        matrix, low, high = self.matrix(), np.array(self.low), np.array(self.high)
        eye = sparse.identity(self.size, format="csr")
        low, high = np.append(low, self.lower), np.append(high, self.upper)
        full = sparse.vstack([matrix, eye]).tocsr()
        same = low == high
        up, down = np.isfinite(high) & ~same, np.isfinite(low) & ~same
        stacked = sparse.vstack([full[same], full[up], -full[down]]).tocsc()
        right = np.concatenate([low[same], high[up], -low[down]])
        cones = [
            clarabel.ZeroConeT(int(same.sum())),
            clarabel.NonnegativeConeT(int(up.sum() + down.sum())),
        ]
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-10
        solver = clarabel.DefaultSolver(
            sparse.diags(self.square).tocsc(),
            self.cost,
            stacked,
            right,
            cones,
            settings,
        )
        answer = solver.solve()
        duals = np.zeros(len(low))
        duals[np.flatnonzero(same)] = np.array(answer.z)[: same.sum()]
        return answer.obj_val, -duals[self.balance], self.plan(np.array(answer.x))

    def plan(self, x) -> Plan:
        """The charging in x as a plan."""
        eta = self.scenario.vehicles["charge_efficiency"].to_numpy(float)
        entries = [
            (i, t, x[j] / (eta[v] * self.hours))
            for j, (i, t, v, _, _) in enumerate(self.chances)
        ]
        stay, slot, kw = zip(*entries, strict=True) if entries else ([], [], [])
        return Plan(np.array(stay, int), np.array(slot, int), np.array(kw, float))


def profile_tables(scenario):
    """Capacity and base by feeder and slot, one row of the frame at a time."""
    feeders = scenario.feeders["feeder_id"].tolist()
    tables = np.full((2, len(feeders), scenario.slots), np.nan)
    step = pd.Timedelta(minutes=scenario.slot_minutes)
    for row in scenario.feeder_profile.itertuples():
        f = feeders.index(row.feeder_id)
        for t in range(scenario.slots):
            stamp = START + t * step
            if "time" in scenario.feeder_profile.columns:
                meets = row.time == stamp
            else:
                meets = row.hour == stamp.tz_convert(scenario.timezone).hour
            if meets:
                tables[:, f, t] = row.capacity_kw, row.base_kw
    return tables


def random_prices(rng, terms: FeederTermsData, scale: float = 1.0) -> np.ndarray:
    """Prices of all sorts: sparse, tied, negative, too large, not a number."""
    prices = scale * rng.choice([0.0, 0.0, 0.1, 1.0, -0.5, 3.0], terms.energy.shape)
    prices = prices + rng.choice([0.0, 1.0]) * rng.random(prices.shape)
    prices[rng.random(prices.shape) < 0.02] = rng.choice([np.nan, np.inf, -np.inf])
    return prices + terms.energy
