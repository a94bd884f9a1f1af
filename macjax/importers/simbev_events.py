"""SimBEV's files of one car each -> vehicles whose stays and trips are its events.

Steps count from the first timestamp, 15 minutes each. SOC, energy and chargers are
those of the files: a vehicle starts with its first SOC and has to end with its last
one, so that it charges as much as SimBEV charged, wherever and whenever is best.
"""

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.cars import Cars
from macjax.importers.files import name_of, sources
from macjax.importers.findings import Findings
from macjax.importers.horizon import (
    START,
    Horizon,
    check_count,
    instant,
    make_horizon,
)
from macjax.importers.result import Imported
from macjax.importers.sheet import Sheet, join_sheets, read_sheets
from macjax.importers.simbev_layouts import (
    battery_in_name,
    is_standing,
    read_events,
    read_standing,
    vehicle_name,
)
from macjax.scenario.schema import DAY_MINUTES
from macjax.scenario.times import NAIVE

ENDINGS = ("events.csv", "events.csv.gz", "standing_times.csv", "standing_times.csv.gz")
CHARGERS = ("used", "place")
DEFAULT_CARS = Cars(charge_efficiency=1.0, reserve_share=0.0)
OWN_PLACES = ("home", "work")
# SimBEV rounds SOC to four digits; a difference of more than this is not rounding.
SOC_TOLERANCE = 2e-3


def simbev(
    paths,
    *,
    start=None,
    timezone: str = "Europe/Berlin",
    slot_minutes: int = 15,
    days: int | None = None,
    cars: Cars | None = None,
    step_minutes: int = 15,
    chargers: str = "used",
    name: str = "SimBEV events",
    on_fault: str = "error",
) -> Imported:
    """Import SimBEV's car files, of the layouts `events` and `standing_times`.

    Arguments:
        paths: the CSV files of the cars, or their folder.
        start: date of step 0; None is the first timestamp of the files.
        timezone: IANA name of the zone of their clock.
        slot_minutes: length of a slot [min].
        days: length of the horizon; None is as long as the events last.
        cars: efficiency, reserve, and the battery where no file says it; None is
            `Cars(charge_efficiency=1.0, reserve_share=0.0)`: SimBEV charges without
            losses.
        step_minutes: length of SimBEV's steps [min].
        chargers: `used`: at the stays at which SimBEV's car was plugged in; `place`:
            at home and at work whenever the car stands there, if it ever was.
        name: of the scenario.
        on_fault: `error`, or `drop` the vehicles with wrong rows.

    Returns:
        vehicles, stays and trips.
    """
    if chargers not in CHARGERS:
        raise SettingsError(f"chargers must be 'used' or 'place'; got {chargers!r}")
    check_count("step_minutes", step_minutes)
    make_horizon(START if start is None else start, timezone, slot_minutes, days or 1)
    cars = DEFAULT_CARS if cars is None else cars
    findings = Findings(f"wrong input for {name}", on_fault)
    sheet, events, names = _read(paths, cars, findings)
    begins = _begins(sheet, events, timezone, step_minutes)
    events = _checked(sheet, events, one_step=sheet.has("park_start"))
    battery = _batteries(sheet, events, names, cars, findings)
    _note_energies(sheet, events, battery)
    start = _start(begins, start, timezone, findings, sheet.file)
    horizon = _horizon(events, start, timezone, slot_minutes, days, step_minutes)
    if chargers == "place":
        events = _own_chargers(events)
    tables = _tables(events, battery, cars, horizon, 60 * step_minutes)
    return Imported(name, findings.report(), horizon, *tables)


def _read(paths, cars: Cars, findings: Findings):
    """All files as one sheet, its events with their vehicle, and the vehicles."""
    files = sources(paths, ENDINGS)
    names = [vehicle_name(name_of(file)) for file in files]
    sheets = read_sheets(files, findings)
    _check_names(sheets, names, findings)
    standing = [is_standing(sheet) for sheet in sheets]
    if any(standing) and not all(standing):
        findings.broken(sheets[0].file, "file", "the files are of two layouts")
    sheet = join_sheets(sheets, findings, f"{len(sheets)} files", names)
    if standing[0]:
        events = read_standing(sheet, cars.charge_efficiency)
    else:
        events = read_events(sheet)
    return sheet, events.assign(vehicle=sheet.frame["source"].to_numpy(object)), names


