"""EVs on the roads and in the stations: linear dynamic traffic assignment with SOC.

Every group of x EVs that together hold the energy e (in batteries) is a mix of a EVs at
the lowest SOC and b at the highest,

    x = a + b,   e = soc_min a + soc_max b,

so that soc_min x <= e <= soc_max x is the same as a, b >= 0. For each leg k (one arc of
one path) at instants t = 0..T-1:

    queue   q_t - q_(t-1) = in_(t-t0) - out_t, consumption c, kappa = c / (max-min):
            a: in a + kappa (in a + in b),  b: in b - kappa (in a + in b)
    exits   sum over the legs of an arc of (out a + out b) <= capacity
    in      of the first leg the departures, behind an ordinary node the out of the leg
            before, behind a station what joins the road there
    station waiting  w_t - w_(t-1) = arrivals_t - enter_t
            pool     s_t - s_(t-1) = enter_t - join_t, and energy moves from a to b:
                     g_(t-1) = dt / (B (max-min)) sum over levels of eta_l p_l x_(l,t-1)
            levels   sum over levels of x_(l,t) = s_t,  sum over paths of s_t <= places
    power   p_(m,y,t) = sum over paths of m and levels of p_l x_(l,t)
    arrival soc_arrival (a + b) <= soc_min a + soc_max b on the out of the last leg

Flows happen at instants, stocks are counted after them, are 0 before instant 0 and at
T - 1; the pool of t draws power during [t, t+1). All EVs in transit, queues, waiting
and pools cost w an hour. On the arc of a leg that is its free-flow time and then the
queue, so that it all comes to

    w dt (sum of departures x free-flow steps of the path
          + sum of the stocks of queues, waiting and pools).

What the quickest path of each trip takes is spent whatever is decided. It stands in the
constant, so that the solver compares numbers of the order of what it decides about.

Two things are left out because nothing depends on them. EVs that pass a station are
those that enter and join at one instant; and where places have no limit and chargers
have a level 0, nobody waits, since idling in the pool is the same.

Departures from the article, which lacks a terminal condition, SOC limits on flows and
the stations' balances, and charges and discharges with one factor eta (which makes
energy from nothing): all EVs arrive by T - 1, with the SOC asked for; every flow has
SOC limits; eta_l = eta for charging and 1 / eta for discharging; and what is charged
during [t, t+1) leaves at t + 1 at the earliest.
"""

from typing import NamedTuple

import numpy as np

from macjax.tariffs.case import Case
from macjax.tariffs.checks import exit_windows
from macjax.tariffs.program import Draft
from macjax.tariffs.roads import Legs, users


class Traffic(NamedTuple):
    """What belongs to what in the draft; numbers of legs are those of `legs`.

    Arguments:
        legs: the legs of the aggregators in question.
        trips: numbers of their trips.
        visits: legs that begin at a station, shape (visits,).
        queued: rows of `visits` that may have to wait, shape (waiting,).
        level_visit, level: visit and level of each pair, shape (pairs,).
        pair_aggregator, pair_station: of each pair with power, shape (powers,).
    """

    legs: Legs
    trips: np.ndarray
    visits: np.ndarray
    queued: np.ndarray
    level_visit: np.ndarray
    level: np.ndarray
    pair_aggregator: np.ndarray
    pair_station: np.ndarray


def legs_of(case: Case, aggregator: int | None) -> Legs:
    """The legs of one aggregator's paths, or of all; paths are numbered anew."""
    legs = case.legs
    if aggregator is None:
        return legs
    mine = case.trips.aggregator[legs.path_trip] == aggregator
    keep = mine[legs.path]
    number = np.cumsum(mine) - 1
    return Legs(
        legs.path_names[mine],
        legs.path_trip[mine],
        number[legs.path[keep]],
        *(array[keep] for array in legs[3:]),
    )


def draft_traffic(case: Case, aggregator: int | None = None) -> tuple[Draft, Traffic]:
    """The draft of everything but the grid, with the cost of time.

    Arguments:
        case: the case.
        aggregator: number of the only one whose EVs count, None for all.
    """
    legs, stations = legs_of(case, aggregator), case.stations
    visits = np.flatnonzero(legs.station >= 0)
    station = legs.station[visits]
    queued = np.flatnonzero(
        np.isfinite(stations.places[station]) | ~stations.idle[station]
    )
    visit, level = np.nonzero(station[:, None] == stations.level_station)
    owner = case.trips.aggregator[legs.path_trip][legs.path[visits]]
    codes = owner * len(stations.names) + station
    pairs = np.unique(codes[visit])
    traffic = Traffic(
        legs=legs,
        trips=np.unique(legs.path_trip),
        visits=visits,
        queued=queued,
        level_visit=visit,
        level=level,
        pair_aggregator=pairs // len(stations.names),
        pair_station=pairs % len(stations.names),
    )
    ev = float(case.trips.departures[traffic.trips].max())
    draft = Draft(ev, ev * float(np.abs(stations.level_kw).max(initial=1.0)))
    _columns(draft, case, traffic, np.searchsorted(pairs, codes))
    _departures(draft, case, traffic)
    _queues(draft, case, traffic)
    _stations(draft, case, traffic)
    _powers(draft, case, traffic, np.searchsorted(pairs, codes))
    _exits(draft, case, traffic)
    return draft, traffic


