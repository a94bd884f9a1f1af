"""How fast a large scenario is read and checked, and how much memory that takes.

Makes a scenario of `--vehicles` vehicles with ten stays and nine trips each, writes it
once, then reads and checks it in a process of its own on one core:

    python bench/ingest.py --vehicles 1000000 --json bench/results/ingest.json
    python bench/ingest.py --vehicles 2000            # smoke size, a second or two

Phases: read (files to frames), validate (all rules), arrays (stays and trips on the
clock of the horizon), fingerprint. Peak memory is the largest resident size of that
process, the interpreter and its libraries included.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from _scale.process import environment, peak_gib, print_record, write_json

from macjax.fleet.packing import pack
from macjax.scenario import Scenario

STAYS = 10
DAY = 24 * 60
HORIZON_DAYS = 7


def make_tables(vehicles: int, seed: int, shuffle: bool, integer_ids: bool) -> dict:
    """Tables of home-work chains, no loop over rows; rows shuffled if asked."""
    rng = np.random.default_rng(seed)
    feeders = max(1, vehicles // 200)
    numbers = np.arange(vehicles)
    feeder_numbers = np.arange(feeders)
    if integer_ids:
        ids = pd.Series(numbers)
        feeder_ids = pd.Series(feeder_numbers)
    else:
        ids = "vehicle-" + pd.Series(numbers).astype(str).str.zfill(7)
        feeder_ids = "feeder-" + pd.Series(feeder_numbers).astype(str)
    battery = rng.choice([40.0, 60.0, 75.0, 100.0], vehicles)
    tables = {
        "vehicles": pd.DataFrame(
            {
                "vehicle_id": ids,
                "battery_kwh": battery,
                "initial_kwh": 0.6 * battery,
                "reserve_kwh": 0.1 * battery,
            }
        ),
        "feeders": pd.DataFrame(
            {"feeder_id": feeder_ids, "upgrade_cost_per_kw": 100.0}
        ),
        "feeder_profile": pd.DataFrame(
            {
                "feeder_id": feeder_ids.repeat(24).to_numpy(),
                "hour": np.tile(np.arange(24), feeders),
                "capacity_kw": 500.0,
                "base_kw": rng.uniform(100, 400, 24 * feeders),
            }
        ),
    }
    tables |= _movements(rng, ids, feeder_ids)
    if shuffle:
        for name in ("stays", "trips"):
            order = rng.permutation(len(tables[name]))
            tables[name] = tables[name].iloc[order].reset_index(drop=True)
    return tables


def _movements(rng, ids: pd.Series, feeder_ids: pd.Series) -> dict:
    """Ten stays a vehicle, home and work in turn, and the nine trips between them."""
    count, feeders = len(ids), len(feeder_ids)
    span = HORIZON_DAYS * DAY / STAYS
    arrival = span * np.arange(STAYS) + rng.integers(0, 120, (count, STAYS))
    departure = np.empty_like(arrival)
    drive = rng.integers(10, 60, (count, STAYS - 1))
    departure[:, :-1] = arrival[:, 1:] - drive
    departure[:, -1] = HORIZON_DAYS * DAY + 60
    start = np.datetime64("2026-03-02T08:00", "m")
    stamps = [
        pd.Series(start + x.ravel().astype(np.int64)) for x in (arrival, departure)
    ]
    stamps = [x.astype("datetime64[us]").dt.tz_localize("UTC") for x in stamps]
    vehicle = np.arange(count).repeat(STAYS)
    is_home = np.tile(np.arange(STAYS) % 2 == 0, count)
    feeder = (vehicle // 200) % feeders
    feeder = np.where(is_home, feeder, rng.integers(0, feeders, len(vehicle)))
    charger = np.where(is_home, 7.4, np.where(rng.random(len(vehicle)) < 0.3, 11.0, 0))
    place = pd.Series(np.where(is_home, 0, 1)).map({0: "home", 1: "work"})
    stays = pd.DataFrame(
        {
            "vehicle_id": ids.take(vehicle).to_numpy(),
            "arrival": stamps[0],
            "departure": stamps[1],
            "feeder_id": feeder_ids.take(feeder).to_numpy(),
            "charger_kw": charger,
            "place": place,
        }
    )
    before = np.flatnonzero(np.arange(len(vehicle)) % STAYS != STAYS - 1)
    trips = pd.DataFrame(
        {
            "vehicle_id": stays["vehicle_id"].take(before).to_numpy(),
            "departure": stamps[1].take(before).reset_index(drop=True),
            "arrival": stamps[0].take(before + 1).reset_index(drop=True),
            "energy_kwh": rng.uniform(1, 6, len(before)),
        }
    )
    return {"stays": stays, "trips": trips}


def write_files(folder: Path, tables: dict, form: str) -> None:
    """The tables as files, without the checks that are to be measured."""
    keys = {
        "name": '"ingest"',
        "start": '"2026-03-02T00:00:00-08:00"',
        "timezone": '"America/Los_Angeles"',
        "slot_minutes": 60,
        "slots": 24 * HORIZON_DAYS,
    }
    text = "".join(f"{key} = {value}\n" for key, value in keys.items())
    (folder / "scenario.toml").write_text(text)
    for name, frame in tables.items():
        if form == "csv":
            table = pa.Table.from_pandas(frame, preserve_index=False)
            pa.csv.write_csv(table, folder / f"{name}.csv")
        else:
            frame.to_parquet(folder / f"{name}.parquet", index=False)


def measure(folder: str) -> dict:
    """Read and check on one core; seconds by phase and peak memory [GiB]."""
    from macjax.scenario.columns import Source
    from macjax.scenario.files import read_folder
    from macjax.scenario.validate import check

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    begin_gib = peak_gib()
    clock = [time.perf_counter()]
    found = read_folder(folder)
    clock.append(time.perf_counter())
    source = Source(text_tables=found.text_tables)
    checked = check(found.keys, found.frames, source=source, found=found.faults)
    clock.append(time.perf_counter())
    del found
    scenario = Scenario(checked, None)
    windows, events = scenario.stay_windows(), scenario.trip_events()
    clock.append(time.perf_counter())
    fleet = pack(scenario, dtype=np.float32)
    clock.append(time.perf_counter())
    most_gib = peak_gib()
    _ = scenario.fingerprint
    clock.append(time.perf_counter())
    phases = ("read_s", "validate_s", "arrays_s", "pack_s", "fingerprint_s")
    seconds = dict(zip(phases, np.diff(clock).round(3).tolist(), strict=True))
    return {
        "stays": len(windows.row),
        "trips": len(events.row),
        "short_vehicles": len(fleet.chains.shortfall.vehicle),
        "padding_share": round(fleet.waste, 3),
        **seconds,
        "start_gib": round(begin_gib, 3),
        "peak_gib": round(most_gib, 3),
    }


def run(arguments) -> dict:
    """Make, write, measure; returns one record."""
    with tempfile.TemporaryDirectory() as folder:
        clock = time.perf_counter()
        tables = make_tables(
            arguments.vehicles,
            arguments.seed,
            arguments.shuffle,
            arguments.ids == "integer",
        )
        write_files(Path(folder), tables, arguments.format)
        del tables
        made = time.perf_counter() - clock
        files = sum(path.stat().st_size for path in Path(folder).iterdir())
        child = subprocess.run(
            [sys.executable, __file__, "--measure", folder],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
    measured = json.loads(child.stdout)
    phases = ("read_s", "validate_s", "arrays_s", "pack_s")
    checked_s = sum(measured[phase] for phase in phases)
    return {
        "vehicles": arguments.vehicles,
        "format": arguments.format,
        "ids": arguments.ids,
        "shuffled": arguments.shuffle,
        "make_s": round(made, 3),
        "files_mib": round(files / 2**20, 1),
        **measured,
        "s_per_million_vehicles": round(checked_s / arguments.vehicles * 1e6, 2),
        **environment(),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--vehicles", type=int, default=1_000_000)
    parser.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--ids", choices=("text", "integer"), default="text")
    parser.add_argument("--shuffle", action="store_true", help="rows in random order")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the record to this file")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    record = run(arguments)
    print_record(record)
    if arguments.json:
        write_json(arguments.json, record)


if __name__ == "__main__":
    main()
