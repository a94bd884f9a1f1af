"""What `macjax report` does, and its arguments."""

from collections.abc import Callable
from pathlib import Path

from macjax._commands import DONE, _are_saved, _gather, _progress, exit_code
from macjax._errors import FIRST_IDS, SettingsError
from macjax._output import print_json

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
        vehicles=_vehicles(args.vehicle, scenario),
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
    command.add_argument(
        "--vehicle",
        action="append",
        metavar="ID",
        help="vehicle whose state of charge is shown; may be repeated; default: some "
        "that differ",
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


def _vehicles(given: list[str] | None, scenario) -> list | None:
    """The ids that read as these texts; ids may be whole numbers."""
    if given is None:
        return None
    ids = scenario.vehicles["vehicle_id"]
    rows = ids[ids.astype(str).isin(given)]
    by_text = dict(zip(rows.astype(str), rows.tolist(), strict=True))
    if unknown := [text for text in given if text not in by_text]:
        shown = ", ".join(f"'{text}'" for text in unknown[:FIRST_IDS])
        raise SettingsError(f"--vehicle: no vehicle {shown} in the scenario")
    return [by_text[text] for text in dict.fromkeys(given)]
