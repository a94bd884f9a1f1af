"""Shadow prices of every vehicle's cheapest charging when charging costs b/2 u^2 too.

With a smoothing term the opportunity gives u_j(theta) = clip((theta - p_j) / b, 0,
most_j), R_k(theta) is their sum over stay k, and the dual of `best_response` becomes

    max_theta  sum_j min_{0<=u<=most_j} [ (p_j - theta) u + b/2 u^2 ]
               + sum_k min_{l_k <= s <= h_k} (theta_k - theta_{k+1}) s.

Its level sets obey the same recursion, with theta now any real number. Runs of stays
that are not parted yet share one trial price c. Testing it gives the least and the
largest level set; stays that are in the one and not in the other have theta = c, the
others part into those above and those below. The next trial price of a run is where
it would take exactly what the tube asks of it from end to end (a Newton step from c),
or the middle of its interval where that lies outside or the interval shrinks slowly.
"""

import numpy as np

from macjax.certificate.best_response import theta_drop
from macjax.certificate.chains import Chains
from macjax.certificate.opportunities import Opportunities

MOST_PASSES = 100
PATIENCE = 4
TIE = 64 * float(np.finfo(np.float64).eps)


def smooth_shadow_prices(
    chains: Chains,
    opportunities: Opportunities,
    lower: np.ndarray,
    upper: np.ndarray,
    price: np.ndarray,
    curvature: np.ndarray,
    size: np.ndarray,
) -> np.ndarray:
    """theta of every stay.

    Arguments:
        chains: layout of the stays.
        opportunities: of these stays.
        lower, upper: tube at the end of each stay [kWh].
        price: price of each opportunity.
        curvature: b of each stay > 0, in price per kWh.
        size: magnitude of the numbers that the tube was computed from [kWh].

    Returns:
        theta, shape (stays,), in the unit of `price`; exact to rounding where the
        passes suffice, and near it otherwise.
    """
    if chains.size == 0:
        return np.zeros(0)
    lower, upper = lower.copy(), upper.copy()
    # Differences of prices are divided by b: their rounding counts too.
    tie = TIE * (size + np.abs(price).max() / curvature)
    first, second = chains.first, chains.second
    dearest = price + np.repeat(curvature, opportunities.count) * opportunities.most
    trial = np.zeros(chains.size)
    low = np.full(chains.size, 2 * min(price.min(), 0.0) - curvature.max())
    high = np.full(chains.size, 2 * max(dearest.max(), 0.0) + curvature.max())
    widths = [high - low] * PATIENCE
    joined = np.ones(len(first), bool)
    settled = np.zeros(chains.size, bool)
    for _ in range(MOST_PASSES):
        taken, slope = _response(opportunities, price, curvature, trial)
        above, atleast = _level_sets(chains, taken, lower, upper, trial, tie)
        settled |= atleast & ~above
        if settled.all():
            break
        low = np.where(above & ~settled, trial, low)
        high = np.where(~atleast & ~settled, trial, high)
        order = above.astype(np.int8) + atleast
        parted = joined & (order[first] != order[second])
        joined &= ~parted
        falls = order[first] > order[second]
        _bind(lower, upper, first[parted], falls[parted])
        # The first trial price is theta_{K+1} = 0, so that every last stay is
        # bound, or settled, from the first pass on.
        ends = chains.last[~settled[chains.last]]
        _bind(lower, upper, ends, above[ends])
        step = _newton(chains, taken, slope, lower, joined, trial)
        slow = (high - low) > 0.5 * widths[0]
        widths = [*widths[1:], high - low]
        guess = np.where((step > low) & (step < high) & ~slow, step, 0.5 * (low + high))
        trial = np.where(settled, trial, guess)
    return trial


def _response(opportunities: Opportunities, price, curvature, trial):
    """R_k and its slope at one trial price a stay, shape (stays,) each."""
    count, start = opportunities.count, opportunities.start
    taken = (np.repeat(trial, count) - price) / np.repeat(curvature, count)
    inner = (taken > 0) & (taken < opportunities.most)
    taken = np.minimum(np.maximum(taken, 0.0), opportunities.most)
    slope = np.add.reduceat(inner.astype(np.float64), start) / curvature
    return np.add.reduceat(taken, start), slope


def _level_sets(chains: Chains, taken, lower, upper, trial, tie):
    """Least and largest answer to [theta_k > c] of every stay."""
    reach = taken.copy()
    total = np.zeros(chains.rows)
    for here in chains.steps():
        reach[here] += total[: here.stop - here.start]
        total = np.minimum(np.maximum(reach[here], lower[here]), upper[here])
    sets = []
    for sign, end in ((-1, trial < 0), (1, trial <= 0)):
        member = reach < lower + sign * tie
        follows = reach < upper + sign * tie
        member[chains.last] |= (end & follows)[chains.last]
        for inner, after in chains.back_steps():
            member[inner] |= member[after] & follows[inner]
        sets.append(member)
    return sets[0], sets[1]


def _bind(lower, upper, at, falls):
    """Fix the tube at `at`: at its lower end where theta falls behind it."""
    down, up = at[falls], at[~falls]
    upper[down] = lower[down]
    lower[up] = upper[up]


def _newton(chains: Chains, taken, slope, target, joined, trial) -> np.ndarray:
    """Newton's step of each run towards the energy it takes from end to end."""
    first, second = chains.first, chains.second
    sums = np.stack([taken, slope])
    sums[0, second] += np.where(joined, 0.0, target[first])
    link = np.zeros(chains.size)
    link[second] = joined
    before = None
    for here in chains.steps():
        if before is not None:
            previous = slice(before.start, before.start + here.stop - here.start)
            sums[:, here] += link[here] * sums[:, previous]
        before = here
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        step = trial - (sums[0] - target) / sums[1]
    goes_on = np.zeros(chains.size, bool)
    goes_on[first] = joined
    for inner, after in chains.back_steps():
        step[inner] = np.where(goes_on[inner], step[after], step[inner])
    return step


def smooth_dual_value(
    chains: Chains,
    opportunities: Opportunities,
    lower: np.ndarray,
    upper: np.ndarray,
    price: np.ndarray,
    curvature: np.ndarray,
    theta: np.ndarray,
    size: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The dual objective of every stay, and the size of what it was added up from.

    A lower bound, summed over a vehicle's stays, for any theta; arguments as in
    `smooth_shadow_prices`.
    """
    if chains.size == 0:
        return np.zeros(0), np.zeros(0)
    count, start = opportunities.count, opportunities.start
    margin = np.repeat(theta, count) - price
    bend = np.repeat(curvature, count)
    taken = np.clip(margin / bend, 0.0, opportunities.most)
    gain = np.add.reduceat(taken * (0.5 * bend * taken - margin), start)
    drop = theta_drop(chains, theta)
    kept = drop * np.where(drop > 0, lower, upper)
    # |b/2 u^2 - margin u| <= 2 (margin u - b/2 u^2) at the minimiser.
    return gain + kept, 3 * np.abs(gain) + np.abs(drop) * size
