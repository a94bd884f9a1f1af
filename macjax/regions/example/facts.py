"""Figures of the bundled scenario, to set against published numbers.

All shares and means count each row with its weight.
"""

import numpy as np
import pandas as pd

from ...scenario.scenario import Scenario
from ..facts import measure_soc, measure_travel, place_shares, rounded


def measure_cars(scenario: Scenario, cars: pd.DataFrame) -> dict:
    """Shares of batteries and chargers, first and last SOC."""
    vehicles = scenario.vehicles
    weight = vehicles["weight"].to_numpy()

    def share(values) -> float:
        return round(float(np.average(np.asarray(values, float), weights=weight)), 3)

    initial, battery = vehicles["initial_kwh"], vehicles["battery_kwh"]
    soc = measure_soc(scenario)
    return {
        "long_range_share": share(battery > battery.min()),
        "home_charger_share": share(cars["home_kw"] > 0),
        "home_240v_share": share(cars["home_kw"] > cars["home_kw"].max() / 2),
        "work_charger_share": share(cars["work_kw"] > 0),
        "fast_stop_share": share(cars["stop_every"] > 0),
        "initial_soc_share": soc["initial_soc_share"],
        "initial_raised_share": share(initial > cars["drawn_kwh"].to_numpy() + 1e-9),
        "final_below_initial_share": soc["final_below_initial_share"],
        "final_over_initial_kwh": soc["final_over_initial_kwh"],
    }


def measure(scenario: Scenario, cars: pd.DataFrame, counts: dict, scale: float) -> dict:
    """Calibration facts of the scenario as plain numbers, ready for JSON.

    Arguments:
        cars: the equipped cars of the scenario, in the order of its vehicles.
        counts: what each selection rule kept.
        scale: real households per household of the scenario.
    """
    weight = scenario.vehicles["weight"]
    capacity, base = scenario.capacity_base()
    least = (capacity - base).min(1)

    tables = ("vehicles", "stays", "trips", "feeders")
    return {
        "kept_by_rule": {k: int(v) for k, v in counts.items()},
        **{name: len(getattr(scenario, name)) for name in tables},
        "slots": scenario.slots,
        "weights": sorted(rounded(set(weight), 4)),
        "electric_cars_in_scenario": round(float(weight.sum())),
        "electric_cars_in_region": round(float(weight.sum()) * scale),
        "real_households_per_scenario_household": round(scale, 2),
        **measure_travel(scenario),
        **measure_cars(scenario, cars.reset_index(drop=True)),
        "feeders_without_headroom": int((least < 0).sum()),
        "least_headroom_kw": rounded(np.sort(least), 1),
        "base_peak_kw": rounded(np.sort(base.max(1)), 1),
        "share_at_home_by_hour": rounded(place_shares(scenario, "home"), 3),
        "share_at_work_by_hour": rounded(place_shares(scenario, "work"), 3),
    }
