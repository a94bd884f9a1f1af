"""Accuracy: what `macjax.solve` certifies, against the optimum that HiGHS finds.

    python bench/accuracy.py                  # all; writes bench/results/accuracy.json
    python bench/accuracy.py --quick          # the smallest few, a smoke run
    python bench/accuracy.py --only 'hard*'   # by name; other results are kept
    python bench/accuracy.py --no-highs       # only optima that are in the file already
    python bench/accuracy.py --highs-only     # find the optima that are not, and stop

Instances: the bundled scenario, a fleet whose optimum is zero, 22 random fleets of 100
to 3,000 EVs over 24 to 336 slots, and hard fleets (a few 50 kW stays that force a peak
in one slot, costs that differ by feeder) at gaps 1e-3 and 1e-4. Each case runs in a
process of its own, so `seconds` is what a user waits, compilation included; the import
is not counted.

Checked for every case, U being the objective of unmanaged charging:
    status is solved,
    objective - lower_bound <= gap * (|objective| + 0.01 U),
    optimum - lower_bound >= 0 and 0 <= objective - optimum <= the same right side,
    every vehicle feasible to 1e-6 kWh in float64, 1e-3 kWh in float32,
where optimum is HiGHS's, found on the LP in compact form (tests/oracles.py), and
comparisons with it allow for 1e-6 of the same scale. Objective, bound and violation
are those of `macjax.certify`, recomputed from the tables in float64.
"""

import argparse
import dataclasses
import fnmatch
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from _scale.process import environment

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results" / "accuracy.json"
VIOLATION_KWH = {"float64": 1e-6, "float32": 1e-3}
HIGHS_SHARE = 1e-6  # of the scale: how far HiGHS's own tolerances move its optimum


@dataclasses.dataclass(frozen=True)
class Case:
    """One fleet, one gap, one dtype; `kind` is a kind of `synthetic.fleet`."""

    name: str
    kind: str
    evs: int = 0
    slots: int = 168
    slot_minutes: int = 60
    seed: int = 0
    gap: float = 1e-3
    dtype: str = "float64"

    @property
    def key(self) -> str:
        """Name, gap and dtype: what tells one result from another."""
        return f"{self.name} {self.gap:.0e} {self.dtype}"


