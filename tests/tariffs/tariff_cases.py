"""Cases for the tests of robust tariffs: the bundled one, and a small town.

The town: A and B are joined over the stations F (2 steps) and G (3 steps); its grid is
the chain sub - m - f - g, so that two of its lines have several stations behind them.
"""

import functools
from pathlib import Path

import numpy as np
import pandas as pd

from macjax.tariffs import Case

CONFIGS = Path(__file__).resolve().parent.parent.parent / "configs"
SCARCE = {"fleet.soc_arrival": 0.3, "fleet.consumption_per_step": 0.03}
SHARED = {"transport.directions_share_capacity": True}
STEPS = 14


@functools.cache
def bundled() -> Case:
    """The case study of the configurations."""
    return Case.read(CONFIGS / "tariff_case.toml")


def frame(text: str) -> pd.DataFrame:
    """A frame of words: the header, then rows separated by semicolons."""
    head, *rows = (part.split() for part in text.strip().split(";"))
    found = pd.DataFrame(rows, columns=head)
    for column in found:
        numbers = pd.to_numeric(found[column], errors="coerce")
        if numbers.notna().all():
            found[column] = numbers
    return found.replace("-", np.nan)


def town_tables() -> dict[str, pd.DataFrame]:
    """The tables of the town."""
    hours = np.arange(STEPS)
    profile = pd.DataFrame(
        {
            "node_id": np.repeat(["f", "g"], STEPS),
            "step": np.tile(hours, 2),
            "load_kw": np.concatenate([20 + hours, 15 + 0.5 * hours]),
            "pv_kw": np.concatenate([10 * np.sin(hours) ** 2, 0 * hours]),
            "wind_kw": np.concatenate([0 * hours, 5 * np.cos(hours) ** 2]),
        }
    )
    leaving = np.arange(4)
    return {
        "roads": frame(
            "from_node to_node capacity_ev steps; A F 9 1; F B 9 1; A G 30 2; G B 30 1"
        ),
        "stations": frame("station_id grid_node; F f; G g"),
        "trips": frame(
            "trip_id origin destination aggregator; there A B X; back B A Y"
        ),
        "departures": pd.DataFrame(
            {
                "trip_id": np.repeat(["there", "back"], 4),
                "step": np.tile(leaving, 2),
                "ev": [8, 9, 7, 6, 5, 9, 8, 4],
            }
        ),
        "paths": frame(
            "path_id trip_id position node; 1 there 0 A; 1 there 1 F; 1 there 2 B;"
            "2 there 0 A; 2 there 1 G; 2 there 2 B; 3 back 0 B; 3 back 1 F;"
            "3 back 2 A; 4 back 0 B; 4 back 1 G; 4 back 2 A"
        ),
        "lines": frame(
            "line_id from_node to_node r_ohm x_ohm limit_kw; sm sub m 0.5 0.4 -;"
            "mf m f 0.5 0.4 -; fg f g 0.5 0.4 -"
        ),
        "grid_profile": profile,
        "prices": pd.DataFrame(
            {"step": hours, "price": 0.1 + 0.05 * np.sin(hours / 2.0)}
        ),
    }


TOWN = {
    "start": "2025-06-02T00:00:00+02:00",
    "timezone": "Europe/Berlin",
    "steps": STEPS,
    "fleet": {
        "battery_kwh": 20,
        "soc_initial": 0.4,
        "soc_arrival": 0.5,
        "consumption_per_step": 0.1,
        "levels_kw": [7, 0, -7],
    },
    "costs": {"time_per_ev_hour": 0.05, "power_squared": 2e-4},
    "grid": {"nominal_kv": 1.0},
}


def town(changes: dict | None = None, **tables) -> Case:
    """The town with other values and tables."""
    case = Case.from_frames(TOWN, **town_tables())
    return case.changed(changes, **tables) if changes or tables else case


def limits(**kw: float) -> pd.DataFrame:
    """The lines of the town with these limits."""
    lines = town_tables()["lines"]
    return lines.assign(limit_kw=lines["line_id"].map(kw).astype(float))


def nodes(**keys) -> pd.DataFrame:
    """The grid nodes of the town with these values."""
    return pd.DataFrame({"node_id": ["sub", "m", "f", "g"], **keys})
