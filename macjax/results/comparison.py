"""The planner's table: one row a solution, what it needs and what it avoids."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from macjax._errors import SettingsError

COLUMNS = (
    "method",
    "status",
    "feeders",
    "feeders_overloaded",
    "upgrade_kw",
    "upgrade_cost",
    "avoided_kw",
    "avoided_percent",
    "energy_kwh",
    "stranded",
    "infeasible",
    "dropped",
    "objective",
    "lower_bound",
    "gap",
    "seconds",
    "avoidable_cost_at_most",
)
AVOIDED = ("avoided_kw", "avoided_percent", "avoided_cost", "avoidable_cost_at_most")


def compare(
    solutions: Iterable,
    baseline: str | None = "unmanaged",
    allow_different: bool = False,
) -> pd.DataFrame:
    """Solutions side by side, in the order given.

        avoided_kw      = upgrade_kw of the baseline - upgrade_kw of the row
        avoided_percent = 100 avoided_kw / upgrade_kw of the baseline

    Arguments:
        solutions: `Solution`s of the same scenario.
        baseline: the method that the others are measured against, the first row of it;
            None or a method that is not there: nothing is avoided (NaN).
        allow_different: accept solutions of different scenarios; those of another
            scenario than the baseline's avoid NaN.

    Returns:
        method, status, feeders, feeders_overloaded, upgrade_kw, upgrade_cost,
        avoided_kw, avoided_percent, energy_kwh, stranded, infeasible, dropped,
        objective, lower_bound, gap, seconds; money in the scenario's currency, energy
        from the grid, weighted. Last
        avoidable_cost_at_most: where the objective is the upgrade cost, the baseline's
        upgrade cost less the row's lower bound: no schedule of the row's set avoids
        more.
    """
    solutions = _solutions(solutions)
    prints = [s.scenario.fingerprint for s in solutions]
    if len(set(prints)) > 1 and not allow_different:
        names = dict(zip(prints, (s.scenario.name for s in solutions), strict=True))
        shown = ", ".join(f"'{name}' ({key[:8]})" for key, name in names.items())
        raise SettingsError(
            f"the solutions are of {len(names)} different scenarios: {shown}; compare "
            "those of one, or give allow_different=True"
        )
    rows = compare_rows([comparison_row(s) for s in solutions], baseline)
    return pd.DataFrame({c: [row[c] for row in rows] for c in COLUMNS})


def comparison_row(solution) -> dict:
    """The numbers of one solution, and the fingerprint of its scenario."""
    return solution.summary().to_dict() | {"scenario": solution.scenario.fingerprint}


def compare_rows(rows: Iterable[dict], baseline: str | None = "unmanaged") -> list:
    """Rows of `comparison_row` with what each avoids of the baseline; see `compare`."""
    rows = list(rows)
    against = next((r for r in rows if r["method"] == baseline), None)
    comparable = [against and r["scenario"] == against["scenario"] for r in rows]
    return [
        row | _avoided(row, against if same else None)
        for row, same in zip(rows, comparable, strict=True)
    ]


def _solutions(given) -> list:
    """The solutions as a list, or a SettingsError that says what was given instead."""
    rule = "compare takes a list of Solutions, as in compare([unmanaged, mac])"
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise SettingsError(f"{rule}; got {type(given).__name__}")
    solutions = list(given)
    wrong = [type(s).__name__ for s in solutions if not hasattr(s, "summary")]
    if wrong:
        raise SettingsError(f"{rule}; got {', '.join(wrong[:3])} in the list")
    return solutions


def _avoided(row: dict, against: dict | None) -> dict:
    """What the row avoids of the upgrade of the baseline."""
    if against is None:
        return dict.fromkeys(AVOIDED, np.nan)
    avoided, needed = against["upgrade_kw"] - row["upgrade_kw"], against["upgrade_kw"]
    return {
        "avoided_kw": avoided,
        "avoided_percent": 100.0 * avoided / needed if needed > 0 else np.nan,
        "avoided_cost": against["upgrade_cost"] - row["upgrade_cost"],
        "avoidable_cost_at_most": against["upgrade_cost"]
        - row["upgrade_cost_at_least"],
    }
