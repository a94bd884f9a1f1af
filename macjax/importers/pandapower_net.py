"""Feeders of a pandapower net: its transformers, or the lines that leave its busbar.

    capacity [kW] = 1000 x rated MVA x parallel x df x max_loading_percent / 100
                    x loading x power factor,   of a line sqrt(3) x kV x kA.

Base load is the sum of the loads behind it, by their profiles where the net has any
(SimBench), else the operating point in the table of loads.
"""

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.banks import (
    bank_names,
    find_banks,
    islands,
    on_cycle,
    with_descendants,
)
from macjax.importers.findings import Findings
from macjax.importers.pandapower_load import base_load
from macjax.importers.pandapower_tables import Net, read_net
from macjax.importers.pandapower_wires import Wires, read_wires
from macjax.importers.profiles import (
    check_cost,
    check_share,
    optional_horizon,
    placed_profile,
)
from macjax.importers.result import Imported

LEVELS = ("trafo", "line")


def pandapower(
    net,
    *,
    start=None,
    timezone: str = "UTC",
    slot_minutes: int = 60,
    days: int = 1,
    level: str = "trafo",
    power_factor: float = 0.95,
    loading: float = 1.0,
    generation: bool = False,
    base_day: str | None = None,
    upgrade_cost_per_kw: float = 1.0,
    name: str | None = None,
) -> Imported:
    """Import the feeders of a pandapower net, with their capacity and base load.

    Arguments:
        net: a net, a mapping of its tables, the path of its JSON file, or
            `simbench:CODE` with the extra `pandapower`.
        start: first slot of a profile by time; None is a profile by hour of the day.
        timezone: IANA name of the zone of a start without an offset.
        slot_minutes, days: of a profile by time: length of a slot [min], how many days.
        level: `trafo`: transformers are feeders, those that feed one island together
            are one; `line`: the lines that leave the busbar are.
        power_factor: active over apparent power.
        loading: planning limit, as a share of the rating; e.g. 0.5 where one of two
            must do.
        generation: static generators lower the base load.
        base_day: first day of the load profiles that is taken, as 2016-01-19; None is
            the day with the largest load.
        upgrade_cost_per_kw: of all feeders [currency/kW].
        name: of the import.

    Returns:
        feeders (with x, y of their buses) and feeder_profile.
    """
    if level not in LEVELS:
        raise SettingsError(f"level must be 'trafo' or 'line'; got {level!r}")
    factor = check_share("power_factor", power_factor) * check_share("loading", loading)
    horizon = optional_horizon(start, timezone, slot_minutes, days)
    cost = check_cost(upgrade_cost_per_kw)
    findings = Findings("wrong pandapower net", "error")
    tables = read_net(net, findings)
    wires = read_wires(tables)
    load = base_load(tables, wires.bus_of, generation, base_day, horizon)
    findings.settle()
    feeders, capacity, base = (_of_trafos if level == "trafo" else _of_lines)(
        tables, wires, load.kw
    )
    feeders["upgrade_cost_per_kw"] = cost
    profile = placed_profile(
        feeders["feeder_id"], 1e3 * factor * capacity, base, load.step_minutes, horizon
    )
    name, report = tables.name if name is None else name, findings.report()
    return Imported(name, report, horizon, feeders=feeders, feeder_profile=profile)


def _of_trafos(net: Net, wires: Wires, load: np.ndarray):
    """feeders, capacity [MVA] and base load [kW] of the banks of transformers."""
    trafos = wires.trafos
    if trafos.empty:
        net["trafo"].findings.broken(net.name, "trafo", "the net has no transformer")
    island = islands(len(wires.xy), wires.first, wires.second)
    hv, lv = trafos["hv"].to_numpy(), trafos["lv"].to_numpy()
    banks = find_banks(island, hv, lv)
    count, parent = len(banks.island), banks.parent.copy()
    sheet = net["trafo"]
    loops = trafos["name"][banks.of < 0].tolist()
    what = "both ends are in one island: no feeder"
    sheet.findings.note(sheet.file, "lv_bus", what, "left out", (), len(loops), loops)
    names = bank_names(trafos["name"].to_numpy(object), banks.of, count)
    several = np.bincount(banks.of[banks.of >= 0], minlength=count) > 1
    joined = np.array(names, object)[several].tolist()
    what = "feed one island: one feeder of their sum"
    sheet.findings.note(sheet.file, "lv_bus", what, "assumed", (), len(joined), joined)
    parent[on_cycle(parent)] = -1
    own = np.zeros((int(island.max()) + 1, load.shape[1]))
    np.add.at(own, island, load)
    _note_unserved(net, load, np.isin(island, banks.island))
    base = with_descendants(own[banks.island], parent)
    mva = np.bincount(
        banks.of[banks.of >= 0],
        trafos["mva"].to_numpy()[banks.of >= 0],
        minlength=count,
    )
    feeders = pd.DataFrame({"feeder_id": names})
    above = np.array([*names, None], object)[parent]
    feeders["parent_id"] = pd.Series(above, dtype=object)
    first = pd.Series(lv).groupby(banks.of).first().reindex(range(count))
    return _with_places(feeders, wires, first.to_numpy()), mva, base


