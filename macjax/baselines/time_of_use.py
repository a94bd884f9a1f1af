"""Each vehicle's cheapest charging under a tariff, ties earliest at full power.

Every vehicle minimises price x energy over its own tube (`_tubes.fleet_tube`),

    min sum_j price_j u_j / eta   0 <= u_j <= most_j,   l_k <= S_k <= h_k,

which for nested running sums depends on the order of the prices alone, so equal prices
are ordered by time and `_least_rank.least_rank_charge` solves it exactly.
"""

import itertools
import time
from typing import NamedTuple

import numpy as np

from macjax._errors import DataError, Fault
from macjax.baselines._fleet import FleetArrays, fleet_arrays
from macjax.baselines._least_rank import least_rank_charge
from macjax.baselines._outcome import Simulated, as_solution
from macjax.baselines._timeline import grouped_cumsum, slot_overlaps
from macjax.baselines._tubes import Tube, fleet_tube
from macjax.baselines.tariffs import tariff_prices
from macjax.certificate import Certifier
from macjax.objectives import PeakOverload
from macjax.scenario.plan import Plan

ASSUMPTIONS = (
    "Time of use: every vehicle knows its trips and takes its own cheapest feasible "
    "charging from initial_kwh on; equal prices are taken earliest, at full power, and "
    "nothing beyond what is needed is charged unless the price is below zero.",
    "The price of a slot is the mean of the tariff over the slot; demand charges and "
    "public holidays are left out.",
)

# Vehicles go through in blocks of about this many opportunities, to bound memory.
BLOCK = 2_000_000
# Energy that counts as none, so that rounding leaves no trace of power in the plan.
NOTHING_KWH = 1e-9


def time_of_use(scenario, tariff, objective=None, on_infeasible: str = "relax"):
    """Schedule in which every vehicle answers a tariff with its cheapest charging.

    Arguments:
        scenario: a `Scenario`.
        tariff: a frame (price [currency/kWh], time or hour, and feeder_id or not), the
            name of a bundled tariff (`tariff_names()`), the path of a tariff in JSON or
            its content as a dict. With feeder_id, chargers without a feeder are free.
        objective: what the schedule is valued with, default `PeakOverload()`.
        on_infeasible: what becomes of vehicles that cannot make their trips: "relax"
            (they charge as far as they can), "drop" (they do not charge) or "error".

    Returns:
        `Solution` with status `simulated`, no bound and no prices.
    """
    begun = time.perf_counter()
    scenario.validate()
    objective = PeakOverload() if objective is None else objective
    certifier = Certifier(scenario, objective, on_infeasible)
    if on_infeasible == "error" and len(certifier.infeasible):
        raise _infeasible(certifier.infeasible["vehicle_id"].tolist())
    prices = tariff_prices(scenario, tariff)
    every_cell = np.vstack([prices.feeders, prices.elsewhere])
    fleet = fleet_arrays(scenario)
    charged, taken = cheapest_charging(fleet, fleet_tube(fleet), every_cell)
    dropped = scenario.vehicles["vehicle_id"].isin(certifier.dropped).to_numpy(bool)
    dropped = dropped[fleet.timeline.vehicle]
    charged = np.where(dropped, 0.0, charged)
    taken = taken.of(~dropped[taken.stay])
    return as_solution(
        scenario,
        fleet,
        certifier,
        Simulated(taken.plan(fleet), fleet.initial_kwh, charged, begun),
        method="time_of_use",
        objective=objective,
        assumptions=(*ASSUMPTIONS, *prices.notes),
        settings={"tariff": prices.name, "energy_cost": taken.cost(fleet, every_cell)},
        infeasible=certifier.infeasible,
    )


def _infeasible(ids: list) -> DataError:
    fault = Fault(
        "vehicles",
        "vehicle_id",
        "cannot make the trips or the final SOC even at full power "
        "(on_infeasible='relax' or 'drop' goes on)",
        len(ids),
        tuple(ids),
    )
    return DataError([fault], "infeasible vehicles")


class Taken(NamedTuple):
    """Energy drawn by charging stays in slots; shape (entries,) each.

    Arguments:
        stay: position in the timeline.
        slot: slot of the horizon.
        grid_kwh: energy from the grid by one vehicle of the row [kWh].
    """

    stay: np.ndarray
    slot: np.ndarray
    grid_kwh: np.ndarray

    def of(self, keep) -> "Taken":
        """The entries in `keep`."""
        return Taken(self.stay[keep], self.slot[keep], self.grid_kwh[keep])

    def plan(self, fleet: FleetArrays) -> Plan:
        """The same as average power per slot."""
        row = fleet.timeline.row[self.stay]
        return Plan.of(row, self.slot, self.grid_kwh / fleet.dt)

    def cost(self, fleet: FleetArrays, price) -> float:
        """What it costs, weights counted; `price` as in `cheapest_charging`."""
        line = fleet.timeline
        paid = price[line.feeder[self.stay], self.slot]
        weight = fleet.weight[line.vehicle[self.stay]]
        return float(np.sum(weight * paid * self.grid_kwh))


def cheapest_charging(
    fleet: FleetArrays, tube: Tube, price, block: int = BLOCK
) -> tuple[np.ndarray, Taken]:
    """The cheapest point of every vehicle's tube, vehicles block by block.

    Arguments:
        tube: bounds of each charging stay; every vehicle must be able to meet them.
        price: per feeder and, last, for chargers without a feeder, shape
            (feeders + 1, slots) [currency per grid kWh].
        block: how many opportunities go through at once, about.

    Returns:
        S, energy charged up to the end of each stay, shape (stays,) [battery kWh];
        the energy drawn.
    """
    line = fleet.timeline
    held = np.ceil(line.end_h / fleet.dt) - np.floor(line.begin_h / fleet.dt)
    before = np.concatenate([[0.0], np.cumsum(held)])[line.first]
    cuts = np.searchsorted(before, np.arange(block, before[-1], block))
    cuts = np.unique(np.concatenate([[0], cuts, [line.vehicles]]))
    total = np.zeros(len(line.row))
    parts = [Taken(line.row[:0], line.row[:0], total[:0])]
    for low, high in itertools.pairwise(cuts):
        some = slice(line.first[low], line.first[high])
        stay, slot, hours = slot_overlaps(
            line.begin_h[some], line.end_h[some], fleet.dt, fleet.slots
        )
        stay += some.start
        grid = line.kw[stay] * hours
        eta = fleet.efficiency[line.vehicle[stay]]
        most = grid * eta
        used = least_rank_charge(
            most,
            price[line.feeder[stay], slot],
            stay - some.start,
            line.first[low : high + 1] - some.start,
            tube.low[some],
            tube.high[some],
        )
        keep = used > NOTHING_KWH
        drawn = np.where(used == most, grid, used / eta)
        parts.append(Taken(stay, slot, drawn).of(keep))
        total[some] = np.bincount(
            (stay - some.start)[keep], used[keep], some.stop - some.start
        )
    taken = Taken(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return grouped_cumsum(total, line.first), taken
