"""The numbers of a case that are no tables: its TOML file, checked.

    start = "2025-01-01T00:00:00+00:00"
    steps = 48

    [fleet]
    battery_kwh = 24

All keys but `start` and `steps` have defaults; an unknown key is an error that names
the nearest one. Reading a file runs no code.
"""

import dataclasses
import math
import numbers
from collections.abc import Mapping

import pandas as pd

from macjax._errors import SettingsError
from macjax._sections import nested, read_section
from macjax.scenario.zones import find_zone

PARAMETERS = ("load", "pv", "wind")
# Instants of the longest horizon, and steps of the longest road
MAX_STEPS = 100_000


def _number(default, low: float, high: float = math.inf, above: bool = False):
    """A field with its range; `above` leaves `low` itself out."""
    rule = {"low": low, "high": high, "above": above}
    return dataclasses.field(default=default, metadata=rule)


def _count(default, low: float):
    """The same where infinity is a value."""
    rule = {"low": low, "high": math.inf, "above": False, "endless": True}
    return dataclasses.field(default=default, metadata=rule)


@dataclasses.dataclass(frozen=True)
class Fleet:
    """What all EVs have in common; SOCs are shares of the battery.

    Arguments:
        battery_kwh: B [kWh].
        soc_min, soc_max: limits of the SOC of every queue, pool and flow.
        soc_initial: at departure, of trips that do not give it themselves.
        soc_arrival: least SOC at the destination. The article has no such rule, and
            its optimum then sells the energy of the batteries.
        consumption_per_step: SOC an EV and step of free flow, of roads that do not
            give it themselves.
        efficiency: of charging, and of discharging.
        levels_kw: power levels of a charger, drawn from the grid [kW]; negative ones
            feed back.
    """

    battery_kwh: float = _number(24.0, 0, above=True)
    soc_min: float = _number(0.1, 0, 1)
    soc_max: float = _number(0.9, 0, 1)
    soc_initial: float = _number(0.4, 0, 1)
    soc_arrival: float = _number(0.2, 0, 1)
    consumption_per_step: float = _number(0.02, 0)
    efficiency: float = _number(0.9, 0, 1, above=True)
    levels_kw: tuple[float, ...] = (7.0, 0.0, -7.0)


@dataclasses.dataclass(frozen=True)
class Costs:
    """Prices beside that of energy.

    Arguments:
        time_per_ev_hour: w, cost of an hour on the road or at a station [currency/h].
        power_squared: beta [currency/kW^2 h], for each aggregator and station apart;
            above 0, so that powers are unique and tariffs decentralise them.
    """

    time_per_ev_hour: float = _number(0.02, 0)
    power_squared: float = _number(5e-5, 0, above=True)


@dataclasses.dataclass(frozen=True)
class Transport:
    """How the road tables are read.

    Arguments:
        directions_share_capacity: both directions of a two-way road together have its
            capacity; otherwise each has it.
        paths_per_trip: how many shortest paths are looked for where there is no table
            of paths.
        places: EVs that can stand at the chargers of a station, of stations that do
            not give it themselves; `inf` is no limit.
    """

    directions_share_capacity: bool = False
    paths_per_trip: int = _number(3, 1, 1000)
    places: float = _count(math.inf, 0)


@dataclasses.dataclass(frozen=True)
class GridSettings:
    """How the grid tables are read.

    Arguments:
        substation: node that feeds the grid; empty: the one node that no line leads to.
        nominal_kv: V_0 of the voltage drops [kV].
        substation_pu: voltage of the substation [p.u.].
        load_factor, renewable_factor: factors on all loads, and on all PV and wind.
    """

    substation: str = ""
    nominal_kv: float = _number(12.66, 0, above=True)
    substation_pu: float = _number(1.0, 0.5, 1.5)
    load_factor: float = _number(1.0, 0)
    renewable_factor: float = _number(1.0, 0)


@dataclasses.dataclass(frozen=True)
class Uncertainty:
    """Half-widths of the boxes and how much of them is planned for.

    Arguments:
        load, pv, wind: half-widths as a share of the value of the step, where the
            table does not give them in kW.
        gamma: share of the half-width that is planned for, of nodes that do not give
            it themselves.
    """

    load: float = _number(0.1, 0)
    pv: float = _number(0.1, 0)
    wind: float = _number(0.1, 0)
    gamma: float = _number(1.0, 0, 1)


