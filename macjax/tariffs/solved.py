"""A solved program with its blocks, and its residuals in original units.

With z, equality duals y and limit duals u of

    min 1/2 z'Dz + q'z + k  s.t.  Ez = e, Gz <= g, z_i >= 0 unless free,

the reduced costs are r = Dz + q + E'y + G'u. The point is optimal if E z = e, G z <= g,
z >= 0, u >= 0, r = 0 on free columns and r >= 0 on others, u (g - Gz) = 0 and r z = 0.
All is recomputed here from the program, in EVs, kW and money, whatever the solver's
scaling was.

How far the powers p can be from the optimal ones follows from the same numbers. The
Lagrangian at (y, u) is strongly convex in p with h = 2 beta dt and below the optimal
cost at the optimum, and the cost at z is above it but for what z violates. The sum of
both, with v = (G z - g)+ and d the part of r that is wrong, is

    h |p - p*|^2 <= u'|g - Gz| + |r|'|z| + |y|'|Ez - e| + |d|'|z|,

where the terms with residuals take the optimal z and duals for those found. Its root
over h, `power_error`, bounds the largest deviation of any power (the left-hand side has
all of them), by much: by 10 to 1,000 times where it was compared. Without a beta on the
powers themselves (the article's coupled objective) it is about the sums that have one.
"""

from typing import NamedTuple

import numpy as np

from macjax._status import Status
from macjax.tariffs.direct import TOLERANCES, Point, solve_direct
from macjax.tariffs.program import Draft, Program

# Of largest numbers on both sides; a point beyond counts as stalled.
ACCEPTED = 1e-6
# Powers of the direct method are this accurate, or it is stalled: in kW, or, where that
# is more, as a share of the largest power.
ACCURACY_KW = 0.05
ACCURACY_SHARE = 5e-5
# Blocks of rows by the unit of what they balance or limit.
UNITS = {
    "balance_ev": ("equal", ("demand", "queue", "pool", "wait", "busy")),
    "balance_kw": ("equal", ("power", "total", "flow")),
    "balance_kw_ohm": ("equal", ("sag",)),
    "roads_ev": ("most", ("exits",)),
    "stations_ev": ("most", ("idle", "places")),
    "arrival_ev": ("most", ("arrival",)),
    "lines_kw": ("most", ("line+", "line-")),
    "voltages_kw_ohm": ("most", ("voltage+", "voltage-")),
}


class Solved(NamedTuple):
    """A draft, its program and where the solver ended.

    Arguments:
        draft: with the blocks.
        program: without unused columns.
        point: of the solver.
        residuals: largest deviations by kind and unit; `power_error` [kW] as above.
        status: that of the point, `stalled` where the residuals are too large.
    """

    draft: Draft
    program: Program
    point: Point
    residuals: dict[str, float]
    status: Status

    def values(self, block: str) -> np.ndarray:
        """Values of a block of columns, NaN if there is no solution."""
        numbers = self.draft.columns[block]
        full = np.zeros(self.draft.columns.size)
        full[self.program.columns] = self.point.columns
        return full[numbers] + (0.0 if self.status == Status.solved else np.nan)

    def duals(self, block: str) -> np.ndarray:
        """Duals of a block of rows of `most`, NaN if there is no solution."""
        numbers = self.draft.most[block]
        full = np.zeros(self.draft.most.size)
        full[self.program.most_rows] = self.point.most
        return full[numbers] + (0.0 if self.status == Status.solved else np.nan)

    @property
    def cost(self) -> float:
        """Value of the objective, NaN if there is no solution."""
        if self.status != Status.solved:
            return float("nan")
        return objective(self.program, self.point.columns)


def objective(program: Program, columns: np.ndarray) -> float:
    """Value of the objective at a point."""
    linear, half = program.linear @ columns, 0.5 * program.quadratic @ columns**2
    return float(program.constant + linear + half)


def solve_accurately(draft: Draft, tolerance: float | None = None) -> Solved:
    """Solve a draft with Clarabel, and judge what it found.

    Arguments:
        draft: to be solved.
        tolerance: of residuals and gap in Clarabel's scaling, None for the tightest
            that rounding allows.
    """
    program, seconds = draft.program(), 0.0
    tried: list[Solved] = []
    for wanted in TOLERANCES if tolerance is None else (tolerance,):
        point = solve_direct(program, wanted)
        seconds += point.seconds
        tried.append(finish(draft, program, point._replace(seconds=seconds)))
        if tried[-1].status in (Status.solved, Status.infeasible):
            return tried[-1]
    return min(tried, key=lambda found: found.residuals["power_error"])


