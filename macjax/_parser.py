"""The arguments of the command `macjax`, checked as far as they can be alone."""

import argparse
import math
import tomllib
from collections.abc import Callable

from macjax._commands import (
    baseline,
    build,
    certify,
    compare,
    demo,
    plot,
    resume,
    solve,
    validate,
)
from macjax._errors import SettingsError
from macjax._export_command import add_export
from macjax._import_command import add_import
from macjax._market_commands import equilibrium
from macjax._methods import COMPARED, METHODS
from macjax._report_command import add_report_options, report
from macjax._study_commands import study, sweep
from macjax._version import __version__
from macjax.baselines import tariff_names
from macjax.baselines.tariffs import DEFAULT_TARIFF
from macjax.config import DTYPES, POLICIES, SOLVE_KEYS, check_setting, rule_of
from macjax.studies.factors import FACTORS
from macjax.studies.planner import STUDIED
from macjax.studies.store import KEEP

INPUT_HELP = "folder of a scenario, or a configuration (configs/*.toml)"
INPUTS_HELP = (
    "folders of solutions, or one scenario or configuration on which the methods run"
)
OBJECTIVE_HELP = (
    "sum of peak, overload_energy, squared_overload, capacity, energy and smoothing, "
    "each with its number after a colon if it has one: 'peak + smoothing:1e-3', "
    "'capacity + energy:0.1'"
)
INFEASIBLE_HELP = (
    "vehicles that cannot make their trips even at full power: list them and stop, "
    "leave them out, or charge them as far as they can; default error for mac and "
    "per_session, relax for simulated methods"
)
EPILOG = (
    "exit codes: 0 done or solved; 1 ended without being solved; 2 wrong input or "
    "usage; 3 infeasible (vehicles, hard capacities, or a certified schedule); "
    "130, 143 interrupted"
)


def setting(key: str) -> Callable[[str], float]:
    """What reads the number of a setting and refuses one out of its range."""

    def read(text: str) -> float:
        try:
            return check_setting(key, SOLVE_KEYS[key](text), "")
        except (ValueError, SettingsError) as error:
            wanted = f"must be {rule_of(key)}, not '{text}'"
            raise argparse.ArgumentTypeError(wanted) from error

    return read


def folder(text: str) -> str:
    """A path that names something."""
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError("must name a file or a folder, not be empty")
    return text


def seconds(text: str) -> float:
    """A number of seconds that is finite and at least 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be seconds of at least 0, not '{text}'")
    return value


def workers(text: str) -> int:
    """A number of processes of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1, not '{text}'")
    return int(text)


def varied(text: str) -> tuple[str, list]:
    """'adoption=0.1,0.3' -> ('adoption', [0.1, 0.3]).

    Values are written as in TOML, so lists and dates are values too; what TOML does not
    know is text.
    """
    key, _, values = text.partition("=")
    if not key.strip() or not values.strip():
        raise argparse.ArgumentTypeError(f"must be KEY=VALUE,VALUE..., not '{text}'")
    try:
        listed = tomllib.loads(f"values = [{values}]")["values"]
    except (ValueError, RecursionError):
        listed = [value.strip() for value in values.split(",")]
    return key.strip(), listed


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
    add_import(commands, add_command, folder)
    add_scenario_commands(commands)
    add_result_commands(commands)
    add_export(commands, add_command, folder)
    command = add_command(commands, "demo", demo)
    add_out(command, "macjax-demo")
    add_tariff(command)
    return parser


def add_scenario_commands(commands) -> None:
    """build: a scenario out; validate, solve, resume, baseline: one scenario in."""
    command = add_command(commands, "build", build)
    command.add_argument("input", help="configuration with a table [region]")
    add_out(command, required=True)
    command.add_argument(
        "--adoption", type=float, help="electric share of all cars, in (0, 1]"
    )
    command.add_argument(
        "--sample",
        type=float,
        help="share of the electric cars that is built, in (0, 1]; weights make up "
        "for it",
    )
    command.add_argument("--seed", type=int, help="of all random draws")

    command = add_command(commands, "validate", validate)
    command.add_argument("input", help=INPUT_HELP)
    add_vehicle_to_grid(command)

    command = add_command(commands, "solve", solve)
    command.add_argument("input", help=INPUT_HELP)
    add_out(command)
    add_solver_options(command)
    command.add_argument(
        "--checkpoint",
        type=folder,
        metavar="FOLDER",
        help="new folder for checkpoints, from which 'macjax resume' goes on",
    )
    add_checkpoint_every(command, "default 60")

    command = add_command(commands, "resume", resume)
    command.add_argument("input", type=folder, help="folder of checkpoints")
    add_out(command)
    add_limits(command)
    add_checkpoint_every(command, "default as it was")

    command = add_command(commands, "baseline", baseline)
    command.add_argument("input", help=INPUT_HELP)
    names = [name for name in METHODS if name != "mac"]
    command.add_argument(
        "--method", choices=names, default="unmanaged", help="default unmanaged"
    )
    add_out(command)
    add_tariff(command)
    add_solver_options(command)


