"""Limits of lines and voltages that hold for every point of the boxes.

Each limit is linear in independent loads d_i in [nominal_i - gamma xi_i, nominal_i +
gamma xi_i], so its worst case is known: with weights c_i,

    max of sum c_i d_i = sum c_i nominal_i + Xi,   Xi = sum gamma_i |c_i| xi_i.

For a line (P of nominal loads and PV, h its stations) and a voltage:

    P + h' p <= f - Xi        dual lambda+ >= 0
   -P - h' p <= f - Xi        dual lambda- >= 0
    drop + X p <= V_sub - V_min - Xi_V       dual gamma- >= 0  (belongs to V >= V_min)
   -drop - X p <= V_max - V_sub - Xi_V       dual gamma+ >= 0

Departure from the article: its one worst case, little wind and PV with high load,
covers the first and the third limit only; the other two need the mirror case. gamma = 0
is the deterministic model, and a larger gamma can only cost more.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from macjax._errors import DataError, Fault, SettingsError, nearest
from macjax.tariffs._packages import require
from macjax.tariffs.case import Case
from macjax.tariffs.faults import fault
from macjax.tariffs.grid import SIGNS
from macjax.tariffs.program import Draft
from macjax.tariffs.roads import lookup, visitors
from macjax.tariffs.settings import PARAMETERS

# Share of the numbers of a limit that rounding may make of their sum.
ROUNDING = 1e-12
# Names of the blocks of rows: sign of the power of stations in each.
LINE_BLOCKS = {"line+": 1.0, "line-": -1.0}
VOLTAGE_BLOCKS = {"voltage-": 1.0, "voltage+": -1.0}


class Weights(NamedTuple):
    """How limits depend on loads and stations; rows are lines or nodes with a limit.

    Arguments:
        rows: numbers of the lines or nodes, shape (limits,).
        parts: weights of load, PV and wind, three sparse matrices (limits, nodes);
            those of PV and wind are negative.
        stations: weights of the power of each station, dense (limits, stations).
    """

    rows: np.ndarray
    parts: tuple[Any, Any, Any]
    stations: np.ndarray


def line_weights(case: Case) -> Weights:
    """Weights of the flows of the lines that have a limit, 1 or -1 [kW/kW]."""
    grid = case.grid
    rows = np.flatnonzero(~np.isnan(grid.limit_kw))
    down = grid.down[rows]
    at = down[:, case.stations.grid_node].toarray()
    return Weights(rows, tuple(sign * down for sign in SIGNS), at)  # type: ignore


def voltage_weights(case: Case) -> Weights:
    """Weights of the voltage drops at the nodes that have a limit [p.u./kW]."""
    grid = case.grid
    rows = np.flatnonzero(~np.isnan(grid.min_pu) | ~np.isnan(grid.max_pu))
    drop = grid.drop[rows]
    reactive = grid.drop_reactive[rows] @ require("scipy.sparse").diags(grid.tan_phi)
    parts = ((drop + reactive).tocsr(), -drop, -drop)
    return Weights(rows, parts, drop[:, case.stations.grid_node].toarray())


def nominal(case: Case, weights: Weights) -> np.ndarray:
    """Flow or drop that the nominal loads cause, shape (limits, T - 1)."""
    values = case.injections.nominal_kw[:, :, :-1]
    load, pv, wind = (w @ v for w, v in zip(weights.parts, values, strict=True))
    return load + pv + wind


def margin(case: Case, weights: Weights, gamma: np.ndarray) -> np.ndarray:
    """Xi of each limit, shape (limits, T - 1)."""
    half = gamma[:, :, None] * case.injections.half_kw[:, :, :-1]
    load, pv, wind = (abs(w) @ v for w, v in zip(weights.parts, half, strict=True))
    return load + pv + wind


def read_gamma(case: Case, given) -> np.ndarray:
    """gamma of load, PV and wind at each node, shape (3, nodes).

    Arguments:
        given: None for that of the case, a number for all, or a mapping from `load`,
            `pv` and `wind` to a number or to a mapping from node to number; what is
            not named keeps the value of the case.

    Raises:
        SettingsError: a name is unknown, or a value does not lie in [0, 1].
    """
    found = case.injections.gamma.copy()
    if given is None:
        return found
    if not isinstance(given, Mapping):
        found[:] = _share(given, "gamma")
        return found
    for name, value in given.items():
        if name not in PARAMETERS:
            raise SettingsError(f"gamma: unknown '{name}'; {nearest(name, PARAMETERS)}")
        row = found[PARAMETERS.index(name)]
        if isinstance(value, Mapping):
            at = lookup(list(value), case.grid.nodes)
            lost = [str(n) for n, i in zip(value, at, strict=True) if i < 0]
            if lost:
                raise SettingsError(f"gamma: no node of the grid: {', '.join(lost)}")
            row[at] = [_share(v, f"gamma of {name}") for v in value.values()]
        else:
            row[:] = _share(value, f"gamma of {name}")
    return found


def _share(value, name: str) -> float:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if number and 0 <= value <= 1:
        return float(value)
    raise SettingsError(f"{name} must be a number from 0 to 1, not {value!r}")


def put_limits(draft: Draft, case: Case, traffic, gamma: np.ndarray) -> None:
    """Add the robust limits of lines and voltages to the draft.

    What stations cause goes down the tree from line to line, so that the rows stay
    short however deep it is:

        flow_l = sum of p at the far end of l + sum of the flows of the lines behind it
        sag_s  = sag of the node before s + r_l flow_l                        [kW ohm]

    Arguments:
        draft: with the columns `power`.
        case: the case.
        traffic: whose pairs the powers belong to.
        gamma: as `read_gamma` gives it.

    Raises:
        DataError: a limit is broken whatever the stations do.
    """
    faults: list[Fault] = []
    grid, sub = case.grid, case.settings.grid.substation_pu
    lines, nodes = line_weights(case), voltage_weights(case)
    flows, sags = _tree(draft, case, traffic, len(nodes.rows) > 0)
    limit = grid.limit_kw[lines.rows]
    rights = {"line+": limit, "line-": limit}
    family = LINE_BLOCKS, rights, flows, 1.0, draft.kw
    _put(draft, case, traffic, gamma, lines, family, faults)
    rights = {
        "voltage-": sub - grid.min_pu[nodes.rows],
        "voltage+": grid.max_pu[nodes.rows] - sub,
    }
    scale = 1000.0 * case.settings.grid.nominal_kv**2
    family = VOLTAGE_BLOCKS, rights, sags, scale, _sag_unit(draft, case)
    _put(draft, case, traffic, gamma, nodes, family, faults)
    if faults:
        raise DataError(faults, title="limits that cannot hold")


def _tree(
    draft: Draft, case: Case, traffic, with_sags: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the flows of lines and of the sags of nodes, -1 where there are none.

    Arrays of shape (lines, T - 1) and (nodes, T - 1). Nodes behind which there is no
    station have the sag of the node before them.
    """
    grid, used = case.grid, draft.may_be_used("power")[:, :-1]
    at = case.stations.grid_node[traffic.pair_station]
    carrying = np.flatnonzero(grid.down[:, at] @ used.any(axis=1))
    shape = (len(grid.lines), used.shape[1])
    flow, sag = np.full(shape, -1), np.full((len(grid.nodes), shape[1]), -1)
    if not len(carrying):
        return flow, sag
    always = np.ones((len(carrying), shape[1]), bool)
    flow[carrying] = draft.column("flow", always, draft.kw, free=True)
    line_of = np.full(len(grid.nodes), -1)
    line_of[grid.child] = np.arange(len(grid.lines))
    child = grid.child[carrying]
    before = line_of[grid.parent[child]]
    inner = np.flatnonzero(before >= 0)
    rows = draft.row("equal", "flow", np.zeros(always.shape), draft.kw)
    number = np.full(len(grid.lines), -1)
    number[carrying] = np.arange(len(carrying))
    draft.equal.put(rows, flow[carrying], 1.0)
    draft.equal.put(rows[number[before[inner]]], flow[carrying[inner]], -1.0)
    own = np.flatnonzero((line_of[at] >= 0) & used.any(axis=1))
    power = draft.columns["power"][own, :-1]
    draft.equal.put(rows[number[line_of[at[own]]]], power, -1.0)
    if not with_sags:
        return flow, sag
    ohm = case.tables["lines"]["r_ohm"].to_numpy(np.float64)[carrying, None]
    unit = _sag_unit(draft, case)
    sag[child] = draft.column("sag", always, unit, free=True)
    rows = draft.row("equal", "sag", np.zeros(always.shape), unit)
    draft.equal.put(rows, sag[child], 1.0)
    draft.equal.put(rows[inner], sag[grid.parent[child[inner]]], -1.0)
    draft.equal.put(rows, flow[carrying], -ohm)
    return flow, _inherited(sag, grid)


