"""The command `macjax`: exit codes, signals, and reports instead of tracebacks.

Exit codes: 0 done or solved, 1 ended without `solved`, 2 wrong input or usage,
3 infeasible, 130 or 143 interrupted by SIGINT or SIGTERM. Results go to stdout, as one
JSON object with --json; reports, notes and progress go to stderr.

This module imports little, so that `main` watches for signals before the long imports.
"""

import os
import signal
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    Without arguments it is the program of this process and sets JAX up for it.
    """
    with Interruption() as interruption:
        build_parser = _load()
        if arguments is None:
            from macjax._program import set_up_jax

            set_up_jax()
        args = build_parser().parse_args(arguments)
        return _run(args, interruption)


def _load():
    """Import all that commands need; returns what builds their parser."""
    import macjax
    from macjax._parser import build_parser

    for name in macjax.__all__:
        getattr(macjax, name)
    return build_parser


def _run(args, interruption: "Interruption") -> int:
    """The exit code of a command, whatever happens to it."""
    import warnings

    from macjax._commands import INTERRUPTED, UNSOLVED
    from macjax._errors import (
        CheckpointWarning,
        KernelWarning,
        MemoryShortWarning,
    )
    from macjax._output import note, note_warning

    with warnings.catch_warnings():
        # What warns in a program is a note of the scenario here, shown in its place.
        warnings.simplefilter("ignore", UserWarning)
        for told in (CheckpointWarning, KernelWarning, MemoryShortWarning):
            warnings.simplefilter("always", told)
        warnings.showwarning = note_warning
        try:
            interruption.raises = True
            code = args.run(args)
            sys.stdout.flush()
        except KeyboardInterrupt:
            note("interrupted; what was finished before is on disk")
            code = INTERRUPTED
        except BrokenPipeError:  # the reader of stdout has left, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = UNSOLVED
        except Exception as error:  # the last resort of a program, not of a library
            code = report(error, args.json, args.debug)
    return interruption.exit_code if code == INTERRUPTED else code


def report(error: Exception, as_json: bool, debug: bool) -> int:
    """Say what went wrong on stderr, as JSON on stdout too; return the exit code."""
    import traceback

    from macjax._commands import INFEASIBLE, UNSOLVED, WRONG
    from macjax._errors import (
        DataError,
        InfeasibleVehicles,
        MacjaxError,
        MemoryShortError,
    )
    from macjax._output import note, print_json

    # A locked file or folder is wrong input as well.
    expected = isinstance(error, MacjaxError | PermissionError)
    kind = type(error).__name__
    if expected or isinstance(error, OSError):
        note(f"macjax: {error}")
    else:
        note(f"macjax: internal error: {kind}: {error}\n(--debug shows the traceback)")
    if debug:
        traceback.print_exception(error)
    if as_json:
        record = {"type": kind, "message": str(error)}
        if isinstance(error, DataError):
            record["faults"] = error.faults
        if isinstance(error, InfeasibleVehicles):
            record["infeasible"] = error.infeasible
        print_json({"error": record})
    if isinstance(error, InfeasibleVehicles):
        return INFEASIBLE
    is_wrong = expected and not isinstance(error, MemoryShortError)
    return WRONG if is_wrong else UNSOLVED


class Interruption:
    """Turns SIGINT and SIGTERM into KeyboardInterrupt and keeps which one it was.

    Before `raises` is set, while modules are imported and nothing is begun, a signal
    ends the process at once and without a word: not every import survives an exception.
    """

    def __init__(self):
        self.raises = False
        self.number = signal.SIGINT
        self._before = {}

    @property
    def exit_code(self) -> int:
        """128 + the number of the signal, as shells have it."""
        return 128 + self.number

    def _handle(self, number, frame):
        self.number = number
        if not self.raises:
            os._exit(self.exit_code)
        raise KeyboardInterrupt

    def __enter__(self) -> "Interruption":
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._before[number] = signal.signal(number, self._handle)
            except ValueError:  # not the main thread, which alone may set handlers
                break
        return self

    def __exit__(self, *failure) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
