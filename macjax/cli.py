"""The command `macjax`: arguments, exit codes, and reports instead of tracebacks.

Exit codes: 0 done or solved, 1 ended without `solved`, 2 wrong input or usage,
3 infeasible, 130 or 143 interrupted by SIGINT or SIGTERM. Results go to stdout, as one
JSON object with --json; reports, notes and progress go to stderr.
"""

import argparse
import os
import signal
import sys
import traceback
import warnings

from macjax._commands import (
    INFEASIBLE,
    INTERRUPTED,
    UNSOLVED,
    WRONG,
    baseline,
    certify,
    compare,
    demo,
    plot,
    solve,
    validate,
)
from macjax._errors import DataError, InfeasibleVehicles, MacjaxError
from macjax._methods import COMPARED, DEFAULT_TARIFF, METHODS
from macjax._output import note, print_json
from macjax._version import __version__

INPUT_HELP = "folder of a scenario, or a configuration (configs/*.toml)"
INPUTS_HELP = (
    "folders of solutions, or one scenario or configuration on which the methods run"
)
OBJECTIVE_HELP = (
    "sum of peak, overload_energy, squared_overload, capacity, energy and smoothing, "
    "each with its number after a colon if it has one: 'peak + smoothing:1e-3', "
    "'capacity + energy:0.1'"
)
EPILOG = (
    "exit codes: 0 done or solved; 1 ended without being solved; 2 wrong input or "
    "usage; 3 infeasible (vehicles, hard capacities, or a certified schedule); "
    "130, 143 interrupted"
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = build_parser()
    args = parser.parse_args(arguments)
    with Interruption() as interruption, warnings.catch_warnings():
        # What warns in a program is a note of the scenario here, shown in its place.
        warnings.simplefilter("ignore", UserWarning)
        try:
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
    return WRONG if expected else UNSOLVED


class Interruption:
    """Turns SIGINT and SIGTERM into KeyboardInterrupt and keeps which one it was."""

    def __init__(self):
        self.number = signal.SIGINT
        self._before = {}

    @property
    def exit_code(self) -> int:
        """128 + the number of the signal, as shells have it."""
        return 128 + self.number

    def _handle(self, number, frame):
        self.number = number
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


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each sets `run`."""
    parser = argparse.ArgumentParser(
        prog="macjax",
        description="Mobility-aware coordination of electric-vehicle charging.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"macjax {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add_scenario_commands(commands)
    add_result_commands(commands)
    command = add_command(commands, "demo", demo)
    add_out(command, "macjax-demo")
    add_tariff(command)
    return parser


def add_scenario_commands(commands) -> None:
    """validate, solve, baseline: one scenario in."""
    command = add_command(commands, "validate", validate)
    command.add_argument("input", help=INPUT_HELP)
    add_vehicle_to_grid(command)

    command = add_command(commands, "solve", solve)
    command.add_argument("input", help=INPUT_HELP)
    add_out(command)
    add_solver_options(command)

    command = add_command(commands, "baseline", baseline)
    command.add_argument("input", help=INPUT_HELP)
    names = [name for name in METHODS if name != "mac"]
    command.add_argument("--method", choices=names, default="unmanaged")
    add_out(command)
    add_tariff(command)
    add_solver_options(command)


def add_result_commands(commands) -> None:
    """certify, compare, plot: solutions in."""
    command = add_command(commands, "certify", certify)
    command.add_argument(
        "input", help="folder of a solution; or of a scenario, with --schedule"
    )
    command.add_argument("--schedule", help="table of stay, time, kw")
    command.add_argument("--prices", help="table of feeder_id, time and price")
    command.add_argument("--gap", type=float, help="exit with 1 if the gap is larger")
    add_objective(command)
    add_vehicle_to_grid(command)

    command = add_command(commands, "compare", compare)
    add_inputs(command, COMPARED)
    add_out(command)
    add_tariff(command)
    add_solver_options(command)

    command = add_command(commands, "plot", plot)
    add_inputs(command, ("unmanaged", "mac"))
    add_out(command, "figures")
    command.add_argument("--feeder", help="feeder whose load is drawn; default: worst")
    add_tariff(command)
    add_solver_options(command)


def add_command(commands, name: str, run) -> argparse.ArgumentParser:
    """A command with the options that all have."""
    text = run.__doc__.splitlines()[0]
    command = commands.add_parser(
        name, help=text, description=text, epilog=EPILOG, allow_abbrev=False
    )
    command.set_defaults(run=run)
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument("--quiet", action="store_true", help="no notes, no progress")
    command.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    return command


def add_inputs(command, compared: tuple[str, ...]) -> None:
    """Several inputs, and the methods to run where they are a scenario."""
    command.add_argument("inputs", nargs="+", help=INPUTS_HELP)
    command.add_argument(
        "--methods",
        help=f"with a scenario: which of {', '.join(METHODS)}, joined by commas; "
        f"default {','.join(compared)}",
    )
    command.set_defaults(compared=compared)


def add_out(command, default: str | None = None) -> None:
    """Where to write."""
    shown = f"default {default}" if default else "default: write nothing"
    command.add_argument("--out", default=default, help=f"folder to write; {shown}")


def add_tariff(command) -> None:
    """The tariff of time_of_use."""
    command.add_argument(
        "--tariff",
        default=DEFAULT_TARIFF,
        help="for time_of_use: a bundled tariff, one in JSON, or a table of prices "
        f"per kWh; default {DEFAULT_TARIFF}",
    )


def add_objective(command) -> None:
    """What to minimise, and what to do with vehicles that cannot make their trips."""
    command.add_argument("--objective", help=OBJECTIVE_HELP)
    command.add_argument("--on-infeasible", choices=("error", "drop", "relax"))


def add_vehicle_to_grid(command) -> None:
    """--no-vehicle-to-grid."""
    command.add_argument(
        "--no-vehicle-to-grid",
        dest="vehicle_to_grid",
        action="store_const",
        const=False,
        help="do as if no charger could feed back",
    )


def add_solver_options(command) -> None:
    """The arguments of macjax.solve."""
    add_objective(command)
    command.add_argument("--gap", type=float, help="certified gap to reach")
    command.add_argument("--max-iterations", type=int)
    command.add_argument("--time-limit", type=float, metavar="SECONDS")
    command.add_argument("--dtype", choices=("float32", "float64"))
    command.add_argument(
        "--warm-start", metavar="SOLUTION", help="folder of a solution"
    )
    add_vehicle_to_grid(command)
