"""The command `macjax import`: one subcommand a format, with the importer's keywords.

Options and their help are read from the signature and the docstring of each importer,
so that the command and the library cannot differ.
"""

import dataclasses
import functools
import inspect
import re
import types
import typing
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from macjax._errors import SettingsError
from macjax._output import check_collection_folder, print_json
from macjax.config import read_table
from macjax.importers import FORMATS, Cars

SCENARIO, REPORT = "scenario", "report.csv"
TABLES = ("feeders.parquet", "feeder_profile.parquet")
# Keywords that the command gives by itself.
OWN = ("cars", "progress")
_ARGUMENT = re.compile(r"^ {8}(\w+(?:, \w+)*): (.*)$")


def import_files(args) -> int:
    """Make a scenario, or feeders, of files of another format."""
    out = Path(args.out)
    check_collection_folder(out, (), (SCENARIO, REPORT, *TABLES))
    importer = FORMATS[args.format]
    names = inspect.signature(importer).parameters
    given = {n: getattr(args, n) for n in names if getattr(args, n, None) is not None}
    if "cars" in names and (cars := _cars(args)):
        given["cars"] = dataclasses.replace(_default_cars(args.format), **cars)
    if "progress" in names:
        given["progress"] = not args.quiet
    files = args.files if len(args.files) > 1 else args.files[0]
    found = importer(files, **given)
    if getattr(args, "feeders", None):
        link = read_table(args.link) if args.link else None
        found = found.with_feeders(_read_feeders(Path(args.feeders)), link, args.by)
    elif getattr(args, "link", None) or getattr(args, "by", None):
        raise SettingsError("--link, --by: without meaning without --feeders")
    found.write(out)
    if args.json:
        counts = {name: len(frame) for name, frame in found.frames.items()}
        print_json(
            {"format": args.format, **counts, "report": found.report, "out": out}
        )
    else:
        print(found.summary())
        print(f"written to {out}: {', '.join(sorted(p.name for p in out.iterdir()))}")
    return 0


def add_import(commands, add_command: Callable, folder: Callable) -> None:
    """Add the command and its formats to a parser.

    Arguments:
        commands: subparsers of the program.
        add_command: adds one command with the options that all have.
        folder: reads the path of a folder.
    """
    text = import_files.__doc__
    command = commands.add_parser(
        "import", help=text, description=text, allow_abbrev=False
    )
    formats = command.add_subparsers(title="formats", required=True, metavar="FORMAT")
    for name, importer in FORMATS.items():
        run = functools.partial(import_files)
        run.__doc__ = importer.__doc__
        one = add_command(formats, name, run)
        one.set_defaults(format=name)
        words = argument_words(importer)
        first = next(iter(inspect.signature(importer).parameters))
        one.add_argument("files", nargs="+", metavar="FILE", help=words[first])
        one.add_argument(
            "-o",
            "--out",
            type=folder,
            required=True,
            help=f"folder to write: {SCENARIO}, or the tables of feeders, and {REPORT}",
        )
        _add_keywords(one, importer, words)
        if name not in ("pandapower", "opendss", "hosting-capacity"):
            _add_feeders(one, folder)


def _add_keywords(command, importer, words: dict[str, str]) -> None:
    """An option for each keyword of an importer, and for each assumption on cars."""
    parameters = inspect.signature(importer).parameters.values()
    for parameter in (p for p in parameters if p.kind is p.KEYWORD_ONLY):
        if parameter.name not in OWN:
            default = parameter.default
            _add_option(command, parameter.name, parameter.annotation, default, words)
    if any(p.name == "cars" for p in parameters):
        defaults = _default_cars(command.get_default("format"))
        cars = argument_words(Cars)
        for field in dataclasses.fields(Cars):
            default = getattr(defaults, field.name)
            _add_option(command, field.name, field.type, default, cars)


def _add_option(command, name: str, annotation, default, words) -> None:
    flag = "--" + name.replace("_", "-")
    help_text = words.get(name, "").replace("%", "%%")
    if annotation is bool:
        command.add_argument(
            flag, dest=name, action="store_const", const=True, help=help_text
        )
        return
    kinds = _kinds(annotation)
    read = next((kind for kind in (int, float) if kind in kinds), str)
    if name == "charger_kw" and not {int, float} & kinds:
        read, default = _powers, ",".join(f"{k}={v:g}" for k, v in default.items())
    if name == "section":
        read = _number_or_word
    shown = default if default is not None else ""
    if isinstance(default, tuple):
        shown = ",".join(default)
    suffix = f" (default {shown})" if shown != "" else ""
    command.add_argument(
        flag,
        dest=name,
        type=read,
        metavar="NUMBER" if "_per_" in name else name.split("_")[-1].upper(),
        help=help_text + str(suffix).replace("%", "%%"),
    )


def _kinds(annotation) -> set:
    """The types of an annotation such as `int | None`."""
    if isinstance(annotation, types.UnionType):
        return set(typing.get_args(annotation)) - {types.NoneType}
    return {annotation}


def _powers(text: str) -> dict[str, float]:
    """`home=7.2,work=11` as powers by place."""
    pairs = [part.partition("=") for part in text.split(",")]
    return {place.strip(): float(power) for place, _, power in pairs}


def _number_or_word(text: str):
    try:
        return float(text)
    except ValueError:
        return text


def argument_words(documented) -> dict[str, str]:
    """What a docstring says of each argument, on one line each."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in (inspect.getdoc(documented) or "").splitlines():
        match = _ARGUMENT.match("    " + line)
        if match:
            names = match[1].split(", ")
            found |= dict.fromkeys(names, match[2])
        elif names and line.startswith("        "):
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
        else:
            names = []
    return found


def _default_cars(name: str) -> Cars:
    """What an importer assumes of the cars by itself."""
    if name == "simbev":
        from macjax.importers.simbev_events import DEFAULT_CARS

        return DEFAULT_CARS
    return Cars()


def _cars(args) -> dict:
    names = [field.name for field in dataclasses.fields(Cars)]
    return {n: getattr(args, n) for n in names if getattr(args, n, None) is not None}


def _add_feeders(command, folder: Callable) -> None:
    command.add_argument(
        "--feeders",
        type=folder,
        help="folder with the feeders of another import, or of a scenario; without "
        "--link each stay is on the nearest one, by x and y",
    )
    command.add_argument(
        "--link", help="table of two columns: values of --by, and feeder_id"
    )
    command.add_argument("--by", help="column of the stays that --link maps, e.g. zone")


def _read_feeders(given: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables feeders and feeder_profile of a folder, or of a scenario in it."""
    for place in (given, given / SCENARIO):
        found = []
        for name in ("feeders", "feeder_profile"):
            paths = [place / f"{name}.{ending}" for ending in ("parquet", "csv")]
            found += [path for path in paths if path.is_file()][:1]
        if len(found) == 2:
            return read_table(found[0]), read_table(found[1])
    raise SettingsError(f"'{given}' has no tables feeders and feeder_profile")
