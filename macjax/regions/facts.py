"""Facts measured from the tables of a scenario, to set against published numbers.

All shares and means count each row with its weight.
"""

import numpy as np
import pandas as pd

from ..scenario.scenario import Scenario


def weight_of(scenario: Scenario, rows: pd.DataFrame) -> np.ndarray:
    """Weight of the vehicle of each row of a table."""
    weights = scenario.vehicles.set_index("vehicle_id")["weight"]
    return weights.reindex(rows["vehicle_id"]).to_numpy()


def place_shares(scenario: Scenario, place: str) -> np.ndarray:
    """Share of cars parked at `place` in the middle of each local hour, shape (24,)."""
    stays = scenario.stays[scenario.stays["place"] == place]
    weight = weight_of(scenario, stays)
    minutes = scenario.slots * scenario.slot_minutes
    count = np.zeros(minutes + 1)
    for column, sign in (("arrival", 1.0), ("departure", -1.0)):
        since = pd.to_datetime(stays[column], utc=True) - scenario.start
        at = (since // pd.Timedelta("1min")).clip(0, minutes).to_numpy(int)
        np.add.at(count, at, sign * weight)
    parked = np.cumsum(count[:-1])[30::60]
    hours = scenario.start.tz_convert(scenario.timezone).hour + np.arange(len(parked))
    mean = np.bincount(hours % 24, parked, 24) / np.bincount(hours % 24, minlength=24)
    return mean / scenario.vehicles["weight"].sum()


def measure_travel(scenario: Scenario) -> dict:
    """Kilometres, trips and kWh a car and day."""
    trips = scenario.trips
    weight = weight_of(scenario, trips)
    days = scenario.slots * scenario.slot_minutes / 1440
    car_days = days * float(scenario.vehicles["weight"].sum())
    since = pd.to_datetime(trips["departure"], utc=True) - scenario.start
    day = since // pd.Timedelta("24h")
    first = ~pd.DataFrame({"v": trips["vehicle_id"], "d": day}).duplicated()
    travelled = float(weight[first.to_numpy()].sum())
    km = float((weight * trips["distance_km"]).sum())
    kwh = float((weight * trips["energy_kwh"]).sum())
    return {
        "share_of_car_days_travelled": round(travelled / car_days, 3),
        "km_per_car_day": round(km / car_days, 2),
        "km_per_travelled_car_day": round(km / travelled, 2),
        "trips_per_car_day": round(float(weight.sum()) / car_days, 3),
        "battery_kwh_per_car_day": round(kwh / car_days, 2),
    }


def measure_cars(scenario: Scenario, cars: pd.DataFrame) -> dict:
    """Shares of batteries and chargers, first and last SOC."""
    vehicles = scenario.vehicles
    weight = vehicles["weight"].to_numpy()

    def share(values) -> float:
        return round(float(np.average(np.asarray(values, float), weights=weight)), 3)

    initial, final = vehicles["initial_kwh"], vehicles["final_kwh"]
    battery = vehicles["battery_kwh"]
    return {
        "long_range_share": share(battery > battery.min()),
        "home_charger_share": share(cars["home_kw"] > 0),
        "home_240v_share": share(cars["home_kw"] > cars["home_kw"].max() / 2),
        "work_charger_share": share(cars["work_kw"] > 0),
        "fast_stop_share": share(cars["stop_every"] > 0),
        "initial_soc_share": share(initial / battery),
        "initial_raised_share": share(initial > cars["drawn_kwh"].to_numpy() + 1e-9),
        "final_below_initial_share": share(final < initial - 1e-9),
        "final_over_initial_kwh": round(
            float((weight * final).sum() / (weight * initial).sum()), 4
        ),
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

    def rounded(values, digits: int) -> list[float]:
        return [round(float(x), digits) for x in values]

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
