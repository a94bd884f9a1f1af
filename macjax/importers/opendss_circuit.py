"""Transformers, loads and lines of an OpenDSS circuit, as tables.

Only what the ratings and the loads need is read: of a transformer the buses and kVA of
its windings (`wdg=1 bus=a kva=50 wdg=2 ...` or `buses=(a b) kvas=(50 50)`), of a load
its bus, kW and load shape, of a line its two buses. `like=` and `xfmrcode=` bring the
properties of another element, before the element's own ones.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax.importers.findings import Findings
from macjax.importers.opendss_script import READ_KINDS, Script
from macjax.scenario.arrow import STRING
from macjax.scenario.numeric import parse_numbers

SAME_VOLTAGE = 0.02  # a transformer with a ratio nearer to 1 is a regulator
DEPTH = 5  # like= of like= of ...
NO = ("n", "no", "f", "false")
LISTS = {"kvas": "kva", "kvs": "kv", "buses": "bus"}


class Circuit(NamedTuple):
    """The elements that count.

    Arguments:
        windings: one row a winding: name, winding, bus, kva, kv.
        transformers: name, file, line, normal, emergency [kVA], by name.
        loads: name, file, line, bus, kw, shape (name of its load shape or missing).
        edges: from, to: buses joined by lines, reactors and regulators.
    """

    windings: pd.DataFrame
    transformers: pd.DataFrame
    loads: pd.DataFrame
    edges: pd.DataFrame


def read_circuit(script: Script, findings: Findings) -> tuple[Circuit, pd.DataFrame]:
    """The circuit of a script, and the properties of its elements.

    Returns:
        the circuit; and kind, element (name), file, line, name, value of every
        property, inherited ones first.
    """
    elements = _settled(script.elements, findings)
    table = _properties(script, elements, findings)
    enabled = values_of(table, "enabled").str.lower()
    table = table[~table["key"].isin(enabled.index[enabled.isin(NO)])]
    windings, ratings = _transformers(table, findings)
    loads = _loads(table, findings)
    edges = _edges(table)
    return Circuit(windings, ratings, loads, edges), table


def _settled(elements: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Elements with the key `kind.name`; faults for what is twice or not there."""
    elements = elements.assign(key=elements["kind"] + "." + elements["name"])
    counted = elements["kind"].isin(READ_KINDS)
    made = ~elements["edited"]
    twice = counted & made & elements.duplicated(["key", "edited"], keep=False)
    unknown = counted & ~made & ~elements["key"].isin(elements["key"][made])
    for rule, mask in (("is made twice", twice), ("is edited and never made", unknown)):
        for file, rows in elements[mask].groupby("file"):
            names = rows["key"].tolist()
            findings.wrong(
                str(file), "New", rule, rows["line"].tolist(), len(rows), names
            )
    return elements


def _properties(script: Script, elements: pd.DataFrame, findings: Findings):
    """All properties under the key of their element, inherited ones before own ones."""
    own = script.properties.assign(
        key=elements["key"].to_numpy()[script.properties["element"]],
        kind=elements["kind"].to_numpy()[script.properties["element"]],
    )
    own = own[own["kind"].isin(READ_KINDS)]
    own = own.assign(rank=np.arange(len(own)))
    for _ in range(DEPTH):
        is_like = own["name"] == "like"
        is_code = (own["name"] == "xfmrcode") & (own["kind"] == "transformer")
        parents = own[is_like | is_code]
        if parents.empty:
            break
        kind = np.where(parents["name"] == "like", parents["kind"], "xfmrcode")
        links = pd.DataFrame(
            {
                "key": parents["key"],
                "kind": parents["kind"],
                "from": kind + "." + parents["value"].str.strip("\"'").str.lower(),
                "rank": parents["rank"],
            }
        )
        given = own.rename(columns={"key": "from"})[
            ["from", "element", "name", "value"]
        ]
        missing = links[~links["from"].isin(elements["key"])]
        for name in missing["from"].unique():
            rule = f"'{name}' is not there"
            names = missing["key"][missing["from"] == name].tolist()
            findings.wrong("circuit", "like, xfmrcode", rule, (), len(names), names)
        inherited = links.merge(given, on="from")[own.columns]
        kept = own[~(is_like | is_code)]
        own = pd.concat([inherited, kept]).sort_values("rank", kind="stable")
    first = elements[~elements["edited"]].drop_duplicates("key").set_index("key")
    own["file"] = first["file"].reindex(own["key"]).to_numpy()
    own["line"] = first["line"].reindex(own["key"]).to_numpy()
    return own.reset_index(drop=True)