def _check_names(sheets: list[Sheet], names: list[str], findings: Findings) -> None:
    """A car has one file."""
    seen = pd.Series(names).duplicated(keep=False).to_numpy(bool)
    for sheet, name, again in zip(sheets, names, seen, strict=True):
        if again:
            findings.wrong(sheet.file, "file", f"is not the only one of car '{name}'")
    if seen.any():
        findings.stop()


def _begins(sheet: Sheet, events: pd.DataFrame, timezone: str, step_minutes: int):
    """The local time of step 0 by the timestamps, or None where there are none.

    Timestamps that do not fit event_start x step are faults.
    """
    if not sheet.has("timestamp"):
        return None
    text = sheet.text("timestamp")
    dated = text.astype(object).where(text.str.match(NAIVE).fillna(False), None)
    stamps = pd.to_datetime(dated, format="ISO8601", errors="coerce")
    junk = stamps.isna().to_numpy(bool) & text.notna().to_numpy(bool)
    if junk.any():
        found = text[junk].iloc[0]
        rule = f"must be a time such as 2021-09-17 00:15:00; found '{found}'"
        sheet.wrong("timestamp", rule, junk)
    step = pd.to_timedelta(events["begin"] * step_minutes, unit="min")
    zero = stamps - step
    known = zero.dropna()
    if known.empty:
        return None
    begins = known.mode().iloc[0]
    off = (zero != begins).to_numpy(bool) & zero.notna().to_numpy(bool)
    rule = f"does not fit event_start in steps of {step_minutes} minutes from {begins}"
    sheet.wrong("timestamp", rule, off)
    return begins


def _checked(sheet: Sheet, events: pd.DataFrame, one_step: bool) -> pd.DataFrame:
    """Events of vehicles without faults, sorted by vehicle and time.

    Arguments:
        one_step: the older layout counts a step twice now and then; an event that is
            one step too long is cut.
    """
    events = events.sort_values(["vehicle", "begin", "steps"], kind="stable")
    row = events.index.to_numpy()
    end = (events["begin"] + events["steps"]).to_numpy()
    same = np.append(_same(events["vehicle"].to_numpy()), False)
    ahead = np.append(events["begin"].to_numpy()[1:], np.nan)
    over = np.where(same, end - ahead, 0)

    def mark(mask: np.ndarray) -> np.ndarray:
        rows = np.zeros(len(sheet), bool)
        rows[row[mask]] = True
        return rows

    cut = (over == 1) & (events["steps"].to_numpy() > 1) & one_step
    events["steps"] = events["steps"] - cut
    sheet.note(
        "park_end", "ends a step after the next begins: cut", "changed", mark(cut)
    )
    rule = "lasts longer than until the next event of the car begins"
    sheet.wrong("event_time", rule, mark((over > 0) & ~cut))
    what = "is followed by a gap, in which the car is nowhere"
    sheet.note("event_time", what, "assumed", mark(over < 0))
    after = np.append(events["soc_start"].to_numpy()[1:], np.nan)
    jump = same & (np.abs(after - events["soc_end"].to_numpy()) > SOC_TOLERANCE)
    what = "is not the SOC at which the next event begins; energies count"
    sheet.note("soc_end", what, "assumed", mark(jump))
    sheet.findings.settle()
    broken = set(events["vehicle"][sheet.bad[row]])
    events = events.assign(row=row)
    kept = events[~events["vehicle"].isin(broken)].reset_index(drop=True)
    if kept.empty:
        sheet.findings.stop()
    return kept


def _same(values: np.ndarray) -> np.ndarray:
    return values[1:] == values[:-1]


