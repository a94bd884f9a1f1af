"""The same problem as a linear program, for solvers of linear programs.

    min  kappa . x
    s.t. S_k - S_{k-1} - sum_{j in stay k} u_j = 0         for every charging stay
         sum_{j in cell} a_j u_j - x_f <= H_ft             for every cell that can bind
         0 <= u <= most,  lower <= S <= upper,  x_f >= max_t (-H_ft)_+

Columns u, S, x: one state per stay, not per slot, which is the smallest form known.
Cells that cannot bind even if everybody charges there at full power are left out. The
tables are read, and the bounds made, by the code of the certificate.

Answers are judged by `macjax.certify`. Before that, stay by stay, the energy of a
vehicle is scaled down, or up in what its power leaves free, until its SOC (state of
charge) is within its bounds: an answer that is slightly infeasible, as those of
first-order methods are, gets the cost of the feasible schedule beside it.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from macjax.certificate import certify
from macjax.certificate.opportunities import (
    Group,
    Opportunities,
    groups,
    opportunities,
)
from macjax.certificate.tables import Tables, read_tables
from macjax.certificate.tubes import Tube, mobility_tube

SHORT_KWH = 1e-6


@dataclasses.dataclass(frozen=True)
class Piece:
    """A group of vehicles and where its columns begin.

    Arguments:
        group, tube, cut: stays, their bounds and their opportunities.
        u, state: first column of its u, first of its S.
    """

    group: Group
    tube: Tube
    cut: Opportunities
    u: int
    state: int


@dataclasses.dataclass(frozen=True)
class CompactLp:
    """The linear program of a scenario and how to read its answers.

    Arguments:
        tables: the raw tables.
        pieces: the fleet, cut into groups.
        matrix: rows of stays first, then rows of cells, CSC.
        cost, lower, upper: of the columns.
        right: right sides; equations for stays, upper limits for cells.
        equations: how many rows are equations.
        cells: cell of each further row, feeder x slots + slot.
    """

    tables: Tables
    pieces: list[Piece]
    matrix: sparse.csc_matrix
    cost: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    right: np.ndarray
    equations: int
    cells: np.ndarray

    def write(self, path: Path) -> None:
        """Write what a solver needs, for a process that does not know macjax."""
        np.savez(
            path,
            shape=self.matrix.shape,
            indptr=self.matrix.indptr,
            indices=self.matrix.indices,
            data=self.matrix.data,
            cost=self.cost,
            lower=self.lower,
            upper=self.upper,
            right=self.right,
            equations=self.equations,
        )


def build(scenario) -> CompactLp:
    """The linear program of a scenario with the default objective."""
    tables = read_tables(scenario)
    clock, vehicles = tables.clock, tables.vehicles
    feeders, slots = tables.capacity.shape
    headroom = (tables.capacity - tables.base).ravel()
    scale = vehicles.weight / (vehicles.efficiency * clock.hours)
    pieces, u, state = [], 0, 0
    for group in groups(tables):
        tube = mobility_tube(tables, group)
        if (tube.short > SHORT_KWH).any():
            raise SystemExit("vehicles cannot make their trips: no such LP is built")
        cut = opportunities(group, clock.slot, slots, feeders)
        pieces.append(Piece(group, tube, cut, u, state))
        u, state = u + len(cut.cell), state + group.chains.size
    chain = _chain_rows(pieces, u, state)
    cell = _joined([p.cut.cell for p in pieces], np.int64)
    most = _joined([p.cut.most for p in pieces])
    gain = _joined(
        [np.repeat(p.group.of_stay(scale), p.cut.count) for p in pieces],
    )
    floor = np.maximum(-headroom.reshape(feeders, slots).min(axis=1), 0.0)
    potential = np.bincount(cell, gain * most, feeders * slots + 1)[:-1]
    cells = np.flatnonzero(potential > headroom + np.repeat(floor, slots))
    load = _load_rows(cells, cell, gain, u, state, feeders, slots)
    matrix = sparse.vstack([chain_with(chain, feeders), load], format="csc")
    cost = np.zeros(u + state + feeders)
    cost[u + state :] = _kappa(scenario)
    lower = np.concatenate(
        [np.zeros(u), _joined([p.tube.lower for p in pieces]), floor]
    )
    upper = np.concatenate(
        [most, _joined([p.tube.upper for p in pieces]), np.full(feeders, np.inf)]
    )
    right = np.concatenate([np.zeros(state), headroom[cells]])
    return CompactLp(tables, pieces, matrix, cost, lower, upper, right, state, cells)


def chain_with(chain: sparse.csr_matrix, feeders: int) -> sparse.csr_matrix:
    """The rows of the stays with empty columns for x."""
    empty = sparse.csr_matrix((chain.shape[0], feeders))
    return sparse.hstack([chain, empty], format="csr")


def _joined(parts: list, kind: Any = np.float64) -> np.ndarray:
    return np.concatenate([np.empty(0, kind), *parts]).astype(kind)


def _kappa(scenario) -> np.ndarray:
    feeders = scenario.feeders
    if "upgrade_cost_per_kw" not in feeders.columns:
        return np.ones(len(feeders))
    return feeders["upgrade_cost_per_kw"].fillna(1.0).to_numpy(np.float64)


def _chain_rows(pieces: list[Piece], u: int, state: int) -> sparse.csr_matrix:
    """S_k - S_{k-1} - sum u = 0, columns u then S."""
    stay = _joined(
        [
            np.repeat(np.arange(p.group.chains.size) + p.state, p.cut.count)
            for p in pieces
        ],
        np.int64,
    )
    after = _joined([p.group.chains.second + p.state for p in pieces], np.int64)
    before = _joined([p.group.chains.first + p.state for p in pieces], np.int64)
    every = np.arange(state)
    row = np.concatenate([every, after, stay])
    column = np.concatenate([u + every, u + before, np.arange(u)])
    value = np.concatenate([np.ones(state), -np.ones(len(after) + u)])
    return sparse.csr_matrix((value, (row, column)), (state, u + state))


def _load_rows(cells, cell, gain, u, state, feeders, slots) -> sparse.csr_matrix:
    """sum a u - x for the cells that are kept, all columns."""
    number = np.full(feeders * slots + 1, -1)
    number[cells] = np.arange(len(cells))
    row = number[cell]
    kept = np.flatnonzero(row >= 0)
    value = np.concatenate([gain[kept], -np.ones(len(cells))])
    rows = np.concatenate([row[kept], np.arange(len(cells))])
    column = np.concatenate([kept, u + state + cells // slots])
    shape = (len(cells), u + state + feeders)
    return sparse.csr_matrix((value, (rows, column)), shape)


def repaired(piece: Piece, u: np.ndarray) -> np.ndarray:
    """Energies of a piece brought within all limits, stay by stay.

    Arguments:
        piece: the vehicles.
        u: any energies of its opportunities [kWh].
    """
    chains, cut = piece.group.chains, piece.cut
    u = np.clip(np.nan_to_num(u), 0.0, cut.most)
    if len(u) == 0:
        return u
    wanted = np.add.reduceat(u, cut.start)
    most = np.add.reduceat(cut.most, cut.start)
    lower, upper = piece.tube.lower.copy(), piece.tube.upper.copy()
    for here, after in chains.back_steps():  # what later stays cannot make good
        lower[here] = np.maximum(lower[here], lower[after] - most[after])
        upper[here] = np.minimum(upper[here], upper[after])
    total, given = np.zeros(chains.rows), np.empty(chains.size)
    for here in chains.steps():
        before = total[: here.stop - here.start]
        least = np.maximum(lower[here], before)
        reach = np.minimum(upper[here], before + most[here])
        total = np.clip(before + wanted[here], np.minimum(least, reach), reach)
        given[here] = np.maximum(total - before, 0.0)
    down = np.minimum(given / np.where(wanted > 0, wanted, 1.0), 1.0)
    free = most - wanted
    up = np.maximum(given - wanted, 0.0) / np.where(free > 0, free, 1.0)
    up, down = (np.repeat(x, cut.count) for x in (np.minimum(up, 1.0), down))
    return u * down + (cut.most - u * down) * up


def schedule_of(lp: CompactLp, x: np.ndarray) -> tuple[pd.DataFrame, float]:
    """The repaired schedule of an answer, and by how much it was moved [kWh]."""
    clock, stays, vehicles = lp.tables.clock, lp.tables.stays, lp.tables.vehicles
    stay, slot, kw, moved = [], [], [], 0.0
    for p in lp.pieces:
        answer = x[p.u : p.u + len(p.cut.cell)]
        u = repaired(p, answer)
        moved += float(np.abs(u - np.nan_to_num(answer)).sum())
        used = np.flatnonzero(u > 0)
        each = np.repeat(np.arange(p.group.chains.size), p.cut.count)[used]
        place = p.group.place[each]
        stay.append(stays.row[place])
        slot.append(p.group.begin[each] // clock.slot + used - p.cut.start[each])
        efficiency = vehicles.efficiency[stays.vehicle[place]]
        kw.append(u[used] / (efficiency * clock.hours))
    stay, slot = _joined(stay, np.int64), _joined(slot, np.int64)
    frame = pd.DataFrame(
        {
            "vehicle_id": vehicles.ids.take(stays.owner[stay]),
            "time": clock.times().take(slot),
            "stay": stay,
            "kw": _joined(kw),
        }
    )
    return frame, moved


def prices_of(lp: CompactLp, price: np.ndarray) -> pd.DataFrame:
    """The positive prices of an answer; the certificate scales them to be valid."""
    slots = lp.tables.clock.slots
    good = np.flatnonzero(np.nan_to_num(price) > 0)
    cells = lp.cells[good]
    return pd.DataFrame(
        {
            "feeder_id": lp.tables.feeders.take(cells // slots),
            "time": lp.tables.clock.times().take(cells % slots),
            "price": price[good],
        }
    )


def judge(scenario, lp: CompactLp, x: np.ndarray, price: np.ndarray) -> dict:
    """What an answer is worth.

    Arguments:
        scenario, lp: the problem.
        x: columns.
        price: multipliers of the cells' rows, positive where a limit binds.

    Returns:
        Objective, bound and gap of `macjax.certify`, and `moved_kwh`, what the repair
        changed.
    """
    schedule, moved = schedule_of(lp, x)
    found = certify(scenario, schedule=schedule, prices=prices_of(lp, price))
    record = found.to_dict()
    kept = ("feasible", "max_violation_kwh", "objective", "lower_bound", "gap")
    return {name: record[name] for name in kept} | {"moved_kwh": moved}
