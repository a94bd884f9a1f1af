"""Which of ActivitySim's tables a file is, told by the columns that it has."""

from typing import NamedTuple

from macjax.importers.findings import Findings
from macjax.importers.sheet import Sheet
from macjax.importers.travel import ZONE_IDS, coordinates

ROLES = ("trips", "persons", "households", "zones", "skim")


class Tables(NamedTuple):
    """The tables that were given; trips must be."""

    trips: Sheet
    persons: Sheet | None = None
    households: Sheet | None = None
    zones: Sheet | None = None
    skim: Sheet | None = None


def role(sheet: Sheet) -> str:
    """One of `ROLES`, `tours` or `land use` (not read), or nothing."""
    if sheet.has("trip_mode") or sheet.has("trip_id"):
        return "trips"
    if sheet.has("tour_id"):
        return "tours"
    if sheet.has("person_id"):
        return "persons"
    if sheet.has("household_id"):
        return "households"
    if sheet.has("origin", "destination"):
        return "skim"
    if sheet.first_of(*ZONE_IDS):
        return "zones" if coordinates(sheet) else "land use"
    return ""


def sort_tables(sheets: list[Sheet], findings: Findings) -> Tables:
    """The sheets by their role.

    Raises:
        DataError: a table that is none of them, two of one kind, or no trips.
    """
    found: dict[str, Sheet] = {}
    for sheet in sheets:
        kind = role(sheet)
        if kind in ("tours", "land use"):
            what = "tours are not needed"
            if kind == "land use":
                what = "no centroids: give columns x and y [m], or lon and lat"
            findings.note(sheet.file, "", what, "not read", (), len(sheet))
        elif kind in found:
            rule = f"is a second table of {kind}, beside {found[kind].file}"
            findings.wrong(sheet.file, "file", rule)
        elif kind:
            found[kind] = sheet
        else:
            has = ", ".join(str(c) for c in sheet.frame.columns[:12])
            rule = f"is none of {', '.join(ROLES)}: it has the columns {has}"
            findings.wrong(sheet.file, "file", rule)
    if "trips" not in found:
        names = ", ".join(sheet.file for sheet in sheets)
        rule = f"no table of trips (trip_id, trip_mode) among {names}"
        findings.wrong("trips", "file", rule)
        findings.stop()
    if any(role(sheet) == "" for sheet in sheets) or len(found) < len(
        [s for s in sheets if role(s) in ROLES]
    ):
        findings.stop()
    return Tables(**found)
