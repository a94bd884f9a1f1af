"""Charging chains, random and nasty, and slow obvious references for them in NumPy.

A chain has K pieces of S opportunities, and V vehicles side by side:

    min sum_ks (u - center)^2 / (2 gain),   least <= u <= most,
    lower_k <= S_k <= upper_k,   S_k = sum of u up to piece k.
"""

from typing import NamedTuple

import clarabel
import numpy as np
from scipy import sparse


class Chain(NamedTuple):
    """Vehicles of one shape; `inside` is a point of the set (k, s, v).

    center, gain, least, most are (k, s, v), lower and upper (k, v), all [kWh] but the
    gain [kWh per unit of price].
    """

    center: np.ndarray
    gain: np.ndarray
    least: np.ndarray
    most: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    inside: np.ndarray

    def astype(self, dtype) -> "Chain":
        return Chain(*(a.astype(dtype) for a in self))

    def rounding(self) -> np.ndarray:
        """Size of the numbers that are added up for each vehicle [kWh], (v,)."""
        finite = [np.where(np.isfinite(b), np.abs(b), 0) for b in self[4:6]]
        largest = np.abs(self.center).max((0, 1)) + np.abs(self.most).max((0, 1))
        return largest + finite[0].max(0) + finite[1].max(0) + 1e-300


def sums(u: np.ndarray) -> np.ndarray:
    """S_k, shape (k, v)."""
    return np.cumsum(u.sum(axis=1), axis=0)


# -- random chains -----------------------------------------------------------------

KINDS = (
    "plain", "same_gain", "spread_gain", "ties", "no_room", "equal", "tight",
    "full_power", "loose", "lower_only", "upper_only", "far", "shifted", "tiny",
    "huge", "cheap", "dear", "prices_apart", "hair",
)  # fmt: skip
SHAPES = ((1, 1), (5, 4), (12, 2), (6, 16))


def limits(begin, end, slot_kwh, slots) -> np.ndarray:
    """slot_kwh times the overlap of [begin, end] with each slot, (k, s, v) [kWh]."""
    slot = np.arange(slots)[:, None]
    overlap = np.minimum(end[:, None], slot + 1) - np.maximum(begin[:, None], slot)
    return slot_kwh[:, None] * np.clip(overlap, 0, 1)


def stays(rng, kind, k, s, v):
    """begin, end [slots] and slot_kwh [kWh] of each piece, (k, v)."""
    begin = rng.random((k, v)) * (rng.random((k, v)) < 0.5)
    end = np.maximum(s - rng.random((k, v)) * (rng.random((k, v)) < 0.5), begin)
    short = rng.random((k, v)) < 0.3
    end = np.where(short, begin + (end - begin) * rng.random((k, v)), end)
    power = rng.choice([1.2, 3.6, 7.2, 11.0, 50.0], (k, v))
    power[rng.random((k, v)) < 0.15] = 0.0
    if kind == "no_room":
        power[:, ::2] = 0.0
    if kind == "ties":
        begin, end, power = np.zeros((k, v)), np.full((k, v), float(s)), np.round(power)
    return begin, end, power


def random_chain(kind: str, seed: int, k: int, s: int, v: int = 64):
    """A chain of a kind, and the begin, end and slot_kwh that make its limits."""
    rng = np.random.default_rng([seed, KINDS.index(kind), k, s])
    made = stays(rng, kind, k, s, v)
    most = limits(*made, s)
    size = max(most.max(), 1.0)
    center = rng.normal(0.3, 1.0, most.shape) * np.maximum(most, 1.0)
    gain = 10 ** rng.uniform(-1, 1, most.shape)
    share = rng.random(most.shape) * rng.random((1, 1, v))
    if kind == "same_gain":
        gain = np.ones(most.shape)
    if kind in ("spread_gain", "prices_apart"):
        gain = 10 ** rng.uniform(-3, 3, most.shape)
    if kind == "prices_apart":
        center = center * gain / gain.mean()
    if kind == "ties":
        center, gain, share = np.round(center), np.ones(most.shape), np.round(share)
    if kind == "full_power":
        share = np.ones(most.shape)
    if kind == "far":
        center = center * 1e3
    if kind == "shifted":
        center = center + 1e3 * size * rng.normal(0, 1, (1, 1, v))
    inside = share * most
    lower, upper = tube_around(rng, kind, sums(inside), size)
    chain = Chain(center, gain, 0 * most, most, lower, upper, inside)
    return scaled(kind, chain, made)


