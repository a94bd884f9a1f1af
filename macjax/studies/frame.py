"""The frame of a sweep: one row for each case and method, what varies in front.

    avoided_cost        = upgrade_cost of unmanaged charging - upgrade_cost
    avoidable_cost_at_most = upgrade_cost of unmanaged charging - upgrade_cost_at_least

are the ends of what is certified about the cost that a method can avoid; both measure
against unmanaged charging of the same case, as `macjax.compare` does. Of a region,
`left_out_percent` of the cars, with `left_out_km_percent` of all km, are not in the
scenario, since no charging makes their trips possible.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from macjax._errors import SettingsError
from macjax.results import schema
from macjax.results.comparison import COLUMNS as COMPARED
from macjax.results.comparison import compare_rows
from macjax.studies.cases import Case

MORE = (
    "upgrade_cost_at_least",
    "avoided_cost",
    "peak_kw",
    "ev_peak_kw",
    "vehicles",
    "vehicles_weighted",
    "left_out_percent",
    "left_out_km_percent",
    "iterations",
    "error",
    "folder",
)
COLUMNS = (*COMPARED, *MORE)
WORDS = ("method", "status", "error", "folder")
COUNTS = ("feeders", "feeders_overloaded", "stranded", "infeasible", "dropped")
COUNTS += ("vehicles", "iterations")

# Rows by number of the case and method.
Rows = Mapping[tuple[int, str], dict]


def frame_of(cases: Sequence[Case], methods: Sequence[str], rows: Rows) -> pd.DataFrame:
    """The frame of the rows that are there, in the order of cases and methods."""
    shown, records = [], []
    for case in cases:
        there = [(m, rows[case.number, m]) for m in methods if (case.number, m) in rows]
        records += _compared([row | {"method": method} for method, row in there])
        shown += [case.shown] * len(there)
    names = list(cases[0].shown) if cases else []
    found = {name: pd.Series([s[name] for s in shown]) for name in names}
    return pd.DataFrame(found | {c: _column(c, records) for c in COLUMNS})


def read_tables(out: str | os.PathLike, table: str) -> pd.DataFrame:
    """One table of all cases of a sweep, one below the other.

    Arguments:
        out: folder of a sweep.
        table: "loads", "upgrades", "prices", "infeasible", "stranded" or "history".

    Returns:
        What varies and the method, then the columns of the table. Cases without it,
        such as the prices of unmanaged charging, have no rows.
    """
    kept = ("loads", "upgrades", "prices", "infeasible", "stranded", "history")
    if table not in kept:
        raise SettingsError(f"table must be one of {', '.join(kept)}, not {table!r}")
    out = Path(out)
    path = out / "cases.parquet"
    if not path.is_file():
        raise SettingsError(f"'{out}' is not the folder of a sweep: no cases.parquet")
    cases = pd.read_parquet(path)
    names = [c for c in cases.columns if c not in COLUMNS] + ["method"]
    frames = []
    for row in cases.to_dict("records"):
        file = out / str(row["folder"]) / f"{table}.parquet"
        there = bool(row["folder"]) and file.is_file()
        if there and len(frame := pd.read_parquet(file)):
            front = {name: row[name] for name in names}
            frames.append(frame.assign(**front)[[*names, *frame.columns]])
    if frames:
        return pd.concat(frames, ignore_index=True)
    columns = schema.TABLES[table][1]
    return pd.DataFrame(columns=pd.Index([*names, *columns]))


def _compared(rows: list[dict]) -> list[dict]:
    """Rows of one case with what each avoids; what is not there is NaN."""
    nothing = dict.fromkeys((*COLUMNS, "scenario"))
    whole = [nothing | row for row in rows]
    return compare_rows(
        {k: float("nan") if v is None else v for k, v in row.items()} for row in whole
    )


def _column(name: str, rows: list[dict]) -> pd.Series:
    """A column of one dtype, whatever is in it."""
    values = [row[name] for row in rows]
    if name in WORDS:
        return pd.Series([v if isinstance(v, str) else "" for v in values], dtype="str")
    if name in COUNTS:
        whole = [None if v != v else int(v) for v in values]
        return pd.Series(whole, dtype="Int64")
    return pd.Series(values, dtype="float64")
