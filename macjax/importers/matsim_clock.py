"""When each activity and each leg of a plan ends, from what MATSim's elements say.

An activity ends at its end_time, or when the person arrives if that is later; without
one it lasts max_dur; else it ends when the next leg departs (dep_time). A leg lasts its
trav_time. With T_k the end of element k, d_k its duration (0 for an activity that ends
at a given time a_k), and midnight as T_{-1} = 0:

    T_k = max(T_{k-1} + d_k, a_k) = c_k + max(0, max over i <= k of (a_i - c_i)),
    c_k = sum_{i<=k} d_i.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax.importers.horizon import parse_clock
from macjax.importers.matsim_xml import ACTIVITY, LEG


class Clock(NamedTuple):
    """Times of elements, and the rows in which something was found.

    Arguments:
        begin, end: of each element [s], NaN where it cannot be told.
        junk: rows by column whose text is no time.
        endless: activities before a leg that say in no way when they end.
        backwards: activities that are to end before an earlier one of the plan.
        late: activities that end later than they say, when the person arrives.
        guessed: car legs without travel time, which the distance gives.
        timeless: other legs without travel time, which take none.
    """

    begin: np.ndarray
    end: np.ndarray
    junk: dict[str, np.ndarray]
    endless: np.ndarray
    backwards: np.ndarray
    late: np.ndarray
    guessed: np.ndarray
    timeless: np.ndarray


def plan_clock(elements: pd.DataFrame, guess: np.ndarray) -> Clock:
    """Times of all elements of some plans.

    Arguments:
        elements: as in `matsim_xml.Part`.
        guess: travel time of each car leg by its distance [s], NaN for other rows.
    """
    person = elements["person"].to_numpy()
    kind = elements["kind"].to_numpy()
    times, junk = {}, {}
    for column in ("end", "stay", "depart", "travel"):
        times[column], junk[column] = parse_clock(elements[column].astype(object))
    is_leg = kind == LEG
    next_same = np.append(person[1:] == person[:-1], False)
    next_leg = next_same & np.append(is_leg[1:], False)
    departs = np.append(times["depart"][1:], np.nan)
    anchor = np.where(is_leg, np.nan, times["end"])
    by_leg = np.isnan(anchor) & np.isnan(times["stay"]) & next_leg & ~is_leg
    anchor = np.where(by_leg, departs, anchor)
    travel = np.where(times["travel"] > 0, times["travel"], np.nan)
    guessed = is_leg & np.isnan(travel) & ~np.isnan(guess)
    timeless = is_leg & np.isnan(times["travel"]) & np.isnan(guess)
    duration = np.where(is_leg, np.where(np.isnan(travel), guess, travel), 0.0)
    stay = (kind == ACTIVITY) & np.isnan(anchor)
    duration = np.where(stay, times["stay"], duration)
    endless = stay & np.isnan(times["stay"]) & next_same
    duration = np.nan_to_num(duration)
    frame = pd.DataFrame({"person": person, "duration": duration})
    passed = frame.groupby("person")["duration"].cumsum().to_numpy()
    lead = pd.Series(np.where(np.isnan(anchor), -np.inf, anchor - passed))
    end = passed + np.maximum(0.0, lead.groupby(person).cummax().to_numpy())
    begin = np.where(np.append(False, next_same[:-1]), np.roll(end, 1), 0.0)
    earlier = pd.Series(np.where(np.isnan(anchor), -np.inf, anchor))
    latest = earlier.groupby(person).cummax().groupby(person).shift(1)
    backwards = anchor < latest.fillna(-np.inf).to_numpy()
    late = (begin > anchor) & ~backwards
    return Clock(begin, end, junk, endless, backwards, late, guessed, timeless)
