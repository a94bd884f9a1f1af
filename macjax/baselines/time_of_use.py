"""Each vehicle's cheapest charging under a tariff, ties earliest at full power.

Every vehicle minimises price x energy over its own tube of SOC sufficiency,

    min sum_j price_j u_j / eta   0 <= u_j <= most_j,   l_k <= S_k <= h_k,

which for nested running sums depends on the order of the prices alone, so equal prices
are ordered by time and `_least_rank.least_rank_charge` solves it exactly.
"""

import itertools
from typing import NamedTuple

import numpy as np

from macjax.baselines._fleet import (
    NOTHING_KWH,
    FleetArrays,
    fleet_arrays,
    running_sums,
    slot_overlaps,
)
from macjax.baselines._least_rank import least_rank_charge
from macjax.baselines._outcome import Simulation
from macjax.baselines.tariffs import DEFAULT_TARIFF, tariff_prices
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


def time_of_use(
    scenario, tariff=DEFAULT_TARIFF, objective=None, on_infeasible: str = "relax"
):
    """Schedule in which every vehicle answers a tariff with its cheapest charging.

    Arguments:
        scenario: a `Scenario`.
        tariff: a frame (price [currency/kWh], time or hour, and feeder_id or not), the
            name of a bundled tariff (`tariff_names()`), the path of a tariff in JSON or
            its content as a dict. With feeder_id, chargers without a feeder are free.
            Without one PG&E's A-10, as in the commands.
        objective: what the schedule is valued with, default `PeakOverload()`.
        on_infeasible: what becomes of vehicles that cannot make their trips even at
            full power: "relax" (they charge as far as they can), "drop" (left out) or
            "error".

    Returns:
        `Solution` with status `simulated`, no bound and no prices.
    """
    simulation = Simulation.begin(scenario, objective, on_infeasible)
    prices = tariff_prices(scenario, tariff)
    every_cell = np.vstack([prices.feeders, prices.elsewhere])
    fleet = fleet_arrays(scenario)
    charged, taken = cheapest_charging(fleet, every_cell)
    served = simulation.served[fleet.chains.vehicle]
    taken = taken.of(served[taken.stay])
    return simulation.solution(
        fleet.chains,
        taken.plan(fleet),
        simulation.of_served(fleet.chains, charged),
        start="initial_kwh",
        method="time_of_use",
        assumptions=(*ASSUMPTIONS, *prices.notes),
        settings={"tariff": prices.name, "energy_cost": taken.cost(fleet, every_cell)},
    )


class Taken(NamedTuple):
    """Power drawn by charging stays in slots; shape (entries,) each.

    Arguments:
        stay: position in the chains.
        slot: slot of the horizon.
        kw: average power from the grid of one vehicle of the row [kW].
    """

    stay: np.ndarray
    slot: np.ndarray
    kw: np.ndarray

    def of(self, keep) -> "Taken":
        """The entries in `keep`."""
        return Taken(self.stay[keep], self.slot[keep], self.kw[keep])

    def plan(self, fleet: FleetArrays) -> Plan:
        """The same by rows of the stays table."""
        return Plan.of(fleet.chains.row[self.stay], self.slot, self.kw)

    def cost(self, fleet: FleetArrays, price) -> float:
        """What it costs, weights counted; `price` as in `cheapest_charging`."""
        paid = price[fleet.chains.feeder[self.stay], self.slot]
        return float(np.sum(fleet.weight[self.stay] * paid * self.kw) * fleet.dt)


def cheapest_charging(
    fleet: FleetArrays, price, block: int = BLOCK
) -> tuple[np.ndarray, Taken]:
    """The cheapest point of every vehicle's tube, vehicles block by block.

    Arguments:
        fleet: every vehicle must be able to meet the tube of its chains.
        price: per feeder and, last, for chargers without a feeder, shape
            (feeders + 1, slots) [currency per grid kWh].
        block: how many opportunities go through at once, about.

    Returns:
        S, energy charged up to the end of each stay, shape (stays,) [battery kWh];
        the power drawn.
    """
    chains = fleet.chains
    first = np.append(chains.first, len(chains.row))
    held = np.ceil(chains.end) - np.floor(chains.begin)
    before = np.concatenate([[0.0], np.cumsum(held)])[first]
    cuts = np.searchsorted(before, np.arange(block, before[-1], block))
    cuts = np.unique(np.concatenate([[0], cuts, [len(chains.count)]]))
    total = np.zeros(len(chains.row))
    parts = [Taken(chains.row[:0], chains.row[:0], total[:0])]
    for low, high in itertools.pairwise(cuts):
        some = slice(first[low], first[high])
        own, slot, overlap = slot_overlaps(
            chains.begin[some], chains.end[some], fleet.slots
        )
        stay = own + some.start
        most = chains.slot_kwh[stay] * overlap
        used = least_rank_charge(
            most,
            price[chains.feeder[stay], slot],
            own,
            first[low : high + 1] - some.start,
            chains.lower[some],
            chains.upper[some],
        )
        keep = used > NOTHING_KWH
        part = used / np.where(most > 0, most, 1.0)
        parts.append(Taken(stay, slot, fleet.kw[stay] * overlap * part).of(keep))
        total[some] = np.bincount(own[keep], used[keep], some.stop - some.start)
    taken = Taken(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return running_sums(total, chains.count, chains.first), taken
