"""Speed and scale: certified solves of growing fleets, beside solvers of LPs.

    python bench/scale.py --evs 1000,10000,100000 --device cpu --kind hard \\
        --peers highs,pdlp,mpax --peer-time-limit 300 --peers-up-to 10000
    python bench/scale.py --evs 1000000,10000000 --device gpu --peers mpax \\
        --peers-up-to 0 --out bench/results/scale_gpu.json

For every size a fleet is drawn (`macjax.synthetic.fleet`) and written as Parquet; a
process of its own reads it, solves it twice to the gap and certifies the result:

    load, valid.   seconds to read the files, and to check every rule
    pack, compile  parts of a solve, by the solver's clock; compile is of the first
    first, warm    seconds of macjax.solve, packing and its certificate included; warm
                   is the second call in the process, when everything is compiled
    certify        seconds of macjax.certify on the raw tables, from outside
    ms/ADMM it.    of the warm solve, looks at objective and bound included
    24 B share     24 bytes per EV-slot and iteration over the copy bandwidth of the
                   same device, measured in the same process; `packed share` with the
                   bytes of the packed arrays instead
    host GiB       peak resident size of the process up to the end of the warm solve
    device GiB     peak of the device's allocator; held GiB: arrays between two steps

Peers get the linear program in its compact form (_scale/lp.py), each attempt in a
process of its own with its own time limit; their seconds are those of the solve
alone, without building the LP. Whether an answer counts is for `macjax.certify` to
say: a first-order solver whose tolerance does not certify the gap is run again with
the next one (_scale/duel.py). Answers are repaired stay by stay before (_scale/lp.py).

Results go to `--out`, a JSON file (a folder: scale_KIND_DEVICE.json in it), the figure
beside it. The optional solvers are those of `pip install '.[bench]'`.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from _scale import report
from _scale.options import numbers, positive, record_file, whole
from _scale.peers import expand
from _scale.process import (
    environment,
    find_device,
    plain,
    run_part,
    tell,
    write_json,
)

RESULTS = Path(__file__).resolve().parent / "results"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--evs", type=numbers, default=[1000, 10_000, 100_000])
    parser.add_argument("--slots", type=whole, default=168)
    parser.add_argument("--slot-minutes", type=whole, default=60)
    parser.add_argument("--kind", default="hard", help="of macjax.synthetic.fleet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--gap", type=positive, default=1e-3)
    parser.add_argument("--dtype", choices=("float64", "float32"))
    parser.add_argument("--time-limit", type=positive, default=3600.0, metavar="S")
    parser.add_argument(
        "--peers", type=expand, default=[], help="highs,pdlp,mpax; none by default"
    )
    parser.add_argument("--peer-time-limit", type=positive, default=300.0, metavar="S")
    parser.add_argument("--peers-up-to", type=int, default=10_000, metavar="EVS")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--no-save", action="store_true", help="print only")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def one_size(evs: int, options: argparse.Namespace, folder: str) -> dict:
    """Make a fleet, measure it, and let the peers solve it."""
    label = f"{evs:,} EVs"
    fleet = {
        "evs": evs,
        "slots": options.slots,
        "slot_minutes": options.slot_minutes,
        "kind": options.kind,
        "seed": options.seed,
        "folder": folder,
    }
    tell(f"{label}: drawing the fleet")
    record = {"evs": evs, "gap": options.gap}
    record["fleet"] = run_part(__file__, "make", fleet | {"device": "cpu"})
    if record["fleet"]["status"] != "made":
        return record | {"macjax": record["fleet"]}
    tell(f"{label}: reading, solving twice, certifying")
    given = {
        "folder": folder,
        "gap": options.gap,
        "dtype": options.dtype,
        "time_limit": options.time_limit,
        "device": options.device,
        "label": label,
    }
    record["macjax"] = run_part(__file__, "macjax", given)
    if options.peers and evs <= options.peers_up_to:
        from _scale.duel import duel

        given |= {"peers": options.peers, "peer_time_limit": options.peer_time_limit}
        record["peers"] = duel(__file__, given)
    return record


def run(options: argparse.Namespace) -> dict:
    """All sizes, each result written as soon as it is there."""
    name = f"scale_{options.kind}_{options.device}.json"
    out = None if options.no_save else record_file(options.out, name)
    kept = {k: v for k, v in vars(options).items() if k not in ("out", "part")}
    here = environment() | {"device": find_device(__file__, options.device)}
    record: dict = {"settings": kept, "environment": here, "sizes": []}
    begin = time.perf_counter()
    for evs in options.evs:
        with tempfile.TemporaryDirectory() as folder:
            size = one_size(evs, options, str(Path(folder) / "fleet"))
        record["sizes"].append(plain(size))
        record["exponents"] = report.exponents(record["sizes"])
        record["seconds"] = time.perf_counter() - begin
        print(report.summary(record) + "\n", flush=True)
        if out:
            write_json(out, record)
            report.draw(record, out.with_suffix(".png"))
    return record


def part(name: str, options: dict) -> dict:
    """What a child process does."""
    if name == "peer":
        from _scale.peers import attempt

        return attempt(options)
    from _scale import fleet_run

    parts = {
        "device": fleet_run.device,
        "make": fleet_run.make,
        "macjax": fleet_run.measure,
    }
    return parts[name](options)


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 if every fleet was certified."""
    options = parse(arguments)
    if options.part:
        print(json.dumps(part(options.part[0], json.loads(options.part[1]))))
        return 0
    record = run(options)
    return 0 if all(map(report.is_certified, record["sizes"])) else 1


if __name__ == "__main__":
    sys.exit(main())
