"""A town for reports: as many feeders and cars as wanted, with any ids, and solutions.

Every car leaves at 8, is back at 17 with 6 kWh less, and can charge until 7. Unmanaged
charging is the real one; "mac" is a plan that charges the same energy evenly.
"""

import html.parser
import re

import numpy as np
import pandas as pd

import macjax
from macjax.results import Solution
from macjax.scenario.plan import Plan

START = pd.Timestamp("2026-03-02T00:00:00Z")
HOUR = pd.Timedelta(hours=1)
DAYS = 2
EVIL = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "<!--<script>",
    "' onmouseover='alert(3)' $x_1$ \\u003c $",
    "日本\u202eabc\u2028 & \x07 ${sections} %s {0}",
)


def town(
    feeder_ids=("north", "south"),
    vehicle_ids=("a", "b", "c", "d"),
    spare_kw: float = 10.0,
    name: str = "town",
    slots: int = 24 * DAYS,
    **columns,
):
    """The scenario: feeder k carries `spare_kw` beside its base load."""
    feeders, cars, days = list(feeder_ids), list(vehicle_ids), -(-slots // 24)
    own = [feeders[k % len(feeders)] for k in range(len(cars))]
    day = np.tile(np.arange(days), len(cars))
    midnight = START + pd.to_timedelta(day, unit="D")
    every = {
        "vehicle_id": np.repeat(np.array(cars, object), days),
        "arrival": midnight + 17 * HOUR,
        "departure": midnight + 31 * HOUR,
        "feeder_id": np.repeat(np.array(own, object), days),
        "charger_kw": 6.0,
    }
    trips = {
        "vehicle_id": every["vehicle_id"],
        "departure": midnight + 8 * HOUR,
        "arrival": midnight + 9 * HOUR,
        "energy_kwh": 6.0,
    }
    vehicles = {
        "vehicle_id": cars,
        "battery_kwh": 40.0,
        "initial_kwh": 40.0,
        "reserve_kwh": 4.0,
        "charge_efficiency": 1.0,
    }
    hours = np.tile(np.arange(24), len(feeders))
    base = 5.0 + 3.0 * np.cos((hours - 19) * np.pi / 12)
    profile = {
        "feeder_id": np.repeat(np.array(feeders, object), 24),
        "hour": hours,
        "capacity_kw": 8.0 + spare_kw,
        "base_kw": base,
    }
    upgrade = {"feeder_id": feeders, "upgrade_cost_per_kw": 100.0, **columns}
    frames = {
        "vehicles": pd.DataFrame(vehicles),
        "stays": pd.DataFrame(every),
        "trips": pd.DataFrame(trips),
        "feeders": pd.DataFrame(upgrade),
        "feeder_profile": pd.DataFrame(profile),
    }
    frames = {k: frame.infer_objects() for k, frame in frames.items()}
    return macjax.Scenario.from_frames(
        name=name,
        start=START,
        timezone="UTC",
        slot_minutes=60,
        slots=slots,
        **frames,
    )


def unmanaged(scenario):
    """Unmanaged charging."""
    return macjax.baselines.unmanaged(scenario)


def even(scenario, method="mac", status="solved", **given):
    """A solution in which every stay gives 6 kWh over its first hours of 14, evenly."""
    windows = scenario.stay_windows()
    first = np.round(windows.begin_h).astype(np.int64)
    last = np.round(windows.end_h).astype(np.int64)
    count = np.maximum(last - first, 0)
    stay = np.repeat(windows.row, count)
    start = np.repeat(np.cumsum(count) - count, count)
    slot = np.repeat(first, count) + np.arange(len(stay)) - start
    kw = np.repeat(6.0 / np.maximum(count, 1), count)
    order = np.lexsort((slot, stay))
    history = pd.DataFrame(
        {
            "iteration": [10, 20, 30],
            "phase": ["admm", "admm", "newton"],
            "objective": [9.0, 5.0, 4.0],
            "lower_bound": [-np.inf, 3.0, 3.9],
        }
    )
    cells = len(scenario.feeders), scenario.slots
    solution = Solution(
        scenario=scenario,
        plan=Plan.of(stay[order], slot[order], kw[order]),
        status=status,
        message="The gap is certified.",
        objective=4.0,
        lower_bound=np.nan if method == "unmanaged" else 3.9,
        gap=0.01,
        unmanaged_objective=60.0,
        iterations=30,
        history=history,
        prices=np.linspace(0.0, 1.0, cells[0] * cells[1]).reshape(cells),
        objective_spec=macjax.PeakOverload(),
        method=method,
        settings={"gap": 0.05},
        **given,
    )
    return solution


class Page(html.parser.HTMLParser):
    """What a browser would make of a page: elements, texts, scripts.

    `wrong` lists what is not well-formed.
    """

    VOID = ("meta", "img", "br", "link", "input")

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict]] = []
        self.words: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()
        self.wrong += [f"open: {name}" for name in self.open]

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"end of {tag}")

    def handle_data(self, data):
        if self.open:
            self.words.append((self.open[-1], data))

    def all(self, name: str) -> list[dict]:
        """Attributes of all elements of this name."""
        return [attributes for tag, attributes in self.elements if tag == name]

    def text(self, *names: str) -> str:
        """Text directly in elements of these names, or in all but scripts."""
        return " ".join(
            data
            for tag, data in self.words
            if (tag in names if names else tag not in ("script", "style"))
        )


def read_page(path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def numbers_in(path) -> str:
    """The JSON that the script draws from."""
    text = path.read_text(encoding="utf-8")
    return re.search(r'id="numbers">(.*?)</script>', text, re.S).group(1)
