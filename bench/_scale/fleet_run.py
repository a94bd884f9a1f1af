"""One fleet, measured from its files to the certificate, in this process.

Phases [s]: load (files to frames), validate (all rules), then two calls of
`macjax.solve` on the same scenario, of which the second finds everything compiled, and
`macjax.certify` from the raw tables. Pack and compile are the solver's own clock.

An ADMM iteration is timed by the record of the second solve: from one look at the
iterate to the next, the look included. Its bytes are counted as 24 per EV-slot (u read
and written and its limit read, in float64), whatever it really moves.
"""

import sys
import time
from pathlib import Path
from typing import Any

from _scale.process import peak_gib, plain

BYTES_PER_EV_SLOT = 24
SAY_EVERY = 10.0  # seconds between two lines of progress
COPY_BYTES = {"cpu": 1 << 28, "gpu": 1 << 31}  # size of the array that is copied


def device(options: dict) -> dict:
    """What JAX computes on, and whether that is the device that was asked for."""
    import jax

    first = jax.devices()[0]
    return {
        "status": "ok" if first.platform == options["device"] else "missing",
        "name": first.device_kind,
        "count": jax.device_count(),
    }


def make(options: dict) -> dict:
    """Draw a fleet and write its files; see `macjax.synthetic.fleet`.

    Arguments:
        options: evs, slots, slot_minutes, kind, seed and folder.
    """
    from macjax.synthetic import fleet_frames

    begin = time.perf_counter()
    frames = fleet_frames(
        options["evs"],
        options["slots"],
        options["slot_minutes"],
        kind=options["kind"],
        seed=options["seed"],
    )
    drawn = time.perf_counter()
    folder = Path(options["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    keys = {k: v for k, v in frames.items() if not hasattr(v, "columns")}
    # A quoted text in Python is one in TOML, as none of these has a quote.
    lines = [
        f'{k} = "{v}"' if isinstance(v, str) else f"{k} = {v}" for k, v in keys.items()
    ]
    (folder / "scenario.toml").write_text("\n".join(lines) + "\n", "utf-8")
    for name in frames.keys() - keys.keys():
        frames[name].to_parquet(folder / f"{name}.parquet", index=False)
    size = sum(path.stat().st_size for path in folder.iterdir())
    return plain(
        {
            "status": "made",
            "slots": frames["slots"],
            "feeders": len(frames["feeders"]),
            "stays": len(frames["stays"]),
            "trips": len(frames["trips"]),
            "make_s": drawn - begin,
            "write_s": time.perf_counter() - drawn,
            "make_peak_gib": peak_gib(),
            "files_mib": size / 2**20,
        }
    )


def load(folder: str, seconds: dict):
    """Read a scenario as `Scenario.read` does, in two steps that are timed."""
    from macjax.scenario import Scenario
    from macjax.scenario.columns import Source
    from macjax.scenario.files import read_folder
    from macjax.scenario.validate import check

    clock = time.perf_counter()
    found = read_folder(folder)
    seconds["load_s"] = time.perf_counter() - clock
    clock = time.perf_counter()
    source = Source(text_tables=found.text_tables)
    checked = check(found.keys, found.frames, source=source, found=found.faults)
    seconds["validate_s"] = time.perf_counter() - clock
    return Scenario(checked, None)


def measure(options: dict) -> dict:
    """Load, solve twice, certify.

    Arguments:
        options: folder, gap, dtype, time_limit, device and label.
    """
    import jax

    import macjax

    macjax.use_all_cores()
    record: dict = {"start_gib": peak_gib()}
    scenario = load(options["folder"], record)
    record["load_peak_gib"] = peak_gib()
    held = DeviceBytes(options["label"])
    settings: dict = dict(
        gap=options["gap"],
        dtype=options["dtype"],
        time_limit=options["time_limit"],
    )
    begin = time.perf_counter()
    solution = macjax.solve(scenario, progress=held, **settings)
    record["first_s"] = time.perf_counter() - begin
    record["first"] = of_solution(solution)
    del solution
    held.counting = False
    begin = time.perf_counter()
    solution = macjax.solve(scenario, progress=held, **settings)
    record["warm_s"] = time.perf_counter() - begin
    record["warm"] = of_solution(solution)
    record["solve_peak_gib"] = peak_gib()
    record |= device_record(held)
    begin = time.perf_counter()
    certificate = macjax.certify(scenario, solution)
    record["certify_s"] = time.perf_counter() - begin
    record["peak_gib"] = peak_gib()
    record["certificate"] = certificate.to_dict()
    record["status"] = str(solution.status)
    record["evs"], record["slots"] = len(scenario.vehicles), scenario.slots
    record["packed_bytes"] = packed_bytes(scenario, solution)
    record["copy_gb_per_s"] = copy_bandwidth(jax.default_backend()) / 1e9
    return plain(record | shares(record))


def of_solution(solution) -> dict:
    """Iterations, seconds by phase and the numbers that a solve reports."""
    history = solution.history
    by_phase = admm_time(history)
    counts = history["phase"].value_counts().to_dict() if len(history) else {}
    record = {
        "status": str(solution.status),
        "gap": solution.gap,
        "objective": solution.objective,
        "lower_bound": solution.lower_bound,
        "iterations": int(solution.iterations),
        "looks": counts,
        "seconds": dict(solution.seconds),
        "admm_iterations": by_phase[0],
        "admm_s_per_iteration": by_phase[1],
        "dtype": solution.settings.get("dtype"),
        "padding_share": solution.settings.get("padding_share"),
    }
    # Passes over the fleet, where the solver counts them.
    if "passes" in history:
        record["passes"] = int(history["passes"].iloc[-1])
    return record


def admm_time(history) -> tuple[int, float | None]:
    """ADMM iterations between looks, and seconds for each of them, looks included."""
    steps, spent = history["iteration"].diff(), history["seconds"].diff()
    rows = (history["phase"] == "admm") & (steps > 0)
    iterations = int(steps[rows].sum())
    return iterations, float(spent[rows].sum()) / iterations if iterations else None


class DeviceBytes:
    """Progress of a solve: says how it goes, and counts the bytes JAX holds.

    Arguments:
        label: what is being solved.
    """

    def __init__(self, label: str):
        self.label, self.most, self.counting = label, 0, True
        self.said = time.monotonic()

    def __call__(self, look: dict) -> None:
        if self.counting:
            import jax

            held = sum(x.nbytes for x in jax.live_arrays())
            self.most = max(self.most, held)
        now = time.monotonic()
        if now - self.said >= SAY_EVERY:
            self.said = now
            print(
                f"    {self.label}: iteration {look['iteration']} ({look['phase']}), "
                f"gap {look['gap']:.1e}, {look['seconds']:.0f} s",
                file=sys.stderr,
                flush=True,
            )


def device_record(held: DeviceBytes) -> dict:
    """The device, and the memory that the solves took there."""
    import jax

    device = jax.devices()[0]
    stats = device.memory_stats() or {}
    peak = stats.get("peak_bytes_in_use")
    return {
        "device": device.device_kind,
        "platform": device.platform,
        "devices": jax.device_count(),
        # A CPU has no allocator that counts: what JAX holds between two steps then.
        "device_peak_gib": None if peak is None else peak / 2**30,
        "device_held_gib": held.most / 2**30,
    }


def packed_bytes(scenario, solution) -> int:
    """Size of the packed fleet on the device [bytes]: what the solver says, if it does.

    Else the fleet is packed once more, on the host.
    """
    told = solution.settings.get("packed_bytes")
    if told is not None:
        return int(told)
    import jax
    import numpy as np

    from macjax.fleet.packing import pack

    dtype: Any = np.dtype(solution.settings["dtype"])
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        fleet = pack(scenario, dtype=dtype)
    leaves = jax.tree.leaves(list(vars(fleet).values()))
    return sum(x.nbytes for x in leaves if isinstance(x, jax.Array))


def copy_bandwidth(backend: str, repeats: int = 7) -> float:
    """Bytes per second of a large jitted copy, reads and writes counted; the best."""
    import jax
    import jax.numpy as jnp

    count = COPY_BYTES["cpu" if backend == "cpu" else "gpu"] // 4
    # Adding one reads and writes every entry; a plain copy might be left out.
    copy = jax.jit(lambda x: x + 1)
    x = jnp.zeros(count, jnp.float32)
    copy(x).block_until_ready()
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        copy(x).block_until_ready()
        best = min(best, time.perf_counter() - begin)
    return 2 * 4 * count / best


def shares(record: dict) -> dict:
    """Time per iteration, and bytes it moves as shares of the copy bandwidth."""
    warm = record["warm"]
    ev_slots = record["evs"] * record["slots"]
    per_iteration = warm["admm_s_per_iteration"]
    found = {
        "ev_slots": ev_slots,
        "s_per_iteration": warm["seconds"].get("solve", 0.0)
        / max(warm["iterations"], 1),
        "admm_s_per_iteration": per_iteration,
    }
    if per_iteration:
        full = record["copy_gb_per_s"] * 1e9 * per_iteration
        found["copy_share_24"] = BYTES_PER_EV_SLOT * ev_slots / full
        found["copy_share_packed"] = record["packed_bytes"] / full
    return found
