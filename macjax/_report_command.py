"""What `macjax report` does, and its arguments."""

from collections.abc import Callable
from pathlib import Path

from macjax._commands import DONE, _are_saved, _gather, _progress, exit_code
from macjax._output import print_json
from macjax._vehicle_option import add_vehicle, named_vehicles

# What `macjax study` leaves two folders above its solutions.
STUDY, REGION = "study.json", "region.toml"


def report(args) -> int:
    """Write one HTML file that shows what came of solutions, and what is proved."""
    import macjax
    from macjax.plots import require_matplotlib
    from macjax.reports.place import check_place

    out = check_place(args.out)
    require_matplotlib()
    solutions = _gather(args)
    scenario = solutions[0].scenario
    region = args.region or _region_of(args.inputs)
    macjax.report(
        solutions,
        out,
        baselines=args.baselines,
        vehicles=named_vehicles(args.vehicle, scenario),
        region=region,
        progress=_progress(args),
    )
    if args.json:
        print_json({"report": out, "bytes": out.stat().st_size, "region": region})
    else:
        print(f"report: {out}")
    return DONE if _are_saved(args.inputs) else exit_code(*solutions)


def add_report_options(command, folder: Callable) -> None:
    """The options that only `report` has.

    Arguments:
        command: the parser of the command.
        folder: reads a path.
    """
    command.add_argument(
        "-o",
        "--out",
        type=folder,
        default="report.html",
        metavar="FILE",
        help="file to write; default report.html",
    )
    command.add_argument(
        "--no-baselines",
        dest="baselines",
        action="store_false",
        help="do not compute unmanaged and per-session charging where no such solution "
        "is given",
    )
    add_vehicle(
        command, "vehicle whose state of charge is shown, by default some that differ"
    )
    command.add_argument(
        "--region",
        metavar="CONFIG",
        help="configuration that the scenario was built from (region.toml), to list "
        "its sources; default: that of the study that the solutions are of, if any",
    )


def _region_of(inputs: list[str]) -> Path | None:
    """region.toml of the one study whose solutions these are."""
    found = set()
    for given in inputs:
        folder = Path(given).absolute().parent.parent
        whole = (folder / STUDY).is_file() and (folder / REGION).is_file()
        found.add(folder / REGION if whole else None)
    return found.pop() if len(found) == 1 else None
