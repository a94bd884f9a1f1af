"""The distribution network of a case from a pandapower net, or its JSON file.

Lines and transformers in service become lines of the tree, buses that closed switches
join one node; loads and static generators become load and PV. Resistances are referred
to one nominal voltage V_0, r = r_ohm_per_km length / parallel (V_0 / V_bus)^2; those of
a transformer come from its short-circuit voltages. Tap positions, shunts and losses are
left out, as LinDistFlow does.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.banks import islands
from macjax.importers.findings import Findings
from macjax.importers.pandapower_load import base_load
from macjax.importers.pandapower_tables import Net, read_net
from macjax.importers.pandapower_wires import Wires, names, read_wires


class GridTables(NamedTuple):
    """Tables of a grid under their names in a case.

    Arguments:
        lines, grid_nodes, grid_profile: the tables; the profile is by hour.
        settings: keys of the section `grid`: substation and nominal_kv.
        report: what was left out or assumed.
    """

    lines: pd.DataFrame
    grid_nodes: pd.DataFrame
    grid_profile: pd.DataFrame
    settings: dict
    report: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """The three tables by name, as `Case.from_frames` takes them."""
        return dict(zip(self._fields[:3], self[:3], strict=True))


def grid_from_pandapower(
    net,
    *,
    nominal_kv: float | None = None,
    power_factor: float = 0.95,
    loading: float = 1.0,
    base_day: str | None = None,
) -> GridTables:
    """Read the tables of a grid from a pandapower net.

    Arguments:
        net: a net, a mapping of its tables, the path of its JSON file, or
            `simbench:CODE` with the extra `pandapower`.
        nominal_kv: V_0; None takes the one that most lines have.
        power_factor: of the loads, and active over apparent power of the ratings.
        loading: planning limit, as a share of the rating.
        base_day: day of the profiles, as in `macjax.importers.pandapower`.

    Raises:
        DataError, SettingsError: the net cannot be read or has no external grid.
    """
    _check_shares(power_factor=power_factor, loading=loading)
    findings = Findings("wrong pandapower net", "error")
    tables = read_net(net, findings)
    wires = read_wires(tables)
    load = base_load(tables, wires.bus_of, False, base_day, None)
    both = base_load(tables, wires.bus_of, True, base_day, None)
    findings.settle()
    node = islands(len(wires.xy), wires.tie_first, wires.tie_second)
    kv = tables["bus"].number("vn_kv", low=0)
    begin = wires.lines["from"].to_numpy()
    if nominal_kv is None:
        values, counts = np.unique(kv[begin] if len(begin) else kv, return_counts=True)
        nominal_kv = float(values[counts.argmax()])
    parts = _lines(tables, wires, kv, nominal_kv), _trafos(tables, wires, nominal_kv)
    lines = pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)
    lines["limit_kw"] = 1e3 * lines.pop("mva") * power_factor * loading
    bus = wires.bus_of(tables["ext_grid"], "bus")
    bus = bus[bus >= 0]
    if not len(bus):
        tables["ext_grid"].findings.broken(tables.name, "ext_grid", "there is none")
    lines["from"], lines["to"] = node[lines["from"]], node[lines["to"]]
    reach = islands(node.max() + 1, lines["from"].to_numpy(), lines["to"].to_numpy())
    fed = reach == reach[node[bus[0]]]
    lost = wires.numbers[~fed[node]].tolist()
    what = "buses are not connected to the external grid"
    findings.note(tables.name, "bus", what, "left out", (), len(lost), lost)
    lines = lines[fed[lines["from"]]]
    label = _labels(wires, node)
    for end in ("from", "to"):
        lines[f"{end}_node"] = label[lines.pop(end)]
    return GridTables(
        lines=lines.reset_index(drop=True),
        grid_nodes=_nodes(tables, wires, node, label, fed, power_factor),
        grid_profile=_profile(load.kw, both.kw, node, label, fed, load.step_minutes),
        settings={"substation": str(label[node[bus[0]]]), "nominal_kv": nominal_kv},
        report=findings.report(),
    )


def _check_shares(**shares: float) -> None:
    for name, value in shares.items():
        if not 0 < value <= 1:
            raise SettingsError(f"{name} must be above 0 and at most 1, not {value!r}")


def _labels(wires: Wires, node: np.ndarray) -> np.ndarray:
    """Id of each node: the number of the first bus that it joins."""
    first = pd.Series(wires.numbers.astype(str)).groupby(node).first()
    return first.reindex(range(node.max() + 1)).to_numpy(object)


def _lines(net: Net, wires: Wires, kv: np.ndarray, nominal_kv: float) -> pd.DataFrame:
    """from, to, line_id, mva, r_ohm, x_ohm of the lines in service."""
    sheet, found = net["line"], wires.lines.rename(columns={"name": "line_id"})
    row = pd.Index(names(sheet, "line")).get_indexer(pd.Index(found["line_id"]))
    sheet.require("length_km", "r_ohm_per_km", "x_ohm_per_km")
    length = sheet.number("length_km", low=0)
    parallel = sheet.number("parallel", low=1) if sheet.has("parallel") else 1.0
    refer = (nominal_kv / kv[found["from"].to_numpy()]) ** 2
    for column in ("r", "x"):
        ohm = length * sheet.number(f"{column}_ohm_per_km", low=0) / parallel
        found[f"{column}_ohm"] = ohm[row] * refer
    return found


def _trafos(net: Net, wires: Wires, nominal_kv: float) -> pd.DataFrame:
    """The same of the transformers: z = vk V_0^2 / S, r = vkr V_0^2 / S."""
    sheet = net["trafo"]
    found = wires.trafos.rename(columns={"hv": "from", "lv": "to", "name": "line_id"})
    if not len(found):
        return found.assign(r_ohm=0.0, x_ohm=0.0)
    row = pd.Index(names(sheet, "trafo")).get_indexer(pd.Index(found["line_id"]))
    if (row < 0).any():
        raise SettingsError(
            "transformers with three windings are not read; give the grid as tables"
        )
    sheet.require("vk_percent", "vkr_percent")
    base = nominal_kv**2 / sheet.number("sn_mva", low=0) / 100.0
    z, r = (sheet.number(c, low=0) * base for c in ("vk_percent", "vkr_percent"))
    found["r_ohm"] = r[row]
    found["x_ohm"] = np.sqrt(np.maximum(z**2 - r**2, 0.0))[row]
    return found


def _nodes(net: Net, wires: Wires, node, label, fed, power_factor: float):
    """node_id, x, y, min_pu, max_pu, power_factor; the narrowest of joined buses."""
    bus = net["bus"]
    limits = {}
    for column, name, narrow in (
        ("min_vm_pu", "min_pu", "max"),
        ("max_vm_pu", "max_pu", "min"),
    ):
        known = bus.has(column)
        values = bus.number(column, null=True) if known else np.full(len(bus), np.nan)
        limits[name] = pd.Series(values).groupby(node).agg(narrow).to_numpy()
    place = pd.DataFrame(wires.xy, columns=["x", "y"]).groupby(node).first()
    frame = pd.DataFrame({"node_id": label, **place.to_dict("series"), **limits})
    frame["power_factor"] = power_factor
    return frame[fed].reset_index(drop=True)


def _profile(load, both, node, label, fed, step_minutes: int) -> pd.DataFrame:
    """node_id, hour, load_kw, pv_kw of the day, means of the hours."""
    per_hour = max(1, 60 // step_minutes)
    hours = load.shape[1] // per_hour
    parts = []
    for kw in (load, load - both):
        sums = np.zeros((len(label), kw.shape[1]))
        np.add.at(sums, node, kw)
        parts.append(sums[fed].reshape(-1, hours, per_hour).mean(axis=2))
    return pd.DataFrame(
        {
            "node_id": np.repeat(label[fed], hours),
            "hour": np.tile(np.arange(hours), int(fed.sum())),
            "load_kw": parts[0].ravel(),
            "pv_kw": parts[1].ravel(),
        }
    )
