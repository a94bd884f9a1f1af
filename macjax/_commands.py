"""What each command does; every one takes parsed arguments and returns an exit code."""

from pathlib import Path

from macjax._errors import MacjaxError, SettingsError
from macjax._methods import (
    METHODS,
    Request,
    announce,
    check_methods,
    run_method,
    run_methods,
)
from macjax._output import (
    check_collection_folder,
    comparison_text,
    is_solution,
    note,
    print_json,
)
from macjax.config import Job, check_solve_settings, read_job, read_table
from macjax.results import check_output
from macjax.results.folders import probe

DONE, UNSOLVED, WRONG, INFEASIBLE, INTERRUPTED = 0, 1, 2, 3, 130
EXIT_CODES = {
    "solved": DONE,
    "simulated": DONE,
    "infeasible": INFEASIBLE,
    "interrupted": INTERRUPTED,
}
DEMO_METHODS = ("unmanaged", "time_of_use", "per_session", "mac")
FIGURES, TABLE = "figures", "comparison.csv"


def exit_code(*solutions) -> int:
    """0 if all are solved or simulated; else the gravest of interrupted, 3 and 1."""
    codes = (EXIT_CODES.get(str(s.status), UNSOLVED) for s in solutions)
    return max(codes, default=DONE)


def validate(args) -> int:
    """Read a scenario; a wrong one raises its report."""
    scenario = _job(args).build_scenario()
    tables = ("vehicles", "stays", "trips", "feeders")
    counts = {name: len(getattr(scenario, name)) for name in tables}
    if args.json:
        notes = list(scenario.notes)
        horizon = {"slots": scenario.slots, "slot_minutes": scenario.slot_minutes}
        record = {"valid": True, "name": scenario.name, **horizon, **counts}
        print_json({**record, "notes": notes})
        return DONE
    announce(scenario, args.quiet)
    shown = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    slots = f"{scenario.slots:,} slots of {scenario.slot_minutes} minutes"
    print(f"{scenario.name}: valid; {shown}; {slots}")
    return DONE


def solve(args) -> int:
    """Coordinate the charging of a scenario and certify it."""
    return _one(args, "mac")


def baseline(args) -> int:
    """Simulate charging as it is, or as far as sessions alone allow."""
    return _one(args, args.method)


def certify(args) -> int:
    """Recompute a solution, or a schedule from elsewhere, from the raw tables."""
    folder = Path(args.input)
    if is_solution(folder):
        certificate = _certify_solution(args, folder)
    elif args.schedule:
        certificate = _certify_schedule(args)
    else:
        raise SettingsError(
            f"'{folder}' is not a solution; for a scenario give --schedule"
        )
    if args.json:
        print_json(certificate.to_dict())
    else:
        print(certificate)
    if not certificate.feasible:
        return INFEASIBLE
    is_close = args.gap is None or certificate.gap <= args.gap
    return DONE if is_close else UNSOLVED


def compare(args) -> int:
    """One table of saved solutions, or of methods run on a scenario."""
    import macjax

    out = Path(args.out) if args.out else None
    if out:
        check_collection_folder(out, METHODS, (TABLE,))
    solutions = _gather(args, out)
    table = macjax.compare(solutions)
    if _are_saved(args.inputs):
        table.insert(0, "solution", [Path(i).resolve().name for i in args.inputs])
    if out:
        out.mkdir(parents=True, exist_ok=True)
        table.to_csv(out / TABLE, index=False)
    if args.json:
        print_json({"methods": table, "out": out})
    else:
        print(comparison_text(table))
    return DONE if _are_saved(args.inputs) else exit_code(*solutions)


def plot(args) -> int:
    """Draw the figures of saved solutions, or of methods run on a scenario."""
    from macjax import plots

    out = Path(args.out)
    probe(out.absolute())
    solutions = _gather(args)
    feeder = _feeder(args.feeder, solutions[0].scenario)
    paths = plots.save_all(solutions, out, feeder_id=feeder)
    _show_paths(args, {}, paths)
    return DONE if _are_saved(args.inputs) else exit_code(*solutions)


def demo(args) -> int:
    """The bundled scenario, unmanaged to coordinated, as table and figures."""
    import macjax
    from macjax import plots

    out = Path(args.out)
    check_collection_folder(out, DEMO_METHODS, (FIGURES, TABLE))
    request = Request(None, {}, args.tariff, _progress(args))
    job = Job(source=Path("the bundled scenario"), builder="example")
    solutions = []
    for solution in run_methods(DEMO_METHODS, job, request, args.quiet):
        solution.write(out / solution.method)
        solutions.append(solution)
    table = macjax.compare(solutions)
    table.to_csv(out / TABLE, index=False)
    last = solutions[-1]
    if not args.json:
        print(f"{last.scenario.name}\n\n{comparison_text(table)}\n")
        if last.method == "mac":
            print(_proof_text(last))
        print("\nAssumptions:", *(f"- {text}" for text in last.assumptions), sep="\n")
    try:
        paths = plots.save_all(solutions, out / FIGURES)
    except MacjaxError as error:
        note(f"no figures: {error}")
        paths = []
    _show_paths(args, {"methods": table, "out": out}, paths)
    return exit_code(*solutions)


