"""The operator's problem as it is written down: loops, one variable for each symbol.

Energies e beside numbers x, the split into u_fcs and u_free at stations, waiting and
pool apart, totals on arcs in the cost, and the worst corner of the boxes row by row.
Nothing of the library's program is used but the case itself.
"""

import clarabel
import numpy as np
from scipy import sparse


class Model:
    """Variables by name, equalities and inequalities as rows of name -> factor."""

    def __init__(self):
        self.number, self.equal, self.most = {}, [], []
        self.linear, self.square = {}, {}

    def var(self, *name):
        self.number.setdefault(name, len(self.number))
        return name

    def solve(self) -> float:
        count = len(self.number)

        def matrix(rows):
            cells = [
                (r, self.number[n], f)
                for r, (terms, _) in enumerate(rows)
                for n, f in terms
            ]
            r, c, f = zip(*cells, strict=True)
            return sparse.csc_matrix((f, (r, c)), shape=(len(rows), count))

        a = sparse.vstack([matrix(self.equal), matrix(self.most)], format="csc")
        b = np.array([right for _, right in self.equal + self.most], float)
        cones = [
            clarabel.ZeroConeT(len(self.equal)),
            clarabel.NonnegativeConeT(len(self.most)),
        ]
        p, q = np.zeros(count), np.zeros(count)
        for name, factor in self.square.items():
            p[self.number[name]] += 2 * factor
        for name, factor in self.linear.items():
            q[self.number[name]] += factor
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        found = clarabel.DefaultSolver(
            sparse.diags(p, format="csc"), q, a, b, cones, settings
        ).solve()
        assert str(found.status) == "Solved"
        return found.obj_val


def literal_cost(case, gamma: float | None) -> float:
    """Least cost of the operator; gamma None leaves out the grid."""
    s, m = case.settings, Model()
    fleet, T, dt = s.fleet, s.steps, s.step_hours
    power = {}
    for j, name in enumerate(case.legs.path_names):
        _path(case, m, j, name, power)
    for i in range(len(case.trips.names)):
        for t in range(T):
            terms = [
                (m.var("u", "x", j, 0, t), 1.0)
                for j in np.flatnonzero(case.legs.path_trip == i)
            ]
            m.equal.append((terms, case.trips.departures[i, t]))
    legs = case.legs
    for a in range(len(case.roads.capacity)):
        mine = [k for k in range(len(legs.path)) if case.roads.limit[legs.arc[k]] == a]
        for t in range(T if mine else 0):
            terms = [
                (m.var("v", "x", legs.path[k], _position(legs, k), t), 1.0)
                for k in mine
            ]
            m.most.append((terms, case.roads.capacity[a]))
    for y in range(len(case.stations.names)):
        pools = [n for n in m.number if n[0] == "cd" and n[1] == "x" and n[3] == y]
        if np.isfinite(case.stations.places[y]):
            for t in range(T):
                terms = [(n, 1.0) for n in pools if n[4] == t]
                m.most.append((terms, case.stations.places[y]))
    for (owner, y, t), terms in power.items():
        p = m.var("p", owner, y, t)
        m.equal.append(([(p, 1.0)] + [(n, -f) for n, f in terms], 0.0))
        m.linear[p] = dt * case.price[t]
        m.square[p] = dt * s.costs.power_squared
    if gamma is not None:
        _grid(case, m, gamma, set(power))
    for name in list(m.number):
        if name[0] != "p" and name[1] == "x":
            m.most.append(([(name, -1.0)], 0.0))
            if name[0] in ("q", "w", "cd", "v", "fcs", "free", "ucd", "vcd"):
                e = m.var(name[0], "e", *name[2:])
                m.most.append(([(e, -1.0), (name, fleet.soc_min)], 0.0))
                m.most.append(([(e, 1.0), (name, -fleet.soc_max)], 0.0))
    return m.solve()


def _position(legs, k: int) -> int:
    return int(k - np.flatnonzero(legs.path == legs.path[k])[0])


def _path(case, m: Model, j: int, name, power: dict) -> None:
    s, legs, T = case.settings, case.legs, case.settings.steps
    hour = s.costs.time_per_ev_hour * s.step_hours
    mine = np.flatnonzero(legs.path == j)
    soc = case.trips.soc[legs.path_trip[j]]
    for k, leg in enumerate(mine):
        arc = legs.arc[leg]
        t0, use = int(case.roads.steps[arc]), case.roads.consumption[arc]
        for t in range(T):
            ux, ue = m.var("u", "x", j, k, t), m.var("u", "e", j, k, t)
            vx, ve = m.var("v", "x", j, k, t), m.var("v", "e", j, k, t)
            if k == 0:
                m.equal.append(([(ue, 1.0), (ux, -soc)], 0.0))
            # queue: x_t - x_(t-1) = u_(t-t0) - v_t, consumption on entering
            for c in "xe":
                terms = [(m.var("q", c, j, k, t), 1.0), (m.var("v", c, j, k, t), 1.0)]
                if t:
                    terms.append((m.var("q", c, j, k, t - 1), -1.0))
                if t >= t0:
                    terms.append((m.var("u", c, j, k, t - t0), -1.0))
                    if c == "e":
                        terms.append((m.var("u", "x", j, k, t - t0), use))
                m.equal.append((terms, 0.0))
            total = m.var("tot", "x", j, k, t)
            terms = [(total, 1.0), (ux, -1.0), (vx, 1.0)]
            if t:
                terms.append((m.var("tot", "x", j, k, t - 1), -1.0))
            m.equal.append((terms, 0.0))
            m.linear[total] = hour
            if k == len(mine) - 1:
                m.most.append(([(ve, -1.0), (vx, s.fleet.soc_arrival)], 0.0))
        m.equal.append(([(m.var("q", "x", j, k, T - 1), 1.0)], 0.0))
        m.equal.append(([(m.var("tot", "x", j, k, T - 1), 1.0)], 0.0))
        if k:
            _junction(case, m, j, k, int(legs.station[leg]), power)


