"""One projection of a fleet onto its sets: XLA's program beside the kernel for GPUs.

    python bench/projection.py --evs 1000000 --device gpu
    python bench/projection.py --evs 1000000 --device gpu --dtype float64 \\
        --strips 32,64,128
    python bench/projection.py --evs 10000 --device cpu

A fleet is drawn (`macjax.synthetic.fleet`) and packed; the points that are projected
are those of an ADMM iteration: what was projected before, plus what the prices of the
cells say. Timed is the search for the shadow prices and the energies that follow, all
blocks, by the best of `--repeats` calls after one that compiles:

    again   from the shadow prices of a projection nearby, as in most iterations
    first   from shadow prices of 0, as in the first iteration
    alone   without a guess, as where a schedule is made feasible

    24 B share   24 bytes per EV-slot (u read and written, its limit read, in float64)
                 over the copy bandwidth of the device, measured in the same process

The kernel is timed with each number of lanes of a program (`--strips`), on GPUs only:
elsewhere it runs as plain JAX, which says nothing. `apart` is how far its energies are
from XLA's at most. Results go to `--out`, a JSON file.
"""

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

from _scale import report
from _scale.process import (
    environment,
    find_device,
    plain,
    run_part,
    tell,
    write_json,
)

RESULTS = Path(__file__).resolve().parent / "results"
COLUMNS = (
    ("EVs", "evs", "{:,.0f}"),
    ("program", "program", "{}"),
    ("guess", "guess", "{}"),
    ("compile s", "compile_s", "{:.1f}"),
    ("ms", "seconds", "{:.3f}", 1e3),
    ("ns/EV-slot", "s_per_ev_slot", "{:.4f}", 1e9),
    ("24 B share", "copy_share_24", "{:.1%}"),
    ("apart kWh", "apart_kwh", "{:.1e}"),
)


def numbers(text: str) -> list[int]:
    """Whole numbers from a list with commas; 1e6 is one too."""
    return [int(float(word)) for word in text.split(",") if word]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--evs", type=numbers, default=[10_000])
    parser.add_argument("--slots", type=int, default=168)
    parser.add_argument("--slot-minutes", type=int, default=60)
    parser.add_argument("--kind", default="hard", help="of macjax.synthetic.fleet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--dtype", choices=("float64", "float32"))
    parser.add_argument("--strips", type=numbers, default=[32, 64, 128])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--no-save", action="store_true", help="print only")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def measure(options: dict) -> dict:
    """Draw and pack a fleet, project it with each program and from each guess."""
    import jax
    import numpy as np
    from _scale.fleet_run import copy_bandwidth

    import macjax
    from macjax.fleet.packing import pack
    from macjax.synthetic import fleet

    macjax.use_all_cores()
    on_cpu = jax.default_backend() == "cpu"
    dtype: Any = np.dtype(options["dtype"] or ("float64" if on_cpu else "float32"))
    names = ("slots", "slot_minutes", "kind", "seed")
    scenario = fleet(options["evs"], **{name: options[name] for name in names})
    devices = jax.devices() if jax.device_count() > 1 else None
    with jax.enable_x64(True):
        packed = pack(scenario, dtype=dtype, devices=devices)
        found = {
            "status": "measured",
            "evs": options["evs"],
            "dtype": dtype.name,
            "shape": packed.batch.shape,
            "lanes_of_block": packed.batch.shape[3],
            "padding_share": packed.waste,
            "chosen": packed.batch.projection,
            "copy_gb_per_s": copy_bandwidth(jax.default_backend()) / 1e9,
        }
        ev_slots = options["evs"] * scenario.slots
        strips = [] if on_cpu else options["strips"]
        found["rows"] = timings(packed, strips, options["repeats"])
    for row in found["rows"]:
        row["evs"] = options["evs"]
        if "seconds" in row:
            row["s_per_ev_slot"] = row["seconds"] / ev_slots
            full = found["copy_gb_per_s"] * 1e9 * row["seconds"]
            row["copy_share_24"] = 24 * ev_slots / full
    return plain(found)


