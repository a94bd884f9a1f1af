"""The optimum of any sum of objectives from outside: one QP, solved by clarabel.

    min  sum_f kappa_f theta_f + dt sum_ft [ linear_f o_ft + quadratic_f / 2 o_ft^2 ]
         + dt sum_ft energy_ft P_ft + epsilon / 2 sum_n weight_n sum_j u_nj^2
    P_ft - theta_f <= H_ft,   P_ft - o_ft <= H_ft,   P_ft <= H_ft + slack_ft where hard,
    theta, o >= 0,   P_ft = sum weight u / (efficiency dt)

on the opportunities and states that `oracles.convert` reads from the tables.
"""

import clarabel
import numpy as np
import oracles
from scipy import sparse


def optimum(
    scenario,
    peak=0.0,
    overload=0.0,
    squared=0.0,
    energy=0.0,
    hard=False,
    slack=0.0,
    epsilon=0.0,
) -> float:
    """Least cost [currency]; inf if there is no schedule.

    Arguments:
        peak: cost of the largest overload [currency/kW], (f,) or a number.
        overload: cost of overload energy [currency/kWh], (f,) or a number.
        squared: cost of squared overload [currency/(kW^2 h)], (f,) or a number.
        energy: price of EV energy [currency/kWh], broadcast to (f, t).
        hard: feeders whose load must stay under the capacity, (f,) or a bool.
        slack: how far it may pass it all the same [kW], broadcast to (f, t).
        epsilon: weight of the squared energies [currency/kWh^2].
    """
    p = oracles.convert(scenario)
    feeders, slots = p.headroom.shape
    cells, n, k = feeders * slots, p.most.size, p.low.size
    on = np.flatnonzero(p.cell >= 0)
    load = sparse.csr_matrix((p.kw_per_kwh[on], (p.cell[on], on)), (cells, n))
    step = np.flatnonzero(~p.opens)
    chain = sparse.identity(k) - sparse.csr_matrix(
        (np.ones(step.size), (step, step - 1)), (k, k)
    )
    gather = sparse.csr_matrix((np.ones(n), (p.state, np.arange(n))), (k, n))
    which = np.repeat(np.arange(feeders), slots)
    theta = sparse.csr_matrix((np.ones(cells), (np.arange(cells), which)))
    eye, room = sparse.identity(cells), p.headroom.reshape(-1)
    fixed = np.flatnonzero(np.broadcast_to(hard, feeders)[which])
    limit = room + np.broadcast_to(slack, (feeders, slots)).reshape(-1)

    equal = sparse.bmat([[-gather, chain, sparse.csr_matrix((k, feeders + cells))]])
    over = sparse.bmat([
        [load, sparse.csr_matrix((cells, k)), -theta, None],
        [load, None, None, -eye],
        [load[fixed], None, None, None],
    ])  # fmt: skip
    size = n + k + feeders + cells
    low = np.concatenate((np.zeros(n), p.low, np.zeros(feeders + cells)))
    high = np.concatenate((p.most, p.high, np.full(feeders + cells, np.inf)))
    bounded = np.flatnonzero(np.isfinite(high))
    every = sparse.identity(size, format="csr")
    matrix = sparse.vstack([equal, over, -every, every[bounded]]).tocsc()
    right = (np.zeros(k), room, room, limit[fixed], -low, high[bounded])
    right = np.concatenate(right)

    vector = np.zeros(size)
    each = np.broadcast_to(energy, (feeders, slots)).reshape(-1) * p.dt
    vector[on] = p.kw_per_kwh[on] * each[p.cell[on]]
    vector[n + k : n + k + feeders] = peak
    vector[n + k + feeders :] = np.broadcast_to(overload, feeders)[which] * p.dt
    square = np.zeros(size)
    weight = scenario.vehicles["weight"].to_numpy(float)
    square[:n] = epsilon * weight[p.vehicle[p.state]]
    square[n + k + feeders :] = np.broadcast_to(squared, feeders)[which] * p.dt
    return _solved(square, vector, matrix, right, k)


def _solved(square, vector, matrix, right, equalities) -> float:
    """min 1/2 x.square x + vector.x, the first rows equal and the others <= right."""
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-10
    cones = [
        clarabel.ZeroConeT(equalities),
        clarabel.NonnegativeConeT(right.size - equalities),
    ]
    scale = max(float(np.abs(vector).max()), float(square.max()), 1e-300)
    quadratic = sparse.diags(square / scale).tocsc()
    solver = clarabel.DefaultSolver(
        quadratic, vector / scale, matrix, right, cones, settings
    )
    answer = solver.solve()
    if "Infeasible" in str(answer.status):
        return np.inf
    assert str(answer.status) in ("Solved", "AlmostSolved"), answer.status
    return answer.obj_val * scale
