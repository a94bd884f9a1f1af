"""A fixed suite of fleets of different kinds, to compare the solver with itself.

    python bench/suite.py                                # bench/results/suite.json
    python bench/suite.py --out after.json --against before.json
    python bench/suite.py --only 'hard*' --gaps 1e-3

Every instance runs in a process of its own, once for each gap, twice in a row: `first`
compiles, `warm` does not. Recorded are the iterations, those of ADMM among them, the
looks (objective and bound evaluated), the passes over the fleet where the solver
counts them, seconds, and the gap that `macjax.certify` grants from outside. A Markdown
table goes beside the JSON file. With `--against` the table has the ratio of warm
seconds and iterations, after over before.
"""

import argparse
import fnmatch
import json
import sys
import time
from pathlib import Path

import numpy as np
from _scale import report
from _scale.options import gaps, positive, record_file
from _scale.process import (
    environment,
    find_device,
    peak_gib,
    plain,
    run_part,
    tell,
    write_json,
)

RESULTS = Path(__file__).resolve().parent / "results"
# name: kind, EVs, slots, slot length [min], seed
INSTANCES = {
    "easy": ("easy", 3000, 168, 60, 0),
    "hard": ("hard", 3000, 168, 60, 0),
    "hard_large": ("hard", 10_000, 168, 60, 0),
    "tight": ("tight", 2000, 168, 60, 0),
    "loose": ("loose", 2000, 168, 60, 0),
    "slack": ("slack", 2000, 168, 60, 0),
    "few_large": ("few_large", 5000, 168, 60, 0),
    "many_small": ("many_small", 2000, 168, 60, 0),
    "long": ("long", 500, 672, 60, 0),
    "quarter_hour": ("hard", 1000, 672, 15, 0),
}
QUICK = {
    "quick_hard": ("hard", 150, 48, 60, 0),
    "quick_slack": ("slack", 60, 24, 60, 0),
}
COLUMNS = (
    ("instance", "instance", "{}"),
    ("EVs", "evs", "{:,.0f}"),
    ("slots", "slots", "{}"),
    ("gap asked", "gap_asked", "{:.0e}"),
    ("status", "status", "{}"),
    ("certified", "gap", "{:.1e}"),
    ("it.", "iterations", "{}"),
    ("ADMM", "admm_iterations", "{}"),
    ("looks", "looks", "{}"),
    ("passes", "passes", "{}"),
    ("first s", "first_s", "{:.1f}"),
    ("compile s", "compile_s", "{:.1f}"),
    ("warm s", "warm_s", "{:.2f}"),
    ("GiB", "peak_gib", "{:.2f}"),
)
RATIOS = (
    ("s / before", "seconds_ratio", "{:.2f}"),
    ("it. / before", "iterations_ratio", "{:.2f}"),
)


def solve_twice(options: dict) -> dict:
    """Draw an instance, solve it twice to a gap, certify."""
    from _scale.fleet_run import of_solution

    import macjax
    from macjax.synthetic import fleet

    macjax.use_all_cores()
    kind, evs, slots, minutes, seed = options["instance"]
    scenario = fleet(evs, slots, minutes, kind=kind, seed=seed)
    settings: dict = dict(
        gap=options["gap"],
        dtype=options["dtype"],
        time_limit=options["time_limit"],
        progress=False,
    )
    seconds, solutions = [], []
    for _ in range(2):
        begin = time.perf_counter()
        solutions.append(macjax.solve(scenario, **settings))
        seconds.append(time.perf_counter() - begin)
    peak = peak_gib()
    warm, certificate = (
        of_solution(solutions[1]),
        macjax.certify(scenario, solutions[1]),
    )
    return plain(
        {
            "fingerprint": scenario.fingerprint,
            "evs": evs,
            "slots": slots,
            "status": warm["status"],
            "gap": certificate.gap,
            "feasible": certificate.feasible,
            "objective": certificate.objective,
            "lower_bound": certificate.lower_bound,
            "iterations": warm["iterations"],
            "admm_iterations": warm["admm_iterations"],
            "admm_s_per_iteration": warm["admm_s_per_iteration"],
            "looks": sum(warm["looks"].values()),
            "passes": warm.get("passes"),
            "first_s": seconds[0],
            "compile_s": solutions[0].seconds.get("compile"),
            "warm_s": seconds[1],
            "phases": warm["seconds"],
            "dtype": warm["dtype"],
            "peak_gib": peak,
        }
    )


