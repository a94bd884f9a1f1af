"""How far the load of a schedule may be from that of the best responses to its prices.

With `Smoothing(epsilon)` a vehicle's cost is strongly convex, so its best response u*
is unique, and its schedule u has a regret of at least epsilon / 2 |u - u*|^2. All
regrets together are at most the gap, objective - lower bound. So, by Cauchy-Schwarz in
every cell c of a feeder f, with a_n = 1 / (efficiency_n slot hours),

    sum_n weight_n |u_n - u*_n|^2 <= 2 gap / epsilon
    |P_c - P*_c| <= sqrt(2 gap / m_f)
    m_f = epsilon / max_c sum_(n in c) weight_n a_n^2          [currency/kW^2]

with the modulus m_f, and the same bounds the Euclidean norm over all
cells of the feeder. The difference falls with the root of the gap: a hundredth of the
gap is a tenth of the difference. Without smoothing responses are a matter of ties.
"""

import numpy as np

from macjax.fleet.packing import Fleet


def clearing_bound(scenario, fleet: Fleet, epsilon: float, gap: float) -> np.ndarray:
    """sqrt(2 gap / m_f) of every feeder, shape (F,) [kW]; NaN without smoothing.

    Arguments:
        scenario: gives weights, efficiencies and slots.
        fleet: its packing, which knows the charging stays.
        epsilon: of the smoothing [currency/kWh^2].
        gap: objective - lower bound [currency].
    """
    feeders, slots = len(scenario.feeders), scenario.slots
    if not epsilon > 0:
        return np.full(feeders, np.nan)
    chains = fleet.chains
    at = np.flatnonzero(chains.feeder >= 0)
    vehicle, feeder = chains.vehicle[at], chains.feeder[at].astype(np.int64)
    weight = scenario.vehicles["weight"].to_numpy(np.float64)
    efficiency = scenario.vehicles["charge_efficiency"].to_numpy(np.float64)
    share = (weight / (efficiency * scenario.slot_hours) ** 2)[vehicle]
    # A stay counts from its first slot to its last: up at one, down after the other.
    first = np.floor(chains.begin[at]).astype(np.int64)
    after = np.maximum(np.ceil(chains.end[at]).astype(np.int64), first + 1)
    width = slots + 1
    turns = np.bincount(feeder * width + first, share, feeders * width)
    turns -= np.bincount(feeder * width + after, share, feeders * width)
    most = turns.reshape(feeders, width).cumsum(axis=1).max(axis=1, initial=0.0)
    return np.sqrt(2 * max(gap, 0.0) / epsilon * np.maximum(most, 0.0))