def _columns(draft: Draft, case: Case, traffic: Traffic, pair: np.ndarray) -> None:
    """All columns; those outside the window in which an EV can be there stay 0."""
    legs, instants = traffic.legs, np.arange(case.settings.steps)
    begin, end = (
        w[:, None]
        for w in exit_windows(legs, case.trips, case.roads, case.settings.steps)
    )
    steps = case.roads.steps[legs.arc][:, None]
    flows = (instants >= begin) & (instants <= end)
    stocks = (instants >= begin) & (instants < end)
    leaving = case.trips.departures[legs.path_trip] > 0
    first = legs.first
    leaving &= instants <= (end - steps)[first]
    both, ev = (2, 1, 1), draft.ev
    draft.column("depart", leaving, ev)
    draft.column("out", np.tile(flows, both), ev)
    draft.column("queue", np.tile(stocks, both), ev)
    # At a station from the exit of the leg before to the entry of this one
    here, gone = (begin - steps)[traffic.visits], (end - steps)[traffic.visits]
    pool = (instants >= here) & (instants < gone)
    passing = (instants >= here) & (instants <= gone)
    draft.column("pool", np.tile(pool, both), ev)
    draft.column("join", np.tile(passing, both), ev)
    draft.column("wait", np.tile(pool[traffic.queued], both), ev)
    draft.column("enter", np.tile(passing[traffic.queued], both), ev)
    draft.column("level", pool[traffic.level_visit], ev)
    powers = np.zeros((len(traffic.pair_station), len(instants)), bool)
    np.logical_or.at(powers, pair[traffic.level_visit], pool[traffic.level_visit])
    draft.column("power", powers, draft.kw, free=True)


def _departures(draft: Draft, case: Case, traffic: Traffic) -> None:
    """EVs of a trip take one of its paths; the cost of the time until they arrive."""
    legs, columns, trips = traffic.legs, draft.columns, traffic.trips
    demand = case.trips.departures[trips]
    rows = draft.row("equal", "demand", demand, draft.ev)
    trip = np.searchsorted(trips, legs.path_trip)
    draft.equal.put(rows[trip], columns["depart"], 1.0)
    hour = case.settings.costs.time_per_ev_hour * case.settings.step_hours
    time = legs.onward[legs.first]
    quickest = np.full(len(trips), time.max())
    np.minimum.at(quickest, trip, time)
    draft.cost(columns["depart"], hour * (time - quickest[trip])[:, None])
    for stock in ("queue", "wait", "pool"):
        draft.cost(columns[stock], hour)
    draft.constant += hour * float((demand * quickest[:, None]).sum())
    fleet = case.settings.fleet
    arrival = draft.row("most", "arrival", np.zeros(columns["depart"].shape), draft.ev)
    lack = np.array(
        [fleet.soc_arrival - fleet.soc_min, fleet.soc_arrival - fleet.soc_max]
    )
    draft.most.put(arrival, columns["out"][:, legs.last], lack[:, None, None])


def _queues(draft: Draft, case: Case, traffic: Traffic) -> None:
    """Point queues of the legs; consumption is charged on entering the queue."""
    legs, columns, fleet = traffic.legs, draft.columns, case.settings.fleet
    steps, count = case.settings.steps, len(traffic.legs.path)
    rows = draft.row("equal", "queue", np.zeros((2, count, steps)), draft.ev)
    draft.equal.put(rows, columns["queue"], 1.0)
    draft.equal.put(rows[:, :, 1:], columns["queue"][:, :, :-1], -1.0)
    draft.equal.put(rows, columns["out"], 1.0)
    entering, share = np.empty((2, count, steps), np.int64), np.ones((2, count))
    entering[:, 1:] = columns["out"][:, :-1]
    entering[:, traffic.visits] = columns["join"]
    first = legs.first
    entering[:, first] = columns["depart"]
    span = fleet.soc_max - fleet.soc_min
    full = (case.trips.soc[legs.path_trip] - fleet.soc_min) / span
    share[0, first], share[1, first] = 1.0 - full, full
    kappa = case.roads.consumption[legs.arc] / span
    time = case.roads.steps[legs.arc]
    leg, instant = np.nonzero(np.arange(steps) >= time[:, None])
    source = entering[:, leg, instant - time[leg]]
    # Shares of what enters as a and as b that is in the queue as a and as b
    for to, of, value in (
        (0, 0, 1.0 + kappa),
        (0, 1, kappa),
        (1, 0, -kappa),
        (1, 1, 1.0 - kappa),
    ):
        amount = -(value * share[of])[leg]
        draft.equal.put(rows[to, leg, instant], source[of], amount)


