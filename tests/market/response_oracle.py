"""Best responses from outside: all vehicles at once as one LP or QP.

    min  sum_n weight_n [ sum_j price_c u_j / (efficiency dt)
         + sum_j (quadratic + smoothing / 2) u_j^2 + linear u_j + demand kw_j^2
         + benefit (energy_kwh - S_K)^2 ]

on the opportunities and states that `oracles.convert` reads from the tables; S_K is the
state behind the last stay of a vehicle.
"""

import clarabel
import highspy
import numpy as np
import oracles
import pandas as pd
from scipy import sparse


class Program:
    """The vehicles of a scenario, prices (f, t), and own costs by vehicle."""

    def __init__(self, scenario, prices, **own):
        p = self.p = oracles.convert(scenario)
        vehicles = len(scenario.vehicles)
        self.own = {
            name: np.broadcast_to(own.get(name, 0.0), vehicles).astype(float)
            for name in
            ("quadratic", "linear", "smoothing", "demand", "benefit", "energy_kwh")
        }  # fmt: skip
        self.owner = p.vehicle[p.state]
        weight = scenario.vehicles["weight"].to_numpy(float)
        self.weight = weight
        paid = np.append(np.asarray(prices, float).reshape(-1), 0.0)[p.cell]
        self.kw = p.kw_per_kwh / weight[self.owner]
        self.price = paid * self.kw + self.own["linear"][self.owner]
        own = {name: values[self.owner] for name, values in self.own.items()}
        self.bend = 2 * own["quadratic"] + own["smoothing"]
        self.bend = self.bend + 2 * own["demand"] * self.kw**2
        ends = np.append(p.opens[1:], True)[: len(p.opens)]
        self.last = np.flatnonzero(ends)

    def costs(self, u) -> np.ndarray:
        """Cost of one vehicle of each row at energies u, shape (vehicles,)."""
        count = len(self.weight)
        each = self.price * u + 0.5 * self.bend * u**2
        total = np.bincount(self.owner, each, count)
        energy = np.bincount(self.owner, u, count)
        lack = self.own["energy_kwh"] - energy
        return total + self.own["benefit"] * lack**2

    def energies(self, schedule: pd.DataFrame, scenario) -> np.ndarray:
        """u of a schedule frame, every row of which must be an opportunity."""
        starts = pd.DatetimeIndex(scenario.slot_starts)
        slot = starts.get_indexer(pd.DatetimeIndex(schedule["time"]))
        key = schedule["stay"].to_numpy() * scenario.slots + slot
        kw = pd.Series(schedule["kw"].to_numpy(), index=key)
        wanted = self.p.stay * scenario.slots + self.p.slot
        assert set(key) <= set(wanted)
        u = kw.reindex(wanted).fillna(0.0).to_numpy()
        return u / self.kw

    def _rows(self):
        p = self.p
        k, n = p.low.size, p.most.size
        step = np.flatnonzero(~p.opens)
        chain = sparse.identity(k) - sparse.csr_matrix(
            (np.ones(step.size), (step, step - 1)), (k, k)
        )
        gather = sparse.csr_matrix((np.ones(n), (p.state, np.arange(n))), (k, n))
        return sparse.bmat([[-gather, chain]]).tocsr()

    def by_simplex(self) -> np.ndarray:
        """u of a cheapest response without quadratic costs, by HiGHS."""
        p, rows = self.p, self._rows().tocsc()
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = rows.shape[1], rows.shape[0]
        weight = self.weight[self.owner]
        lp.col_cost_ = np.append(weight * self.price, np.zeros(p.low.size))
        lp.col_lower_ = np.append(np.zeros(p.most.size), p.low)
        lp.col_upper_ = np.append(p.most, p.high)
        lp.row_lower_ = lp.row_upper_ = np.zeros(rows.shape[0])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_ = rows.indptr, rows.indices
        lp.a_matrix_.value_ = rows.data
        highs = highspy.Highs()
        highs.setOptionValue("output_flag", False)
        highs.setOptionValue("primal_feasibility_tolerance", 1e-10)
        highs.passModel(lp)
        highs.run()
        assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        return np.array(highs.getSolution().col_value)[: p.most.size]

    def by_interior_points(self) -> np.ndarray:
        """u of a best response with quadratic costs or benefits, by clarabel."""
        p, rows = self.p, self._rows()
        n, k = p.most.size, p.low.size
        benefit = np.zeros(k)
        benefit[self.last] = self.own["benefit"][p.vehicle[self.last]]
        wanted = self.own["energy_kwh"][p.vehicle]
        square = np.append(self.bend, 2 * benefit)
        vector = np.append(self.price, -2 * benefit * wanted)
        scale = np.abs(vector).max()
        every = sparse.identity(n + k, format="csr")
        matrix = sparse.vstack([rows, -every, every]).tocsc()
        right = np.concatenate([np.zeros(k), np.zeros(n), -p.low, p.most, p.high])
        cones = [clarabel.ZeroConeT(k), clarabel.NonnegativeConeT(2 * (n + k))]
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
        quadratic = sparse.diags(square / scale).tocsc()
        solver = clarabel.DefaultSolver(
            quadratic, vector / scale, matrix, right, cones, settings
        )
        answer = solver.solve()
        assert str(answer.status) in ("Solved", "AlmostSolved"), answer.status
        return np.clip(np.array(answer.x)[:n], 0, p.most)