def _certify_solution(args, folder: Path):
    """The certificate of a saved solution, with its own prices or those given."""
    import macjax

    if args.schedule or args.objective or args.on_infeasible:
        raise SettingsError(
            "a solution brings its own schedule and settings; give the scenario to "
            "certify another schedule"
        )
    solution = macjax.Solution.read(folder)
    prices = read_table(args.prices) if args.prices else None
    return macjax.certify(solution.scenario, solution, prices=prices)


def _certify_schedule(args):
    """The certificate of a table of power on a scenario."""
    import macjax

    job = _job(args)
    schedule = read_table(args.schedule)
    prices = read_table(args.prices) if args.prices else None
    return macjax.certify(
        job.build_scenario(),
        schedule,
        prices=prices,
        objective=job.build_objective(),
        on_infeasible=job.solve.get("on_infeasible"),
    )


def _one(args, method: str) -> int:
    """Run one method on the scenario, write and show its solution."""
    out = Path(args.out) if args.out else None
    if out:
        check_output(out)
    job = _job(args)
    request = _request(args, job)
    scenario = job.build_scenario()
    announce(scenario, args.quiet)
    solution = run_method(method, scenario, request)
    try:
        if out:
            solution.write(out)
    finally:  # what was found is shown even where it cannot be written
        _show_solution(args, solution, out)
    return exit_code(solution)


def _job(args) -> Job:
    """The job of the input with the settings of the command line in it."""
    names = ("gap", "max_iterations", "time_limit", "on_infeasible", "dtype")
    names += ("warm_start", "vehicle_to_grid")
    given = {name: getattr(args, name, None) for name in names}
    job = read_job(getattr(args, "input", None) or args.inputs[0])
    return job.with_settings(getattr(args, "objective", None), **given)


def _request(args, job: Job) -> Request:
    """Objective, settings and warm start, all read before the scenario is."""
    import macjax

    settings = check_solve_settings(job.solve, str(job.source))
    if "warm_start" in settings:
        settings["warm_start"] = macjax.Solution.read(Path(settings["warm_start"]))
    tariff = getattr(args, "tariff", "")
    return Request(job.build_objective(), settings, tariff, _progress(args))


def _are_saved(inputs: list[str]) -> bool:
    return all(is_solution(Path(given)) for given in inputs)


def _gather(args, out: Path | None = None) -> list:
    """Saved solutions, or those of the methods run on the one scenario given."""
    import macjax

    if _are_saved(args.inputs):
        if args.methods:
            raise SettingsError("--methods goes with a scenario, not with solutions")
        return [macjax.Solution.read(Path(given)) for given in args.inputs]
    if len(args.inputs) > 1:
        wrong = [i for i in args.inputs if not is_solution(Path(i))]
        raise SettingsError(
            "give either folders of solutions or one scenario; no solution: "
            + ", ".join(wrong)
        )
    given = [name.strip() for name in (args.methods or "").split(",") if name.strip()]
    names = check_methods(given or args.compared)
    job = _job(args)
    solutions = []
    for solution in run_methods(names, job, _request(args, job), args.quiet):
        if out:
            solution.write(out / solution.method)
        solutions.append(solution)
    return solutions


def _feeder(text: str | None, scenario):
    """The feeder id that reads as the text; ids may be whole numbers."""
    if text is None:
        return None
    ids = {str(i): i for i in scenario.feeders["feeder_id"]}
    if text not in ids:
        raise SettingsError(f"no feeder '{text}' in the scenario")
    return ids[text]


def _progress(args):
    return not args.quiet


def _show_solution(args, solution, out: Path | None) -> None:
    """The result on stdout, as text with its assumptions or as JSON."""
    if args.json:
        names = ("status", "message", "objective", "lower_bound", "gap", "iterations")
        record = {name: getattr(solution, name) for name in names}
        record |= {"method": solution.method, "seconds": solution.seconds}
        record |= {"summary": solution.summary(), "out": out}
        print_json({**record, "assumptions": solution.assumptions})
        return
    print(solution.report())
    if out:
        print(f"written to {out}")


def _proof_text(solution) -> str:
    """What is proved about the upgrade, in one sentence."""
    money = f"{solution.scenario.currency} {{:,.0f}}".format
    return (
        f"{solution.status}: coordinated charging needs upgrades of "
        f"{money(solution.objective)}; no schedule that serves every trip needs less "
        f"than {money(solution.lower_bound)} (certified gap {solution.gap:.1e})"
    )


def _show_paths(args, record: dict, paths: list[Path]) -> None:
    if args.json:
        print_json({**record, "figures": paths})
        return
    for path in paths:
        print(f"figure: {path}")
    if "out" in record:
        print(f"results: {record['out']}")
