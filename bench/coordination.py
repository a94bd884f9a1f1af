"""How long price coordination of many different EVs takes, and how much memory.

Makes `--evs` EVs that all differ, each at home for a part of a day of quarter hours,
and coordinates them by prices, in a process of its own:

    python bench/coordination.py --json bench/results/coordination.json
    python bench/coordination.py --evs 20000            # smoke size, some seconds

Two costs of generation: a flat one, and a steep one that couples the EVs strongly. The
gap is the certified one, (objective - lower bound) / objective. Seconds are those of
`macjax.coordinate` with compiling, its fixed point and its lower bound included; peak
memory is the largest resident size of the process, interpreter and libraries included.
`cpu_s` is the time that all cores spent on it: on a machine that does other work too it
says more. `sum_error` is the largest difference between the EVs' demand as the run adds
it up and the float64 sum of all EVs' charging, relative to the largest demand.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from _scale.process import environment, peak_gib, write_json

import macjax

SLOTS = 96
COSTS = {"flat": 2.9e-3, "steep": 2e-2}  # c'' x EVs
DTYPES = ("float32", "float64")


def make_problem(evs: int, bend: float) -> macjax.PriceProblem:
    """EVs that differ in everything, beside 6 kW of other demand each."""
    rng = np.random.default_rng(0)
    slot = np.arange(SLOTS, dtype=np.int16)
    arrives = rng.integers(60, 84, evs, dtype=np.int16)
    stays = rng.integers(28, 60, evs, dtype=np.int16)
    away = (slot[None] - arrives[:, None]) % SLOTS
    takers = macjax.PriceTakers(
        energy_kwh=rng.uniform(5, 30, evs),
        benefit=rng.uniform(0.02, 0.05, evs),
        quadratic=rng.uniform(0.002, 0.006, evs),
        linear=rng.uniform(0.05, 0.12, evs),
        limit_kw=rng.choice([3.7, 7.4, 11.0], evs),
        available=away < stays[:, None],
    )
    base = 6.0 * evs * (1 + 0.35 * np.cos((slot / 4 - 19) / 24 * 2 * np.pi))
    cost = macjax.GenerationCost.polynomial([0.0, 0.06, bend / evs / 2])
    return macjax.PriceProblem(takers, base, cost, slot_hours=0.25)


def measure(name: str, evs: int, dtype: str) -> dict:
    """Coordinate once; seconds, iterations and peak memory [GiB]."""
    begin = time.perf_counter()
    problem = make_problem(evs, COSTS[name])
    made, spent = time.perf_counter(), time.process_time()
    run = macjax.coordinate(problem, dtype=dtype, tolerance=1e-5)
    done, spent = time.perf_counter(), time.process_time() - spent
    peak = peak_gib()
    charging = run.charging
    total = np.sum(charging, axis=0, dtype=np.float64)
    return {
        "make_s": round(made - begin, 2),
        "coordinate_s": round(done - made, 2),
        "cpu_s": round(spent, 2),
        "iterations": run.iterations,
        "converged": run.converged,
        "bound_on_iterations": run.contraction.iterations,
        "coupling": round(run.contraction.coupling, 3),
        "gap": float(f"{run.gap:.3g}"),
        "objective": run.objective,
        "sum_error": float(f"{np.max(np.abs(run.ev_kw - total)) / total.max():.3g}"),
        "peak_gib": round(peak, 2),
        "peak_with_charging_gib": round(peak_gib(), 2),
    }


def run(evs: int) -> dict:
    """Measure each cost and dtype in a process of its own."""
    record: dict = {"evs": evs, "slots": SLOTS}
    for name in COSTS:
        for dtype in DTYPES:
            words = [sys.executable, __file__, "--measure", name, dtype]
            child = subprocess.run(
                [*words, "--evs", str(evs)],
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            record[f"{name}_{dtype}"] = json.loads(child.stdout)
            print(name, dtype, child.stdout.strip(), file=sys.stderr, flush=True)
    return record | environment()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--evs", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, help="write the record to this file")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        name, dtype = arguments.measure
        print(json.dumps(measure(name, arguments.evs, dtype)))
        return
    record = run(arguments.evs)
    for name in COSTS:
        for dtype in DTYPES:
            values = record[f"{name}_{dtype}"].items()
            print(f"{name}, {dtype}: " + ", ".join(f"{k} {v}" for k, v in values))
    if arguments.json:
        write_json(arguments.json, record)


if __name__ == "__main__":
    main()
