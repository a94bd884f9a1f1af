"""Tariffs as prices that the EVs of a MAC scenario take.

A price of MAC is for a feeder and a slot, in currency per kW of slot average; a tariff
is for a station and a step, in currency per kWh. With dt the length of a slot [h],

    price_(f,s) = dt (c_t + R_(y(f),t)),   t the step in which slot s begins.

`macjax.best_response(scenario, prices)` answers such prices.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.scenario import Scenario
from macjax.tariffs.case import Case, need_case
from macjax.tariffs.frames import read_table
from macjax.tariffs.operator import Operator, need_operator

MATCHES = ("time", "hour")


def posted_prices(
    case: Case,
    operator: Operator,
    scenario: Scenario,
    stations: Mapping,
    match: str = "time",
) -> pd.DataFrame:
    """The prices that the vehicles of a scenario see at its feeders.

    Arguments:
        case: the case.
        operator: solved on it.
        scenario: whose feeders and slots are priced.
        stations: from each feeder_id to the station whose tariff it has, None for a
            feeder that pays the energy price alone; every feeder must be named.
        match: `time`: slots take the step of the case in which they begin, and must
            all lie in its horizon; `hour`: slots take the mean of the steps that begin
            in the same hour of the local day.

    Returns:
        feeder_id, time, price [currency/kW of slot average], as `Solution.prices()`.

    Raises:
        SolutionError: the operator has no solution.
        DataError: it is that of a case with other stations or times.
        SettingsError: a feeder or station is unknown or not named, or the slots do not
            fit the horizon of the case.
    """
    need_case(case)
    need_operator(operator)
    if not isinstance(scenario, Scenario):
        kind = type(scenario).__name__
        raise SettingsError(f"scenario must be a macjax.Scenario, not {kind}")
    if not isinstance(stations, Mapping):
        rule = "stations must map each feeder_id to a station or None"
        raise SettingsError(f"{rule}, not {stations!r}")
    if match not in MATCHES:
        raise SettingsError(f"match must be 'time' or 'hour', not {match!r}")
    ids = scenario.feeders["feeder_id"].tolist()
    row = _stations(case, ids, stations)
    tariff = np.zeros((len(case.stations.names) + 1, case.settings.steps))
    tariff[:-1, :-1] = read_table(
        case, operator.tariffs, "tariffs", ("station", case.stations.names), "tariff"
    )
    starts = scenario.slot_starts
    weights = _by_time(case, starts) if match == "time" else _by_hour(case, starts)
    local = starts.tz_convert(scenario.timezone)
    price = scenario.slot_hours * (case.price + tariff[row]) @ weights.T
    return pd.DataFrame(
        {
            "feeder_id": scenario.feeders["feeder_id"]
            .repeat(len(starts))
            .reset_index(drop=True),
            "time": local[np.tile(np.arange(len(starts)), len(ids))],
            "price": price.ravel(),
        }
    )


def _stations(case: Case, ids: list, stations: Mapping) -> np.ndarray:
    """Station of each feeder, the last row (without tariff) for None."""
    unnamed = [str(i) for i in ids if i not in stations]
    strange = [str(i) for i in stations if i not in set(ids)]
    known = case.stations.names.tolist()
    unknown = [str(s) for s in stations.values() if s is not None and s not in known]
    for lost, rule in (
        (unnamed, "feeders have no station; None is the energy price alone"),
        (strange, "not among the feeders of the scenario"),
        (unknown, "not among the stations of the case"),
    ):
        if lost:
            raise SettingsError(f"stations: {', '.join(lost[:10])}: {rule}")
    names = [stations[i] for i in ids]
    return np.array([len(known) if n is None else known.index(n) for n in names])


def _by_time(case: Case, starts: pd.DatetimeIndex) -> np.ndarray:
    """Which step each slot begins in, as weights (slots, T)."""
    step = case.times.tz_convert("UTC").searchsorted(starts, side="right") - 1
    end = case.times[-1] + pd.Timedelta(minutes=case.settings.step_minutes)
    outside = (step < 0) | (starts >= end)
    if outside.any():
        raise SettingsError(
            f"{outside.sum()} slots of the scenario lie outside the case, which goes "
            f"from {case.times[0]} to {end}; match='hour' takes the hour of the day"
        )
    return np.eye(case.settings.steps)[step]


def _by_hour(case: Case, starts: pd.DatetimeIndex) -> np.ndarray:
    """Weights of the steps that begin in the hour of each slot, (slots, T)."""
    hours = starts.tz_convert(case.settings.timezone).hour.to_numpy()
    # The last instant has no power and no tariff.
    own = case.times.hour.to_numpy()[:-1]
    same = (hours[:, None] == own).astype(np.float64)
    missing = np.unique(hours[same.sum(axis=1) == 0])
    if len(missing):
        raise SettingsError(
            f"the case has no step in the hours {', '.join(map(str, missing))}"
        )
    weights = same / same.sum(axis=1, keepdims=True)
    return np.concatenate([weights, np.zeros((len(hours), 1))], axis=1)
