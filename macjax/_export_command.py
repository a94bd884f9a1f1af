"""The command `macjax export`: a saved solution as files for other tools."""

from collections.abc import Callable
from pathlib import Path

from macjax import interchange
from macjax._errors import SettingsError
from macjax._output import check_files, is_solution, print_json
from macjax._vehicle_option import add_vehicle, named_vehicles
from macjax.config import read_table
from macjax.interchange.export_folder import check_export_folder
from macjax.interchange.feeder_power import KINDS

NETCDF = "solution.nc"
# Which options each kind of export takes, by their names in the parser.
OPTIONS = {
    "netcdf": ("vehicle", "vehicles"),
    "opendss": ("power", "buses", "kv", "phases", "power_factor"),
    "pandapower": ("power", "buses", "power_factor"),
    "csv": (),
}


def export(args) -> int:
    """Write a solution as netCDF, OpenDSS, pandapower or CSV files."""
    from macjax.results import Solution

    options = {name for names in OPTIONS.values() for name in names}
    given = {name for name in options if _is_given(getattr(args, name))}
    if wrong := sorted(given - set(OPTIONS[args.to])):
        shown = ", ".join(_flag(name) for name in wrong)
        raise SettingsError(f"{shown}: without meaning for --to {args.to}")
    if not is_solution(Path(args.input)):
        raise SettingsError(f"'{args.input}' is not the folder of a solution")
    out = Path(args.out)
    if args.to == "netcdf":
        check_files(out, (NETCDF,))
    else:
        check_export_folder(out, args.to)
    settings = {name: getattr(args, name) for name in given - set(OPTIONS["netcdf"])}
    if "buses" in settings:
        settings["buses"] = read_table(settings["buses"])
    solution = Solution.read(args.input)
    if args.to == "netcdf":
        vehicles: list | None = []
        if args.vehicles:
            vehicles = named_vehicles(args.vehicle, solution.scenario)
        written = interchange.to_netcdf(solution, out / NETCDF, vehicles)
    elif args.to == "pandapower":
        written = interchange.to_pandapower(solution, **settings).write(out)
    elif args.to == "opendss":
        written = interchange.to_opendss(solution, out, **settings)
    else:
        written = interchange.to_csv(solution, out)
    if args.json:
        print_json({"to": args.to, "out": written})
    else:
        print(f"written to {written}")
    return 0


def add_export(commands, add_command: Callable, folder: Callable) -> None:
    """Add the command to a parser.

    Arguments:
        commands: subparsers of the program.
        add_command: adds one command with the options that all have.
        folder: reads the path of a folder.
    """
    command = add_command(commands, "export", export)
    command.add_argument("input", type=folder, help="folder of a solution")
    command.add_argument("--to", choices=OPTIONS, required=True, help="what to write")
    command.add_argument(
        "-o", "--out", type=folder, required=True, help="folder to write"
    )
    command.add_argument(
        "--power",
        choices=KINDS,
        help="for opendss and pandapower: load of the vehicles alone (default), base "
        "load, or both",
    )
    command.add_argument(
        "--buses",
        metavar="TABLE",
        help="table of feeder_id and bus; for opendss perhaps kv and phases",
    )
    command.add_argument("--kv", type=float, help="rated voltage of the loads [kV]")
    command.add_argument("--phases", type=int, help="phases of the loads, default 3")
    command.add_argument(
        "--power-factor",
        type=float,
        metavar="FACTOR",
        help="active over apparent power, default 1",
    )
    which = command.add_mutually_exclusive_group()
    add_vehicle(
        which, "for netcdf: vehicle whose power and SOC are written, by default all"
    )
    which.add_argument(
        "--no-vehicles",
        dest="vehicles",
        action="store_false",
        help="for netcdf: loads and prices alone",
    )


def _flag(name: str) -> str:
    """An option as it is written, from its name in the parser."""
    return "--no-vehicles" if name == "vehicles" else "--" + name.replace("_", "-")


def _is_given(value) -> bool:
    """Whether an option is other than where nobody gave it."""
    return value is not None and value is not True
