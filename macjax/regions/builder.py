"""A configuration -> the scenario of a region and the facts about its making."""

import os
import sys
import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .._errors import DataError, Fault
from ..scenario.scenario import Scenario
from . import tables
from .calendar import make_calendar
from .cars import KEPT, Week, World, build_cars, count_rules, stay_feeders
from .config import RegionConfig, read_config
from .donors import find_donors
from .draws import Draws
from .facts import measure_region
from .itinerary import lay_ground
from .left_out import LeftOut, check_cars, count_left_out
from .network import Network, build_network, build_profile
from .parameters import county_names
from .population import cars_per_household, electric_cars, make_pools
from .survey import check_survey, read_survey
from .zones import make_zones

CHUNK = 50_000  # cars built at a time
EVERY = 1.0  # seconds between two lines of progress


class Built(NamedTuple):
    """The scenario of a region, what is to be known about it, and its configuration.

    Arguments:
        scenario: the scenario.
        facts: what each rule kept and left out, and what came of it; for `report`.
        config: all that was assumed.
    """

    scenario: Scenario
    facts: dict
    config: RegionConfig


class Made(NamedTuple):
    """The scenario of a region and how it came about.

    Arguments:
        scenario: the region.
        world: what it was made from.
        counts: how many cars each rule concerned.
        left: cars that are not in it.
    """

    scenario: Scenario
    world: World
    counts: dict[str, int]
    left: LeftOut


def build(
    config: RegionConfig | Mapping | str | os.PathLike | None = None,
    adoption: float | None = None,
    sample: float | None = None,
    seed: int | None = None,
    progress: bool | None = False,
) -> Scenario:
    """The scenario of a region: electric cars, their week, and the feeders.

        >>> scenario = macjax.regions.build({"counties": ["napa"]}, sample=0.05)

    Arguments:
        config: the path of a configuration, the keys of its table `[region]` as a
            mapping, or a `RegionConfig`; None is the whole Bay Area by default.
        adoption: electric share of all cars, in place of the configuration's.
        sample: share of the electric cars that is built; weights make up for it.
        seed: of all random draws.
        progress: True tells on stderr, None if that is a terminal.

    Raises:
        SettingsError: the configuration is wrong.
        DataError: the survey tables are, or the region has no car.

    Warns:
        RegionWarning: more than 1 % of the cars or 3 % of the km are left out, since no
            charging makes their trips possible.
    """
    return make(config, adoption, sample, seed, progress).scenario


def build_with_facts(
    config: RegionConfig | Mapping | str | os.PathLike | None = None,
    adoption: float | None = None,
    sample: float | None = None,
    seed: int | None = None,
    progress: bool | None = False,
) -> Built:
    """The scenario with its facts and its configuration; arguments as in `build`.

    The facts say what each rule kept and left out, and measure the scenario: travel,
    chargers, feeders, and which of these unmanaged charging overloads.
    """
    made = make(config, adoption, sample, seed, progress)
    facts = measure_region(made.scenario, made.world, made.counts, made.left)
    return Built(made.scenario, facts, made.world.config)


def make(
    config, adoption=None, sample=None, seed=None, progress: bool | None = False
) -> Made:
    """As `build`, with how the region came about; same arguments."""
    changes = {"adoption": adoption, "sample": sample, "seed": seed}
    world = prepare(read_config({} if config is None else config, **changes))
    studied = studied_feeders(world)
    rows = chosen_rows(world)
    columns = [tables.Columns(k) for k in (tables.VEHICLES, tables.STAYS, tables.TRIPS)]
    counts: dict[str, int] = {}
    left, kept = LeftOut(), 0
    tell = _Progress(progress, len(rows))
    for first in range(0, len(rows), CHUNK):
        week = build_cars(world, rows[first : first + CHUNK])
        found, out = hand_over(week, world, studied, columns)
        for label, count in found.items():
            counts[label] = counts.get(label, 0) + count
        left, kept = left + out, kept + found[KEPT]
        tell(first + len(week.cars))
    check_cars(kept, world.electric.electric, left, world.config)
    left.tell()
    scenario = assemble(world, studied, columns)
    return Made(
        scenario.with_note(f"{left}.") if left.rows else scenario, world, counts, left
    )