def _junction(case, m: Model, j: int, k: int, y: int, power: dict) -> None:
    s, T = case.settings, case.settings.steps
    hour = s.costs.time_per_ev_hour * s.step_hours
    for t in range(T):
        for c in "xe":
            v, u = m.var("v", c, j, k - 1, t), m.var("u", c, j, k, t)
            if y < 0:
                m.equal.append(([(v, 1.0), (u, -1.0)], 0.0))
                continue
            fcs, free = m.var("fcs", c, j, y, t), m.var("free", c, j, y, t)
            enter, leave = m.var("ucd", c, j, y, t), m.var("vcd", c, j, y, t)
            m.equal.append(([(v, 1.0), (fcs, -1.0), (free, -1.0)], 0.0))
            m.equal.append(([(u, 1.0), (leave, -1.0), (free, -1.0)], 0.0))
            wait, pool = m.var("w", c, j, y, t), m.var("cd", c, j, y, t)
            one = [(wait, 1.0), (fcs, -1.0), (enter, 1.0)]
            two = [(pool, 1.0), (enter, -1.0), (leave, 1.0)]
            if t:
                one.append((m.var("w", c, j, y, t - 1), -1.0))
                two.append((m.var("cd", c, j, y, t - 1), -1.0))
                if c == "e":
                    two += [(n, -g) for n, g in _gains(case, m, j, y, t - 1)]
            m.equal += [(one, 0.0), (two, 0.0)]
        if y < 0:
            continue
        m.linear[m.var("w", "x", j, y, t)] = hour
        m.linear[m.var("cd", "x", j, y, t)] = hour
        levels = [(m.var("l", "x", j, y, t, p), 1.0) for p in _levels(case, y)]
        m.equal.append(([(m.var("cd", "x", j, y, t), -1.0), *levels], 0.0))
        if t < T - 1:
            owner = case.trips.aggregator[case.legs.path_trip[j]]
            terms = power.setdefault((owner, y, t), [])
            terms += [(n, n[-1]) for n, _ in levels]
    if y >= 0:
        for stock in ("w", "cd"):
            m.equal.append(([(m.var(stock, "x", j, y, T - 1), 1.0)], 0.0))


def _levels(case, y: int) -> list[float]:
    own = case.stations.level_kw[case.stations.level_station == y].tolist()
    return own + [0.0] * bool(case.stations.idle[y])


def _gains(case, m: Model, j: int, y: int, t: int) -> list:
    fleet, dt = case.settings.fleet, case.settings.step_hours
    found = []
    for p in _levels(case, y):
        eta = fleet.efficiency if p > 0 else 1.0 / fleet.efficiency
        found.append((m.var("l", "x", j, y, t, p), dt / fleet.battery_kwh * eta * p))
    return found


def _grid(case, m: Model, gamma: float, powers: set) -> None:
    """Flows and voltages, each at the corner of the boxes that is worst for it."""
    grid, T = case.grid, case.settings.steps
    volts = 1000.0 * case.settings.grid.nominal_kv**2
    line_of = {int(c): k for k, c in enumerate(grid.child)}
    r = case.tables["lines"]["r_ohm"].to_numpy()
    x = case.tables["lines"]["x_ohm"].to_numpy()

    def way(node: int) -> list[int]:
        found = []
        while node != grid.substation:
            found.append(line_of[node])
            node = int(grid.parent[node])
        return found

    ways = [way(n) for n in range(len(grid.nodes))]

    def rows(weight_p, weight_q, low, high):
        """low <= sum over nodes of weight_p p + weight_q q <= high, both corners."""
        for t in range(T - 1):
            terms = [
                (m.var("p", o, y, t), weight_p[case.stations.grid_node[y]])
                for o, y, step in powers
                if step == t
            ]
            for sign, bound in ((1.0, high), (-1.0, low)):
                if not np.isfinite(bound):
                    continue
                fixed = 0.0
                for n in range(len(grid.nodes)):
                    load, pv, wind = case.injections.nominal_kw[:, n, t]
                    xi = gamma * case.injections.half_kw[:, n, t]
                    of_load = weight_p[n] + weight_q[n] * grid.tan_phi[n]
                    up = np.sign(sign * of_load), np.sign(sign * weight_p[n])
                    fixed += of_load * (load + up[0] * xi[0])
                    fixed -= weight_p[n] * (pv - up[1] * xi[1])
                    fixed -= weight_p[n] * (wind - up[1] * xi[2])
                right = sign * bound - sign * fixed
                if terms:
                    m.most.append(([(n, sign * f) for n, f in terms], right))

    for k, limit in enumerate(grid.limit_kw):
        if not np.isnan(limit):
            on = np.array([float(k in w) for w in ways])
            rows(on, 0 * on, -limit, limit)
    for n in range(len(grid.nodes)):
        common = [sorted(set(ways[n]) & set(w)) for w in ways]
        weight_p = np.array([sum(r[k] for k in c) for c in common]) / volts
        weight_q = np.array([sum(x[k] for k in c) for c in common]) / volts
        sub = case.settings.grid.substation_pu
        low, high = sub - grid.max_pu[n], sub - grid.min_pu[n]
        if weight_p.any():
            rows(weight_p, weight_q, low, high)
