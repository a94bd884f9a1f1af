"""The transport network: arcs, trips, and paths as legs.

A road is one arc, or two if it is two-way; an arc a has a free-flow time t0 [steps], a
capacity at its exit [EV/step] and a consumption [SOC an EV]. A leg is one arc of one
path; the model has a queue for each leg and nothing in common between paths but the
capacities.

Departures from the article: free-flow times count steps and not hours (five hours
between neighbouring junctions are no city), and its "EV capacity" bounds the flow out
of an arc in one step (a point queue), not the number of EVs on it.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import Fault
from macjax.tariffs._packages import require
from macjax.tariffs.faults import fault
from macjax.tariffs.settings import Settings
from macjax.tariffs.tables import spread


class Roads(NamedTuple):
    """Arcs of the network; arrays of shape (arcs,) unless said otherwise.

    Arguments:
        nodes: ids of the nodes.
        names: of the arcs, `from-to`, with quotes where two would be the same.
        tail, head: numbers of the nodes.
        steps: free-flow time t0 [steps].
        consumption: [SOC an EV].
        limit: number of the capacity that bounds the arc; arcs may share one.
        limit_names: names of the capacities, shape (limits,).
        capacity: at most this many EVs leave in a step, shape (limits,).
    """

    nodes: np.ndarray
    names: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    steps: np.ndarray
    consumption: np.ndarray
    limit: np.ndarray
    limit_names: np.ndarray
    capacity: np.ndarray


class Trips(NamedTuple):
    """Origin-destination pairs; arrays of shape (trips,) unless said otherwise.

    Arguments:
        names: ids.
        origin, destination: numbers of nodes.
        aggregators: ids of the aggregators, in order.
        aggregator: number of the trip's aggregator.
        soc: at departure.
        departures: EVs that leave at each instant, shape (trips, T).
    """

    names: np.ndarray
    origin: np.ndarray
    destination: np.ndarray
    aggregators: np.ndarray
    aggregator: np.ndarray
    soc: np.ndarray
    departures: np.ndarray


class Legs(NamedTuple):
    """Arcs of the paths, path by path and in order; arrays of shape (legs,).

    Arguments:
        path_names, path_trip: id and number of the trip of each path, (paths,).
        path: number of the path.
        arc: number of the arc.
        station: station where the leg begins, -1 if it begins at none. The first leg
            of a path begins at its origin, where nobody charges.
        before: free-flow steps from the origin to the begin of the leg.
        onward: free-flow steps from the begin of the leg to the destination.
    """

    path_names: np.ndarray
    path_trip: np.ndarray
    path: np.ndarray
    arc: np.ndarray
    station: np.ndarray
    before: np.ndarray
    onward: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """Whether a leg is the first of its path."""
        return np.diff(self.path, prepend=-1) != 0

    @property
    def last(self) -> np.ndarray:
        """Whether a leg is the last of its path."""
        return np.diff(self.path, append=-1) != 0


def read_roads(roads: pd.DataFrame, settings: Settings) -> Roads:
    """The arcs of a cleaned table of roads."""
    two_way = ~roads["one_way"].to_numpy(bool)
    ends = roads[["from_node", "to_node"]].to_numpy(object)
    tails = np.concatenate([ends[:, 0], ends[two_way, 1]])
    heads = np.concatenate([ends[:, 1], ends[two_way, 0]])
    rows = np.arange(len(roads))
    rows = np.concatenate([rows, rows[two_way]])
    codes, nodes = pd.factorize(np.concatenate([tails, heads]))
    tail, head = codes[: len(tails)], codes[len(tails) :]
    names = _arc_names(tails.astype(str), heads.astype(str))
    steps = roads["steps"].to_numpy(np.int64)[rows]
    given = roads["consumption"].to_numpy(np.float64)[rows]
    usual = settings.fleet.consumption_per_step * steps
    shared = settings.transport.directions_share_capacity
    return Roads(
        nodes=np.asarray(nodes, object),
        names=names,
        tail=tail,
        head=head,
        steps=steps,
        consumption=np.where(np.isnan(given), usual, given),
        limit=rows if shared else np.arange(len(rows)),
        limit_names=names[: len(roads)] if shared else names,
        capacity=roads["capacity_ev"].to_numpy(np.float64)[
            rows[: len(roads)] if shared else rows
        ],
    )


def _arc_names(tails: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """`from-to`; all ids in quotes where two would be alike (A-B to F, A to B-F)."""
    names = pd.Series(tails + "-" + heads)
    ends = pd.DataFrame({"tail": tails, "head": heads})
    if names[~ends.duplicated()].duplicated().any():
        names = pd.Series([f"{a!r}-{b!r}" for a, b in zip(tails, heads, strict=True)])
    return names.to_numpy(object)


def road_faults(roads: Roads, table: pd.DataFrame) -> list[Fault]:
    """Arcs that come twice or lead back to where they begin."""
    faults = []
    ends = pd.DataFrame({"tail": roads.tail, "head": roads.head})
    rules = (
        (ends.duplicated().to_numpy(), "both rows name the same arc; use one_way"),
        (roads.tail == roads.head, "leads back to where it begins"),
    )
    for rows, rule in rules:
        if rows.any():
            names = roads.names[rows]
            faults.append(fault("roads", "from_node, to_node", rule, names))
    known = set(roads.nodes)
    listed = table["node_id"].to_numpy(object)
    stray = [node for node in listed if node not in known]
    if stray:
        rule = "no road leads to these nodes"
        faults.append(fault("road_nodes", "node_id", rule, stray))
    lost = [node for node in roads.nodes if node not in set(listed)]
    if len(listed) and lost:
        rule = "roads lead to nodes that are not in the table"
        faults.append(fault("road_nodes", "node_id", rule, lost))
    return faults


def lookup(names, known: np.ndarray) -> np.ndarray:
    """Number of each name among those known, -1 for others."""
    return pd.Index(known, dtype=object).get_indexer(pd.Index(names, dtype=object))


def read_trips(
    tables: dict, roads: Roads, settings: Settings
) -> tuple[Trips, list[Fault]]:
    """The trips with their departures, and what is wrong with them."""
    table, faults = tables["trips"], []
    ends = {}
    for column in ("origin", "destination"):
        ends[column] = lookup(table[column], roads.nodes)
        lost = table.loc[ends[column] < 0, column]
        if len(lost):
            rule = "no road leads to these nodes"
            faults.append(fault("trips", column, rule, lost))
    aggregator, aggregators = pd.factorize(table["aggregator"])
    fleet = settings.fleet
    soc = table["soc_initial"].to_numpy(np.float64)
    soc = np.where(np.isnan(soc), fleet.soc_initial, soc)
    names = table["trip_id"].to_numpy(object)
    outside = (soc < fleet.soc_min) | (soc > fleet.soc_max)
    if outside.any():
        low, high = fleet.soc_min, fleet.soc_max
        rule = f"must lie between soc_min {low:g} and soc_max {high:g}"
        faults.append(fault("trips", "soc_initial", rule, names[outside]))
    departing = tables["departures"]
    row = lookup(departing["trip_id"], names)
    if (row < 0).any():
        lost = departing.loc[row < 0, "trip_id"]
        rule = "not in the table of trips"
        faults.append(fault("departures", "trip_id", rule, lost.unique()))
        return Trips(*[np.zeros(0)] * 7), faults
    ev = spread(departing, "ev", row, len(names), settings)
    trips = Trips(
        names=names,
        origin=ends["origin"],
        destination=ends["destination"],
        aggregators=np.asarray(aggregators, object),
        aggregator=aggregator,
        soc=soc,
        departures=np.nan_to_num(ev),
    )
    none = ~(trips.departures > 0).any(axis=1)
    if none.any():
        rule = "no EV departs"
        faults.append(fault("trips", "trip_id", rule, names[none]))
    return trips, faults


def reach_faults(roads: Roads, trips: Trips) -> list[Fault]:
    """Trips whose destination no chain of arcs leads to."""
    graph = _graph(roads)
    distance = require("scipy.sparse.csgraph").dijkstra(graph, indices=trips.origin)
    cut = np.isinf(distance[np.arange(len(trips.names)), trips.destination])
    cut |= trips.origin == trips.destination
    if not cut.any():
        return []
    rule = "no chain of roads leads from the origin to another node, the destination"
    return [fault("trips", "destination", rule, trips.names[cut])]


def _graph(roads: Roads):
    """Free-flow steps between nodes as a sparse matrix; fewer arcs win a tie."""
    size = len(roads.nodes)
    cells = (roads.steps + 1e-6, (roads.tail, roads.head))
    return require("scipy.sparse").csr_matrix(cells, shape=(size, size))


def read_paths(
    table: pd.DataFrame, roads: Roads, trips: Trips
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[Fault]]:
    """Paths of a cleaned table: names, trips, and path and node of each of their nodes.

    Raises nothing: faults come last.
    """
    faults = []
    order = np.lexsort((table["position"], pd.factorize(table["path_id"])[0]))
    path, names = pd.factorize(table["path_id"].to_numpy(object)[order])
    node = lookup(table["node"].to_numpy(object)[order], roads.nodes)
    trip = lookup(table["trip_id"].to_numpy(object)[order], trips.names)
    for column, numbers in (("node", node), ("trip_id", trip)):
        lost = table[column].to_numpy(object)[order][numbers < 0]
        if len(lost):
            rule = "not in the table of " + ("roads" if column == "node" else "trips")
            faults.append(fault("paths", column, rule, np.unique(lost)))
    if faults:
        return names, trip, path, node, faults
    begins = np.flatnonzero(np.diff(path, prepend=-1))
    ends = np.append(begins[1:], len(path)) - 1
    path_trip = trip[begins]
    several = np.zeros(len(names), bool)
    several[path[trip != path_trip[path]]] = True
    rules = (
        (several, "trip_id", "belongs to several trips"),
        (node[begins] != trips.origin[path_trip], "node", "must begin at the origin"),
        (node[ends] != trips.destination[path_trip], "node", "must end at the goal"),
        (begins == ends, "node", "must have two nodes or more"),
    )
    for wrong, column, rule in rules:
        if wrong.any():
            faults.append(fault("paths", column, rule, names[wrong]))
    without = np.setdiff1d(np.arange(len(trips.names)), path_trip)
    if len(without):
        lost = trips.names[without]
        faults.append(fault("paths", "trip_id", "no path leads", lost))
    return np.asarray(names, object), path_trip, path, node, faults


def find_paths(roads: Roads, trips: Trips, settings: Settings):
    """The shortest simple paths of each trip, as `read_paths` gives them.

    Yen's algorithm (scipy) on free-flow steps.
    """
    yen = require("scipy.sparse.csgraph").yen
    graph, wanted = _graph(roads), settings.transport.paths_per_trip
    names, path_trip, path, node = [], [], [], []
    for number, name in enumerate(trips.names):
        start, end = int(trips.origin[number]), int(trips.destination[number])
        _, before = yen(graph, start, end, wanted, return_predecessors=True)
        for rank, previous in enumerate(before):
            chain = [end]
            while chain[-1] != start:
                chain.append(int(previous[chain[-1]]))
            path += [len(names)] * len(chain)
            node += chain[::-1]
            names.append(f"{name} {rank + 1}")
            path_trip.append(number)
    return (
        np.array(names, object),
        np.array(path_trip, np.int64),
        np.array(path, np.int64),
        np.array(node, np.int64),
        [],
    )


def make_legs(
    found, roads: Roads, trips: Trips, station_of: np.ndarray
) -> tuple[Legs | None, list[Fault]]:
    """The legs of paths, and the pairs of nodes that no arc joins.

    Arguments:
        found: what `read_paths` or `find_paths` gave.
        station_of: station at each node, -1 without one, shape (nodes,).
    """
    names, path_trip, path, node, _ = found
    inner = path[1:] == path[:-1]
    tail, head, path = node[:-1][inner], node[1:][inner], path[:-1][inner]
    size = len(roads.nodes)
    arcs = pd.Index(roads.tail * size + roads.head)
    arc = arcs.get_indexer(pd.Index(tail * size + head))
    if (arc < 0).any():
        pairs = roads.nodes[tail] + "-" + roads.nodes[head]
        lost = pairs[arc < 0]
        return None, [fault("paths", "node", "no road joins", lost)]
    steps = roads.steps[arc]
    first = np.diff(path, prepend=-1) != 0
    through = np.cumsum(steps)
    base = (through - steps)[first][np.cumsum(first) - 1]
    before = through - steps - base
    total = np.zeros(len(names), np.int64)
    np.add.at(total, path, steps)
    station = np.where(first, -1, station_of[tail])
    return Legs(names, path_trip, path, arc, station, before, total[path] - before), []


def visitors(legs: Legs, trips: Trips, stations: int) -> np.ndarray:
    """EVs of the trips that have a path through each station, shape (stations,)."""
    at = np.flatnonzero(legs.station >= 0)
    return _users(legs, trips, at, legs.station[at], stations)


def users(legs: Legs, trips: Trips, limit: np.ndarray, limits: int) -> np.ndarray:
    """EVs of the trips that have a path through each capacity, shape (limits,).

    Arguments:
        legs, trips: of the case.
        limit: number of the capacity of each leg.
        limits: how many capacities there are.
    """
    return _users(legs, trips, np.arange(len(limit)), limit, limits)


def _users(legs: Legs, trips: Trips, leg, element, count: int) -> np.ndarray:
    pairs = np.stack([element, legs.path_trip[legs.path[leg]]])
    element, trip = np.unique(pairs, axis=1)
    ev = trips.departures.sum(axis=1)[trip]
    return np.bincount(element, weights=ev, minlength=count)
