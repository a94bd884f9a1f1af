"""Studies of a case: gamma and the level of uncertainty, and values of its keys."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from macjax._errors import DataError, SettingsError
from macjax.tariffs.batch import sample_violations
from macjax.tariffs.case import Case
from macjax.tariffs.operator import Operator, solve_operator
from macjax.tariffs.settings import PARAMETERS

LEVELS = (0.05, 0.1, 0.2)
GAMMAS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclasses.dataclass(frozen=True)
class GammaStudy:
    """What robustness costs and what it buys.

    Arguments:
        rows: level, gamma, status, cost, largest_tariff, mean_tariff (where it is not
            0) [currency/kWh], share (of draws with a violation), worst_kw, worst_pu.
        tariffs: level, gamma, and the columns of `Operator.tariffs`.
    """

    rows: pd.DataFrame
    tariffs: pd.DataFrame


def gamma_study(
    case: Case,
    gammas: Sequence[float] = GAMMAS,
    levels: Sequence[float] = LEVELS,
    draws: int = 1000,
    seed: int = 0,
    progress=None,
) -> GammaStudy:
    """Solve the operator's problem for every gamma and level of uncertainty.

    Arguments:
        case: the case.
        gammas: shares of the half-widths to plan for.
        levels: half-widths of load, PV and wind as a share of their values.
        draws: from the boxes of the level, for the share of violations.
        seed: of the draws.
        progress: called with a line of text after every solve.
    """
    rows, tariffs = [], []
    for level in levels:
        keys = {f"uncertainty.{name}": level for name in PARAMETERS}
        changed = case.changed(keys)
        for gamma in gammas:
            found = solve_operator(changed, gamma=gamma)
            rows.append(
                {"level": level, "gamma": gamma, **_row(changed, found, draws, seed)}
            )
            tariffs.append(found.tariffs.assign(level=level, gamma=gamma))
            if progress is not None:
                progress(f"level {level:g}, gamma {gamma:g}: cost {found.cost:.3f}")
    frame = pd.concat(tariffs, ignore_index=True)
    first = ["level", "gamma"]
    rest = [column for column in frame.columns if column not in first]
    return GammaStudy(pd.DataFrame(rows), frame[first + rest])


def _row(case: Case, found: Operator, draws: int, seed: int) -> dict:
    """One row of a study."""
    tariff = found.tariffs["tariff"].to_numpy(np.float64)
    row = {"status": str(found.status), "cost": found.cost}
    row["largest_tariff"] = float(tariff.max())
    # Beyond what the accuracy of the duals leaves of a zero
    used = np.abs(tariff) > 1e-6
    row["mean_tariff"] = float(tariff[used].mean()) if used.any() else 0.0
    if found.status != "solved":
        return row | dict.fromkeys(("share", "worst_kw", "worst_pu"), np.nan)
    sampled = sample_violations(case, found, draws, seed)
    worst = sampled.groupby("kind")["worst"].max()
    row["share"] = sampled.attrs["share"]
    row["worst_kw"] = float(worst.get("line", 0.0))
    row["worst_pu"] = float(worst.get("node", 0.0))
    return row


@dataclasses.dataclass(frozen=True)
class Search:
    """How near other values of a case come to published results.

    Arguments:
        runs: one row a run, nearest first: the values tried, status, deterministic and
            robust cost, largest and mean deviation of tariffs, `distance`.
        nearest: the values of the nearest run.
    """

    runs: pd.DataFrame
    nearest: dict


def search(
    case: Case,
    over: Mapping[str, Sequence],
    costs: tuple[float, float],
    tariffs: pd.DataFrame | None = None,
    progress=None,
) -> Search:
    """Try all combinations of values, sorted by the distance to published results.

    The distance is the mean of the relative deviations of the deterministic cost, of
    the robust cost, and, where tariffs are given, of the deterministic and of the
    robust tariffs (mean absolute deviation over the mean of the published ones). It
    compares; it proves nothing about values that nobody published.

    Arguments:
        case: the case.
        over: values by key of the case, `{"fleet.soc_arrival": [0.2, 0.3]}`; the key
            `uncertainty` sets load, PV and wind alike.
        costs: published deterministic (gamma = 0) and robust (gamma = 1) cost
            [currency].
        tariffs: published ones: station, hour, deterministic, robust [currency/kWh].
        progress: called with a line of text after every run.
    """
    if not over or not all(len(values) for values in over.values()):
        raise SettingsError("over must name keys of the case with values to try")
    rows = []
    for values in itertools.product(*over.values()):
        tried = dict(zip(over, values, strict=True))
        rows.append(tried | _tried(case, tried, costs, tariffs))
        if progress is not None:
            progress(f"{tried}: distance {rows[-1]['distance']:.3f}")
    runs = pd.DataFrame(rows).sort_values("distance", ignore_index=True)
    best = {key: runs[key].iloc[0] for key in over}
    return Search(runs, best)


def _tried(case: Case, tried: dict, costs, tariffs) -> dict:
    """What one combination of values gives, and its distance."""
    keys = dict(tried)
    if "uncertainty" in keys:
        level = keys.pop("uncertainty")
        keys |= {f"uncertainty.{name}": level for name in PARAMETERS}
    row, parts = {}, []
    changed = case.changed(keys)
    for word, gamma, cost in zip(
        ("deterministic", "robust"), (0.0, 1.0), costs, strict=True
    ):
        try:
            found = solve_operator(changed, gamma=gamma)
        except DataError:
            # Loads alone exceed a limit: no plan either
            row[f"{word}_status"], row[f"{word}_cost"] = "infeasible", np.nan
            parts.append(np.inf)
            continue
        row[f"{word}_status"], row[f"{word}_cost"] = str(found.status), found.cost
        parts.append(abs(found.cost / cost - 1.0))
        if tariffs is not None:
            own = published_hours(found, tariffs)
            row[f"{word}_tariff"] = float(own.mean())
            published = tariffs[word].to_numpy(np.float64)
            parts.append(float(np.abs(own - published).mean() / published.mean()))
    row["distance"] = float(np.mean(parts)) if np.isfinite(parts).all() else np.inf
    return row


def published_hours(operator: Operator, tariffs: pd.DataFrame) -> np.ndarray:
    """An operator's tariffs at the stations and hours of a published table.

    Those of the first day of the horizon, shape (rows of the table,) [currency/kWh].
    """
    own = operator.tariffs
    hour = own["time"].dt.hour.rename("hour")
    first = own.groupby(["station", hour])["tariff"].first()
    keys = pd.MultiIndex.from_frame(tariffs[["station", "hour"]])
    return first.reindex(keys).to_numpy(np.float64)
