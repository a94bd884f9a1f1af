"""Robust tariffs: seconds of the case study, and the search for the published level.

    python bench/tariffs.py            # times; writes bench/results/tariffs.json
    python bench/tariffs.py --search   # also the search, in tariff_search.csv beside it

Times are of one process after one solve has loaded all packages: building and solving
the operator's problem (Clarabel) and the two aggregators' problems, 10,000 draws, the
first-order method (after compilation, and with it), the least of some repetitions.

The search varies what the article does not print. Stage 1 tries all combinations of
load, PV, arrival SOC, consumption, and the value of time; stage 2 varies uncertainty
and places around the nearest of them. All runs are in the table with their distance
(see `macjax.tariffs.search`); it is calibration, no evidence for any of these values.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _scale.process import environment, write_json

from macjax import tariffs

ROOT = Path(__file__).resolve().parent.parent
CASE = ROOT / "configs" / "tariff_case.toml"
PUBLISHED = ROOT / "configs" / "tariff_case" / "published_tariffs.csv"
COSTS = (4537.4, 5846.2)
RESULTS = ROOT / "bench" / "results"
FIRST = {
    "grid.load_factor": [1.0, 2.0, 4.0],
    "grid.renewable_factor": [0.0, 1.0],
    "fleet.soc_arrival": [0.2, 0.25, 0.3],
    "fleet.consumption_per_step": [0.02, 0.03],
    "costs.time_per_ev_hour": [0.01, 0.02],
}
SECOND = {"uncertainty": [0.05, 0.1, 0.2], "transport.places": [np.inf, 400.0, 200.0]}
REPEATS = 5


def least(run) -> tuple[float, object]:
    """Least seconds of some repetitions, and the last result."""
    seconds, found = [], None
    for _ in range(REPEATS):
        began = time.perf_counter()
        found = run()
        seconds.append(time.perf_counter() - began)
    return min(seconds), found


def times(case) -> dict:
    """Seconds of each part of the case study."""
    record = {}
    for gamma in (0.0, 1.0):
        tariffs.solve_operator(case, gamma)
        seconds, operator = least(lambda g=gamma: tariffs.solve_operator(case, g))
        record[f"operator, gamma {gamma:g}"] = seconds
    record["aggregators"], _ = least(lambda: tariffs.solve_aggregators(case, operator))
    tariffs.sample_violations(case, operator)
    record["10,000 draws"], _ = least(lambda: tariffs.sample_violations(case, operator))
    record["reading the case"], _ = least(lambda: tariffs.Case.read(CASE))
    for name in ("first order, compiled anew", "first order"):
        began = time.perf_counter()
        found = tariffs.solve_operator(case, 1.0, method="first_order")
        record[name] = time.perf_counter() - began
    record["first order, iterations"] = found.iterations
    record["first order, cost above"] = found.cost / operator.cost - 1.0
    gap = (found.powers["kw"] - operator.powers["kw"]).abs().max()
    record["first order, largest difference of powers [kW]"] = float(gap)
    gap = (found.tariffs["tariff"] - operator.tariffs["tariff"]).abs().max()
    record["first order, largest difference of tariffs"] = float(gap)
    return record


def find(case) -> pd.DataFrame:
    """Both stages of the search, nearest first."""
    published = pd.read_csv(PUBLISHED)
    first = tariffs.search(case, FIRST, COSTS, published, progress=print)
    around = case.changed({k: float(v) for k, v in first.nearest.items()})
    second = tariffs.search(around, SECOND, COSTS, published, progress=print)
    runs = second.runs.assign(**first.nearest)
    runs = pd.concat([first.runs.assign(stage=1), runs.assign(stage=2)])
    return runs.sort_values("distance", ignore_index=True)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--search", action="store_true", help="also the search")
    given = parser.parse_args()
    case = tariffs.Case.read(CASE)
    record = {
        **environment(),
        "seconds": times(case),
    }
    print(json.dumps(record, indent=2))
    write_json(RESULTS / "tariffs.json", record)
    if given.search:
        runs = find(case)
        print(runs.head(10).to_string())
        runs.round(6).to_csv(RESULTS / "tariff_search.csv", index=False)


if __name__ == "__main__":
    main()
