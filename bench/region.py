"""How long a whole region takes to build and pack, and how much memory.

    python bench/region.py --json bench/results/region.json     # all cars: 12 GiB
    python bench/region.py --config configs/napa_county.toml    # a few seconds

Phases: build (survey to checked scenario), pack (arrays of the solver, float32), write
(Parquet), plan (what a solve would take on its devices, computed). Peaks are the
largest resident size of this process up to then, the interpreter included.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from _scale.process import environment, peak_gib, print_record, write_json

import macjax
from macjax.fleet.memory import bytes_on_devices
from macjax.fleet.packing import pack

ROWS = ("vehicles", "stays", "trips", "feeders")


def measure(config: str) -> dict:
    """Rows, seconds, peaks [GiB] and memory plans [GiB] of a region."""
    record: dict = {"config": config}
    begin = time.perf_counter()
    scenario = macjax.regions.build(config)
    record["build_s"] = round(time.perf_counter() - begin, 1)
    record["build_peak_gib"] = peak_gib()
    record |= {name: len(getattr(scenario, name)) for name in ROWS}
    begin = time.perf_counter()
    fleet = pack(scenario, dtype=np.float32)
    record["pack_s"] = round(time.perf_counter() - begin, 1)
    record["pack_peak_gib"] = peak_gib()
    for dtype in ("float32", "float64"):
        planned = bytes_on_devices(fleet, dtype) / 2**30
        record[f"plan_{dtype}_gib"] = round(planned, 4)
    del fleet
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        scenario.write(Path(folder) / "region")
        record["write_s"] = round(time.perf_counter() - begin, 1)
        files = Path(folder).rglob("*")
        size = sum(path.stat().st_size for path in files if path.is_file())
    record["files_mib"] = round(size / 2**20)
    record["peak_gib"] = peak_gib()
    return record


def main() -> None:
    """Measure, print, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", default="configs/bay_area_30.toml")
    parser.add_argument("--json", type=Path, help="file to write")
    arguments = parser.parse_args()
    record = measure(arguments.config) | environment()
    print_record(record)
    if arguments.json:
        write_json(arguments.json, record)


if __name__ == "__main__":
    main()
