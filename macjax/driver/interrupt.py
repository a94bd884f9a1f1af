"""Signals during a solve: remembered at once, obeyed between two steps.

An exception in the middle of a compilation leaves the compiler in a state that can
crash the process later, so the handlers in force are called when a signal comes but the
KeyboardInterrupt that they raise waits until the step is done. A second signal is not
held back.
"""

import signal
import threading


class Interruption:
    """A context in which SIGINT and SIGTERM only set `asked`.

    Signals whose handler is not a Python function (SIGTERM by default) keep it, and
    threads other than the main one are left alone.
    """

    def __init__(self):
        self.asked = False
        self._before = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.getsignal(number)
                if callable(before):
                    self._before[number] = before
                    signal.signal(number, self._handle)
        return self

    def __exit__(self, *failure) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _handle(self, number, frame) -> None:
        again, self.asked = self.asked, True
        try:
            self._before[number](number, frame)
        except KeyboardInterrupt:
            if again:
                raise
