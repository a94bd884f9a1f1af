"""The drawings of a report: those of `macjax.plots` and `planning`, each in words too.

A function returns the figures that the facts have numbers for, or none.
"""

import numpy as np

from macjax import planning, plots
from macjax._errors import SolutionError
from macjax.plots import amount
from macjax.reports.facts import DRAWN_FEEDERS, DRAWN_VEHICLES, Facts
from macjax.reports.html import Figure, short
from macjax.results import tables

WIDE, TALL, HALF = (9.0, 4.2), (8.0, 5.0), (5.5, 3.8)
SQUARE = (4.0, 4.4)
PRICES, PRICE_ROW = 1.6, 0.16  # height of a map of prices, and what a row adds [inch]
MOST_MAPS = 3
NAMED = 3  # feeders that a text names


def costs(facts: Facts) -> list[Figure]:
    """Upgrade cost of each solution with what is proved."""
    if not facts.usable:
        return []
    currency = facts.scenario.currency
    said = []
    for label, solution in facts.usable.items():
        numbers = solution.summary()
        text = f"{label}: {currency} {amount(numbers['upgrade_cost'])}"
        if np.isfinite(least := numbers["upgrade_cost_at_least"]):
            text += f", no schedule of its kind needs less than {amount(least, -1)}"
        said.append(text)
    svg = plots.as_svg(lambda ax: planning.cost_intervals(facts.usable, ax), TALL)
    alt = "Bars of the upgrade cost of each method. " + "; ".join(said) + "."
    return [Figure(svg, alt)]


def feeder_loads(facts: Facts) -> list[Figure]:
    """Load against capacity of the worst feeders."""
    found = []
    for feeder in _worst(facts, DRAWN_FEEDERS):
        svg = plots.as_svg(
            lambda ax, f=feeder: plots.feeder_load(facts.usable, f, ax), WIDE
        )
        row = facts.upgrades[facts.upgrades["feeder_id"] == feeder].iloc[0]
        needs = "; ".join(
            f"{label} exceeds it by at most {amount(row[label])} kW"
            for label in facts.usable
        )
        alt = f"Load of feeder {short(feeder)} over time beside its capacity. {needs}."
        found.append(Figure(svg, alt))
    return found


def durations(facts: Facts) -> list[Figure]:
    """Load duration of all feeders together and of the worst one."""
    if not len(facts.ranking) or not facts.usable:
        return []
    capacity, _ = facts.scenario.capacity_base()
    if not (capacity > 0).any():
        return []
    least = tables.OVERLOAD_COUNTS * np.maximum(1.0, capacity)
    over = (facts.load[1:] - capacity > least).sum(axis=(1, 2))
    said = "; ".join(
        f"{label}: {amount(100 * count / capacity.size)} %"
        for label, count in zip(facts.usable, over.tolist(), strict=True)
    )
    pooled = Figure(
        plots.as_svg(lambda ax: plots.load_duration(facts.usable, ax=ax), WIDE),
        f"Load over capacity of all feeders and slots in falling order. Slots of "
        f"feeders above 100 %: {said}.",
        f"Slots of feeders above their capacity: {said}.",
    )
    if not (capacity[facts.ranking[0]] > 0).any():
        return [pooled]
    (worst,) = _worst(facts, 1)
    single = plots.as_svg(lambda ax: plots.load_duration(facts.usable, worst, ax), WIDE)
    alt = f"Load over capacity of feeder {short(worst)}, its hours in falling order."
    return [pooled, Figure(single, alt)]


def upgrades(facts: Facts) -> list[Figure]:
    """Upgrade by feeder."""
    if not len(facts.ranking) or not facts.usable:
        return []
    said = []
    for label in facts.usable:
        kw = facts.upgrades[label]
        named = kw[kw > 0].nlargest(NAMED)
        worst = ", ".join(
            f"{short(facts.upgrades['feeder_id'].loc[i])} {amount(v)} kW"
            for i, v in named.items()
        )
        text = f"{label} needs {amount(kw.sum())} kW on {int((kw > 0).sum())} feeders"
        said.append(text + (f", most on {worst}" if worst else ""))
    svg = plots.as_svg(lambda ax: plots.upgrades(facts.usable, ax), WIDE)
    return [Figure(svg, "Bars of the upgrade of each feeder. " + "; ".join(said) + ".")]


