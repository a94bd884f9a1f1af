"""The exceptions of macjax and the report of faults that a `DataError` carries.

A fault names the table, the column, the rule that is broken, how many rows break
it and the first of their ids, so that a planner can mend the table alone.
"""

import dataclasses
from collections.abc import Iterable
from difflib import get_close_matches

FIRST_IDS = 10


class MacjaxError(Exception):
    """Base of every error that macjax raises on purpose."""


class SettingsError(MacjaxError):
    """A setting, an option or a configuration key is wrong."""


class SolutionError(MacjaxError):
    """A solution cannot give what was asked of it, or its files do not hold."""


class ProcessError(MacjaxError):
    """Another process of a solve by several processes failed."""


class MemoryShortError(MacjaxError):
    """A fleet does not fit into the memory of the devices, or of the machine."""


class MemoryShortWarning(UserWarning):
    """A device ran out of memory; the solve starts anew in smaller chunks."""


class CheckpointError(MacjaxError):
    """A checkpoint is damaged or belongs to another problem."""


class CheckpointWarning(UserWarning):
    """A checkpoint could not be written or read; the run goes on without it."""


class RegionWarning(UserWarning):
    """A region was built otherwise than asked for: cars left out, unknown words."""


class KernelWarning(UserWarning):
    """A kernel for GPUs does not work here; solves go on without it, slower."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """One broken rule in one column of one table.

    Arguments:
        table: name of the table, or `scenario.toml`.
        column: name of the column or key; several are joined by a comma.
        rule: what is required and what was found instead.
        count: how many rows break the rule.
        ids: ids of those rows, at most the first ten are kept.
    """

    table: str
    column: str
    rule: str
    count: int = 1
    ids: tuple = ()

    def __post_init__(self):
        object.__setattr__(self, "ids", tuple(self.ids)[:FIRST_IDS])
        for name in ("table", "column", "rule"):
            # Half of a surrogate pair in somebody's table can be neither printed nor
            # put into a frame.
            text = str(getattr(self, name)).encode("utf-8", "backslashreplace")
            object.__setattr__(self, name, text.decode("utf-8"))

    def __str__(self) -> str:
        where = ".".join(name for name in (self.table, self.column) if name)
        text = f"{where}: {self.rule}"
        if not self.ids and self.count == 1:
            return text
        rows = f" [{self.count} row{'s' if self.count != 1 else ''}]"
        if not self.ids:
            return text + rows
        shown = ", ".join(str(i) for i in self.ids)
        more = ", ..." if self.count > len(self.ids) else ""
        return f"{text}{rows}: {shown}{more}"


class DataError(MacjaxError):
    """The tables break the data contract; the text is the whole report.

    `faults` is the report as a frame with columns table, column, rule, count, ids.
    """

    def __init__(self, faults: Iterable[Fault], title: str = "wrong input"):
        self.fault_list = list(faults)
        total = len(self.fault_list)
        lines = [f"{title}: {total} fault{'s' if total != 1 else ''}"]
        lines += [f"  {fault}" for fault in self.fault_list]
        super().__init__("\n".join(lines))

    @property
    def faults(self):
        """The report as a frame: table, column, rule, count, ids."""
        import pandas as pd

        columns = ["table", "column", "rule", "count", "ids"]
        rows = [[getattr(f, c) for c in columns] for f in self.fault_list]
        return pd.DataFrame(rows, columns=columns)


class InfeasibleVehicles(DataError):
    """Some vehicles cannot make their trips even at full power.

    `infeasible` is the frame of them: vehicle_id, trip (row number of the first trip
    that fails, missing where only the SOC at the start or the end is short), departure,
    missing_kwh [kWh].
    """

    def __init__(self, infeasible):
        self.infeasible = infeasible
        rule = (
            "cannot make its trips even at full power; on_infeasible='drop' leaves "
            "such vehicles out, 'relax' lets them do their best"
        )
        ids = tuple(infeasible["vehicle_id"].head(FIRST_IDS))
        fault = Fault("vehicles", "vehicle_id", rule, len(infeasible), ids)
        super().__init__([fault], title="infeasible vehicles")

    def __str__(self) -> str:
        table = self.infeasible.head(FIRST_IDS).to_string(index=False)
        return f"{super().__str__()}\n{table}"


def nearest(name: str, accepted: Iterable[str]) -> str:
    """Text that names the accepted word nearest to `name`, or lists all of them."""
    accepted = list(accepted)
    close = get_close_matches(str(name), accepted, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    return "accepted: " + ", ".join(accepted)
