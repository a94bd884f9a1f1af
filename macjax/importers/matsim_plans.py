"""MATSim's plans -> a vehicle for every person with car legs.

Only the selected plan of a person counts, and of it the legs by car. Between two of
them the car stands where the first one ended, whatever the person does meanwhile on
foot or by other modes; the place is that of the first real activity there.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.cars import Cars
from macjax.importers.chains import APART_M, Chains
from macjax.importers.files import UnreadableError, name_of, open_bytes, sources
from macjax.importers.findings import Findings
from macjax.importers.matsim_clock import Clock, plan_clock
from macjax.importers.matsim_xml import ACTIVITY, LEG, Part, read_parts
from macjax.importers.plans import Setting, finish
from macjax.importers.result import Imported
from macjax.importers.sheet import Sheet, plain_ids
from macjax.importers.travel import check_length, trip_seconds

ENDINGS = (".xml", ".xml.gz")
SHORT_PLACES = {"h": "home", "w": "work"}
INTERACTION = " interaction"


def matsim(
    paths,
    *,
    start=None,
    timezone: str = "UTC",
    slot_minutes: int = 60,
    days: int | None = None,
    repeat: int = 1,
    cars: Cars | None = None,
    modes=("car",),
    detour: float = 1.3,
    name: str = "MATSim plans",
    on_fault: str = "error",
    progress: bool = False,
) -> Imported:
    """Import MATSim plans (population v4 to v6): a vehicle for each person with a car.

    Times count from midnight of the start, also those past 24:00. The file is read as
    a stream and may be larger than the memory.

    Arguments:
        paths: plans as .xml or .xml.gz, several files of one population, or a folder.
        start, timezone: date of the simulated day (None is 2026-03-02, a Monday), and
            the IANA zone of its clock.
        slot_minutes: length of a slot [min].
        days: length of the horizon; None is as long as the trips last.
        repeat: on how many days in a row the same plans are carried out.
        cars: what is assumed of the cars; None is `Cars()`.
        modes: modes of legs that the person's own car makes, joined by commas.
        detour: ratio of road to straight line, for legs whose route has no distance.
        name: of the scenario.
        on_fault: `error`, or `drop` the persons with faults.
        progress: say on stderr how far the reading is.

    Returns:
        vehicles, trips, and stays with x, y in the coordinates of the plans.
    """
    setting = Setting(start, timezone, slot_minutes, days, repeat, cars, name).check()
    if not isinstance(detour, int | float) or not 0 < detour < np.inf:
        raise SettingsError(f"detour must be a number above 0; got {detour!r}")
    modes = tuple(modes.split(",")) if isinstance(modes, str) else tuple(modes)
    findings = Findings(f"wrong input for {name}", on_fault)
    rules = _Rules(modes, float(detour))
    files = sources(paths, ENDINGS)
    tell = _tell if progress else None
    parts = []
    for source in files:
        if not isinstance(source, Path):
            raise SettingsError("MATSim plans are read from XML files, not from frames")
        parts += _read_file(source, rules, findings, tell)
    chains = _joined(parts, files, findings)
    return finish(chains, setting, findings, name_of(files[0]))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class _Rules(NamedTuple):
    """Modes of car legs, and road over straight line."""

    modes: tuple[str, ...]
    detour: float


class _Piece(NamedTuple):
    """Persons of one part and their car legs, as `Chains` has them."""

    persons: pd.DataFrame
    legs: pd.DataFrame
    origins: pd.DataFrame
    file: str


def _read_file(path: Path, rules: _Rules, findings: Findings, tell) -> list[_Piece]:
    pieces = []
    try:
        with open_bytes(path) as file:
            for part in read_parts(file, tell):
                pieces.append(_piece(part, path.name, rules, findings))
    except UnreadableError as error:
        findings.broken(path.name, "file", str(error))
    return pieces


def _piece(part: Part, file: str, rules: _Rules, findings: Findings) -> _Piece:
    """The car legs of some persons, with everything found about them."""
    persons, elements = part
    frame = elements.assign(id=persons["id"].reindex(elements["person"]).to_numpy())
    sheet = Sheet(file, frame, frame["line"].to_numpy(np.int64), findings)
    people = Sheet(file, persons, persons["line"].to_numpy(np.int64), findings)
    sheet.key = people.key = "id"
    kind, person = frame["kind"].to_numpy(), frame["person"].to_numpy()
    car = (kind == LEG) & frame["type"].isin(rules.modes).to_numpy(bool)
    _check_order(sheet, kind, person)
    xy = np.column_stack([sheet.number(c, null=True) for c in ("x", "y")])
    km = _distances(sheet, xy, kind, person, car, rules.detour)
    guess = np.where(car, trip_seconds(np.nan_to_num(km)), np.nan)
    clock = plan_clock(elements, guess)
    _note_clock(sheet, clock)
    _note_persons(people, person, car)
    bad = people.bad.copy()
    bad[person[sheet.bad]] = True
    still = car & (km == 0) & (clock.end - clock.begin < 60)
    sheet.note("leg", "car legs of no distance", "left out", still & ~bad[person])
    rows = np.flatnonzero(car & ~still & ~bad[person])
    legs = pd.DataFrame({"car": person[rows], "wanted": np.rint(clock.begin[rows])})
    legs["duration"] = np.rint(clock.end[rows]) - legs["wanted"]
    legs = legs.astype({"wanted": np.int64, "duration": np.int64})
    legs["km"] = km[rows]
    place_before, place_after = _places(frame, rows)
    legs["place"], legs["x"], legs["y"] = place_after, *xy[rows + 1].T
    first = ~legs["car"].duplicated().to_numpy(bool)
    origins = pd.DataFrame({"place": place_before[first]})
    origins["x"], origins["y"] = xy[rows[first] - 1].T
    _note_jumps(sheet, rows, first, xy)
    return _Piece(persons, legs, origins, file)


def _check_order(sheet: Sheet, kind: np.ndarray, person: np.ndarray) -> None:
    """Activities and legs alternate, from an activity to an activity."""
    same = person[1:] == person[:-1]
    wrong = np.zeros(len(kind), bool)
    wrong[1:] = same & (kind[1:] == kind[:-1])
    ends = np.append(True, ~same), np.append(~same, True)
    wrong |= (ends[0] | ends[1])[: len(kind)] & (kind == LEG)
    rule = "activities and legs must alternate, from an activity to an activity"
    sheet.wrong("plan", rule, wrong)


def _distances(sheet, xy, kind, person, car, detour: float) -> np.ndarray:
    """Distance of car legs [km]: of the route, else detour x straight line."""
    metres = sheet.number("distance", low=0, null=True)
    straight = np.full(len(kind), np.nan)
    straight[1:-1] = np.hypot(*(xy[2:] - xy[:-2]).T)
    estimated = car & np.isnan(metres)
    metres = np.where(estimated, detour * straight, metres)
    rule = "car leg has no route distance, nor coordinates at both ends"
    sheet.wrong("distance", rule, car & np.isnan(metres) & ~sheet.bad)
    check_length(sheet, "distance", metres / 1e3, car)
    what = f"no route distance: {detour:g} x straight line"
    sheet.note("distance", what, "assumed", estimated & ~np.isnan(metres))
    return metres / 1e3


def _note_clock(sheet: Sheet, clock: Clock) -> None:
    names = {"end": "end_time", "stay": "max_dur", "depart": "dep_time"}
    for column, rows in clock.junk.items():
        if rows.any():
            found = sheet.frame[column][rows].iloc[0]
            rule = f"must be a time HH:MM:SS; found '{found}'"
            sheet.wrong(names.get(column, "trav_time"), rule, rows)
    rule = "activity has neither end_time nor max_dur, nor its leg a dep_time"
    sheet.wrong("end_time", rule, clock.endless & ~sheet.bad)
    rule = "time goes backwards: ends before an earlier activity of the plan"
    sheet.wrong("end_time", rule, clock.backwards)
    what = "ends when the person arrives, later than it says"
    sheet.note("end_time", what, "changed", clock.late)
    what = "no travel time: by the distance"
    sheet.note("trav_time", what, "assumed", clock.guessed)
    what = "no travel time of a leg by another mode: takes none"
    sheet.note("trav_time", what, "assumed", clock.timeless)


def _note_persons(people: Sheet, person: np.ndarray, car: np.ndarray) -> None:
    people.wrong("person", "must have an id", people.frame["id"].eq("").to_numpy(bool))
    plans = people.frame["plans"].to_numpy()
    drives = np.zeros(len(people), bool)
    drives[person[car]] = True
    people.note("plan", "persons without a plan", "left out", plans == 0)
    people.note("leg", "persons without a car leg", "left out", ~drives & (plans > 0))
    unmarked = (plans > 1) & ~people.frame["selected"].to_numpy(bool)
    people.note("selected", "no plan is selected: the first one", "assumed", unmarked)


def _places(frame: pd.DataFrame, rows: np.ndarray):
    """Place of the last real activity before each leg and of the first one after it.

    Interactions (`car interaction`) are steps on the way. Where none but those lie
    between two car legs the place is `public`.
    """
    if not len(rows):
        return np.empty(0, object), np.empty(0, object)
    kind = frame["type"].fillna("").str.lower()
    real = (frame["kind"] == ACTIVITY) & ~kind.str.endswith(INTERACTION)
    word = kind.str.extract(r"^([^_]*)")[0].str.strip().replace(SHORT_PLACES)
    word = word.to_numpy(object)
    at = np.where(real, np.arange(len(frame)), -1)
    before = np.maximum.accumulate(at)[rows]
    far = np.where(real, np.arange(len(frame)), len(frame))
    after = np.minimum.accumulate(far[::-1])[::-1][rows]
    person = frame["person"].to_numpy()
    until = np.append(rows[1:], len(frame))
    here = (after < until) & (after < len(frame))
    here[here] = person[after[here]] == person[rows[here]]
    there = (before >= 0) & (person[np.maximum(before, 0)] == person[rows])
    last = len(frame) - 1
    return (
        np.where(there, word[np.maximum(before, 0)], "public"),
        np.where(here, word[np.minimum(after, last)], "public"),
    )


def _note_jumps(sheet: Sheet, rows, first, xy) -> None:
    """Car legs that begin where the car does not stand."""
    gap = np.hypot(*(xy[rows[1:] - 1] - xy[rows[:-1] + 1]).T)
    apart = np.zeros(len(sheet), bool)
    apart[rows[1:]] = ~first[1:] & (gap > APART_M)
    what = f"begins more than {APART_M:g} m from where the car stood; not driven"
    sheet.note("leg", what, "assumed", apart)


def _joined(pieces: list[_Piece], files: list, findings: Findings) -> Chains:
    """All pieces with one number a person who drives; ids are unique over all."""
    persons = pd.concat(
        [p.persons.assign(file=p.file) for p in pieces], ignore_index=True
    )
    again = persons["id"].duplicated(keep=False) & persons["id"].ne("")
    for file, rows in persons[again].groupby("file"):
        rule = "person comes more than once"
        lines, ids = rows["line"].tolist(), rows["id"].tolist()
        findings.wrong(str(file), "id", rule, lines, len(rows), ids)
    offsets = np.cumsum([0, *[len(p.persons) for p in pieces]])
    numbered = zip(pieces, offsets, strict=False)
    legs = [p.legs.assign(car=p.legs["car"] + offset) for p, offset in numbered]
    legs = pd.concat(legs, ignore_index=True)
    origins = pd.concat([p.origins for p in pieces], ignore_index=True)
    codes, cars = pd.factorize(legs["car"])
    keep = ~again.to_numpy(bool)[cars]
    new = np.where(keep, np.cumsum(keep) - 1, -1)
    legs = legs.assign(car=new[codes])[keep[codes]].reset_index(drop=True)
    origins = origins[keep].reset_index(drop=True)
    ids = persons["id"].iloc[cars[keep]].reset_index(drop=True)
    findings.settle()
    return Chains(plain_ids(ids), legs, origins, ("x", "y"))
