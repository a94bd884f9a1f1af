"""Rows of one day by their clock column: when each begins, and that the day is whole.

Clocks are hours (`0`, `0.25`, or all of them 1 to 24), times (`9:00`, `09:15:00`) or
timestamps of one date. Together they must cover the day in equal steps from 0:00 on.
"""

import numpy as np
import pandas as pd

from macjax.importers.horizon import parse_clock
from macjax.importers.sheet import Sheet
from macjax.scenario.schema import DAY_MINUTES

HOURS, HOUR, STAMP = "a number of hours", "a time", "a timestamp"
_STAMP = r"^(?P<date>\d{4}-\d\d-\d\d)[T ](?P<clock>[\d:.]+)(?P<zone>Z|[+-][\d:]+)?$"
_SHOWN = 5


def day_order(sheet: Sheet, column: str) -> tuple[np.ndarray, int]:
    """The order of rows within the day, and the step between them [min].

    Arguments:
        sheet: one row for each step of a day, in any order.
        column: when each begins.

    Raises:
        DataError: clocks that cannot be read, are of several kinds or days, come more
            than once, or leave part of the day out.
    """
    minutes = _minutes(sheet, column)
    if sheet.bad.any():  # a day has no row that could be left out
        sheet.findings.stop()
    again = pd.Series(minutes).duplicated(keep=False).to_numpy()
    if again.any():
        first = clock_text(minutes[again][0])
        sheet.wrong(column, f"must come once; {first} comes again", again)
        sheet.findings.stop()
    order = np.argsort(minutes, kind="stable")
    gaps = np.diff(minutes[order], append=DAY_MINUTES)
    step = float(gaps.min())
    if step < 1 or step % 1 or DAY_MINUTES % step:
        at = np.zeros(len(sheet), bool)
        at[order[gaps == step]] = True
        rule = f"must have steps that divide a day; found one of {step:g} minutes"
        sheet.wrong(column, rule, at)
        sheet.findings.stop()
    off = minutes % step != 0
    if off.any():
        rule = f"must lie on steps of {step:g} minutes from 0:00 on"
        sheet.wrong(column, f"{rule}; found {clock_text(minutes[off][0])}", off)
        sheet.findings.stop()
    missing = np.setdiff1d(np.arange(0, DAY_MINUTES, step), minutes)
    if len(missing):
        shown = ", ".join(clock_text(m) for m in missing[:_SHOWN])
        more = ", ..." if len(missing) > _SHOWN else ""
        rule = (
            f"must cover a day in steps of {step:g} minutes; it has {len(sheet)} rows, "
            f"{len(missing)} are missing: {shown}{more}"
        )
        sheet.wrong(column, rule, np.ones(len(sheet), bool))
        sheet.findings.stop()
    return order, int(step)


def clock_text(minutes: float) -> str:
    """`75` -> `1:15`."""
    hour, minute = divmod(float(minutes), 60)
    return f"{hour:.0f}:{minute:02.0f}"


def _minutes(sheet: Sheet, column: str) -> np.ndarray:
    """Minutes since midnight of each row, NaN in those that are wrong."""
    text = sheet.text(column).astype(object)
    known = text.notna().to_numpy(bool)
    plain = text.where(text.notna(), "").astype(str).str.strip()
    number = plain.str.fullmatch(r"\d+(?:\.\d*)?").to_numpy(bool)
    stamp = plain.str.extract(_STAMP)
    stamped = stamp["date"].notna().to_numpy(bool)
    clock = plain.where(~stamped, stamp["clock"].fillna(""))
    seconds, _ = parse_clock(clock.where(~number, "").astype(object))
    minutes = np.where(
        number, 60 * plain.where(number, "0").astype(float), seconds / 60
    )
    junk = known & np.isnan(minutes)
    if junk.any():
        rule = "must be an hour such as 9, a time such as 9:00, or a timestamp"
        sheet.wrong(column, f"{rule}; found '{plain[junk].iloc[0]}'", junk)
        return minutes
    kind = np.select([number, stamped], [HOURS, STAMP], HOUR)
    other = known & (kind != kind[known][0] if known.any() else False)
    if other.any():
        rule = f"must be of one kind; found {kind[known][0]} and {kind[other][0]}"
        sheet.wrong(column, rule, other)
    if stamped.any():
        day = stamp["date"] + stamp["zone"].fillna("")
        strange = stamped & (day != day[stamped].iloc[0]).to_numpy(bool)
        if strange.any():
            first, second = day[stamped].iloc[0], day[strange].iloc[0]
            rule = f"must be of one day and offset; found {first} and {second}"
            sheet.wrong(column, rule, strange)
    if number.all() and set(minutes) == set(60.0 * np.arange(1, 25)):
        what = "hours count from 1 to 24: hour 1 is 0:00 to 1:00"
        sheet.note(column, what, "changed", number)
        return minutes - 60
    late = minutes >= DAY_MINUTES
    if late.any():
        rule = f"must be before 24:00; found '{plain[late].iloc[0]}'"
        sheet.wrong(column, rule, late)
    return minutes
