"""Places in the order of a Hilbert curve: what is near on the line is near on the map.

Reference: Hilbert 1891, Ueber die stetige Abbildung einer Linie auf ein
Flaechenstueck, doi 10.1007/BF01199431; the walk over bits is the usual one.
"""

import numpy as np

BITS = 12


def hilbert_place(x: np.ndarray, y: np.ndarray, bits: int = BITS) -> np.ndarray:
    """Place on the curve through the grid of 2^bits x 2^bits cells.

    Arguments:
        x, y: column and row of the cell, whole numbers in [0, 2^bits), (n,).
    """
    x, y = np.array(x, np.int64), np.array(y, np.int64)
    place = np.zeros(x.shape, np.int64)
    last = (1 << bits) - 1
    for bit in range(bits - 1, -1, -1):
        right, up = (x >> bit) & 1, (y >> bit) & 1
        place += ((3 * right) ^ up) << (2 * bit)
        # A lower quadrant is passed through turned, the right one backwards as well
        mirrored = (up == 0) & (right == 1)
        x, y = np.where(mirrored, last - x, x), np.where(mirrored, last - y, y)
        x, y = np.where(up == 0, y, x), np.where(up == 0, x, y)
    return place


def along_curve(points: np.ndarray) -> np.ndarray:
    """Row numbers of points, complex, in the order of the curve around them."""
    if not len(points):
        return np.empty(0, np.int64)
    x, y = np.real(points), np.imag(points)
    x, y = x - x.min(), y - y.min()
    size = max(float(x.max()), float(y.max()), 1e-9)
    cells = [
        np.minimum((c / size * 2**BITS).astype(np.int64), 2**BITS - 1) for c in (x, y)
    ]
    return np.argsort(hilbert_place(*cells), kind="stable")
