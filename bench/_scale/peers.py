"""Solvers of linear programs, each called as its documentation says.

This module runs in a process of its own for every attempt and does not import macjax:
its peak memory is that of the LP and of the solver. highspy and ortools bring the same
symbols and cannot be in one process.

    highs-simplex   HiGHS, dual simplex
    highs-ipx       HiGHS, interior point IPX, without crossover (a vertex is not asked)
    highs-hipdlp    HiGHS, first-order HiPDLP; `highs-pdlp` is its older PDLP
    pdlp            ortools PDLP
    mpax            MPAX r2HPDHG in float64 on the JAX device, compiled beforehand

All cores are given to those that can use more than one. Settings that are not named
here are the solvers' own.
"""

import argparse
import importlib.util
import time
from pathlib import Path

import numpy as np
from scipy import sparse

from _scale.process import cores, end_after, peak_gib, plain

EXPAND = {"highs": ("highs-simplex", "highs-ipx", "highs-hipdlp")}
PACKAGE = {"highs": "highspy", "pdlp": "ortools", "mpax": "mpax"}
GRACE = 10.0  # seconds beyond its own limit before a solver is ended


def expand(names: str) -> list[str]:
    """Peers named by a list with commas; `highs` stands for its three methods."""
    found: list[str] = []
    for name in filter(None, names.split(",")):
        found += EXPAND.get(name, (name,))
    unknown = [n for n in found if n not in TOLERANCES]
    if unknown:
        known = ", ".join([*EXPAND, *TOLERANCES])
        raise argparse.ArgumentTypeError(
            f"unknown peers {', '.join(unknown)}; known: {known}"
        )
    return list(dict.fromkeys(found))


def is_installed(peer: str) -> bool:
    """Whether the package of a peer can be imported."""
    return importlib.util.find_spec(PACKAGE[peer.split("-")[0]]) is not None


def tolerances(peer: str, gap: float) -> list[float | None]:
    """Tolerances to try, one after the other until the answer certifies the gap."""
    return [share and share * gap for share in TOLERANCES[peer]]


# Shares of the wanted gap; None is the solver's own tolerance.
FIRST_ORDER = (1.0, 0.3, 0.1, 0.03, 0.01, 0.001)
TOLERANCES: dict[str, tuple] = {
    "highs-simplex": (None,),
    "highs-ipx": (1e-1, 1e-3, 1e-5),
    "highs-pdlp": FIRST_ORDER,
    "highs-hipdlp": FIRST_ORDER,
    "pdlp": FIRST_ORDER,
    "mpax": FIRST_ORDER,
}


class Lp:
    """The linear program as it was written by `CompactLp.write`."""

    def __init__(self, path: str):
        with np.load(path) as file:
            self.cost, self.right = file["cost"], file["right"]
            self.lower, self.upper = file["lower"], file["upper"]
            self.equations = int(file["equations"])
            parts = (file["data"], file["indices"], file["indptr"])
            self.matrix = sparse.csc_matrix(parts, tuple(file["shape"]))
        self.row_lower = self.right.copy()
        self.row_lower[self.equations :] = -np.inf


def attempt(options: dict) -> dict:
    """Solve once and write the answer.

    Arguments:
        options: peer, lp (file), answer (file to write), tolerance, limit [s].

    Returns:
        status, seconds of the solve alone, compile_s where there is one, iterations,
        peak_gib; the answer has x and price (0 or more, one per cell row).
    """
    lp = Lp(options["lp"])
    peer, tolerance, limit = options["peer"], options["tolerance"], options["limit"]
    start = peak_gib()
    if peer.startswith("highs"):
        found = _highs(lp, peer.split("-")[1], tolerance, limit)
    elif peer == "pdlp":
        found = _ortools(lp, tolerance, limit)
    else:
        found = _mpax(lp, tolerance, limit)
    x, price = found.pop("x"), found.pop("price")
    found["has_answer"] = len(x) == lp.matrix.shape[1]
    if found["has_answer"]:
        price = np.maximum(np.asarray(price)[lp.equations :], 0.0)
        np.savez(Path(options["answer"]), x=x, price=price)
    return plain(found | {"peak_gib": peak_gib(), "start_gib": start})


