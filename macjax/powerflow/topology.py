"""What connects the buses of a net, as far as it is in service and switched on.

Tables are those of pandapower; nothing here needs pandapower itself. Buses are numbered
by their row.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from macjax._errors import DataError, Fault

# Windings of transformers: table, primary and secondary bus, letter of its switches.
WINDINGS = (
    ("trafo", "hv_bus", "lv_bus", "t"),
    ("trafo3w", "hv_bus", "mv_bus", "t3"),
    ("trafo3w", "hv_bus", "lv_bus", "t3"),
)


class Edges(NamedTuple):
    """Pairs of buses; `row` is the row of the element in its table.

    Arguments:
        first, second: rows of the buses at its ends, shape (edges,).
        row: shape (edges,).
    """

    first: np.ndarray
    second: np.ndarray
    row: np.ndarray

    def within(self, kept: np.ndarray) -> "Edges":
        """The edges that are kept, a mask or row numbers of edges."""
        return Edges(self.first[kept], self.second[kept], self.row[kept])


class Topology(NamedTuple):
    """The connections of a net.

    Arguments:
        buses: how many there are.
        ties: closed switches between buses.
        lines: lines that carry.
        links: impedances.
        trafos, trafos3w: windings of transformers, primary first.
        grid: rows of the buses of external grids.
        loads: rows of the buses of the loads, in or out of service.
    """

    buses: int
    ties: Edges
    lines: Edges
    links: Edges
    trafos: Edges
    trafos3w: Edges
    grid: np.ndarray
    loads: np.ndarray


def table(net, name: str) -> pd.DataFrame:
    """A table of a net, empty if the net has none."""
    frame = net.get(name)
    return frame if isinstance(frame, pd.DataFrame) else pd.DataFrame()


def column(frame: pd.DataFrame, name: str, default: float) -> np.ndarray:
    """A column as float64, the default where a cell or the column is missing."""
    if name not in frame.columns:
        return np.full(len(frame), default)
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
    return np.where(np.isnan(values), default, values)


def in_service(frame: pd.DataFrame) -> np.ndarray:
    """Elements in service, all where the table does not say."""
    return column(frame, "in_service", 1.0) != 0


def islands(buses: int, *edges: Edges) -> np.ndarray:
    """Number of the island of each bus that the edges make, shape (buses,)."""
    first = np.concatenate([e.first for e in edges])
    second = np.concatenate([e.second for e in edges])
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(buses, buses))
    return connected_components(graph, directed=False)[1]


def read_topology(net) -> Topology:
    """The connections of a net.

    Raises:
        DataError: an element names a bus that is not there, or no external grid is.
    """
    faults: list[Fault] = []
    switch = table(net, "switch")
    closed = column(switch, "closed", 1.0) != 0
    kind = switch["et"].to_numpy(object) if len(switch) else np.empty(0, object)
    element = column(switch, "element", -1)
    opened = {word: element[(kind == word) & ~closed] for word in ("l", "t", "t3")}
    ties = switch[(kind == "b") & closed]
    lines = _edges(net, table(net, "line"), "line", "from_bus", "to_bus", faults)
    lines = lines.within(~np.isin(table(net, "line").index[lines.row], opened["l"]))
    links = table(net, "impedance")
    wound: dict[str, list[Edges]] = {"trafo": [], "trafo3w": []}
    for name, primary, secondary, word in WINDINGS:
        frame = table(net, name)
        edges = _edges(net, frame, name, primary, secondary, faults)
        wound[name].append(edges.within(~np.isin(frame.index[edges.row], opened[word])))
    grid = net["ext_grid"][in_service(net["ext_grid"])]
    if grid.empty:
        faults.append(Fault("net.ext_grid", "bus", "the net has no external grid"))
    found = Topology(
        len(net["bus"]),
        _edges(net, ties, "switch", "bus", "element", faults),
        lines,
        _edges(net, links, "impedance", "from_bus", "to_bus", faults),
        wound["trafo"][0],
        Edges(
            *(np.concatenate(parts) for parts in zip(*wound["trafo3w"], strict=True))
        ),
        _bus_rows(net, grid, "ext_grid", "bus", faults),
        _bus_rows(net, net["load"], "load", "bus", faults),
    )
    if faults:
        raise DataError(faults, title="wrong pandapower net")
    return found


def _bus_rows(net, frame, name: str, end: str, faults: list) -> np.ndarray:
    """Rows of the buses that a column names."""
    if frame.empty:
        return np.empty(0, np.int64)
    rows = net["bus"].index.get_indexer(pd.Index(frame[end]))
    if (rows < 0).any():
        rule, ids = "names a bus that the net does not have", frame.index[rows < 0]
        faults.append(Fault(f"net.{name}", end, rule, len(ids), tuple(ids)))
    return rows


def _edges(net, frame, name: str, first: str, second: str, faults: list) -> Edges:
    """The elements of a table that are in service, and so are both their buses."""
    ends = [_bus_rows(net, frame, name, end, faults) for end in (first, second)]
    alive = in_service(net["bus"])
    row = np.flatnonzero(in_service(frame) & alive[ends[0]] & alive[ends[1]])
    return Edges(ends[0][row], ends[1][row], row)
