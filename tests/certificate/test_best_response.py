"""Shadow prices of one chain: the dual value equals the primal optimum."""

import highspy
import numpy as np
import pytest

from macjax.certificate.best_response import dual_value, shadow_prices
from macjax.certificate.chains import Chains
from macjax.certificate.opportunities import Opportunities
from macjax.certificate.smooth_response import smooth_dual_value, smooth_shadow_prices


def random_chains(seed):
    """Many small chains with ties, empty rooms and forced charging."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 7, 60)
    chains = Chains(counts)
    stays = chains.size
    count = rng.integers(1, 6, stays)
    start = np.cumsum(count) - count
    size = int(count.sum())
    most = rng.choice([0.0, 1.0, 2.0, 2.5], size)
    give = np.add.reduceat(most, start)
    # A tube around some feasible path.
    path = chains.cumsum(give * rng.choice([0.0, 0.3, 0.7, 1.0], stays))
    below = rng.choice([0.0, 0.5, 3.0], stays)
    lower = chains.running_max(path - below, 0.0)
    upper = path + rng.choice([0.0, 0.5, 4.0], stays)
    # Nondecreasing from the back: the least of what follows.
    for here, after in chains.back_steps():
        upper[here] = np.minimum(upper[here], upper[after])
    upper = np.maximum(upper, lower)
    price = rng.choice([-1.0, 0.0, 0.0, 0.5, 1.0, 2.0], size)
    price += rng.choice([0.0, 1.0]) * rng.normal(size=size)
    cut = Opportunities(np.arange(size, dtype=np.int32), most, start, count)
    return chains, cut, lower, upper, price


def cheapest(chains, cut, lower, upper, price) -> float:
    """HiGHS on all chains at once."""
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    for j, most in enumerate(cut.most):
        highs.addVar(0.0, most)
        highs.changeColCost(j, price[j])
    before = dict(zip(chains.second.tolist(), chains.first.tolist(), strict=True))
    for k in range(chains.size):
        columns, at = [], k
        while at is not None:
            columns += range(cut.start[at], cut.start[at] + cut.count[at])
            at = before.get(at)
        index = np.array(columns, np.int32)
        highs.addRow(lower[k], upper[k], len(index), index, np.ones(len(index)))
    highs.run()
    assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return highs.getInfo().objective_function_value


@pytest.mark.parametrize("seed", range(12))
def test_dual_value_is_the_primal_optimum(seed):
    chains, cut, lower, upper, price = random_chains(seed)
    values, rank = np.unique(np.append(price, 0.0), return_inverse=True)
    theta = shadow_prices(chains, cut, lower, upper, rank.astype(np.int32), values)
    size = np.ones(chains.size)
    gain, _ = dual_value(chains, cut, lower, upper, price, theta, size)
    optimum = cheapest(chains, cut, lower, upper, price)
    assert abs(gain.sum() - optimum) <= 1e-9 * (1 + abs(optimum))
    # Any other shadow prices give less.
    rng = np.random.default_rng(seed)
    for _ in range(5):
        other = theta + rng.normal(size=theta.shape) * rng.choice([0.01, 1.0])
        gain, _ = dual_value(chains, cut, lower, upper, price, other, size)
        assert gain.sum() <= optimum + 1e-9 * (1 + abs(optimum))


@pytest.mark.parametrize("seed", range(12))
def test_smooth_response_is_feasible_and_closes_the_gap(seed):
    chains, cut, lower, upper, price = random_chains(seed)
    bend = np.random.default_rng(seed).choice([1e-3, 0.1, 2.0], chains.size)
    for here, after in chains.back_steps():
        bend[here] = bend[after]
    size = np.full(chains.size, 10.0)
    theta = smooth_shadow_prices(chains, cut, lower, upper, price, bend, size)
    gain, _ = smooth_dual_value(chains, cut, lower, upper, price, bend, theta, size)
    each = np.repeat(bend, cut.count)
    u = np.clip((np.repeat(theta, cut.count) - price) / each, 0.0, cut.most)
    total = chains.cumsum(np.add.reduceat(u, cut.start))
    # The response to theta is the optimum itself, so the primal value is equal.
    assert (total >= lower - 1e-9).all()
    assert (total <= upper + 1e-9).all()
    cost = (price * u + 0.5 * each * u**2).sum()
    assert abs(gain.sum() - cost) <= 1e-9 * (1 + abs(cost))


def test_no_chains():
    chains = Chains(np.zeros(3, int))
    none = np.empty(0)
    cut = Opportunities(np.empty(0, np.int32), none, np.empty(0, int), np.empty(0, int))
    rank, values = np.zeros(1, np.int32), np.zeros(1)
    assert len(shadow_prices(chains, cut, none, none, rank, values)) == 0
    assert len(smooth_shadow_prices(chains, cut, none, none, none, none, none)) == 0
    assert dual_value(chains, cut, none, none, none, none, none)[0].sum() == 0
