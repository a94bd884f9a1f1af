"""The tables, columns and keys of a scenario: the one declaration of the data contract.

The reader, the validator, the defaults and the documentation page (`page`) all work
from `TABLES` and `KEYS`; a rule that is written here is written nowhere
else. Units are in the column names: energy kWh, power kW, money in the currency of
the scenario, time as timestamps with an offset.
"""

import dataclasses
import math

BATTERY_LIMIT = 1500.0
POWER_LIMIT = 1500.0
SLOT_LIMIT = 10_000_000
DAY_MINUTES = 1440


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a table and every rule on its single values.

    Arguments:
        name: name of the column; the unit is its ending.
        kind: `id`, `number`, `time`, `hour` or `text`.
        meaning: one phrase for the documentation page.
        required: the column must be there.
        null: single values may be missing and stay so.
        default: value of an absent column; None leaves it null.
        default_from: column whose values an absent column takes.
        null_is_default: a missing value means the default.
        low, high: least and largest value accepted.
        low_open: `low` itself is not accepted.
        high_hint: what a value above `high` looks like.
        at_most: column of the same row that this one may not exceed.
        after: column of the same row that this instant must follow.
        refers: table whose ids this column names.
        unique: no value may come twice.
    """

    name: str
    kind: str
    meaning: str
    required: bool = True
    null: bool = False
    default: float | None = None
    default_from: str | None = None
    null_is_default: bool = False
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_hint: str = ""
    at_most: str | None = None
    after: str | None = None
    refers: str | None = None
    unique: bool = False

    @property
    def range(self) -> str:
        """The accepted values in words, empty when every number is accepted."""
        words = []
        if self.low > -math.inf:
            least = "greater than" if self.low_open else "at least"
            words.append(f"{least} {self.low:g}")
        if self.high < math.inf:
            words.append(f"at most {self.high:g}")
        if self.at_most:
            words.append(f"at most {self.at_most}")
        return " and ".join(words)


@dataclasses.dataclass(frozen=True)
class Table:
    """One table: its columns in order; the first one names a row in reports.

    Arguments:
        name: name of the table and of its file.
        meaning: one phrase for the documentation page.
        columns: the columns of the contract.
        numbered: ids do not tell rows apart, so reports give row numbers too.
        one_of: columns of which a table must have exactly one.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    numbered: bool = False
    one_of: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [column.name for column in self.columns]


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of scenario.toml."""

    name: str
    meaning: str
    default: str | None = None


KEYS = (
    Key("name", "free text"),
    Key("start", "RFC 3339 timestamp with offset: the start of slot 0"),
    Key("timezone", "IANA name, for local-time plots and daily profiles"),
    Key("slot_minutes", "length of one slot [min]; a whole number that divides 1440"),
    Key("slots", f"how many slots, 1 to {SLOT_LIMIT:,}: the mobility horizon"),
    Key("currency", "for reports", default="USD"),
)

_WH = "looks like Wh: 75000 Wh are 75 kWh"
_W = "looks like W: 7400 W are 7.4 kW"
_PERCENT = "looks like percent: 92 % is 0.92"


def _efficiency(name: str, meaning: str) -> Column:
    return Column(
        name,
        "number",
        meaning,
        required=False,
        default=0.92,
        low=0,
        low_open=True,
        high=1,
        high_hint=_PERCENT,
    )


def _charger(name: str, meaning: str, null_is_default: bool) -> Column:
    return Column(
        name,
        "number",
        meaning,
        required=False,
        default=0.0,
        null_is_default=null_is_default,
        low=0,
        high=POWER_LIMIT,
        high_hint=_W,
    )


VEHICLES = Table(
    "vehicles",
    "one row per vehicle, or per sampled vehicle with a weight",
    (
        Column("vehicle_id", "id", "text or whole number", unique=True),
        Column(
            "battery_kwh",
            "number",
            "usable capacity; the state of charge is at most this",
            low=0,
            low_open=True,
            high=BATTERY_LIMIT,
            high_hint=_WH,
        ),
        Column(
            "initial_kwh",
            "number",
            "state of charge at start",
            low=0,
            at_most="battery_kwh",
        ),
        Column(
            "reserve_kwh",
            "number",
            "the state of charge never falls below this",
            required=False,
            default=0.0,
            low=0,
            at_most="battery_kwh",
        ),
        Column(
            "final_kwh",
            "number",
            "least state of charge at the end of the horizon",
            required=False,
            default_from="initial_kwh",
            low=0,
            at_most="battery_kwh",
        ),
        _efficiency("charge_efficiency", "battery kWh per grid kWh"),
        _efficiency(
            "discharge_efficiency", "grid kWh per battery kWh, for vehicle-to-grid"
        ),
        Column(
            "weight",
            "number",
            "how many real vehicles this row stands for",
            required=False,
            default=1.0,
            low=0,
            low_open=True,
        ),
    ),
)

STAYS = Table(
    "stays",
    "a vehicle parked at a place",
    (
        Column("vehicle_id", "id", "the vehicle", refers="vehicles"),
        Column("arrival", "time", "any instant; clipped to the horizon"),
        Column("departure", "time", "any instant after arrival", after="arrival"),
        Column(
            "feeder_id",
            "id",
            "the feeder that serves the charger; null: not on a studied feeder",
            required=False,
            null=True,
            refers="feeders",
        ),
        _charger(
            "charger_kw", "the most it can draw there; 0 or null: no charger", True
        ),
        _charger("discharge_kw", "the most it can feed back", False),
        Column(
            "place", "text", "home, work, ...: for reports", required=False, null=True
        ),
    ),
    numbered=True,
)

TRIPS = Table(
    "trips",
    "a vehicle between two places",
    (
        Column("vehicle_id", "id", "the vehicle", refers="vehicles"),
        Column("departure", "time", "any instant"),
        Column("arrival", "time", "any instant after departure", after="departure"),
        Column("energy_kwh", "number", "taken from the battery on the trip", low=0),
        Column(
            "distance_km", "number", "for reports", required=False, null=True, low=0
        ),
    ),
    numbered=True,
)

FEEDERS = Table(
    "feeders",
    "one row per feeder",
    (
        Column("feeder_id", "id", "text or whole number", unique=True),
        Column(
            "upgrade_cost_per_kw",
            "number",
            "cost of one kW more capacity",
            required=False,
            default=1.0,
            low=0,
        ),
        Column(
            "parent_id",
            "id",
            "the feeder this one is fed through, never itself; null: none",
            required=False,
            null=True,
            refers="feeders",
        ),
        Column("longitude", "number", "degrees, for maps", required=False, null=True),
        Column("latitude", "number", "degrees, for maps", required=False, null=True),
    ),
)

FEEDER_PROFILE = Table(
    "feeder_profile",
    "what each feeder has to spare, slot by slot or by hour of the local day",
    (
        Column("feeder_id", "id", "the feeder", refers="feeders"),
        Column("time", "time", "start of a slot", required=False),
        Column(
            "hour",
            "hour",
            "hour of the local day in which the slot starts",
            required=False,
            low=0,
            high=23,
        ),
        Column("capacity_kw", "number", "the limit on the load; may be negative"),
        Column("base_kw", "number", "the load without EVs; may be negative"),
    ),
    numbered=True,
    one_of=("time", "hour"),
)

TABLES: dict[str, Table] = {
    table.name: table for table in (VEHICLES, STAYS, TRIPS, FEEDERS, FEEDER_PROFILE)
}
