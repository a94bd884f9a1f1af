"""The price p** that reproduces itself: p** = c'(d + D(p**)).

Semismooth Newton steps from a nearby price. A step counts only if it halves the best
residual so far; else the price moves by an iteration that contracts. There are only so
many halvings down to rounding, and between them the iteration converges: so this finds
p** from anywhere, and near it, where no EV changes its active slots, in a step or two.
"""

import numpy as np

from macjax.coordination.iteration import Market, programs

MOST_STEPS = 400
PATIENCE = 3  # plain moves in a row that do not improve the price: rounding is reached
ROUNDING = 64 * float(np.finfo(np.float64).eps)


def fixed_point(market: Market, price: np.ndarray, start, step: float):
    """p** [currency/kWh] and ||P(p**) - p**||_1, as near as rounding allows.

    Arguments:
        market: the EVs, the other demand and the cost.
        price: where to begin.
        start: A of the EVs at that price.
        step: eta with which the iteration contracts.
    """
    newton = programs()["newton_step"]
    best, least, since = price, np.inf, 0
    base, jump = price, None
    for _ in range(MOST_STEPS):
        pull, jumped, start = newton(market, price, start)
        pull = np.asarray(pull)
        size = float(np.abs(pull).sum())
        if jump is not None and not size <= 0.5 * least:
            price, jump = base, None  # the step did not pay: move plainly instead
            continue
        if size < least:
            since = 0 if size < 0.5 * least else since + 1
            best, least = price, size
        else:
            since += 1
        if since >= PATIENCE or least <= ROUNDING * np.abs(price).sum():
            break
        base, jump = price + step * pull, np.asarray(jumped)
        price = jump if np.isfinite(jump).all() else base
    return best, least