def random_cases() -> list[Case]:
    """22 fleets of all kinds, sizes log-uniform, at most 400,000 EV-slots each."""
    rng = np.random.default_rng(2026)
    kinds = ("easy", "hard", "tight", "loose", "few_large", "many_small", "random")
    horizons = (24, 48, 72, 96, 120, 168, 240, 336)
    ends = [(100, 24), (3000, 24), (100, 336), (1200, 336)]
    cases = []
    for i in range(22):
        slots = int(rng.choice(horizons))
        evs = int(round(np.exp(rng.uniform(np.log(100), np.log(3000))), -1))
        minutes = int(rng.choice((60, 60, 30, 15)))
        evs = min(evs, 400_000 // slots)
        if i < len(ends):
            evs, slots = ends[i]
        kind = kinds[i % len(kinds)]
        name = f"{kind}_{evs}x{slots}" + ("" if minutes == 60 else f"_{minutes}min")
        cases.append(Case(name, kind, evs, slots, minutes, seed=i))
    return cases


def all_cases() -> list[Case]:
    """Every case of the table."""
    hard = [
        Case("hard_1000x168", "hard", 1000, 168),
        Case("hard_1000x168_b", "hard", 1000, 168, seed=1),
        Case("hard_3000x168", "hard", 3000, 168),
        Case("hard_3000x168_b", "hard", 3000, 168, seed=1),
        Case("hard_1000x672_15min", "hard", 1000, 672, 15),
        Case("hard_1000x672_15min_b", "hard", 1000, 672, 15, seed=1),
    ]
    hard = [dataclasses.replace(c, gap=g) for c in hard for g in (1e-3, 1e-4)]
    single = [
        dataclasses.replace(c, dtype="float32")
        for c in (Case("example", "example"), hard[0], hard[4])
    ]
    zero = Case("slack_500x168", "slack", 500, 168)
    return [Case("example", "example"), zero, *random_cases(), *hard, *single]


def quick_cases() -> list[Case]:
    """A smoke run: a minute or so."""
    return [
        Case("quick_easy_100x48", "easy", 100, 48),
        Case("quick_hard_150x48", "hard", 150, 48),
        Case("quick_random_100", "random", 100, 24, 30),
        Case("quick_hard_150x48", "hard", 150, 48, gap=1e-4),
    ]


def build(case: Case):
    """The scenario of a case."""
    from macjax.examples import example
    from macjax.synthetic import fleet

    if case.kind == "example":
        return example()
    return fleet(
        case.evs, case.slots, case.slot_minutes, kind=case.kind, seed=case.seed
    )


def run_case(case: Case) -> dict:
    """Solve and certify one case; JSON-ready figures."""
    import jax

    import macjax

    macjax.use_all_cores()
    scenario = build(case)
    begin = time.perf_counter()
    solution = macjax.solve(scenario, gap=case.gap, dtype=np.dtype(case.dtype))
    seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    certificate = macjax.certify(scenario, solution)
    phases = {k: round(float(v), 3) for k, v in dict(solution.seconds).items()}
    return {
        "evs": len(scenario.vehicles),
        "feeders": len(scenario.feeders),
        "slots": scenario.slots,
        "slot_minutes": scenario.slot_minutes,
        "fingerprint": scenario.fingerprint,
        "status": str(solution.status),
        "iterations": int(solution.iterations),
        "seconds": round(seconds, 2),
        "phases": phases,
        "certify_seconds": round(time.perf_counter() - begin, 2),
        "objective": float(certificate.objective),
        "lower_bound": float(certificate.lower_bound),
        "gap_reached": float(certificate.gap),
        "unmanaged": float(certificate.unmanaged_objective),
        "violation_kwh": float(certificate.max_violation_kwh),
        "reported": [float(solution.objective), float(solution.lower_bound)],
        "device": str(jax.devices()[0]),
    }


def run_highs(case: Case, time_limit: float) -> dict:
    """The optimum by HiGHS: simplex for small fleets, interior point for others."""
    sys.path.insert(0, str(ROOT / "tests"))
    import oracles

    scenario = build(case)
    size = oracles.convert(scenario).most.size
    method = "simplex" if size < 60_000 else "ipm"
    answer = oracles.solve_lp(scenario, method=method, time_limit=time_limit)
    return {
        "name": case.name,
        "fingerprint": scenario.fingerprint,
        "optimum": answer.optimum if answer.status == "Optimal" else None,
        "status": answer.status,
        "seconds": round(answer.seconds, 2),
        "method": method,
        "opportunities": int(size),
    }


def faults(case: Case, row: dict, optimum: float | None) -> list[str]:
    """What does not hold, in words; empty if all does."""
    scale = abs(row["objective"]) + 0.01 * abs(row["unmanaged"])
    allowed = case.gap * scale * (1 + 1e-9)
    slack = HIGHS_SHARE * (scale + 1e-9)
    found = []
    if row["status"] != "solved":
        found.append(f"status {row['status']}")
    if not row["objective"] - row["lower_bound"] <= allowed:
        found.append("gap")
    if not row["violation_kwh"] <= VIOLATION_KWH[case.dtype]:
        found.append("infeasible")
    ours = np.array([row["objective"], row["lower_bound"]])
    if not np.allclose(row["reported"], ours, rtol=1e-9, atol=1e-9 * (1 + scale)):
        found.append("reported numbers differ from the certificate")
    if optimum is not None:
        if not row["lower_bound"] <= optimum + slack:
            found.append("bound above the optimum")
        # a violation of the tube lets the objective fall below the optimum a little
        free = slack if case.dtype == "float64" else allowed
        if not -free <= row["objective"] - optimum <= allowed + slack:
            found.append("objective not within the gap of the optimum")
    return found


def in_own_process(part: str, case: Case, time_limit: float) -> dict:
    """Run one part of a case in a new interpreter and read its figures."""
    text = json.dumps(dataclasses.asdict(case))
    command = [sys.executable, __file__, "--part", part, text]
    command += ["--highs-limit", str(time_limit)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return {"status": f"{part} failed with code {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def read_results() -> dict[str, dict]:
    """Earlier results: `cases` by key, HiGHS's `optima` by fingerprint of the input."""
    if not RESULTS.exists():
        return {"cases": {}, "optima": {}}
    return json.loads(RESULTS.read_text("utf-8"))


def write_results(results: dict[str, dict]) -> None:
    """Write all results at once, by way of a file beside."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    beside = RESULTS.with_suffix(".tmp")
    beside.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", "utf-8")
    os.replace(beside, RESULTS)


HEADER = (
    f"{'case':<34}{'EVs':>6}{'slots':>6}  {'status':<16}{'objective':>14}"
    f"{'bound':>14}{'gap':>9}{'to opt.':>9}{'kWh':>9}{'s':>7}{'it.':>7}{'HiGHS s':>9}"
)


def line(case: Case, row: dict, optimum: dict) -> str:
    """One line of the table; 'to opt.' is (objective - optimum) on the gap's scale."""
    if "objective" not in row:
        return f"{case.key:<34}  {row['status']}"
    best, scale = optimum.get("optimum"), abs(row["objective"])
    scale = scale + 0.01 * abs(row["unmanaged"])
    off = None if best is None else (row["objective"] - best) / (scale or 1.0)
    return (
        f"{case.key:<34}{row['evs']:>6}{row['slots']:>6}  {row['status']:<16}"
        f"{row['objective']:>14.4f}{row['lower_bound']:>14.4f}"
        f"{row['gap_reached']:>9.1e}{'-' if off is None else f'{off:.1e}':>9}"
        f"{row['violation_kwh']:>9.1e}{row['seconds']:>7.1f}{row['iterations']:>7}"
        f"{optimum.get('seconds', '-'):>9}"
        + ("" if row["ok"] else "  WRONG: " + "; ".join(row["faults"]))
    )


def find_optimum(case: Case, optima: dict, highs: bool, limit: float) -> dict:
    """HiGHS's answer for a case, from `optima` if there, else found and kept there."""
    fingerprint = build(case).fingerprint
    known = optima.get(fingerprint)
    if known is None and highs:
        known = in_own_process("highs", case, limit)
        optima[fingerprint] = known
    return known or {}


def run_all(cases: list[Case], highs: bool, limit: float, save: bool) -> int:
    """Run the cases one after the other; 0 if everything holds."""
    results, here, bad = read_results(), environment(), 0
    print(HEADER)
    for case in cases:
        row = in_own_process("solve", case, limit)
        optimum = find_optimum(case, results["optima"], highs, limit)
        row["optimum"] = optimum.get("optimum")
        if "objective" in row:
            row["faults"] = faults(case, row, row["optimum"])
        else:
            row["faults"] = [row["status"]]
        row["ok"] = not row["faults"]
        row |= {"gap": case.gap, "dtype": case.dtype, "environment": here}
        bad += not row["ok"]
        print(line(case, row, optimum), flush=True)
        results["cases"][case.key] = row
        if save:
            write_results(results)
    print(f"{len(cases) - bad} of {len(cases)} hold")
    return 1 if bad else 0


def find_all_optima(cases: list[Case], limit: float) -> int:
    """Fill in the optima that are not in the results file yet."""
    for case in cases:
        results = read_results()
        found = find_optimum(case, results["optima"], True, limit)
        print(case.name, json.dumps(found), flush=True)
        write_results(results)
    return 0


def main() -> int:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the smallest few")
    parser.add_argument("--only", metavar="PATTERN", help="cases whose name matches")
    parser.add_argument("--gap", type=float, help="only cases with this gap")
    parser.add_argument("--no-highs", action="store_true", help="no new optima")
    parser.add_argument("--highs-only", action="store_true", help="only optima")
    parser.add_argument("--highs-limit", type=float, default=300.0, metavar="S")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument("--no-save", action="store_true", help="leave the results file")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        case = Case(**json.loads(options.part[1]))
        if options.part[0] == "solve":
            print(json.dumps(run_case(case)))
        else:
            print(json.dumps(run_highs(case, options.highs_limit)))
        return 0
    cases = quick_cases() if options.quick else all_cases()
    if options.only:
        cases = [c for c in cases if fnmatch.fnmatch(c.name, options.only)]
    if options.gap:
        cases = [c for c in cases if np.isclose(c.gap, options.gap)]
    if options.list:
        print("\n".join(c.key for c in cases))
        return 0
    if options.highs_only:
        return find_all_optima(cases, options.highs_limit)
    save = not (options.quick or options.no_save)
    return run_all(cases, not options.no_highs, options.highs_limit, save)


if __name__ == "__main__":
    sys.exit(main())
