"""The vehicles of a scenario as price takers: packed in float64 on the devices."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.driver.shortfall import POLICIES, apply_policy, infeasible_frame
from macjax.fleet.devices import put_whole
from macjax.fleet.opportunities import charging_chains
from macjax.fleet.packing import Fleet, pack
from macjax.fleet.unpack import plan_of
from macjax.objectives.price_table import OWNER, checked_prices, expanded_prices
from macjax.responses import NO_COST, PackedCost, respond
from macjax.scenario import Scenario
from macjax.scenario.plan import Plan


@dataclasses.dataclass(frozen=True)
class Takers:
    """A packed scenario whose vehicles answer prices.

    Arguments:
        scenario: the tables.
        fleet: its packing, in float64.
        infeasible: frame of the vehicles that cannot make their trips.
        dropped: ids of those that are left out.
    """

    scenario: Scenario
    fleet: Fleet
    infeasible: pd.DataFrame
    dropped: list

    @classmethod
    def of(cls, scenario, on_infeasible="error", tube="mobility") -> "Takers":
        """Pack a scenario; vehicles that cannot make their trips as `solve` does."""
        require_scenario(scenario)
        if on_infeasible not in POLICIES:
            raise SettingsError(
                f"on_infeasible must be one of {', '.join(POLICIES)}, "
                f"not {on_infeasible!r}"
            )
        chains = charging_chains(scenario, tube)
        listing = infeasible_frame(scenario, chains.shortfall)
        chains, dropped = apply_policy(scenario, chains, on_infeasible)
        # Of several processes each answers for its own vehicles.
        own = jax.local_devices()
        devices = tuple(own) if len(own) > 1 else None
        with jax.enable_x64(True):
            fleet = pack(scenario, chains, np.float64, devices)
        return cls(scenario, fleet, listing, dropped)

    def table(self, prices: np.ndarray) -> Any:
        """A table of cells, padded to the fleet's feeders, on its devices."""
        extra = self.fleet.table_feeders - self.fleet.feeders
        padded = np.pad(np.asarray(prices, np.float64), [(0, extra), (0, 0)])
        return put_whole(padded, self.fleet.batch.mesh)

    def respond(self, prices: np.ndarray, own: PackedCost = NO_COST) -> Plan:
        """Plan of the best responses to prices, shape (F, T) [currency/kW]."""
        with jax.enable_x64(True):
            energy, _ = _respond(self.fleet.batch, self.table(prices), own)
        return plan_of(self.scenario, self.fleet, energy)


_respond = jax.jit(respond)


def require_scenario(scenario) -> None:
    """Raise a SettingsError unless it is a `Scenario`."""
    if not isinstance(scenario, Scenario):
        raise SettingsError(
            f"scenario must be a macjax.Scenario, not {type(scenario).__name__}; "
            "Scenario.read(folder) gives one"
        )


def posted_prices(scenario, prices) -> np.ndarray:
    """A frame of prices as a table, shape (F, T) [currency/kW].

    Arguments:
        scenario: gives feeders and slots.
        prices: frame with `price`, `time` (slot start) or `hour` (local), and
            `feeder_id` if feeders differ; every cell must have a price.

    Raises SettingsError for columns, feeders, times and numbers that do not fit.
    """
    if not isinstance(prices, pd.DataFrame):
        raise SettingsError(
            "prices must be a frame with feeder_id, time and price [currency/kW], as "
            f"Solution.prices() gives it, not {type(prices).__name__}"
        )
    try:
        return expanded_prices(checked_prices(prices), scenario)
    except SettingsError as error:
        raise SettingsError(str(error).replace(OWNER, "prices")) from error
