"""The loads to look at: the base load alone, and that of each solution."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from macjax._errors import SettingsError, SolutionError
from macjax.powerflow.loading import Uses, uses
from macjax.powerflow.result import BASE
from macjax.results.tables import OVERLOAD_COUNTS


class Case(NamedTuple):
    """One load of all feeders of the scenario.

    Arguments:
        method: `base_load`, or the method or label of the solution.
        uses: load over capacity, shape (feeders, slots).
        growth: capacity with the solution's upgrade over capacity, shape (feeders,
            slots), 1 without overload; None for the base load and where no feeder is
            upgraded.
        within: whether the load stays within the capacity in all slots, (feeders,).
    """

    method: str
    uses: Uses
    growth: np.ndarray | None
    within: np.ndarray


def named_solutions(solutions) -> dict:
    """Solutions by label: the key of a dict, else the method, repeated ones numbered.

    Raises:
        SettingsError: something else than solutions of one scenario is given, or a
            label is taken.
        SolutionError: a solution has no schedule.
    """
    rule = "check takes a Solution, a list of them, or a dict from label to Solution"
    if isinstance(solutions, Mapping):
        given = [(str(label), s) for label, s in solutions.items()]
    else:
        single = hasattr(solutions, "loads") or not isinstance(solutions, Iterable)
        many = [solutions] if single else list(solutions)
        given = [(getattr(s, "method", ""), s) for s in many]
    wrong = [type(s).__name__ for _, s in given if not hasattr(s, "loads")]
    if wrong or not given:
        raise SettingsError(f"{rule}; got {', '.join(wrong[:3]) or 'none'}")
    named = {}
    for label, solution in given:
        name, count = label, 1
        while name in named:
            count += 1
            name = f"{label} {count}"
        named[name] = solution
    if BASE in named:
        raise SettingsError(f"'{BASE}' is the load without EVs; give another label")
    empty = [name for name, s in named.items() if s.plan is None]
    if empty:
        status = named[empty[0]].status
        raise SolutionError(
            f"solution '{empty[0]}' with status '{status}' has no schedule to check"
        )
    if len({s.scenario.fingerprint for s in named.values()}) > 1:
        raise SettingsError("the solutions are of different scenarios; check one")
    return named


def read_cases(named: Mapping) -> list[Case]:
    """The base load and the load of each solution.

    Arguments:
        named: solutions of one scenario by label.
    """
    scenario = next(iter(named.values())).scenario
    capacity, base = scenario.capacity_base()
    loads = {BASE: np.zeros_like(base)}
    for name, solution in named.items():
        ev = solution.loads()["ev_kw"].to_numpy(np.float64)
        loads[name] = ev.reshape(base.shape)
    return [_case(name, base, ev, capacity) for name, ev in loads.items()]


def _case(name: str, base, ev, capacity) -> Case:
    excess = base + ev - capacity
    over = (excess > OVERLOAD_COUNTS * np.maximum(1.0, capacity)).any(axis=1)
    growth = None
    if name != BASE and over.any():
        upgrade = np.where(over, excess.max(axis=1), 0.0)[:, None]
        growth = 1.0 + upgrade / np.where(capacity > 0, capacity, np.nan)
    return Case(name, uses(base, ev, capacity), growth, ~over)