def prepare(config: RegionConfig) -> World:
    """Read the survey and lay out zones, donors, feeders and the list of cars."""
    survey = check_survey(read_survey(config.data or None))
    draws = Draws(config.seed)
    zones = make_zones(survey.zones, config.population, config.travel)
    donors = find_donors(survey, zones, draws, config.population)
    if not len(donors.cars):
        rule = f"no driver of the survey can be followed: {donors.counts}"
        raise DataError([Fault("trips", "trip_mode", rule, len(survey.trips))])
    cars = zones.households * cars_per_household(survey.households, zones)
    return World(
        config=config,
        calendar=make_calendar(
            config.start, config.days, config.timezone, config.slot_minutes
        ),
        ground=lay_ground(zones, config.population, config.travel),
        donors=donors,
        pools=make_pools(zones, donors, config.population),
        network=build_network(zones, draws, config.feeders),
        electric=electric_cars(cars, zones, draws, config.adoption, config.sample),
        draws=draws,
    )


def in_counties(names, config: RegionConfig) -> np.ndarray:
    """Which of these names of counties are studied."""
    return np.isin(names, config.counties or names)


def studied_feeders(world: World) -> np.ndarray:
    """Number of each feeder among those studied, -1 for others, shape (feeders,)."""
    kept = in_counties(world.network.feeders["county"].to_numpy(), world.config)
    if not kept.any():
        count = len(world.ground.zones.ids)
        rule = f"no zone lies in the counties {', '.join(world.config.counties)}"
        raise DataError([Fault("zones", "county_id", rule, count)])
    return np.where(kept, np.cumsum(kept) - 1, -1)


def lives_there(world: World, zone: np.ndarray) -> np.ndarray:
    """Whether homes in these zones lie in the counties studied."""
    names = county_names(world.ground.zones.county)
    return in_counties(names, world.config)[zone]


def chosen_rows(world: World) -> np.ndarray:
    """Rows of the electric cars to build: all, or residents if nobody may visit."""
    rows = np.arange(len(world.electric.zone))
    if world.config.visitors:
        return rows
    return rows[lives_there(world, world.electric.zone)]


def hand_over(week: Week, world: World, studied, columns):
    """Put the cars of a chunk that belong to the region into its columns.

    Returns how many cars each rule concerned, and what is left out. Cars that neither
    live in the counties studied nor have a charger there do not belong.
    """
    cars, stays = week.cars, week.stays
    feeder = studied[stay_feeders(stays, cars, world)]
    belongs = lives_there(world, cars["zone"].to_numpy())
    car = stays["car"].to_numpy()
    charges = (stays["charger_kw"].to_numpy() > 0) & (feeder >= 0)
    belongs |= np.bincount(car, charges, len(cars)) > 0
    kept = belongs & cars["possible"].to_numpy()
    key = cars["key"].to_numpy()
    columns[0].add(cars[kept])
    for place, frame in ((1, stays.assign(feeder=feeder)), (2, week.trips)):
        frame = frame[kept[frame["car"].to_numpy()]]
        columns[place].add(frame.assign(key=key[frame["car"].to_numpy()]))
    counts = {"built": len(cars), **count_rules(cars[belongs])}
    if world.config.counties:
        counts["live elsewhere and do not charge here"] = int((~belongs).sum())
    return counts, count_left_out(cars[belongs])


def assemble(world: World, studied: np.ndarray, columns) -> Scenario:
    """The scenario from the columns of all chunks."""
    config, calendar = world.config, world.calendar
    kept = world.network.feeders[studied >= 0].reset_index(drop=True)
    network: Network = world.network._replace(feeders=kept)
    weight, zones = world.electric.weight, world.ground.zones
    vehicles = tables.vehicle_table(columns[0], weight, zones, config)
    return Scenario.from_frames(
        name=config.name,
        start=calendar.start,
        timezone=config.timezone,
        slot_minutes=config.slot_minutes,
        slots=calendar.minutes // config.slot_minutes,
        currency=config.currency,
        vehicles=vehicles,
        stays=tables.stay_table(columns[1], network, calendar),
        trips=tables.trip_table(columns[2], calendar),
        feeders=kept,
        feeder_profile=build_profile(
            kept, calendar, config.slot_minutes, config.feeders
        ),
    )


class _Progress:
    """Lines on stderr: cars built, seconds spent and left."""

    def __init__(self, target: bool | None, total: int):
        self.prints = sys.stderr.isatty() if target is None else bool(target)
        self.total = total
        self.begin = self.last = time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if not self.prints or (now - self.last < EVERY and done < self.total):
            return
        self.last, spent = now, now - self.begin
        left = spent * (self.total - done) / max(done, 1)
        print(
            f"built {done:,} of {self.total:,} cars, {spent:.0f} s, about "
            f"{left:.0f} s left",
            file=sys.stderr,
        )
