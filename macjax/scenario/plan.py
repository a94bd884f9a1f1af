"""A charging plan: which stay draws how much power in which slot.

Every solver and every baseline returns its schedule in this form; the frames that
users see are derived from it and from the scenario.
"""

from typing import NamedTuple

import numpy as np


class Plan(NamedTuple):
    """Charging in (stay, slot) pairs, sorted by stay and slot, rows with power only.

    Arguments:
        stay: row number of the stays table, int64, shape (entries,).
        slot: slot of the horizon, int32, shape (entries,).
        kw: average grid power over the slot of one vehicle of the row [kW].
    """

    stay: np.ndarray
    slot: np.ndarray
    kw: np.ndarray

    @classmethod
    def of(cls, stay, slot, kw) -> "Plan":
        """Sort the entries, add up repeated (stay, slot) pairs, drop zero power."""
        stay = np.asarray(stay, np.int64)
        slot = np.asarray(slot, np.int32)
        kw = np.asarray(kw, np.float64)
        keep = kw > 0
        stay, slot, kw = stay[keep], slot[keep], kw[keep]
        order = np.lexsort((slot, stay))
        stay, slot, kw = stay[order], slot[order], kw[order]
        if len(stay) == 0:
            return cls(stay, slot, kw)
        first = np.ones(len(stay), bool)
        first[1:] = (stay[1:] != stay[:-1]) | (slot[1:] != slot[:-1])
        return cls(stay[first], slot[first], np.add.reduceat(kw, np.flatnonzero(first)))

    @classmethod
    def empty(cls) -> "Plan":
        """The plan in which nobody charges."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0))