def values_of(table: pd.DataFrame, name: str, *others: str) -> pd.Series:
    """The last value of a property (or of its other names) by key."""
    rows = table[table["name"].isin([name, *others])]
    return rows.drop_duplicates("key", keep="last").set_index("key")["value"]


def number_of(
    table: pd.DataFrame, values: pd.Series, column: str, findings: Findings
) -> pd.Series:
    """Values by key as finite numbers of at least 0; others are faults by line."""
    parsed = parse_numbers(values.reset_index(drop=True), from_text=True)
    wrong = list(parsed.wrong)
    with np.errstate(invalid="ignore"):
        outside = (parsed.values < 0) | np.isinf(parsed.values)
    if outside.any():
        found = parsed.values[outside][0]
        wrong.append((f"must be at least 0 and finite; found {found:g}", outside))
    for rule, mask in wrong:
        keys = values.index[mask]
        at = table.drop_duplicates("key").set_index("key").loc[keys]
        for file, rows in at.groupby("file"):
            lines, names = rows["line"].tolist(), rows.index.tolist()
            findings.wrong(str(file), column, rule, lines, len(rows), names)
    numbers = np.where(outside, np.nan, parsed.values)
    return pd.Series(numbers, index=values.index)


def bus_name(text: pd.Series) -> pd.Series:
    """`Bus7.1.2.0` -> `bus7`: the bus without its nodes."""
    return text.str.strip("\"' ").str.lower().str.replace(r"\..*$", "", regex=True)


def _transformers(table: pd.DataFrame, findings: Findings):
    """Windings, and ratings by transformer."""
    own = table[table["kind"] == "transformer"]
    wdg = pd.to_numeric(own["value"].where(own["name"] == "wdg"), errors="coerce")
    own = own.assign(winding=wdg.groupby(own["key"]).ffill().fillna(1).astype(int))
    single = own[own["name"].isin(LISTS.values())]
    single = single[["key", "name", "winding", "value"]]
    many = own[own["name"].isin(LISTS)]
    many = many.assign(
        value=many["value"].str.strip().str.split(r"[\s,|]+"),
        name=many["name"].map(LISTS),
    ).explode("value")
    many["winding"] = many.groupby(level=0).cumcount() + 1  # in its own list
    cells = pd.concat([many[single.columns], single])
    cells = cells.drop_duplicates(["key", "name", "winding"], keep="last")
    windings = cells.pivot(index=["key", "winding"], columns="name", values="value")
    windings = windings.reindex(columns=["bus", "kva", "kv"]).reset_index()
    windings["bus"] = bus_name(windings["bus"].astype(object))
    for column in ("kva", "kv"):
        given = windings[column].notna().to_numpy(bool)
        values = windings[given].set_index("key")[column]
        numbers = np.full(len(windings), np.nan)
        numbers[given] = number_of(own, values, column, findings).to_numpy()
        windings[column] = numbers
    ratings = own.drop_duplicates("key").set_index("key")[["file", "line"]]
    for column, name in (("normal", "normhkva"), ("emergency", "emerghkva")):
        values = number_of(own, values_of(own, name), name, findings)
        ratings[column] = values.reindex(ratings.index)
    return windings, ratings


def _loads(table: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Loads with their bus, kW (kVA x power factor) and load shape."""
    own = table[table["kind"] == "load"]
    loads = own.drop_duplicates("key").set_index("key")[["file", "line"]]
    loads["bus"] = bus_name(values_of(own, "bus1", "bus").reindex(loads.index))

    def number(name: str) -> pd.Series:
        found = number_of(own, values_of(own, name), name, findings)
        return found.reindex(loads.index)

    power_factor = pd.to_numeric(values_of(own, "pf"), errors="coerce").abs()
    by_kva = number("kva") * power_factor.reindex(loads.index)
    loads["kw"] = number("kw").fillna(by_kva)
    shape = values_of(own, "yearly").reindex(loads.index)
    for name in ("daily", "duty"):
        other = values_of(own, name).reindex(loads.index)
        shape = shape.where(shape.notna(), other)
    loads["shape"] = shape.astype(STRING).str.strip("\"'").str.lower().astype(object)
    for column, rule in (
        ("bus", "load has no bus1"),
        ("kw", "load has no kw, nor kva with pf"),
    ):
        for file, rows in loads[loads[column].isna()].groupby("file"):
            lines, names = rows["line"].tolist(), rows.index.tolist()
            findings.wrong(str(file), column, rule, lines, len(rows), names)
    return loads


def _edges(table: pd.DataFrame) -> pd.DataFrame:
    """Buses that lines and series reactors join."""
    own = table[table["kind"].isin(["line", "reactor"])]
    ends = [bus_name(values_of(own, name)) for name in ("bus1", "bus2")]
    return pd.DataFrame({"from": ends[0], "to": ends[1]}).dropna()