def timings(packed, strips: list[int], repeats: int) -> list[dict]:
    """A row for each program and guess."""
    import jax

    from macjax.fleet.kernel_choice import PALLAS, XLA, fault_of_kernel
    from macjax.sets import soc_tube_kernel

    batch = packed.batch
    before, tables, guesses = state_of(packed)
    right, rows = {}, []
    dtype, (_, k, s, _) = before.dtype.name, batch.shape
    programs = [(XLA, XLA, soc_tube_kernel.STRIP)]
    programs += [(f"{PALLAS} {n}", PALLAS, n) for n in strips]
    for name, projection, soc_tube_kernel.STRIP in programs:
        if projection == PALLAS:
            # What was tried and compiled before had another strip.
            fault_of_kernel.cache_clear()
            jax.clear_caches()
            fault = fault_of_kernel(jax.devices()[0], dtype, k, s)
            if fault is not None:
                rows.append({"program": name, "status": fault})
                continue
        of_kind = dataclasses.replace(batch, projection=projection)
        program = jax.jit(project_fleet)
        for guess, prices in guesses.items():
            row = {"program": name, "guess": guess}
            row |= best_of(repeats, program, of_kind, tables, before, prices)
            energy = row.pop("answer")
            right.setdefault(guess, energy)
            row["apart_kwh"] = float(abs(energy - right[guess]).max())
            rows.append(row)
    return rows


def state_of(packed):
    """Energies, tables of the cells, and guesses, like those of an iteration."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from macjax.fleet.operators import flat

    batch, dtype = packed.batch, packed.batch.lower.dtype
    rng = np.random.default_rng(0)
    shape = (packed.table_feeders, packed.slots)
    gain = jnp.asarray(10 ** rng.uniform(-0.5, 0.5, shape), dtype)
    price = [jnp.asarray(rng.normal(0, 1, shape), dtype)]
    price.append(price[0] + jnp.asarray(rng.normal(0, 0.01, shape), dtype))
    tables = [(flat(p * gain, batch), flat(gain, batch, 1)) for p in price]
    nothing = jnp.zeros_like(batch.lower)
    run = jax.jit(project_fleet)
    before, _ = run(batch, tables[0], jnp.zeros_like(batch.limit()), None)
    _, near = run(batch, tables[0], before, None)
    guesses = {"again": near, "first": nothing, "alone": None}
    return before, tables[1], guesses


def project_fleet(batch, tables, before, guess):
    """u and shadow prices of all vehicles, on all devices."""
    from macjax.fleet.blocks import over_devices

    items = (before,) if guess is None else (before, guess)
    return over_devices(batch, on_device, tables, *items)[1]


def on_device(batch, tables, before, *guess):
    """The same on one device."""
    from macjax.fleet.blocks import over_blocks
    from macjax.fleet.operators import Projection, fleet_shadows, project

    shift, gain = tables

    def lines(block, before):
        cell = block.cell()
        return before + shift[cell], gain[cell], 0.0

    def projection(block, before):
        return Projection.of(block, *lines(block, before))

    def alone(_, block, before):
        return None, project(block, *lines(block, before))

    def energies(_, block, before, shadow):
        return None, projection(block, before).energy(shadow)

    if not guess:
        return over_blocks(batch, alone, None, before)
    shadow = fleet_shadows(batch, projection, (before,), guess[0])
    return None, (over_blocks(batch, energies, None, before, shadow)[1], shadow)


def best_of(repeats: int, program, *arguments) -> dict:
    """Seconds of the first call beyond the best one, of the best one, and energies."""
    import jax

    seconds = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        energy, _ = jax.block_until_ready(program(*arguments))
        seconds.append(time.perf_counter() - begin)
    best = min(seconds[1:])
    return {"compile_s": seconds[0] - best, "seconds": best, "answer": energy}


def run(options: argparse.Namespace) -> dict:
    """All sizes, each result written as soon as it is there."""
    out = options.out
    if out.suffix != ".json":
        out = out / f"projection_{options.device}.json"
    kept = {k: v for k, v in vars(options).items() if k not in ("out", "part")}
    here = environment() | {"device": find_device(__file__, options.device)}
    record: dict = {"settings": kept, "environment": here, "sizes": []}
    for evs in options.evs:
        tell(f"{evs:,} EVs")
        size = run_part(__file__, "measure", kept | {"evs": evs})
        record["sizes"].append({"evs": evs} | size)
        rows = [row for size in record["sizes"] for row in size.get("rows", [size])]
        print(report.table(rows, COLUMNS) + "\n", flush=True)
        if not options.no_save:
            write_json(out, record)
    return record


def part(name: str, options: dict) -> dict:
    """What a child process does."""
    from _scale import fleet_run

    return {"device": fleet_run.device, "measure": measure}[name](options)


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 if all was measured."""
    options = parse(arguments)
    if options.part:
        print(json.dumps(part(options.part[0], json.loads(options.part[1]))))
        return 0
    sizes = run(options)["sizes"]
    rows = [row for size in sizes for row in size.get("rows", [size])]
    return 0 if all("seconds" in row for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
