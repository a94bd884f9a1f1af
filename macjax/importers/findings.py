"""What an importer found in its files: faults that stop it, and what it did not map.

A fault is a row that breaks its format. It stops the import with one report of all
faults, or leaves out the vehicle that it belongs to where the caller asked for that.
Everything else that does not reach the tables as it stands in the file is noted: what
was left out, changed, assumed or not read, with the first lines and ids.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from macjax._errors import FIRST_IDS, DataError, Fault, SettingsError

ON_FAULT = ("error", "drop")
REPORT_COLUMNS = ("file", "lines", "column", "what", "action", "count", "ids")


class Findings:
    """Collects faults and notes of one import.

    Arguments:
        title: first line of the report of faults.
        on_fault: `error` raises all faults together; `drop` leaves the rows out.
    """

    def __init__(self, title: str, on_fault: str):
        if on_fault not in ON_FAULT:
            accepted = " or ".join(f"'{word}'" for word in ON_FAULT)
            raise SettingsError(f"on_fault must be {accepted}; got {on_fault!r}")
        self.title = title
        self.drops = on_fault == "drop"
        self._faults: dict[tuple, dict] = {}
        self._rows: dict[tuple, dict] = {}

    def wrong(
        self, file: str, column: str, rule: str, lines=(), count: int = 1, ids=()
    ) -> None:
        """Rows that break the format."""
        self._add(self._faults, file, lines, column, rule, "left out", count, ids)
        self._add(self._rows, file, lines, column, rule, "left out", count, ids)

    def broken(self, file: str, column: str, rule: str, lines=()) -> None:
        """A fault of a whole file or column, which no row can be left out for."""
        self.wrong(file, column, rule, lines, max(len(lines), 1))
        self.stop()

    def note(
        self, file: str, column: str, what: str, action: str, lines=(), count=1, ids=()
    ) -> None:
        """Rows that are in order and yet do not reach the tables as they stand."""
        if count:
            self._add(self._rows, file, lines, column, what, action, count, ids)

    @staticmethod
    def _add(found: dict, file, lines, column, what, action, count, ids) -> None:
        """Add to the finding of the same words, of which there is one a file."""
        empty = (file, (), column, what, action, 0, ())
        row = found.setdefault(
            (file, column, what, action),
            dict(zip(REPORT_COLUMNS, empty, strict=True)),
        )
        row["count"] += count
        row["lines"] = _first([*row["lines"], *lines[:FIRST_IDS]])
        row["ids"] = _first([*row["ids"], *ids[:FIRST_IDS]])

    def stop(self) -> None:
        """Raise if there is any fault, whatever the caller asked for."""
        if self._faults:
            rows = self._faults.values()
            raise DataError([_fault(row) for row in rows], self.title)

    def settle(self) -> None:
        """Raise if there is a fault and the caller did not ask to drop such rows."""
        if not self.drops:
            self.stop()

    def report(self) -> pd.DataFrame:
        """One row a finding; `lines` and `ids` are the first ten of each."""
        frame = pd.DataFrame(list(self._rows.values()), columns=list(REPORT_COLUMNS))
        return frame.astype({"count": np.int64})


def _fault(row: dict) -> Fault:
    rule = row["what"] + lines_text(row["lines"], row["count"])
    return Fault(row["file"], row["column"], rule, row["count"], row["ids"])


def lines_text(lines: Iterable[int], count: int) -> str:
    """` (lines 3, 7, ...)`, empty when there are none."""
    shown = ", ".join(str(line) for line in lines)
    if not shown:
        return ""
    more = ", ..." if count > FIRST_IDS else ""
    return f" (line{'s' if count != 1 else ''} {shown}{more})"


def _first(values: list) -> tuple:
    """At most ten values as plain Python ones."""
    found = values[:FIRST_IDS]
    return tuple(v.item() if isinstance(v, np.generic) else v for v in found)
