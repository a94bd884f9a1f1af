"""Random numbers that belong to things and not to their place in a sequence.

A draw is a function of the seed, of what is drawn, and of the ids of the thing it is
drawn for: a car has the same week whether it is built alone, in a sample or with all
others, and in whatever order. The k-th key leads to the k-th output of SplitMix64
seeded by what the keys before led to:

    s <- mix(s + (key + 1) golden ratio),  mix the finaliser of SplitMix64.

Reference: Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators,
doi 10.1145/2660193.2660195.
"""

import zlib

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def _mix(state: np.ndarray) -> np.ndarray:
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))


class Draws:
    """The random numbers of one seed."""

    def __init__(self, seed: int):
        self.seed = int(seed)

    def bits(self, what: str, *keys) -> np.ndarray:
        """64 random bits, uint64, for each combination of the keys.

        Arguments:
            what: name of the quantity; another name gives independent numbers.
            keys: ids, whole numbers or arrays of them that broadcast.
        """
        state = np.atleast_1d(np.uint64(self.seed & (2**64 - 1)))
        keys = (zlib.crc32(what.encode()), *keys)
        with np.errstate(over="ignore"):
            for key in keys:
                key = np.atleast_1d(np.asarray(key)).astype(np.int64).view(np.uint64)
                state = _mix(state + (key + np.uint64(1)) * _GOLDEN)
        return state

    def uniform(self, what: str, *keys) -> np.ndarray:
        """Uniform on [0, 1), float64; arguments as for `bits`."""
        return (self.bits(what, *keys) >> np.uint64(11)) * 2.0**-53

    def normal(self, what: str, *keys) -> np.ndarray:
        """Standard normal, float64, by Box and Muller; arguments as for `bits`."""
        radius = np.sqrt(-2 * np.log1p(-self.uniform(what, *keys)))
        return radius * np.cos(2 * np.pi * self.uniform(what + " angle", *keys))
