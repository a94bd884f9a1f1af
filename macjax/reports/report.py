"""`report`: solutions in, one self-contained HTML file out."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from macjax._errors import SettingsError, SolutionError
from macjax.plots.canvas import require_matplotlib
from macjax.plots.given import by_label
from macjax.regions.config import RegionConfig, read_config
from macjax.regions.provenance import provenance
from macjax.reports.baselines import with_baselines
from macjax.reports.embed import embedded
from macjax.reports.facts import gather
from macjax.reports.page import page
from macjax.reports.place import check_place, write_page
from macjax.reports.sections import sections
from macjax.results import tables

# Solutions are shown in this order, others between them as they are given.
ORDER = {"unmanaged": 0, "time_of_use": 1, "first_come": 1, "per_session": 2, "mac": 4}
OTHERS = 3
MOST_VEHICLES = 100


def report(
    solutions,
    path: str | os.PathLike = "report.html",
    *,
    baselines: bool = True,
    vehicles: Iterable | None = None,
    region: RegionConfig | Mapping | str | os.PathLike | None = None,
    progress: bool | None = None,
) -> Path:
    """Write what came of solutions, what is proved and what it rests on, as one file.

    The planner's table with certified intervals, load of the worst feeders against
    their capacity, load duration, upgrades, a map where feeders have a place, prices,
    state of charge of some vehicles, convergence, and what was assumed. The file needs
    nothing else: no network, no script for what it says; with script a feeder and a
    vehicle can be chosen. Long tables are cut; the file says by how much.

    Arguments:
        solutions: one `Solution`, a list, or a dict from the label to show to the
            solution; of one scenario.
        path: the file; one that another program wrote is not replaced.
        baselines: compute unmanaged and per-session charging where no such solution is
            given, with objective, gap and `on_infeasible` of those that are.
        vehicles: ids of vehicles to show; None picks some that differ.
        region: configuration that the scenario was built from, or its path
            (`region.toml`), to list its sources; those of the bundled one are known.
        progress: True tells on stderr, False does not, None does on a terminal.

    Returns:
        the path.

    Raises:
        SettingsError: no solution, solutions of different scenarios, unknown
            vehicles, or a path that cannot be written; before anything is computed.
        SolutionError: a part of a solution by several processes.
        MacjaxError: matplotlib is missing.
        KeyboardInterrupt: a baseline was interrupted; nothing is written.
    """
    if not (progress is None or isinstance(progress, bool)):
        raise SettingsError(f"progress must be True, False or None, not {progress!r}")
    prints = sys.stderr.isatty() if progress is None else progress
    tell = _tell if prints else _say_nothing
    path = check_place(path)
    require_matplotlib()
    shown = labelled(solutions)
    scenario = next(iter(shown.values())).scenario
    if vehicles is not None:
        vehicles = _known(scenario, vehicles)
    origin = None if region is None else provenance(read_config(region))
    notes: list[str] = []
    if baselines:
        shown = with_baselines(shown, notes, tell, prints)
    shown = dict(sorted(shown.items(), key=lambda pair: _rank(pair[1])))
    tell("gathering numbers ...")
    facts = gather(shown, vehicles, origin, notes)
    tell("drawing figures ...")
    text = page(facts, sections(facts), embedded(facts))
    write_page(path, text)
    tell(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return path


def labelled(solutions) -> dict:
    """The solutions by label, checked: whole ones, of one scenario."""
    found = by_label(solutions, "report")
    _check_whole(found.values())
    # Half of a surrogate pair can be in no column's name.
    return {k.encode("utf-8", "replace").decode("utf-8"): s for k, s in found.items()}


def _check_whole(solutions: Iterable) -> None:
    """Raise unless the solutions are whole and of one scenario."""
    prints = {}
    for solution in solutions:
        if solution.part is not None:
            raise SolutionError(
                "this is one part of a solution by several processes; "
                "macjax.Solution.read(folder) joins them"
            )
        prints[solution.scenario.fingerprint] = solution.scenario.name
    if len(prints) > 1:
        names = ", ".join(f"'{name}' ({key[:8]})" for key, name in prints.items())
        raise SettingsError(
            f"the solutions are of {len(prints)} different scenarios: {names}; a "
            "report shows those of one"
        )


def _known(scenario, vehicles) -> list:
    """Ids of vehicles, each once, in the type of the tables."""
    at = list(dict.fromkeys(tables.select_vehicles(scenario, vehicles).tolist()))
    if len(at) > MOST_VEHICLES:
        raise SettingsError(
            f"vehicles: a report shows at most {MOST_VEHICLES}, not {len(at)}"
        )
    return scenario.vehicles["vehicle_id"].iloc[at].tolist()


def _rank(solution) -> int:
    return ORDER.get(solution.method, OTHERS)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _say_nothing(text: str) -> None:
    pass
