"""The configuration of a region: `[region]` of a TOML file, or a mapping, checked.

    [region]
    adoption = 0.30
    counties = ["napa"]

    [region.chargers]
    work_share = 0.6

All keys are optional; what they mean, and where their defaults come from, stands beside
the fields of `RegionConfig` and of the sections in `parameters`. An unknown key is an
error that names the nearest one. Reading a file runs no code.
"""

import dataclasses
import datetime
import json
import math
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from .._errors import SettingsError, nearest
from .._sections import nested, read_section
from ..scenario.zones import find_zone
from .parameters import (
    COUNTIES,
    Chargers,
    Feeders,
    Fleet,
    Population,
    Travel,
    _number,
    limits_of,
)

# Keys of a file that say what to do with the region; others read them.
OTHER_KEYS = ("objective", "solve", "sweep", "study")


@dataclasses.dataclass(frozen=True)
class RegionConfig:
    """A region, its horizon, and all that is assumed about it.

    Arguments:
        name: of the scenario.
        start: first day, from local midnight on.
        timezone: IANA name.
        days: length of the horizon [d].
        slot_minutes: length of a slot [min]; divides 1440.
        currency: of upgrade costs.
        seed: of all random draws.
        adoption: electric share of all cars.
        sample: share of the electric cars that is built; each row stands for
            1 / sample of them.
        counties: whose feeders are studied, by name; none are all.
        visitors: whether cars that live elsewhere and charge there belong to it.
        data: folder of survey tables; empty takes those of the package.
        population, travel, fleet, chargers, feeders: sections, whose keys stand with
            their sources in `macjax.regions.parameters`.
    """

    name: str = "San Francisco Bay Area"
    # First day, from local midnight on. A Monday of an ordinary late-summer week, near
    # the annual peak load [assumed]
    start: datetime.date = datetime.date(2026, 9, 14)
    timezone: str = "America/Los_Angeles"
    days: int = _number(7, 1, 366)
    slot_minutes: int = _number(60, 1, 1440)  # divides 1440
    currency: str = "USD"
    seed: int = _number(2026, 0, 2**63 - 1)
    # Electric share of all cars [table: habit of studies here]
    adoption: float = _number(0.30, 0, 1)
    # Share of the electric cars that are built; each stands for 1 / sample
    sample: float = _number(1.0, 0, 1)
    # Counties whose feeders are studied; none: all. Chargers elsewhere have no feeder.
    # Names as in COUNTIES, `county<county_id>` where that has none
    counties: tuple[str, ...] = ()
    # Whether cars that live elsewhere and charge in these counties belong to it
    visitors: bool = True
    # Folder of the survey tables, relative to the file; empty: those of the package
    data: str = ""
    population: Population = Population()
    travel: Travel = Travel()
    fleet: Fleet = Fleet()
    chargers: Chargers = Chargers()
    feeders: Feeders = Feeders()

    def __post_init__(self):
        check(self)

    def changed(self, changes: Mapping) -> "RegionConfig":
        """The configuration with other values: `{"chargers.work_share": 0.6}`.

        Arguments:
            changes: values by key; a key of a section has its name before a point.
        """
        return read_section(self, nested(changes), "region")

    def to_toml(self) -> str:
        """The whole configuration as a file that builds the same scenario again."""
        return _toml(self)


def read_config(
    given: "RegionConfig | Mapping | str | os.PathLike", **changes
) -> RegionConfig:
    """The configuration that is given, or that a path or a mapping says.

    Arguments:
        given: a `RegionConfig`; the path of a TOML file with a table `[region]`; or
            the keys of that table as a mapping.
        changes: keys of `RegionConfig` in place of those given; None changes nothing.

    Raises:
        SettingsError: an unknown key, or a value of the wrong kind or out of range.
    """
    changes = {k: v for k, v in changes.items() if v is not None}
    if isinstance(given, RegionConfig):
        return given.changed(changes)
    if isinstance(given, Mapping):
        base, table, owner = Path(), dict(given), "region"
    else:
        path = Path(given)
        base, table, owner = path.parent, _region_table(path), f"{path}: region"
    if isinstance(table.get("data"), str) and table["data"]:
        table["data"] = str((base / table["data"]).resolve())
    return read_section(RegionConfig(), {**table, **changes}, owner)


def _region_table(path: Path) -> dict:
    """The table [region] of a file."""
    if not path.is_file():
        raise SettingsError(f"there is no configuration '{path}'")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"'{path}' cannot be read as TOML: {error}") from error
    for key in table:
        if key != "region" and key not in OTHER_KEYS:
            hint = nearest(key, ("region", *OTHER_KEYS))
            raise SettingsError(f"{path}: unknown key '{key}'; {hint}")
    if not isinstance(table.get("region"), dict):
        raise SettingsError(f"{path}: says nothing of a region; give a table [region]")
    return table["region"]


