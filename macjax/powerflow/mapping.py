"""Which feeder of the net stands for which feeder of the scenario.

By size: the F feeders of the scenario, ranked by the largest base load, take the places
of as many copies of the net as are needed, ranked by rating. With M feeders in the net
there are K = ceil(F / M) copies; rank r (0 is the largest) takes

    place floor((2 r + 1) K M / (2 F)),   place p = feeder number p // K by rating in
                                                    copy p mod K.

Equal sizes keep the order of the tables.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import FIRST_IDS, SettingsError, nearest
from macjax.powerflow.feeders import MvFeeders
from macjax.scenario.ids import listed


class Places(NamedTuple):
    """Where the chosen feeders of the scenario are; arrays of shape (n,).

    Arguments:
        mv: feeder of the net.
        substation: number of the copy of the net, from 0.
        loads: rows of the loads that carry it, one array a feeder.
    """

    mv: np.ndarray
    substation: np.ndarray
    loads: list[np.ndarray]


def by_size(peak_kw, rating_mva) -> tuple[np.ndarray, np.ndarray]:
    """Feeder of the net and copy of it for each feeder of the scenario, by size.

    Arguments:
        peak_kw: largest base load of the scenario's feeders, shape (F,).
        rating_mva: of the feeders of the net, shape (M,).

    Returns:
        Two arrays of shape (F,).
    """
    peak, rating = np.asarray(peak_kw), np.asarray(rating_mva)
    copies = -(-len(peak) // len(rating))
    places = copies * len(rating)
    rank = np.empty(len(peak), np.int64)
    rank[np.argsort(-peak, kind="stable")] = np.arange(len(peak))
    place = (2 * rank + 1) * places // (2 * max(len(peak), 1))
    order = np.argsort(-rating, kind="stable")
    return order[place // max(copies, 1)], place % max(copies, 1)


def choose(feeders: pd.DataFrame, wanted, mapping) -> tuple[np.ndarray, list[str]]:
    """Rows of the feeders table to check, and notes on those that are not.

    All that are nobody's parent, unless feeders are named or mapped.

    Arguments:
        feeders: the feeders table of the scenario.
        wanted: ids, or None.
        mapping: as in `check`, or None.
    """
    ids = pd.Index(feeders["feeder_id"])
    if wanted is not None and mapping is not None:
        raise SettingsError("give feeders= or mapping=, which names feeders itself")
    if mapping is not None and not isinstance(mapping, Mapping):
        raise SettingsError(
            "mapping must be a dict from feeder_id to a feeder of the net, a bus or a "
            f"list of buses; got {type(mapping).__name__}"
        )
    if wanted is None and mapping is None:
        parents = ids.isin(feeders["parent_id"].dropna())
        chosen, count = np.flatnonzero(~parents), int(parents.sum())
        note = f"{count} feeders that feed others are left out: the net adds up itself."
        return chosen, [note] * (count > 0)
    name = "feeders" if mapping is None else "mapping"
    named = listed(wanted if mapping is None else list(mapping), name)
    if not named:
        raise SettingsError(f"{name}: no feeder is named")
    rows = ids.get_indexer(pd.Index(named))
    unknown = [str(i) for i, row in zip(named, rows, strict=True) if row < 0]
    if unknown:
        raise SettingsError(
            f"{name}: {_first(unknown)}: not in the feeders table, which has "
            f"{_first(ids)}"
        )
    left = len(ids) - len(rows)
    return rows, [f"{left} feeders of the scenario are not checked."] * (left > 0)


def place(net, grid: MvFeeders, ids, peak_kw, mapping=None) -> Places:
    """The places of the chosen feeders, by size or as mapped.

    Arguments:
        net: the net.
        grid: its feeders.
        ids: of the chosen feeders, shape (n,).
        peak_kw: their largest base load, shape (n,).
        mapping: as in `check`, or None.
    """
    if mapping is None:
        mv, copy = by_size(peak_kw, grid.rating_mva)
        return Places(mv, copy, [grid.loads[m] for m in mv])
    found = [_mapped(net, grid, i, mapping[i]) for i in ids]
    mv = np.array([m for m, _ in found], np.int64)
    copy = pd.Series(mv).groupby(mv).cumcount().to_numpy(np.int64)
    return Places(mv, copy, [loads for _, loads in found])


def _mapped(net, grid: MvFeeders, feeder_id, target) -> tuple[int, np.ndarray]:
    """Feeder of the net and rows of the loads that an entry of a mapping names."""
    if isinstance(target, str):
        if target not in grid.names:
            raise SettingsError(
                f"mapping: feeder {feeder_id}: the net has no feeder '{target}'; "
                f"{nearest(target, grid.names)}"
            )
        number = grid.names.index(target)
        return number, grid.loads[number]
    buses = listed(target, f"mapping of feeder {feeder_id}")
    rows = net["bus"].index.get_indexer(pd.Index(buses))
    unknown = [str(b) for b, row in zip(buses, rows, strict=True) if row < 0]
    if unknown or not buses:
        raise SettingsError(
            f"mapping: feeder {feeder_id}: no bus {_first(unknown) or 'is named'} in "
            f"the net; its buses are {_first(net['bus'].index)}"
        )
    homes = [m for m, own in enumerate(grid.buses) if np.isin(rows, own).any()]
    if len(homes) != 1 or not np.isin(rows, grid.buses[homes[0]]).all():
        raise SettingsError(
            f"mapping: feeder {feeder_id}: its buses are not all on one feeder of the "
            f"net, but on {_first([grid.names[m] for m in homes]) or 'none'}"
        )
    (number,) = homes
    at = net["bus"].index.get_indexer(pd.Index(net["load"]["bus"]))
    loads = grid.loads[number][np.isin(at[grid.loads[number]], rows)]
    if not len(loads):
        raise SettingsError(
            f"mapping: feeder {feeder_id}: there is no load at its buses; those of the "
            f"feeder are at {_first(net['bus'].index[at[grid.loads[number]]])}"
        )
    return number, loads


def _first(values: Iterable) -> str:
    """The first ten values as text."""
    shown = [str(v) for v in values]
    more = ", ..." if len(shown) > FIRST_IDS else ""
    return ", ".join(shown[:FIRST_IDS]) + more
