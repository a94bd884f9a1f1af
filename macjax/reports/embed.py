"""The numbers that a page's script draws from, as JSON that no name can break.

In a page a text ends at `</script`, whatever JSON it is in; so `<`, `>` and `&` are
written as escapes, and everything beyond ASCII too.
"""

import json
import math

import numpy as np
import pandas as pd

from macjax.plots.canvas import styles_of
from macjax.reports.facts import Facts
from macjax.reports.html import short

# Line styles of matplotlib as lengths of strokes and gaps in an SVG.
DASHES = {"-": "", "--": "7 4", "-.": "8 3 2 3", ":": "2 3"}
MOST_TICKS = 10
HOURS_WITHOUT_DAYS = 48


def embedded(facts: Facts) -> str:
    """JSON of the feeders and vehicles that can be chosen.

    Lengths of time are slots from the start of the horizon, power kW, energy kWh, all
    rounded to four digits of the largest value.
    """
    scenario = facts.scenario
    record = {
        "slots": scenario.slots,
        "slotHours": scenario.slot_hours,
        "zone": scenario.timezone,
        "ticks": _ticks(scenario),
        "lines": [
            _look(label, facts.usable[label], style)
            for label, style in styles_of(facts.usable).items()
        ],
        "feeders": _feeders(facts),
        "vehicles": _vehicles(facts),
    }
    text = json.dumps(record, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _look(label: str, solution, style: tuple) -> dict:
    """Label and line of a solution, as in `macjax.plots`."""
    colour, line, _ = style
    dash = DASHES.get(line) if isinstance(line, str) else _strokes(line)
    width = 2.2 if solution.method == "mac" else 1.6
    return {"name": short(label), "colour": colour, "dash": dash, "width": width}


def _strokes(line: tuple) -> str:
    return " ".join(f"{1.5 * length:g}" for length in line[1])


def _feeders(facts: Facts) -> list[dict]:
    """The worst feeders with capacity, base load, loads and upgrades."""
    capacity, _ = facts.scenario.capacity_base()
    ids = facts.scenario.feeders["feeder_id"]
    found = []
    needed = facts.upgrades[list(facts.usable)].to_numpy(np.float64)
    for at, row in enumerate(facts.ranking[: facts.chosen] if facts.usable else ()):
        limit = capacity[row]
        largest = max(float(np.abs(facts.load[:, row]).max()), float(limit.max()))
        base, *loads = (_rounded(series, largest) for series in facts.load[:, row])
        found.append(
            {
                "name": short(ids.iloc[row]),
                "capacity": _rounded(limit, largest),
                "base": base,
                "loads": loads,
                "upgrades": np.round(needed[at], 3).tolist(),
            }
        )
    return found


def _vehicles(facts: Facts) -> list[dict]:
    """The vehicles with battery, stays at a charger, and state of charge."""
    if not facts.vehicles or not facts.usable:
        return []
    scenario, count = facts.scenario, len(facts.vehicles)
    traces = [
        s.soc(facts.vehicles)["soc_kwh"].to_numpy().reshape(count, -1)
        for s in facts.usable.values()
    ]
    rows = scenario.vehicles.set_index("vehicle_id").loc[facts.vehicles]
    stays = scenario.stays
    mine = stays["vehicle_id"].isin(facts.vehicles) & (stays["charger_kw"] > 0)
    by_id = dict(list(stays[mine].groupby("vehicle_id", sort=False)))
    found = []
    for at, (name, row) in enumerate(rows.iterrows()):
        battery = float(row["battery_kwh"])
        at_charger = by_id.get(name, stays.iloc[:0])
        found.append(
            {
                "name": short(name),
                "battery": round(battery, 3),
                "reserve": round(float(row["reserve_kwh"]), 3),
                "stays": _bands(scenario, at_charger),
                "soc": [_rounded(trace[at], battery) for trace in traces],
            }
        )
    return found


def _bands(scenario, stays: pd.DataFrame) -> list[list[float]]:
    """Begin and end of stays in slots from the start, within the horizon."""
    pair = [stays["arrival"], stays["departure"]]
    length = pd.Timedelta(minutes=scenario.slot_minutes)
    begin, end = (
        ((pd.to_datetime(times, utc=True) - scenario.slot_starts[0]) / length)
        .clip(0, scenario.slots)
        .round(2)
        for times in pair
    )
    return [[b, e] for b, e in zip(begin.tolist(), end.tolist(), strict=True) if e > b]


def _rounded(values: np.ndarray, largest: float) -> list:
    """Values to four digits of the largest one; whole numbers where that is enough."""
    digits = 3 - math.floor(math.log10(largest)) if largest > 0 else 0
    rounded = np.round(np.asarray(values, np.float64), max(digits, 0)) + 0.0
    return rounded.astype(np.int64).tolist() if digits <= 0 else rounded.tolist()


def _ticks(scenario) -> list[list]:
    """Slots at which the axis of time has a mark, with what it says."""
    local = scenario.slot_starts.tz_convert(scenario.timezone)
    hours = scenario.slots * scenario.slot_hours
    if hours <= HOURS_WITHOUT_DAYS:
        whole = (local.minute == 0) & (local.hour % (3 if hours <= 24 else 6) == 0)
        words = local.strftime("%H:%M")
    else:
        whole = (local.hour == 0) & (local.minute == 0)
        words = local.strftime("%a %d %b")
    at = np.flatnonzero(whole)
    at = at[:: max(-(-len(at) // MOST_TICKS), 1)]
    return [[int(slot), words[slot]] for slot in at]
