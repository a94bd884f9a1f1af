"""A solved program with its blocks, and its residuals in original units.

With z, equality duals y and limit duals u of

    min 1/2 z'Dz + q'z + k  s.t.  Ez = e, Gz <= g, z_i >= 0 unless free,

the reduced costs are r = Dz + q + E'y + G'u. The point is optimal if E z = e, G z <= g,
z >= 0, u >= 0, r = 0 on free columns and r >= 0 on others, u (g - Gz) = 0 and r z = 0.
All is recomputed here from the program, in EVs, kW and money, whatever the solver's
scaling was.
"""

from typing import NamedTuple

import numpy as np

from macjax._status import Status
from macjax.tariffs.direct import Point
from macjax.tariffs.program import Draft, Program

# Of largest numbers on both sides; a point beyond counts as stalled.
ACCEPTED = 1e-6
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
        residuals: largest deviations by kind and unit.
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


def finish(
    draft: Draft, program: Program, point: Point, accepted: float = ACCEPTED
) -> Solved:
    """A solved program with its residuals; they decide whether it is solved.

    Arguments:
        draft, program, point: what was solved, and where it ended.
        accepted: residuals and gap, as a share of the largest numbers.
    """
    residuals = _residuals(draft, program, point)
    status = point.status
    scale = max(1.0, np.abs(program.equal_to).max(initial=0.0))
    finite = np.abs(program.at_most[np.isfinite(program.at_most)])
    scale = max(scale, finite.max(initial=0.0))
    primal = [
        v for k, v in residuals.items() if k.split("_")[-1] in ("ev", "kw", "ohm")
    ]
    money = max(1.0, abs(objective(program, point.columns)))
    if status == Status.solved:
        bad = max(primal) > 2 * accepted * scale
        bad |= residuals["reduced_cost"] > 2 * accepted * max(
            1.0, np.abs(program.linear).max(initial=0.0)
        )
        bad |= abs(residuals["gap"]) > 3 * accepted * money
        status = Status.stalled if not np.isfinite(money) or bad else status
    return Solved(draft, program, point, residuals, status)


def _residuals(draft: Draft, program: Program, point: Point) -> dict[str, float]:
    columns, equal, most = point.columns, point.equal, point.most
    miss = np.abs(program.equal @ columns - program.equal_to)
    slack = program.at_most - program.most @ columns
    over = np.maximum(-slack, 0.0)
    found = {}
    for name, (kind, blocks) in UNITS.items():
        kept = program.equal_rows if kind == "equal" else program.most_rows
        value = miss if kind == "equal" else over
        table = draft.equal if kind == "equal" else draft.most
        numbers = [table[b].ravel() for b in blocks if b in table]
        mine = np.isin(kept, np.concatenate(numbers)) if numbers else np.zeros(0, bool)
        found[name] = float(value[mine].max(initial=0.0)) if numbers else 0.0
    bounded = ~program.free
    found["negative_ev"] = float(np.maximum(-columns[bounded], 0.0).max(initial=0.0))
    reduced = program.quadratic * columns + program.linear
    reduced += program.equal.T @ equal + program.most.T @ most
    short = np.where(program.free, np.abs(reduced), np.maximum(-reduced, 0.0))
    found["reduced_cost"] = float(short.max(initial=0.0))
    found["negative_dual"] = float(np.maximum(-most, 0.0).max(initial=0.0))
    slackness = np.abs(most * slack).max(initial=0.0)
    at_bounds = np.abs(reduced * columns)[bounded].max(initial=0.0)
    found["complementarity"] = float(max(slackness, at_bounds))
    bound = program.constant - 0.5 * program.quadratic @ columns**2
    bound -= program.equal_to @ equal + program.at_most @ most
    found["gap"] = objective(program, columns) - float(bound)
    return found
