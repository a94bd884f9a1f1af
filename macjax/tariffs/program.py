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
        column_unit, equal_unit, most_unit: what a column or row is large in, as a
            number of its unit; solvers and residuals are scaled by them.
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
    column_unit: np.ndarray
    equal_unit: np.ndarray
    most_unit: np.ndarray

    def natural(self) -> "Program":
        """The same program in its own units, without the constant.

        The largest costs and matrix entries are about 1 whatever EVs, powers and money
        are counted in, so that tolerances mean the same.
        """
        sparse, unit = require("scipy.sparse"), self.column_unit
        right = sparse.diags(unit)
        return self._replace(
            quadratic=self.quadratic * unit**2 / self.money_unit,
            linear=self.linear * unit / self.money_unit,
            constant=0.0,
            equal=(sparse.diags(1.0 / self.equal_unit) @ self.equal @ right).tocsc(),
            equal_to=self.equal_to / self.equal_unit,
            most=(sparse.diags(1.0 / self.most_unit) @ self.most @ right).tocsc(),
            at_most=self.at_most / self.most_unit,
            column_unit=np.ones(len(unit)),
            equal_unit=np.ones(len(self.equal_unit)),
            most_unit=np.ones(len(self.most_unit)),
        )

    @property
    def money_unit(self) -> float:
        """Cost of the dearest column at its unit, or 1 if nothing costs anything."""
        first = np.abs(self.linear * self.column_unit).max(initial=0.0)
        second = (self.quadratic * self.column_unit**2).max(initial=0.0)
        return float(max(first, second)) or 1.0


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
        ev, kw: largest numbers to expect of EVs and of powers; a plan in other units
            then is the same program to the solver.
    """

    def __init__(self, ev: float = 1.0, kw: float = 1.0):
        """Nothing yet."""
        self.ev, self.kw = ev, kw
        self.columns = Blocks()
        self.equal, self.most = Rows(), Rows()
        self._open: dict[str, np.ndarray] = {}
        self._free: list[np.ndarray] = []
        self._right: dict[str, list] = {"equal": [], "most": []}
        self._units: dict[str, list] = {"columns": [], "equal": [], "most": []}
        self._costs: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.constant = 0.0

    def column(
        self, name: str, may_be_used: np.ndarray, unit: float, free: bool = False
    ) -> np.ndarray:
        """Numbers of a new block of columns, used where the mask says so.

        Arguments:
            name: of the block.
            may_be_used: entries that may be other than 0; its shape is the block's.
            unit: what the entries are large in.
            free: they may be negative.
        """
        numbers = self.columns.add(name, *may_be_used.shape)
        self._open[name] = may_be_used
        self._free.append(np.full(may_be_used.size, free))
        self._units["columns"].append(np.full(may_be_used.size, unit))
        return numbers

    def may_be_used(self, name: str) -> np.ndarray:
        """The mask of a block of columns."""
        return self._open[name]

    def row(self, kind: str, name: str, right: np.ndarray, unit: float) -> np.ndarray:
        """Numbers of a new block of rows with their right-hand sides.

        Arguments:
            kind: `equal` or `most`.
            name: of the block.
            right: right-hand sides; their shape is that of the block. Rows of `most`
                with infinity leave the program.
            unit: what both sides are large in.
        """
        self._units[kind].append(np.full(right.size, unit))
        self._right[kind].append(right.ravel())
        return getattr(self, kind).add(name, *right.shape)

    def cost(self, columns: np.ndarray, linear, quadratic=0.0) -> None:
        """Add linear z + 1/2 quadratic z^2 for some columns."""
        arrays = np.broadcast_arrays(columns, linear, quadratic)
        self._costs.append(tuple(a.ravel() for a in arrays))  # type: ignore

    def program(self) -> Program:
        """The program without unused columns, empty rows and limits at infinity.

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
        units = {
            kind: np.concatenate(parts or [np.zeros(0)])
            for kind, parts in self._units.items()
        }
        for kind in ("equal", "most"):
            right = np.concatenate(self._right[kind] or [np.zeros(0)])
            matrix = getattr(self, kind).matrix(size).tocsc()[:, kept].tocsr()
            matrix.eliminate_zeros()
            full = np.diff(matrix.indptr) > 0
            full |= right != 0 if kind == "equal" else right < 0
            rows = np.flatnonzero(full & np.isfinite(right))
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
            column_unit=units["columns"][kept],
            equal_unit=units["equal"][found["equal"][2]],
            most_unit=units["most"][found["most"][2]],
        )
