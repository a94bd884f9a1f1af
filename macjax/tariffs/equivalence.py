"""Do prices do what the operator planned, and does the plan keep the limits?

The operator's powers solve the aggregators' problems, and these have one solution each
(`aggregators`); the largest difference measures how accurate the duals are. Limits are
looked at under nominal loads, under draws from the boxes, and under the worst case of
each limit, for the operator's plan, for what the aggregators do, and for the
deterministic plan (gamma = 0).
"""

import dataclasses

import numpy as np
import pandas as pd

from macjax._errors import DataError, Fault, SettingsError
from macjax.tariffs.aggregators import Aggregators
from macjax.tariffs.batch import plan_model, sample_violations, station_power
from macjax.tariffs.case import Case, need_case
from macjax.tariffs.frames import OTHER_CASE
from macjax.tariffs.operator import Operator, need_operator, solve_operator

# Excess of a shared limit that counts, as a share of it
SHARED_COUNTS = 1e-6
KEYS = ["aggregator", "station", "time"]


@dataclasses.dataclass(frozen=True)
class Equivalence:
    """What became of the plan.

    Arguments:
        max_power_difference_kw: between operator and aggregators, over all aggregators,
            stations and steps [kW].
        differences: aggregator, station, time, operator_kw, aggregator_kw.
        violations: plan (`operator`, `aggregators`, `deterministic`), uncertainty
            (`nominal`, `sampled`, `worst`), element, kind (`line`, `node`), share (of
            draws with a violation; 0 or 1 without draws), worst (excess, kW or p.u.).
        shared: element, kind (`road`, `places`), steps (in which the aggregators exceed
            what they share), worst (excess, EV). Prices do not keep these limits where
            flows of the same cost exist; see `Aggregators.cost`.
    """

    max_power_difference_kw: float
    differences: pd.DataFrame
    violations: pd.DataFrame
    shared: pd.DataFrame


def equivalence(
    case: Case,
    operator: Operator,
    aggregators: Aggregators,
    *,
    draws: int = 1000,
    seed: int = 0,
    counts_kw: float | None = None,
) -> Equivalence:
    """Compare the aggregators' powers with the operator's, and look at all limits.

    Arguments:
        case: the case.
        operator, aggregators: solved on it.
        draws: how many from the boxes.
        seed: of the draws.
        counts_kw: as in `sample_violations`.

    Raises:
        SolutionError: one of them is not solved.
        DataError: one of them does not fit the case.
        SettingsError: something else is given, or a number is out of range.
    """
    need_case(case)
    need_operator(operator)
    if not isinstance(aggregators, Aggregators):
        kind = type(aggregators).__name__
        raise SettingsError(
            f"aggregators must be what solve_aggregators gave, not {kind}"
        )
    aggregators.raise_for_status()
    for plan in (operator, aggregators):
        station_power(case, plan)
    both = operator.powers.rename(columns={"kw": "operator_kw"}).merge(
        aggregators.powers.rename(columns={"kw": "aggregator_kw"}), on=KEYS, how="outer"
    )
    lost = both[["operator_kw", "aggregator_kw"]].isna().any(axis=1)
    if lost.any():
        names = tuple(both.loc[lost, KEYS[:2]].drop_duplicates().agg(" ".join, axis=1))
        rule = "only one of both plans has powers of these"
        lines = [Fault("powers", ", ".join(KEYS), rule, int(lost.sum()), names)]
        raise DataError(lines, title=OTHER_CASE)
    gap = (both["operator_kw"] - both["aggregator_kw"]).abs()
    plans = {"operator": operator, "aggregators": aggregators}
    if operator.gamma is None or operator.gamma.any():
        plans["deterministic"] = solve_operator(case, gamma=0.0)
        plans["deterministic"].raise_for_status()
    parts = []
    for name, plan in plans.items():
        for word, frame in _violations(case, plan, draws, seed, counts_kw).items():
            parts.append(frame.assign(plan=name, uncertainty=word))
    found = pd.concat(parts, ignore_index=True)
    columns = ["plan", "uncertainty", "element", "kind", "share", "worst"]
    largest = float(gap.max(skipna=False))
    return Equivalence(largest, both, found[columns], _shared_excess(aggregators))


def _shared_excess(aggregators: Aggregators) -> pd.DataFrame:
    """element, kind, steps, worst of what the aggregators share."""
    frame = aggregators.shared
    over = np.maximum(frame["ev"] - frame["limit_ev"], 0.0)
    # Beyond what the solver leaves of limits kept
    over = over.where(over > SHARED_COUNTS * frame["limit_ev"].clip(lower=1.0), 0.0)
    table = frame.assign(steps=over > 0, worst=over)
    groups = table.groupby(["element", "kind"], sort=False, as_index=False)
    return groups.agg(steps=("steps", "sum"), worst=("worst", "max"))


def _violations(
    case: Case, plan, draws: int, seed: int, counts_kw: float | None
) -> dict[str, pd.DataFrame]:
    """element, kind, share, worst under each kind of uncertainty."""
    model, elements = plan_model(case, plan, counts_kw)
    value = model.stations + np.einsum("sku,sut->kt", model.parts, model.nominal)
    excess = np.maximum(value - model.high, model.low - value)
    found = {}
    for word, spare in (("nominal", 0.0), ("worst", model.spare)):
        over = np.asarray((excess + spare).max(axis=1))
        broken = over > np.asarray(model.counts)[:, 0]
        found[word] = pd.DataFrame(
            {
                "element": elements.names,
                "kind": elements.kinds,
                "share": broken.astype(np.float64),
                "worst": np.where(broken, over, 0.0),
            }
        )
    found["sampled"] = sample_violations(case, plan, draws, seed, counts_kw)
    return found