@dataclasses.dataclass(frozen=True)
class Settings:
    """A case without its tables.

    Arguments:
        name: free text.
        tables: folder of the tables, relative to the file.
        start: start of instant 0, RFC 3339 with offset.
        timezone: IANA name, for the hours of tables.
        step_minutes: length of a step.
        steps: T, number of instants 0 to T - 1; all EVs have arrived at the last one.
        currency: of all money.
    """

    name: str = "case"
    tables: str = "."
    start: str = ""
    timezone: str = "UTC"
    step_minutes: int = _number(60, 1, 1440)
    steps: int = _number(0, 2, MAX_STEPS)
    currency: str = "USD"
    fleet: Fleet = Fleet()
    costs: Costs = Costs()
    transport: Transport = Transport()
    grid: GridSettings = GridSettings()
    uncertainty: Uncertainty = Uncertainty()

    @property
    def step_hours(self) -> float:
        """Length of a step [h]."""
        return self.step_minutes / 60

    def times(self) -> pd.DatetimeIndex:
        """The T instants, in the time zone of the case."""
        first = pd.Timestamp(self.start).tz_convert(self.timezone)
        step = pd.Timedelta(minutes=self.step_minutes)
        return pd.date_range(first, periods=self.steps, freq=step, name="time")


def read_settings(table: Mapping, owner: str) -> Settings:
    """The settings that a table says.

    Arguments:
        table: keys and values, as in the TOML file.
        owner: of the table, for messages.

    Raises:
        SettingsError: an unknown key, or a value of the wrong kind or out of range.
    """
    if not isinstance(table, Mapping):
        raise SettingsError(f"{owner}: must be values by key, not {table!r}")
    found = read_section(Settings(), table, owner, ": ")
    _check(found, owner)
    return found


def changed(settings: Settings, changes: Mapping) -> Settings:
    """The settings with other values: `{"fleet.soc_arrival": 0.3}`.

    Raises:
        SettingsError: as `read_settings`.
    """
    if not isinstance(changes, Mapping):
        raise SettingsError(f"changes must be values by key, not {changes!r}")
    found = read_section(settings, nested(changes), "case", ": ")
    _check(found, "case")
    return found


def _check_ranges(section, owner: str) -> None:
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        where = f"{owner}: {field.name}"
        if dataclasses.is_dataclass(value):
            _check_ranges(value, where)
        elif field.metadata:
            low, high = field.metadata["low"], field.metadata["high"]
            above = field.metadata["above"]
            right = low < value <= high if above else low <= value <= high
            endless = field.metadata.get("endless", False)
            if not right or not (math.isfinite(value) or endless):
                least = f"above {low:g}" if above else f"at least {low:g}"
                most = f" and at most {high:g}" if high < math.inf else ""
                raise SettingsError(f"{where} must be {least}{most}, not {value!r}")


def _check(settings: Settings, owner: str) -> None:
    """Ranges of single values, and what several values must be together."""
    if not settings.start:
        raise SettingsError(f"{owner}: start is missing; e.g. 2025-01-01T00:00:00Z")
    if not settings.steps:
        raise SettingsError(f"{owner}: steps is missing: the number of instants")
    _check_ranges(settings, owner)
    if find_zone(settings.timezone) is None:
        rule = "must be an IANA name such as Europe/Berlin"
        raise SettingsError(f"{owner}: timezone {rule}, not {settings.timezone!r}")
    try:
        aware = pd.Timestamp(settings.start).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise SettingsError(
            f"{owner}: start must be a timestamp with an offset such as "
            f"2025-01-01T00:00:00+00:00, not {settings.start!r}"
        )
    fleet = settings.fleet
    if not fleet.soc_min < fleet.soc_max:
        raise SettingsError(
            f"{owner}: fleet: soc_min must be below soc_max, not {fleet.soc_min:g} "
            f"and {fleet.soc_max:g}"
        )
    for key in ("soc_initial", "soc_arrival"):
        if not fleet.soc_min <= getattr(fleet, key) <= fleet.soc_max:
            raise SettingsError(
                f"{owner}: fleet: {key} must lie between soc_min and soc_max, not "
                f"{getattr(fleet, key):g}"
            )
    levels = fleet.levels_kw
    if not all(map(math.isfinite, levels)):
        raise SettingsError(
            f"{owner}: fleet: levels_kw must hold finite numbers, not {list(levels)}"
        )
    if not any(levels):
        raise SettingsError(
            f"{owner}: fleet: levels_kw must hold a level other than 0, e.g. [7, 0]"
        )
    if len(set(levels)) < len(levels):
        raise SettingsError(f"{owner}: fleet: levels_kw must not hold a level twice")


def read_count(value, name: str, low: int, high: float = math.inf) -> int:
    """A whole number within bounds.

    Raises:
        SettingsError: it is none.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not low <= int(value) <= high:
        most = f" and at most {high:g}" if high < math.inf else ""
        rule = f"must be a whole number of at least {low}{most}"
        raise SettingsError(f"{name} {rule}, not {value!r}")
    return int(value)


def read_positive(value, name: str, high: float = math.inf) -> float:
    """A finite number above 0 and below `high`.

    Raises:
        SettingsError: it is none.
    """
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not 0 < float(value) < high:
        most = f" and below {high:g}" if high < math.inf else " and finite"
        raise SettingsError(f"{name} must be a number above 0{most}, not {value!r}")
    return float(value)
