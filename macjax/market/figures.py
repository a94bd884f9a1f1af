"""Figures of vehicles that pay prices: equilibrium, and protocols side by side."""

from collections.abc import Mapping

import numpy as np

from macjax._errors import SettingsError, SolutionError
from macjax.plots import MOST_FEEDERS, amount
from macjax.plots.canvas import (
    STYLES,
    legend_below,
    shown_name,
    thousands,
    two_axes,
)
from macjax.plots.given import numbered

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LINES = ("-", "--", "-.", ":")
LEAST_SHARE = 1e-3  # of all rents: feeders below are not shown


def equilibrium_figure(equilibrium, axes=None):
    """Vehicles by what they gain against a flat tariff, feeders by what they collect.

    Arguments:
        equilibrium: of `macjax.equilibrium`.
        axes: two matplotlib axes to draw in, or None.

    Returns:
        the two axes.
    """
    left, right = two_axes(axes, (11.0, 4.6))
    _draw_gains(equilibrium, left)
    _draw_rents(equilibrium, right)
    return left, right


def exchange_figure(runs, axes=None):
    """Gap over rounds, and over the bytes that one vehicle sends and receives.

    Arguments:
        runs: results of `macjax.exchange` on one scenario: one, a list, or a dict by
            label.
        axes: two matplotlib axes to draw in, or None.

    Returns:
        the two axes.
    """
    runs = _by_label(runs)
    if not runs:
        raise SolutionError("there is no exchange to draw")
    left, right = two_axes(axes, (11.0, 4.6))
    for nth, (label, run) in enumerate(runs.items()):
        history = run.history
        look = {
            "color": COLOURS[nth % len(COLOURS)],
            "ls": LINES[nth % len(LINES)],
            "lw": 1.8,
            "label": shown_name(label),
        }
        sent = (history["bytes_down"] + history["bytes_up"]) / max(run.vehicles, 1)
        left.plot(history["iteration"], history["gap"], **look)
        right.plot(sent / 1e3, history["gap"], **look)
    left.set_xlabel("round")
    right.set_xlabel("sent and received by a vehicle [kB]")
    for ax in (left, right):
        ax.set_yscale("log")
        ax.set_ylabel("relative gap")
        ax.grid(axis="y", color="0.9")
    left.set_title("What a protocol reaches", loc="left")
    right.set_title("What it sends for it", loc="left")
    left.legend(frameon=False, fontsize=9)
    return left, right


def _by_label(runs) -> dict:
    """Runs by their labels, repeated ones numbered."""
    if isinstance(runs, Mapping):
        given = list(runs.items())
    else:
        several = runs if isinstance(runs, list | tuple) else [runs]
        given = [(getattr(run, "label", None), run) for run in several]
    for _, run in given:
        if not hasattr(run, "history") or not hasattr(run, "label"):
            raise SettingsError(
                "exchange_figure takes results of macjax.exchange, not "
                f"{type(run).__name__}"
            )
    return numbered(given)


def _draw_gains(equilibrium, ax) -> None:
    """Share of the vehicles by gain, from the largest loss to the largest gain."""
    bills = equilibrium.bills.sort_values("gain", kind="stable")
    if bills.empty:
        raise SolutionError("there is no vehicle to draw")
    share = 100 * bills["weight"].cumsum() / bills["weight"].sum()
    edges = np.concatenate([[0.0], share.to_numpy(np.float64)])
    gain = bills["gain"].to_numpy(np.float64)
    weight = bills["weight"].to_numpy(np.float64)
    sides = {
        "pay more": (gain < 0, STYLES["unmanaged"][0]),
        "pay less": (gain > 0, STYLES["mac"][0]),
    }
    for label, (part, colour) in sides.items():
        most = np.abs(gain[part]).max(initial=0.0)
        label = f"{weight[part].sum():,.0f} {label}, up to {most:,.4g}"
        # With an edge, so that a few in a thousand are seen too.
        ax.stairs(np.where(part, gain, 0.0), edges, fill=True, color=colour, lw=1.0,
                  edgecolor=colour, label=label)  # fmt: skip
    ax.axhline(0, color="k", lw=0.8)
    # Few vehicles may pay for all: a scale that shows the others too.
    usual = float(np.median(np.abs(gain)))
    if usual > 0:
        ax.set_yscale("symlog", linthresh=usual)
    currency = shown_name(equilibrium.currency)
    price = f"{currency} {equilibrium.flat_price:.4g} per kWh"
    ax.set_title(f"Against a flat tariff of {price}", loc="left")
    ax.set_xlabel("vehicles [%]")
    ax.set_ylabel(f"gain of a vehicle [{currency}]")
    ax.set_xlim(0, 100)
    legend_below(ax, columns=2)


def _draw_rents(equilibrium, ax) -> None:
    """What the feeders collect beside what their upgrade costs, the largest."""
    columns = {
        "congestion_rent": ("congestion rent", STYLES["mac"]),
        "upgrade_cost": ("cost of the upgrade", STYLES["unmanaged"]),
    }
    revenue = equilibrium.revenue.set_index("feeder_id")[list(columns)]
    currency = shown_name(equilibrium.currency)
    size = revenue.max(axis=1).sort_values(ascending=False, kind="stable")
    count = int((size > LEAST_SHARE * size.sum()).sum())
    shown = revenue.loc[size.index[: min(max(count, 1), MOST_FEEDERS)]]
    at = np.arange(len(shown))
    for nth, (column, (label, (colour, _, hatch))) in enumerate(columns.items()):
        total = f"{label}: {currency} {amount(revenue[column].sum())}"
        ax.bar(
            at + 0.4 * nth - 0.2,
            shown[column].to_numpy(np.float64),
            0.4,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            lw=0.5,
            label=total,
        )
    names = [shown_name(i) for i in shown.index]
    slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(at, names, fontsize=8, **slant)
    ax.set_xlim(-1, max(len(shown), 4))
    ax.set_ylabel(f"over the horizon [{currency}]")
    thousands(ax.yaxis)
    most = f", the {len(shown)} largest shown" if count > len(shown) else ""
    ax.set_title(f"Feeders with a rent: {count}{most}", loc="left")
    ax.legend(frameon=False, fontsize=9)