def _highs(lp: Lp, method: str, tolerance: float | None, limit: float) -> dict:
    import highspy

    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = lp.matrix.shape[1], lp.matrix.shape[0]
    model.col_cost_, model.col_lower_, model.col_upper_ = lp.cost, lp.lower, lp.upper
    model.row_lower_, model.row_upper_ = lp.row_lower, lp.right
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = lp.matrix.indptr
    model.a_matrix_.index_ = lp.matrix.indices
    model.a_matrix_.value_ = lp.matrix.data
    highs = highspy.Highs()
    options = {
        "output_flag": False,
        "solver": method,
        "time_limit": float(limit),
        "threads": cores(),
        "run_crossover": "off",
    }
    if tolerance is not None:
        first_order = method in ("pdlp", "hipdlp")
        name = "kkt_tolerance" if first_order else "ipm_optimality_tolerance"
        options[name] = tolerance
    for name, value in options.items():
        if highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise SystemExit(f"this HiGHS does not take {name} = {value}")
    end_after(limit + GRACE)
    begin = time.perf_counter()
    highs.passModel(model)
    highs.run()
    seconds = time.perf_counter() - begin
    end_after(0)
    info, solution = highs.getInfo(), highs.getSolution()
    counts = {
        "simplex": info.simplex_iteration_count,
        "ipx": info.ipm_iteration_count,
        "ipm": info.ipm_iteration_count,
    }
    return {
        "status": highs.modelStatusToString(highs.getModelStatus()).lower(),
        "seconds": seconds,
        "iterations": counts.get(method, info.pdlp_iteration_count),
        "x": np.asarray(solution.col_value),
        # Of a row with an upper limit the dual is 0 or less.
        "price": -np.asarray(solution.row_dual),
    }


def _ortools(lp: Lp, tolerance: float, limit: float) -> dict:
    from ortools.pdlp import solve_log_pb2, solvers_pb2
    from ortools.pdlp.python import pdlp

    program = pdlp.QuadraticProgram()
    program.objective_vector = lp.cost
    program.constraint_lower_bounds = lp.row_lower
    program.constraint_upper_bounds = lp.right
    program.variable_lower_bounds = lp.lower
    program.variable_upper_bounds = lp.upper
    program.constraint_matrix = lp.matrix
    settings = solvers_pb2.PrimalDualHybridGradientParams()
    criteria = settings.termination_criteria
    criteria.simple_optimality_criteria.eps_optimal_relative = tolerance
    criteria.simple_optimality_criteria.eps_optimal_absolute = tolerance
    criteria.time_sec_limit = limit
    settings.num_threads = cores()
    end_after(limit + GRACE)
    begin = time.perf_counter()
    result = pdlp.primal_dual_hybrid_gradient(program, settings)
    seconds = time.perf_counter() - begin
    end_after(0)
    log = result.solve_log
    reason = solve_log_pb2.TerminationReason.Name(log.termination_reason)
    words = reason.removeprefix("TERMINATION_REASON_").replace("_", " ").lower()
    return {
        "status": words,
        "seconds": seconds,
        "iterations": log.iteration_count,
        "x": np.asarray(result.primal_solution),
        "price": -np.asarray(result.dual_solution),
    }


def _mpax(lp: Lp, tolerance: float, limit: float) -> dict:
    import jax
    import mpax

    jax.config.update("jax_enable_x64", True)
    rows = lp.matrix.tocsr()
    equations, limits = rows[: lp.equations], -rows[lp.equations :]
    begin = time.perf_counter()
    program = mpax.create_lp(
        jax.numpy.asarray(lp.cost),
        equations.tocoo(),
        jax.numpy.asarray(lp.right[: lp.equations]),
        limits.tocoo(),
        jax.numpy.asarray(-lp.right[lp.equations :]),
        jax.numpy.asarray(lp.lower),
        jax.numpy.asarray(lp.upper),
    )
    solver = mpax.r2HPDHG(eps_abs=tolerance, eps_rel=tolerance)
    compiled = jax.jit(solver.optimize).lower(program).compile()
    compile_s = time.perf_counter() - begin
    end_after(limit)  # MPAX has no limit of its own
    begin = time.perf_counter()
    result = jax.block_until_ready(compiled(program))
    seconds = time.perf_counter() - begin
    end_after(0)
    stats = jax.devices()[0].memory_stats() or {}
    peak = stats.get("peak_bytes_in_use")
    status = mpax.utils.TerminationStatus(int(result.termination_status)).name
    return {
        "status": status.replace("_", " ").lower(),
        "seconds": seconds,
        "compile_s": compile_s,
        "iterations": int(result.iteration_count),
        "device_peak_gib": None if peak is None else peak / 2**30,
        "x": np.asarray(result.primal_solution),
        "price": np.asarray(result.dual_solution),
    }
