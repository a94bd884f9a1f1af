"""Every number that a region assumes, each with its origin in a comment.

Tags: [table] a published table or open code of the region, [survey] a published
survey, [fitted] chosen so that a stated figure is met, [rule] a rule of this package,
[assumed] a plain assumption. Lengths in km, power in kW, energy in kWh, times in hours
or minutes as named. A section of a configuration, `[region.travel]` and so on, is one
class; each field knows its range (`limits_of`).
"""

import dataclasses
import math

import numpy as np

# Mean high-load day of PG&E feeders, hours 0-23 [kW]. [table] Elmallah, Brockway,
# Callaway 2022, doi 10.1088/2634-4505/ac949c
MEAN_SHAPE_KW = (
    *(2406.0, 2217.0, 2102.0, 2036.0, 2018.0, 2066.0, 2238.0, 2517.0),
    *(2694.0, 2664.0, 2600.0, 2551.0, 2526.0, 2558.0, 2637.0, 2741.0),
    *(2890.0, 3091.0, 3306.0, 3428.0, 3394.0, 3265.0, 3025.0, 2696.0),
)
# Shape of shops and offices, hours 0-23, of its own peak. [assumed]
COMMERCIAL_SHAPE = (
    *(0.50, 0.48, 0.47, 0.47, 0.48, 0.53, 0.62, 0.74, 0.86, 0.94, 0.98, 1.00),
    *(1.00, 1.00, 1.00, 0.98, 0.94, 0.88, 0.80, 0.73, 0.66, 0.60, 0.55, 0.52),
)
# Quantiles of 259 PG&E feeders, ends [assumed]. [table] Elmallah et al.
LEVELS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
CUSTOMERS = (20.0, 144.0, 438.0, 1283.0, 2353.0, 3844.0, 6000.0)
PEAK_KW = (150.0, 844.0, 2058.0, 4246.0, 7204.0, 9333.0, 12_500.0)
# Annual least thermal headroom of the median line section; without any at some hour:
# 4-7 % of feeders [table]
HEADROOM_LEVELS = (0.0, 0.055, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
HEADROOM_KW = (-150.0, 0.0, 226.0, 540.0, 850.0, 1310.0, 1860.0, 2600.0)
COUNTIES = {
    1: "san_francisco",
    2: "san_mateo",
    3: "santa_clara",
    4: "alameda",
    5: "contra_costa",
    6: "solano",
    7: "napa",
    8: "sonoma",
    9: "marin",
}


def county_names(numbers) -> np.ndarray:
    """Names of county numbers; one that is not of the Bay Area is `county<number>`."""
    return np.array([COUNTIES.get(int(n), f"county{int(n)}") for n in numbers], object)


def _number(default, low=-math.inf, high=math.inf, any_length=False):
    """A field with the range of its value, or of each of its values.

    Arguments:
        any_length: a list may be longer or shorter than the default.
    """
    limits = {"low": low, "high": high, "any_length": any_length}
    return dataclasses.field(default=default, metadata=limits)


def _share(default):
    return _number(default, 0, 1)


@dataclasses.dataclass(frozen=True)
class Population:
    """Which survey day each car drives, and where in its own zone's surroundings."""

    driving_age: int = _number(16, 0, 120)  # years, California
    # Zones of one group of area types (0 core to 5 rural) own as many cars a household
    # and take their days from drivers of the group: small groups are joined [rule]
    area_groups: tuple[tuple[int, ...], ...] = ((0, 1), (2,), (3,), (4,), (5,))
    # A car draws its day from so many drivers of its group who live nearest; days of
    # working and of other drivers from so many of either [rule]
    donors: int = _number(60, 1)
    # Share of the weekdays travelled on which a car repeats its own day; on the others
    # it follows another driver's [assumed]: 0.76 of the variance of trips a weekday
    # then lies between the days of a car; of persons more than half does [survey: Raux,
    # Ma, Cornelis 2016, Ghent, doi 10.1007/s12544-016-0213-9]
    same_day_share: float = _share(0.75)
    # A destination is drawn among zones at the same distance from home, plus or minus
    # this share of it, at least so many zones [rule]
    ring_width: float = _share(0.2)
    ring_zones: int = _number(3, 1)
    # Work places are drawn by jobs, others by jobs and this share by households
    # [assumed]
    leisure_households: float = _share(0.5)
    # Distances of a copy differ from the survey's by a factor within 1 +- this
    # [assumed]
    distance_spread: float = _share(0.1)


@dataclasses.dataclass(frozen=True)
class Travel:
    """Distances, speeds, and what differs from day to day."""

    detour: float = _number(1.3, 1, 5)  # road over straight line [table: usual value]
    # Mean distance of two points in a square of side 1 [rule]; in large rural zones
    # trips within the zone are no longer than this [assumed]
    intrazonal: float = _number(0.52, 0, 2)
    longest_intrazonal_km: float = _number(5.0, 0)
    shortest_km: float = _number(0.8, 0)  # [assumed]
    # a, b [km/h], c [km] of speed = a + (b - a) (1 - exp(-km / c)) [assumed]
    speed_kmh: tuple[float, float, float] = _number((20.0, 80.0, 25.0), 1)
    shortest_stay_minutes: int = _number(10, 1, 600)  # between two trips [assumed]
    # sd of one day's shift of all trips [assumed]
    habit_shift_minutes: float = _number(12.0, 0, 120)
    # Weekdays spent at home. Commuters: 19 % of Bay Area workers worked at home in
    # 2023, 7 % in 2019 [survey: MTC Vital Signs]; others [fitted]: vehicle trips a car
    # and weekday are then those of the travel survey, 2.86
    commuter_at_home: float = _share(0.19)
    other_at_home: float = _share(0.35)
    # Cars that travel on Saturday and on Sunday [assumed]; nobody works then, the days
    # are those of drivers without work
    weekend_travel: tuple[float, float] = _share((0.70, 0.60))


@dataclasses.dataclass(frozen=True)
class Fleet:
    """Types of cars and their SOC at the start; lists have one entry a type."""

    # Short and long range, usable [table: open code]
    battery_kwh: tuple[float, ...] = _number((40.0, 82.0), 1, 1500, any_length=True)
    type_shares: tuple[float, ...] = _number((0.35, 0.65), 0, 1, any_length=True)
    # Out of the battery [assumed], near the EPA labels of such cars, 0.17 to 0.19
    kwh_per_km: tuple[float, ...] = _number((0.16, 0.18), 0.01, 5, any_length=True)
    # Weather and traffic by car and day: sd, of 1, and the range kept [assumed]
    energy_spread: float = _number(0.08, 0, 1)
    energy_range: tuple[float, float] = _number((0.75, 1.3), 0.1, 10)
    reserve_share: float = _share(0.20)  # of the battery [table: open code]
    # Mean, sd of the SOC at the start, of the battery [table: open code]
    initial_share: tuple[float, float] = _share((0.8, 0.2))
    # Of charging, the format's default [assumed]
    efficiency: float = _number(0.92, 0.1, 1)
    # A car whose longest day takes more than this share of the usable kWh is of the
    # next type that does [rule]
    large_battery_above: float = _share(0.6)
    # Final SOC: the initial one, or what this share of every charger's power reaches; a
    # car that cannot travel on this share is left out [rule]
    firm_share: float = _number(0.70, 0.1, 1)


@dataclasses.dataclass(frozen=True)
class Chargers:
    """Who can charge where, and how fast."""

    # At home, 240 V, by type of car [table; assumed]
    home_kw: tuple[float, ...] = _number((6.6, 7.2), 0.1, 350, any_length=True)
    slow_kw: float = _number(1.2, 0.1, 350)  # 120 V socket [table: open code]
    work_kw: float = _number(6.6, 0.1, 350)  # [table: open code]
    public_kw: float = _number(6.6, 0.1, 350)  # at shops, schools, leisure [table]
    fast_kw: float = _number(50.0, 0.1, 1500)  # [table: open code]
    # Dwellings per residential acre that part suburb, town and dense town [assumed]
    density_edges: tuple[float, float] = _number((8.0, 20.0), 0)
    # Cars with a charger at home in the three [assumed], between 83-90 % of owners of
    # 2024 and 46-57 % when all cars are electric [survey: California Energy Commission,
    # SB 1000 third assessment, 2026; and Home Charging Access in California, 2022]
    home_shares: tuple[float, float, float] = _share((0.90, 0.70, 0.45))
    # Commuters with a charger at work [survey: ChargeLab, US drivers of electric cars]
    work_share: float = _share(0.40)
    # Stays at other places with a charger, by density of the place [assumed]
    public_shares: tuple[float, float, float] = _share((0.03, 0.05, 0.08))
    low_income_usd: float = _number(40_000.0, 0)  # income below which [assumed]
    low_income_factor: float = _share(0.85)  # home and work are times this [assumed]
    home_240v_share: float = _share(0.60)  # of the cars with home charging [assumed]
    # A socket serves a car whose day it refills in so many hours, else 240 V [rule]
    socket_hours: float = _number(8.0, 0, 24)
    # Cars without a charger at home or work, and those whose chargers do not carry them
    # through the week, stop at a fast one near home: before more than this share of
    # the usable kWh would be gone by the end of the next day of travel [rule]
    stop_share: float = _number(0.5, 0.05, 1)
    stop_minutes: tuple[int, int] = _number((20, 60), 1, 600)  # from, to [assumed]
    stop_slack: float = _number(1.3, 1, 10)  # time there over the time needed [assumed]
    stop_to_home_km: float = _number(1.5, 0.1)  # [assumed]


@dataclasses.dataclass(frozen=True)
class Feeders:
    """Sizes, loads and headroom of the feeders."""

    # Feeders of the whole region; 0: households / residential_customers over
    # customers_per_feeder. (PG&E's 3,000 feeders serve 4.8 million customers, 1,600
    # each; the nine counties have about 3.1 million.) Another number scales the
    # customers of all feeders, their peaks and headroom stay as published.
    count: int = _number(0, 0)
    customers_per_feeder: float = _number(1678.0, 1)  # mean of CUSTOMERS [table]
    residential_customers: float = _number(0.88, 0.01, 1)  # of all [assumed]
    # Annual peak by quantile [table, Elmallah et al.]; ends [assumed]
    peak_levels: tuple[float, ...] = _number(LEVELS, 0, 1, any_length=True)
    peak_kw: tuple[float, ...] = _number(PEAK_KW, 0, any_length=True)
    # Annual least thermal headroom of the median line section, by quantile [table]. Of
    # the best one: levels 0, 0.055, 0.1, 0.25, 0.5, 0.75, 0.9, 1 with
    # -150, 0, 986, 2310, 4040, 6825, 9242, 12500 kW
    headroom_levels: tuple[float, ...] = _number(HEADROOM_LEVELS, 0, 1, any_length=True)
    headroom_kw: tuple[float, ...] = _number(HEADROOM_KW, any_length=True)
    # Correlation of the normal scores of headroom and peak: with it the quantiles of
    # best headroom over peak come nearest to the published ones [fitted]
    headroom_peak_correlation: float = _number(0.25, -1, 1)
    commercial_share: float = _share(0.40)  # of the sum of peaks [assumed]
    # Mean load of a high-load day, hours 0-23, of which only the shape counts [table,
    # Elmallah et al.], and the shape of shops and offices [assumed]
    mean_shape_kw: tuple[float, ...] = _number(MEAN_SHAPE_KW, 0)
    commercial_shape: tuple[float, ...] = _number(COMMERCIAL_SHAPE, 0)
    # Base load of shops and offices on Saturday and Sunday, of the weekday [assumed]
    weekend_commercial: float = _share(0.75)
    # Highest base load of the week over the annual peak: 1 is the peak week of every
    # feeder, as planners take it [rule]; the mean high-load day has 0.71 [table]
    week_peak: float = _number(1.0, 0.1, 1)
    # Upgrade, USD per kW, from the emptiest to the densest area: range of 6 to 20
    # billion USD for 25 GW [table: Li and Jenn, PNAS 2024]; the order [assumed]
    upgrade_usd_per_kw: tuple[float, float] = _number((240.0, 800.0), 0)


def limits_of(field: dataclasses.Field) -> tuple[float, float, bool]:
    """Least and largest value of a field, and whether its list has any length."""
    data = field.metadata
    low, high = data.get("low", -math.inf), data.get("high", math.inf)
    return low, high, data.get("any_length", False)
