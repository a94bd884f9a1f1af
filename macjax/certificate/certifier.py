"""Recompute a plan's feasibility, loads and objective, and the bound of any prices.

For any prices in the domain of g* and the best response theta of every vehicle,

    LB = -sum_f g_f*(price_f) + sum_n a_n [ dual value of vehicle n ],
    a_n = weight_n / (efficiency_n dt)   [kW per battery kWh],

is at most the optimum, whatever solver the prices come from. Everything is read from
the raw tables in float64; nothing is shared with the solver.
"""

import numbers
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd

from macjax._errors import DataError, Fault, SettingsError
from macjax.certificate.best_response import dual_value, shadow_prices
from macjax.certificate.feasibility import (
    Charging,
    Feasibility,
    Violations,
    charging,
    check_sessions,
    check_slots,
    check_tube,
)
from macjax.certificate.opportunities import (
    KEPT_OPPORTUNITIES,
    Group,
    Opportunities,
    groups,
    opportunities,
)
from macjax.certificate.smooth_response import smooth_dual_value, smooth_shadow_prices
from macjax.certificate.tables import read_tables
from macjax.certificate.terms import EPS, admissible, conjugate, tabulated, value
from macjax.certificate.tubes import (
    MOBILITY,
    PER_SESSION,
    Tube,
    infeasible_vehicles,
    mobility_tube,
    session_tube,
)
from macjax.certificate.unmanaged import unmanaged_load
from macjax.objectives import PeakOverload
from macjax.objectives.compile import FeederTermsData, feeder_terms

POLICIES = ("error", "drop", "relax")
TOLERANCE_KWH = 1e-6


class Parts(Protocol):
    """Who adds up what several processes know of the parts of one fleet."""

    def total(self, value) -> np.ndarray:
        """Sum of an array over the parts."""
        ...

    def most(self, value) -> np.ndarray:
        """Largest of the parts' arrays."""
        ...


class Whole:
    """A fleet in one part."""

    def total(self, value) -> np.ndarray:
        """The array itself."""
        return np.asarray(value)

    def most(self, value) -> np.ndarray:
        """The array itself."""
        return np.asarray(value)


class _Member(NamedTuple):
    """A group with what every bound needs of it.

    Arguments:
        group: vehicles and their stays.
        tube: tube of the stays.
        scale: a_n, 0 for dropped vehicles, shape (vehicles,) [kW/kWh].
        size: magnitude of the numbers behind the tube, shape (stays,) [kWh].
        opportunities: kept where the fleet is small, None where it is not.
    """

    group: Group
    tube: Tube
    scale: np.ndarray
    size: np.ndarray
    opportunities: Opportunities | None


