"""The sections of a report: what each says, in tables, figures and words."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax.examples import example, example_assumptions
from macjax.plots import LABELS
from macjax.reports import figures
from macjax.reports.facts import DRAWN_FEEDERS, DRAWN_VEHICLES, Facts
from macjax.reports.html import (
    details_html,
    escaped,
    figure_html,
    listed,
    paragraph,
    short,
    table_html,
)
from macjax.studies.planner_report import ROWS, cell, interval_texts

SHOWN_FEEDERS, MOST_ROWS = 20, 500
NO_PLAN = "No solution has a schedule, so there is nothing to draw."


class Section(NamedTuple):
    """A part of the page.

    Arguments:
        key: its name in links.
        title: its heading.
        html: what stands below it.
    """

    key: str
    title: str
    html: str


def sections(facts: Facts) -> list[Section]:
    """All parts of the page, in order."""
    made = (
        ("methods", "The methods side by side", _methods),
        ("proved", "What is proved", _proved),
        ("load", "Load against capacity", _load),
        ("duration", "Load duration", _duration),
        ("upgrades", "Upgrade by feeder", _upgrades),
        ("map", "Where upgrades are needed", _map),
        ("prices", "Prices", _prices),
        ("vehicles", "State of charge of vehicles", _vehicles),
        ("convergence", "Convergence", _convergence),
        ("rests", "What it rests on", _rests_on),
    )
    return [Section(key, title, write(facts)) for key, title, write in made]


def _drawn(found, otherwise: str) -> str:
    """Figures, or a sentence that says why there are none."""
    return "".join(map(figure_html, found)) or paragraph(otherwise)


def _nothing(facts: Facts) -> str:
    """Why there is no feeder to draw; empty where there is one."""
    if not facts.usable:
        return NO_PLAN
    return "" if len(facts.ranking) else "The scenario has no feeders."


def _methods(facts: Facts) -> str:
    """The planner's table, and what became of runs without a schedule."""
    currency = facts.scenario.currency
    table = {"quantity": [name.format(currency) for _, name, _ in ROWS]}
    for label, row in zip(facts.shown, facts.methods.to_dict("records"), strict=True):
        table[short(label)] = [cell(row[c], shown) for c, _, shown in ROWS]
    text = table_html(pd.DataFrame(table), "The planner's table")
    failed = [
        f"{label}: {s.status}. {s.message}"
        for label, s in facts.shown.items()
        if s.status not in ("solved", "simulated")
    ]
    if failed:
        text += paragraph("Not every run ended as it should:") + listed(failed)
    for label, solution in facts.shown.items():
        text += _held(label, solution) + _unserved(label, solution)
    return text + paragraph(
        "kW and cost are sums over the feeders of the largest excess over the "
        "capacity; a certified gap is recomputed from the raw tables. Standard "
        "transformers: of each feeder the cheapest number of equal three-phase units "
        "that covers its upgrade; their costs hold no lines.",
        "small",
    )


def _held(label: str, solution) -> str:
    """Feeders whose hard capacity cannot hold, by the dual ray."""
    names = solution.ray()["feeder_id"].drop_duplicates()
    if names.empty:
        return ""
    some = ", ".join(short(i) for i in names.head(10))
    more = ", ..." if len(names) > 10 else ""
    text = f"{label}: proved that hard capacities cannot hold, on {len(names)} feeders"
    return paragraph(f"{text}: {some}{more}.")


def _unserved(label: str, solution) -> str:
    """Vehicles that cannot make their trips, or that a method strands."""
    said = []
    for frame, what in (
        (solution.infeasible, "cannot make their trips even at full power"),
        (solution.stranded, "are not served by this method"),
    ):
        if len(frame):
            some = ", ".join(short(i) for i in frame["vehicle_id"].head(10))
            more = ", ..." if len(frame) > 10 else ""
            said.append(f"{label}: {len(frame):,} rows {what}: {some}{more}")
    return listed(said) if said else ""


