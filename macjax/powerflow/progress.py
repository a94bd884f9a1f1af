"""Progress of many power flows: one line a second at most."""

import sys
import time

EVERY = 1.0  # seconds between lines


class Progress:
    """Tell how many flows are done.

    Arguments:
        target: True (stderr), False (nobody), None (stderr if it is a terminal), or a
            callable that takes a dict with flows, of, seconds.
        of: how many flows there will be.
    """

    def __init__(self, target, of: int):
        self.call = target if callable(target) else None
        self.prints = target is True or (target is None and sys.stderr.isatty())
        self.of, self.done = of, 0
        self.begun = self.last = time.monotonic()

    def __call__(self) -> None:
        """One more flow is done."""
        self.done += 1
        now = time.monotonic()
        seconds = now - self.begun
        if self.call is not None:
            self.call({"flows": self.done, "of": self.of, "seconds": seconds})
        due = now - self.last >= EVERY or self.done == self.of
        if self.prints and due:
            self.last = now
            left = seconds * (self.of - self.done) / self.done
            print(
                f"power flow {self.done:6d} of {self.of}, {seconds:6.1f} s, "
                f"{left:4.0f} s left",
                file=sys.stderr,
            )
