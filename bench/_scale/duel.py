"""The peers on one fleet: attempts, the certificate's word on each, and what counts.

A peer is run with one tolerance after the other until its answer certifies the gap
that is wanted; every attempt has the whole time limit. What counts is the time of the
attempt that certifies, not the sum. All attempts are in the record.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from _scale import lp, peers
from _scale.fleet_run import load
from _scale.process import run_part, tell

START_S = 600.0  # beyond the limit, for a peer's process to read the LP and to compile


def duel(script: str, options: dict) -> list[dict]:
    """Let the peers solve the fleet in a folder.

    Arguments:
        script: the script whose part "peer" runs one attempt.
        options: folder, peers, gap, device, peer_time_limit [s] and label.

    Returns:
        One record for each peer: status, attempts, certified, and of the attempt that
        counts seconds, gap and peak_gib.
    """
    begin = time.perf_counter()
    scenario = load(options["folder"], {})
    problem = lp.build(scenario)
    rows, columns = problem.matrix.shape
    size = {
        "build_s": time.perf_counter() - begin,
        "rows": rows,
        "columns": columns,
        "nonzeros": problem.matrix.nnz,
    }
    records = []
    with tempfile.TemporaryDirectory() as folder:
        problem.write(Path(folder) / "lp.npz")
        for peer in options["peers"]:
            if not peers.is_installed(peer):
                records.append({"peer": peer, "status": "not installed"})
                continue
            tell(f"{options['label']}: {peer}")
            attempts = _attempts(script, scenario, problem, folder, peer, options)
            best = min(attempts, key=_order)
            records.append({"peer": peer, "lp": size, "attempts": attempts} | best)
    return records


def _order(attempt: dict):
    """Attempts that certify first, then by gap."""
    gap = attempt.get("gap")
    return not attempt["certified"], np.inf if gap is None else gap


def _attempts(script, scenario, problem, folder, peer, options) -> list[dict]:
    """Run a peer until it certifies, cannot go on, or has no tolerance left."""
    limit, attempts = options["peer_time_limit"], []
    answer = Path(folder) / "answer.npz"
    for tolerance in peers.tolerances(peer, options["gap"]):
        answer.unlink(missing_ok=True)
        given = {
            "peer": peer,
            "lp": str(Path(folder) / "lp.npz"),
            "answer": str(answer),
            "tolerance": tolerance,
            "limit": limit,
            "device": options["device"],
        }
        found = run_part(script, "peer", given, limit + START_S)
        found |= {"tolerance": tolerance, "limit_s": limit, "certified": False}
        if answer.exists():
            with np.load(answer) as file:
                worth = lp.judge(scenario, problem, file["x"], file["price"])
            found |= worth
            good = worth["feasible"] and worth["gap"] is not None
            found["certified"] = bool(good and worth["gap"] <= options["gap"])
        attempts.append(found)
        finished = answer.exists() and found["seconds"] < limit
        if found["certified"] or not finished:
            break
    return attempts
