"""What each command does; every one takes parsed arguments and returns an exit code."""

import json
from pathlib import Path

from macjax._errors import MacjaxError, SettingsError
from macjax._methods import (
    METHODS,
    OPTIMISED,
    Request,
    announce,
    check_methods,
    run_methods,
)
from macjax._output import (
    check_collection_folder,
    check_files,
    comparison_text,
    is_solution,
    json_value,
    note,
    print_json,
)
from macjax.config import Job, check_solve_settings, read_job, read_table
from macjax.results import check_output

DONE, UNSOLVED, WRONG, INFEASIBLE, INTERRUPTED = 0, 1, 2, 3, 130
EXIT_CODES = {
    "solved": DONE,
    "simulated": DONE,
    "infeasible": INFEASIBLE,
    "interrupted": INTERRUPTED,
}
DEMO_METHODS = ("unmanaged", "time_of_use", "per_session", "mac")
FIGURES, TABLE = "figures", "comparison.csv"
# What `build` writes: the tables, what is known of them, and all that was assumed.
SCENARIO, FACTS, ASSUMED = "scenario", "facts.json", "region.toml"
# Options that only what optimises takes, and all those of a run on a scenario.
SOLVER_OPTIONS = ("gap", "max_iterations", "time_limit", "dtype", "device_memory")
SOLVER_OPTIONS += ("warm_start",)
RUN_OPTIONS = ("methods", "objective", "on_infeasible", *SOLVER_OPTIONS)
RUN_OPTIONS += ("vehicle_to_grid", "tariff")
RESUME_OPTIONS = ("gap", "max_iterations", "time_limit", "checkpoint_every")


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


def build(args) -> int:
    """Build the scenario of a region from its configuration."""
    from macjax import regions

    out = Path(args.out)
    check_collection_folder(out, (), (SCENARIO, FACTS, ASSUMED))
    built = regions.build_with_facts(
        args.input,
        adoption=args.adoption,
        sample=args.sample,
        seed=args.seed,
        progress=_progress(args),
    )
    out.mkdir(parents=True, exist_ok=True)
    built.scenario.write(out / SCENARIO)
    text = json.dumps(json_value(built.facts), indent=2, allow_nan=False) + "\n"
    (out / FACTS).write_text(text, encoding="utf-8")
    (out / ASSUMED).write_text(built.config.to_toml(), encoding="utf-8")
    if args.json:
        print_json({**built.facts, "out": out})
        return DONE
    announce(built.scenario, args.quiet)
    print(regions.report(built.facts))
    print(f"written to {out}: {SCENARIO}, {FACTS}, {ASSUMED} (all that is assumed)")
    return DONE


def solve(args) -> int:
    """Coordinate the charging of a scenario and certify it."""
    if args.checkpoint is None and args.checkpoint_every is not None:
        raise SettingsError("--checkpoint-every: without meaning without --checkpoint")
    return _one(args, "mac")


def resume(args) -> int:
    """Go on with an interrupted solve from its checkpoints."""
    import macjax

    out = _solution_folder(args.out, args.input)
    given = {name: getattr(args, name) for name in RESUME_OPTIONS}
    solution = macjax.resume(args.input, progress=_progress(args), **given)
    return _write_and_show(args, solution, out)


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
        # A run that ended early has no schedule yet: that is not a proof of anything.
        proven = certificate.has_schedule or certificate.ray_excess_kw > 0
        return INFEASIBLE if proven else UNSOLVED
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
    try:
        if out:
            out.mkdir(parents=True, exist_ok=True)
            table.to_csv(out / TABLE, index=False)
    finally:  # what was found is shown even where it cannot be written
        if args.json:
            print_json({"methods": table, "out": out})
        else:
            print(comparison_text(table))
    return DONE if _are_saved(args.inputs) else exit_code(*solutions)


