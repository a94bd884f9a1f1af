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

from macjax.tariffs.aggregators import Aggregators
from macjax.tariffs.batch import make_model, sample_violations, station_power
from macjax.tariffs.case import Case
from macjax.tariffs.operator import Operator, solve_operator

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
    """

    max_power_difference_kw: float
    differences: pd.DataFrame
    violations: pd.DataFrame


def equivalence(
    case: Case,
    operator: Operator,
    aggregators: Aggregators,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Equivalence:
    """Compare the aggregators' powers with the operator's, and look at all limits.

    Arguments:
        case: the case.
        operator, aggregators: solved on it.
        draws: from the boxes.
        seed: of the draws.

    Raises:
        SolutionError: one of them is not solved.
    """
    operator.raise_for_status()
    aggregators.raise_for_status()
    both = operator.powers.rename(columns={"kw": "operator_kw"}).merge(
        aggregators.powers.rename(columns={"kw": "aggregator_kw"}), on=KEYS, how="outer"
    )
    gap = (both["operator_kw"] - both["aggregator_kw"]).abs()
    plans = {"operator": operator, "aggregators": aggregators}
    if operator.gamma is None or operator.gamma.any():
        plans["deterministic"] = solve_operator(case, gamma=0.0)
        plans["deterministic"].raise_for_status()
    parts = []
    for name, plan in plans.items():
        for word, frame in _violations(case, plan, draws, seed).items():
            parts.append(frame.assign(plan=name, uncertainty=word))
    found = pd.concat(parts, ignore_index=True)
    columns = ["plan", "uncertainty", "element", "kind", "share", "worst"]
    return Equivalence(float(gap.max(skipna=False)), both, found[columns])


def _violations(case: Case, plan, draws: int, seed: int) -> dict[str, pd.DataFrame]:
    """element, kind, share, worst under each kind of uncertainty."""
    model, elements = make_model(case, station_power(case, plan))
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
    found["sampled"] = sample_violations(case, plan, draws, seed)
    return found
