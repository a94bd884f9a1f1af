"""The order of a person's trips within the day, and their minutes within time bins.

ActivitySim gives the bin in which a trip departs. Trips of one bin are put in the order
in which each begins where the one before ended, as far as there is one; then minutes
are drawn uniformly in the bin, in that order.
"""

import numpy as np

PASSES = 6


def chain_order(
    person: np.ndarray,
    bin_start: np.ndarray,
    tie: np.ndarray,
    origin: np.ndarray,
    destination: np.ndarray,
    home: np.ndarray,
) -> np.ndarray:
    """Rows in the order of the day.

    Sorted by person, bin and `tie`; then neighbours within a bin change places where
    that mends more links of the chain than it breaks.

    Arguments:
        person, tie: codes; the result does not depend on the order of the rows as
            long as no two rows have the same of both.
        bin_start: start of the time bin [s].
        origin, destination, home: zone codes; home negative where it is not known.
    """
    order = np.lexsort((tie, bin_start, person))
    if len(order) < 2:
        return order
    for turn in range(3 * PASSES):
        i = np.arange(turn % 3, len(order) - 1, 3)
        a, b = order[i], order[i + 1]
        same = (person[a] == person[b]) & (bin_start[a] == bin_start[b])
        i, a, b = i[same], a[same], b[same]
        if not len(i):
            continue
        before = order[np.maximum(i - 1, 0)]
        has_before = (i > 0) & (person[before] == person[a])
        after = order[np.minimum(i + 2, len(order) - 1)]
        has_after = (i + 2 < len(order)) & (person[after] == person[a])
        start = np.where(has_before, destination[before], home[a])
        known = has_before | (home[a] >= 0)

        def broken(first, second, start=start, known=known, end=after, on=has_after):
            links = (destination[first] != origin[second]).astype(int)
            links += known & (start != origin[first])
            return links + (on & (destination[second] != origin[end]))

        swap = broken(b, a) < broken(a, b)
        order[i[swap]], order[i[swap] + 1] = b[swap], a[swap]
    return order


def draw_seconds(
    person: np.ndarray, bin_start: np.ndarray, bin_seconds: int, seed: int
) -> np.ndarray:
    """Departures in whole seconds, uniform in the bins and increasing in each of them.

    Arguments:
        person, bin_start: of trips in the order of the day.
        bin_seconds: length of a bin [s].
        seed: of the draw.
    """
    rng = np.random.default_rng([seed, len(person)])
    drawn = (rng.random(len(person)) * bin_seconds).astype(np.int64)
    new = np.ones(len(person), bool)
    new[1:] = (person[1:] != person[:-1]) | (bin_start[1:] != bin_start[:-1])
    group = np.cumsum(new)
    # Sorting by group and value puts each group's draws in order in its own rows.
    return bin_start + drawn[np.lexsort((drawn, group))]
