"""How the answer for one county depends on what was assumed, and on the sample.

    python bench/sensitivity.py --out out/napa --results bench/results

Napa County, unmanaged and MAC, as sweeps that go on where they were stopped (in
`--out`); with all its electric cars, or a `--sample` of them. One record each in
`--results`:

    napa_adoption.json      share of electric cars x share of commuters with a charger
    napa_slots.json         slots of 60, 30 and 15 minutes
    napa_bootstrap.json     samples beside all cars, several seeds
    napa_transformers.json  the county's cars at home on 73 service transformers

`--quick` takes fewer cases: a smoke run.
"""

import argparse
import dataclasses
import itertools
import sys
import time
from pathlib import Path

import pandas as pd
from _scale.process import environment, write_json

import macjax
from macjax import importers, studies
from macjax._output import json_value

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "configs" / "napa_county.toml"
TABLES = ROOT / "notebooks" / "data"
SMARTDS = ("transformers", "loads", "load_profiles_15min")
METHODS = ["unmanaged", "mac"]


def adoption(out: Path, sample: float, quick: bool) -> dict:
    """Adoption and chargers at work."""
    over = {"adoption": [0.1, 0.3, 0.5], "work_share": [0.2, 0.4, 0.6]}
    if quick:
        over = {"adoption": [0.1, 0.3], "work_share": [0.4]}
    return swept({"sample": [sample], **over}, out)


def slots(out: Path, sample: float, quick: bool) -> dict:
    """Length of a slot: the same trips and stays."""
    lengths = [60, 30] if quick else [60, 30, 15]
    return swept({"sample": [sample], "slot_minutes": lengths}, out)


def bootstrap(out: Path, sample: float, quick: bool) -> dict:
    """Samples beside the whole, seed by seed."""
    samples = [0.05, 0.1] if quick else [0.05, 0.1, 0.25, 0.5, 1.0]
    seeds = [1, 2] if quick else [1, 2, 3]
    over = {"sample": samples, "seed": seeds}
    found = swept(over, out)
    frame = pd.read_parquet(out / "cases.parquet")
    return found | {"bias": studies.sampling_bias(frame)}


def transformers(out: Path, sample: float, quick: bool) -> dict:
    """Cars at home on service transformers, several draws; nothing to go on from.

    The day of the load profiles takes 22 % of the ratings at its peak; a high-load day
    is taken as 2.5 times that, 80 % of the nominal loads of all customers [assumed].
    """
    region = macjax.regions.build(CONFIG, sample=0.1)
    loads = pd.read_csv(TABLES / "smartds_loads.csv")
    homes = loads[loads["customer_class"] == "residential"]
    homes = homes.groupby("transformer_id").size()
    network = importers.opendss(
        [TABLES / f"smartds_{name}.csv" for name in SMARTDS],
        name="73 service transformers (SMART-DS)",
    )
    rate = studies.cars_at_home_per_household(region)
    rows = []
    for load, share in itertools.product([1.0, 2.5], [0.3, 0.6, 1.0]):
        profile = network.feeder_profile
        profile = profile.assign(base_kw=load * profile["base_kw"])
        day = dataclasses.replace(network, feeder_profile=profile)
        for seed in range(1 if quick else 5):
            few = studies.on_service_transformers(
                region, day, homes, rate * share / 0.3, seed
            )
            solutions = [
                macjax.baselines.unmanaged(few),
                macjax.baselines.per_session(few),
                macjax.solve(few, gap=1e-3),
            ]
            tables = studies.study_tables(
                solutions, transformers="single_phase", replace="rated_kva"
            )
            front = {"load": load, "adoption": share, "seed": seed}
            front["cars"] = float(len(few.vehicles))
            rows += tables["methods"].assign(**front).to_dict("records")
    return {"rows": rows}


def swept(over: dict, out: Path) -> dict:
    """A sweep over the county."""
    frame = macjax.sweep(CONFIG, over, METHODS, out, progress=True, gap=1e-3)
    return {"over": over, "rows": frame.drop(columns="folder")}


PARTS = {
    "adoption": adoption,
    "slots": slots,
    "bootstrap": bootstrap,
    "transformers": transformers,
}


def main() -> int:
    """Run the parts and write their records."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the sweeps")
    parser.add_argument("--results", type=Path, default=Path("bench/results"))
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument(
        "--sample", type=float, default=1.0, help="of adoption and slots; default all"
    )
    parser.add_argument("--quick", action="store_true", help="few cases")
    args = parser.parse_args()
    macjax.use_all_cores()
    for part in args.part or PARTS:
        begin = time.monotonic()
        swept_part = part in ("adoption", "slots") and args.sample < 1
        of_sample = f" --sample {args.sample:g}" if swept_part else ""
        found = PARTS[part](args.out / part, args.sample, args.quick)
        record = {
            "command": f"python bench/sensitivity.py --part {part}{of_sample}",
            "config": "configs/napa_county.toml",
            **found,
            "seconds": round(time.monotonic() - begin, 1),
            **environment(),
        }
        write_json(args.results / f"napa_{part}.json", json_value(record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