def check(config: RegionConfig) -> None:
    """Ranges of single values, and what several values must be together.

    Raises:
        SettingsError: the first rule that is broken.
    """
    _check_ranges(config, "region")
    if config.adoption == 0 or config.sample == 0:
        raise SettingsError("region: adoption and sample must be greater than 0")
    if 1440 % config.slot_minutes:
        raise SettingsError(
            f"region.slot_minutes must divide 1440, not {config.slot_minutes}"
        )
    if find_zone(config.timezone) is None:
        rule = "must be an IANA name such as America/Los_Angeles"
        raise SettingsError(f"region.timezone {rule}, not {config.timezone!r}")
    for name in config.counties:
        if name not in COUNTIES.values() and not re.fullmatch(r"county\d+", name):
            hint = nearest(name, COUNTIES.values())
            raise SettingsError(f"region.counties: no county '{name}'; {hint}")
    _check_types(config)
    _check_quantiles(config.feeders)
    for name in ("peak_kw", "mean_shape_kw"):
        if max(getattr(config.feeders, name)) <= 0:
            raise SettingsError(f"region.feeders.{name} must have a value above 0")
    ranges = {
        "chargers.stop_minutes": config.chargers.stop_minutes,
        "fleet.energy_range": config.fleet.energy_range,
        "chargers.density_edges": config.chargers.density_edges,
        "feeders.upgrade_usd_per_kw": config.feeders.upgrade_usd_per_kw,
    }
    for name, (low, high) in ranges.items():
        if low > high:
            raise SettingsError(f"region.{name} must be from a to b, a <= b")
    types_of = [t for group in config.population.area_groups for t in group]
    if len(set(types_of)) < len(types_of):
        raise SettingsError("region.population.area_groups: a type is in two groups")


def _check_ranges(section, owner: str) -> None:
    for field in dataclasses.fields(section):
        value, where = getattr(section, field.name), f"{owner}.{field.name}"
        if dataclasses.is_dataclass(value):
            _check_ranges(value, where)
            continue
        low, high, any_length = limits_of(field)
        is_list = isinstance(value, tuple)
        wanted = len(field.default) if isinstance(field.default, tuple) else 0
        if is_list and wanted and not any_length and "low" in field.metadata:
            if len(value) != wanted:
                raise SettingsError(f"{where} must have {wanted} values, not {value!r}")
        for number in value if is_list else (value,):
            is_number = isinstance(number, int | float)
            if is_number and not (low <= number <= high and math.isfinite(number)):
                rule = f"must be from {low:g} to {high:g}"
                raise SettingsError(f"{where} {rule}, not {number!r}")


def _check_types(config: RegionConfig) -> None:
    """Lists by type of car have one length, and shares add up to one."""
    fleet, home_kw = config.fleet, config.chargers.home_kw
    lists = (fleet.battery_kwh, fleet.type_shares, fleet.kwh_per_km, home_kw)
    if len({len(values) for values in lists}) > 1 or not fleet.battery_kwh:
        raise SettingsError(
            "region.fleet: battery_kwh, type_shares and kwh_per_km, and "
            "region.chargers: home_kw must have one value for each type of car; found "
            + ", ".join(str(len(values)) for values in lists)
        )
    if abs(sum(fleet.type_shares) - 1) > 1e-6:
        raise SettingsError(
            f"region.fleet.type_shares must add up to 1, not {sum(fleet.type_shares):g}"
        )


def _check_quantiles(feeders: Feeders) -> None:
    for name in ("peak", "headroom"):
        levels = getattr(feeders, f"{name}_levels")
        values = getattr(feeders, f"{name}_kw")
        where = f"region.feeders.{name}_levels and {name}_kw"
        goes_up = all(a <= b for a, b in zip(values, values[1:], strict=False))
        rises = all(a < b for a, b in zip(levels, levels[1:], strict=False))
        ends = bool(levels) and levels[0] == 0 and levels[-1] == 1
        if len(levels) != len(values) or not (goes_up and rises and ends):
            raise SettingsError(
                f"{where} must be as long as one another and go up, levels from 0 to 1"
            )


def _toml(section, name: str = "region") -> str:
    plain, tables = [], []
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        if dataclasses.is_dataclass(value):
            tables.append(_toml(value, f"{name}.{field.name}"))
        else:
            plain.append(f"{field.name} = {_toml_value(value)}\n")
    return f"[{name}]\n" + "".join(plain) + "".join("\n" + t for t in tables)


def _toml_value(value) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, str):
        # TOML escapes as JSON does, and DEL too.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)
