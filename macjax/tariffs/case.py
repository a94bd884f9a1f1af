"""`Case`: a transport and a distribution network joined at charging stations."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.tariffs.checks import check_demand
from macjax.tariffs.faults import fault, stop
from macjax.tariffs.grid import Grid, Injections, read_grid, read_injections
from macjax.tariffs.roads import (
    Legs,
    Roads,
    Trips,
    find_paths,
    lookup,
    make_legs,
    reach_faults,
    read_paths,
    read_roads,
    read_trips,
    road_faults,
    visitors,
)
from macjax.tariffs.settings import Settings, changed, read_settings
from macjax.tariffs.tables import clean_tables, read_tables, spread


class Stations(NamedTuple):
    """Fast charging stations; arrays of shape (stations,) unless said otherwise.

    Arguments:
        names: ids; a station is the node of the roads with that id.
        road_node, grid_node: numbers of its nodes.
        places: N_y, infinite without a limit or with room for all who may come.
        level_station, level_kw: station and power of each level other than 0, grid
            side [kW], shape (levels,).
        idle: whether an EV may stand at a charger without power (level 0).
    """

    names: np.ndarray
    road_node: np.ndarray
    grid_node: np.ndarray
    places: np.ndarray
    level_station: np.ndarray
    level_kw: np.ndarray
    idle: np.ndarray


class Case:
    """A checked case; made by `Case.read` or `Case.from_frames`, and never changed.

    Arguments:
        settings, frames: as `Case.from_frames` takes them.

    Attributes:
        settings: the numbers that are no tables, `Settings`.
        tables: the cleaned tables by name; not to be changed.
        roads, trips, legs, stations, grid, injections: the same as arrays.
        price: c_t [currency/kWh], shape (T,).
        notes: columns of the tables that nothing reads, a sentence a table.
    """

    settings: Settings
    tables: Mapping[str, pd.DataFrame]
    roads: Roads
    trips: Trips
    legs: Legs
    stations: Stations
    grid: Grid
    injections: Injections
    price: np.ndarray
    notes: list[str]

    def __init__(self, settings: Settings, frames: Mapping[str, pd.DataFrame]):
        """Check tables; for use by the class methods."""
        tables, notes = clean_tables(frames, settings)
        roads = read_roads(tables["roads"], settings)
        stop(road_faults(roads, tables["road_nodes"]))
        trips, faults = read_trips(tables, roads, settings)
        grid, grid_faults = read_grid(tables, settings)
        stop(faults + grid_faults)
        tree = cast(Grid, grid)
        injections, faults = read_injections(tables, tree, settings)
        stations, more = _read_stations(tables, roads, tree, settings)
        price, wrong = _read_prices(tables["prices"], settings)
        stop(faults + more + wrong + reach_faults(roads, trips))
        stations = cast(Stations, stations)
        if len(tables["paths"]):
            paths = read_paths(tables["paths"], roads, trips)
        else:
            paths = find_paths(roads, trips, settings)
        stop(paths[-1])
        station_of = np.full(len(roads.nodes), -1)
        station_of[stations.road_node] = np.arange(len(stations.names))
        legs, faults = make_legs(paths, roads, trips, station_of)
        stop(faults)
        legs = cast(Legs, legs)
        stop(check_demand(settings, roads, trips, legs, stations))
        # Places for all who may come are no limit, and would only blur the numbers
        ample = stations.places >= visitors(legs, trips, len(stations.names))
        stations = stations._replace(places=np.where(ample, np.inf, stations.places))
        self.__dict__.update(
            settings=settings,
            tables=tables,
            roads=roads,
            trips=trips,
            legs=legs,
            stations=stations,
            grid=tree,
            injections=injections,
            price=price,
            notes=notes,
            _frames=dict(frames),
        )

    def __setattr__(self, name, value):
        raise AttributeError("a Case cannot be changed; see Case.changed")

    @classmethod
    def read(cls, path: str | os.PathLike) -> "Case":
        """Read and check a TOML file and the tables that it names.

        Arguments:
            path: of the file; its key `tables` is the folder of the tables.

        Raises:
            SettingsError: the file cannot be read, or a key is wrong.
            DataError: with the faults of the tables.
        """
        if not isinstance(path, str | os.PathLike):
            raise SettingsError(f"path must be that of a TOML file, not {path!r}")
        path = Path(path)
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            raise SettingsError(f"'{path}' cannot be read as TOML: {error}") from error
        settings = read_settings(table, str(path))
        return cls(settings, read_tables(path.parent / settings.tables))

    @classmethod
    def from_frames(cls, settings: Mapping, **tables: pd.DataFrame) -> "Case":
        """Check the keys of the TOML file and the tables as pandas frames.

        Arguments:
            settings: keys and values, sections as mappings.
            tables: frames by name: roads, road_nodes, stations, chargers, trips,
                departures, paths, lines, grid_nodes, grid_profile, prices, with the
                columns of docs/tariffs.md.

        Raises:
            SettingsError: a key is wrong.
            DataError: with the faults of the tables.
        """
        return cls(read_settings(settings, "settings"), tables)

    def changed(self, changes: Mapping | None = None, **tables) -> "Case":
        """The case with other values, `{"fleet.soc_arrival": 0.3}`, or other tables.

        Arguments:
            changes: values by key; a key of a section has its name before a point.
            tables: frames in place of those of the case; None leaves one out.

        Raises:
            SettingsError, DataError: as `read`.
        """
        settings = changed(self.settings, {} if changes is None else changes)
        frames = {**self.__dict__["_frames"], **tables}
        return Case(settings, {k: v for k, v in frames.items() if v is not None})

    @property
    def times(self) -> pd.DatetimeIndex:
        """The T instants, in the time zone of the case."""
        return self.settings.times()

    @property
    def intervals(self) -> int:
        """T - 1, number of steps in which stations may draw power."""
        return self.settings.steps - 1

    @property
    def tables_as_given(self) -> dict[str, pd.DataFrame]:
        """The tables before they were checked, by name."""
        return {k: v.copy() for k, v in self.__dict__["_frames"].items()}

    def __repr__(self) -> str:
        return (
            f"Case({self.settings.name!r}: {len(self.roads.nodes)} road nodes, "
            f"{len(self.grid.nodes)} grid nodes, {len(self.stations.names)} stations, "
            f"{len(self.trips.names)} trips, {len(self.legs.path_names)} paths, "
            f"{self.settings.steps} instants of {self.settings.step_minutes} min)"
        )


def need_case(case) -> None:
    """Return None if it is a case.

    Raises:
        SettingsError: it is something else.
    """
    if not isinstance(case, Case):
        raise SettingsError(f"case must be a Case, not {type(case).__name__}")


def _read_stations(tables: dict, roads: Roads, grid: Grid, settings: Settings):
    """The stations, or what is wrong with them."""
    table, faults = tables["stations"], []
    names = table["station_id"].to_numpy(object)
    road = lookup(names, roads.nodes)
    node = lookup(table["grid_node"], grid.nodes)
    rules = (
        ("station_id", road, "no road leads to a node of that name"),
        ("grid_node", node, "not among the nodes of the grid"),
    )
    for column, number, rule in rules:
        if (number < 0).any():
            lost = table.loc[number < 0, column]
            faults.append(fault("stations", column, rule, lost))
    chargers = tables["chargers"]
    row = lookup(chargers["station_id"], names)
    if (row < 0).any():
        lost = chargers.loc[row < 0, "station_id"].unique()
        rule = "not in the table of stations"
        faults.append(fault("chargers", "station_id", rule, lost))
    if faults:
        return None, faults
    usual = np.setdiff1d(np.arange(len(names)), row)
    levels = np.array(settings.fleet.levels_kw)
    station = np.concatenate([row, np.repeat(usual, len(levels))])
    given = chargers["kw"].to_numpy(np.float64)
    power = np.concatenate([given, np.tile(levels, len(usual))])
    idle = np.zeros(len(names), bool)
    idle[station[power == 0]] = True
    places = table["places"].to_numpy(np.float64)
    keep = power != 0
    order = np.argsort(station[keep], kind="stable")
    stations = Stations(
        names=names,
        road_node=road,
        grid_node=node,
        places=np.where(np.isnan(places), settings.transport.places, places),
        level_station=station[keep][order].astype(np.int64),
        level_kw=power[keep][order],
        idle=idle,
    )
    return stations, []


def _read_prices(table: pd.DataFrame, settings: Settings):
    """c_t of all instants, and the fault of a table that leaves some out."""
    price = spread(table, "price", np.zeros(len(table), np.int64), 1, settings)[0]
    missing = np.flatnonzero(np.isnan(price))
    if not len(missing):
        return price, []
    rule = "must have a row for every step of the horizon"
    return price, [fault("prices", "price", rule, missing)]
