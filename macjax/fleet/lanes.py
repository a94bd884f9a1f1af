"""Fill lanes of K rows with vehicles of different length, leaving few rows empty.

Bin packing over the histogram of lengths instead of over vehicles: a pattern takes the
longest vehicle that is left, fills up with the longest that still fit, and is repeated
as often as there are vehicles for it. There are about as many patterns as lengths.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Lanes:
    """Where each vehicle lies.

    Arguments:
        lane: lane of each vehicle, -1 for those without pieces.
        first_row: row of its first piece.
        count: lanes in use.
        rows: K.
    """

    lane: np.ndarray
    first_row: np.ndarray
    count: int
    rows: int


def fill_lanes(length: np.ndarray, rows: int) -> Lanes:
    """Place vehicles with `length` pieces each in lanes of `rows` rows.

    Lanes that hold the same pattern lie side by side, so that the vehicles of a block
    are much alike.
    """
    lane = np.full(len(length), -1, np.int64)
    first_row = np.zeros(len(length), np.int64)
    order = np.argsort(length, kind="stable")
    sizes, starts, left = np.unique(
        length[order], return_index=True, return_counts=True
    )
    taken, count = starts.copy(), 0
    left = np.where(sizes > 0, left, 0)
    while left.any():
        pattern = _pattern(sizes, left, rows)
        repeat = min(left[i] // many for i, many in pattern)
        row = 0
        for i, many in pattern:
            members = order[taken[i] : taken[i] + many * repeat].reshape(many, repeat)
            lane[members] = count + np.arange(repeat)
            first_row[members] = row + sizes[i] * np.arange(many)[:, None]
            taken[i] += many * repeat
            left[i] -= many * repeat
            row += sizes[i] * many
        count += int(repeat)
    return Lanes(lane, first_row, count, rows)


def _pattern(sizes, left, rows) -> list[tuple[int, int]]:
    """The longest that is left, then again and again the longest that still fits."""
    found, room, i = [], rows, len(sizes)
    while True:
        fits = np.flatnonzero((left[:i] > 0) & (sizes[:i] <= room))
        if len(fits) == 0:
            return found
        i = int(fits[-1])
        many = int(min(left[i], room // sizes[i]))
        found.append((i, many))
        room -= many * sizes[i]
