"""What a certificate found, in words: what is violated, by whom, and why.

One line each, the verdict first. Only words are made here; every number comes from
the certificate.
"""

import math

import numpy as np
import pandas as pd

RULE_TEXTS = {
    "finite": "power that is not a number",
    "stay": "charging outside every stay with a charger",
    "power": "more power than the charger has, or less than 0",
    "reserve": "SOC below reserve_kwh",
    "battery": "SOC above battery_kwh",
    "final": "SOC below final_kwh at the end of the horizon",
    "session": "a stay that misses its target of per-session recovery",
    "dropped": "charging of vehicles that are left out (on_infeasible='drop')",
}


def verdict_line(certificate) -> str:
    """Whether the schedule is feasible, in one line."""
    word = "feasible" if certificate.feasible else "NOT feasible"
    worst = f"largest violation {certificate.max_violation_kwh:.3g} kWh"
    if certificate.worst_vehicle is not None:
        worst += f" (vehicle {certificate.worst_vehicle})"
    count = certificate.violations["vehicle_id"].nunique()
    more = f", {count} vehicle{_s(count)} in violation" if count else ""
    return f"{word}: {worst}{more}"


def violation_lines(violations: pd.DataFrame) -> list[str]:
    """One line for each broken rule: how many vehicles, and the worst of them.

    Arguments:
        violations: frame with vehicle_id, rule, kwh, largest first.
    """
    lines = []
    for rule, mine in violations.groupby("rule", sort=False):
        first, count = mine.iloc[0], len(mine)
        worst = f"most {first['kwh']:.4g} kWh (vehicle {first['vehicle_id']})"
        text = RULE_TEXTS.get(str(rule), str(rule))
        lines.append(f"  {rule}: {text}; {count} vehicle{_s(count)}, {worst}")
    return lines


def infeasible_line(infeasible: pd.DataFrame, policy: str) -> str:
    """Who cannot make the trips even at full power, and what the policy makes of it."""
    first, count = infeasible.iloc[0], len(infeasible)
    missing = f"{first['missing_kwh']:.4g} kWh missing"
    asked = {
        "error": "no schedule is feasible for them",
        "drop": "they are left out",
        "relax": "only what full power reaches is asked of them",
    }
    return (
        f"{count} vehicle{_s(count)} cannot make their trips at full power, "
        f"{asked[policy]}; first {first['vehicle_id']}, {missing}"
    )


def origin_lines(solution, feasible: bool, own_start: bool, given_prices) -> list[str]:
    """Why a simulated schedule is judged as it is: its start, its aim, its bound.

    Arguments:
        solution: the `Solution` whose schedule it is.
        feasible: the verdict.
        own_start: whether it starts from other SOC than initial_kwh.
        given_prices: whether there are prices, its own or others.
    """
    lines, method = [], getattr(solution, "method", "solution")
    if own_start:
        lines.append(
            f"start: '{method}' starts the horizon at SOC of its own (`initial_kwh` of "
            "the solution), not at initial_kwh of the vehicles table; feasibility and "
            "bound are those of this start"
        )
    if str(getattr(solution, "status", "")) != "simulated":
        return lines
    if not feasible:
        stranded = len(getattr(solution, "stranded", ()))
        lines.append(
            f"why: '{method}' is simulated; nobody plans for reserve or final SOC in "
            f"it. `.stranded` of the solution lists {stranded} vehicle{_s(stranded)}"
        )
    if not given_prices:
        lines.append(
            f"bound: '{method}' is simulated and has no prices, so it proves no bound; "
            "the one below holds without any prices"
        )
    return lines


def no_schedule_lines(solution, ray_excess_kw: float) -> list[str]:
    """Why there is no schedule to judge, and whether its absence is proved."""
    if solution is None:
        return ["no schedule: none was given; the bound holds for every schedule"]
    status = str(getattr(solution, "status", "unknown"))
    if status != "infeasible":
        return [
            f"no schedule: the solution has none, it ended with status '{status}'; "
            "the bound holds for every schedule"
        ]
    head = "no schedule: the solution has status 'infeasible'"
    if math.isnan(ray_excess_kw):
        return [f"{head} but no dual ray, so nothing proves it"]
    if ray_excess_kw > 0:
        return [
            f"{head}, and its dual ray proves it: recomputed from the tables, weighted "
            f"by the ray, every schedule passes the hard limits by {ray_excess_kw:.4g} "
            "kW or more on average"
        ]
    return [
        f"{head}, but its dual ray does NOT prove it: recomputed from the tables it "
        f"leaves {-ray_excess_kw:.4g} kW of room"
    ]


def rule_counts(violations: pd.DataFrame) -> dict[str, int]:
    """How many vehicles break each rule."""
    names, counts = np.unique(violations["rule"].to_numpy(str), return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _s(count: int) -> str:
    return "" if count == 1 else "s"
