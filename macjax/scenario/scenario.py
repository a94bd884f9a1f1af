"""`Scenario`: vehicles, where they park and drive, and what each feeder can carry."""

import os
import warnings
from functools import cached_property

import numpy as np
import pandas as pd

from macjax._errors import Fault, SettingsError
from macjax.scenario.columns import Source
from macjax.scenario.events import StayWindows, TripEvents, stay_windows, trip_events
from macjax.scenario.files import read_folder, write_folder
from macjax.scenario.fingerprint import fingerprint
from macjax.scenario.part import check_part
from macjax.scenario.profile import expand_profile
from macjax.scenario.schema import TABLES
from macjax.scenario.subset import subset
from macjax.scenario.validate import Checked, check, check_discharge

# Before pandas 3 a shallow copy lets writes through to the frame it came from.
COPY_ON_WRITE = int(pd.__version__.split(".")[0]) >= 3


class Scenario:
    """A checked scenario; made by `Scenario.read` or `Scenario.from_frames`.

    The tables keep the order of the rows and the ids as given; absent optional
    columns hold their defaults, instants are UTC. Nothing can be changed: each access
    gives a frame of its own (without copying, on pandas 3), and the arrays of
    `stay_windows`, `trip_events` and `capacity_base` are read-only.

    Stays are clipped to the horizon and trips that depart outside it left out by
    `stay_windows` and `trip_events`, not in the frames; `notes` says how many.
    """

    _checked: Checked
    _vehicle_to_grid: bool | None

    def __init__(self, checked: Checked, vehicle_to_grid: bool | None):
        """Wrap tables that `check` has accepted; for use by the class methods.

        Arguments:
            checked: the tables.
            vehicle_to_grid: as in `read`.
        """
        self.__dict__["_checked"] = checked
        self.__dict__["_vehicle_to_grid"] = vehicle_to_grid

    def __setattr__(self, name, value):
        raise AttributeError("a Scenario cannot be changed; make another one")

    def __delattr__(self, name):
        raise AttributeError("a Scenario cannot be changed; make another one")

    @classmethod
    def read(
        cls,
        folder: str | os.PathLike,
        vehicle_to_grid: bool | None = None,
        part: tuple[int, int] | None = None,
    ) -> "Scenario":
        """Read and check a folder with scenario.toml and Parquet or CSV tables.

        Arguments:
            folder: the folder.
            vehicle_to_grid: False leaves `discharge_kw` > 0 unused; otherwise it is
                a fault, since it cannot be served yet.
            part: (index, count) reads all feeders, and of the vehicles, sorted by id,
                the share number `index` of `count` with its stays and trips, without
                holding the rest in memory; Parquet alone. None reads everything.

        Raises:
            DataError: with all faults of all files and tables.
        """
        flag, part = _flag(vehicle_to_grid), check_part(part)
        found = read_folder(folder, part)
        checked = check(
            found.keys,
            found.frames,
            vehicle_to_grid=flag,
            source=Source(text_tables=found.text_tables),
            found=found.faults,
            title=f"wrong input in {folder}",
        )
        if part is not None:
            read = len(checked.tables["vehicles"])
            total = read if found.ids is None else found.ids.ids
            note = f"part {part[0]} of {part[1]}: {read} of {total} vehicles are read"
            checked = checked._replace(notes=[*checked.notes, note])
        _announce(checked)
        return cls(checked, flag)

    @classmethod
    def from_frames(
        cls,
        *,
        name: str,
        start,
        timezone: str,
        slot_minutes: int,
        slots: int,
        vehicles: pd.DataFrame,
        stays: pd.DataFrame,
        trips: pd.DataFrame,
        feeders: pd.DataFrame,
        feeder_profile: pd.DataFrame,
        currency: str = "USD",
        vehicle_to_grid: bool | None = None,
    ) -> "Scenario":
        """Check the keys of scenario.toml and the five tables as pandas frames.

        Arguments:
            name, timezone, currency: text; the zone is an IANA name.
            start: timestamp or text with an offset, the start of slot 0.
            slot_minutes: length of one slot [min], divides 1440.
            slots: number of slots.
            vehicles, stays, trips, feeders, feeder_profile: the tables; they are not
                changed, and changing them later does not change the scenario.
            vehicle_to_grid: as in `read`.

        Raises:
            DataError: with all faults of all tables.
        """
        flag = _flag(vehicle_to_grid)
        keys = {
            "name": name,
            "start": start,
            "timezone": timezone,
            "slot_minutes": slot_minutes,
            "slots": slots,
            "currency": currency,
        }
        given = (vehicles, stays, trips, feeders, feeder_profile)
        frames = dict(zip(TABLES, given, strict=True))
        found = [
            Fault(table, "table", f"must be a pandas DataFrame; got {_kind(frame)}")
            for table, frame in frames.items()
            if not isinstance(frame, pd.DataFrame)
        ]
        frames = {k: v for k, v in frames.items() if isinstance(v, pd.DataFrame)}
        checked = check(keys, frames, vehicle_to_grid=flag, found=found)
        _announce(checked)
        return cls(checked, flag)

    def write(self, folder: str | os.PathLike, format: str = "parquet") -> None:
        """Write the scenario to a folder, as Parquet or CSV.

        A folder that already holds a scenario is replaced as a whole; any other
        existing folder is refused. The flag `vehicle_to_grid` is not part of the
        files and has to be given again when reading.

        Arguments:
            folder: where to write.
            format: `parquet`, or `csv`, which cannot keep text ids that all look like
                whole numbers and is then refused.

        Raises:
            SettingsError: the folder is something else or cannot be written.
        """
        write_folder(folder, self._checked.header, self._checked.tables, format)

    def validate(self, vehicle_to_grid: bool | None = None) -> None:
        """Return None if the scenario can be solved, else raise `DataError`.

        The tables were checked when the scenario was made and cannot change; what
        remains is `discharge_kw` > 0 when vehicle-to-grid was not switched off.

        Arguments:
            vehicle_to_grid: None takes the flag the scenario was made with.
        """
        flag = _flag(vehicle_to_grid)
        flag = self._vehicle_to_grid if flag is None else flag
        check_discharge(self._checked, flag)

    def with_tables(self, *, name: str | None = None, **tables) -> "Scenario":
        """The same horizon with other tables, checked anew.

        Arguments:
            name: of the new scenario; None keeps it.
            tables: frames in place of vehicles, stays, trips, feeders or
                feeder_profile.

        Raises:
            DataError: with all faults of all tables.
        """
        frames = {table: getattr(self, table) for table in TABLES} | tables
        return Scenario.from_frames(
            name=self.name if name is None else name,
            start=self.start,
            timezone=self.timezone,
            slot_minutes=self.slot_minutes,
            slots=self.slots,
            currency=self.currency,
            vehicle_to_grid=self.vehicle_to_grid,
            **frames,
        )

    def subset(self, feeders=None, vehicles=None) -> "Scenario":
        """A smaller scenario with the given feeders, the given vehicles, or both.

        `vehicles` keeps those vehicles with all their stays and trips, and all
        feeders. `feeders` keeps those feeders and the vehicles with at least one stay
        at one of their chargers (charger_kw > 0). Such a vehicle keeps all its stays;
        a charger on a feeder that was not kept counts as not on a studied feeder:
        feeder_id null, price 0, free to use. That favours the feeders kept, so
        `notes` says how many stays it concerns. A parent that was not kept becomes
        null. With both, the given vehicles that use a kept feeder stay.

        Rows keep their order; stays are numbered anew.

        Arguments:
            feeders, vehicles: ids, in any order; one id alone is accepted.

        Raises:
            DataError: an id that the scenario does not have.
        """
        return Scenario(subset(self._checked, feeders, vehicles), self._vehicle_to_grid)

    def with_note(self, note: str) -> "Scenario":
        """The same scenario, one sentence more in `notes`; files do not keep it.

        Arguments:
            note: the sentence.
        """
        checked = self._checked._replace(notes=[*self._checked.notes, note])
        return Scenario(checked, self._vehicle_to_grid)

    @property
    def name(self) -> str:
        """Free text."""
        return self._checked.header.name

    @property
    def start(self) -> pd.Timestamp:
        """Start of slot 0, in the zone of the scenario."""
        return self._checked.header.start

    @property
    def end(self) -> pd.Timestamp:
        """End of the last slot, in the zone of the scenario."""
        return self.slot_edges[-1].tz_convert(self.timezone)

    @property
    def timezone(self) -> str:
        """IANA name of the zone for daily profiles and local-time plots."""
        return self._checked.header.timezone

    @property
    def slot_minutes(self) -> int:
        """Length of one slot [min]."""
        return self._checked.header.slot_minutes

    @property
    def slot_hours(self) -> float:
        """Length of one slot [h]."""
        return self._checked.header.slot_minutes / 60

    @property
    def slots(self) -> int:
        """Number of slots T."""
        return self._checked.header.slots

    @property
    def currency(self) -> str:
        """Currency of all money."""
        return self._checked.header.currency

    @property
    def vehicle_to_grid(self) -> bool | None:
        """The flag as given."""
        return self._vehicle_to_grid

    @property
    def notes(self) -> list[str]:
        """What was clipped, left out or not used, one sentence each."""
        return list(self._checked.notes)

    @property
    def vehicles(self) -> pd.DataFrame:
        """The vehicles."""
        return self._frame("vehicles")

    @property
    def stays(self) -> pd.DataFrame:
        """The stays; their row number names a stay in a schedule."""
        return self._frame("stays")

    @property
    def trips(self) -> pd.DataFrame:
        """The trips."""
        return self._frame("trips")

    @property
    def feeders(self) -> pd.DataFrame:
        """The feeders."""
        return self._frame("feeders")

    @property
    def feeder_profile(self) -> pd.DataFrame:
        """The profile as given, by time or by hour of the local day."""
        return self._frame("feeder_profile")

    def _frame(self, name: str) -> pd.DataFrame:
        return self._checked.tables[name].copy(deep=not COPY_ON_WRITE)

    @cached_property
    def slot_edges(self) -> pd.DatetimeIndex:
        """The T + 1 edges of the slots, UTC."""
        return self._checked.header.edges()

    @property
    def slot_starts(self) -> pd.DatetimeIndex:
        """The T starts of the slots, UTC."""
        return self.slot_edges[:-1]

    @cached_property
    def _windows(self) -> StayWindows:
        header, links = self._checked.header, self._checked.links
        stays = self._checked.tables["stays"]
        feeder = links.stay_feeder
        return stay_windows(
            stays, links.stay_vehicle, feeder, header.start_us, header.end_us
        )

    def stay_windows(self) -> StayWindows:
        """The stays that overlap the horizon, clipped to it, as arrays in hours."""
        return self._windows

    @cached_property
    def _events(self) -> TripEvents:
        header, vehicle = self._checked.header, self._checked.links.trip_vehicle
        trips = self._checked.tables["trips"]
        return trip_events(trips, vehicle, header.start_us, header.end_us)

    def trip_events(self) -> TripEvents:
        """The trips that depart within the horizon, as arrays in hours."""
        return self._events

    @cached_property
    def _capacity_base(self) -> tuple[np.ndarray, np.ndarray]:
        checked = self._checked
        profile = checked.tables["feeder_profile"]
        feeders = len(checked.tables["feeders"])
        tables = []
        for column in ("capacity_kw", "base_kw"):
            values = profile[column].to_numpy()
            cells = checked.links.profile
            table = expand_profile(cells, values, feeders, checked.header)
            table.flags.writeable = False
            tables.append(table)
        return tables[0], tables[1]

    def capacity_base(self) -> tuple[np.ndarray, np.ndarray]:
        """Limit and load without EVs of each feeder in each slot [kW].

        Returns two read-only float64 arrays of shape (feeders, slots), in the order
        of the feeders table; `hour` profiles are expanded by local time.
        """
        return self._capacity_base

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the keys and of every column of the data contract, in hex.

        Columns beyond the contract do not count; the order of the rows does.
        """
        return fingerprint(self._checked.header, self._checked.tables)

    def __repr__(self) -> str:
        tables = self._checked.tables
        counts = ", ".join(
            f"{len(tables[name])} {name}"
            for name in ("vehicles", "stays", "trips", "feeders")
        )
        return (
            f"Scenario({self.name!r}: {counts}, {self.slots} slots of "
            f"{self.slot_minutes} min from {self.start.isoformat()})"
        )


def _flag(vehicle_to_grid) -> bool | None:
    if vehicle_to_grid is None or isinstance(vehicle_to_grid, bool | np.bool_):
        return None if vehicle_to_grid is None else bool(vehicle_to_grid)
    raise SettingsError(
        f"vehicle_to_grid must be True, False or None; got {vehicle_to_grid!r}"
    )


def _kind(value) -> str:
    return "None" if value is None else type(value).__name__


def _announce(checked: Checked) -> None:
    """Say aloud that parents are not limits yet."""
    for note in checked.notes:
        if "parent_id" in note:
            warnings.warn(note, UserWarning, stacklevel=3)