def tube_around(rng, kind, path, size):
    """A tube that holds a path S (k, v), bounds missing here and there."""
    gap = size * 10 ** rng.uniform(-2, 0.5, (1, path.shape[1]))
    lower = path - gap * rng.exponential(1, path.shape)
    upper = path + gap * rng.exponential(1, path.shape)
    if kind == "ties":
        lower, upper = np.floor(lower), np.ceil(upper)
    if kind in ("tight", "prices_apart"):
        binding = rng.random(path.shape) < 0.5
        lower, upper = np.where(binding, path, lower), np.where(binding, path, upper)
    if kind in ("equal", "full_power"):
        return path, path
    if kind == "hair":  # narrow tubes, some empty by a rounding
        flip = rng.choice([-1.0, 0.0, 1.0], path.shape)
        return path * (1 + flip * 2e-16), path
    lower = np.maximum(lower, 0) if kind == "plain" else lower
    lower[rng.random(path.shape) < 0.3] = -np.inf
    upper[rng.random(path.shape) < 0.3] = np.inf
    if kind in ("loose", "upper_only"):
        lower[:] = -np.inf
    if kind in ("loose", "lower_only"):
        upper[:] = np.inf
    return lower, upper


def scaled(kind, chain: Chain, made):
    """The chain in other units of energy or price."""
    energy = {"tiny": 1e-6, "huge": 1e6}.get(kind, 1.0)
    price = {"cheap": 1e6, "dear": 1e-6}.get(kind, 1.0)
    names = ("center", "least", "most", "lower", "upper", "inside")
    parts = {name: getattr(chain, name) * energy for name in names}
    begin, end, power = made
    gain = chain.gain * energy * price
    return chain._replace(gain=gain, **parts), (begin, end, power * energy)


# -- optimality conditions -----------------------------------------------------------


class Residuals(NamedTuple):
    """Violations of the optimality conditions, each (v,) [kWh].

    bounds: of least, most and the tube. response: |u - r(shadow)|. slackness: where
    the price falls without a lower bound or rises without an upper bound, the smaller
    of the distance to that bound and the energy that the change of price moves.
    """

    bounds: np.ndarray
    response: np.ndarray
    slackness: np.ndarray

    def worst(self, size) -> float:
        """The largest of all, relative to `size` (v,)."""
        return max(float((part / size).max()) for part in self)


def residuals(chain: Chain, u, shadow, response=None) -> Residuals:
    """Optimality conditions of u with shadow prices (k, v)."""
    path = sums(u)
    tube = np.maximum(chain.lower - path, path - chain.upper).max(0)
    box = np.maximum(chain.least - u, u - chain.most).max((0, 1))
    if response is None:
        raw = chain.center + shadow[:, None] * chain.gain
        answer = np.clip(raw, chain.least, chain.most)
        steepest = chain.gain.max((0, 1))
    else:
        answer, steepest = response
    fall = shadow - np.concatenate([shadow[1:], np.zeros_like(shadow[:1])])
    away = np.where(fall > 0, np.abs(path - chain.lower), np.abs(path - chain.upper))
    slack = np.minimum(away, np.abs(fall) * steepest).max(0)
    return Residuals(
        np.maximum(np.maximum(tube, box), 0), np.abs(u - answer).max((0, 1)), slack
    )


# -- references ------------------------------------------------------------------------


def slow_shadow(total, lower, upper, low, high) -> np.ndarray:
    """Shadow prices by the recursion of dynamic programming, with bisections.

    Phi_k(price) = clip(Phi_{k-1}(price) + R_k(price), lower_k, upper_k) is the energy
    that a vehicle holds after piece k if energy is worth `price` then. From the end,
    where energy is worth nothing, backwards: S_K = Phi_K(0); lambda_k is the root of
    Phi_{k-1} + R_k = S_k; S_{k-1} = Phi_{k-1}(lambda_k).

    Arguments:
        total: (k, price (v,)) -> R_k (v,), nondecreasing.
        low, high: prices between which all roots are (v,).
    """
    pieces, vehicles = lower.shape

    def reach(k, price):
        """Phi_{k-1}(price) + R_k(price)."""
        held = np.zeros(vehicles)
        for i in range(k):
            held = np.clip(held + total(i, price), lower[i], upper[i])
        return held + total(k, price)

    shadow = np.zeros((pieces, vehicles))
    behind = np.zeros(vehicles)
    target = np.clip(reach(pieces - 1, behind), lower[-1], upper[-1])
    for k in reversed(range(pieces)):
        here = reach(k, behind)
        a = np.where(here < target, behind, low)
        b = np.where(here > target, behind, high)
        a, b = np.where(here == target, behind, a), np.where(here == target, behind, b)
        for _ in range(200):
            middle = 0.5 * (a + b)
            if np.all((middle <= a) | (middle >= b)):
                break
            too_much = reach(k, middle) > target
            a, b = np.where(too_much, a, middle), np.where(too_much, middle, b)
        shadow[k] = behind = 0.5 * (a + b)
        target = reach(k, behind) - total(k, behind)
    return shadow


