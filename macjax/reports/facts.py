"""The numbers of a report: tables, and which feeders and vehicles are shown.

Feeders are ranked by their largest overload in any solution, or, where nothing is
overloaded, by their largest load over capacity.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from macjax import planning
from macjax.plots import pick_vehicles
from macjax.reports.seen import Seen
from macjax.results import compare, tables
from macjax.scenario import Scenario

# What is drawn for all to see, and what can be chosen with script.
DRAWN_FEEDERS, CHOSEN_FEEDERS = 6, 200
DRAWN_VEHICLES, CHOSEN_VEHICLES = 4, 12
MOST_NUMBERS = 500_000  # of feeders in the page, some 6 bytes each
DISCRETE = ("units", "discrete_kva", "discrete_cost_usd")


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a report shows.

    Arguments:
        shown: all solutions by label.
        usable: those with a plan, by label; their frames are made once.
        scenario: the one of all.
        methods: the planner's table, a row for each of `shown`; columns of `compare`,
            upgrade_cost_at_least, and the upgrades in standard transformers.
        intervals: what is proved; see `planning.certified_intervals`.
        upgrades: a row for each feeder, the worst first: feeder_id, and for every
            label of `usable` its upgrade [kW], 0 where it is a matter of rounding.
        cost: the same with the cost of the upgrades [currency].
        load: base load and load of each usable solution, (1 + s, F, T) [kW], in the
            order of the feeders table.
        ranking: feeders in the order of `upgrades`, as rows of the feeders table.
        chosen: how many of them the page holds for the choice.
        vehicles: ids to show.
        picked: whether the vehicles were picked here.
        origin: kind, what, source of all that the scenario is made from, or None.
        notes: what was computed, and what could not be.
    """

    shown: Mapping[str, Seen]
    usable: Mapping[str, Seen]
    scenario: Scenario
    methods: pd.DataFrame
    intervals: pd.DataFrame
    upgrades: pd.DataFrame
    cost: pd.DataFrame
    load: np.ndarray
    ranking: np.ndarray
    chosen: int
    vehicles: list
    picked: bool
    origin: pd.DataFrame | None
    notes: Sequence[str]

    @property
    def feeder_ids(self) -> list:
        """Ids of all feeders, the worst first."""
        return self.upgrades["feeder_id"].tolist()


def gather(
    shown: Mapping[str, Any],
    vehicles: list | None,
    origin: pd.DataFrame | None,
    notes: Sequence[str],
) -> Facts:
    """The facts of a report.

    Arguments:
        shown: solutions by label, of one scenario.
        vehicles: ids to show, or None to pick some.
        origin: what the scenario is made from, if it is known.
        notes: sentences on how the solutions came about.
    """
    seen = {label: Seen(solution) for label, solution in shown.items()}
    usable = {label: s for label, s in seen.items() if s.plan is not None}
    scenario = next(iter(seen.values())).scenario
    load = _loads(scenario, usable)
    ranking = rank_feeders(load, scenario.capacity_base()[0])
    upgrades = {k: _needed(scenario, s).iloc[ranking] for k, s in usable.items()}
    ids = scenario.feeders["feeder_id"].iloc[ranking].reset_index(drop=True)
    columns = {"feeder_id": ids}
    tall = max(load.shape[0] + 1, 1) * scenario.slots
    picked = pick_vehicles(list(usable.values()), CHOSEN_VEHICLES)
    return Facts(
        shown=seen,
        usable=usable,
        scenario=scenario,
        methods=_methods(seen),
        intervals=planning.certified_intervals(usable.values()),
        upgrades=pd.DataFrame(columns | _column(upgrades, "upgrade_kw")),
        cost=pd.DataFrame(columns | _column(upgrades, "upgrade_cost")),
        load=load,
        ranking=ranking,
        chosen=min(CHOSEN_FEEDERS, len(ranking), max(MOST_NUMBERS // tall, 1)),
        vehicles=picked if vehicles is None else vehicles,
        picked=vehicles is None,
        origin=origin,
        notes=list(notes),
    )


def rank_feeders(load: np.ndarray, capacity: np.ndarray) -> np.ndarray:
    """Rows of the feeders, the worst first, shape (F,).

    Arguments:
        load: base load and load of the solutions, (1 + s, F, T) [kW].
        capacity: shape (F, T) [kW].
    """
    over = np.maximum(load - capacity, 0.0).max(axis=(0, 2), initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        use = np.where(capacity > 0, load / capacity, 0.0)
    fullest = use.max(axis=(0, 2), initial=0.0)
    return np.lexsort((np.arange(len(over)), -fullest, -over))


def _loads(scenario, usable: Mapping[str, Seen]) -> np.ndarray:
    """Base load and load of each solution, (1 + s, F, T) [kW]."""
    _, base = scenario.capacity_base()
    charging = [tables.ev_load(scenario, s.plan) for s in usable.values()]
    return np.stack([base, *(base + kw for kw in charging)])


def _needed(scenario, solution: Seen) -> pd.DataFrame:
    """Upgrade and cost of every feeder, 0 where the overload is mere rounding."""
    frame = solution.upgrades()[["upgrade_kw", "upgrade_cost"]]
    over = tables.overloaded(scenario, solution.plan)
    return frame.where(pd.Series(over, index=frame.index), 0.0)


def _column(frames: Mapping[str, pd.DataFrame], name: str) -> dict:
    """One column of each frame, by label."""
    return {k: frame[name].to_numpy(np.float64) for k, frame in frames.items()}


def _methods(seen: Mapping[str, Seen]) -> pd.DataFrame:
    """The planner's table with standard transformers."""
    table = compare(seen.values())
    bought = []
    for solution in seen.values():
        if solution.plan is None:
            bought.append(dict.fromkeys(DISCRETE, np.nan))
        else:
            units = planning.discrete_upgrades(solution)
            bought.append({name: float(units[name].sum()) for name in DISCRETE})
    least = [s.summary()["upgrade_cost_at_least"] for s in seen.values()]
    table = table.assign(upgrade_cost_at_least=least)
    return table.assign(**{name: [row[name] for row in bought] for name in DISCRETE})
