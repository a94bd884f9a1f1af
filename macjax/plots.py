"""Figures of solutions: load against capacity, convergence, prices, upgrades.

Every function takes solutions and `ax=`, draws, and returns the axes; without `ax` it
makes a new figure with pyplot. `solutions` is one `Solution`, a list of them, or a dict
from the label to show to the solution. Power is kW, average over a slot; prices are
currency per kW of slot average; times are shown in the scenario's timezone.

Needs matplotlib (`pip install macjax[plots]`), imported when the first figure is made.
"""

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from macjax._errors import FIRST_IDS, MacjaxError, SettingsError, SolutionError

MOST_FEEDERS = 20
FEWEST_PRICE_ROWS, MOST_PRICE_ROWS = 8, 40
MOST_PHASES = 6
DOTS_PER_INCH = 150

LABELS = {
    "mac": "MAC (coordinated)",
    "unmanaged": "unmanaged",
    "per_session": "per session",
    "time_of_use": "time of use",
    "first_come": "first come",
}
# Okabe and Ito's colours, told apart with any colour vision; with the line style or
# hatch they also differ in grey.
STYLES = {
    "mac": ("#0072B2", "-", ""),
    "unmanaged": ("#D55E00", "--", "///"),
    "per_session": ("#009E73", "-.", "..."),
    "time_of_use": ("#CC79A7", ":", "xxx"),
    "first_come": ("#56B4E9", (0, (5, 1, 1, 1, 1, 1)), "++"),
}
SPARE_STYLES = (
    ("#E69F00", (0, (8, 2)), "\\\\\\"),
    ("#000000", (0, (1, 1)), "ooo"),
    ("#F0E442", (0, (3, 1)), "**"),
)
DRAWN_LAST = ("unmanaged", "mac")
FILES = ("feeder_load.png", "upgrades.png", "convergence.png", "prices.png")


def feeder_load(solutions, feeder_id=None, ax=None):
    """Load of one feeder against its capacity, one line per solution [kW].

    The line is base load + EV load, average over the slot; the legend gives the
    feeder's upgrade, the largest excess over the capacity.

    Arguments:
        solutions: one solution, a list, or a dict from label to solution.
        feeder_id: which feeder; by default the one with the largest overload in any
            of the solutions, or else the highest ratio of load to capacity.
        ax: matplotlib axes to draw in.
    """
    shown = _labelled(solutions)
    loads = {label: _with_load(solution) for label, solution in shown.items()}
    if feeder_id is None:
        feeder_id = worst_feeder(loads)
    ax = _axes(ax, (9.0, 4.2))
    first = next(iter(shown.values()))
    first_rows = _rows_of(next(iter(loads.values())), feeder_id)
    edges = _edges(first_rows["time"], first.scenario)
    base = _steps(first_rows["base_kw"])
    ax.fill_between(
        edges, 0, base, step="post", color="0.88", lw=0, label="load without EVs"
    )
    for rank, (label, solution) in enumerate(shown.items()):
        rows = _rows_of(loads[label], feeder_id)
        colour, line, _ = _style(solution, rank)
        upgrade = rows["overload_kw"].max() if len(rows) else 0.0
        ax.step(
            _edges(rows["time"], solution.scenario),
            _steps(rows["load_kw"]),
            where="post",
            color=colour,
            ls=line,
            lw=2.0 if solution.method == "mac" else 1.4,
            label=f"{label}: upgrade {upgrade:,.0f} kW",
            zorder=3 + (solution.method in DRAWN_LAST),
        )
    capacity = _steps(first_rows["capacity_kw"])
    ax.step(edges, capacity, where="post", color="k", lw=1.2, label="capacity")
    ax.set_ylabel("feeder load [kW]")
    ax.set_title(f"Feeder {feeder_id}: load against capacity", loc="left")
    ax.set_ylim(bottom=min(0.0, float(np.nanmin(base, initial=0.0))))
    _local_time(ax, first.scenario)
    ax.set_xlim(edges[0], edges[-1])
    _legend_below(ax, columns=2)
    return ax


