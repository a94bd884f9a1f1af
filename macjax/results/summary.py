"""The numbers of a solution in one Series, and what they assume in words."""

import platform
from collections.abc import Iterable
from importlib import metadata

import numpy as np
import pandas as pd

from macjax._version import __version__
from macjax.objectives import PeakOverload
from macjax.results import tables

VERSIONED = ("jax", "jaxlib", "numpy", "pandas", "pyarrow", "equinox")

PERFECT = (
    "Perfect foresight: all trips, stays and base loads of the horizon are known "
    "at its start."
)
NONE = "No foresight: vehicles and chargers react to what is there."
FORESIGHT = {
    "unmanaged": NONE,
    "first_come": NONE,
    "time_of_use": "Perfect foresight of each vehicle's own trips and stays and of the "
    "tariff; vehicles do not coordinate.",
}
PER_SESSION = (
    "Every charging stay gives back what was used since the last one and what earlier "
    "stays could not, as far as its time and power allow; within it slots are free."
)
FIXED = (
    "Fixed: trips and their energy, where and when vehicles park, charger powers, base "
    "loads and capacities; nobody changes their travel.",
    "Charging is one way, at any power from 0 to charger_kw, with constant efficiency.",
    "A feeder's load is average power over a slot; losses, voltages and phases are not "
    "modelled; an upgrade costs upgrade_cost_per_kw for every kW.",
)


def versions() -> dict[str, str]:
    """Versions of macjax, Python and the packages that the numbers depend on."""
    found = {"macjax": __version__, "python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def assumptions(
    scenario,
    *,
    method: str = "mac",
    tube: str = "mobility",
    on_infeasible: str = "error",
    dropped: int = 0,
    relaxed: int = 0,
    settings: dict | None = None,
    own: Iterable[str] = (),
    used_versions: dict[str, str] | None = None,
) -> list[str]:
    """What a result rests on, one sentence each: to stand beside every result.

    Arguments:
        method: name of the method; it decides the sentence on foresight.
        tube: the set of plans, `mobility` or `per_session`.
        on_infeasible: what was done with vehicles that cannot make their trips.
        dropped, relaxed: how many vehicles were left out, or served as far as possible.
        settings: settings of the run; `dtype` and `device` among them.
        own: sentences of the method itself.
        used_versions: versions to name, default those of this process.
    """
    lines = [FORESIGHT.get(method, PERFECT)]
    lines += [PER_SESSION] if tube == "per_session" else []
    lines += [*own, *FIXED]
    lines += _vehicles(scenario, on_infeasible, dropped, relaxed)
    lines.append(
        f"Data: scenario '{scenario.name}', {scenario.slots} slots of "
        f"{scenario.slot_minutes} minutes from {scenario.start.isoformat()}, times in "
        f"{scenario.timezone}, fingerprint {scenario.fingerprint[:12]}."
    )
    lines += [f"Data: {note}" for note in scenario.notes]
    if settings:
        shown = ", ".join(f"{key}={settings[key]}" for key in sorted(settings))
        lines.append(f"Settings: {shown}.")
    used = versions() if used_versions is None else used_versions
    lines.append("Versions: " + ", ".join(f"{k} {v}" for k, v in used.items()) + ".")
    return list(dict.fromkeys(lines))


def _vehicles(scenario, on_infeasible, dropped, relaxed) -> list[str]:
    """Sentences on weights and on vehicles that cannot make their trips."""
    lines = []
    weight = scenario.vehicles["weight"].to_numpy(np.float64)
    if len(weight) and np.any(weight != 1.0):
        lines.append(
            f"Each of the {len(weight)} rows of vehicles stands for `weight` vehicles, "
            f"{weight.sum():,.6g} in all; loads, money and energy count them."
        )
    if on_infeasible == "drop" and dropped:
        lines.append(
            f"{dropped} vehicles that cannot make their trips even at full power were "
            "left out (on_infeasible='drop'); they are in no load."
        )
    if on_infeasible == "relax" and relaxed:
        lines.append(
            f"{relaxed} vehicles that cannot make their trips even at full power were "
            "served as far as possible (on_infeasible='relax'); their SOC falls short."
        )
    return lines


def total_seconds(seconds: dict[str, float]) -> float:
    """Seconds of the whole run: the phase `total` if there is one, else the sum."""
    return float(seconds.get("total", sum(seconds.values())))


def bounds_upgrade_cost(solution) -> bool:
    """Whether the lower bound is one on the upgrade cost of all feeders.

    So with the default objective, whose value is the upgrade cost.
    """
    return solution.objective_spec == PeakOverload() and bool(
        np.isfinite(solution.lower_bound)
    )


def summary(solution) -> pd.Series:
    """The planner's numbers of one solution; NaN where there is no plan.

    Money in the scenario's currency, power in kW, energy in kWh; energy is grid energy
    and counts weights, `stranded`, `infeasible` and `dropped` count rows of vehicles.
    `upgrade_cost_at_least` is the certified lower bound when the objective is the
    default `PeakOverload()`: no schedule of the method's set costs less. In a part of a
    solution by several processes, energy and vehicles are its own, the rest is of all.
    """
    scenario, plan = solution.scenario, solution.plan
    nan = float("nan")
    overloaded = upgrade_kw = upgrade_cost = base_only_kw = energy = nan
    if plan is not None:
        beside_kw = 0.0 if solution.part is None else solution.part.beside_kw
        frame = tables.upgrades(scenario, plan, beside_kw)
        upgrade_kw = float(frame["upgrade_kw"].sum())
        upgrade_cost = float(frame["upgrade_cost"].sum())
        base_only_kw = float(frame["base_only_kw"].sum())
        overloaded = int(tables.overloaded(scenario, plan, beside_kw).sum())
        energy = tables.energy_kwh(scenario, plan)
    at_least = solution.lower_bound if bounds_upgrade_cost(solution) else nan
    values = {
        "method": solution.method,
        "status": str(solution.status),
        "scenario": scenario.name,
        "currency": scenario.currency,
        "feeders": len(scenario.feeders),
        "feeders_overloaded": overloaded,
        "upgrade_kw": upgrade_kw,
        "upgrade_cost": upgrade_cost,
        "base_only_kw": base_only_kw,
        "upgrade_cost_at_least": at_least,
        "energy_kwh": energy,
        "vehicles": len(scenario.vehicles),
        "vehicles_weighted": float(scenario.vehicles["weight"].sum()),
        "stranded": len(solution.stranded),
        "infeasible": len(solution.infeasible),
        "dropped": len(solution.dropped),
        "objective": solution.objective,
        "lower_bound": solution.lower_bound,
        "gap": solution.gap,
        "unmanaged_objective": solution.unmanaged_objective,
        "iterations": solution.iterations,
        "seconds": total_seconds(solution.seconds),
    }
    return pd.Series(values, dtype=object, name=solution.method)
