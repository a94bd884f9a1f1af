"""Solves on 1, 2, 3 and 8 devices of a process with 8 CPU devices; prints JSON.

Run as a script with the part to do, and with JAX_NUM_CPU_DEVICES=8, which is settled
before JAX starts.
"""

import functools
import json
import sys

import jax
import numpy as np
from compared import numbers

import macjax
from macjax import FeederCapacity, PeakOverload, Smoothing
from macjax.fleet.packing import pack
from macjax.synthetic import fleet

COMPILED: list[str] = []
EVENT = "/jax/core/compile/backend_compile_duration"


def count(event: str, seconds: float, **more) -> None:
    """Remember what XLA compiles."""
    if event == EVENT:
        COMPILED.append(str(more.get("fun_name")))


def on_each(counts, scenario, devices) -> dict:
    """Solutions by number of devices, and what a second solve compiles."""
    found = {}
    for n in counts:
        before = len(COMPILED)
        solution = macjax.solve(scenario, gap=1e-4, devices=devices[:n])
        first = len(COMPILED)
        macjax.solve(scenario, gap=1e-4, devices=devices[:n])
        names = COMPILED[before:first]
        blocks = np.asarray(pack(scenario, devices=devices[:n]).batch.blocks).tolist()
        found[n] = numbers(solution) | {
            "twice": sorted({name for name in names if names.count(name) > 1}),
            "again": COMPILED[first:],
            "blocks": blocks,
        }
    return found


def wider(scenario, solution):
    """The scenario with capacities that can hold, just so."""
    profile = scenario.feeder_profile
    upgrades = solution.upgrades().set_index("feeder_id")["upgrade_kw"]
    profile["capacity_kw"] += 1.02 * profile["feeder_id"].map(upgrades)
    return scenario.with_tables(feeder_profile=profile)


def certified(scenario, solution) -> dict:
    """The numbers, beside those of the certificate."""
    certificate = macjax.certify(scenario, solution)
    return numbers(solution) | {
        "feasible": certificate.feasible,
        "certified_gap": certificate.gap,
    }


def in_chunks(scenario, devices, memory: float) -> dict:
    """The numbers of a solve with so little memory that the fleet does not fit."""
    few = macjax.solve(scenario, gap=1e-4, devices=devices, device_memory=memory)
    return certified(scenario, few) | {"in_chunks": few.settings["in_chunks"]}


def of_other_kinds(scenario, devices) -> dict:
    """Hard limits, sessions, warm starts, chunks, smoothing, a single vehicle."""
    found = {}
    warm = macjax.solve(scenario, gap=1e-4, devices=devices)
    found["eight"] = numbers(warm)
    roomy, hard = wider(scenario, warm), FeederCapacity()
    held = macjax.solve(roomy, hard, devices=devices)
    found["hard"] = certified(roomy, held)
    found["none"] = str(macjax.solve(scenario, hard, devices=devices).status)
    for n in (1, 8):
        session = macjax.baselines.per_session(scenario, devices=devices[:n])
        found[f"session {n}"] = numbers(session)
    for n in (1, 3):
        again = macjax.solve(scenario, gap=1e-4, warm_start=warm, devices=devices[:n])
        found[f"warm {n}"] = numbers(again)
    # Less than the fleet takes, and more than the smallest chunk does.
    for n, share in ((1, 0.4), (3, 0.52)):
        memory = share * warm.settings["device_bytes"] / n / 2**30
        found[f"chunks {n}"] = in_chunks(scenario, devices[:n], memory)
    objective = PeakOverload() + Smoothing(1e-3)
    narrow = macjax.solve(scenario, objective, dtype="float32", devices=devices[:3])
    found["smooth float32"] = certified(scenario, narrow)
    one = scenario.subset(vehicles=scenario.vehicles["vehicle_id"].iloc[0])
    found["one vehicle"] = certified(one, macjax.solve(one))
    return found


def main() -> None:
    """The solves of one part, in one process so that programs are shared."""
    jax.monitoring.register_event_duration_secs_listener(count)
    scenario = fleet(2400, 24, 60, 9, kind="hard", seed=0)
    part = {
        "counts": functools.partial(on_each, (1, 3)),
        "further": functools.partial(on_each, (2, 8)),
        "others": of_other_kinds,
    }[sys.argv[1]]
    print(json.dumps(part(scenario, jax.devices())))


if __name__ == "__main__":
    main()
