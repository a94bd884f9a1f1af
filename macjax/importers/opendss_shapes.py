"""Load shapes of OpenDSS as curves of equal steps, and base load of a day or of days.

A shape has `npts` values, `interval` hours apart, in the text (`mult=[...]`) or in a
file (`mult=(file=x.csv)`), per unit of the load's kW, or in kW with `useactual`. Shapes
of one day repeat; of longer ones a day is chosen, or days in a row.
"""

import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.files import UnreadableError, read_text
from macjax.importers.findings import Findings
from macjax.importers.horizon import Horizon
from macjax.importers.opendss_circuit import values_of
from macjax.importers.opendss_script import Script, unquoted, within
from macjax.scenario.schema import DAY_MINUTES

_FILE = re.compile(r"(?i)^file\s*=\s*(\"[^\"]*\"|'[^']*'|[^,\s]+)\s*(.*)$")
_OPTION = re.compile(r"(?i)(column|header)\s*=\s*(\w+)")
MULTS = ("mult", "pmult", "csvfile")


class Curves(NamedTuple):
    """Curves of one length.

    Arguments:
        values: shape (curves, steps), by the order of `names`.
        names: load shapes.
        actual: whether a curve is in kW.
        minutes: length of a step [min].
    """

    values: np.ndarray
    names: list[str]
    actual: np.ndarray
    minutes: int


def read_curves(
    script: Script, table: pd.DataFrame, used, root: Path, findings: Findings
) -> Curves:
    """The load shapes that loads use, on one step.

    Arguments:
        script: for the files.
        table: properties, as `read_circuit` gives them.
        used: names of the shapes.
        root: the folder that files may not leave.
        findings: faults of shapes go there.
    """
    own = table[table["kind"] == "loadshape"]
    there = own["key"].str.removeprefix("loadshape.")
    found, minutes, actual, names = [], [], [], []
    for name in used:
        rows = own[(there == name).to_numpy(bool)]
        if rows.empty:
            findings.wrong("circuit", "loadshape", f"'{name}' is not there")
            continue
        at = (str(rows["file"].iloc[0]), int(rows["line"].iloc[0]))
        try:
            curve, step = _curve(rows, script.files[at[0]].parent, root)
        except (UnreadableError, ValueError, OverflowError) as error:
            findings.wrong(at[0], "loadshape", str(error), [at[1]], 1, [name])
            continue
        found.append(curve)
        minutes.append(step)
        names.append(name)
        flag = values_of(rows, "useactual").str.lower()
        actual.append(bool(flag.isin(["y", "yes", "true", "t"]).any()))
    findings.settle()
    return Curves(*_aligned(found, minutes, names, np.array(actual, bool)))


def _curve(rows: pd.DataFrame, folder: Path, root: Path) -> tuple[np.ndarray, int]:
    """Values of a shape and its step [min]; ValueError says what is wrong."""
    given = rows[rows["name"].isin(MULTS)]
    if given.empty:
        raise ValueError("has no mult")
    text, name = str(given["value"].iloc[-1]), str(given["name"].iloc[-1])
    text = f"file={text}" if name == "csvfile" else text
    named = _FILE.match(text.strip())
    values = _numbers_of_file(named, folder, root) if named else _numbers(text)
    points = values_of(rows, "npts")
    if len(points):
        count = int(float(points.iloc[0]))
        if len(values) < count:
            raise ValueError(f"has {len(values)} values, not npts={count}")
        values = values[:count]
    seconds = _step_seconds(rows)
    if seconds < 60:  # means of a minute
        width = 60 // seconds
        if len(values) % width:
            raise ValueError(f"has {len(values)} values, which are no whole minutes")
        values, seconds = values.reshape(-1, width).mean(axis=1), 60
    step = seconds // 60
    if (len(values) * step) % DAY_MINUTES:
        hours = len(values) * step / 60
        raise ValueError(f"is {hours:g} hours long; whole days are needed")
    return values, step


