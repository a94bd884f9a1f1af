"""What is proved about upgrade costs, and so about what coordination is worth.

A certified solution has a cost C and a lower bound L: the least cost C* that any
schedule of its set needs lies in [L, C]. With unmanaged charging U (its cost is a
simulation and has no interval), per-session charging (C_s, L_s) and MAC (C_m, L_m):

    upgrade cost at least needed                      [L_m, C_m]
    cost that coordination avoids at most             [U - C_m, U - L_m]
    value of coordination within sessions             [U - C_s, U - L_s]
    value of mobility awareness, C_s* - C_m* >= 0     [L_s - C_m or 0, C_s - L_m]

The last one compares like with like where per-session charging serves all trips and
its schedules lie in MAC's set. Where it strands vehicles or leaves MAC's set it does
less, and it would cost more, or not be possible, if it had to do the same. So the value
is still L_s - C_m at least, but nothing says how much it is at most. If that end is not
positive, the costs stand side by side and their difference is no value.
"""

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.plots.given import listed

COLUMNS = ("quantity", "at_least", "found", "at_most", "percent_of_unmanaged", "unit")
COLUMNS += ("remark",)
UPGRADE = "upgrade cost, {}"
AVOIDED = "avoided by {}"
AWARENESS = "value of mobility awareness"
DIFFERENCE = "per_session less mac, not comparable"
BASE = "base load alone"


def certified_intervals(solutions: Iterable) -> pd.DataFrame:
    """Ends of what is proved, a row for each quantity that the solutions allow.

    Arguments:
        solutions: `Solution`s of one scenario.

    Returns:
        quantity, at_least, found (of the schedules at hand), at_most [currency],
        percent_of_unmanaged (of what was found), unit, remark (why two methods cannot
        be compared). An end is NaN where nothing is proved: unmanaged charging is
        simulated, and bounds hold for the default objective alone. What the base load
        alone needs follows from the tables.

    Raises:
        SettingsError: the solutions are of different scenarios.
    """
    found = by_method(solutions)
    if len({s.scenario.fingerprint for s in found.values()}) > 1:
        raise SettingsError("certified_intervals takes solutions of one scenario")
    numbers = {name: s.summary() for name, s in found.items()}
    cost = {name: float(n["upgrade_cost"]) for name, n in numbers.items()}
    bound = {name: float(n["upgrade_cost_at_least"]) for name, n in numbers.items()}
    rows = []

    def add(quantity: str, low: float, at: float, high: float, said="") -> None:
        rows.append((quantity, low, at, high, said))

    if found:
        base = base_cost(next(iter(found.values())))
        add(UPGRADE.format(BASE), base, base, base)
    known = [name for name in found if not math.isnan(bound[name])]
    if "unmanaged" in found:
        whole = cost["unmanaged"]
        add(UPGRADE.format("unmanaged"), math.nan, whole, math.nan)
    for name in known:
        add(UPGRADE.format(name), bound[name], cost[name], cost[name])
    for name in known if "unmanaged" in found else ():
        avoided = whole - cost[name]
        add(AVOIDED.format(name), avoided, avoided, whole - bound[name])
    if {"per_session", "mac"} <= set(known):
        low = bound["per_session"] - cost["mac"]
        high = cost["per_session"] - bound["mac"]
        less = cost["per_session"] - cost["mac"]
        if why := not_comparable(found["per_session"]):
            serves_less = low > 0
            name = AWARENESS if serves_less else DIFFERENCE
            add(name, low if serves_less else math.nan, less, math.nan, why)
        else:
            add(AWARENESS, max(low, 0.0), less, high)
    frame = pd.DataFrame(rows, columns=[*COLUMNS[:4], "remark"])
    whole = cost.get("unmanaged", math.nan)
    frame["percent_of_unmanaged"] = 100 * frame["found"] / (whole or math.nan)
    units = [s.scenario.currency for s in found.values()]
    return frame.assign(unit=units[0] if units else "")[list(COLUMNS)]


def not_comparable(per_session) -> str:
    """Why the cost of per-session charging is not one of MAC's service, or nothing.

    Arguments:
        per_session: its solution, of `baselines.per_session`.
    """
    stranded = len(per_session.stranded)
    outside = int(per_session.settings.get("vehicles_outside_mac_set") or 0)
    if not stranded and not outside:
        return ""
    return (
        f"per-session charging strands {stranded:,} rows of vehicles and leaves MAC's "
        f"set with {outside:,}, so that its cost is not one of the same service"
    )


def base_cost(solution) -> float:
    """Cost of the upgrades that the base load alone needs [currency]."""
    scenario = solution.scenario
    kw = solution.upgrades()["base_only_kw"].to_numpy(np.float64)
    cost = scenario.feeders["upgrade_cost_per_kw"].to_numpy(np.float64)
    return float(kw @ cost) if len(kw) else math.nan


def by_method(solutions) -> dict:
    """The solutions by their method, the first of each.

    Arguments:
        solutions: one solution, a list, or a dict from label to solution.
    """
    found: dict = {}
    for _, solution in listed(solutions, "macjax.planning"):
        found.setdefault(solution.method, solution)
    return found
