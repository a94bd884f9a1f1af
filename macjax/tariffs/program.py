"""A convex quadratic program with a diagonal, put together from blocks.

    min  1/2 z' diag(quadratic) z + linear' z + constant
    s.t. E z = e,   G z <= g,   z >= 0 (columns marked as free excepted)

Columns and rows come in named blocks of any shape. Entries are added for whole blocks
by index arithmetic, never one by one. Columns that must be 0 are marked, and leave the
program together with the rows that they leave empty.
"""

from typing import Any, NamedTuple

import numpy as np

from macjax.tariffs._packages import require


class Program(NamedTuple):
    """The program without the columns that are 0 anyway; matrices are scipy's CSC.

    Arguments:
        quadratic, linear: cost, shape (columns,).
        constant: cost of nothing.
        equal, equal_to: E and e.
        most, at_most: G and g.
        free: columns that may be negative, shape (columns,).
        columns: number in its block of each column kept, as `Draft` numbers them.
        equal_rows, most_rows: the same for the rows.
    """

    quadratic: np.ndarray
    linear: np.ndarray
    constant: float
    equal: Any
    equal_to: np.ndarray
    most: Any
    at_most: np.ndarray
    free: np.ndarray
    columns: np.ndarray
    equal_rows: np.ndarray
    most_rows: np.ndarray


class Blocks:
    """Consecutive numbers for named arrays of any shape."""

    def __init__(self):
        """No block yet."""
        self.numbers: dict[str, np.ndarray] = {}
        self.size = 0

    def add(self, name: str, *shape: int) -> np.ndarray:
        """Numbers of a new block, an array of that shape."""
        count = int(np.prod(shape))
        self.numbers[name] = np.arange(self.size, self.size + count).reshape(shape)
        self.size += count
        return self.numbers[name]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.numbers[name]

    def __contains__(self, name: str) -> bool:
        return name in self.numbers


class Rows(Blocks):
    """Blocks of rows with their entries."""

    def __init__(self):
        """No row yet."""
        super().__init__()
        self.parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def put(self, rows, columns, values) -> None:
        """Add entries; the three arrays are broadcast against each other."""
        rows, columns, values = np.broadcast_arrays(rows, columns, values)
        self.parts.append((rows.ravel(), columns.ravel(), values.ravel()))

    def matrix(self, columns: int):
        """All entries as a CSR matrix; those of one cell are summed."""
        rows, cols, values = (
            np.concatenate([part[i] for part in self.parts] or [np.zeros(0)])
            for i in range(3)
        )
        shape = (self.size, columns)
        cells = (values, (rows.astype(np.int64), cols.astype(np.int64)))
        return require("scipy.sparse").csr_matrix(cells, shape=shape)


class Draft:
    """A program while it is put together.

    Attributes:
        columns: blocks of columns; the entries of a block are zero unless `open` says
            that they may be positive.
        equal, most: blocks of rows with = and with <=.
    """

    def __init__(self):
        """Nothing yet."""
        self.columns = Blocks()
        self.equal, self.most = Rows(), Rows()
        self._open: dict[str, np.ndarray] = {}
        self._free: list[np.ndarray] = []
        self._right: dict[str, list] = {"equal": [], "most": []}
        self._costs: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.constant = 0.0

    def column(self, name: str, may_be_used: np.ndarray, free: bool = False):
        """Numbers of a new block of columns, used where the mask says so."""
        numbers = self.columns.add(name, *may_be_used.shape)
        self._open[name] = may_be_used
        self._free.append(np.full(may_be_used.size, free))
        return numbers

    def may_be_used(self, name: str) -> np.ndarray:
        """The mask of a block of columns."""
        return self._open[name]

    def row(self, kind: str, name: str, right: np.ndarray) -> np.ndarray:
        """Numbers of a new block of rows with their right-hand sides.

        Arguments:
            kind: `equal` or `most`.
            name: of the block.
            right: right-hand sides; their shape is that of the block.
        """
        self._right[kind].append(right.ravel())
        return getattr(self, kind).add(name, *right.shape)

    def cost(self, columns: np.ndarray, linear, quadratic=0.0) -> None:
        """Add linear z + 1/2 quadratic z^2 for some columns."""
        arrays = np.broadcast_arrays(columns, linear, quadratic)
        self._costs.append(tuple(a.ravel() for a in arrays))  # type: ignore

    def program(self) -> Program:
        """The program without unused columns and empty rows.

        An empty row of `most` whose right-hand side is negative cannot be kept by
        anybody and stays in, so that the solver says so.
        """
        size = self.columns.size
        linear, quadratic = np.zeros(size), np.zeros(size)
        for columns, first, second in self._costs:
            np.add.at(linear, columns, first)
            np.add.at(quadratic, columns, second)
        kept = np.flatnonzero(np.concatenate([m.ravel() for m in self._open.values()]))
        found = {}
        for kind in ("equal", "most"):
            right = np.concatenate(self._right[kind] or [np.zeros(0)])
            matrix = getattr(self, kind).matrix(size).tocsc()[:, kept].tocsr()
            matrix.eliminate_zeros()
            full = np.diff(matrix.indptr) > 0
            full |= right != 0 if kind == "equal" else right < 0
            rows = np.flatnonzero(full)
            found[kind] = matrix[rows].tocsc(), right[rows], rows
        return Program(
            quadratic=quadratic[kept],
            linear=linear[kept],
            constant=self.constant,
            equal=found["equal"][0],
            equal_to=found["equal"][1],
            most=found["most"][0],
            at_most=found["most"][1],
            free=np.concatenate(self._free)[kept],
            columns=kept,
            equal_rows=found["equal"][2],
            most_rows=found["most"][2],
        )
