"""The report of a study as Markdown, and all its numbers as JSON.

What was measured, modelled and assumed stands in the same file as the result.
"""

import functools
import json
import math
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from macjax._output import json_value
from macjax.planning.intervals import AVOIDED, AWARENESS, BASE, DIFFERENCE, UPGRADE
from macjax.plots import LABELS, amount
from macjax.regions.left_out import LeftOut
from macjax.results.manifest import plain
from macjax.results.summary import versions

# Rows of the first table: column of `methods`, what it is called, how it is written.
WHOLE: Callable = "{:,.0f}".format
PROVED: Callable = functools.partial(amount, toward=-1)
ROWS = (
    ("status", "status", str),
    ("feeders_overloaded", "feeders overloaded", WHOLE),
    ("upgrade_kw", "upgrade [kW]", amount),
    ("avoided_percent", "avoided of unmanaged [% of kW]", "{:.1f}".format),
    ("upgrade_cost", "upgrade cost [{}]", amount),
    ("upgrade_cost_at_least", "no schedule of its kind costs less than [{}]", PROVED),
    ("gap", "certified gap", "{:.1e}".format),
    ("units", "standard transformers", WHOLE),
    ("discrete_kva", "their rating [kVA]", WHOLE),
    ("discrete_cost_usd", "their cost [USD]", WHOLE),
    ("energy_kwh", "energy from the grid [MWh]", lambda v: amount(v / 1e3)),
    ("stranded", "rows stranded by the method", WHOLE),
    ("infeasible", "rows that cannot make their trips however they charge", WHOLE),
    ("dropped", "of them left out", WHOLE),
    ("seconds", "computed in [s]", "{:,.1f}".format),
)
QUANTITIES = {"use": "largest load / capacity [%]", "upgrade_kw": "upgrade [kW]"}
QUANTITIES["upgrade_kw where needed"] = "upgrade where needed [kW]"