def convergence(solution, ax=None):
    """Objective and lower bound over the iterations, with the certified gap between.

    Dotted vertical lines mark where a new phase of the solver begins.

    Arguments:
        solution: one that was optimised, with a `history`.
        ax: matplotlib axes to draw in.
    """
    history = solution.history
    if history is None or history.empty or history["objective"].notna().sum() == 0:
        raise SolutionError(
            f"a solution of method '{solution.method}' has no history of objective "
            "and bound to draw; give one from macjax.solve"
        )
    upper = history[np.isfinite(history["objective"])]
    lower = history[np.isfinite(history["lower_bound"])]
    both = history[np.isfinite(history[["objective", "lower_bound"]]).all(axis=1)]
    ax = _axes(ax, (7.0, 4.2))
    ax.fill_between(
        both["iteration"], both["lower_bound"], both["objective"], color="0.9", lw=0
    )
    ax.plot(
        upper["iteration"], upper["objective"], "o-", ms=3, c="#0072B2",
        label="objective of the schedule",
    )  # fmt: skip
    ax.plot(
        lower["iteration"], lower["lower_bound"], "s--", ms=3, c="#D55E00",
        label="lower bound of any schedule",
    )  # fmt: skip
    _mark_phases(ax, history)
    values = np.concatenate([upper["objective"], lower["lower_bound"]])
    if len(lower) and values.min() > 0 and values.max() > 20 * values.min():
        ax.set_yscale("log")
    ax.set_xlabel("iteration")
    ax.set_ylabel(f"objective [{solution.scenario.currency}]")
    gap = f"certified gap {solution.gap:.1e}" if np.isfinite(solution.gap) else "no gap"
    ax.set_title(f"Convergence: {solution.status}, {gap}", loc="left")
    _legend_below(ax, columns=2)
    return ax


def price_heatmap(solution, feeders=None, ax=None):
    """Price of one more kW by feeder and slot [currency/kW], darker is dearer.

    Arguments:
        solution: one with prices.
        feeders: ids to show, in this order; by default those with prices, the
            largest sum first, at most 40.
        ax: matplotlib axes to draw in.
    """
    from matplotlib import colors

    table = _price_table(solution)
    count = len(table)
    if feeders is None:
        total = table.abs().sum(axis=1)
        table = table.loc[total.sort_values(ascending=False, kind="stable").index]
        priced = int((total > 0).sum())
        table = table.head(min(max(priced, FEWEST_PRICE_ROWS), MOST_PRICE_ROWS))
    else:
        _require_known(feeders, table.index)
        table = table.loc[list(feeders)]
    ax = _axes(ax, (9.0, 1.6 + 0.16 * max(len(table), 6)))
    values = table.to_numpy(np.float64)
    if values.min() < 0:
        most = np.abs(values).max()
        norm, colours = colors.Normalize(-most, most), "PuOr"
    else:  # most cells are cheap: the root spreads the small prices apart
        norm, colours = colors.PowerNorm(0.5, 0.0, values.max() or 1.0), "magma_r"
    edges = _edges(table.columns.to_series(), solution.scenario)
    rows = np.arange(len(table) + 1) - 0.5
    mesh = ax.pcolormesh(edges, rows, values, norm=norm, cmap=colours, rasterized=True)
    currency = solution.scenario.currency
    ax.figure.colorbar(mesh, ax=ax, pad=0.02, label=f"price [{currency}/kW]")
    ax.set_yticks(np.arange(len(table)), [str(i) for i in table.index], fontsize=7)
    ax.invert_yaxis()
    ax.set_ylabel("feeder")
    shown = f"{len(table)} of {count} feeders" if len(table) < count else "all feeders"
    ax.set_title(f"Price of one more kW, {shown}", loc="left")
    _local_time(ax, solution.scenario)
    return ax