def slow_projection(chain: Chain) -> np.ndarray:
    """u by `slow_shadow`."""

    def answer(k, price):
        return np.clip(
            chain.center[k] + price * chain.gain[k], chain.least[k], chain.most[k]
        )

    low = ((chain.least - chain.center) / chain.gain).min((0, 1))
    high = ((chain.most - chain.center) / chain.gain).max((0, 1))
    shadow = slow_shadow(
        lambda k, price: answer(k, price).sum(0),
        chain.lower,
        chain.upper,
        np.minimum(low, 0) - 1e-3 * np.abs(low),
        np.maximum(high, 0) + 1e-3 * np.abs(high),
    )
    return np.stack([answer(k, price) for k, price in enumerate(shadow)])


class Witness(NamedTuple):
    """Answer of clarabel for one vehicle: bounds on the optimum and its residual."""

    best: float
    worst: float
    u: np.ndarray


def witness(chain: Chain, vehicle: int) -> Witness:
    """The projection of one vehicle as a QP for clarabel."""
    one = [a[..., vehicle] for a in chain]
    center, gain, least, most = (a.ravel() for a in one[:4])
    lower, upper = one[4:6]
    n, k = center.size, len(lower)
    slots = n // k
    running = sparse.csr_matrix(np.repeat(np.tri(k), slots, axis=1))
    high, low = np.isfinite(upper), np.isfinite(lower)
    eye = sparse.identity(n, format="csr")
    rows = sparse.vstack([eye, -eye, running[high], -running[low]], format="csc")
    right = np.concatenate([most, -least, upper[high], -lower[low]])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    quadratic = sparse.diags(1 / gain, format="csc")
    linear = -center / gain
    cones = [clarabel.NonnegativeConeT(len(right))]
    solver = clarabel.DefaultSolver(quadratic, linear, rows, right, cones, settings)
    found = solver.solve()
    constant = 0.5 * (center**2 / gain).sum()
    size = abs(found.obj_val) + abs(found.obj_val_dual) + constant
    residual = (found.r_prim + found.r_dual + 1e-12) * size
    return Witness(
        min(found.obj_val, found.obj_val_dual) + constant - residual,
        max(found.obj_val, found.obj_val_dual) + constant + residual,
        np.array(found.x).reshape(one[0].shape),
    )


def distance(chain: Chain, u) -> np.ndarray:
    """sum (u - center)^2 / (2 gain) of each vehicle (v,)."""
    return ((u - chain.center) ** 2 / (2 * chain.gain)).sum((0, 1))


def random_points(chain: Chain, seed: int, steps: int = 30) -> list[np.ndarray]:
    """Points of the set by hit and run from `inside`, half of them on its boundary."""
    rng = np.random.default_rng(seed)
    u, points = chain.inside, []
    for step in range(steps):
        move = rng.normal(0, 1, u.shape) * (chain.most - chain.least)
        move *= rng.random(u.shape) < rng.choice([0.1, 1.0])
        if step % 3 == 0:  # towards the center
            move = chain.center - u
        room = np.inf * np.ones(u.shape[-1])
        path, change = sums(u), sums(move)
        for at, way, low, high in (
            (u, move, chain.least, chain.most),
            (path, change, chain.lower, chain.upper),
        ):
            with np.errstate(divide="ignore", invalid="ignore"):
                steps_to = np.where(way > 0, (high - at) / way, (low - at) / way)
            steps_to = np.where(way == 0, np.inf, steps_to)
            axes = tuple(range(at.ndim - 1))
            room = np.minimum(room, steps_to.min(axes))
        length = np.maximum(np.where(np.isfinite(room), room, 1), 0)
        length *= rng.choice([rng.random(), 1.0 - 1e-12])
        u = np.clip(u + length * move, chain.least, chain.most)
        points.append(u)
    return points
