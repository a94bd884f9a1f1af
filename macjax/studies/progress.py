"""Progress of a sweep: one line a case, with the time that is left."""

import sys
import time

from macjax._errors import SettingsError
from macjax.studies.cases import Case


class Progress:
    """Tell how a sweep goes: to stderr, to a callable, or nobody.

    Arguments:
        target: True (stderr), False (nobody), None (stderr if it is a terminal), or a
            callable that takes a dict with case (from 1 on), cases, done, values, rows
            (those of the case by method), seconds (since the start) and seconds_left.
        cases: how many there are.
        waiting: how many of them are to be run.
    """

    def __init__(self, target, cases: int, waiting: int):
        if not (target is None or isinstance(target, bool) or callable(target)):
            raise SettingsError(
                f"progress must be True, False, None or a callable, not {target!r}"
            )
        self.call = target if callable(target) else None
        self.prints = target is True or (target is None and sys.stderr.isatty())
        self.cases, self.waiting, self.run = cases, waiting, 0
        self.begin = time.monotonic()
        if waiting < cases:
            self.note(f"{cases - waiting} of {cases} cases are finished and are read")

    def note(self, text: str) -> None:
        """A line that is not about one case."""
        if self.prints:
            print(text, file=sys.stderr, flush=True)

    def __call__(self, case: Case, rows: dict[str, dict]) -> None:
        """Report a case of which all methods are done."""
        self.run += 1
        seconds = time.monotonic() - self.begin
        left = seconds * (self.waiting - self.run) / self.run
        if self.call is not None:
            self.call(
                {
                    "case": case.number + 1,
                    "cases": self.cases,
                    "done": self.cases - self.waiting + self.run,
                    "values": dict(case.shown),
                    "rows": rows,
                    "seconds": seconds,
                    "seconds_left": left,
                }
            )
        values = ", ".join(f"{name} {value}" for name, value in case.shown.items())
        found = ", ".join(_said(method, row) for method, row in rows.items())
        ahead = self.cases - self.waiting + self.run
        self.note(
            f"{ahead} of {self.cases}: {values}: {found}; about {left:.0f} s left"
        )


def _said(method: str, row: dict) -> str:
    """One method in a few words: status, gap, seconds."""
    gap, seconds = row.get("gap"), row.get("seconds")
    text = f"{method} {row['status']}"
    text += "" if gap is None else f" (gap {gap:.1e})"
    return text if seconds is None else f"{text} {seconds:.1f} s"
