"""Small nets, a small scenario, and a power flow that is slow and obvious.

The net: busbar 10 (20 kV). Feeder "A" is the line 10-20 and, behind it, the thinner
line 20-30; feeder "B" is the line 10-40; of nobody are the line 10-60, which ends
without load, and the open ring 30-40. Element numbers are not rows on purpose.
"""

import numpy as np
import pandas as pd

from macjax import Scenario, Solution
from macjax.scenario.plan import Plan

KV = 20.0
EXTRA = "needs the extra powerflow: pip install 'macjax[powerflow]'"
# number: from, to, length [km], R [ohm/km], X [ohm/km], rating [kA], name
LINES = {
    7: (10, 20, 4.0, 0.20, 0.12, 0.20, "A"),
    3: (20, 30, 6.0, 0.40, 0.13, 0.10, "A2"),
    5: (10, 40, 5.0, 0.25, 0.12, 0.25, "B"),
    8: (30, 40, 3.0, 0.25, 0.12, 0.25, "ring"),
    9: (10, 60, 1.0, 0.25, 0.12, 0.25, "reserve"),
}
# number: bus, MW
LOADS = {2: (20, 0.9), 4: (30, 0.3), 6: (40, 0.5), 1: (10, 0.7)}
BUSES = (10, 20, 30, 40, 60)
RATING = {"A": np.sqrt(3) * KV * 0.20, "B": np.sqrt(3) * KV * 0.25}


def tables() -> dict:
    """The net as plain tables, for what does not need pandapower."""
    names = ("from_bus", "to_bus", "length_km", "r_ohm_per_km", "x_ohm_per_km")
    line = pd.DataFrame.from_dict(
        LINES, orient="index", columns=[*names, "max_i_ka", "name"]
    )
    load = pd.DataFrame.from_dict(LOADS, orient="index", columns=["bus", "p_mw"])
    return {
        "bus": pd.DataFrame({"vn_kv": KV}, index=list(BUSES)),
        "line": line.assign(c_nf_per_km=0.0, parallel=1, df=1.0, in_service=True),
        "load": load.assign(q_mvar=0.0, scaling=1.0, in_service=True),
        "ext_grid": pd.DataFrame({"bus": [10]}),
        "switch": pd.DataFrame(
            {"bus": [30], "element": [8], "et": ["l"], "closed": [False]}
        ),
    }


def pandapower_net():
    """The same as a net of pandapower."""
    import pandapower as pp

    net = pp.create_empty_network()
    for number in BUSES:
        pp.create_bus(net, KV, index=number)
    pp.create_ext_grid(net, 10, vm_pu=1.0)
    for number, (start, end, km, r, x, ka, name) in LINES.items():
        pp.create_line_from_parameters(
            net, start, end, km, r, x, 0.0, ka, name=name, index=number
        )
    for number, (bus, mw) in LOADS.items():
        pp.create_load(net, bus, mw, index=number)
    pp.create_switch(net, 30, 8, et="l", closed=False)
    return net


def net_with_trafo():
    """The net behind a transformer 110/20 kV of 25 MVA whose taps hold 1.02 pu."""
    import pandapower as pp

    net = pandapower_net()
    net.ext_grid.drop(net.ext_grid.index, inplace=True)
    hv = pp.create_bus(net, 110.0, index=90)
    pp.create_ext_grid(net, hv)
    pp.create_transformer_from_parameters(
        net, hv, 10, 25.0, 110.0, 20.0, 0.4, 12.0, 14.0, 0.07,
        tap_side="hv", tap_neutral=0, tap_min=-9, tap_max=9, tap_step_percent=1.5,
        tap_pos=0,
    )  # fmt: skip
    net.trafo["autoTap"], net.trafo["autoTapSetp"] = 1, 1.02
    return net


def scenario(capacity=(1000.0, 400.0), base=None, slots=4, **more) -> Scenario:
    """Feeders "big" and "small", one vehicle parked at each all the time."""
    start = pd.Timestamp("2026-03-02T00:00:00-08:00")
    end = start + pd.Timedelta(hours=slots)
    if base is None:
        base = [[500.0, 600.0, 700.0, 300.0], [200.0, 100.0, 300.0, 380.0]]
    times = [start + pd.Timedelta(hours=h) for h in range(slots)]
    capacity = np.broadcast_to(np.array(capacity).reshape(2, -1), (2, slots))
    profile = pd.DataFrame(
        {
            "feeder_id": np.repeat(["big", "small"], slots),
            "time": times * 2,
            "capacity_kw": capacity.reshape(-1),
            "base_kw": np.array(base).reshape(-1),
        }
    )
    stays = {"vehicle_id": ["v", "w"], "feeder_id": ["big", "small"]}
    stays |= {"arrival": start, "departure": end, "charger_kw": 300.0}
    vehicles = {"vehicle_id": ["v", "w"], "battery_kwh": 1000.0, "initial_kwh": 0.0}
    trips = pd.DataFrame({"vehicle_id": pd.Series([], dtype=str)})
    for name in ("departure", "arrival"):
        trips[name] = pd.Series([], dtype="datetime64[ns, UTC]")
    return Scenario.from_frames(
        name="two feeders",
        start=start,
        timezone="America/Los_Angeles",
        slot_minutes=60,
        slots=slots,
        vehicles=pd.DataFrame(vehicles),
        stays=pd.DataFrame(stays),
        trips=trips.assign(energy_kwh=pd.Series([], dtype=float)),
        feeders=pd.DataFrame({"feeder_id": ["big", "small"], **more}),
        feeder_profile=profile,
    )


def solution(scenario, ev_kw, method="unmanaged") -> Solution:
    """A solution with the EV load given, shape (2, slots) [kW]."""
    ev = np.array(ev_kw, np.float64)
    stay, slot = np.nonzero(ev)
    plan = Plan(stay, slot, ev[stay, slot])
    return Solution(scenario=scenario, plan=plan, status="simulated", method=method)


def two_bus_voltage(kv: float, r: float, x: float, p: float, q: float) -> float:
    """Voltage at the end of one line [pu of kv], by the quadratic of V^2.

    |V2|^2 = a + sqrt(a^2 - |Z|^2 |S|^2),  a = |V1|^2 / 2 - (R P + X Q)
    """
    a = kv**2 / 2 - (r * p + x * q)
    return float(np.sqrt(a + np.sqrt(a**2 - (r**2 + x**2) * (p**2 + q**2))) / kv)


def sweep(lines: dict, power: dict, source: float = 1.0) -> tuple[dict, dict]:
    """Voltages [pu] and currents [kA] of a radial net without capacitance.

    Backward and forward sweeps: currents from the loads up, voltages from the busbar
    down, until nothing changes.

    Arguments:
        lines: number: (from, to, ohm complex), ordered from the busbar outwards.
        power: bus: MVA complex.
        source: voltage at bus 10 [pu].
    """
    buses = {bus for start, end, _ in lines.values() for bus in (start, end)}
    volt = {bus: complex(source * KV / np.sqrt(3)) for bus in buses}
    current = {}
    for _ in range(200):
        drawn = {b: np.conj(power.get(b, 0.0) / 3 / volt[b]) for b in buses}
        for number, (start, end, _) in reversed(lines.items()):
            current[number] = drawn[end]
            drawn[start] += drawn[end]
        for number, (start, end, ohm) in lines.items():
            volt[end] = volt[start] - ohm * current[number]
    pu = {bus: abs(v) * np.sqrt(3) / KV for bus, v in volt.items()}
    return pu, {number: abs(i) for number, i in current.items()}