def upgrades(solutions, ax=None):
    """Upgrade that each feeder needs, one bar per solution [kW].

    The feeders with an upgrade in any solution are shown, at most the 20 largest; the
    totals in the legend count all feeders.

    Arguments:
        solutions: one solution, a list, or a dict from label to solution.
        ax: matplotlib axes to draw in.
    """
    shown = _labelled(solutions)
    frames = {k: s.upgrades().set_index("feeder_id") for k, s in shown.items()}
    table = pd.DataFrame({k: f["upgrade_kw"] for k, f in frames.items()}).fillna(0.0)
    order = table.max(axis=1).sort_values(ascending=False, kind="stable").index
    needed = int((table.max(axis=1) > 0).sum())
    table = table.loc[order].head(min(max(needed, 1), MOST_FEEDERS))
    bars = table.to_numpy(np.float64)
    ax = _axes(ax, (9.0, 4.2))
    width = 0.8 / len(shown)
    for rank, (label, solution) in enumerate(shown.items()):
        colour, _, hatch = _style(solution, rank)
        total = frames[label][["upgrade_kw", "upgrade_cost"]].sum()
        cost = f"{solution.scenario.currency} {total['upgrade_cost']:,.0f}"
        ax.bar(
            np.arange(len(bars)) + (rank + 0.5) * width - 0.4,
            bars[:, rank],
            width,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            lw=0.5,
            label=f"{label}: {total['upgrade_kw']:,.0f} kW, {cost}",
        )
    slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    names = [str(i) for i in table.index]
    ax.set_xticks(np.arange(len(bars)), names, fontsize=8, **slant)
    ax.set_xlabel("feeder")
    ax.set_ylabel("upgrade [kW]")
    most = f", the {len(table)} largest shown" if needed > len(table) else ""
    title = f"Upgrade by feeder: {needed} of {len(order)} need one{most}"
    ax.set_title(title, loc="left")
    ax.grid(axis="y", color="0.9")
    ax.set_axisbelow(True)
    # The bars fall to the right: with some room the upper right corner is free.
    ax.set_ylim(0.0, 1.25 * (bars.max(initial=0.0) or 1.0))
    ax.legend(loc="upper right", frameon=False, fontsize=9, title="in all feeders")
    return ax


def save_all(solutions, folder, feeder_id=None) -> list[Path]:
    """Draw every figure that the solutions have the numbers for, as PNG files.

    `feeder_load.png` and `upgrades.png` from all of them (the load from unmanaged and
    MAC alone where both are given), `convergence.png` and `prices.png` from MAC, or
    else from the first solution that has them.

    Arguments:
        solutions: one solution, a list, or a dict from label to solution.
        folder: where to write; made if missing, files of these names are replaced.
        feeder_id: the feeder of `feeder_load.png`; by default the worst.

    Returns:
        The paths written.
    """
    matplotlib = require_matplotlib()
    shown = _labelled(solutions)
    pair = {k: s for k, s in shown.items() if s.method in DRAWN_LAST}
    load = pair if len({s.method for s in pair.values()}) == 2 else shown
    figures = {
        "feeder_load.png": lambda ax: feeder_load(load, feeder_id, ax),
        "upgrades.png": lambda ax: upgrades(shown, ax),
    }
    optimised = [s for s in shown.values() if _is_optimised(s)]
    optimised.sort(key=lambda s: s.method != "mac")
    if optimised:
        figures["convergence.png"] = lambda ax: convergence(optimised[0], ax)
    if optimised and optimised[0].has_prices:
        figures["prices.png"] = lambda ax: price_heatmap(optimised[0], ax=ax)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw in figures.items():
        figure = matplotlib.figure.Figure(figsize=(9.0, 4.8), layout="constrained")
        draw(figure.add_subplot())
        figure.savefig(folder / name, dpi=DOTS_PER_INCH)
        paths.append(folder / name)
    return paths


def worst_feeder(loads: Mapping[str, pd.DataFrame]):
    """Id of the feeder with the largest overload, or else the fullest one.

    Arguments:
        loads: frames with feeder_id, load_kw, capacity_kw and overload_kw [kW].
    """
    rows = pd.concat(loads.values(), ignore_index=True)
    if rows.empty:
        raise SolutionError("there is no feeder to draw: the solution has no loads")
    if rows["overload_kw"].max() > 0:
        return rows["feeder_id"].loc[rows["overload_kw"].idxmax()]
    fullness = rows["load_kw"] / rows["capacity_kw"].clip(lower=1e-9)
    return rows["feeder_id"].loc[fullness.idxmax()]


def require_matplotlib():
    """The matplotlib package, or an error that names the extra to install."""
    try:
        import matplotlib
        import matplotlib.figure
    except ImportError as error:
        raise MacjaxError(
            "figures need matplotlib, which is not installed: "
            "pip install 'macjax[plots]'"
        ) from error
    return matplotlib


def _axes(ax, size: tuple[float, float]):
    """The axes given, or those of a new figure of that size [inch]."""
    require_matplotlib()
    if ax is None:
        import matplotlib.pyplot as pyplot

        _, ax = pyplot.subplots(figsize=size, layout="constrained")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax


