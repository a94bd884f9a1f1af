"""What the flows of one net say about each of its feeders, slot by slot."""

from typing import NamedTuple

import numpy as np

from macjax._errors import SettingsError
from macjax.powerflow.feeders import MvFeeders, limits
from macjax.powerflow.flow import Flow
from macjax.powerflow.topology import column

# Where the net gives no band: Range A of ANSI C84.1 at the customer [pu].
BAND_PU = (0.95, 1.05)
COUNTS = 1e-6  # share of a limit by which it has to be exceeded


class Band(NamedTuple):
    """Lowest and highest voltage allowed at each bus [pu], shape (buses,)."""

    low: np.ndarray
    high: np.ndarray


def voltage_band(net, given=None) -> Band:
    """The band of each bus: as given, or the net's min_vm_pu and max_vm_pu.

    Arguments:
        net: the net.
        given: (low, high) for all buses [pu], or None.
    """
    buses = net["bus"]
    if given is None:
        names = ("min_vm_pu", "max_vm_pu")
        columns = zip(names, BAND_PU, strict=True)
        return Band(*(column(buses, name, value) for name, value in columns))
    try:
        low, high = (float(v) for v in given)
    except (TypeError, ValueError) as error:
        rule = "voltage_band_pu must be (low, high), such as (0.95, 1.05)"
        raise SettingsError(f"{rule}; got {given!r}") from error
    if not 0 < low < high < np.inf:
        raise SettingsError(f"voltage_band_pu must rise from above 0; got {given!r}")
    return Band(np.full(len(buses), low), np.full(len(buses), high))


def tightest(band: Band, grid: MvFeeders) -> tuple[float, float]:
    """The highest lower and the lowest upper limit at the feeders' buses [pu]."""
    buses = np.concatenate(grid.buses)
    return float(band.low[buses].max()), float(band.high[buses].min())


def read(net, grid: MvFeeders, band: Band, flows: list[Flow]) -> dict[str, np.ndarray]:
    """Loading and voltage of every feeder of the net, arrays of shape (M, flows).

    Returns:
        head_loading_percent, line_loading_percent and line: of the line that is
        nearest to its limit or furthest above it; trafo_loading_percent, likewise, NaN
        without transformer; lowest_pu, lowest_bus, highest_pu; line_over, trafo_over,
        voltage_low and voltage_high: whether a limit is exceeded.
    """
    most = limits(net)
    stacked = {
        name: np.array([getattr(flow, name) for flow in flows])
        for name in ("vm_pu", "line", "trafo", "trafo3w")
    }
    found = [
        _of_feeder(net, grid, m, band, most, stacked) for m in range(len(grid.names))
    ]
    return {name: np.stack([f[name] for f in found]) for name in found[0]}


def _of_feeder(net, grid: MvFeeders, m: int, band, most, flows) -> dict:
    """The readings of one feeder, arrays of shape (flows,)."""
    buses, lines = grid.buses[m], grid.lines[m]
    voltage = flows["vm_pu"][:, buses]
    full = flows["line"][:, lines] / most["line"][lines]
    at = _largest(full)
    trafos = [
        flows[name][:, rows] / most[name][rows]
        for name, rows in (("trafo", grid.trafos[m]), ("trafo3w", grid.trafos3w[m]))
    ]
    trafo_limits = [most["trafo"][grid.trafos[m]], most["trafo3w"][grid.trafos3w[m]]]
    trafo, trafo_percent = _fullest(np.hstack(trafos), np.concatenate(trafo_limits))
    each = np.arange(len(voltage))
    return {
        "head_loading_percent": flows["line"][:, grid.heads[m]].max(axis=1),
        "line_loading_percent": full[each, at] * most["line"][lines[at]],
        "line": net["line"].index.to_numpy()[lines[at]],
        "trafo_loading_percent": trafo_percent,
        "lowest_pu": voltage.min(axis=1),
        "lowest_bus": net["bus"].index.to_numpy()[buses[_largest(-voltage)]],
        "highest_pu": voltage.max(axis=1),
        "line_over": full.max(axis=1) > 1.0 + COUNTS,
        "trafo_over": trafo > 1.0 + COUNTS,
        "voltage_low": (voltage < band.low[buses] - COUNTS).any(axis=1),
        "voltage_high": (voltage > band.high[buses] + COUNTS).any(axis=1),
    }


def _largest(values: np.ndarray) -> np.ndarray:
    """Column of the largest value of each row, NaN before all others."""
    return np.argmax(np.where(np.isnan(values), np.inf, values), axis=1)


def _fullest(full: np.ndarray, limit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest share of a limit in each row, and the loading there [%]."""
    if not len(limit):
        nothing = np.full(len(full), np.nan)
        return nothing, nothing
    at = _largest(full)
    share = full[np.arange(len(full)), at]
    return share, share * limit[at]