def _stations(draft: Draft, case: Case, traffic: Traffic) -> None:
    """Waiting, pool and levels of the visits, and the places of the stations."""
    legs, columns, stations = traffic.legs, draft.columns, case.stations
    fleet, steps = case.settings.fleet, case.settings.steps
    visits, queued = traffic.visits, traffic.queued
    arriving = columns["out"][:, visits - 1]
    pool, join = columns["pool"], columns["join"]
    rows = draft.row("equal", "pool", np.zeros(pool.shape), draft.ev)
    draft.equal.put(rows, pool, 1.0)
    draft.equal.put(rows[:, :, 1:], pool[:, :, :-1], -1.0)
    draft.equal.put(rows, join, 1.0)
    entering = arriving.copy()
    entering[:, queued] = columns["enter"]
    draft.equal.put(rows, entering, -1.0)
    power = stations.level_kw[traffic.level]
    factor = np.where(power > 0, fleet.efficiency, 1.0 / fleet.efficiency)
    span = fleet.soc_max - fleet.soc_min
    gain = case.settings.step_hours * factor * power / (fleet.battery_kwh * span)
    later = rows[:, traffic.level_visit, 1:]
    level = columns["level"]
    draft.equal.put(later[0], level[:, :-1], gain[:, None])
    draft.equal.put(later[1], level[:, :-1], -gain[:, None])
    waits = draft.row("equal", "wait", np.zeros((2, len(queued), steps)), draft.ev)
    wait = columns["wait"]
    draft.equal.put(waits, wait, 1.0)
    draft.equal.put(waits[:, :, 1:], wait[:, :, :-1], -1.0)
    draft.equal.put(waits, columns["enter"], 1.0)
    draft.equal.put(waits, arriving[:, queued], -1.0)
    idle = stations.idle[legs.station[visits]]
    for kind, name, some in (("most", "idle", idle), ("equal", "busy", ~idle)):
        chosen = np.flatnonzero(some)
        bound = draft.row(kind, name, np.zeros((len(chosen), steps)), draft.ev)
        table = draft.most if kind == "most" else draft.equal
        table.put(bound, pool[:, chosen], -1.0)
        mine = np.flatnonzero(some[traffic.level_visit])
        number = np.searchsorted(chosen, traffic.level_visit[mine])
        table.put(bound[number], level[mine], 1.0)
    limited = np.flatnonzero(np.isfinite(stations.places))
    bound = np.repeat(stations.places[limited, None], steps, axis=1)
    places = draft.row("most", "places", bound, draft.ev)
    number = np.searchsorted(limited, legs.station[visits[queued]])
    finite = np.isfinite(stations.places[legs.station[visits[queued]]])
    draft.most.put(places[number[finite]], pool[:, queued[finite]], 1.0)


def _powers(draft: Draft, case: Case, traffic: Traffic, pair: np.ndarray) -> None:
    """Power of each aggregator at each station, and beta p^2 for each of them."""
    columns = draft.columns
    rows = draft.row("equal", "power", np.zeros(columns["power"].shape), draft.kw)
    draft.equal.put(rows, columns["power"], 1.0)
    power = case.stations.level_kw[traffic.level]
    mine = pair[traffic.level_visit]
    draft.equal.put(rows[mine], columns["level"], -power[:, None])
    beta = case.settings.costs.power_squared * case.settings.step_hours
    draft.cost(columns["power"], 0.0, 2.0 * beta)


def _exits(draft: Draft, case: Case, traffic: Traffic) -> None:
    """Capacities at the exits of arcs, for each of them or for both directions."""
    limit = case.roads.limit[traffic.legs.arc]
    used, number = np.unique(limit, return_inverse=True)
    steps = case.settings.steps
    capacity = case.roads.capacity[used]
    # A capacity for all who may come at once never binds, and would blur the numbers
    ample = capacity >= users(traffic.legs, case.trips, number, len(used))
    bound = np.repeat(np.where(ample, np.inf, capacity)[:, None], steps, axis=1)
    rows = draft.row("most", "exits", bound, draft.ev)
    draft.most.put(rows[number], draft.columns["out"], 1.0)
