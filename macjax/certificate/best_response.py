"""Shadow prices of every vehicle's cheapest charging at given prices, exactly.

A vehicle that pays p_j per kWh at opportunity j and must keep l_k <= S_k <= h_k at
the ends of its stays solves the dual of a linear program over one number a stay,

    max_theta  sum_j most_j min(0, p_j - theta_k(j))
               + sum_k min_{l_k <= s <= h_k} (theta_k - theta_{k+1}) s,
    theta_{K+1} = 0,

a total-variation problem whose level sets {theta >= c} solve problems in zeros and
ones: with R_k(c) = sum of most_j over the opportunities of stay k with p_j < c,

    Psi_k = Phi_{k-1} + R_k,   Phi_k = clip(Psi_k, l_k, h_k),   Phi_0 = 0,
    [theta_k >= c] = 1 if Psi_k < l_k,  0 if Psi_k > h_k,  else [theta_{k+1} >= c].

theta takes values among the prices. Level sets are nested, so every stay keeps an
interval of ranks of the distinct prices and all stays of all vehicles halve theirs in
one pass. Where the halves of two neighbours differ the tube binds between them, at
l_k if theta_k > theta_{k+1} and at h_k otherwise, and l_k = h_k from then on. After
log2(distinct prices) passes theta is exact.

References: Hochbaum 2001 (total variation by level sets); Groenevelt 1991
(decomposition of nested constraints).
"""

import numpy as np

from macjax.certificate.chains import Chains
from macjax.certificate.opportunities import Opportunities


def shadow_prices(
    chains: Chains,
    opportunities: Opportunities,
    lower: np.ndarray,
    upper: np.ndarray,
    cell_rank: np.ndarray,
    values: np.ndarray,
) -> np.ndarray:
    """theta of every stay for prices given by rank.

    Arguments:
        chains: layout of the stays.
        opportunities: of these stays.
        lower, upper: tube at the end of each stay [kWh].
        cell_rank: rank of each cell's price among `values`, shape (F T + 1,).
        values: the distinct prices, increasing, 0 among them [currency/kWh or per
            whatever the vehicle's own positive factor is].

    Returns:
        theta, shape (stays,), in the unit of `values`.
    """
    lower, upper = lower.copy(), upper.copy()
    zero = int(np.searchsorted(values, 0.0))
    passes = int(len(values) - 1).bit_length()
    supply = _Supply(opportunities, cell_rank)
    low = np.zeros(chains.size, np.int32)
    for step in range(passes - 1, -1, -1):
        half = 1 << step
        middle = low + np.int32(half)
        above = _level_set(chains, supply.below(middle), lower, upper, zero >= middle)
        # Neighbours with equal intervals and unequal answers part here.
        first, second = chains.first, chains.second
        parted = (low[first] == low[second]) & (above[first] != above[second])
        at = first[parted]
        down = above[at]
        upper[at[down]] = lower[at[down]]
        lower[at[~down]] = upper[at[~down]]
        low = np.where(above, middle, low)
    return values[np.minimum(low, len(values) - 1)]


class _Supply:
    """R_k(c): what the opportunities of each stay priced below a rank can give."""

    def __init__(self, opportunities: Opportunities, cell_rank: np.ndarray):
        start, count = opportunities.start, opportunities.count
        rank = cell_rank[opportunities.cell]
        # The lowest price is below every rank that is tested.
        kept = np.flatnonzero(rank)
        always = opportunities.most.copy()
        always[kept] = 0.0
        self.always = np.add.reduceat(always, start) if len(start) else always
        edges = np.searchsorted(kept, np.append(start, start[-1:] + count[-1:]))
        counts = np.diff(edges)
        self.stays = np.flatnonzero(counts)
        self.counts = counts[self.stays]
        self.start = edges[self.stays]
        self.rank, self.most = rank[kept], opportunities.most[kept]

    def below(self, rank: np.ndarray) -> np.ndarray:
        """R_k for one rank per stay, shape (stays,) [kWh]."""
        supply = self.always.copy()
        if len(self.stays):
            threshold = np.repeat(rank[self.stays], self.counts)
            given = self.most * (self.rank < threshold)
            supply[self.stays] += np.add.reduceat(given, self.start)
        return supply


def _level_set(chains: Chains, reach, lower, upper, end) -> np.ndarray:
    """[theta_k >= c] of every stay; `end` is [theta_{K+1} >= c], per stay.

    `reach` holds R_k and is overwritten by Psi_k.
    """
    total = np.zeros(chains.rows)
    for here in chains.steps():
        reach[here] += total[: here.stop - here.start]
        total = np.minimum(np.maximum(reach[here], lower[here]), upper[here])
    above = reach < lower
    follows = reach <= upper
    above[chains.last] |= (end & follows)[chains.last]
    for inner, after in chains.back_steps():
        above[inner] |= above[after] & follows[inner]
    return above


def dual_value(
    chains: Chains,
    opportunities: Opportunities,
    lower: np.ndarray,
    upper: np.ndarray,
    price: np.ndarray,
    theta: np.ndarray,
    size: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The dual objective of every stay, and the size of what it was added up from.

    Valid as a lower bound, summed over a vehicle's stays, for any theta.

    Arguments:
        chains, opportunities, lower, upper: as in `shadow_prices`.
        price: price of each opportunity.
        theta: shadow price of each stay.
        size: magnitude of the numbers that the tube was computed from [kWh].

    Returns:
        Dual value and its scale, shape (stays,) each.
    """
    if chains.size == 0:
        return np.zeros(0), np.zeros(0)
    margin = price - np.repeat(theta, opportunities.count)
    taken = opportunities.most * np.minimum(margin, 0.0)
    gain = np.add.reduceat(taken, opportunities.start)
    drop = theta_drop(chains, theta)
    kept = drop * np.where(drop > 0, lower, upper)
    return gain + kept, np.abs(gain) + np.abs(drop) * size


def theta_drop(chains: Chains, theta: np.ndarray) -> np.ndarray:
    """theta_k - theta_{k+1}, with 0 after the last stay, shape (stays,)."""
    drop = theta.copy()
    drop[chains.first] -= theta[chains.second]
    return drop
