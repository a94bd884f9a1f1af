"""The direct solver: Clarabel, an interior-point method with accurate duals.

Clarabel solves min 1/2 z'Pz + q'z, Az + s = b, s in a product of cones, here in the
natural units of the program (`Program.natural`) and after scaling of its own. Its duals
y >= 0 of G z <= g are - d(optimal cost) / dg.

References: Goulart and Chen, Clarabel: an interior-point solver for conic programs with
quadratic objectives, 2024.
"""

import time
from typing import NamedTuple

import numpy as np

from macjax._status import Status
from macjax.tariffs._packages import require
from macjax.tariffs.program import Program

# Of residuals and gap in Clarabel's scaling; its own default is 1e-8. A digit costs an
# iteration or two and moves powers by a third of a digit. The second one is tried where
# rounding keeps the first out of reach; `solved` judges what was reached.
TOLERANCES = (1e-14, 1e-12)
STATUSES = {
    "Solved": Status.solved,
    "PrimalInfeasible": Status.infeasible,
    "AlmostPrimalInfeasible": Status.infeasible,
    "MaxIterations": Status.iteration_limit,
    "MaxTime": Status.time_limit,
    # Short of the tolerance; the residuals decide
    "AlmostSolved": Status.solved,
    "InsufficientProgress": Status.solved,
    "NumericalError": Status.solved,
}


class Point(NamedTuple):
    """Where a solver ended.

    Arguments:
        status: how it ended; `solved` is for `solved.finish` to confirm.
        columns: z, shape (columns,).
        equal: duals of E z = e, any sign: cost + equal' (E z - e), shape (rows,).
        most: duals of G z <= g, >= 0, shape (rows,).
        iterations: of the solver.
        seconds: of the solver.
        words: its own status.
    """

    status: Status
    columns: np.ndarray
    equal: np.ndarray
    most: np.ndarray
    iterations: int
    seconds: float
    words: str


def solve_direct(program: Program, tolerance: float = TOLERANCES[0]) -> Point:
    """Solve a program with Clarabel.

    Arguments:
        program: the program.
        tolerance: of residuals and gap in Clarabel's scaling.
    """
    clarabel, sparse = require("clarabel"), require("scipy.sparse")
    began = time.perf_counter()
    scaled = program.natural()
    bounded = np.flatnonzero(~scaled.free)
    signs = sparse.csc_matrix(
        (-np.ones(len(bounded)), (np.arange(len(bounded)), bounded)),
        shape=(len(bounded), len(scaled.linear)),
    )
    rows = sparse.vstack([scaled.equal, scaled.most, signs], format="csc")
    right = np.concatenate([scaled.equal_to, scaled.at_most, np.zeros(len(bounded))])
    equal, most = len(scaled.equal_to), len(scaled.at_most)
    cones = [clarabel.ZeroConeT(equal), clarabel.NonnegativeConeT(most + len(bounded))]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.direct_solve_method = "qdldl"
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = tolerance
    cost = sparse.diags(scaled.quadratic, format="csc")
    solver = clarabel.DefaultSolver(cost, scaled.linear, rows, right, cones, settings)
    found = solver.solve()
    words, duals = str(found.status), np.asarray(found.z)
    money = program.money_unit
    return Point(
        status=STATUSES.get(words, Status.stalled),
        columns=np.asarray(found.x) * program.column_unit,
        equal=duals[:equal] * money / program.equal_unit,
        most=duals[equal : equal + most] * money / program.most_unit,
        iterations=int(found.iterations),
        seconds=time.perf_counter() - began,
        words=words,
    )