def _step_seconds(rows: pd.DataFrame) -> int:
    """Step of a shape [s]: one that divides a minute, or whole minutes of a day."""
    seconds = 3600.0
    for name, unit in (("minterval", 60.0), ("sinterval", 1.0), ("interval", 3600.0)):
        found = values_of(rows, name)
        if len(found):
            seconds = float(found.iloc[0]) * unit
            break
    whole = round(seconds)
    within = 60 if whole < 60 else 60 * DAY_MINUTES
    wrong = whole < 1 or abs(seconds - whole) > 1e-2 or within % whole
    if wrong or (whole > 60 and whole % 60):
        raise ValueError(f"has an interval of {seconds:g} seconds")
    return whole


def _numbers(text: str) -> np.ndarray:
    words = [w for w in re.split(r"[\s,]+", unquoted(text)) if w]
    try:
        return _finite(np.array(words, np.float64))
    except ValueError as error:
        raise ValueError(f"must be numbers; {error}") from error


def _numbers_of_file(named: re.Match, folder: Path, root: Path) -> np.ndarray:
    """Numbers of a text file: one in a line, or one column of several."""
    path = within(folder, unquoted(named[1]), root)
    if isinstance(path, str):
        raise ValueError(path)
    if path.suffix.lower() in (".sng", ".dbl"):
        raise ValueError(f"'{path.name}' is binary; write it as CSV")
    options = {k.lower(): v.lower() for k, v in _OPTION.findall(named[2])}
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    lines = lines[options.get("header", "no")[0] in "yt" :]
    column = int(options.get("column", 1)) - 1
    cells = pd.Series(lines, dtype=object).str.split(r"[\s,]+").str[column]
    numbers = pd.to_numeric(cells, errors="coerce")
    if numbers.isna().any():
        row = int(np.flatnonzero(numbers.isna())[0])
        raise ValueError(f"'{path.name}' has no number in its line {row + 1}")
    return _finite(numbers.to_numpy(np.float64))


def _finite(values: np.ndarray) -> np.ndarray:
    if not len(values) or not np.isfinite(values).all():
        raise ValueError("must be finite numbers")
    return values


def _aligned(found, minutes, names, actual):
    """Curves on their common step, shorter ones repeated to the longest."""
    if not found:
        return np.ones((0, 24)), [], actual, 60
    common = math.gcd(*minutes)
    fine = [np.repeat(c, m // common) for c, m in zip(found, minutes, strict=True)]
    longest = max(len(c) for c in fine)
    tiled = [np.resize(c, longest) for c in fine]
    return np.stack(tiled), names, actual, common


def take_days(
    load: np.ndarray,
    minutes: int,
    base_day: int | None,
    horizon: Horizon | None,
    file: str,
    findings: Findings,
) -> np.ndarray:
    """The steps of the day, or of the days of the horizon, of some load [kW].

    Arguments:
        load: shape (feeders, steps) over whole days.
        minutes: length of a step.
        base_day: number of the first day, counted from 1; None is the day with the
            largest load of all feeders together.
        horizon: how many days; None is one. Shapes of one day repeat.
        file: name in the report.
        findings: the choice of the day is noted there.
    """
    steps = DAY_MINUTES // minutes
    count = load.shape[1] // steps
    if base_day is None:
        total = load.sum(axis=0).reshape(count, steps)
        day = int(total.max(axis=1).argmax())
        if count > 1:
            what = f"base load of day {day + 1} of {count}, that of the largest load"
            findings.note(file, "loadshape", what, "assumed")
    elif not isinstance(base_day, int) or not 1 <= base_day <= count:
        raise SettingsError(f"base_day must be from 1 to {count}; got {base_day!r}")
    else:
        day = base_day - 1
    wanted = 1
    if horizon is not None and count > 1:
        wanted = -(-horizon.slots * horizon.slot_minutes // DAY_MINUTES)
    if day + wanted > count:
        raise SettingsError(
            f"the load shapes have {count - day} days from day {day + 1} on, the "
            f"horizon {wanted}; give another base_day"
        )
    return load[:, day * steps : (day + wanted) * steps]