class Certifier:
    """A scenario and an objective, prepared once for any number of checks.

    Arguments:
        scenario: has the frames and scalars of the scenario format.
        objective: objective of `macjax.objectives`; None is `PeakOverload()`.
        on_infeasible: what happens to vehicles that cannot make their trips: 'relax'
            asks of them what full power reaches, 'drop' leaves them out, 'error'
            leaves every plan infeasible (the bound then uses the relaxed needs).
        tube: 'mobility', or 'per_session' for that baseline's smaller set.
        terms: coefficients, if they are tabulated already (then not `objective`).
        tolerance_kwh: violations and shortfalls up to this count as none [kWh].
        initial_kwh: SOC at the start, shape (vehicles,); None is the vehicles table's.
        parts: adds up where the scenario holds a part of the vehicles; then loads,
            objective, bounds and what rests on them are of the whole, and every part
            must ask for them. Dropped and infeasible vehicles and `check` are its own.

    Attributes:
        infeasible: frame of the vehicles that cannot make their trips: vehicle_id,
            trip, departure, missing_kwh; the same for both tubes.
        active: cells in which somebody can charge, shape (F, T).
        unmanaged_loads: EV load of unmanaged charging, shape (F, T) [kW].
        unmanaged_objective: its objective with hard limits counted 0 [currency].
    """

    def __init__(
        self,
        scenario,
        objective=None,
        on_infeasible: str = "error",
        tube: str = MOBILITY,
        *,
        terms: FeederTermsData | None = None,
        tolerance_kwh: float = TOLERANCE_KWH,
        initial_kwh: np.ndarray | None = None,
        parts: Parts | None = None,
    ):
        _require_choice("on_infeasible", on_infeasible, POLICIES)
        _require_choice("tube", tube, (MOBILITY, PER_SESSION))
        self.on_infeasible, self.tube = on_infeasible, tube
        self.tolerance_kwh = _tolerance(tolerance_kwh)
        self.parts: Parts = Whole() if parts is None else parts
        if terms is None:
            objective = PeakOverload() if objective is None else objective
            terms = feeder_terms(objective, scenario)
        self.tables = read_tables(scenario, initial_kwh)
        self.terms = tabulated(terms, self.tables)
        self._prepare(str(scenario.timezone))

    def _prepare(self, timezone: str) -> None:
        tables, clock = self.tables, self.tables.clock
        vehicles, stays = tables.vehicles, tables.stays
        make_tube = mobility_tube if self.tube == MOBILITY else session_tube
        slots = -(-stays.end // clock.slot) - stays.begin // clock.slot
        keep = int(slots.sum()) <= KEPT_OPPORTUNITIES
        self._dropped = np.zeros(len(vehicles.ids), bool)
        self._members: list[_Member] = []
        scale = vehicles.weight / (vehicles.efficiency * clock.hours)
        size = vehicles.battery + np.abs(vehicles.initial)
        listings = []
        for group in groups(tables):
            tube = make_tube(tables, group)
            # Who cannot make the trips is a matter of the trips, not of the tube.
            reach = tube if self.tube == MOBILITY else mobility_tube(tables, group)
            listing = infeasible_vehicles(tables, group, reach, self.tolerance_kwh)
            listings.append(listing)
            own = group.vehicles
            if self.on_infeasible == "drop":
                self._dropped[own] = reach.short > self.tolerance_kwh
            row = group.chains.row
            member = _Member(
                group=group,
                tube=tube,
                scale=np.where(self._dropped[own], 0.0, scale[own]),
                size=(size[own] + group.total)[row],
                opportunities=self._cut(group) if keep else None,
            )
            self._members.append(member)
        self.infeasible = _joined(listings)
        departure = self.infeasible["departure"].dt.tz_convert(timezone)
        self.infeasible["departure"] = departure
        longest = max((len(m.group.chains.offsets) for m in self._members), default=0)
        self._longest = int(self.parts.most(longest))
        self._find_active()
        self._simulate_unmanaged()

    def _cut(self, group: Group) -> Opportunities:
        clock = self.tables.clock
        return opportunities(group, clock.slot, clock.slots, len(self.tables.feeders))

    def _find_active(self) -> None:
        stays, clock = self.tables.stays, self.tables.clock
        shape = (len(self.tables.feeders), clock.slots + 1)
        kept = np.flatnonzero((stays.feeder >= 0) & ~self._dropped[stays.vehicle])
        base = stays.feeder[kept].astype(np.int64) * shape[1]
        opens = base + stays.begin[kept] // clock.slot
        closes = base + (stays.end[kept] - 1) // clock.slot + 1
        edges = np.bincount(opens, minlength=shape[0] * shape[1])
        edges -= np.bincount(closes, minlength=shape[0] * shape[1])
        open_stays = np.cumsum(edges.reshape(shape), axis=1)[:, :-1]
        self.active = self.parts.total(open_stays) > 0

    def _simulate_unmanaged(self) -> None:
        tables, slot = self.tables, self.tables.clock.slot
        weight = np.where(self._dropped, 0.0, tables.vehicles.weight)
        loads = np.zeros((len(tables.feeders) + 1, tables.clock.slots))
        squares = 0.0
        for member in self._members:
            group = member.group
            each = group.of_stay(weight)
            kw = tables.stays.kw[group.place] * each
            squares += float((each * unmanaged_load(group, kw, slot, loads)).sum())
        self.unmanaged_loads = self.parts.total(loads[:-1])
        squares = float(self.parts.total(squares))
        cost = value(self.terms, self.unmanaged_loads, ignore_hard=True).sum()
        self.unmanaged_objective = float(cost + 0.5 * self.terms.epsilon * squares)

    @property
    def dropped(self) -> list:
        """Ids of the vehicles that are left out."""
        return self.tables.vehicles.ids[self._dropped].tolist()

    def prices(self, prices: np.ndarray) -> np.ndarray:
        """The table that `bound` uses for these prices, shape (F, T) [currency/kW].

        Clipped and scaled into the domain of the conjugate, and completed where
        nobody can charge; see `terms.admissible`.
        """
        return admissible(self.terms, self._table(prices), self.active)

    def bound(self, prices: np.ndarray) -> float:
        """A lower bound on every feasible plan's objective, valid for any prices.

        Arguments:
            prices: shape (F, T), NaN allowed [currency per kW of slot average].

        Returns:
            The bound less a margin of (T + K + 64) units of rounding of all numbers
            that were added up, K the most stays of a vehicle [currency]. At least 0
            where no energy price is negative; -inf if it overflows.
        """
        terms, table = self.terms, self.prices(prices)
        with np.errstate(over="ignore", invalid="ignore"):
            paid, paid_scale = conjugate(terms, table)
            served, served_scale = self._least_cost(table, terms.epsilon)
            bound = served - paid - self._rounding() * (paid_scale + served_scale)
        if not np.isfinite(bound):
            bound = -np.inf
        return max(bound, 0.0) if terms.nonnegative else bound

    def ray_bound(self, prices: np.ndarray) -> float:
        """min_u sum price (P(u) - headroom - tolerance) over the hard feeders.

        A positive number proves that the hard capacities cannot all hold.

        Arguments:
            prices: a ray, shape (F, T); only its positive part counts, and only on
                hard feeders.

        Returns:
            The minimum less its rounding margin, in the unit of prices x kW.
        """
        terms, table = self.terms, self._table(prices)
        ray = np.where(np.isfinite(table) & terms.hard[:, None], table, 0.0)
        ray = np.maximum(ray, 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            room = ray * (terms.headroom + terms.tolerance)
            served, served_scale = self._least_cost(ray, 0.0)
            scale = served_scale + float((ray * np.abs(terms.headroom)).sum())
            bound = served - float(room.sum()) - self._rounding() * scale
        return bound if np.isfinite(bound) else -np.inf

    def _rounding(self) -> float:
        return EPS * (self.tables.clock.slots + self._longest + 64)

    def _least_cost(self, table: np.ndarray, epsilon: float) -> tuple[float, float]:
        """What all vehicles together must pay at least at these prices."""
        price = np.append(np.where(self.active, table, 0.0).ravel(), 0.0)
        values, rank = np.unique(price, return_inverse=True)
        rank = rank.reshape(-1).astype(np.int32)

        def of_member(member: _Member) -> tuple[float, float]:
            # Error states belong to a thread.
            with np.errstate(over="ignore", invalid="ignore"):
                return self._least_cost_of(member, price, values, rank, epsilon)

        workers = min(len(self._members) // 4, os.cpu_count() or 1)
        if workers < 2:
            costs = [of_member(member) for member in self._members]
        else:
            with ThreadPoolExecutor(workers) as pool:
                costs = list(pool.map(of_member, self._members))
        # Summed in the order of the groups, whatever thread was first.
        cost, scale = self.parts.total([sum(c[k] for c in costs) for k in (0, 1)])
        return float(cost), float(scale)

    def _least_cost_of(self, member, price, values, rank, epsilon):
        group, tube, factor, size, kept = member
        chains, cut = group.chains, kept or self._cut(group)
        bounds = chains, cut, tube.lower, tube.upper
        each = price[cut.cell]
        if epsilon > 0:
            bend = epsilon * group.of_stay(self.tables.vehicles.efficiency)
            bend = bend * self.tables.clock.hours
            theta = smooth_shadow_prices(*bounds, each, bend, size)
            gain, sizes = smooth_dual_value(*bounds, each, bend, theta, size)
        else:
            theta = shadow_prices(*bounds, rank, values)
            gain, sizes = dual_value(*bounds, each, theta, size)
        factor = factor[chains.row]
        return float((factor * gain).sum()), float((factor * sizes).sum())

    def loads(self, plan) -> np.ndarray:
        """EV load of every feeder and slot, shape (F, T) [kW]."""
        return self._loads(self._entries(plan))

    def _loads(self, entries: Charging) -> np.ndarray:
        tables = self.tables
        place = tables.stays.place[entries.row]
        feeder = np.where(place >= 0, tables.stays.feeder[place], -1)
        at = np.flatnonzero(feeder >= 0)
        weight = tables.vehicles.weight[tables.stays.owner[entries.row[at]]]
        slots, feeders = tables.clock.slots, len(tables.feeders)
        cell = feeder[at].astype(np.int64) * slots + entries.slot[at]
        loads = np.bincount(cell, weight * entries.kw[at], feeders * slots)
        return self.parts.total(loads.reshape(feeders, slots))

    def objective(self, plan) -> float:
        """The plan's objective; inf where a hard limit breaks, NaN for NaN powers."""
        entries = self._entries(plan)
        cost = float(value(self.terms, self._loads(entries)).sum())
        if self.terms.epsilon > 0:
            owner = self.tables.stays.owner[entries.row]
            squares = (self.tables.vehicles.weight[owner] * entries.kwh**2).sum()
            squares = float(self.parts.total(squares))
            cost += 0.5 * self.terms.epsilon * squares
        is_wrong = self.parts.most(not np.isfinite(entries.kw).all())
        return float("nan") if is_wrong else cost

    def check(self, plan) -> Feasibility:
        """Whether every vehicle's limits hold; see `feasibility` for the rules."""
        tables, entries = self.tables, self._entries(plan)
        found = Violations(len(tables.vehicles.ids))
        charged = check_slots(tables, entries, self._dropped, found)
        for group, tube, *_ in self._members:
            kept = ~self._dropped[group.vehicles]
            if self.tube == PER_SESSION:
                check_sessions(group, tube, kept, charged, found)
                continue
            if self.on_infeasible == "relax":
                tube = _relaxed(tube, group)
            check_tube(tables, group, tube, kept, charged, found)
        return found.verdict(tables.vehicles.ids, self.tolerance_kwh)

    def _entries(self, plan) -> Charging:
        """The plan's entries, or a DataError where they point out of the tables."""
        faults = []
        limits = {"stay": len(self.tables.stays.owner), "slot": self.tables.clock.slots}
        for name, limit in limits.items():
            at = np.asarray(getattr(plan, name))
            wrong = (at < 0) | (at >= limit)
            if wrong.any():
                rule = f"must be 0 to {limit - 1}"
                ids = tuple(at[wrong][:10].tolist())
                faults.append(Fault("plan", name, rule, int(wrong.sum()), ids))
        if faults:
            raise DataError(faults)
        return charging(self.tables, plan)

    def _table(self, prices) -> np.ndarray:
        table = np.asarray(prices, np.float64)
        if table.shape != self.terms.headroom.shape:
            rule = f"shape {self.terms.headroom.shape} is required, not {table.shape}"
            raise DataError([Fault("prices", "price", rule)])
        return table


def relative_gap(objective: float, lower_bound: float, unmanaged: float) -> float:
    """(objective - lower_bound) / (|objective| + 0.01 |U|), 0 where all are 0."""
    difference = objective - lower_bound
    scale = abs(objective) + 0.01 * abs(unmanaged)
    if difference == 0:
        return 0.0
    if scale == 0 or np.isinf(difference):
        return float(np.copysign(np.inf, difference))
    return difference / scale


def _relaxed(tube: Tube, group: Group) -> Tube:
    """The needs lowered to what full power reaches."""
    reached = np.zeros(group.chains.rows)
    reached[group.chains.last_row] = tube.reach[group.chains.last]
    return tube._replace(
        needed=np.minimum(tube.needed, tube.reach),
        final=np.minimum(tube.final, reached),
        initial=np.minimum(tube.initial, 0.0),
    )


def _joined(listings: list[pd.DataFrame]) -> pd.DataFrame:
    kept = [frame for frame in listings if len(frame)] or listings[:1]
    return pd.concat(kept, ignore_index=True) if kept else _no_listing()


def _no_listing() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "vehicle_id": pd.Series([], dtype=object),
            "trip": pd.array([], dtype="Int64"),
            "departure": pd.DatetimeIndex([], tz="UTC"),
            "missing_kwh": np.empty(0),
        }
    )


def _tolerance(given) -> float:
    is_number = isinstance(given, numbers.Real) and not isinstance(given, bool)
    if not is_number or not 0 <= float(given) < np.inf:
        rule = "tolerance_kwh must be a finite number of at least 0"
        raise SettingsError(f"{rule}, not {given!r}")
    return float(given)


def _require_choice(name: str, given, accepted: tuple[str, ...]) -> None:
    if given not in accepted:
        words = ", ".join(f"'{word}'" for word in accepted)
        raise SettingsError(f"{name} must be one of {words}, not {given!r}")
