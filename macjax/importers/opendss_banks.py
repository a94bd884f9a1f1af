"""Banks of transformers of an OpenDSS circuit, with the load behind each."""

from pathlib import Path

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.banks import (
    Banks,
    bank_names,
    find_banks,
    islands,
    on_cycle,
    with_descendants,
)
from macjax.importers.files import UnreadableError, read_text
from macjax.importers.findings import Findings
from macjax.importers.opendss_circuit import SAME_VOLTAGE, Circuit, read_circuit
from macjax.importers.opendss_script import Script, read_script, unquoted, within
from macjax.importers.opendss_shapes import Curves, read_curves
from macjax.importers.smartds_tables import Service

_POINT = r"^\"?([^\s,\"]+)\"?[\s,]+(\S+?)[\s,]+(\S+)"
COUNT_AS = "circuit"  # name in reports of what concerns no single file


def read_service(main: Path, root: Path, findings: Findings) -> Service:
    """Banks of transformers of a circuit with their load.

    Arguments:
        main: the main .dss file.
        root: the folder that nothing that is read may leave.
        findings: faults and notes go there.
    """
    if not main.resolve().is_relative_to(root.resolve()):
        raise SettingsError(f"{main.name} is not in the folder root={root}")
    script = read_script(main, root, findings)
    circuit, table = read_circuit(script, findings)
    if circuit.transformers.empty:
        findings.broken(main.name, "Transformer", "the circuit has no transformer")
    pairs = _pairs_of_windings(circuit, findings)
    findings.settle()
    used = circuit.loads["shape"].dropna().unique()
    curves = read_curves(script, table, used, root, findings)
    trafos = pairs[~pairs["regulates"]].reset_index(drop=True)
    banks, at_load, node = _find(circuit, trafos, pairs[pairs["regulates"]], findings)
    own = _load_of(circuit, curves, at_load, len(banks.island), findings)
    parent = banks.parent.copy()
    parent[on_cycle(parent)] = -1
    ids = bank_names(trafos["name"].to_numpy(object), banks.of, len(parent))
    _note_joined(ids, banks, findings)
    feeders = pd.DataFrame({"feeder_id": ids})
    feeders["parent_id"] = pd.Series(np.array([*ids, None], object)[parent])
    _place(feeders, node, script, root, findings)
    kva = _ratings(circuit, trafos, banks)
    return Service(feeders, kva, with_descendants(own, parent), curves.minutes)


def _pairs_of_windings(circuit: Circuit, findings: Findings) -> pd.DataFrame:
    """From the first winding to each other bus: key, name, primary, secondary, kva.

    A pair with equal voltages is a regulator, `regulates`.
    """
    windings = circuit.windings.dropna(subset=["bus"])
    first = windings[windings["winding"] == 1]
    other = windings[windings["winding"] > 1].drop_duplicates(["key", "bus"])
    other = other.merge(first, on="key", suffixes=("", "_first"), validate="m:1")
    other = other[other["bus"] != other["bus_first"]]
    number = other.groupby("key")["bus"].transform("size").to_numpy()
    ratio = (other["kv"] / other["kv_first"]).to_numpy(np.float64)
    pairs = pd.DataFrame(
        {
            "key": other["key"],
            "name": other["key"].str.removeprefix("transformer."),
            "primary": other["bus_first"],
            "secondary": other["bus"],
            "kva": np.where(number > 1, other["kva"], other["kva_first"]),
            "regulates": np.abs(ratio - 1) < SAME_VOLTAGE,
        }
    )
    pairs["name"] = np.where(
        number > 1, pairs["name"] + " " + pairs["secondary"], pairs["name"]
    )
    pairs["kva"] = pairs["kva"].fillna(other["kva_first"]).fillna(other["kva"])
    of = circuit.transformers
    lost = of[~of.index.isin(pairs["key"])]
    bare = of.loc[pairs["key"][pairs["kva"].isna() & ~pairs["regulates"]].unique()]
    for rule, rows in (
        ("transformer does not name two buses", lost),
        ("transformer has no kva", bare),
    ):
        for file, some in rows.groupby("file"):
            lines, names = some["line"].tolist(), some.index.tolist()
            findings.wrong(str(file), "Transformer", rule, lines, len(some), names)
    regulators = pairs["name"][pairs["regulates"]].tolist()
    what = "equal voltages on both sides: a regulator, no feeder"
    count = len(regulators)
    findings.note(COUNT_AS, "Transformer", what, "left out", (), count, regulators)
    return pairs.reset_index(drop=True)


