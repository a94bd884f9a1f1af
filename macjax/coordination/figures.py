"""Figures of price coordination: iterations, distances by step, and sweeps.

Each takes `ax=`, draws, and returns the axes; needs matplotlib like `macjax.plots`.
"""

import numpy as np

from macjax._errors import SettingsError, nearest
from macjax.coordination.contraction import Contraction
from macjax.coordination.run import PriceRun
from macjax.coordination.sweep import PriceSweep
from macjax.plots.canvas import axes_of, legend_below

QUANTITIES = {
    "price": "price [currency/kWh]",
    "demand": "total demand [kW]",
}
UNITS = {"kw": "kW", "kwh": "kWh"}  # by the end of the name of a column
PRICES = ("price_min", "price_max", "initial_price")
GREYS = (0.8, 0.3)
# From dark blue through green to yellow, which differ in brightness too.
SHADES = ((0.27, 0.0, 0.33), (0.13, 0.57, 0.55), (0.85, 0.85, 0.1))


def iterations(run: PriceRun, quantity: str = "price", most: int = 8, ax=None):
    """Price or total demand of the first iterations, and in colour of the last.

    Arguments:
        run: a run.
        quantity: "price" or "demand".
        most: how many iterations are drawn besides the last.
        ax: matplotlib axes to draw in.
    """
    if quantity not in QUANTITIES:
        raise SettingsError(
            f"unknown quantity '{quantity}': {nearest(quantity, QUANTITIES)}"
        )
    tables = {"price": run.prices, "demand": run.problem.base_demand_kw + run.demands}
    table = tables[quantity]
    ax = axes_of(ax, (7.0, 4.0))
    hours = run.problem.slot_hours * np.arange(len(run.price) + 1)
    rows = list(range(min(most, run.iterations)))
    for k in rows:
        shade = GREYS[0] + (GREYS[1] - GREYS[0]) * k / max(most, 1)
        values = np.append(table[k], table[k, -1])
        label = f"iteration {k}" if k in (0, rows[-1]) else None
        ax.step(hours, values, where="post", color=str(shade), lw=1.0, label=label)
    last = np.append(table[-1], table[-1, -1])
    name = f"iteration {run.iterations}"
    ax.step(hours, last, where="post", color="#0072B2", lw=2.0, label=name)
    if quantity == "demand":
        base = run.problem.base_demand_kw
        base = np.append(base, base[-1])
        ax.step(hours, base, where="post", color="k", ls=":", label="without EVs")
    ax.set_xlabel("time from the start [h]")
    ax.set_ylabel(QUANTITIES[quantity])
    legend_below(ax, columns=4)
    return ax


def distances(sweep: PriceSweep, known: Contraction | None = None, ax=None):
    """||p - p**||_1 over the iterations, one line for each step of a sweep.

    Arguments:
        sweep: over steps.
        known: what is known before the run; steps that it guarantees are solid lines,
            those beyond are dashed.
        ax: matplotlib axes to draw in.
    """
    ax = axes_of(ax, (7.0, 4.4))
    steps = sweep.frame["step"].to_numpy(np.float64)
    colours = _colours(len(steps))
    for run, history in sweep.history.groupby("run"):
        step = steps[int(str(run))]
        sure = known is None or step < known.guaranteed_step
        source = known is not None and step < known.source_step
        note = "" if known is None else ", 1-norm" if source else ", 2-norm"
        note = note if sure else ", no guarantee"
        ax.semilogy(
            history["iteration"],
            np.maximum(history["distance"].to_numpy(np.float64), 1e-16),
            color=colours[int(str(run))],
            ls="-" if sure else "--",
            label=f"step {step:g}{note}",
        )
    title = "Distance to the fixed point"
    if known is not None:
        title += f": guaranteed below step {known.guaranteed_step:.3f}"
        title += f" (source: {known.source_step:.3f})"
    ax.set_title(title, loc="left", fontsize=10)
    ax.set_xlabel("iteration")
    ax.set_ylabel("||p - p**||, 1-norm [currency/kWh]")
    legend_below(ax, columns=3)
    return ax


def parameter(sweep: PriceSweep, name: str, column: str = "share_of_energy", ax=None):
    """A column of a sweep's frame over what varies.

    Arguments:
        sweep: a sweep.
        name: what varies, a column of `sweep.frame`.
        column: what is drawn.
        ax: matplotlib axes to draw in.
    """
    for wanted in (name, column):
        if wanted not in sweep.frame:
            raise SettingsError(
                f"unknown column '{wanted}': {nearest(wanted, sweep.frame)}"
            )
    ax = axes_of(ax, (5.0, 3.6))
    ax.plot(sweep.frame[name], sweep.frame[column], color="#0072B2", marker=".")
    ax.set_xlabel(_with_unit(name))
    ax.set_ylabel(_with_unit(column))
    ax.grid(color="0.93")
    return ax


def demands(sweep: PriceSweep, name: str, base_demand_kw, ax=None):
    """Total demand of every run of a sweep, coloured by what varies.

    Arguments:
        sweep: a sweep.
        name: what varies, a column of `sweep.frame`.
        base_demand_kw: demand without EVs, (T,).
        ax: matplotlib axes to draw in.
    """
    if name not in sweep.frame:
        raise SettingsError(f"unknown column '{name}': {nearest(name, sweep.frame)}")
    base, length = np.asarray(base_demand_kw), sweep.ev_kw.shape[1]
    if base.shape != (length,):
        raise SettingsError(
            f"base_demand_kw must have {length} values, one for each slot, not the "
            f"shape {base.shape}"
        )
    ax = axes_of(ax, (7.0, 4.0))
    colours = _colours(len(sweep.frame))
    slots = np.arange(len(base) + 1)
    ends = {0, len(sweep.frame) // 2, len(sweep.frame) - 1}
    for run, value in enumerate(sweep.frame[name]):
        total = base + sweep.ev_kw[run]
        label = f"{name} = {value:.3g}" if run in ends else None
        values = np.append(total, total[-1])
        ax.step(slots, values, where="post", color=colours[run], lw=1.0, label=label)
    values = np.append(base, base[-1])
    ax.step(slots, values, where="post", color="k", ls=":", label="without EVs")
    ax.set_xlabel("slot")
    ax.set_ylabel(QUANTITIES["demand"])
    legend_below(ax, columns=4)
    return ax


def _with_unit(column: str) -> str:
    """'peak_kw' -> 'peak_kw [kW]'; columns without a unit as they are."""
    unit = "currency/kWh" if column in PRICES else UNITS.get(column.rpartition("_")[2])
    return f"{column} [{unit}]" if unit else column


def _colours(count: int) -> list[tuple[float, ...]]:
    """Colours from dark to bright."""
    at, ends = np.linspace(0, 1, max(count, 2))[:count], np.linspace(0, 1, len(SHADES))
    columns = [np.interp(at, ends, shade) for shade in zip(*SHADES, strict=True)]
    return [tuple(float(x) for x in row) for row in zip(*columns, strict=True)]
