"""One copy of the net, a substation: its loads in a case, its flows, its rows."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from macjax.powerflow.cases import Case
from macjax.powerflow.feeders import MvFeeders
from macjax.powerflow.flow import Model
from macjax.powerflow.loading import Uses, injections, shares_of
from macjax.powerflow.mapping import Places
from macjax.powerflow.progress import Progress
from macjax.powerflow.readings import Band, read
from macjax.powerflow.result import EXISTING, REINFORCED, blank_where
from macjax.powerflow.settings import Settings
from macjax.powerflow.slots import worst_slots

NO_SCALE = "capacity_kw is not above 0 in this slot: the load has no scale"
NO_SUPPLY = "a bus of the feeder is without supply in the net"


class Study(NamedTuple):
    """What all substations share.

    Arguments:
        net: the net as given.
        grid: its feeders.
        band: limits of voltage.
        model: the copy of the net that computes.
        settings: of `check`.
        places: of the n chosen feeders of the scenario.
        cases: loads of these, the base load first; arrays of shape (n, slots).
        ev_weights: weight of each load of the net for EV load.
    """

    net: Any
    grid: MvFeeders
    band: Band
    model: Model
    settings: Settings
    places: Places
    cases: list[Case]
    ev_weights: np.ndarray

    @property
    def rating_mw(self) -> np.ndarray:
        """Active power that stands for the capacity, shape (M,)."""
        share = self.settings.planning_share * self.settings.power_factor
        return share * self.grid.rating_mva

    def members(self, number: int) -> np.ndarray:
        """The chosen feeders on substation `number`."""
        return np.flatnonzero(self.places.substation == number)


class Station(NamedTuple):
    """One substation.

    Arguments:
        number: of the copy of the net, from 0.
        members: which of the chosen feeders are on it, shape (k,).
        mv: the feeder of the net of each, shape (k,).
        feeder_of_load: feeder of the net of each load, -1 for none.
        base_share, ev_share: share of its feeder that each load takes.
        slots: slots to look at, shape (s,).
    """

    number: int
    members: np.ndarray
    mv: np.ndarray
    feeder_of_load: np.ndarray
    base_share: np.ndarray
    ev_share: np.ndarray
    slots: np.ndarray

    def grown(self, case: Case) -> bool:
        """Whether the case upgrades a feeder of this substation."""
        return case.growth is not None and bool((case.growth[self.members] > 1.0).any())


def station_of(study: Study, number: int, slots: np.ndarray | None) -> Station:
    """Substation `number`, and the slots to look at there.

    Arguments:
        slots: None takes the fullest of all cases.
    """
    grid, places = study.grid, study.places
    members = study.members(number)
    mv = places.mv[members]
    loads, names = list(grid.loads), grid.names
    for member, m in zip(members, mv, strict=True):
        loads[m] = places.loads[member]
    of = np.full(len(grid.nominal_mw), -1)
    for m, rows in enumerate(loads):
        of[rows] = m
    if slots is None:
        size, count = study.rating_mw[mv], study.settings.worst
        found = [
            worst_slots(case.uses.total[members], size, count) for case in study.cases
        ]
        slots = np.unique(np.concatenate(found))
    base = shares_of(grid.nominal_mw, loads, names)
    ev = shares_of(study.ev_weights, loads, names)
    return Station(number, members, mv, of, base, ev, slots)


def count_flows(study: Study, station: Station) -> int:
    """How many flows `rows_of` will compute."""
    runs = len(study.cases)
    if study.settings.reinforce != "none":
        runs += sum(station.grown(case) for case in study.cases)
    return runs * len(station.slots)


def rows_of(study: Study, station: Station, tell: Progress) -> pd.DataFrame:
    """The rows of `PowerFlow` for one substation, with numbers for slot and feeder."""
    parts = []
    for case in study.cases:
        rows = _rows(study, station, case, None, tell)
        parts.append(rows)
        if case.growth is None or study.settings.reinforce == "none":
            continue
        growth = case.growth[np.ix_(station.members, station.slots)]
        if station.grown(case):
            rows = _rows(study, station, case, growth, tell)
        parts.append(rows.assign(lines=REINFORCED))
    return pd.concat(parts, ignore_index=True)


def _rows(study: Study, station: Station, case: Case, growth, tell) -> pd.DataFrame:
    """The rows of one case, with lines as they are or grown, shape (k, s)."""
    part = np.ix_(station.members, station.slots)
    use = Uses(case.uses.base[part], case.uses.ev[part])
    p_mw, q_mvar = _injections(study, station, use)
    factors = _line_factors(study, station, growth)
    flows = []
    for at in range(len(station.slots)):
        study.model.reinforce(factors[:, at])
        flows.append(study.model.solve(p_mw[:, at], q_mvar[:, at]))
        tell()
    readings = read(study.net, study.grid, study.band, flows)
    total = use.total if growth is None else use.total / growth
    failed = np.array([flow.reason for flow in flows], object)
    shape = total.shape
    reason = np.broadcast_to(failed, shape).copy()
    seen = {name: values[station.mv] for name, values in readings.items()}
    unsupplied = np.isnan(seen["lowest_pu"]) & (reason == "")
    reason[unsupplied] = NO_SUPPLY
    reason[np.isnan(total)] = NO_SCALE
    names = np.array(study.grid.names, object)[station.mv]
    frame = {
        "method": np.full(shape, case.method, object),
        "lines": np.full(shape, EXISTING, object),
        "slot": np.broadcast_to(station.slots, shape),
        "feeder": np.broadcast_to(station.members[:, None], shape),
        "mv_feeder": np.broadcast_to(names[:, None], shape),
        "substation": np.full(shape, station.number + 1),
        "capacity_use": total,
        **seen,
        "converged": reason == "",
        "reason": reason,
    }
    return blank_where(pd.DataFrame({k: v.reshape(-1) for k, v in frame.items()}))


def _injections(study: Study, station: Station, use: Uses):
    """Power at the loads of the net, two arrays (loads, slots)."""
    settings = study.settings
    shape = len(study.grid.names), len(station.slots)
    base, ev = np.empty(shape), np.empty(shape)
    base[:] = _mean(use.base) if settings.others is None else settings.others
    ev[:] = _mean(use.ev) if settings.others is None else 0.0
    base[station.mv] = np.nan_to_num(use.base)
    ev[station.mv] = np.nan_to_num(use.ev)
    rating = study.rating_mw[:, None]
    return injections(
        station.feeder_of_load,
        station.base_share,
        station.ev_share,
        base * rating,
        ev * rating,
        (settings.power_factor, settings.ev_power_factor),
    )


def _mean(use: np.ndarray) -> np.ndarray:
    """Mean over feeders of the load over capacity, where there is one, (slots,)."""
    known = ~np.isnan(use)
    return np.nan_to_num(use).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


def _line_factors(study: Study, station: Station, growth) -> np.ndarray:
    """How often each line is there, shape (lines, slots)."""
    factors = np.ones((len(study.net["line"]), len(station.slots)))
    if growth is None:
        return factors
    grid = study.grid
    grown = grid.heads if study.settings.reinforce == "head" else grid.lines
    for m, growth_of_one in zip(
        station.mv, np.nan_to_num(growth, nan=1.0), strict=True
    ):
        factors[grown[m]] = growth_of_one
    return factors
