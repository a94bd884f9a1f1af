"""The time of a run: by phase, in all of its parts, and what is left of the limit."""

import time
from collections.abc import Mapping

from macjax._compile import compile_seconds


class Clock:
    """Seconds since the start; those of earlier parts of a resumed run are counted.

    Arguments:
        limit: most seconds of this part, or None.
        earlier: what `record` gave when the part before was left, or None.
    """

    def __init__(self, limit: float | None, earlier: Mapping | None = None):
        earlier = earlier or {}
        total = float(earlier.get("total", 0.0))
        self.limit = None if limit is None else limit + total
        self.laps: dict[str, float] = dict(earlier.get("laps", {}))
        self.last = time.monotonic()
        self.began = self.last - total
        self.compiled = compile_seconds() - float(earlier.get("compile", 0.0))

    def __call__(self) -> float:
        return time.monotonic() - self.began

    def lap(self, name: str) -> None:
        """Count the time since the last lap to a phase."""
        now = time.monotonic()
        self.laps[name] = self.laps.get(name, 0.0) + now - self.last
        self.last = now

    @property
    def is_over(self) -> bool:
        """Whether the time limit is."""
        return self.limit is not None and self() >= self.limit

    def record(self) -> dict:
        """What a later part of the run has to know."""
        compiled = compile_seconds() - self.compiled
        return {"laps": dict(self.laps), "compile": compiled, "total": self()}

    def seconds(self) -> dict[str, float]:
        """Seconds by phase, `compile` and `total` among them."""
        # Programs are compiled when they first run, most of them in the iteration.
        compiled = compile_seconds() - self.compiled
        iterating = max(self.laps.get("solve", 0.0) - compiled, 0.0)
        return self.laps | {
            "compile": compiled,
            "solve": iterating,
            "total": self(),
        }