def _of_lines(net: Net, wires: Wires, load: np.ndarray):
    """feeders, capacity [MVA] and base load [kW] of the lines that leave the busbar."""
    sheet = net["line"]
    on_bar, upstream = _busbar(net, wires)
    lines = wires.lines
    ends = on_bar[lines["from"].to_numpy()], on_bar[lines["to"].to_numpy()]
    heads = ends[0] ^ ends[1]
    if not heads.any():
        sheet.findings.broken(net.name, "line", "no line leaves the busbar")
    trafos = wires.trafos[~upstream]
    first = np.concatenate([wires.first, trafos["hv"].to_numpy()])
    second = np.concatenate([wires.second, trafos["lv"].to_numpy()])
    inside = ~on_bar[first] & ~on_bar[second]
    island = islands(len(on_bar), first[inside], second[inside])
    far = np.where(ends[0], lines["to"].to_numpy(), lines["from"].to_numpy())[heads]
    fed, of = np.unique(island[far], return_inverse=True)
    names = bank_names(lines["name"].to_numpy(object)[heads], of, len(fed))
    joined = np.array(names, object)[np.bincount(of) > 1].tolist()
    what = "feed one island: one feeder of their sum"
    sheet.findings.note(sheet.file, "to_bus", what, "assumed", (), len(joined), joined)
    own = np.zeros((int(island.max()) + 1, load.shape[1]))
    np.add.at(own, island[~on_bar], load[~on_bar])
    _note_unserved(net, load, np.isin(island, fed) & ~on_bar)
    mva = np.bincount(of, lines["mva"].to_numpy()[heads])
    feeders = pd.DataFrame({"feeder_id": names})
    at = pd.Series(far).groupby(of).first().to_numpy()
    return _with_places(feeders, wires, at), mva, own[fed]


def _busbar(net: Net, wires: Wires):
    """Buses of the busbar, and the transformers that feed it.

    The busbar is where the net is fed: the secondary side of the transformers at the
    external grid, or the bus of the external grid itself where lines begin there.
    """
    sheet = net["ext_grid"]
    bus = wires.bus_of(sheet, "bus")
    bus = bus[bus >= 0]
    if not len(bus):
        sheet.findings.broken(net.name, "ext_grid", "the net has no external grid")
    nodes = len(wires.xy)
    bars = islands(nodes, wires.tie_first, wires.tie_second)
    at_grid = np.isin(bars, bars[bus])
    lines = wires.lines
    has_lines = (at_grid[lines["from"]] | at_grid[lines["to"]]).any()
    upstream = at_grid[wires.trafos["hv"].to_numpy()]
    if has_lines or not upstream.any():
        return at_grid, np.zeros(len(wires.trafos), bool)
    return np.isin(bars, bars[wires.trafos["lv"].to_numpy()[upstream]]), upstream


def _note_unserved(net: Net, load: np.ndarray, served: np.ndarray) -> None:
    """Loads that are behind no feeder."""
    buses = np.flatnonzero((load != 0).any(axis=1) & ~served)
    names = net["bus"].frame["index"].to_numpy()[buses].tolist()
    what = "loads at these buses are behind no feeder"
    file = net["load"].file
    net["load"].findings.note(file, "bus", what, "left out", (), len(names), names)


def _with_places(feeders: pd.DataFrame, wires: Wires, bus) -> pd.DataFrame:
    """x, y of the bus of each feeder, and degrees where they can be degrees."""
    xy = wires.xy[np.asarray(bus, np.int64)]
    if not np.isfinite(xy).any():
        return feeders
    feeders["x"], feeders["y"] = xy.T
    known = xy[np.isfinite(xy).all(axis=1)]
    if (np.abs(known) <= (180, 90)).all():
        feeders["longitude"], feeders["latitude"] = xy.T
    return feeders
