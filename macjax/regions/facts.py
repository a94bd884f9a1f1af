"""Facts measured from the tables of a scenario, to set against published numbers.

All shares and means count each row with its weight.
"""

import numpy as np

from ..scenario.scenario import Scenario
from .cars import World
from .itinerary import PLACE_WORDS
from .left_out import LeftOut

MINUTES = 60


def place_shares(scenario: Scenario, place: str, days=None) -> np.ndarray:
    """Share of cars parked at `place` in the middle of each local hour, shape (24,).

    Arguments:
        days: which days of the week count, 0 Monday to 6 Sunday; None is all.
    """
    windows = scenario.stay_windows()
    there = (scenario.stays["place"] == place).to_numpy(bool)[windows.row]
    weight = scenario.vehicles["weight"].to_numpy()[windows.vehicle[there]]
    minutes = scenario.slots * scenario.slot_minutes
    count = np.zeros(minutes + 1)
    for hours, sign in ((windows.begin_h, 1.0), (windows.end_h, -1.0)):
        at = np.floor(hours[there] * MINUTES + 1e-6).astype(int).clip(0, minutes)
        count += sign * np.bincount(at, weight, minutes + 1)
    parked = np.cumsum(count[:-1])[MINUTES // 2 :: MINUTES]
    local = scenario.slot_edges[:1].tz_convert(scenario.timezone)
    hour = local.hour[0] + np.arange(len(parked))
    chosen = np.ones(len(hour), bool)
    if days is not None:
        chosen = np.isin((local.day_of_week[0] + hour // 24) % 7, days)
    mean = np.bincount(hour[chosen] % 24, parked[chosen], 24)
    mean = mean / np.maximum(np.bincount(hour[chosen] % 24, minlength=24), 1)
    return mean / scenario.vehicles["weight"].sum()


def measure_travel(scenario: Scenario) -> dict:
    """Kilometres, trips and kWh a car and day."""
    events = scenario.trip_events()
    weights = scenario.vehicles["weight"].to_numpy()
    weight = weights[events.vehicle]
    days = scenario.slots * scenario.slot_minutes / 1440
    car_days = days * float(weights.sum())
    cells = int(np.ceil(days))
    day = np.minimum(events.depart_h // 24, cells - 1).astype(np.int64)
    drives = np.zeros((len(weights), cells), bool)
    drives[events.vehicle, day] = True
    travelled = float((weights * drives.sum(1)).sum())
    distance = scenario.trips["distance_km"].to_numpy()[events.row]
    km = float((weight * distance).sum())
    kwh = float((weight * events.energy_kwh).sum())
    return {
        "share_of_car_days_travelled": round(travelled / max(car_days, 1e-9), 3),
        "km_per_car_day": round(km / max(car_days, 1e-9), 2),
        "km_per_travelled_car_day": round(km / max(travelled, 1e-9), 2),
        "trips_per_car_day": round(float(weight.sum()) / max(car_days, 1e-9), 3),
        "battery_kwh_per_car_day": round(kwh / max(car_days, 1e-9), 2),
    }


def measure_soc(scenario: Scenario) -> dict:
    """First and last SOC."""
    vehicles = scenario.vehicles
    weight = vehicles["weight"].to_numpy()
    initial, final = (vehicles[f"{x}_kwh"].to_numpy() for x in ("initial", "final"))
    share = initial / vehicles["battery_kwh"].to_numpy()
    total = max(float(weight.sum()), 1e-9)
    below = float((weight * (final < initial - 1e-9)).sum()) / total
    over = float((weight * final).sum() / max((weight * initial).sum(), 1e-9))
    return {
        "initial_soc_share": round(float((weight * share).sum()) / total, 3),
        "final_below_initial_share": round(below, 3),
        "final_over_initial_kwh": round(over, 4),
    }


def rounded(values, digits: int) -> list[float]:
    """Plain numbers for JSON."""
    return [round(float(x), digits) for x in values]


def measure_region(
    scenario: Scenario, world: World, counts: dict, left: LeftOut
) -> dict:
    """What a region is, and what each rule kept and left out.

    Arguments:
        counts: cars by what the builder did with them.
        left: those that are not in it.
    """
    electric = world.electric
    tables = ("vehicles", "stays", "trips", "feeders")
    weight = float(scenario.vehicles["weight"].sum())
    return {
        "survey_drivers_kept_by_rule": dict(world.donors.counts),
        "cars_in_region": round(electric.cars),
        "electric_cars_in_region": electric.electric,
        "rows_sampled_in_region": len(electric.zone),
        "weight_of_a_row": round(electric.weight, 6),
        "rows_by_rule": counts,
        "left_out_share_of_cars": round(left.share, 5),
        "left_out_share_of_km": round(left.km_share, 5),
        **{name: len(getattr(scenario, name)) for name in tables},
        "slots": scenario.slots,
        "electric_cars_in_scenario": round(weight),
        **measure_travel(scenario),
        **measure_equipment(scenario),
        **measure_soc(scenario),
        **measure_stays(scenario),
        **measure_feeders(scenario),
        **{
            f"share_at_{place}_by_hour": rounded(place_shares(scenario, place), 3)
            for place in ("home", "work")
        },
        "unmanaged": measure_unmanaged(scenario),
    }


def measure_equipment(scenario: Scenario) -> dict:
    """Shares of batteries and chargers."""
    vehicles = scenario.vehicles
    weight = vehicles["weight"].to_numpy()
    total = max(float(weight.sum()), 1e-9)

    def share(mask) -> float:
        return round(float(weight[np.asarray(mask)].sum()) / total, 3)

    kinds = np.unique(vehicles["battery_kwh"])
    home, work = (vehicles[f"{x}_kw"].to_numpy() for x in ("home", "work"))
    slowest = home[home > 0].min(initial=np.inf)
    windows = scenario.stay_windows()
    fast = (scenario.stays["place"] == "fast").to_numpy(bool)[windows.row]
    stops = np.bincount(windows.vehicle[fast], minlength=len(weight)) > 0
    return {
        "share_by_battery_kwh": {
            f"{kind:g}": share(vehicles["battery_kwh"] == kind) for kind in kinds
        },
        "home_charger_share": share(home > 0),
        "home_240v_share": share(home > slowest),
        "commuter_share": share(vehicles["work_zone"].notna()),
        "work_charger_share": share(work > 0),
        "fast_stop_share": share(stops),
    }


def measure_stays(scenario: Scenario) -> dict:
    """How many stays have a charger, by place, and how many are on no feeder."""
    windows, place = scenario.stay_windows(), scenario.stays["place"]
    charges = windows.charger_kw > 0
    found = {}
    for name in PLACE_WORDS:
        there = (place == name).to_numpy(bool)[windows.row]
        found[name] = int((there & charges).sum())
    return {
        "stays_with_charger": found,
        "stays_with_charger_on_no_feeder": int((charges & (windows.feeder < 0)).sum()),
    }


def measure_feeders(scenario: Scenario) -> dict:
    """Feeders: how many have no headroom, quantiles of headroom, peak and customers."""
    capacity, base = scenario.capacity_base()
    least = (capacity - base).min(1)
    feeders, levels = scenario.feeders, (0.1, 0.25, 0.5, 0.75, 0.9)
    values = {
        "least_headroom_kw": least,
        "base_peak_kw": base.max(1),
        "customers": feeders["customers"].to_numpy(),
    }
    quantiles = {k: rounded(np.quantile(v, levels), 1) for k, v in values.items()}
    by_county = feeders["county"].value_counts()
    names = feeders["county"].unique()
    return {
        "feeders_by_county": {name: int(by_county[name]) for name in names},
        "feeders_without_headroom": int((least < 0).sum()),
        "quantiles_10_25_50_75_90": quantiles,
    }


def measure_unmanaged(scenario: Scenario) -> dict:
    """What charging on arrival does to the feeders; see `macjax.baselines.unmanaged`.

    Headroom is as published and not fitted to this. A sample overstates it: all cars
    that a row stands for arrive in the same minute.
    """
    from ..baselines import unmanaged

    upgrades = unmanaged(scenario).upgrades()
    over = upgrades["upgrade_kw"] > 0
    by_base = upgrades["base_only_kw"] > 0
    return {
        "feeders_overloaded": int(over.sum()),
        "share_of_feeders_overloaded": round(float(over.mean()), 3),
        "feeders_overloaded_without_cars": int(by_base.sum()),
        "upgrade_kw": round(float(upgrades["upgrade_kw"].sum()), 1),
        "upgrade_kw_without_cars": round(float(upgrades["base_only_kw"].sum()), 1),
    }


def report(facts: dict) -> str:
    """The facts of a region in a few lines for people."""
    rules = facts["rows_by_rule"]
    left = ", ".join(f"{n:,} {rule}" for rule, n in rules.items() if n)
    home, work, fast = (
        100 * facts[f"{k}_share"] for k in ("home_charger", "work_charger", "fast_stop")
    )
    unmanaged = facts["unmanaged"]
    return "\n".join(
        (
            f"{facts['electric_cars_in_scenario']:,} electric cars in "
            f"{facts['vehicles']:,} rows of weight {facts['weight_of_a_row']:.4g}, "
            f"{facts['stays']:,} stays, {facts['trips']:,} trips, "
            f"{facts['feeders']:,} feeders, {facts['slots']:,} slots",
            f"rows: {left}",
            f"left out: {100 * facts['left_out_share_of_cars']:.1f} % of the cars, "
            f"{100 * facts['left_out_share_of_km']:.1f} % of the km",
            f"a car and day: {facts['km_per_car_day']} km in "
            f"{facts['trips_per_car_day']} trips, {facts['battery_kwh_per_car_day']} "
            "kWh from the battery",
            f"charger at home {home:.0f} %, at work {work:.0f} %, fast stops "
            f"{fast:.0f} % of cars",
            f"unmanaged: {unmanaged['feeders_overloaded']:,} feeders overloaded "
            f"({100 * unmanaged['share_of_feeders_overloaded']:.0f} %), upgrades "
            f"{unmanaged['upgrade_kw']:,.0f} kW",
        )
    )