def _batteries(sheet, events, names, cars: Cars, findings) -> pd.Series:
    """Battery of each vehicle [kWh]: by its file's name, a column, or `cars`."""
    battery = pd.Series({name: battery_in_name(name) for name in names}, dtype=float)
    if sheet.has("bat_cap"):
        column = pd.Series(sheet.number("bat_cap", low=0.1)).groupby(
            sheet.frame["source"].to_numpy(object)
        )
        battery = battery.fillna(column.first())
    unknown = battery.isna()
    what = f"no battery in the name of the file: {cars.battery_kwh:g} kWh"
    ids = battery.index[unknown].tolist()
    findings.note(sheet.file, "battery_kwh", what, "assumed", (), len(ids), ids)
    return battery.fillna(cars.battery_kwh).reindex(pd.unique(events["vehicle"]))


def _note_energies(sheet: Sheet, events: pd.DataFrame, battery: pd.Series) -> None:
    """Tell events whose energy is not the change of their SOC."""
    kwh = events["vehicle"].map(battery).to_numpy(np.float64)
    change = (events["soc_end"] - events["soc_start"]).to_numpy() * kwh
    off = np.abs(change - events["energy"].to_numpy()) > SOC_TOLERANCE * kwh
    rows = np.zeros(len(sheet), bool)
    rows[events["row"].to_numpy()[off]] = True
    what = "the change of SOC is not the event's energy; energies count"
    sheet.note("soc_start, soc_end", what, "assumed", rows)


def _start(begins, start, timezone: str, findings: Findings, file: str):
    """What the caller says, else the first timestamp, else the default date."""
    if start is None:
        if begins is None:
            what = f"no date in the file: day 1 is {START}, a Monday"
            findings.note(file, "", what, "assumed")
        return START if begins is None else begins
    if begins is not None and instant(start, timezone) != instant(begins, timezone):
        what = f"the timestamps begin at {begins}, the scenario at {start}"
        findings.note(file, "timestamp", what, "changed")
    return start


def _horizon(events, start, timezone, slot_minutes, days, step_minutes) -> Horizon:
    last = int((events["begin"] + events["steps"]).max()) * step_minutes
    length = days or max(1, -(-last // DAY_MINUTES))
    return make_horizon(start, timezone, slot_minutes, length)


def _own_chargers(events: pd.DataFrame) -> pd.DataFrame:
    """At home and at work the most that the car ever could draw there, always."""
    key = [events["vehicle"], events["place"]]
    most = events["charger_kw"].groupby(key).transform("max")
    own = events["place"].isin(OWN_PLACES) & ~events["driving"]
    return events.assign(charger_kw=events["charger_kw"].where(~own, most))


def _tables(events, battery, cars: Cars, horizon: Horizon, step_seconds: int):
    """vehicles, stays and trips."""
    begin = horizon.instants(events["begin"] * step_seconds)
    end = horizon.instants((events["begin"] + events["steps"]) * step_seconds)
    driving = events["driving"].to_numpy(bool)
    ids = pd.Series(battery.index, dtype=object)
    name = events["vehicle"].to_numpy(object)
    by_vehicle = events.groupby("vehicle", sort=False)
    first = by_vehicle["soc_start"].first().reindex(ids).to_numpy()
    last = by_vehicle["soc_end"].last().reindex(ids).to_numpy()
    charged = by_vehicle["energy"].sum().reindex(ids).to_numpy()
    kwh = battery.to_numpy()
    vehicles = cars.vehicles(ids)
    vehicles["battery_kwh"] = kwh
    vehicles["reserve_kwh"] = cars.reserve_share * kwh
    vehicles["initial_kwh"] = np.minimum(first, 1) * kwh
    # SOC is rounded in the files, so that the sum of energies may fall short of it.
    final = np.minimum(np.minimum(last, 1) * kwh, vehicles["initial_kwh"] + charged)
    vehicles["final_kwh"] = np.maximum(final, vehicles["reserve_kwh"])
    stays = pd.DataFrame(
        {
            "vehicle_id": name[~driving],
            "arrival": begin[~driving],
            "departure": end[~driving],
            "charger_kw": events["charger_kw"].to_numpy()[~driving],
            "place": events["place"].to_numpy(object)[~driving],
        }
    )
    trips = pd.DataFrame(
        {
            "vehicle_id": name[driving],
            "departure": begin[driving],
            "arrival": end[driving],
            "energy_kwh": -events["energy"].to_numpy()[driving],
        }
    )
    return vehicles, stays, trips