def report_text(
    solutions: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    figures: Sequence[Path],
    seconds: Mapping[str, float],
    purchase: Mapping[str, Any],
    left: LeftOut | None = None,
) -> str:
    """The report.

    Arguments:
        solutions: by method.
        tables: of the study, by name.
        figures: paths to link, relative to the report.
        seconds: by step.
        purchase: what upgrades were bought in.
        left: cars that a region leaves out.
    """
    scenario = next(iter(solutions.values())).scenario
    weight = float(scenario.vehicles["weight"].sum())
    parts = [
        f"# {scenario.name}",
        f"{weight:,.0f} vehicles in {len(scenario.vehicles):,} rows, "
        f"{len(scenario.feeders):,} feeders, {scenario.slots:,} slots of "
        f"{scenario.slot_minutes} minutes from {scenario.start:%Y-%m-%d}.",
        f"{left}." if left is not None else "",
        headline(tables["intervals"], scenario.currency),
        _methods(tables["methods"], scenario.currency),
        *_section("What is proved", tables["intervals"], _intervals),
        _discrete(purchase, scenario.currency),
        *_section("How it is spread over the feeders", tables["quantiles"], _spread),
        *_section("Who gives the flexibility", tables.get("places"), _places),
        "## What is measured, what is modelled, what is assumed",
        _rests_on(solutions, tables.get("provenance")),
        "## Figures" if figures else "",
        *(f"![{path.stem}]({path.as_posix()})" for path in figures),
        "## This run",
        _run(solutions, seconds),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def headline(intervals: pd.DataFrame, currency: str) -> str:
    """The result in two sentences."""
    rows = intervals.set_index("quantity")
    avoided = AVOIDED.format("mac")
    if avoided not in rows.index:
        return ""
    row, whole = rows.loc[avoided], rows.loc["upgrade cost, unmanaged", "found"]
    if not whole > 0:
        return "Unmanaged charging overloads no feeder."
    base = rows.loc[UPGRADE.format(BASE), "found"]
    at_most = math.ceil(1e4 * row["at_most"] / whole - 1e-9) / 100
    text = (
        f"**Of the {currency} {amount(whole)} that unmanaged charging needs, no "
        f"coordination avoids more than {at_most:.2f} %; MAC's "
        f"schedule avoids {100 * row['found'] / whole:.2f} %.** The base load alone "
        f"needs {100 * base / whole:.2f} % of it, which no charging can avoid."
    )
    if AWARENESS in rows.index:
        row = rows.loc[AWARENESS]
        worth = PROVED(row["at_least"])
        if row["remark"]:
            worth += f" at least: {row['remark']}"
        else:
            worth += f" to {amount(row['at_most'], 1)}"
        text += (
            " Seeing trips ahead instead of session by session is worth "
            f"{currency} {worth}."
        )
    if DIFFERENCE in rows.index:
        text += (
            " What seeing trips ahead is worth cannot be told from these: "
            f"{rows.loc[DIFFERENCE, 'remark']}."
        )
    return text


def markdown(frame: pd.DataFrame) -> str:
    """A frame of texts as a Markdown table, without its index."""
    rows = [[str(c) for c in frame.columns], ["---"] * len(frame.columns)]
    rows += [[str(v) for v in row] for row in frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _methods(methods: pd.DataFrame, currency: str) -> str:
    """Methods side by side."""
    table: dict[str | None, list[str]] = {
        "": [name.format(currency) for _, name, _ in ROWS]
    }
    for row in methods.to_dict("records"):
        label = LABELS.get(row["method"], row["method"])
        table[label] = [cell(row[column], shown) for column, _, shown in ROWS]
    return markdown(pd.DataFrame(table))


def cell(value, shown: Callable) -> str:
    """A value as text; a dash where there is none."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return "-"
    return shown(value)


def _section(title: str, frame: pd.DataFrame | None, text: Callable) -> list[str]:
    """A heading with what the frame gives, if there is one."""
    return [] if frame is None or frame.empty else [f"## {title}", text(frame)]


def _intervals(frame: pd.DataFrame) -> str:
    unit = frame["unit"].iloc[0]
    money = ["at_least", "found", "at_most"]
    shown = frame[["quantity", *money]].copy()
    for column in money:
        shown[column] = interval_texts(frame, column)
    share = [cell(v, "{:.2f}".format) for v in frame["percent_of_unmanaged"]]
    shown = shown.assign(share=share)
    shown.columns = ["", f"at least [{unit}]", f"found [{unit}]", f"at most [{unit}]",
                     "found, of unmanaged [%]"]  # fmt: skip
    said = [
        f"{row.quantity}: {row.remark}."
        for row in frame.itertuples(index=False)
        if row.remark
    ]
    text = (
        "Ends come from certified bounds, recomputed from the raw tables. "
        "Unmanaged and time-of-use charging are simulated: they have no interval."
    )
    return "\n\n".join((markdown(shown), text, *said))


def interval_texts(frame: pd.DataFrame, column: str) -> list[str]:
    """Ends or what was found of `certified_intervals` as texts.

    Ends are rounded outwards: a text never proves more than is proved. One that is
    what was found is written as that.
    """
    outwards = {"at_least": -1, "at_most": 1}.get(column, 0)
    pairs = zip(frame[column].tolist(), frame["found"].tolist(), strict=True)
    return [
        cell(v, functools.partial(amount, toward=outwards if v != at else 0))
        for v, at in pairs
    ]


def _discrete(purchase: Mapping[str, Any], currency: str) -> str:
    replaced = purchase.get("replace")
    how = f"in place of those of `{replaced}`" if replaced else "beside what is there"
    return (
        f"Standard transformers: of each feeder the cheapest number of equal "
        f"`{purchase['transformers']}` units that covers its upgrade at a power factor "
        f"of {purchase['power_factor']:g}, {how}; costs are of transformers alone. "
        f"The cost in {currency} per kW stands for a whole upgrade. Schedules are made "
        "for few kW, not for few units."
    )


def _spread(frame: pd.DataFrame) -> str:
    levels = [c for c in frame.columns if c.startswith("p") and c[1:2].isdigit()]
    factor = [100.0 if q == "use" else 1.0 for q in frame["quantity"]]
    shown = pd.DataFrame(
        {
            "": [LABELS.get(m, m) for m in frame["method"]],
            "quantity": [QUANTITIES.get(q, q) for q in frame["quantity"]],
            "feeders": [f"{n:,}" for n in frame["count"]],
        }
    )
    for level in levels:
        values = frame[level] * factor
        shown[level] = [cell(float(v), WHOLE) for v in values]
    top = [cell(float(v), "{:.0%}".format) for v in frame["top_tenth"]]
    return markdown(shown.assign(**{"share of the top tenth": top}))


def _places(frame: pd.DataFrame) -> str:
    columns = {
        "unmanaged_kwh": "unmanaged [MWh]",
        "energy_kwh": "energy [MWh]",
        "moved_away_kwh": "moved away [MWh]",
        "moved_there_kwh": "moved there [MWh]",
        "peak_unmanaged_kwh": "in peak cells, unmanaged [MWh]",
        "peak_kwh": "in peak cells [MWh]",
    }
    shown = pd.DataFrame(
        {
            "": [LABELS.get(m, m) for m in frame["method"]],
            "place": frame["place"],
        }
    )
    for column, name in columns.items():
        shown[name] = [f"{v / 1e3:,.1f}" for v in frame[column]]
    share = [cell(float(v), "{:.1%}".format) for v in frame["relief_share"]]
    shown = shown.assign(**{"share of the relief": share})
    shown["left in worst slots [kW]"] = [f"{v:,.0f}" for v in frame["left_kw"]]
    return markdown(shown) + (
        "\n\nPeak cells are the feeders and slots that unmanaged charging overloads; "
        "worst slots are those of the feeders that a method overloads itself. "
        "Energy that moves from one vehicle to another of the same place, feeder and "
        "slot does not count as moved."
    )


def _rests_on(solutions: Mapping[str, Any], origin: pd.DataFrame | None) -> str:
    """What the result rests on: of a region by kind, and what each method assumes."""
    text = ""
    if origin is not None:
        text = markdown(origin) + "\n\nAll values: `region.toml`.\n\n"
    said = {LABELS.get(k, k): s.assumptions for k, s in solutions.items()}
    of: dict[str, list[str]] = {}
    for label, lines in said.items():
        for line in lines:
            of.setdefault(line, []).append(label)
    kept = {k: v for k, v in of.items() if not k.startswith(("Settings:", "Versions:"))}
    shared = [line for line, who in kept.items() if len(who) == len(said)]
    own = [
        f"{', '.join(who)}: {line}"
        for line, who in kept.items()
        if len(who) < len(said)
    ]
    return text + "\n".join(f"- {line}" for line in (*shared, *own))


def _run(solutions: Mapping[str, Any], seconds: Mapping[str, float]) -> str:
    """Versions, settings and times."""
    lines = [", ".join(f"{k} {v}" for k, v in versions().items())]
    for name, solution in solutions.items():
        if solution.settings:
            shown = ", ".join(f"{k}={v}" for k, v in sorted(solution.settings.items()))
            lines.append(f"{name}: {shown}")
    times = ", ".join(f"{k} {v:.1f} s" for k, v in seconds.items())
    lines.append(f"{times}; {sum(seconds.values()):.0f} s in all")
    if (peak := peak_gib()) is not None:
        lines.append(f"largest memory of the process {peak:.2f} GiB")
    return "\n".join(f"- {line}" for line in lines)


def write_result(
    path: Path,
    solutions: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    seconds: Mapping[str, float],
    what: Mapping[str, Any],
    left: LeftOut | None = None,
) -> None:
    """All numbers of the report but those by feeder, in one JSON file."""
    scenario = next(iter(solutions.values())).scenario
    record = {
        "scenario": {
            "name": scenario.name,
            "fingerprint": scenario.fingerprint,
            "rows": len(scenario.vehicles),
            "vehicles": float(scenario.vehicles["weight"].sum()),
            "stays": len(scenario.stays),
            "trips": len(scenario.trips),
            "feeders": len(scenario.feeders),
            "slots": scenario.slots,
            "slot_minutes": scenario.slot_minutes,
            "left_out": None if left is None else left._asdict(),
        },
        **{name: tables[name] for name in tables if name != "feeders"},
        "iterations": {name: s.iterations for name, s in solutions.items()},
        "solver_settings": {k: s.settings for k, s in solutions.items() if s.settings},
        "seconds": dict(seconds) | {"all": math.fsum(seconds.values())},
        "peak_gib": peak_gib(),
        "asked": plain(dict(what)),
        "machine": platform.machine(),
        "versions": versions(),
    }
    text = json.dumps(json_value(record), indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def peak_gib() -> float | None:
    """Largest resident size of this process so far [GiB]; None where nobody says."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def study_summary(tables: Mapping[str, pd.DataFrame], currency: str) -> str:
    """What a terminal shows of a study."""
    methods = tables["methods"]
    shown = {"": [name.format(currency) for _, name, _ in ROWS]}
    for row in methods.to_dict("records"):
        shown[row["method"]] = [cell(row[column], text) for column, _, text in ROWS]
    table = pd.DataFrame(shown).set_index("").rename_axis(None).to_string()
    return f"{table}\n\n{headline(tables['intervals'], currency).replace('**', '')}"
