"""The feeders of a medium-voltage net: what hangs on the lines that leave its busbar.

The busbar is the external grid's bus if lines leave it, else the secondary sides of the
transformers there. Without the busbar the net falls into parts; a part with load that
lines of the busbar feed is a feeder, these lines are its head lines, and

    rating [MVA] = sum over head lines of sqrt(3) kV max_i_ka parallel df
                   x max_loading_percent / 100.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import FIRST_IDS, DataError, Fault
from macjax.powerflow.nets import read_net
from macjax.powerflow.topology import (
    Topology,
    column,
    in_service,
    islands,
    read_topology,
    table,
)

# A head line that could carry more than this many times the net's load behind it has
# hardly a rating: test nets write 99999 kA for none.
STRANGE = 100.0


class MvFeeders(NamedTuple):
    """The M feeders of a net; arrays hold rows of its tables.

    Arguments:
        names: of their head lines, shape (M,).
        rating_mva: of the head lines together, shape (M,).
        heads, lines: head lines, and all lines with those, one array a feeder.
        buses: without the busbar, one array a feeder.
        loads: loads in service with p_mw x scaling > 0, one array a feeder.
        trafos, trafos3w: transformers above the feeder and within it.
        above: transformers of two windings that feed the busbar.
        nominal_mw: p_mw x scaling of all loads of the net, 0 out of service.
        notes: what was left out.
    """

    names: list[str]
    rating_mva: np.ndarray
    heads: list[np.ndarray]
    lines: list[np.ndarray]
    buses: list[np.ndarray]
    loads: list[np.ndarray]
    trafos: list[np.ndarray]
    trafos3w: list[np.ndarray]
    above: np.ndarray
    nominal_mw: np.ndarray
    notes: list[str]


def mv_feeders(net) -> pd.DataFrame:
    """The feeders of a net, as `check` and its `mapping` name them.

    Arguments:
        net: a pandapower net or the code of a SimBench grid.

    Returns:
        mv_feeder (name of its head lines), rating_mva, nominal_mw (of its loads), and
        head_lines, buses, loads: element numbers, as lists.
    """
    found, _ = read_net(net)
    feeders = find_feeders(found)
    numbers = {
        "head_lines": ("line", feeders.heads),
        "buses": ("bus", feeders.buses),
        "loads": ("load", feeders.loads),
    }
    frame = {
        "mv_feeder": feeders.names,
        "rating_mva": feeders.rating_mva,
        "nominal_mw": [feeders.nominal_mw[rows].sum() for rows in feeders.loads],
    }
    frame |= {
        key: [found[name].index[r].tolist() for r in rows]
        for key, (name, rows) in numbers.items()
    }
    return pd.DataFrame(frame)


def find_feeders(net) -> MvFeeders:
    """The feeders of a net, in the order of their first head line.

    Raises:
        DataError: no line leaves the busbar, no load is behind one, or a head line has
            no rating.
    """
    topology = read_topology(net)
    bar, upstream = _busbar(topology)
    part, nominal, rating = _parts(topology, bar), _nominal_mw(net), _ratings(net)
    lines = topology.lines
    heads = lines.within(bar[lines.first] ^ bar[lines.second])
    far = part[np.where(bar[heads.first], heads.second, heads.first)]
    at = part[topology.loads]
    behind = pd.unique(far)
    numbers = [n for n in behind if (nominal[at == n] > 0).any()]
    rows = [heads.row[far == n] for n in numbers]
    loads = [np.flatnonzero((nominal > 0) & (at == n)) for n in numbers]
    _require(net, nominal, rows, rating)
    ends = np.where(bar[lines.first], part[lines.second], part[lines.first])
    alive, name = in_service(net["bus"]), _line_names(net)
    trafos = _trafos(topology, bar, upstream, part, heads, far, numbers)
    served = np.concatenate(loads)
    idle = np.setdiff1d(np.flatnonzero(nominal > 0), served)
    names = [" + ".join(name[row] for row in r) for r in rows]
    together = np.array([rating[r].sum() for r in rows])
    behind_mw = np.array([nominal[r].sum() for r in loads])
    strange = [names[i] for i in np.flatnonzero(together > STRANGE * behind_mw)]
    return MvFeeders(
        names=names,
        rating_mva=together,
        heads=rows,
        lines=[lines.row[ends == n] for n in numbers],
        buses=[np.flatnonzero((part == n) & alive) for n in numbers],
        loads=loads,
        trafos=trafos[0],
        trafos3w=trafos[1],
        above=np.unique(topology.trafos.row[upstream[0]]),
        nominal_mw=nominal,
        notes=_notes(len(behind) - len(numbers), len(idle), strange),
    )


def limits(net) -> dict[str, np.ndarray]:
    """Limits of the elements: loading of line, trafo and trafo3w [%], else 100."""
    return {
        name: column(table(net, name), "max_loading_percent", 100.0)
        for name in ("line", "trafo", "trafo3w")
    }


def _busbar(topology: Topology) -> tuple[np.ndarray, list[np.ndarray]]:
    """Buses of the busbar, and which windings feed it from the external grid.

    The windings are those of two-winding and of three-winding transformers.
    """
    tied = islands(topology.buses, topology.ties)
    grid = np.isin(tied, tied[topology.grid])
    wound = topology.trafos, topology.trafos3w
    lines = topology.lines
    if (grid[lines.first] | grid[lines.second]).any():
        return grid, [np.zeros(len(w.row), bool) for w in wound]
    above = [grid[w.first] for w in wound]
    below = [w.second[a] for w, a in zip(wound, above, strict=True)]
    return np.isin(tied, tied[np.concatenate(below)]), above


def _parts(topology: Topology, bar: np.ndarray) -> np.ndarray:
    """The part of the net that each bus is in once the busbar is taken out."""
    edges = topology.lines, topology.links, topology.ties
    edges += topology.trafos, topology.trafos3w
    kept = [e.within(~bar[e.first] & ~bar[e.second]) for e in edges]
    part = islands(topology.buses, *kept)
    return np.where(bar, -1, part)


def _trafos(topology, bar, upstream, part, heads, far, numbers) -> list[list]:
    """Transformers of two and of three windings above and within each feeder."""
    joined = topology.lines, topology.ties, topology.links
    fed_by = islands(topology.buses, *joined)
    near = fed_by[np.where(bar[heads.first], heads.first, heads.second)]
    wound = zip((topology.trafos, topology.trafos3w), upstream, strict=True)
    return [
        [
            np.unique(
                w.row[
                    (above & np.isin(fed_by[w.second], near[far == n]))
                    | (part[w.first] == n)
                ]
            )
            for n in numbers
        ]
        for w, above in wound
    ]


def _nominal_mw(net) -> np.ndarray:
    loads = net["load"]
    power = column(loads, "p_mw", 0.0) * column(loads, "scaling", 1.0)
    return np.where(in_service(loads), power, 0.0)


def _ratings(net) -> np.ndarray:
    """Rating of each line [MVA], NaN where it has none."""
    lines = net["line"]
    kv = net["bus"]["vn_kv"].reindex(lines["from_bus"]).to_numpy(np.float64)
    amps = column(lines, "max_i_ka", np.nan) * column(lines, "df", 1.0)
    share = column(lines, "parallel", 1.0) * limits(net)["line"] / 100.0
    return np.sqrt(3.0) * kv * amps * share


def _line_names(net) -> list[str]:
    """The names of the lines if each has one of its own, else `line 7`."""
    lines = net["line"]
    given = lines.get("name")
    if given is not None and given.notna().all() and given.astype(str).is_unique:
        return given.astype(str).tolist()
    return [f"line {number}" for number in lines.index]


def _require(net, nominal, heads, rating) -> None:
    """Raise if there is no feeder, or one without a rating."""
    title = "wrong pandapower net"
    if not (nominal > 0).any():
        rule = "the net has no load in service with p_mw above 0"
        raise DataError([Fault("net.load", "p_mw", rule)], title)
    if not heads:
        rule = "no line leaves the busbar towards a load"
        raise DataError([Fault("net.line", "from_bus", rule)], title)
    rows = np.concatenate(heads)
    bad = rows[~(rating[rows] > 0) | ~np.isfinite(rating[rows])]
    if len(bad):
        ids = tuple(net["line"].index[bad])
        rule = "head lines of feeders need a rating above 0"
        raise DataError([Fault("net.line", "max_i_ka", rule, len(bad), ids)], title)


def _notes(empty: int, idle: int, strange: list[str]) -> list[str]:
    notes = []
    if strange:
        notes.append(
            f"Head lines rated above {STRANGE:g} times the load behind them, perhaps "
            f"without a real rating: {', '.join(strange[:FIRST_IDS])}."
        )
    if empty:
        notes.append(f"{empty} parts of the net have head lines and no load: left out.")
    if idle:
        notes.append(
            f"{idle} loads of the net are on no feeder, at its busbar or without "
            "supply: they are 0 here."
        )
    return notes
