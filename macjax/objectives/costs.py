"""Costs by feeder: checked when an objective is made, looked up on a scenario."""

import math
import numbers
from collections.abc import Hashable, Iterable, Mapping

import numpy as np
import pandas as pd

from macjax._errors import FIRST_IDS, SettingsError

Cost = float | Mapping[Hashable, float] | pd.Series


def checked_cost(cost, kind: str) -> float | dict[Hashable, float]:
    """A cost as a float, or as a dict by feeder_id with plain keys."""
    owner = f"{kind}.cost"
    if isinstance(cost, pd.Series):
        if cost.index.has_duplicates:
            raise SettingsError(f"{owner}: a feeder_id occurs twice in the Series")
        cost = dict(zip(cost.index.tolist(), cost.tolist(), strict=True))
    if not isinstance(cost, Mapping):
        return nonnegative(cost, owner)
    plain = {k.item() if isinstance(k, np.generic) else k: v for k, v in cost.items()}
    return {k: nonnegative(v, f"{owner} of feeder {k}") for k, v in plain.items()}


def nonnegative(number, owner: str) -> float:
    """A finite number >= 0 as a float."""
    number = finite(number, owner)
    if number < 0:
        raise SettingsError(f"{owner} must not be negative, not {number}")
    return number


def finite(number, owner: str, wanted: str = "a number") -> float:
    """A finite number as a float."""
    if isinstance(number, bool) or not isinstance(number, numbers.Real):
        raise SettingsError(f"{owner} must be {wanted}, not {number!r}")
    if not math.isfinite(number):
        raise SettingsError(f"{owner} must be finite, not {number}")
    return float(number)


def costs_of_feeders(cost, scenario, owner: str) -> np.ndarray:
    """One cost per feeder, shape (F,): a number for all, a mapping by feeder_id, or
    None for `feeders.upgrade_cost_per_kw`."""
    feeders = scenario.feeders
    if cost is None:
        return feeders["upgrade_cost_per_kw"].to_numpy(np.float64)
    if isinstance(cost, float):
        return np.full(len(feeders), cost)
    ids = feeders["feeder_id"].tolist()
    require_same_feeders(cost, ids, f"{owner}.cost")
    return np.array([cost[i] for i in ids], np.float64)


def require_same_feeders(given: Iterable, ids: list, owner: str) -> None:
    """Raise a SettingsError unless `given` names exactly the scenario's feeders."""
    given = set(given)
    missing = [i for i in ids if i not in given]
    unknown = sorted(given.difference(ids), key=str)
    faults = []
    if missing:
        faults.append(f"no value for {counted(missing, 'feeder')}")
    if unknown:
        faults.append(f"{counted(unknown, 'feeder')} not in the feeders table")
    if not faults:
        return
    kinds = {type(i).__name__ for i in ids}, {type(i).__name__ for i in given}
    if missing and unknown and kinds[0].isdisjoint(kinds[1]):
        names = ["/".join(sorted(kind)) for kind in kinds]
        faults.append(f"feeder_id is {names[0]} in the scenario and {names[1]} here")
    raise SettingsError(f"{owner}: " + "; ".join(faults))


def counted(things: Iterable, noun: str) -> str:
    """'3 feeders (A, B, C)': how many, and the first of them."""
    things = list(things)
    shown = ", ".join(str(thing) for thing in things[:FIRST_IDS])
    more = ", ..." if len(things) > FIRST_IDS else ""
    return f"{len(things)} {noun}{'s' if len(things) != 1 else ''} ({shown}{more})"
