"""Map of the feeders: where upgrades are needed, and how large they are."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import SettingsError, SolutionError
from macjax.planning.feeders import feeder_table
from macjax.plots.canvas import amount, axes_of, shown_name, style_of
from macjax.plots.given import LABELS, one_solution

# Columns that place a feeder, with the labels of the axes.
PLACES = (
    ("longitude", "latitude", "longitude [degrees]", "latitude [degrees]"),
    ("x", "y", "x [as in the table]", "y [as in the table]"),
)


class Dots(NamedTuple):
    """How dots are drawn, areas in points^2.

    Arguments:
        grey: area of a feeder that needs no upgrade.
        smallest, largest: areas of those that do.
        edge: width of their edges [points].
        named: how many of them have a name, those with the largest upgrades.
    """

    grey: float
    smallest: float
    largest: float
    edge: float
    named: int

    def area(self, kw, most: float):
        """Area of the dot of an upgrade, where the largest is `most` [kW]."""
        return self.smallest + (self.largest - self.smallest) * kw / (most or 1.0)


FEW, OF_MANY, MANY = Dots(12.0, 16.0, 260.0, 0.6, 3), Dots(3.0, 5.0, 90.0, 0.3, 0), 300


def feeder_map(solution, largest_kw: float | None = None, ax=None):
    """Feeders where they are; those that need an upgrade in colour, by its size.

    The three feeders with the largest upgrades have their names; more than 300
    feeders have smaller dots and no names.

    Arguments:
        solution: one with a plan; its feeders have longitude and latitude, or x and y.
        largest_kw: upgrade of the largest dot [kW], to draw several maps to one scale;
            None takes the largest of the solution.
        ax: matplotlib axes to draw in.
    """
    if largest_kw is not None and not _is_power(largest_kw):
        raise SettingsError(f"largest_kw must be 0 kW or more, not {largest_kw!r}")
    table = feeder_table([one_solution(solution)])
    kind = placed_by(table)
    if kind is None:
        raise SolutionError(
            "the feeders have no longitude and latitude, or x and y, to draw a map from"
        )
    horizontal, vertical, x_label, y_label = kind
    ax = axes_of(ax, (6.0, 6.0))
    x, y = (table[name].to_numpy(np.float64) for name in (horizontal, vertical))
    upgrade = table["upgrade_kw"].to_numpy(np.float64)
    needs = (table["units"] > 0).to_numpy(bool)
    most = upgrade.max(initial=0.0) if largest_kw is None else float(largest_kw)
    dots = FEW if len(table) <= MANY else OF_MANY
    ax.scatter(x[~needs], y[~needs], s=dots.grey, c="0.65", lw=0)
    needy = np.flatnonzero(needs & np.isfinite(x + y))
    needy = needy[np.argsort(-upgrade[needy], kind="stable")]
    colour, _, _ = style_of(solution)
    look = {"facecolor": f"{colour}80", "edgecolor": colour, "lw": dots.edge}
    area = dots.area(upgrade[needy], most)
    ax.scatter(x[needy], y[needy], s=area, **look)
    _name(ax, table["feeder_id"], x, y, needy[: dots.named], np.sqrt(area / np.pi))
    if most > 0:
        for kw in (most, most / 4):
            label = f"{amount(float(f'{kw:.2g}'))} kW"
            look = {"s": dots.area(kw, most), "c": "0.5", "alpha": 0.6, "lw": 0}
            ax.scatter([], [], label=label, **look)
        ax.legend(frameon=False, fontsize=9, labelspacing=1.0, loc="best")
    is_globe = horizontal == "longitude"
    shape = 1 / np.cos(np.radians(np.nanmean(y))) if is_globe else 1.0
    ax.margins(0.08)
    # The axes keep their shape, also where all feeders are in one line or place.
    ax.set_aspect(shape, adjustable="datalim")
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    name = shown_name(LABELS.get(solution.method, solution.method))
    count, total = int(needs.sum()), amount(upgrade.sum())
    said = f"{count:,} of {len(table):,} feeders need {total} kW"
    ax.set_title(f"{name}\n{said}", loc="left", fontsize=11)
    return ax


def _name(ax, names: pd.Series, x, y, rows, radius) -> None:
    """Names of some feeders beside their dots, towards the middle of the map."""
    middle = np.nanmean(x)
    for row, beside in zip(rows, radius + 2, strict=False):
        side, align = (-beside, "right") if x[row] > middle else (beside, "left")
        ax.annotate(
            shown_name(names.iloc[row]), (x[row], y[row]), (side, 0), ha=align,
            textcoords="offset points", va="center", fontsize=8,
            bbox={"facecolor": "white", "alpha": 0.6, "lw": 0, "pad": 0.6},
        )  # fmt: skip


def _is_power(value) -> bool:
    """Whether a value is a number of kW."""
    return isinstance(value, int | float | np.number) and bool(0 <= value < np.inf)


def placed_by(feeders: pd.DataFrame) -> tuple[str, str, str, str] | None:
    """Columns that place feeders and labels of the axes; None if nothing does."""
    for kind in PLACES:
        pair = list(kind[:2])
        if set(pair) <= set(feeders.columns) and feeders[pair].notna().any(axis=None):
            return kind
    return None