def _two_axes(axes, size: tuple[float, float]) -> list:
    """The two axes given, or two of a new figure of that size [inch], side by side."""
    require_matplotlib()
    if axes is None:
        import matplotlib.pyplot as pyplot

        _, axes = pyplot.subplots(1, 2, figsize=size, layout="constrained")
    pair = np.asarray(axes, dtype=object).reshape(-1)
    if len(pair) != 2:
        raise SettingsError(f"axes must be two matplotlib axes, not {len(pair)}")
    return [_axes(ax, size) for ax in pair]


def _labelled(solutions) -> dict:
    """Solutions by the label to show, repeated labels numbered."""
    if isinstance(solutions, Mapping):
        given = list(solutions.items())
    else:
        many = solutions if isinstance(solutions, list | tuple) else [solutions]
        given = [(LABELS.get(s.method, s.method), s) for s in many]
    if not given:
        raise SolutionError("there is no solution to draw")
    shown = {}
    for label, solution in given:
        name, count = str(label), 1
        while name in shown:
            count += 1
            name = f"{label} {count}"
        shown[name] = solution
    return shown


def _style(solution, rank: int):
    """Colour, line style and hatch of a method, spare ones for unknown methods."""
    return STYLES.get(solution.method, SPARE_STYLES[rank % len(SPARE_STYLES)])


def _is_optimised(solution) -> bool:
    history = solution.history
    return (
        history is not None and len(history) > 0 and history["objective"].notna().any()
    )


def _with_load(solution) -> pd.DataFrame:
    loads = solution.loads()
    return loads.assign(load_kw=loads["base_kw"] + loads["ev_kw"])


def _rows_of(loads: pd.DataFrame, feeder_id) -> pd.DataFrame:
    _require_known([feeder_id], loads["feeder_id"].unique())
    return loads[loads["feeder_id"] == feeder_id].sort_values("time")


def _require_known(wanted, known) -> None:
    known = list(known)
    unknown = [i for i in wanted if i not in known]
    if unknown:
        names = ", ".join(str(i) for i in unknown[:FIRST_IDS])
        some = ", ".join(str(i) for i in known[:FIRST_IDS])
        raise SolutionError(f"no feeder {names} in the solution; it has {some}")


def _price_table(solution) -> pd.DataFrame:
    """Prices with a row per feeder and a column per slot start."""
    prices = solution.prices()
    prices = prices.assign(time=pd.to_datetime(prices["time"], utc=True))
    return prices.pivot(index="feeder_id", columns="time", values="price")


def _edges(times: pd.Series, scenario) -> np.ndarray:
    """Slot starts and the end of the last slot as UTC instants, (t + 1,)."""
    utc = pd.DatetimeIndex(pd.to_datetime(times, utc=True)).tz_localize(None)
    starts = utc.to_numpy("datetime64[ns]")
    length = np.timedelta64(scenario.slot_minutes, "m")
    return np.append(starts, starts[-1:] + length)


def _steps(column: pd.Series) -> np.ndarray:
    """Values with the last one repeated, for a step line over the slot edges."""
    values = column.to_numpy(np.float64)
    return np.append(values, values[-1:])


def _local_time(ax, scenario) -> None:
    """Ticks at round local times of the scenario."""
    from matplotlib import dates

    zone = ZoneInfo(scenario.timezone)
    locator = dates.AutoDateLocator(tz=zone, minticks=4, maxticks=10)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=zone))
    ax.set_xlabel(f"local time ({scenario.timezone})")


def _mark_phases(ax, history: pd.DataFrame) -> None:
    """A dotted line and the name where a phase begins, if there are a few."""
    phase = history["phase"].astype(str)
    begins = history[phase != phase.shift()]
    if not 2 <= len(begins) <= MOST_PHASES:
        return
    for iteration, name in zip(begins["iteration"], begins["phase"], strict=True):
        ax.axvline(iteration, color="0.6", ls=":", lw=1)
        ax.annotate(
            str(name), (iteration, 1.0), (3, -3), fontsize=8, color="0.35",
            xycoords=("data", "axes fraction"), textcoords="offset points", va="top",
        )  # fmt: skip


def _legend_below(ax, columns: int) -> None:
    """The legend under the axes, where it hides nothing."""
    ax.legend(
        loc="upper left",
        bbox_to_anchor=(0.0, -0.16),
        ncols=columns,
        frameon=False,
        fontsize=9,
        borderaxespad=0.0,
    )