def _proved(facts: Facts) -> str:
    """Certified intervals."""
    frame = facts.intervals
    if frame.empty:
        return paragraph(NO_PLAN)
    unit = frame["unit"].iloc[0]
    shown = {"quantity": [_in_words(q) for q in frame["quantity"]]}
    for column in ("at_least", "found", "at_most"):
        name = f"{column.replace('_', ' ')} [{unit}]"
        shown[name] = interval_texts(frame, column)
    share = [cell(v, "{:.2f}".format) for v in frame["percent_of_unmanaged"]]
    shown["found, of unmanaged [%]"] = share
    text = table_html(pd.DataFrame(shown), "Certified intervals")
    for row in frame[frame["remark"] != ""].itertuples(index=False):
        text += paragraph(f"{_in_words(row.quantity)}: {row.remark}.")
    text += _other_objectives(facts)
    text += _drawn(figures.costs(facts), NO_PLAN)
    return text + paragraph(
        "Ends come from certified bounds, which hold for every schedule of a method's "
        "kind. Unmanaged charging is simulated: it has no interval. Where two "
        "solutions are of one method, the table takes the first.",
        "small",
    )


def _in_words(quantity: str) -> str:
    """'avoided by mac' -> 'avoided by MAC (coordinated)'."""
    words = re.split(r"(\W+)", quantity)
    return "".join(LABELS.get(word, word) for word in words)


def _other_objectives(facts: Facts) -> str:
    """What is proved of objectives other than the upgrade cost."""
    said = [
        f"{label} has another objective than the upgrade cost: found "
        f"{s.objective:,.6g}, and no schedule of its kind is below "
        f"{s.lower_bound:,.6g}. Nothing is proved on its upgrade cost."
        for label, s in facts.usable.items()
        if np.isfinite(s.lower_bound)
        and not np.isfinite(s.summary()["upgrade_cost_at_least"])
    ]
    return listed(said) if said else ""


def _load(facts: Facts) -> str:
    """Load against capacity: a feeder to choose, and the worst ones."""
    total, shown = len(facts.ranking), min(DRAWN_FEEDERS, len(facts.ranking))
    chooser = _chooser("feeder", "Feeder") if facts.usable and total else ""
    some = paragraph(
        f"Drawn: {shown} of {total:,}, those with the largest overload in any solution "
        f"or else the fullest. {facts.chosen:,} of {total:,} can be chosen where "
        "scripts run; all are in Solution.loads().",
        "small",
    )
    why = _nothing(facts)
    return (
        paragraph(why)
        if why
        else (chooser + _drawn(figures.feeder_loads(facts), why) + some)
    )


def _duration(facts: Facts) -> str:
    why = _nothing(facts) or "No feeder has a capacity above 0 kW to take a share of."
    return _drawn(figures.durations(facts), why)


def _upgrades(facts: Facts) -> str:
    """Bars, and the feeders that need an upgrade as a table."""
    if why := _nothing(facts):
        return paragraph(why)
    drawn = _drawn(figures.upgrades(facts), NO_PLAN)
    labels = list(facts.usable)
    needs = (facts.upgrades[labels] > 0).any(axis=1).to_numpy()
    count = int(needs.sum())
    if not count:
        return drawn + paragraph("No feeder needs an upgrade in any solution.")
    top = _upgrade_table(facts, np.flatnonzero(needs)[:SHOWN_FEEDERS])
    rest = np.flatnonzero(needs)[SHOWN_FEEDERS:MOST_ROWS]
    if len(rest):
        left = count - SHOWN_FEEDERS - len(rest)
        cut = f"; {left:,} smaller ones are in Solution.upgrades()" if left else ""
        words = f"{len(rest):,} further feeders that need an upgrade{cut}"
        top += details_html(words, _upgrade_table(facts, rest))
    return drawn + top


def _upgrade_table(facts: Facts, rows: np.ndarray) -> str:
    """Upgrade and its cost of some feeders."""
    currency = facts.scenario.currency
    table = {"feeder": [short(i) for i in facts.upgrades["feeder_id"].iloc[rows]]}
    for label in facts.usable:
        kw, cost = facts.upgrades[label].iloc[rows], facts.cost[label].iloc[rows]
        table[f"{short(label)} [kW]"] = _aligned(kw)
        table[f"{short(label)} [{currency}]"] = _aligned(cost)
    return table_html(pd.DataFrame(table), "Upgrade by feeder, the worst first")


