"""The cheapest charging in a tube when every opportunity has its own price rank.

For strict ranks the optimum is bang-bang: on each run of stays between places where the
tube binds there is a marginal rank a; opportunities ranked below a are full, those
above are empty, and the one of rank a makes the sum meet the tube. The marginal ranks
are found by divide and conquer, all stays of all vehicles at once. With the threshold c
in the middle of a stay's interval of ranks and R_k(c) = sum of most_j, rank_j < c,

    Phi_k = clip(Phi_{k-1} + R_k(c), l_k, h_k)                     going forwards
    [a_k >= c] = 1 if Phi_{k-1} + R_k < l_k,  0 if > h_k,
                 else [a_{k+1} >= c]                               going backwards

Where neighbours part, the tube binds between them: at l_k if a_k is the higher one, at
h_k if it is the lower one. log2(opportunities) rounds leave one rank to every stay.
"""

import numpy as np

from macjax.fleet.opportunities import kth_stays


def least_rank_charge(most, price, stay, first, low, high) -> np.ndarray:
    """Minimise sum price_j u_j over 0 <= u <= most, low_k <= S_k <= high_k.

    S_k is the running sum up to the end of stay k of the same vehicle. Equal prices are
    taken in the order given, and at price 0 not charging comes first. The opportunities
    of a vehicle share one efficiency, so its factor in the price may be left out.

    Arguments:
        most: shape (opportunities,) [kWh].
        price: shape (opportunities,), any sign.
        stay: stay of each opportunity, nondecreasing, shape (opportunities,).
        first: first stay of each vehicle and the number of stays, (vehicles + 1,).
        low, high: bounds that full power can meet, nondecreasing within a vehicle,
            shape (stays,) [kWh].

    Returns:
        u, shape (opportunities,) [kWh].
    """
    if not len(most):
        return np.zeros(0)
    vehicles = len(first) - 1
    owner = np.repeat(np.arange(vehicles), np.diff(first))
    # Charging nothing more is one more opportunity, of price 0, in a stay of its own at
    # the end, whose running sum is fixed: so every run has a target and no end is free.
    spare_stay = first[1:] + np.arange(vehicles)
    has = np.diff(first) > 0
    spare = np.zeros(vehicles)
    spare[has] = high[first[1:][has] - 1]
    low = np.insert(low, first[1:], spare)
    high = np.insert(high, first[1:], spare)
    chain = first + np.arange(vehicles + 1)

    most = np.concatenate([spare, most])
    price = np.concatenate([np.zeros(vehicles), price])
    vehicle = np.concatenate([np.arange(vehicles), owner[stay]])
    stay = np.concatenate([spare_stay, stay + owner[stay]])
    rank, count = _ranks(vehicle, price, vehicles)
    marginal, low = _marginal_ranks(rank, most, stay, chain, low, high, count)
    return _fill(rank, most, stay, chain, marginal, low)[vehicles:]


def _ranks(vehicle, price, vehicles):
    """Rank of each opportunity in its vehicle, by price and then as given."""
    order = np.lexsort((price, vehicle))
    count = np.bincount(vehicle, minlength=vehicles)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    return rank, count


def _marginal_ranks(rank, most, stay, chain, low, high, count):
    """Marginal rank of each stay, and S_k where it differs from that of the next."""
    stays = chain[-1]
    ladder = list(kth_stays(np.diff(chain), chain[:-1]))
    low, high = low.copy(), high.copy()
    bottom = np.zeros(stays, np.int64)
    top = np.repeat(count, np.diff(chain))
    parted = np.zeros(stays, bool)
    parted[chain[1:] - 1] = True
    wanted = np.empty(stays)
    reached = np.empty(stays)
    while True:
        undecided = top - bottom > 1
        if not undecided.any():
            return bottom, low
        middle = (bottom + top) // 2
        below = np.where(rank < middle[stay], most, 0.0)
        room = np.bincount(stay, below, stays)
        for k, at in enumerate(ladder):
            wanted[at] = room[at] + reached[at - 1] if k else room[at]
            reached[at] = np.clip(wanted[at], low[at], high[at])
        short, over = wanted < low, (wanted > high) | parted
        above = short.copy()
        for at in reversed(ladder):
            inner = at[~(short[at] | over[at])]
            above[inner] = above[inner + 1]
        bottom = np.where(undecided & above, middle, bottom)
        top = np.where(undecided & ~above, middle, top)
        parting = np.flatnonzero(~parted[:-1] & (above[:-1] != above[1:]))
        parting = parting[undecided[parting]]
        target = np.where(above[parting], low[parting], high[parting])
        low[parting] = high[parting] = target
        parted[parting] = True


def _fill(rank, most, stay, chain, marginal, target):
    """Charge below the marginal rank in full, and at it what the target needs."""
    full = rank < marginal[stay]
    room = np.bincount(stay, np.where(full, most, 0.0), chain[-1])
    new_run = np.diff(marginal, prepend=-1) != 0
    new_run[chain[:-1]] = True
    start = np.flatnonzero(new_run)
    end = np.append(start[1:], chain[-1]) - 1
    entered = np.append(0.0, target[end[:-1]])
    entered[np.isin(start, chain[:-1], assume_unique=True)] = 0.0
    missing = target[end] - entered - np.add.reduceat(room, start)
    run = np.cumsum(new_run) - 1
    at_margin = np.clip(missing[run[stay]], 0.0, most)
    return np.where(full, most, np.where(rank == marginal[stay], at_margin, 0.0))
