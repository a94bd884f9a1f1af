"""All rules of the data contract on a whole scenario, all faults in one report.

`check` reads every table (columns.py), links the ids between tables (ids.py), and
checks what needs more than one row: unique ids, parents (tree.py), overlaps
(intervals.py) and the profile (profile.py). It never stops at the first fault.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from macjax._errors import DataError, Fault
from macjax.scenario.arrow import as_arrow, text_series
from macjax.scenario.columns import CleanTable, Source, clean_table
from macjax.scenario.header import Header, check_header
from macjax.scenario.ids import Link, id_series, link
from macjax.scenario.intervals import Intervals, check_overlaps
from macjax.scenario.profile import ProfileCells, check_complete, profile_cells
from macjax.scenario.report import RowNames
from macjax.scenario.schema import TABLES
from macjax.scenario.tree import check_forest

OWNERS = {"vehicles": "vehicle_id", "feeders": "feeder_id"}


class Links(NamedTuple):
    """Row numbers of the tables that ids name, int32, -1 for none.

    Arguments:
        stay_vehicle, stay_feeder: for each row of stays.
        trip_vehicle: for each row of trips.
        parent: for each row of feeders.
        profile: place of each row of the profile.
    """

    stay_vehicle: np.ndarray
    stay_feeder: np.ndarray
    trip_vehicle: np.ndarray
    parent: np.ndarray
    profile: ProfileCells


class Checked(NamedTuple):
    """What a checked scenario consists of.

    Arguments:
        header: the keys of scenario.toml.
        tables: the frames with ids, instants and numbers in one form each.
        links: the ids as row numbers.
        notes: what was left out, clipped or not used, in words.
    """

    header: Header
    tables: dict[str, pd.DataFrame]
    links: Links
    notes: list[str]


def check(
    keys: Mapping | None,
    frames: Mapping[str, pd.DataFrame],
    *,
    vehicle_to_grid: bool | None = None,
    source: Source | None = None,
    found: list[Fault] | None = None,
    title: str = "wrong input",
) -> Checked:
    """Check keys and tables; raises `DataError` with every fault that there is.

    Arguments:
        keys: the keys of scenario.toml, None if they could not be read.
        frames: the tables that could be read.
        vehicle_to_grid: False allows `discharge_kw` > 0 and leaves it unused.
        source: where the frames come from.
        found: faults that were met on the way here, e.g. files that are missing.
        title: first line of the report.
    """
    source = Source() if source is None else source
    faults = list(found or [])
    header, zone, header_faults = (None, None, [])
    if keys is not None:
        header, zone, header_faults = check_header(keys)
    faults += header_faults
    source = Source(source.text_tables, zone)
    clean = {
        name: clean_table(table, frames[name], source)
        for name, table in TABLES.items()
        if name in frames
    }
    links = _link_ids(clean)
    cells, profile_notes = None, []
    if "feeder_profile" in clean:
        cells, profile_notes = _check_profile(clean, links, header)
    _check_forest(clean, links)
    stays = clean.get("stays")
    if stays is not None and "discharge_kw" in stays.columns:
        asked = stays.columns["discharge_kw"]
        stays.faults += _discharge_faults(stays.names, asked, vehicle_to_grid)
    for name in TABLES:
        if name in clean:
            faults += clean[name].faults
    faults += _check_overlaps(clean, links)
    if faults or header is None or cells is None:
        raise DataError(faults, title)
    notes = [note for table in clean.values() for note in table.notes] + profile_notes
    rows = Links(
        links["stays", "vehicle_id"].codes,
        links["stays", "feeder_id"].codes,
        links["trips", "vehicle_id"].codes,
        links["feeders", "parent_id"].codes,
        cells,
    )
    tables = {name: _frame(table, links) for name, table in clean.items()}
    notes += _horizon_notes(header, clean) + _unused_notes(clean)
    return Checked(header, tables, rows, notes)


def _link_ids(clean: dict[str, CleanTable]) -> dict[tuple[str, str], Link]:
    """Link every column that names rows of another table; faults go to its table."""
    links = {}
    for name, table in clean.items():
        for column in table.table.columns:
            if column.refers is None or column.name not in table.ids:
                continue
            ids = table.ids[column.name]
            owner = clean.get(column.refers)
            key = OWNERS[column.refers]
            if owner is None or key not in owner.ids or owner.ids[key].wrong:
                codes = np.full(table.rows, -1, np.int32)
                links[name, column.name] = Link(codes, ids.values, [])
                continue
            found = link(ids, owner.ids[key], column, table.names, key)
            links[name, column.name] = found
            table.faults += found.faults
    return links


def _check_profile(
    clean: dict[str, CleanTable], links: dict, header: Header | None
) -> tuple[ProfileCells | None, list[str]]:
    table = clean["feeder_profile"]
    feeder = links.get(("feeder_profile", "feeder_id"))
    codes = np.full(table.rows, -1, np.int32) if feeder is None else feeder.codes
    cells, faults, notes = profile_cells(table, codes, header)
    table.faults += faults
    broken = {fault.column for fault in table.faults} & {"time", "hour", "time, hour"}
    feeders = clean.get("feeders")
    if cells is None or broken or feeders is None or feeder is None:
        return cells, notes
    owned = feeders.ids.get("feeder_id")
    if owned is not None and not owned.wrong:
        if not table.ids["feeder_id"].wrong:
            table.faults += check_complete(cells, table, owned, header)
    return cells, notes


def _check_forest(clean: dict[str, CleanTable], links: dict) -> None:
    parent = links.get(("feeders", "parent_id"))
    if parent is not None:
        feeders = clean["feeders"]
        feeders.faults += check_forest(parent.codes, feeders.names)


def _discharge_faults(names: RowNames, asked, vehicle_to_grid) -> list[Fault]:
    if vehicle_to_grid is False:
        return []
    rule = (
        "greater than 0 asks for vehicle-to-grid, which macjax does not serve yet; "
        "give vehicle_to_grid=False to leave the column unused"
    )
    return names.fault("discharge_kw", rule, (asked > 0) & np.isfinite(asked))


def check_discharge(checked: Checked, vehicle_to_grid: bool | None) -> None:
    """Raise `DataError` where a checked scenario asks for vehicle-to-grid."""
    stays = checked.tables["stays"]
    names = RowNames("stays", as_arrow(stays["vehicle_id"]), numbered=True)
    asked = stays["discharge_kw"].to_numpy()
    faults = _discharge_faults(names, asked, vehicle_to_grid)
    if faults:
        raise DataError(faults)


def _check_overlaps(clean: dict[str, CleanTable], links: dict) -> list[Fault]:
    """Overlaps of stays and trips, with vehicles told apart by id."""
    parts, ids = [], []
    for name, begin, end in (
        ("stays", "arrival", "departure"),
        ("trips", "departure", "arrival"),
    ):
        table = clean.get(name)
        known = table is not None and {begin, end} <= set(table.columns)
        if table is None or not known or "vehicle_id" not in table.ids:
            nothing = np.empty(0, "datetime64[us]")
            parts.append((np.empty(0, np.int32), nothing, nothing, None))
            continue
        codes = links[name, "vehicle_id"].codes
        columns = table.columns[begin], table.columns[end]
        parts.append((codes, *columns, table.names))
        ids.append((len(parts) - 1, table.ids["vehicle_id"]))
    if any((parts[k][0] < 0).any() for k, _ in ids):
        # Some ids name no vehicle: tell vehicles apart by the ids themselves.
        texts = [i.values.cast(pa.large_string()) for _, i in ids]
        coded = pa.chunked_array(texts).combine_chunks().dictionary_encode().indices
        codes = coded.fill_null(-1).to_numpy(zero_copy_only=False)
        bounds = np.cumsum([0, *[len(text) for text in texts]])
        for (k, _), low, high in zip(ids, bounds[:-1], bounds[1:], strict=True):
            parts[k] = (codes[low:high], *parts[k][1:])
    return check_overlaps(*[Intervals(*part) for part in parts])


def _frame(clean: CleanTable, links: dict) -> pd.DataFrame:
    """The checked table as a frame: columns as given, then the defaults."""
    names = clean.given + [n for n in clean.table.names if n not in clean.given]
    columns = {}
    for name in names:
        if name in clean.extra:
            columns[name] = clean.extra[name]
        elif name in clean.ids:
            found = links.get((clean.table.name, name))
            values = clean.ids[name].values if found is None else found.values
            columns[name] = id_series(values, clean.table[name].null)
        elif name in clean.columns:
            values = clean.columns[name]
            if clean.table[name].kind == "hour" and not np.isnan(values).any():
                values = values.astype(np.int64)
            columns[name] = _series(values)
        elif name in clean.texts:
            columns[name] = text_series(clean.texts[name])
    return pd.DataFrame(columns, index=pd.RangeIndex(clean.rows), copy=False)


def _series(values: np.ndarray) -> pd.Series:
    if values.dtype.kind == "M":
        return pd.Series(values, copy=False).dt.tz_localize("UTC")
    return pd.Series(values, copy=False)


def _horizon_notes(header: Header, clean: dict[str, CleanTable]) -> list[str]:
    """How many rows the horizon clips or leaves out."""
    start = np.datetime64(header.start_us, "us")
    end = np.datetime64(header.end_us, "us")
    stays, trips = clean["stays"].columns, clean["trips"].columns
    out = (stays["departure"] <= start) | (stays["arrival"] >= end)
    cut = ~out & ((stays["arrival"] < start) | (stays["departure"] > end))
    away = (trips["departure"] < start) | (trips["departure"] >= end)
    late = ~away & (trips["arrival"] > end)
    words = (
        (cut, "stays: {} reach beyond the horizon and are clipped to it"),
        (out, "stays: {} lie outside the horizon and are left out"),
        (away, "trips: {} depart outside the horizon and are left out"),
        (late, "trips: {} arrive after the horizon and count in full"),
    )
    counts = [(int(np.count_nonzero(mask)), text) for mask, text in words]
    return [
        text.format(f"{count} row{'s' if count != 1 else ''}")
        for count, text in counts
        if count
    ]


def _unused_notes(clean: dict[str, CleanTable]) -> list[str]:
    """Columns that the solver does not serve yet, and a unit that looks odd."""
    notes = []
    asks = int(np.count_nonzero(clean["stays"].columns["discharge_kw"] > 0))
    if asks:
        notes.append(
            f"stays: discharge_kw > 0 in {asks} rows is not used "
            "(vehicle_to_grid=False)"
        )
    parents = len(clean["feeders"].ids["parent_id"].values)
    parents -= clean["feeders"].ids["parent_id"].values.null_count
    if parents:
        notes.append(
            f"feeders: {parents} feeders have a parent_id; parents are ignored as "
            "limits for now"
        )
    battery = clean["vehicles"].columns["battery_kwh"]
    if len(battery) and np.median(battery) < 1.0:
        notes.append(
            f"vehicles: half of the batteries hold less than "
            f"{np.median(battery):g} kWh; is battery_kwh in MWh?"
        )
    return notes
