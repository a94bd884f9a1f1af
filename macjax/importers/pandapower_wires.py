"""What connects the buses of a pandapower net, as far as it is in service."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax.importers.pandapower_tables import Net
from macjax.importers.sheet import Sheet

WINDINGS = {
    "trafo": (("hv_bus", "lv_bus", "sn_mva", ""),),
    "trafo3w": (
        ("hv_bus", "mv_bus", "sn_mv_mva", " mv"),
        ("hv_bus", "lv_bus", "sn_lv_mva", " lv"),
    ),
}
_POINT = r"\[\s*(-?[\d.eE+-]+)\s*,\s*(-?[\d.eE+-]+)"


class Wires(NamedTuple):
    """Buses are numbered by their row.

    Arguments:
        first, second: buses joined by lines, closed switches and impedances.
        tie_first, tie_second: those joined by closed switches alone.
        lines: from, to, name, mva (rating) of the lines.
        trafos: hv, lv, name, mva of the transformers, three-winding ones as two.
        xy: coordinates of the buses, NaN where not known.
        numbers: index of the table of buses.
    """

    first: np.ndarray
    second: np.ndarray
    tie_first: np.ndarray
    tie_second: np.ndarray
    lines: pd.DataFrame
    trafos: pd.DataFrame
    xy: np.ndarray
    numbers: pd.Index

    def bus_of(self, sheet: Sheet, column: str) -> np.ndarray:
        """Row of the bus that a column names; -1 and a fault where there is none."""
        return bus_rows(sheet, column, self.numbers)


def bus_rows(sheet: Sheet, column: str, numbers: pd.Index) -> np.ndarray:
    """See `Wires.bus_of`."""
    given = sheet.number(column)
    rows = numbers.get_indexer(pd.Index(given))
    missing = (rows < 0) & ~np.isnan(given)
    if missing.any():
        rule = f"bus {given[missing][0]:g} is not in the table of buses"
        sheet.wrong(column, rule, missing)
    return rows


def read_wires(net: Net) -> Wires:
    """All connections of a net; faults go to the findings of its tables."""
    bus = net["bus"]
    numbers = pd.Index(bus.frame["index"].to_numpy())
    again = pd.Series(numbers).duplicated(keep=False).to_numpy(bool)
    bus.wrong("index", "must be unique", again)
    bus.findings.stop()
    switches = _switches(net, numbers)
    lines = _lines(net, numbers, switches)
    trafos = _trafos(net, numbers, switches)
    ties = switches["ties"]
    joined = net["impedance"]
    on = in_service(joined)
    a, b = (bus_rows(joined, c, numbers)[on] for c in ("from_bus", "to_bus"))
    edges = [
        (lines["from"].to_numpy(), lines["to"].to_numpy()),
        (a[(a >= 0) & (b >= 0)], b[(a >= 0) & (b >= 0)]),
        ties,
    ]
    first, second = (np.concatenate([edge[k] for edge in edges]) for k in (0, 1))
    return Wires(first, second, ties[0], ties[1], lines, trafos, _points(bus), numbers)


def in_service(sheet: Sheet) -> np.ndarray:
    """Elements that are in service; all where the table does not say."""
    if not sheet.has("in_service"):
        return np.ones(len(sheet), bool)
    return _flags(sheet.frame["in_service"])


def _flags(series: pd.Series) -> np.ndarray:
    """True where a cell is true or empty."""
    return series.astype(object).where(series.notna(), True).to_numpy(bool)


def names(sheet: Sheet, kind: str) -> np.ndarray:
    """The names of elements if each has one of its own, else kind and number."""
    number = sheet.frame["index"].astype(object).map(str)
    named = sheet.frame["name"] if sheet.has("name") else pd.Series(dtype=object)
    if len(named) and named.notna().all() and named.map(str).is_unique:
        return named.map(str).to_numpy(object)
    return (f"{kind} " + number).to_numpy(object)


def _switches(net: Net, numbers: pd.Index) -> dict:
    """Closed ties between buses, and the elements that open switches cut off."""
    sheet = net["switch"]
    kind = sheet.frame["et"].map(str).to_numpy(object)
    closed = _flags(sheet.frame["closed"])
    element = sheet.number("element")
    at = bus_rows(sheet, "bus", numbers)
    tie = (kind == "b") & closed
    other = numbers.get_indexer(pd.Index(element))
    missing = tie & (other < 0)
    sheet.wrong("element", "is no bus of the table of buses", missing)
    good = tie & (other >= 0) & (at >= 0)
    found: dict = {"ties": (at[good], other[good])}
    for word in ("l", "t", "t3"):
        found[word] = element[(kind == word) & ~closed]
    return found


def _alive(sheet: Sheet, opened: np.ndarray) -> np.ndarray:
    """In service and not cut off by an open switch."""
    number = pd.to_numeric(sheet.frame["index"], errors="coerce")
    return in_service(sheet) & ~number.isin(opened).to_numpy(bool)


def _factor(sheet: Sheet) -> np.ndarray:
    """parallel x df x max_loading_percent / 100, 1 where not given."""
    factor = np.ones(len(sheet))
    for column, unit in (("parallel", 1.0), ("df", 1.0), ("max_loading_percent", 100)):
        if sheet.has(column):
            values = sheet.number(column, low=0, null=True) / unit
            factor *= np.where(np.isnan(values), 1.0, values)
    return factor


def _lines(net: Net, numbers: pd.Index, switches: dict) -> pd.DataFrame:
    sheet = net["line"]
    begin, end = (bus_rows(sheet, c, numbers) for c in ("from_bus", "to_bus"))
    kv = net["bus"].number("vn_kv", low=0)
    mva = np.sqrt(3) * kv[begin] * sheet.number("max_i_ka", low=0) * _factor(sheet)
    lines = pd.DataFrame({"from": begin, "to": end, "mva": mva})
    lines["name"] = names(sheet, "line")
    kept = _alive(sheet, switches["l"]) & (begin >= 0) & (end >= 0)
    _note_dead(sheet, ~kept)
    return lines[kept].reset_index(drop=True)


def _trafos(net: Net, numbers: pd.Index, switches: dict) -> pd.DataFrame:
    parts = []
    for table, pairs in WINDINGS.items():
        sheet = net[table]
        alive = _alive(sheet, switches["t" if table == "trafo" else "t3"])
        for hv, lv, rating, suffix in pairs:
            primary, secondary = (bus_rows(sheet, c, numbers) for c in (hv, lv))
            part = pd.DataFrame({"hv": primary, "lv": secondary})
            part["mva"] = sheet.number(rating, low=0) * _factor(sheet)
            part["name"] = names(sheet, table) + suffix
            parts.append(part[alive & (primary >= 0) & (secondary >= 0)])
        _note_dead(sheet, ~alive)
    return pd.concat(parts, ignore_index=True)


def _note_dead(sheet: Sheet, dead: np.ndarray) -> None:
    sheet.note("in_service", "out of service or switched off", "left out", dead)


def _points(bus: Sheet) -> np.ndarray:
    """Coordinates of buses: GeoJSON points in `geo`, or columns x and y."""
    if bus.has("geo"):
        text = bus.frame["geo"].astype(object).where(bus.frame["geo"].notna(), "")
        found = text.map(str).str.extract(_POINT)
        return found.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    if bus.has("x", "y"):
        return np.column_stack([bus.number(c, null=True) for c in ("x", "y")])
    return np.full((len(bus), 2), np.nan)
