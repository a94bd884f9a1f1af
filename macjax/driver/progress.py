"""Progress of long solves: one line a second at most, with the time that is left."""

import math
import sys

EVERY = 1.0  # seconds between lines


class Progress:
    """Tell how a run goes: to stderr, to a callable, or nobody.

    Arguments:
        target: True (stderr), False (nobody), None (stderr if it is a terminal), or a
            callable that takes a dict with iteration, phase, seconds, objective,
            lower_bound, gap and seconds_left.
        gap: the gap that is wanted.
        clock: seconds since the start.
    """

    def __init__(self, target, gap: float, clock):
        self.call = target if callable(target) else None
        self.prints = target is True or (target is None and sys.stderr.isatty())
        self.gap, self.clock = gap, clock
        self.last, self.header = -math.inf, False

    def __call__(self, run) -> None:
        """Report the last look of a run."""
        look = run.history[-1]
        record = {
            "iteration": look.iteration,
            "phase": look.phase,
            "seconds": look.seconds,
            "objective": look.best_objective,
            "lower_bound": look.best_bound,
            "gap": look.gap,
            "seconds_left": self._left(run.history),
        }
        if self.call is not None:
            self.call(record)
        now = self.clock()
        if self.prints and now - self.last >= EVERY:
            self.last = now
            self._print(record)

    def _left(self, history) -> float:
        """Seconds until the gap is reached, if it goes on falling as it did."""
        limit = getattr(self.clock, "limit", None)
        left = math.inf if limit is None else max(limit - self.clock(), 0.0)
        usable = [x for x in history[-8:] if 0 < x.gap < math.inf]
        if len(usable) >= 2 and usable[-1].gap < usable[0].gap:
            spent = usable[-1].seconds - usable[0].seconds
            fallen = math.log(usable[0].gap / usable[-1].gap)
            wanted = math.log(max(usable[-1].gap / self.gap, 1.0))
            left = min(left, spent * wanted / fallen)
        return left

    def _print(self, record: dict) -> None:
        if not self.header:
            self.header = True
            names = "iteration      objective    lower bound      gap  seconds  left"
            print(names, file=sys.stderr)
        left = record["seconds_left"]
        shown = f"{left:4.0f} s" if math.isfinite(left) else "   ?"
        print(
            f"{record['iteration']:9d} {record['objective']:14.6g} "
            f"{record['lower_bound']:14.6g} {record['gap']:8.1e} "
            f"{record['seconds']:8.1f} {shown}",
            file=sys.stderr,
        )

    def close(self, status, objective: float, bound: float, gap: float) -> None:
        """The last line: what the certificate says."""
        if self.prints:
            print(
                f"{status}: objective {objective:.8g}, lower bound {bound:.8g}, "
                f"certified gap {gap:.1e}, {self.clock():.1f} s",
                file=sys.stderr,
            )