def _sag_unit(draft: Draft, case: Case) -> float:
    """What sags are large in [kW ohm]."""
    return draft.kw * (float(case.tables["lines"]["r_ohm"].max()) or 1.0)


def _possible(case: Case, traffic) -> np.ndarray:
    """Largest power of each station if all EVs that can come charge at once [kW]."""
    stations = case.stations
    ev = visitors(traffic.legs, case.trips, len(stations.names))
    level = np.zeros(len(ev))
    np.maximum.at(level, stations.level_station, np.abs(stations.level_kw))
    return ev * level


def _inherited(sag: np.ndarray, grid) -> np.ndarray:
    """Nodes without a sag of their own take that of the node before them."""
    lost = np.flatnonzero((sag[:, 0] < 0) & (grid.parent >= 0))
    source = np.arange(len(sag))
    while True:
        source[lost] = grid.parent[source[lost]]
        more = (sag[source[lost], 0] < 0) & (grid.parent[source[lost]] >= 0)
        if not more.any():
            return sag[source]
        lost = lost[more]


def _put(draft: Draft, case: Case, traffic, gamma, weights, family, faults) -> None:
    """Rows of both signs of one family of limits; `scale` multiplies their units.

    Limits beyond what all EVs together can cause never bind and stay out: a limit that
    stands for none would blur the numbers of the others.
    """
    blocks, rights, columns, scale, unit = family
    base, spare = nominal(case, weights), margin(case, weights, gamma)
    column = columns[weights.rows]
    served = weights.stations[:, traffic.pair_station] > 0
    served = served @ draft.may_be_used("power")[:, :-1]
    reach = (weights.stations @ _possible(case, traffic))[:, None]
    for block, sign in blocks.items():
        right = rights[block][:, None] - spare - sign * base
        # Loads that sum up to the limit, as 0.1 + 0.2 to 0.3, keep it
        size = np.abs(rights[block][:, None]) + spare + np.abs(base)
        right = np.where(np.abs(right) <= ROUNDING * size, 0.0, right)
        broken = ~served & (right < 0)
        if broken.any():
            faults.append(_broken(case, weights, block, right, broken))
        open_ = served & (right < reach)
        right = np.where(open_, scale * right, np.inf)
        rows = draft.row("most", block, right, unit)
        draft.most.put(rows[open_], column[open_], sign)


def _broken(case: Case, weights: Weights, block: str, right, broken) -> Fault:
    """The fault of limits that no station has influence on."""
    of_lines = block in LINE_BLOCKS
    worst, unit = -right[broken].min(), "kW" if of_lines else "p.u."
    rule = (
        f"the limit is exceeded by load, PV and wind alone in {broken.sum()} steps, by "
        f"up to {worst:.4g} {unit} with the margin"
    )
    names = case.grid.lines if of_lines else case.grid.nodes
    lost = names[weights.rows[broken.any(axis=1)]]
    column = {"voltage-": "min_pu", "voltage+": "max_pu"}.get(block, "limit_kw")
    table = "lines" if of_lines else "grid_nodes"
    return fault(table, column, rule, lost)
