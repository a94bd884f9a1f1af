"""The tables of a pandapower net: of an object, of its JSON file, or of SimBench.

pandapower's own reader imports the classes that a file names; here a JSON file is read
as the plain tables that it holds, and runs no code.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.files import UnreadableError, read_text, sources
from macjax.importers.findings import Findings
from macjax.importers.sheet import Sheet

# Columns without which a table cannot be used; a table may be empty or absent.
NEEDED = {
    "bus": ("vn_kv",),
    "line": ("from_bus", "to_bus", "max_i_ka"),
    "trafo": ("hv_bus", "lv_bus", "sn_mva"),
    "trafo3w": ("hv_bus", "mv_bus", "lv_bus", "sn_mv_mva", "sn_lv_mva"),
    "load": ("bus", "p_mw"),
    "sgen": ("bus", "p_mw"),
    "switch": ("bus", "element", "et", "closed"),
    "impedance": ("from_bus", "to_bus"),
    "ext_grid": ("bus",),
}
IGNORED = ("storage", "gen", "ward", "xward", "motor", "dcline", "asymmetric_load")
SIMBENCH = "simbench:"


class Net(NamedTuple):
    """Tables of a net as sheets by name, and the profiles of its loads.

    Arguments:
        name: of the file or the net.
        tables: those of `NEEDED`, each with an `index` column of its element numbers.
        profiles: frames by kind of element (`load`, `renewables`), may be empty.
    """

    name: str
    tables: dict[str, Sheet]
    profiles: dict[str, pd.DataFrame]

    def __getitem__(self, table: str) -> Sheet:
        return self.tables[table]


def read_net(net, findings: Findings) -> Net:
    """The tables of a net object, a JSON file or `simbench:CODE`.

    Raises:
        DataError: the file is none, or a table lacks a column.
        SettingsError: SimBench is asked for and not installed.
    """
    if isinstance(net, str) and net.startswith(SIMBENCH):
        name, found = net, _of_simbench(net.removeprefix(SIMBENCH))
    elif isinstance(net, str | Path):
        (path,) = sources(net, (".json", ".json.gz"))
        name = path.name
        try:
            found = _of_json(path)
        except UnreadableError as error:
            findings.broken(name, "file", str(error))
    else:
        name, found = "net", net
    tables = {table: _sheet(name, table, found, findings) for table in NEEDED}
    findings.stop()
    if not len(tables["bus"]):
        findings.broken(name, "bus", "the net has no buses")
    for table in IGNORED:
        frame = _get(found, table)
        count = 0 if not isinstance(frame, pd.DataFrame) else len(frame)
        what = "elements of this kind are neither load nor limit here"
        findings.note(name, table, what, "not read", (), count)
    profiles = _get(found, "profiles")
    profiles = profiles if isinstance(profiles, Mapping) else {}
    frames = {k: v for k, v in profiles.items() if isinstance(v, pd.DataFrame)}
    return Net(name, tables, {str(k): v for k, v in frames.items() if len(v)})


def _get(net, table: str) -> Any:
    """A table of a mapping or of an object, None if it has none."""
    return net.get(table) if isinstance(net, Mapping) else getattr(net, table, None)


def _sheet(name: str, table: str, net, findings: Findings) -> Sheet:
    frame = _get(net, table)
    if frame is None:
        frame = pd.DataFrame(columns=list(NEEDED[table]))
    if not isinstance(frame, pd.DataFrame):
        findings.wrong(name, table, f"must be a table; found {type(frame).__name__}")
        frame = pd.DataFrame(columns=list(NEEDED[table]))
    numbers = np.asarray(frame.index)
    frame = frame.reset_index(drop=True).assign(index=numbers)
    rows = np.arange(1, len(frame) + 1)
    sheet = Sheet(f"{name}.{table}", frame, rows, findings)
    sheet.key = "index"
    missing = [c for c in NEEDED[table] if c not in frame.columns]
    for column in missing:
        has = ", ".join(str(c) for c in frame.columns[:12])
        findings.wrong(sheet.file, column, f"the column is missing; it has {has}")
        sheet.frame[column] = np.nan
    return sheet


def _of_simbench(code: str):
    try:
        import simbench  # type: ignore[import-not-found]
    except ImportError as error:
        raise SettingsError(
            "SimBench networks need the extra: pip install 'macjax[pandapower]'"
        ) from error
    try:
        return simbench.get_simbench_net(code)
    except (ValueError, KeyError) as error:
        raise SettingsError(f"SimBench has no network '{code}': {error}") from error


def _of_json(path: Path) -> dict:
    """The tables in a file of `pandapower.to_json`."""
    try:
        found = json.loads(read_text(path))
        held = found.get("_object") if isinstance(found, dict) else None
        if not isinstance(held, dict) or "bus" not in held:
            raise UnreadableError("is JSON, but no pandapower net (no table 'bus')")
        tables = {name: _frame(value) for name, value in held.items()}
        profiles = held.get("profiles")
        if isinstance(profiles, dict):
            read = {kind: _frame(value) for kind, value in profiles.items()}
            tables["profiles"] = read
    except (ValueError, TypeError, KeyError) as error:
        raise UnreadableError(f"cannot be read as JSON: {error}") from error
    except RecursionError as error:
        raise UnreadableError("is nested too deeply") from error
    return tables


def _frame(value):
    """A frame that pandapower has written, or the value as it is."""
    if not isinstance(value, dict) or value.get("_class") != "DataFrame":
        return value
    held = value["_object"]
    held = json.loads(held) if isinstance(held, str) else held
    if {"columns", "data", "index"} <= held.keys():
        if set(map(len, held["data"])) - {len(held["columns"])}:
            raise ValueError("a table has rows of another width than its columns")
        frame = pd.DataFrame(held["data"], held["index"], held["columns"])
    else:
        frame = pd.DataFrame(held)
    if frame.index.dtype == object or isinstance(frame.index.dtype, pd.StringDtype):
        numbers = pd.to_numeric(pd.Series(frame.index), errors="coerce")
        if numbers.notna().all():
            frame.index = pd.Index(numbers.astype(np.int64))
    return frame
