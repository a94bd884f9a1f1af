"""First and last SOC of each car, so that its week is possible with power to spare.

SOC = state of charge [kWh]. `reach` is the largest SOC that charging at a share of
every charger's power can give.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from .parameters import Fleet


class Reach(NamedTuple):
    """Greedy charging: least and last SOC of each car [kWh], shape (cars,)."""

    least: np.ndarray
    last: np.ndarray


def pad(values, group, order, shape) -> np.ndarray:
    """Ragged rows -> matrix (cars, longest), 0 where a car has fewer rows."""
    matrix = np.zeros(shape)
    matrix[group, order] = values
    return matrix


def within_group(group: np.ndarray) -> np.ndarray:
    """Place of each row within its group, rows sorted by group."""
    is_first = np.diff(group, prepend=-1) != 0
    begin = np.flatnonzero(is_first)
    return np.arange(len(group)) - begin[np.cumsum(is_first) - 1]


def reach(stays, trips, cars, initial, p: Fleet) -> Reach:
    """SOC when each stay k charges as much as it can, then trip k follows.

    soc <- min(battery, soc + firm_share x efficiency x charger x hours) - trip energy

    Arguments:
        stays: by car and time: car, arrival_min, departure_min, charger_kw.
        trips: by car and time: car, energy_kwh.
        cars: battery_kwh.
        initial: SOC at the start [kWh], shape (cars,).
    """
    car = [f["car"].to_numpy(np.int64) for f in (stays, trips)]
    rank = [within_group(c) for c in car]
    longest = max((r.max(initial=0) for r in rank), default=0) + 1
    shape = (len(cars), longest)
    hours = (stays["departure_min"] - stays["arrival_min"]).to_numpy() / 60
    gain = p.firm_share * p.efficiency * stays["charger_kw"].to_numpy() * hours
    gain = pad(gain, car[0], rank[0], shape)
    used = pad(trips["energy_kwh"], car[1], rank[1], shape)
    battery = cars["battery_kwh"].to_numpy()
    soc, least = np.array(initial, float), np.array(initial, float)
    for k in range(longest):
        soc = np.minimum(battery, soc + gain[:, k]) - used[:, k]
        least = np.minimum(least, soc)
    return Reach(least, soc)


def choose_soc(stays, trips, cars, share, p: Fleet) -> pd.DataFrame:
    """First and last SOC of each car and whether its week is possible.

    Columns: drawn_kwh, initial_kwh, final_kwh, possible. A car drawn too low for its
    trips up to the first charger starts as much higher as it lacks.

    Arguments:
        stays, trips, cars: as for `reach`; `cars` with reserve_kwh too.
        share: SOC at the start that is wished, of the battery, shape (cars,).
    """
    battery, reserve = (cars[c].to_numpy() for c in ("battery_kwh", "reserve_kwh"))
    drawn = np.round(np.clip(share, p.reserve_share, 1.0) * battery, 2)
    lacking = np.maximum(reserve - reach(stays, trips, cars, drawn, p).least, 0)
    initial = np.minimum(np.ceil((drawn + lacking) * 100) / 100, battery)
    result = reach(stays, trips, cars, initial, p)
    final = np.minimum(initial, np.floor(result.last * 100) / 100)
    possible = result.least >= reserve - 1e-9
    return pd.DataFrame(
        {
            "drawn_kwh": drawn,
            "initial_kwh": initial,
            "final_kwh": np.maximum(final, reserve),
            "possible": possible,
        }
    )