def maps(facts: Facts) -> list[Figure]:
    """Where upgrades are needed, a map for each solution, to one scale."""
    placed = planning.placed_by(facts.scenario.feeders)
    if placed is None or not facts.usable:
        return []
    labels = list(facts.usable)
    # Unmanaged charging and MAC are the first and the last.
    labels = labels if len(labels) <= MOST_MAPS else [*labels[:2], labels[-1]]
    largest = max(float(facts.upgrades[label].max()) for label in labels)
    found = []
    for label in labels:
        solution = facts.usable[label]
        svg = plots.as_svg(
            lambda ax, s=solution: planning.feeder_map(s, largest or None, ax), SQUARE
        )
        count = int((facts.upgrades[label] > 0).sum())
        alt = (
            f"Map of the feeders by {placed[0]} and {placed[1]}: with {label} {count} "
            f"of {len(facts.ranking)} need an upgrade; larger dots need more."
        )
        found.append(Figure(svg, alt, label))
    return found


def prices(facts: Facts) -> list[Figure]:
    """Prices of the last solution that has some."""
    priced = [(k, s) for k, s in facts.shown.items() if s.has_prices]
    if not priced or not len(facts.ranking):
        return []
    label, solution = priced[-1]
    table = solution.prices()
    total = table.groupby("feeder_id", sort=False)["price"].sum()
    rows = min(len(total), max(int((total != 0).sum()), 12), plots.MOST_PRICE_ROWS)
    size = (WIDE[0], max(PRICES + PRICE_ROW * rows, 2.6))
    svg = plots.as_svg(lambda ax: plots.price_heatmap(solution, ax=ax), size)
    total = total.nlargest(NAMED)
    dear = ", ".join(short(i) for i, v in total.items() if v > 0) or "none"
    alt = (
        f"Map of colours: price of one more kW by feeder and time, {label}; darker is "
        f"dearer, at most {facts.scenario.currency} {table['price'].max():,.3g}. "
        f"Feeders with the highest prices: {dear}."
    )
    return [Figure(svg, alt, f"Prices of the lower bound of: {label}.")]


def traces(facts: Facts) -> list[Figure]:
    """State of charge of some vehicles."""
    found = []
    for vehicle in facts.vehicles[:DRAWN_VEHICLES] if facts.usable else ():
        svg = plots.as_svg(
            lambda ax, v=vehicle: plots.soc_trace(facts.usable, v, ax), WIDE
        )
        least = "; ".join(
            f"{label}: lowest {amount(s.soc(vehicle)['soc_kwh'].min())} kWh"
            for label, s in facts.usable.items()
        )
        alt = f"State of charge of vehicle {short(vehicle)} over time. {least}."
        found.append(Figure(svg, alt))
    return found


def convergences(facts: Facts) -> list[Figure]:
    """Objective and bound over the iterations of each solution that was optimised."""
    found = []
    for label, solution in facts.shown.items():
        if not plots.has_history(solution):
            continue
        try:
            svg = plots.as_svg(lambda ax, s=solution: plots.convergence(s, ax), HALF)
        except SolutionError:  # a run that ended before its first check
            continue
        gap = f"{solution.gap:.1e}" if np.isfinite(solution.gap) else "none"
        alt = (
            f"Objective and lower bound over {solution.iterations} iterations, "
            f"{label}: {solution.status}, certified gap {gap}."
        )
        found.append(Figure(svg, alt, label))
    return found


def _worst(facts: Facts, count: int) -> list:
    """Ids of the worst feeders; none without a solution to draw."""
    return facts.feeder_ids[:count] if facts.usable else []
