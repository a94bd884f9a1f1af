"""`best_response`: the schedule of vehicles that take prices as given.

    u_n = argmin_{u in U_n}  sum_j price_c(j) u_j / (efficiency_n dt) + own cost(u)

over the SOC-sufficient schedules U_n of each vehicle; see `macjax.responses`.
"""

import pandas as pd

from macjax._errors import SettingsError
from macjax.market.own_cost import OwnCost
from macjax.market.takers import Takers, posted_prices, require_scenario
from macjax.results import tables


def best_response(
    scenario,
    prices: pd.DataFrame,
    own_cost: OwnCost | None = None,
    on_infeasible: str = "error",
) -> pd.DataFrame:
    """What every vehicle charges where it only minds prices, its trips and own cost.

    Without a quadratic own cost equal prices are taken earliest, and at price 0 nothing
    beyond what trips need; at negative prices as much as there is room for. Chargers
    without a feeder are free.

    Arguments:
        scenario: the tables.
        prices: of every feeder and slot, as `Solution.prices()` gives them: feeder_id,
            time and price [currency per kW of slot average]; `hour` (local) may stand
            for `time`, and without feeder_id a price is one for all feeders.
        own_cost: `OwnCost` of the vehicles; None is none.
        on_infeasible: vehicles that cannot make their trips at full power raise
            ("error"), are left out ("drop") or do their best ("relax").

    Returns:
        A frame as `Solution.schedule()`: vehicle_id, stay, time, feeder_id, kw. Raises
        SettingsError for prices that lack cells, are no numbers or name unknown
        feeders, DataError for wrong tables.
    """
    require_scenario(scenario)
    if own_cost is not None and not isinstance(own_cost, OwnCost):
        raise SettingsError(
            f"own_cost must be a macjax.OwnCost or None, not {type(own_cost).__name__}"
        )
    scenario.validate()
    table = posted_prices(scenario, prices)
    takers = Takers.of(scenario, on_infeasible)
    own = OwnCost() if own_cost is None else own_cost
    plan = takers.respond(table, own.packed(scenario, takers.fleet))
    return tables.schedule(scenario, plan)
