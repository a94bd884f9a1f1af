"""Every number the Bay Area scenario assumes, each with its origin in a comment.

Tags: [table] a published table or open code of the region, [survey] a published
survey, [rule] a rule of this package, [assumed] a plain assumption.
"""

import dataclasses

# Mean high-load day of PG&E feeders, hours 0-23 [kW]. [table] Elmallah, Brockway,
# Callaway 2022, doi 10.1088/2634-4505/ac949c
MEAN_SHAPE_KW = (
    *(2406, 2217, 2102, 2036, 2018, 2066, 2238, 2517, 2694, 2664, 2600, 2551),
    *(2526, 2558, 2637, 2741, 2890, 3091, 3306, 3428, 3394, 3265, 3025, 2696),
)
# Shape of shops and offices, hours 0-23, of its own peak. [assumed]
COMMERCIAL_SHAPE = (
    *(0.50, 0.48, 0.47, 0.47, 0.48, 0.53, 0.62, 0.74, 0.86, 0.94, 0.98, 1.00),
    *(1.00, 1.00, 1.00, 0.98, 0.94, 0.88, 0.80, 0.73, 0.66, 0.60, 0.55, 0.52),
)
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


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Assumptions of the scenario; a change of one number makes another scenario.

    Lengths in km, power in kW, energy in kWh, times in hours or minutes as named.
    """

    seed: int = 2026
    name: str = "San Francisco Bay Area, 30 % electric cars, one week"
    # Monday of an ordinary late-summer week, near the annual peak load [assumed]
    start: str = "2026-09-14T00:00:00-07:00"
    timezone: str = "America/Los_Angeles"
    days: int = 7
    slot_minutes: int = 60

    # --- fleet
    adoption: float = 0.30  # electric share of cars [table: habit of studies here]
    most_drivers: int = 1250  # more drivers than that are sampled [rule]
    # Rows that share the weight of a car with fast stops, with weeks drawn apart, so
    # that one row does not put too many cars on 50 kW in the same minute [rule]
    fast_copies: int = 2
    driving_age: int = 16  # years, California
    # Short and long range, usable; share of the short one [table: open code]
    battery_kwh: tuple[float, float] = (40.0, 82.0)
    short_range_share: float = 0.35
    # Out of the battery [assumed], near the EPA labels of such cars, 0.17 to 0.19
    kwh_per_km: tuple[float, float] = (0.16, 0.18)
    energy_spread: float = 0.08  # sd of weather and traffic by car and day [assumed]
    reserve_share: float = 0.20  # of the battery [table: open code]
    initial_share: tuple[float, float] = (0.8, 0.2)  # mean, sd [table: open code]
    efficiency: float = 0.92  # charging, the default of the format [assumed]
    # A day that takes more than this share of a small battery's usable kWh is driven
    # with a large one [rule]
    large_battery_above: float = 0.6

    # --- chargers
    home_kw: tuple[float, float] = (6.6, 7.2)  # 240 V, by battery [table; assumed]
    slow_kw: float = 1.2  # 120 V socket [table: open code]
    work_kw: float = 6.6  # [table: open code]
    fast_kw: float = 50.0  # [table: open code]
    # Cars with a charger at home by dwellings per residential acre of the home zone:
    # below 8, 8 to 20, above 20. [assumed], between 83-90 % of owners of 2024 and
    # 46-57 % when all cars are electric [survey: California Energy Commission, SB
    # 1000 third assessment, 2026; and Home Charging Access in California, 2022]
    density_edges: tuple[float, float] = (8.0, 20.0)
    home_shares: tuple[float, float, float] = (0.90, 0.70, 0.45)
    low_income_usd: float = 40_000.0  # income below which access is lower [assumed]
    low_income_factor: float = 0.85  # times the share above [assumed]
    home_240v_share: float = 0.60  # of the cars with home charging [assumed]
    # A socket serves a car whose day it refills in so many hours, else 240 V [rule]
    socket_hours: float = 8.0
    # Commuters with a charger at work [survey: ChargeLab, US drivers of electric cars]
    work_share: float = 0.40

    # --- travel
    detour: float = 1.3  # road over straight line [table: usual value]
    intrazonal: float = 0.52  # mean distance of two points in a square of side 1
    longest_intrazonal_km: float = 5.0  # in large rural zones [assumed]
    shortest_km: float = 0.8  # [assumed]
    # a, b [km/h], c [km] of speed = a + (b - a) (1 - exp(-km / c)) [assumed]
    speed_kmh: tuple[float, float, float] = (20.0, 80.0, 25.0)
    shortest_stay_minutes: int = 10  # between two trips [assumed]
    habit_shift_minutes: float = 12.0  # sd of one day's shift of all trips [assumed]
    # Weekdays spent at home. Commuters: 19 % of Bay Area workers worked at home in
    # 2023, 7 % in 2019, before which the travel model was fitted [survey: MTC Vital
    # Signs]; others [assumed]
    commuter_at_home: float = 0.12
    other_at_home: float = 0.25
    # Cars with one outing on Saturday and on Sunday, departure hour and hours away,
    # both uniform [assumed]
    weekend_outing: tuple[float, float] = (0.65, 0.55)
    outing_hours: tuple[float, float] = (9.0, 17.0)
    outing_dwell_hours: tuple[float, float] = (0.75, 3.5)

    # --- fast stops of cars with no charger at home or work
    # A stop is due when this share of the usable kWh is gone, at the latest on every
    # so many days of travel [rule]
    stop_share: float = 0.5
    stop_days: int = 3
    stop_minutes: tuple[int, int] = (20, 60)  # shortest and longest [assumed]
    stop_slack: float = 1.3  # time at the stop over the time needed [assumed]
    stop_to_home_km: float = 1.5  # [assumed]

    # --- end of the week
    # Final SOC: the initial one, or what this share of every charger's power
    # reaches; a car that cannot travel on this share is left out [rule]
    firm_share: float = 0.70

    # --- feeders
    feeders: int = 24  # average feeders, one for each area [rule]
    customers_per_feeder: float = 1640.0  # mean, from the quantiles of 259 [table]
    residential_customers: float = 0.88  # households among customers [assumed]
    peak_kw: float = 4790.0  # mean annual peak, from its quantiles [table]
    commercial_share: float = 0.40  # of the mean load at the shops' peak [assumed]
    # Annual least thermal headroom, median line section, by quantile [kW] [table,
    # Elmallah et al.]; without headroom at some hour: 4-7 % [table]; ends [assumed]
    headroom_quantiles: tuple[float, ...] = (0, 0.055, 0.1, 0.25, 0.5, 0.75, 0.9, 1)
    headroom_kw: tuple[float, ...] = (-150, 0, 226, 540, 850, 1310, 1860, 2600)
    # Upgrade, USD per kW, from the emptiest to the densest area: range of 6 to 20
    # billion USD for 25 GW [table: Li and Jenn, PNAS 2024]; the order [assumed]
    upgrade_usd_per_kw: tuple[float, float] = (240.0, 800.0)

    @property
    def slots(self) -> int:
        """Number of slots of the horizon."""
        return self.days * 1440 // self.slot_minutes