def plot(args) -> int:
    """Draw the figures of saved solutions, or of methods run on a scenario."""
    from macjax import plots

    out = Path(args.out)
    check_files(out, plots.FILES)
    plots.require_matplotlib()
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
    check_files(out / FIGURES, plots.FILES)
    request = Request(None, {}, args.tariff, _progress(args))
    job = Job(source=Path("the bundled scenario"), builder="example")
    scenario = job.build_scenario()
    announce(scenario, args.quiet)
    solutions = _run_all(DEMO_METHODS, scenario, request, args.quiet, out)
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

    names = ("schedule", "objective", "on_infeasible", "vehicle_to_grid")
    if given := _given(args, names):
        raise SettingsError(
            f"{given}: a solution brings its own schedule and settings; give the "
            "scenario to certify another schedule"
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
    out = _solution_folder(args.out, getattr(args, "checkpoint", None))
    _check_options(args, (method,))
    job = _job(args)
    request = _request(args, job)
    scenario = job.build_scenario()
    announce(scenario, args.quiet)
    (solution,) = run_methods((method,), scenario, request, quiet=True)
    return _write_and_show(args, solution, out)


def _solution_folder(given: str | None, checkpoint: str | None) -> Path | None:
    """Where the solution goes, after a check that it can be written there."""
    if given is None:
        return None
    out = Path(given)
    place = check_output(out)
    if checkpoint and Path(checkpoint).expanduser().resolve().is_relative_to(place):
        raise SettingsError(
            f"checkpoints in '{checkpoint}' and the solution in '{out}': name two "
            "folders of which the second does not hold the first"
        )
    return out


def _write_and_show(args, solution, out: Path | None) -> int:
    """Write the solution of a run if it has a place, show it; the exit code."""
    try:
        if out:
            solution.write(out)
    finally:  # what was found is shown even where it cannot be written
        _show_solution(args, solution, out)
    return exit_code(solution)


def _job(args) -> Job:
    """The job of the input with the settings of the command line in it."""
    names = ("gap", "max_iterations", "time_limit", "on_infeasible", "dtype")
    names += ("device_memory", "warm_start", "vehicle_to_grid")
    given = {name: getattr(args, name, None) for name in names}
    job = read_job(getattr(args, "input", None) or args.inputs[0])
    return job.with_settings(getattr(args, "objective", None), **given)


def _request(args, job: Job) -> Request:
    """Objective, settings and warm start, all read before the scenario is."""
    import macjax

    settings = check_solve_settings(job.solve, str(job.source))
    if "warm_start" in settings:
        settings["warm_start"] = macjax.Solution.read(Path(settings["warm_start"]))
    for name in ("checkpoint", "checkpoint_every"):
        if getattr(args, name, None) is not None:
            settings[name] = getattr(args, name)
    tariff = getattr(args, "tariff", None)
    return Request(job.build_objective(), settings, tariff, _progress(args))


def _given(args, names) -> str:
    """Which of these options were given, as they are written."""
    found = [name for name in names if getattr(args, name, None) is not None]
    written = ("no_vehicle_to_grid" if n == "vehicle_to_grid" else n for n in found)
    return ", ".join("--" + name.replace("_", "-") for name in written)


def _check_options(args, methods) -> None:
    """Refuse options that none of the methods takes."""
    named = ", ".join(methods)
    if not set(methods) & set(OPTIMISED) and (given := _given(args, SOLVER_OPTIONS)):
        raise SettingsError(
            f"{given}: without meaning for {named}, where nothing is optimised; "
            f"{' and '.join(OPTIMISED)} take it"
        )
    if "time_of_use" not in methods and _given(args, ("tariff",)):
        raise SettingsError(
            f"--tariff: without meaning for {named}; time_of_use has it"
        )


def _are_saved(inputs: list[str]) -> bool:
    return all(is_solution(Path(given)) for given in inputs)


def _gather(args, out: Path | None = None) -> list:
    """Saved solutions, or those of the methods run on the one scenario given."""
    import macjax

    if _are_saved(args.inputs):
        if given := _given(args, RUN_OPTIONS):
            raise SettingsError(f"{given}: for runs on a scenario, not for solutions")
        return [macjax.Solution.read(Path(given)) for given in args.inputs]
    if len(args.inputs) > 1:
        wrong = [i for i in args.inputs if not is_solution(Path(i))]
        raise SettingsError(
            "give either folders of solutions or one scenario; no solution: "
            + ", ".join(wrong)
        )
    given = [name.strip() for name in (args.methods or "").split(",") if name.strip()]
    names = check_methods(given or args.compared)
    _check_options(args, names)
    job = _job(args)
    request = _request(args, job)
    scenario = job.build_scenario()
    announce(scenario, args.quiet)
    _feeder(getattr(args, "feeder", None), scenario)
    return _run_all(names, scenario, request, args.quiet, out)


def _run_all(names, scenario, request: Request, quiet: bool, out: Path | None) -> list:
    """The solutions of all methods, written when the last one is done.

    Wrong input that a later method finds leaves nothing behind; an interruption or a
    failure of the program keeps what was finished.
    """
    solutions = []
    try:
        for solution in run_methods(names, scenario, request, quiet):
            solutions.append(solution)
    except (MacjaxError, PermissionError):
        raise
    except BaseException:
        _write_all(solutions, out)
        raise
    _write_all(solutions, out)
    return solutions


def _write_all(solutions, out: Path | None) -> None:
    for solution in solutions if out else []:
        solution.write(out / solution.method)


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