def _aligned(values: pd.Series) -> list[str]:
    """Numbers of a column, with as many decimals as its largest one asks for."""
    most = values.abs().max()
    digits = 0 if most >= 1e4 else 1 if most >= 100 else 2
    return [f"{v:,.{digits}f}" for v in values]


def _map(facts: Facts) -> str:
    if why := _nothing(facts):
        return paragraph(why)
    why = "The feeders have no longitude and latitude, or x and y."
    found = "".join(map(figure_html, figures.maps(facts)))
    return f'<div class="beside">{found}</div>' if found else paragraph(why)


def _prices(facts: Facts) -> str:
    text = (
        "A price is the cost of one more kW in a slot. It is above 0 where the feeder "
        "is full and an upgrade, or a change of other vehicles' charging, would follow."
    )
    why = "No solution has prices: they come with the lower bound of a solve."
    return _drawn(figures.prices(facts), why) + paragraph(text, "small")


def _vehicles(facts: Facts) -> str:
    """A vehicle to choose, and some drawn."""
    if not facts.usable:
        return paragraph(NO_PLAN)
    if not facts.vehicles:
        return paragraph("No vehicle charges.")
    how = "of those asked for"
    if facts.picked:
        how = (
            "half of them those whose charging moves most from the first to the last "
            "solution, half spread over all that charge"
        )
    total = len(facts.scenario.vehicles)
    drawn = min(DRAWN_VEHICLES, len(facts.vehicles))
    some = (
        f"{len(facts.vehicles)} of {total:,} rows of vehicles can be chosen where "
        f"scripts run ({how}); {drawn} are drawn. Others: Solution.soc(vehicles)."
    )
    chooser = _chooser("vehicle", "Vehicle")
    return chooser + _drawn(figures.traces(facts), "") + paragraph(some, "small")


def _convergence(facts: Facts) -> str:
    why = "No solution has a history of objective and bound."
    found = "".join(map(figure_html, figures.convergences(facts)))
    return f'<div class="beside">{found}</div>' if found else paragraph(why)


def _chooser(kind: str, name: str) -> str:
    """A place where the script offers a choice; hidden without script."""
    return (
        f'<div class="chooser" id="{kind}-chooser" hidden>'
        f'<label for="{kind}-select">{name} '
        f'<select id="{kind}-select"></select></label>'
        f'<div id="{kind}-charts"></div>'
        f'<p id="{kind}-said" aria-live="polite"></p></div>'
    )


def _rests_on(facts: Facts) -> str:
    """What was measured, modelled and assumed, and the sentences of each method."""
    text = _origin(facts)
    of: dict[str, list[str]] = {}
    for label, solution in facts.shown.items():
        for line in solution.assumptions:
            of.setdefault(line, []).append(label)
    every = len(facts.shown)
    shared = [line for line, who in of.items() if len(who) == every]
    own = [f"{', '.join(who)}: {line}" for line, who in of.items() if len(who) < every]
    text += "<h3>Assumptions of all solutions</h3>" + listed(shared)
    if own:
        text += "<h3>Assumptions of some</h3>" + listed(own)
    if facts.notes:
        text += "<h3>About this report</h3>" + listed(facts.notes)
    return text


def _origin(facts: Facts) -> str:
    """What the tables are made from, as far as it is known."""
    if facts.origin is not None:
        frame = facts.origin.astype(str)
        caption = "What was measured, modelled and assumed"
        return table_html(frame, caption, words=len(frame.columns))
    bundled = example()
    if facts.scenario.fingerprint == bundled.fingerprint:
        words = f"<pre>{escaped(example_assumptions())}</pre>"
        said = "What the bundled scenario takes from data, models and assumptions"
        return f"<h3>{said}</h3>{words}"
    return paragraph(
        "The tables were taken as given: what of them was measured, modelled or "
        "assumed is not known here. Of a region its configuration says it (region=)."
    )
