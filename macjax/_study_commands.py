"""What the commands do that ask a question of many scenarios, or all of one."""

import pandas as pd

from macjax._commands import (
    EXIT_CODES,
    INTERRUPTED,
    UNSOLVED,
    _check_options,
    _job,
    _progress,
    exit_code,
)
from macjax._errors import SettingsError
from macjax._methods import COMPARED, check_methods
from macjax._output import number_text, print_json
from macjax.studies.planner import STUDIED

# Columns of the frame that are shown; all are in the files.
SHOWN = ("method", "status", "upgrade_kw", "upgrade_cost", "upgrade_cost_at_least")
SHOWN += ("avoided_percent", "stranded", "infeasible", "gap", "seconds")


def sweep(args) -> int:
    """Run methods on all combinations of what varies; one table, and files to go on."""
    import macjax

    over = dict(args.over or [])
    if len(over) < len(args.over or []):
        raise SettingsError("--over: name every key once, with all its values")
    job = _job(args)
    given = [name.strip() for name in (args.methods or "").split(",") if name.strip()]
    methods = check_methods(given or job.sweep.get("methods") or COMPARED)
    _check_options(args, methods)
    frame = macjax.sweep(
        job,
        over=over or None,
        methods=methods,
        out=args.out,
        tariff=args.tariff,
        keep=args.keep,
        workers=args.workers,
        progress=_progress(args),
    )
    if args.json:
        print_json({"cases": frame, "out": args.out})
    else:
        print(_text(frame))
        if args.out:
            print(f"written to {args.out}: cases.parquet, cases.csv, cases/")
    if frame.attrs["interrupted"]:
        return INTERRUPTED
    return max((EXIT_CODES.get(s, UNSOLVED) for s in frame["status"]), default=0)


def study(args) -> int:
    """All methods on a scenario: tables, figures and a report, resumed."""
    import macjax
    from macjax.studies.planner_report import study_summary

    job = _job(args)
    given = [name.strip() for name in (args.methods or "").split(",") if name.strip()]
    methods = check_methods(given or job.study.get("methods") or STUDIED)
    _check_options(args, methods)
    found = macjax.study(
        job, args.out, methods=methods, tariff=args.tariff, progress=_progress(args)
    )
    solutions = found.solutions.values()
    currency = next(iter(solutions)).scenario.currency
    if args.json:
        tables = {name: t for name, t in found.tables.items() if name != "feeders"}
        record = {"out": found.out, "figures": found.figures, **tables}
        print_json({**record, "seconds": found.seconds})
    else:
        print(study_summary(found.tables, currency))
        print(f"written to {args.out}: report.md, tables/, figures/, solutions/")
    return exit_code(*solutions)


def _text(frame: pd.DataFrame) -> str:
    """The frame as it fits a terminal, with the errors below."""
    varied = list(frame.columns[: frame.columns.get_loc("method")])
    shown = {name: frame[name].astype(str) for name in varied}
    shown |= {name: frame[name].map(number_text) for name in SHOWN}
    lines = [pd.DataFrame(shown).to_string(index=False)]
    for row in frame[frame["error"] != ""].to_dict("records"):
        case = ", ".join(f"{name} {row[name]}" for name in varied)
        lines.append(f"{case}, {row['method']}: {row['error']}")
    return "\n".join(lines)
