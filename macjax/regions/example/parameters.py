"""What the bundled scenario assumes beyond or in place of a region's defaults."""

import dataclasses

from ..parameters import HEADROOM_KW, HEADROOM_LEVELS, Chargers, Fleet, Travel


@dataclasses.dataclass(frozen=True)
class Parameters(Travel, Fleet, Chargers):
    """Assumptions of the scenario; a change of one number makes another scenario.

    Tags and units as in `macjax.regions.parameters`.
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
    driving_age: int = 16  # years, California
    most_drivers: int = 1250  # more drivers than that are sampled [rule]
    # Rows that share the weight of a car with fast stops, with weeks drawn apart, so
    # that one row does not put too many cars on 50 kW in the same minute [rule]
    fast_copies: int = 2

    # --- travel
    # Weekdays spent at home [assumed], commuters between 19 % in 2023 and 7 % in 2019
    # of Bay Area workers who worked at home [survey: MTC Vital Signs]
    commuter_at_home: float = 0.12
    other_at_home: float = 0.25
    # Cars with one outing on Saturday and on Sunday, departure hour and hours away,
    # both uniform [assumed]
    weekend_outing: tuple[float, float] = (0.65, 0.55)
    outing_hours: tuple[float, float] = (9.0, 17.0)
    outing_dwell_hours: tuple[float, float] = (0.75, 3.5)
    # A fast stop comes at the latest on every so many days of travel [rule]
    stop_days: int = 3

    # --- feeders
    feeders: int = 24  # average feeders, one for each area [rule]
    customers_per_feeder: float = 1640.0  # mean, from the quantiles of 259 [table]
    residential_customers: float = 0.88  # households among customers [assumed]
    peak_kw: float = 4790.0  # mean annual peak, from its quantiles [table]
    commercial_share: float = 0.40  # of the mean load at the shops' peak [assumed]
    headroom_quantiles: tuple[float, ...] = HEADROOM_LEVELS
    headroom_kw: tuple[float, ...] = HEADROOM_KW
    # Upgrade, USD per kW, from the emptiest to the densest area: range of 6 to 20
    # billion USD for 25 GW [table: Li and Jenn, PNAS 2024]; the order [assumed]
    upgrade_usd_per_kw: tuple[float, float] = (240.0, 800.0)

    @property
    def slots(self) -> int:
        """Number of slots of the horizon."""
        return self.days * 1440 // self.slot_minutes
