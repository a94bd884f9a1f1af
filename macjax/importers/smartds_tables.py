"""Service transformers from tables: transformers, their loads, and load profiles.

The tables are those that OpenDSS text of SMART-DS boils down to: transformer_id with
rated_kva (normal_kva, emergency_kva); load_id with transformer_id, p_nominal_kw and
profile; and profiles with a column each, per unit of p_nominal_kw, over one day, the
rows in the order of their clock (`day_clock`).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax.importers.day_clock import day_order
from macjax.importers.findings import Findings
from macjax.importers.sheet import Sheet

CLOCKS = ("quarter_hour_start", "time", "hour_start", "hour")
ROLES = ("transformers", "loads", "profiles")


class Service(NamedTuple):
    """Transformers with the load behind each.

    Arguments:
        feeders: feeder_id, and columns for maps.
        kva: rated, normal, emergency by column, NaN where not given.
        load: base load [kW], shape (feeders, steps).
        minutes: length of a step [min].
    """

    feeders: pd.DataFrame
    kva: pd.DataFrame
    load: np.ndarray
    minutes: int


def role(sheet: Sheet) -> str:
    """Which of `ROLES` a table is, or nothing."""
    if sheet.has("load_id") or sheet.has("p_nominal_kw"):
        return "loads"
    if sheet.has("rated_kva"):
        return "transformers"
    return "profiles" if sheet.first_of(*CLOCKS) else ""


def read_tables(sheets: list[Sheet], findings: Findings) -> Service:
    """Transformers and their base load from tables.

    Raises:
        DataError: no table of transformers, or tables that are none of these.
    """
    found: dict[str, Sheet] = {}
    for sheet in sheets:
        kind = role(sheet)
        if not kind or kind in found:
            has = ", ".join(str(c) for c in sheet.frame.columns[:12])
            what = f"is a second table of {kind}" if kind else "is none of the tables"
            rule = f"{what} {', '.join(ROLES)}: it has {has}"
            findings.wrong(sheet.file, "file", rule)
        else:
            found[kind] = sheet
    if "transformers" not in found:
        rule = "no table of transformers (transformer_id, rated_kva) is among the files"
        findings.wrong("transformers", "file", rule)
    findings.stop()
    trafos = found["transformers"]
    trafos.require("transformer_id", "rated_kva")
    trafos.key = "transformer_id"
    trafos.unique("transformer_id")
    ids = trafos.text("transformer_id")
    kva = pd.DataFrame({"rated": trafos.number("rated_kva", low=1e-9)})
    for column in ("normal", "emergency"):
        name = f"{column}_kva"
        known = trafos.has(name)
        kva[column] = trafos.number(name, low=0, null=True) if known else np.nan
    feeders = pd.DataFrame({"feeder_id": ids.astype(object)})
    if trafos.has("feeder_id"):
        feeders["circuit"] = trafos.text("feeder_id", null=True)
    load, minutes = _load(found, ids, findings)
    findings.settle()
    kept = ~trafos.bad  # those that are dropped on request
    return Service(
        feeders[kept].reset_index(drop=True),
        kva[kept].reset_index(drop=True),
        load[kept],
        minutes,
    )


def _load(found: dict[str, Sheet], ids: pd.Series, findings: Findings):
    """Base load of each transformer [kW] and the step [min]."""
    loads, profiles = found.get("loads"), found.get("profiles")
    if loads is None:
        what = "no table of loads: base load 0"
        findings.note("loads", "", what, "assumed")
        return np.zeros((len(ids), 24)), 60
    loads.require("transformer_id", "p_nominal_kw")
    loads.key = loads.first_of("load_id", "transformer_id")
    if loads.has("load_id"):
        loads.unique("load_id")
    place = pd.Series(np.arange(len(ids)), index=ids)
    place = place[~place.index.duplicated()]
    at = place.reindex(loads.text("transformer_id")).fillna(-1).to_numpy(np.int64)
    given = loads.frame["transformer_id"].notna().to_numpy(bool)
    unknown = (at < 0) & given
    if unknown.any():
        name = loads.frame["transformer_id"][unknown].iloc[0]
        rule = f"'{name}' is not in {found['transformers'].file}"
        loads.wrong("transformer_id", rule, unknown)
    power = np.nan_to_num(loads.number("p_nominal_kw", low=0))
    curves, names, minutes = _curves(profiles)
    code = np.full(len(loads), len(names))
    if profiles is not None and loads.has("profile"):
        wanted = loads.text("profile", null=True)
        code = pd.Index(names).get_indexer(wanted)
        missing = (code < 0) & wanted.notna().to_numpy(bool)
        if missing.any():
            rule = f"'{wanted[missing].iloc[0]}' is no column of {profiles.file}"
            loads.wrong("profile", rule, missing)
        code = np.where(code < 0, len(names), code)
    flat = code == len(names)
    loads.note("profile", "no profile: constant all day", "assumed", flat)
    good = ~loads.bad & (at >= 0)
    share = np.zeros((len(ids), len(names) + 1))
    np.add.at(share, (at[good], code[good]), power[good])
    return share @ curves, minutes


def _curves(profiles: Sheet | None) -> tuple[np.ndarray, list[str], int]:
    """Profiles as rows, a constant one last; their names; and the step [min]."""
    if profiles is None:
        return np.ones((1, 24)), [], 60
    clock = profiles.first_of(*CLOCKS)
    assert clock is not None  # that makes it a table of profiles, see `role`
    order, minutes = day_order(profiles, clock)
    names = [c for c in profiles.frame.columns if c != clock]
    curves = [profiles.number(name) for name in names]
    if profiles.bad.any():  # a profile has no row that could be left out
        profiles.findings.stop()
    curves = np.stack([*curves, np.ones(len(profiles))])
    return curves[:, order], names, minutes
