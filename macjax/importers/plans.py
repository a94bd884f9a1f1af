"""Chains of trips of one day -> the import of a fleet, and what was assumed for it.

Used by the formats that hold plans and know neither dates nor cars.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.cars import Cars
from macjax.importers.chains import (
    Chains,
    chain_tables,
    depart_times,
    moved_ends,
    repeat_days,
)
from macjax.importers.findings import Findings
from macjax.importers.horizon import DAY_SECONDS, START, check_count, make_horizon
from macjax.importers.result import Imported


class Setting(NamedTuple):
    """How plans are put on the calendar, and the cars that drive them.

    Arguments:
        start, timezone: date of the first day and the zone of its clock; a start of
            None is the date `START`, which is then reported.
        slot_minutes: length of a slot [min].
        days: length of the horizon; None is as long as the trips last.
        repeat: on how many days in a row the plans are carried out.
        cars: what is assumed of the cars; None is `Cars()`.
        name: of the scenario.
    """

    start: object | None
    timezone: str
    slot_minutes: int
    days: int | None
    repeat: int
    cars: Cars | None
    name: str

    @property
    def date(self):
        """The start, also where none was given."""
        return START if self.start is None else self.start

    def check(self) -> "Setting":
        """The setting with its cars; raises SettingsError where a value is wrong."""
        check_count("repeat", self.repeat)
        make_horizon(self.date, self.timezone, self.slot_minutes, self.days or 1)
        if self.days is not None:
            check_count("days", self.days)
        cars = Cars() if self.cars is None else self.cars
        if not isinstance(cars, Cars):
            raise SettingsError(f"cars must be importers.Cars(...); got {cars!r}")
        return self._replace(cars=cars)


def finish(chains: Chains, setting: Setting, findings: Findings, file: str) -> Imported:
    """The import of a fleet; the last faults are raised here.

    Arguments:
        chains: the trips of one day, in seconds since its midnight.
        setting: as `check` gives it.
        findings: what was found so far.
        file: name of the file, in the report.
    """
    if chains.legs.empty:
        findings.wrong(file, "", "holds no car trip of a driver", (), 1)
        findings.stop()
    findings.settle()
    cars = Cars() if setting.cars is None else setting.cars
    moved = moved_ends(chains)
    chains = repeat_days(chains, setting.repeat)
    days = setting.days or _days(chains)
    horizon = make_horizon(setting.date, setting.timezone, setting.slot_minutes, days)
    vehicles, stays, trips, late = chain_tables(chains, horizon, cars)

    def note(what: str, action: str, mask: np.ndarray) -> None:
        names = chains.ids.to_numpy(object)[mask]
        findings.note(file, "", what, action, (), int(mask.sum()), names)

    note("ends elsewhere than it began", "assumed", moved)
    if setting.repeat > 1:
        note("each further day begins where the first did", "assumed", moved)
    car = chains.legs["car"].to_numpy()
    delayed = np.zeros(len(chains.ids), bool)
    delayed[car[late]] = True
    note("departs later, when the trip before has ended", "changed", delayed)
    dropped = len(chains.legs) - len(trips)
    what = "trips depart after the horizon"
    findings.note(file, "", what, "left out", (), dropped)
    if setting.start is None:
        what = f"no date in the file: day 1 is {START}, a Monday"
        findings.note(file, "", what, "assumed")
    if not (stays["charger_kw"] > 0).any():
        what = "no stay has a charger; places: " + ", ".join(_places(stays))
        findings.note("stays", "charger_kw", what, "assumed", (), len(stays))
    return Imported(setting.name, findings.report(), horizon, vehicles, stays, trips)


def _days(chains: Chains) -> int:
    """Whole days until the last trip has departed."""
    legs = chains.legs
    duration = np.maximum(legs["duration"].to_numpy(np.int64), 1)
    wanted = legs["wanted"].to_numpy(np.int64)
    last = depart_times(legs["car"].to_numpy(), wanted, duration).max()
    return int(last) // DAY_SECONDS + 1


def _places(stays: pd.DataFrame) -> list[str]:
    return [str(place) for place in stays["place"].value_counts().index[:10]]
