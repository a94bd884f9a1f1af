"""The distribution network: a tree of lines with LinDistFlow.

With net load p_r [kW] and reactive load q_r [kvar] at node r, and with all lines
directed away from the substation,

    P_l = sum of p_r over the nodes behind line l                              [kW]
    V_s = V_sub - sum over the lines l from the substation to s of
                  (r_l P_l + x_l Q_l) / (1000 V_0^2)                         [p.u.]

so that flows and voltages are linear in the nodal loads:

    dP_l / dp_r = h_{l,r} = 1 if l lies between the substation and r, else 0
    -dV_s / dp_r = X_{s,r} = sum of r_l over the lines that s and r have in common
                             / (1000 V_0^2) >= 0                        [p.u./kW]

Departure from the article: it writes the balance of a node with several parents and
leaves reactive power out. A load draws q = p tan(phi) at its power factor, also where
it deviates; PV, wind and stations have power factor 1.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import Fault
from macjax.tariffs._packages import require
from macjax.tariffs.faults import fault
from macjax.tariffs.roads import lookup
from macjax.tariffs.settings import PARAMETERS, Settings
from macjax.tariffs.tables import spread


class Grid(NamedTuple):
    """Lines and nodes of the tree; sparse matrices are scipy's.

    Arguments:
        nodes: ids, shape (nodes,).
        substation: number of the node that feeds the grid.
        parent: number of the node before each node, -1 for the substation.
        lines: ids, shape (lines,).
        child: number of the node at the far end of each line.
        limit_kw: f_l, NaN without a limit, shape (lines,).
        down: h, 1 where a line lies between substation and node, (lines, nodes).
        drop: voltage drop at each node for each kW at each node, X [p.u./kW],
            (nodes, nodes).
        drop_reactive: the same for each kvar.
        min_pu, max_pu: voltage limits, NaN without one, shape (nodes,).
        tan_phi: reactive over active power of the load, shape (nodes,).
    """

    nodes: np.ndarray
    substation: int
    parent: np.ndarray
    lines: np.ndarray
    child: np.ndarray
    limit_kw: np.ndarray
    down: Any
    drop: Any
    drop_reactive: Any
    min_pu: np.ndarray
    max_pu: np.ndarray
    tan_phi: np.ndarray


class Injections(NamedTuple):
    """Load, PV and wind of the nodes; arrays of shape (3, nodes, T), in that order.

    Arguments:
        nominal_kw: the values planned with.
        half_kw: half-widths xi of their boxes.
        gamma: share of the half-width that is planned for, shape (3, nodes).
    """

    nominal_kw: np.ndarray
    half_kw: np.ndarray
    gamma: np.ndarray


# Sign of load, PV and wind in the net load of a node.
SIGNS = np.array([1.0, -1.0, -1.0])


def read_grid(tables: dict, settings: Settings) -> tuple[Grid | None, list[Fault]]:
    """The tree of the cleaned tables, or what keeps it from being one."""
    lines, extra = tables["lines"], tables["grid_nodes"]
    ends = lines[["from_node", "to_node"]].to_numpy(object)
    codes, nodes = pd.factorize(
        np.concatenate([ends[:, 0], ends[:, 1], extra["node_id"].to_numpy(object)])
    )
    nodes, count = np.asarray(nodes, object), len(lines)
    first, second = codes[:count], codes[count : 2 * count]
    substation, faults = _substation(nodes, second, settings)
    if faults:
        return None, faults
    parent, line_of, faults = _orient(nodes, lines, first, second, substation)
    if faults:
        return None, faults
    down = _ancestors(parent, line_of, substation, count)
    sparse = require("scipy.sparse")
    scale = 1000.0 * settings.grid.nominal_kv**2

    def drop(column: str):
        ohm = sparse.diags(lines[column].to_numpy(np.float64) / scale)
        return (down.T @ ohm @ down).tocsr()

    child = np.empty(count, np.int64)
    inner = np.flatnonzero(line_of >= 0)
    child[line_of[inner]] = inner
    at = lookup(nodes, extra["node_id"].to_numpy(object))

    def of_nodes(column: str, default: float) -> np.ndarray:
        given = np.append(extra[column].to_numpy(np.float64), default)
        return given[at]

    factor = of_nodes("power_factor", 1.0)
    grid = Grid(
        nodes=nodes,
        substation=substation,
        parent=parent,
        lines=lines["line_id"].to_numpy(object),
        child=child,
        limit_kw=lines["limit_kw"].to_numpy(np.float64),
        down=down,
        drop=drop("r_ohm"),
        drop_reactive=drop("x_ohm"),
        min_pu=of_nodes("min_pu", np.nan),
        max_pu=of_nodes("max_pu", np.nan),
        tan_phi=np.sqrt(np.maximum(1.0 / factor**2 - 1.0, 0.0)),
    )
    return grid, _limit_faults(grid, factor)


def _limit_faults(grid: Grid, factor: np.ndarray) -> list[Fault]:
    faults = []
    wrong = grid.min_pu > grid.max_pu
    if wrong.any():
        rule = "min_pu must not be above max_pu"
        names = grid.nodes[wrong]
        faults.append(fault("grid_nodes", "min_pu, max_pu", rule, names))
    if (factor > 1).any():
        names = grid.nodes[factor > 1]
        rule = "must be at most 1"
        faults.append(fault("grid_nodes", "power_factor", rule, names))
    return faults


def _substation(nodes: np.ndarray, second: np.ndarray, settings: Settings):
    """Number of the node that feeds the grid."""
    named = settings.grid.substation
    if named:
        (number,) = lookup([named], nodes)
        rule = f"substation '{named}' is not among the nodes of the grid"
    else:
        heads = np.setdiff1d(np.arange(len(nodes)), second)
        number = heads[0] if len(heads) == 1 else -1
        found = ", ".join(map(str, nodes[heads][:10])) or "none"
        rule = (
            "name the substation in [grid]: it is the one node that no line leads to, "
            f"but there are {len(heads)} such nodes: {found}"
        )
    return int(number), [] if number >= 0 else [Fault("lines", "to_node", rule)]


def _orient(nodes, lines, first, second, substation: int):
    """Parent and incoming line of each node; faults for loops and islands."""
    graph = require("scipy.sparse").csr_matrix(
        (np.ones(len(first)), (first, second)), shape=(len(nodes), len(nodes))
    )
    search = require("scipy.sparse.csgraph").breadth_first_order
    reached, before = search(graph, substation, directed=False)
    parent = np.where(before < 0, -1, before).astype(np.int64)
    line_of = np.full(len(nodes), -1)
    numbers, names = np.arange(len(first)), lines["line_id"].to_numpy(object)
    for near, far in ((first, second), (second, first)):
        inner = parent[far] == near
        line_of[far[inner]] = numbers[inner]
    faults = []
    lost = np.setdiff1d(np.arange(len(nodes)), reached)
    if len(lost):
        rule = f"not connected to the substation {nodes[substation]}"
        faults.append(fault("lines", "to_node", rule, nodes[lost]))
    loops = np.setdiff1d(numbers, line_of)
    loops = loops[~np.isin(first[loops], lost)]
    if len(loops):
        rule = "closes a loop, but the grid must be a tree; open it"
        faults.append(fault("lines", "line_id", rule, names[loops]))
    return parent, line_of, faults


def _ancestors(parent, line_of, substation: int, lines: int):
    """h: 1 where a line lies between the substation and a node, (lines, nodes)."""
    rows, columns = [], []
    here = node = np.delete(np.arange(len(parent)), substation)
    while len(node):
        rows.append(line_of[here])
        columns.append(node)
        here = parent[here]
        node, here = node[here != substation], here[here != substation]
    none = [np.zeros(0, np.int64)]  # of a grid that is its substation alone
    rows, columns = np.concatenate(rows or none), np.concatenate(columns or none)
    shape = (lines, len(parent))
    return require("scipy.sparse").csr_matrix(
        (np.ones(len(rows)), (rows, columns)), shape=shape
    )


def read_injections(
    tables: dict, grid: Grid, settings: Settings
) -> tuple[Injections | None, list[Fault]]:
    """Load, PV and wind of all nodes with their boxes; nodes without rows have none."""
    profile, extra = tables["grid_profile"], tables["grid_nodes"]
    row, count = lookup(profile["node_id"], grid.nodes), len(grid.nodes)
    if (row < 0).any():
        lost = np.unique(profile.loc[row < 0, "node_id"].to_numpy(object))
        rule = "not among the nodes of the grid"
        return None, [fault("grid_profile", "node_id", rule, lost)]
    factors = (settings.grid.load_factor,) + (settings.grid.renewable_factor,) * 2
    nominal, half = [], []
    if not len(profile):
        empty = np.zeros((3, count, settings.steps))
        return Injections(empty, empty, _gammas(extra, grid, settings)), []
    for name, factor in zip(PARAMETERS, factors, strict=True):
        value = spread(profile, f"{name}_kw", row, count, settings)
        width = spread(profile, f"{name}_half_kw", row, count, settings)
        usual = getattr(settings.uncertainty, name) * value * factor
        nominal.append(value * factor)
        half.append(np.where(np.isnan(width), usual, width))
    present = np.zeros(count, bool)
    present[row] = True
    short = np.isnan(nominal[0]).any(axis=1) & present
    if short.any():
        rule = "must have a row for every step of the horizon"
        names = grid.nodes[short]
        return None, [fault("grid_profile", "node_id", rule, names)]
    boxes = np.nan_to_num(np.array(nominal)), np.nan_to_num(np.array(half))
    return Injections(*boxes, _gammas(extra, grid, settings)), []


def _gammas(extra: pd.DataFrame, grid: Grid, settings: Settings) -> np.ndarray:
    at = lookup(grid.nodes, extra["node_id"].to_numpy(object))
    columns = [extra[f"gamma_{name}"].to_numpy(np.float64) for name in PARAMETERS]
    given = np.array([np.append(column, np.nan)[at] for column in columns])
    return np.where(np.isnan(given), settings.uncertainty.gamma, given)