def add_result_commands(commands) -> None:
    """Solutions in, or several out: from certify and compare to report."""
    command = add_command(commands, "certify", certify)
    command.add_argument(
        "input", help="folder of a solution; or of a scenario, with --schedule"
    )
    command.add_argument("--schedule", help="table of vehicle_id, time, kw")
    command.add_argument("--prices", help="table of feeder_id, time and price")
    command.add_argument(
        "--gap", type=setting("gap"), help="exit with 1 if the gap is larger"
    )
    add_objective(command)
    add_vehicle_to_grid(command)

    command = add_command(commands, "equilibrium", equilibrium)
    command.add_argument("input", type=folder, help="folder of a solution with prices")
    add_out(command)

    command = add_command(commands, "compare", compare)
    add_inputs(command, COMPARED)
    add_out(command)
    add_tariff(command)
    add_solver_options(command)

    add_sweep(commands)

    command = add_command(commands, "study", study)
    command.add_argument("input", help=INPUT_HELP)
    command.add_argument(
        "--methods",
        help=f"which of {', '.join(METHODS)}, joined by commas; default: [study] of "
        f"the configuration, or {','.join(STUDIED)}",
    )
    add_out(command, required=True)
    add_tariff(command)
    add_solver_options(command)

    command = add_command(commands, "plot", plot)
    add_inputs(command, ("unmanaged", "mac"))
    add_out(command, "figures")
    command.add_argument("--feeder", help="feeder whose load is drawn; default: worst")
    add_tariff(command)
    add_solver_options(command)

    command = add_command(commands, "report", report)
    add_inputs(command, COMPARED)
    add_report_options(command, folder)
    add_tariff(command)
    add_solver_options(command)


def add_sweep(commands) -> None:
    """sweep: methods on all combinations of what varies."""
    command = add_command(commands, "sweep", sweep)
    command.add_argument("input", help=INPUT_HELP)
    command.add_argument(
        "--over",
        type=varied,
        action="append",
        metavar="KEY=VALUE,...",
        help="what varies: a key of [region] or of the builder, or a factor "
        f"({', '.join(FACTORS)}); may be repeated; default: [sweep] of the "
        "configuration",
    )
    command.add_argument(
        "--methods",
        help=f"which of {', '.join(METHODS)}, joined by commas; default: [sweep] of "
        f"the configuration, or {','.join(COMPARED)}",
    )
    add_out(command)
    command.add_argument(
        "--keep",
        choices=KEEP,
        default="tables",
        help="what --out holds of each result: loads, upgrades, prices and numbers "
        "(default), or schedule and scenario too",
    )
    command.add_argument(
        "--workers",
        type=workers,
        default=1,
        help="processes side by side; default 1, which is best where one solve uses "
        "all cores or a GPU",
    )
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


def add_out(command, default: str | None = None, required: bool = False) -> None:
    """Where to write."""
    shown = f"; default {default}" if default else "; default: write nothing"
    command.add_argument(
        "-o",
        "--out",
        type=folder,
        default=default,
        required=required,
        help="folder to write" + ("" if required else shown),
    )


def add_tariff(command) -> None:
    """The tariff of time_of_use."""
    command.add_argument(
        "--tariff",
        help="for time_of_use: a bundled tariff "
        f"({', '.join(tariff_names())}), the path of one in JSON, or a table of prices "
        f"per kWh; default {DEFAULT_TARIFF}",
    )


def add_objective(command) -> None:
    """What to minimise, and what to do with vehicles that cannot make their trips."""
    command.add_argument("--objective", help=OBJECTIVE_HELP)
    command.add_argument("--on-infeasible", choices=POLICIES, help=INFEASIBLE_HELP)


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
    """The arguments of macjax.solve; those after the objective are for a solver."""
    add_objective(command)
    add_limits(command)
    command.add_argument(
        "--dtype",
        choices=DTYPES,
        help="of the solve; default float64 on a CPU, float32 on a GPU",
    )
    command.add_argument(
        "--device-memory",
        type=setting("device_memory"),
        metavar="GIB",
        help="what the fleet may take on each device; more goes through it in chunks",
    )
    command.add_argument(
        "--warm-start",
        metavar="SOLUTION",
        help="folder of a solution of a similar scenario, from which the solve starts",
    )
    add_vehicle_to_grid(command)


def add_limits(command) -> None:
    """When a solve ends."""
    command.add_argument("--gap", type=setting("gap"), help="certified gap to reach")
    command.add_argument(
        "--max-iterations",
        type=setting("max_iterations"),
        help="end after so many, solved or not",
    )
    command.add_argument(
        "--time-limit",
        type=setting("time_limit"),
        metavar="SECONDS",
        help="end after so long, solved or not",
    )


def add_checkpoint_every(command, default: str) -> None:
    """--checkpoint-every."""
    command.add_argument(
        "--checkpoint-every",
        type=seconds,
        metavar="SECONDS",
        help=f"time between two checkpoints; {default}",
    )