def finish(
    draft: Draft,
    program: Program,
    point: Point,
    accepted: float = ACCEPTED,
    accuracy: float = ACCURACY_KW,
) -> Solved:
    """A solved program with its residuals; they decide whether it is solved.

    Arguments:
        draft, program, point: what was solved, and where it ended.
        accepted: residuals and gap in natural units, as a share of the largest numbers.
        accuracy: of the powers [kW]; infinite to ask for none.
    """
    miss, over, short, _ = deviations = _deviations(program, point)
    residuals = _residuals(draft, program, point, deviations)
    status = point.status
    if status == Status.solved:
        scaled, money = program.natural(), program.money_unit
        largest = max(
            np.abs(side).max(initial=1.0) for side in (scaled.equal_to, scaled.at_most)
        )
        below = np.maximum(-point.columns, 0.0)[~program.free]
        primal = (
            miss / program.equal_unit,
            over / program.most_unit,
            below / program.column_unit[~program.free],
        )
        decided = abs(objective(program, point.columns) - program.constant)
        power = np.abs(point.columns[program.quadratic > 0]).max(initial=0.0)
        right = [max(p.max(initial=0.0) for p in primal) <= 2 * accepted * largest]
        reduced = (short * program.column_unit).max(initial=0.0)
        right.append(reduced <= 2 * accepted * money)
        right.append(abs(residuals["gap"]) <= 3 * accepted * max(decided, money))
        right.append(residuals["power_error"] <= max(accuracy, ACCURACY_SHARE * power))
        status = status if all(right) else Status.stalled
    return Solved(draft, program, point, residuals, status)


def _deviations(program: Program, point: Point):
    """|E z - e|, (G z - g)+, wrong part of the reduced costs, and the reduced costs."""
    miss = np.abs(program.equal @ point.columns - program.equal_to)
    over = np.maximum(program.most @ point.columns - program.at_most, 0.0)
    reduced = program.quadratic * point.columns + program.linear
    reduced += program.equal.T @ point.equal + program.most.T @ point.most
    short = np.where(program.free, np.abs(reduced), np.maximum(-reduced, 0.0))
    return miss, over, short, reduced


def _residuals(draft: Draft, program: Program, point: Point, deviations) -> dict:
    columns, most, bounded = point.columns, point.most, ~program.free
    miss, over, short, reduced = deviations
    found = {}
    for name, (kind, blocks) in UNITS.items():
        kept = program.equal_rows if kind == "equal" else program.most_rows
        value = miss if kind == "equal" else over
        table = draft.equal if kind == "equal" else draft.most
        numbers = [table[b].ravel() for b in blocks if b in table]
        mine = np.isin(kept, np.concatenate(numbers)) if numbers else np.zeros(0, bool)
        found[name] = float(value[mine].max(initial=0.0)) if numbers else 0.0
    found["negative_ev"] = float(np.maximum(-columns[bounded], 0.0).max(initial=0.0))
    found["reduced_cost"] = float(short.max(initial=0.0))
    found["negative_dual"] = float(np.maximum(-most, 0.0).max(initial=0.0))
    slackness = np.abs(most * (program.at_most - program.most @ columns))
    at_bounds = np.abs(reduced * columns)[bounded]
    found["complementarity"] = float(
        max(slackness.max(initial=0.0), at_bounds.max(initial=0.0))
    )
    bound = program.constant - 0.5 * program.quadratic @ columns**2
    bound -= program.equal_to @ point.equal + program.at_most @ most
    found["gap"] = objective(program, columns) - float(bound)
    # Products of what should be 0, and not the difference of two large costs, which
    # rounding leaves no small digits of
    apart = slackness.sum() + at_bounds.sum() + np.abs(point.equal) @ miss
    apart += short @ np.abs(columns)
    curve = program.quadratic[program.quadratic > 0]
    found["power_error"] = float(np.sqrt(apart / curve.min(initial=np.inf)))
    return found