def _find(circuit: Circuit, trafos, ties, findings: Findings):
    """The banks, the bank of each load (-1: none), and a bus of each bank."""
    columns = [circuit.edges["from"], circuit.edges["to"]]
    columns += [ties["primary"], ties["secondary"]]
    columns += [trafos["primary"], trafos["secondary"], circuit.loads["bus"]]
    codes, buses = pd.factorize(pd.concat([c.astype(object) for c in columns]))
    ends = np.cumsum([len(c) for c in columns])[:-1]
    a, b, tie_a, tie_b, primary, secondary, at = np.split(codes, ends)
    island = islands(len(buses), np.append(a, tie_a), np.append(b, tie_b))
    banks = find_banks(island, primary, secondary)
    if not len(banks.island):
        findings.broken(COUNT_AS, "Transformer", "no transformer feeds anything")
    of_island = np.full(int(island.max()) + 1, -1)
    of_island[banks.island] = np.arange(len(banks.island))
    at_load = np.where(at >= 0, of_island[island[at]], -1)
    names = circuit.loads.index[at_load < 0].tolist()
    what = "loads are behind no transformer"
    findings.note(COUNT_AS, "Load", what, "left out", (), len(names), names)
    feeds = banks.of >= 0
    first = pd.Series(secondary[feeds]).groupby(banks.of[feeds]).first()
    return banks, at_load, np.asarray(buses)[first.to_numpy()]


def _load_of(circuit, curves: Curves, at_load, count: int, findings) -> np.ndarray:
    """Load of each bank's own island [kW], shape (banks, steps)."""
    loads = circuit.loads
    flat = loads["shape"].isna()
    for file, rows in loads[flat].groupby("file"):
        what, lines = "load without a load shape: constant", rows["line"].tolist()
        names = rows.index.tolist()
        findings.note(str(file), "yearly", what, "assumed", lines, len(rows), names)
    code = pd.Index(curves.names).get_indexer(loads["shape"])
    code = np.where(code < 0, len(curves.names), code)
    actual = np.append(curves.actual, False)[code]
    kw = np.where(actual, 1.0, loads["kw"].to_numpy())
    steps = curves.values.shape[1]
    share = np.zeros((count, len(curves.names) + 1))
    served = (at_load >= 0) & ~np.isnan(kw)
    np.add.at(share, (at_load[served], code[served]), kw[served])
    return share @ np.vstack([curves.values, np.ones((1, steps))])


def _note_joined(ids: list[str], banks: Banks, findings: Findings) -> None:
    several = np.bincount(banks.of[banks.of >= 0], minlength=len(ids)) > 1
    names = np.array(ids, object)[several].tolist()
    what = "feed one island: one feeder of their sum"
    findings.note(COUNT_AS, "Transformer", what, "assumed", (), len(names), names)


def _ratings(circuit: Circuit, trafos: pd.DataFrame, banks: Banks) -> pd.DataFrame:
    """rated, normal, emergency kVA of each bank; NaN where one part is not known."""
    feeds = banks.of >= 0
    of, count = banks.of[feeds], len(banks.island)
    given = circuit.transformers.reindex(trafos["key"])
    parts = {"rated": trafos["kva"].to_numpy()}
    parts |= {name: given[name].to_numpy() for name in ("normal", "emergency")}
    # NaN in one of the parts makes the sum NaN.
    sums = {k: np.bincount(of, v[feeds], count) for k, v in parts.items()}
    return pd.DataFrame(sums)


def _place(feeders: pd.DataFrame, buses, script: Script, root: Path, findings) -> None:
    """x and y of the feeders' buses, from the files of `Buscoords`."""
    tables = []
    for file, given in script.coordinates:
        path = within(script.files[file].parent, unquoted(given), root)
        try:
            if isinstance(path, str):
                raise UnreadableError(path)
            lines = pd.Series(read_text(path).splitlines(), dtype=object)
        except UnreadableError as error:
            findings.note(file, "Buscoords", str(error), "not read")
            continue
        cells = lines.str.strip().str.extract(_POINT)
        cells.columns = ["bus", "x", "y"]
        tables.append(cells.dropna())
    if not tables:
        return
    table = pd.concat(tables)
    table.index = table["bus"].str.lower()
    table = table[~table.index.duplicated()]
    xy = table[["x", "y"]].apply(pd.to_numeric, errors="coerce").reindex(buses)
    if xy.notna().any(axis=None):
        feeders[["x", "y"]] = xy.to_numpy(np.float64)
