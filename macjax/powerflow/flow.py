"""Power flows of one net for many loads, by pandapower's Newton-Raphson.

Loads are constant power. What else feeds in or draws (generators, storage, wards) is
switched off: the base load of a feeder is net of it. Tap changers with a set point hold
it, with any tap between their ends. Lines can be reinforced by a factor g, as if g of
them lay side by side: r, x and length-related losses / g, capacitance and rating x g.
"""

import copy
from typing import NamedTuple

import numpy as np

from macjax.powerflow.nets import require_pandapower
from macjax.powerflow.topology import column, table

OTHERS = (
    "sgen",
    "storage",
    "motor",
    "ward",
    "xward",
    "asymmetric_load",
    "asymmetric_sgen",
    "dcline",
)
# Effect of a reinforcement by g on the columns of lines: exponent of g.
LINE_COLUMNS = {
    "r_ohm_per_km": -1,
    "x_ohm_per_km": -1,
    "c_nf_per_km": 1,
    "g_us_per_km": 1,
    "max_i_ka": 1,
}
TAP_TOLERANCE = 1e-5  # of the set point


class Flow(NamedTuple):
    """The result of one power flow, by row of the tables of the net.

    Arguments:
        vm_pu: voltage of the buses, NaN without supply.
        line, trafo, trafo3w: loading [%].
        reason: why there are no numbers; empty if the flow converged.
    """

    vm_pu: np.ndarray
    line: np.ndarray
    trafo: np.ndarray
    trafo3w: np.ndarray
    reason: str = ""


class Model:
    """A copy of a net that is loaded again and again.

    Arguments:
        net: the net, which is not changed.
        busbar_pu: set point of the tap changers of `regulated`; None takes that of the
            net (column autoTapSetp, where autoTap is 1), or leaves the taps alone.
        regulated: rows of the trafo table whose secondary side is the busbar's.
    """

    def __init__(self, net, busbar_pu: float | None, regulated: np.ndarray):
        self.pandapower = require_pandapower()
        errors = self.pandapower.auxiliary
        self.failures = (
            errors.LoadflowNotConverged,
            errors.NetCalculationNotConverged,
            errors.ControllerNotConverged,
        )
        self.net = _bare_copy(net)
        lines = self.net["line"]
        self.lines = {c: column(lines, c, 0.0) for c in LINE_COLUMNS if c in lines}
        self.notes = _switch_off_others(self.net)
        self.set_points = _set_points(self.net, busbar_pu, regulated)
        self._regulate()
        self.taps = column(self.net["trafo"], "tap_pos", np.nan)
        self.warm = False
        self.numba = _has_numba()

    def _regulate(self) -> None:
        """Tap controllers of pandapower for the transformers with a set point."""
        if not self.set_points:
            return
        from pandapower.control import (  # type: ignore[import-not-found]
            ContinuousTapControl,
        )

        trafos = self.net["trafo"]
        trafos["tap_pos"] = trafos["tap_pos"].astype(np.float64)
        for row, set_point in self.set_points.items():
            number = trafos.index[row]
            # Without this word pandapower leaves the tap out of the flow.
            trafos.loc[number, "tap_changer_type"] = "Ratio"
            ContinuousTapControl(
                self.net, number, vm_set_pu=set_point, tol=TAP_TOLERANCE
            )

    def reinforce(self, factor: np.ndarray) -> None:
        """Give every line `factor` times its conductors, shape (lines,)."""
        for name, power in LINE_COLUMNS.items():
            if name in self.lines:
                self.net["line"][name] = self.lines[name] * factor**power

    def solve(self, p_mw: np.ndarray, q_mvar: np.ndarray) -> Flow:
        """The flow for active and reactive power of the loads, shape (loads,)."""
        net = self.net
        net["load"]["p_mw"], net["load"]["q_mvar"] = p_mw, q_mvar
        try:
            self._run("results" if self.warm else "auto")
        except self.failures as error:
            reason = self._again() if self.warm else _told(error)
            if reason:
                return self._failed(reason)
        self.warm = True
        return Flow(
            net["res_bus"]["vm_pu"].to_numpy(np.float64).copy(),
            _loading(net, "line"),
            _loading(net, "trafo"),
            _loading(net, "trafo3w"),
        )

    def _again(self) -> str:
        """Try once more from the start; the reason if that fails too."""
        self._reset()
        try:
            self._run("auto")
        except self.failures as error:
            return _told(error)
        return ""

    def _run(self, init: str) -> None:
        self.pandapower.runpp(
            self.net, init=init, run_control=bool(self.set_points), numba=self.numba
        )

    def _reset(self) -> None:
        """Taps as they were, and no voltages to start from."""
        if self.set_points:
            self.net["trafo"]["tap_pos"] = self.taps
        self.warm = False

    def _failed(self, reason: str) -> Flow:
        self._reset()
        tables = ("bus", "line", "trafo", "trafo3w")
        buses, lines, trafos, trafos3w = (
            np.full(len(table(self.net, name)), np.nan) for name in tables
        )
        return Flow(buses, lines, trafos, trafos3w, reason)


def _bare_copy(net):
    """A deep copy without profiles, results, controllers and closed switches."""
    shallow = copy.copy(net)
    for name in ("profiles", "loadcases"):
        shallow.pop(name, None)
    own = copy.deepcopy(shallow)
    own["controller"] = own["controller"].iloc[:0].copy()
    switch = own["switch"]
    # A closed switch at a line or a transformer has no effect but costs time.
    kept = (switch["et"] == "b") | ~switch["closed"].astype(bool)
    own["switch"] = switch[kept].copy()
    loads = own["load"]
    for name in loads.columns:
        if str(name).startswith("const_"):
            loads[name] = 0.0
    loads["scaling"] = 1.0
    return own


def _switch_off_others(net) -> list[str]:
    """Switch off what is neither load nor grid; says how many elements."""
    count = 0
    for name in (*OTHERS, "gen"):
        frame = table(net, name)
        if frame.empty:
            continue
        on = frame["in_service"].astype(bool)
        if name == "gen" and "slack" in frame:
            on &= ~frame["slack"].fillna(False).astype(bool)
        count += int(on.sum())
        net[name].loc[on, "in_service"] = False
    if not count:
        return []
    return [f"{count} generators and other elements of the net are switched off."]


def _set_points(net, busbar_pu: float | None, regulated) -> dict[int, float]:
    """Set point of each transformer of `regulated` that has a tap changer, by row."""
    trafos = net["trafo"]
    if trafos.empty:
        return {}
    step = column(trafos, "tap_step_percent", 0.0)
    low, high = (column(trafos, c, np.nan) for c in ("tap_min", "tap_max"))
    able = (step > 0) & (high > low) & trafos["tap_side"].isin(["hv", "lv"]).to_numpy()
    if busbar_pu is None:
        wanted = column(trafos, "autoTapSetp", np.nan)
        automatic = column(trafos, "autoTap", 0.0) == 1
        wanted = np.where(automatic, wanted, np.nan)
    else:
        wanted = np.full(len(trafos), float(busbar_pu))
    rows = [r for r in regulated if able[r] and np.isfinite(wanted[r])]
    return {int(r): float(wanted[r]) for r in rows}


def _loading(net, name: str) -> np.ndarray:
    """Loading of the elements of a table [%], NaN for those out of service."""
    result = table(net, f"res_{name}")
    return column(result, "loading_percent", np.nan).copy()


def _told(error: Exception) -> str:
    return f"power flow: {error}".strip()


def _has_numba() -> bool:
    """Whether numba is there, without which pandapower says so at every flow."""
    from importlib.util import find_spec

    return find_spec("numba") is not None
