"""Rows of unequal length, stored step by step, so that loops run over steps alone.

Vehicle n has K_n charging stays. Sorted by K_n, longest first, all first stays are
stored one after the other, then all second stays, and so on: step k is the slice
`offsets[k]:offsets[k + 1]` and holds its rows in the same order as the step before
it. A recursion along the stays of every vehicle is then one vector operation a step,
and nothing is padded.
"""

from collections.abc import Iterator

import numpy as np


class Chains:
    """The layout of rows with `counts` elements each.

    Attributes:
        rows: how many rows there are.
        size: how many elements, N.
        offsets: where each step begins, shape (steps + 1,).
        row: the row of each element in step order, shape (N,).
        take: index of each element among the elements in row order, shape (N,).
        second: elements that have a predecessor, shape (N - first step,).
        first: the predecessors of `second`.
        last: the last element of each row that has any.
        last_row: the rows of `last`.
    """

    def __init__(self, counts: np.ndarray):
        counts = np.asarray(counts, np.int64)
        steps = int(counts.max(initial=0))
        self.rows = len(counts)
        self.size = int(counts.sum())
        by_length = np.argsort(-counts, kind="stable")
        # How many rows reach each step: rows with a count above it.
        shorter = np.cumsum(np.bincount(counts, minlength=steps + 1))
        sizes = self.rows - shorter[:steps]
        self.offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        start = np.cumsum(counts) - counts
        step = np.repeat(np.arange(steps, dtype=np.int32), sizes)
        rank = np.arange(self.size) - self.offsets[step]
        self.row = by_length[rank].astype(np.int32)
        self.take = (start[self.row] + step).astype(np.int32)
        self.second = np.arange(sizes[0] if steps else 0, self.size, dtype=np.int32)
        self.first = (self.second - sizes[step[self.second] - 1]).astype(np.int32)
        has_next = np.zeros(self.size, bool)
        has_next[self.first] = True
        self.last = np.flatnonzero(~has_next).astype(np.int32)
        self.last_row = self.row[self.last]

    def steps(self) -> Iterator[slice]:
        """The slices of the steps, first to last."""
        for begin, end in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield slice(int(begin), int(end))

    def back_steps(self) -> Iterator[tuple[slice, slice]]:
        """From the last step to the first: elements with a successor, successors."""
        steps = list(self.steps())
        for here, after in zip(steps[-2::-1], steps[:0:-1], strict=True):
            yield slice(here.start, here.start + _width(after)), after

    def cumsum(self, values: np.ndarray) -> np.ndarray:
        """Running sum along each row, shape (N,)."""
        total = np.array(values, np.float64)
        before = None
        for here in self.steps():
            if before is not None:
                total[here] += total[before.start : before.start + _width(here)]
            before = here
        return total

    def running_max(self, values: np.ndarray, least: float) -> np.ndarray:
        """Running maximum along each row, at least `least`, shape (N,)."""
        out = np.maximum(values, least)
        before = None
        for here in self.steps():
            if before is not None:
                previous = out[before.start : before.start + _width(here)]
                out[here] = np.maximum(out[here], previous)
            before = here
        return out

    def fill(self, most: np.ndarray, limit: np.ndarray) -> np.ndarray:
        """Greedy sums G_k = min(G_{k-1} + most_k, limit_k), G_0 = 0, shape (N,)."""
        reach = np.empty(self.size)
        total = np.zeros(self.rows)
        for here in self.steps():
            total = np.minimum(total[: _width(here)] + most[here], limit[here])
            reach[here] = total
        return reach

    def row_totals(self, values: np.ndarray) -> np.ndarray:
        """Sum of each row, 0 for rows without elements, shape (rows,)."""
        total = np.zeros(self.rows)
        total[self.last_row] = self.cumsum(values)[self.last]
        return total


def _width(step: slice) -> int:
    return step.stop - step.start
