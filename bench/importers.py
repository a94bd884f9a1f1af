"""How fast files of other formats are imported, and how much memory that takes.

Makes files of a size, then imports each in a process of its own:

    python bench/importers.py --json bench/results/importers.json
    python bench/importers.py --persons 500           # smoke size, some seconds

`matsim`: plans of `--persons` persons, gzip, each with two plans of three car legs and
routes, of which one is selected. `activitysim`: ten trips for each of `--persons`
persons, households, and 1,454 zones. `simbev`: one file for each of a fiftieth as many
cars, four weeks of quarter hours. Peak memory is the largest resident size of the
process, the interpreter and its libraries included.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _scale.process import environment, peak_gib, write_json

ZONES = 1454
FORMATS = ("matsim", "activitysim", "simbev")
TRIPS = 10
EVENT = "{stamp},{begin},{steps},{place},{place},{soc},{after},{energy},{charger},0.0\n"
EVENT_HEAD = (
    "timestamp,event_start,event_time,location,use_case,soc_start,soc_end,energy,"
    "station_charging_capacity,average_charging_power\n"
)


def clock(seconds: float) -> str:
    """HH:MM:SS."""
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def make_matsim(folder: Path, persons: int, rng: np.random.Generator) -> None:
    """Plans home - work - shop - home as MATSim's output has them."""

    def leg(begin, end, depart) -> str:
        metres = float(np.hypot(*(begin - end)))
        times = f'dep_time="{clock(depart)}" trav_time="{clock(metres / 10)}"'
        route = f'<route type="links" trav_time="{clock(metres / 10)}" '
        route += f'distance="{1.3 * metres:.1f}">' + "12 345 678 " * 8 + "</route>"
        mode = '<attributes><attribute name="routingMode">car</attribute></attributes>'
        return f'<leg mode="car" {times}>{mode}{route}</leg>'

    def activity(kind, point, end) -> str:
        return f'<activity type="{kind}" x="{point[0]:.1f}" y="{point[1]:.1f}"{end}/>'

    points = rng.uniform(0, 50_000, (persons, 3, 2))
    late = rng.uniform(0, 3600, (persons, 3))
    with gzip.open(folder / "plans.xml.gz", "wt", compresslevel=4) as file:
        file.write(
            '<?xml version="1.0"?>\n<!DOCTYPE population SYSTEM '
            '"http://www.matsim.org/files/dtd/population_v6.dtd">\n<population>\n'
        )
        for number in range(persons):
            home, work, shop = points[number]
            times = np.array([7, 16, 19]) * 3600 + late[number]
            ends = [f' end_time="{clock(t)}"' for t in times[:2]]
            body = activity("home", home, ends[0]) + leg(home, work, times[0])
            body += activity("work", work, ends[1]) + leg(work, shop, times[1])
            body += activity("shop", shop, ' max_dur="00:45:00"')
            body += leg(shop, home, times[2]) + activity("home", home, "")
            plans = "".join(
                f'<plan selected="{word}">{body}</plan>\n' for word in ("yes", "no")
            )
            file.write(f'<person id="{number}">\n{plans}</person>\n')
        file.write("</population>\n")


def make_activitysim(folder: Path, persons: int, rng: np.random.Generator) -> None:
    """A day of car trips from zone to zone, back home in the end."""
    home = rng.integers(1, ZONES + 1, persons)
    stops = rng.integers(1, ZONES + 1, (persons, TRIPS - 1))
    chain = np.column_stack([home, stops, home])
    trips = pd.DataFrame(
        {
            "trip_id": np.arange(persons * TRIPS),
            "person_id": np.repeat(np.arange(persons), TRIPS),
            "household_id": np.repeat(np.arange(persons) // 2, TRIPS),
            "origin": chain[:, :-1].ravel(),
            "destination": chain[:, 1:].ravel(),
            "depart": np.sort(rng.integers(5, 24, (persons, TRIPS)), axis=1).ravel(),
            "purpose": np.tile([*["shopping"] * (TRIPS - 1), "Home"], persons),
            "trip_mode": "DRIVEALONE",
        }
    )
    trips.to_csv(folder / "final_trips.csv", index=False)
    homes = pd.DataFrame({"household_id": np.arange((persons + 1) // 2)})
    homes = homes.assign(home_zone_id=home[::2], auto_ownership=2)
    homes.to_csv(folder / "final_households.csv", index=False)
    zones = pd.DataFrame({"zone_id": np.arange(1, ZONES + 1), "area_km2": 2.0})
    zones[["x_m", "y_m"]] = rng.uniform(0, 1e5, (ZONES, 2))
    zones.to_csv(folder / "zones.csv", index=False)


def make_simbev(folder: Path, persons: int, rng: np.random.Generator) -> None:
    """Cars that go to work and back on 28 days."""
    start, day = pd.Timestamp("2026-03-02"), []
    for begin, steps, place, soc, after, charger in (
        (0, 32, "home", 0.8, 1.0, 11.0),
        (32, 2, "driving", 1.0, 0.9, 0.0),
        (34, 36, "work", 0.9, 0.9, 0.0),
        (70, 2, "driving", 0.9, 0.8, 0.0),
        (72, 24, "home", 0.8, 0.8, 0.0),
    ):
        day.append((begin, steps, place, soc, after, 50 * (after - soc), charger))
    rows = []
    for number in range(28):
        for begin, steps, place, soc, after, energy, charger in day:
            step = begin + 96 * number
            stamp = start + pd.Timedelta(minutes=15 * step)
            words = {"stamp": stamp, "begin": step, "steps": steps, "place": place}
            words |= {"soc": soc, "after": after, "energy": energy}
            rows.append(EVENT.format(**words, charger=charger))
    text = EVENT_HEAD + "".join(rows)
    for car in range(max(persons // 50, 1)):
        (folder / f"bev_{car:06d}_50kWh_events.csv").write_text(text)


def measure(name: str, folder: str) -> dict:
    """Import on one core; seconds, rows, and peak memory [GiB]."""
    from macjax import importers

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    begin_gib, begin = peak_gib(), time.perf_counter()
    found = importers.FORMATS[name](folder)
    imported = time.perf_counter()
    scenario = found.scenario()
    done = time.perf_counter()
    return {
        "vehicles": len(scenario.vehicles),
        "stays": len(scenario.stays),
        "trips": len(scenario.trips),
        "import_s": round(imported - begin, 3),
        "scenario_s": round(done - imported, 3),
        "start_gib": round(begin_gib, 3),
        "peak_gib": round(peak_gib(), 3),
    }


def run(persons: int) -> dict:
    """Make and measure each format; returns one record."""
    makers = dict(
        zip(FORMATS, (make_matsim, make_activitysim, make_simbev), strict=True)
    )
    record: dict = {"persons": persons}
    for name, make in makers.items():
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), persons, np.random.default_rng(0))
            files = [path.stat().st_size for path in Path(folder).iterdir()]
            child = subprocess.run(
                [sys.executable, __file__, "--measure", name, folder],
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
        sizes = {"files": len(files), "files_mib": round(sum(files) / 2**20, 1)}
        record[name] = sizes | json.loads(child.stdout)
    return record | environment()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--persons", type=int, default=20_000)
    parser.add_argument("--json", type=Path, help="write the record to this file")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*arguments.measure)))
        return
    record = run(arguments.persons)
    for name in FORMATS:
        shown = ", ".join(f"{key} {value:,}" for key, value in record[name].items())
        print(f"{name}: {shown}")
    if arguments.json:
        write_json(arguments.json, record)


if __name__ == "__main__":
    main()
