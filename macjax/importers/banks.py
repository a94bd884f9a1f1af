"""Transformers of a network grouped to the feeders that they are.

Without its transformers a network falls into islands. All transformers that feed one
island are one bank, whose capacity is the sum of theirs; a bank that feeds the island
where others begin is their parent, and carries their load too.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


class Banks(NamedTuple):
    """Banks of transformers.

    Arguments:
        of: bank of each transformer, -1 for one that feeds its own island.
        island: the island that each bank feeds.
        parent: bank that feeds the primary side of each bank, -1 for none.
    """

    of: np.ndarray
    island: np.ndarray
    parent: np.ndarray


def islands(nodes: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number of the island of each node, given the edges between them."""
    edges = coo_array((np.ones(len(first)), (first, second)), shape=(nodes, nodes))
    return connected_components(edges, directed=False)[1]


def find_banks(island: np.ndarray, primary: np.ndarray, secondary: np.ndarray) -> Banks:
    """Banks of transformers by the islands at their two ends.

    Arguments:
        island: of each node, without transformers.
        primary, secondary: nodes of each transformer.
    """
    above, below = island[primary], island[secondary]
    feeds = above != below
    fed = np.unique(below[feeds])
    of = np.where(feeds, np.searchsorted(fed, below), -1)
    bank_of_island = np.full(island.max(initial=-1) + 1, -1)
    bank_of_island[fed] = np.arange(len(fed))
    # A bank fed from several islands takes the first of them.
    order = np.flatnonzero(feeds)
    first = pd.Series(above[order]).groupby(of[order]).first()
    parent = bank_of_island[first.to_numpy(np.int64)] if len(fed) else fed
    return Banks(of, fed, parent)


def on_cycle(parent: np.ndarray) -> np.ndarray:
    """Banks that are their own ancestors, as in a ring of transformers."""
    count = len(parent)
    pointer = np.append(np.where(parent < 0, count, parent), count)
    for _ in range(max(count, 1).bit_length()):
        pointer = pointer[pointer]
    found = np.zeros(count + 1, bool)
    found[pointer] = True
    return found[:count]


def with_descendants(own: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """Load of each bank plus that of all banks below it, shape (banks, steps).

    Arguments:
        own: load of each bank's own island, shape (banks, steps).
        parent: as in `Banks`, without cycles.
    """
    total, carried, above = own.copy(), own, parent >= 0
    for _ in range(len(parent)):  # at most so many levels
        up = np.zeros_like(own)
        np.add.at(up, parent[above], carried[above])
        if not up.any():
            break
        total, carried = total + up, up
    return total


def bank_names(names: np.ndarray, of: np.ndarray, count: int) -> list[str]:
    """Name of each bank: of its transformer, of several joined by `+`."""
    frame = pd.DataFrame({"name": names, "bank": of})
    joined = frame[frame["bank"] >= 0].groupby("bank")["name"].agg("+".join)
    return joined.reindex(range(count)).tolist()