def compared(rows: list[dict], before: dict) -> list[dict]:
    """Rows with the ratios to an earlier record of the same instances."""
    earlier = {(r["instance"], r["gap_asked"]): r for r in before["rows"]}
    found = []
    for row in rows:
        old = earlier.get((row["instance"], row["gap_asked"]), {})
        same = old.get("fingerprint") == row.get("fingerprint") is not None
        row = dict(row)
        for name, of in (
            ("seconds_ratio", "warm_s"),
            ("iterations_ratio", "iterations"),
        ):
            if same and old.get(of) and row.get(of):
                row[name] = row[of] / old[of]
        found.append(row)
    return found


def geometric_mean(rows: list[dict], name: str) -> float | None:
    """Geometric mean of the positive values of a column, None if there is none."""
    values = [row[name] for row in rows if row.get(name)]
    return float(np.exp(np.mean(np.log(values)))) if values else None


def summary(rows: list[dict], before: dict | None) -> str:
    """The table, and the mean ratios if there is something to compare with."""
    if before is None:
        return report.table(rows, COLUMNS)
    rows = compared(rows, before)
    text = report.table(rows, COLUMNS + RATIOS)
    for name, _, _ in RATIOS:
        column = dict((c[0], c[1]) for c in RATIOS)[name]
        mean = geometric_mean(rows, column)
        if mean is not None:
            text += f"\n\ngeometric mean of {name}: {mean:.3f}"
    return text


def is_good(row: dict) -> bool:
    """Whether the certificate grants the gap that was asked."""
    gap = row.get("gap")
    return bool(row.get("feasible")) and gap is not None and gap <= row["gap_asked"]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", metavar="PATTERN", help="instances whose name fits")
    parser.add_argument("--quick", action="store_true", help="two tiny instances")
    parser.add_argument("--gaps", type=gaps, default=[1e-3, 1e-4], help="with commas")
    parser.add_argument("--dtype", choices=("float64", "float32"))
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--time-limit", type=positive, default=600.0, metavar="S")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--against", type=Path, help="an earlier JSON file")
    parser.add_argument("--no-save", action="store_true", help="print only")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> list[dict]:
    """All instances at all gaps, written after each."""
    chosen = QUICK if options.quick else INSTANCES
    chosen = {
        k: v for k, v in chosen.items() if fnmatch.fnmatch(k, options.only or "*")
    }
    if not chosen:
        raise SystemExit(
            f"--only {options.only} fits no instance: {', '.join(INSTANCES)}"
        )
    out = None if options.no_save else record_file(options.out, "suite.json")
    before = None
    if options.against:
        before = json.loads(options.against.read_text("utf-8"))
    settings = {"device": options.device, "dtype": options.dtype}
    settings["time_limit"] = options.time_limit
    here = environment() | {"device": find_device(__file__, options.device)}
    record = {"settings": settings, "environment": here, "rows": []}
    for name, instance in chosen.items():
        for gap in options.gaps:
            tell(f"{name}, gap {gap:g}")
            given = settings | {"instance": instance, "gap": gap}
            row = run_part(__file__, "solve", given)
            record["rows"].append({"instance": name, "gap_asked": gap} | row)
            if out:
                write_json(out, record)
                text = summary(record["rows"], before) + "\n"
                out.with_suffix(".md").write_text(text, "utf-8")
    print(summary(record["rows"], before))
    return record["rows"]


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 if every gap is certified."""
    options = parse(arguments)
    if options.part:
        from _scale.fleet_run import device

        part = device if options.part[0] == "device" else solve_twice
        print(json.dumps(part(json.loads(options.part[1]))))
        return 0
    return 0 if all(map(is_good, run(options))) else 1


if __name__ == "__main__":
    sys.exit(main())
