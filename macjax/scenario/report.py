"""Naming the rows of a table in a report of faults."""

import numpy as np
import pyarrow as pa

from macjax._errors import FIRST_IDS, Fault


def plain_ids(ids: pa.Array | pa.ChunkedArray, rows: np.ndarray) -> list:
    """The ids of the given rows as Python values; a missing id is named by its row."""
    found = ids.take(pa.array(rows, pa.int64())).to_pylist()
    return [
        f"row {row}" if name is None else name
        for name, row in zip(found, rows.tolist(), strict=True)
    ]


class RowNames:
    """Turns a mask of rows into a `Fault` that names them.

    Arguments:
        table: name of the table.
        ids: the id of each row, or None while they cannot be read.
        numbered: ids repeat in this table, so the rule also gives row numbers,
            counted from 0.
    """

    def __init__(self, table: str, ids=None, numbered: bool = False):
        self.table = table
        self.ids = ids
        self.numbered = numbered

    def names(self, rows: np.ndarray) -> list:
        """Names of the given row numbers."""
        if self.ids is None:
            return [f"row {row}" for row in rows.tolist()]
        return plain_ids(self.ids, rows)

    def fault(self, column: str, rule: str, mask: np.ndarray) -> list[Fault]:
        """One fault for the rows of the mask, none when no row is in it."""
        count = int(np.count_nonzero(mask))
        if count == 0:
            return []
        return [self.fault_of_rows(column, rule, np.flatnonzero(mask), count)]

    def fault_of_rows(
        self, column: str, rule: str, rows: np.ndarray, count: int | None = None
    ) -> Fault:
        """One fault for the given row numbers."""
        first = rows[:FIRST_IDS]
        if self.numbered and self.ids is not None:
            shown = ", ".join(str(row) for row in first.tolist())
            more = ", ..." if len(rows) > len(first) else ""
            rule = f"{rule} (row{'s' if len(rows) != 1 else ''} {shown}{more})"
        total = len(rows) if count is None else count
        return Fault(self.table, column, rule, total, tuple(self.names(first)))


def quoted(values) -> str:
    """A short list of example values in quotes."""
    return ", ".join(f"'{value}'" for value in values)
