"""Configurations: a TOML file that names a scenario and says how to solve it.

    scenario = "folder"        # relative to this file; or builder = "example", or
                               # [region], see macjax.regions
    objective = "peak + smoothing:1e-3"

    [arguments]                # of the builder
    [solve]                    # the arguments of macjax.solve
    [sweep]                    # over.adoption = [0.1, 0.3], methods = ["mac"]
    [study]                    # methods, tariff, transformers of macjax.study

Unknown keys are errors that name the nearest one. The objective may also be a table,
`[objective]` with `peak = true` and `smoothing = 1e-3`. Reading a file runs no code.
"""

import dataclasses
import functools
import importlib
import inspect
import math
import operator
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import pandas as pd

from macjax._errors import SettingsError, nearest

# A builder makes a scenario from keyword arguments.
BUILDERS = {
    "example": ("macjax.examples", "example"),
    "region": ("macjax.regions", "build"),
    "synthetic": ("macjax.synthetic", "fleet"),
}
# The word for each objective, its class, and what its number is ("" if it has none).
OBJECTIVES = {
    "peak": ("PeakOverload", "cost per kW of upgrade", False),
    "overload_energy": ("OverloadEnergy", "cost per kWh of overload", False),
    "squared_overload": ("SquaredOverload", "cost per kW^2 h of overload", False),
    "capacity": ("FeederCapacity", "", False),
    "energy": ("EnergyCost", "price per kWh, or a table of prices", True),
    "smoothing": ("Smoothing", "epsilon", True),
}
SOLVE_KEYS = {
    "gap": float,
    "max_iterations": int,
    "time_limit": float,
    "on_infeasible": str,
    "dtype": str,
    "device_memory": float,
    "warm_start": str,
    "vehicle_to_grid": bool,
}
POLICIES = ("error", "drop", "relax")
DTYPES = ("float32", "float64")
# What the value of a setting must be, whatever the others are, and the test of it.
RULES = {
    "gap": ("a number above 0", lambda value: 0 < value < math.inf),
    "max_iterations": ("a whole number of at least 1", lambda value: value >= 1),
    "time_limit": ("seconds of at least 0", lambda value: value >= 0),
    "on_infeasible": ("one of " + ", ".join(POLICIES), POLICIES.__contains__),
    "dtype": ("one of " + ", ".join(DTYPES), DTYPES.__contains__),
    "device_memory": ("GiB of more than 0", lambda value: 0 < value < math.inf),
    "warm_start": ("the folder of a solution", lambda value: value.strip() != ""),
}
CONFIG_KEYS = ("scenario", "builder", "arguments", "region", "objective", "solve")
CONFIG_KEYS += ("sweep", "study")
SWEEP_KEYS = ("over", "methods")
STUDY_KEYS = {
    "methods": list,
    "tariff": str,
    "transformers": str,
    "replace": str,
    "power_factor": float,
}
NOUNS = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}
Kind = TypeVar("Kind", float, int, str, bool)
_CANONICAL_INTEGER = r"0|-?[1-9]\d{0,17}"
# Columns of names: ids, and buses of a network, which may be `007` too.
_NAMES = {"feeder_id", "vehicle_id", "bus"}


@dataclasses.dataclass(frozen=True)
class Job:
    """What to solve and how; nothing is read or built before `build_scenario`.

    Arguments:
        source: the path given, for messages.
        folder: folder of the scenario, or None when a builder makes it.
        builder: word in `BUILDERS`, or None.
        arguments: keyword arguments of the builder.
        objective: text, table or None, as `parse_objective` takes it.
        solve: arguments of `macjax.solve` other than scenario, objective, progress.
        base: folder that paths in the objective are relative to.
        sweep: what `macjax.sweep` varies, `over`, and its `methods`, where given.
        study: `methods`, `tariff`, and what upgrades are bought in, for `macjax.study`.
    """

    source: Path
    folder: Path | None = None
    builder: str | None = None
    arguments: Mapping = dataclasses.field(default_factory=dict)
    objective: str | Mapping | None = None
    solve: Mapping = dataclasses.field(default_factory=dict)
    base: Path = Path()
    sweep: Mapping = dataclasses.field(default_factory=dict)
    study: Mapping = dataclasses.field(default_factory=dict)

    def build_scenario(self):
        """Read the scenario's folder, or run its builder."""
        from macjax.scenario import Scenario

        if self.folder is None:
            return run_builder(str(self.builder), self.arguments)
        vehicle_to_grid = self.solve.get("vehicle_to_grid")
        return Scenario.read(self.folder, vehicle_to_grid=vehicle_to_grid)

    def build_objective(self):
        """The objective, or None for the default of `macjax.solve`."""
        if self.objective is None:
            return None
        return parse_objective(self.objective, self.base)

    def with_settings(self, objective: str | None = None, **solve) -> "Job":
        """The job with settings from the command line in place of its own."""
        given = {k: v for k, v in solve.items() if v is not None}
        changed = dataclasses.replace(self, solve={**self.solve, **given})
        if objective is None:
            return changed
        return dataclasses.replace(changed, objective=objective, base=Path())


def read_job(path) -> Job:
    """The job that a path names: the folder of a scenario, or a configuration."""
    path = Path(path)
    if path.is_dir():
        return Job(source=path, folder=_scenario_folder(path))
    if not path.exists():
        raise SettingsError(f"there is no folder or configuration '{path}'")
    if path.name == "scenario.toml":
        return Job(source=path, folder=path.parent)
    if path.suffix != ".toml":
        raise SettingsError(
            f"'{path}' is neither the folder of a scenario nor a configuration (.toml)"
        )
    return _job_from_table(_read_toml(path), path)


def parse_objective(given: str | Mapping, base: Path | str = "."):
    """An objective from text or from a table.

    Text is a sum of words, each with its number after a colon if it has one:
    `peak`, `peak:500 + smoothing:1e-3`, `capacity + energy:prices.csv`. A table gives
    the same words as keys, with `true` for a word without number.

    Arguments:
        given: the text or the table.
        base: folder that the path of a price table is relative to.
    """
    import macjax.objectives as objectives

    words = _words_of(given) if isinstance(given, str) else list(given.items())
    if not words:
        raise SettingsError("the objective is empty; e.g. 'peak + smoothing:1e-3'")
    terms = []
    for word, value in words:
        word = str(word).replace("-", "_").lower()
        if word not in OBJECTIVES:
            raise SettingsError(
                f"unknown objective '{word}'; {nearest(word, OBJECTIVES)}"
            )
        class_name, meaning, required = OBJECTIVES[word]
        number = _number_of(word, value, Path(base))
        if number is not None and not meaning:
            raise SettingsError(f"objective '{word}' takes no number, got {value!r}")
        if number is None and required:
            raise SettingsError(f"objective '{word}' needs its {meaning}: '{word}:...'")
        make = getattr(objectives, class_name)
        terms.append(make() if number is None else make(number))
    return functools.reduce(operator.add, terms)


def read_table(path) -> pd.DataFrame:
    """A Parquet or CSV table; ids from CSV are text unless all are plain integers."""
    path = Path(path)
    readers = {".parquet": pd.read_parquet, ".csv": _read_csv}
    if path.suffix not in readers:
        raise SettingsError(f"'{path}' must be a .parquet or .csv file")
    if not path.is_file():
        raise SettingsError(f"there is no file '{path}'")
    try:
        return readers[path.suffix](path)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise SettingsError(f"'{path}' cannot be read: {error}") from error


def check_solve_settings(settings: Mapping, owner: str) -> dict:
    """Settings with known names and values of the right type and range."""
    checked = {}
    for key, value in settings.items():
        if key not in SOLVE_KEYS:
            hint = nearest(key, SOLVE_KEYS)
            raise SettingsError(f"{owner}: unknown key '{key}'; {hint}")
        checked[key] = check_setting(key, value, owner)
    return checked


def check_setting(key: str, value, owner: str):
    """The value of a known setting, of the right type and within its range."""
    checked = _typed(value, SOLVE_KEYS[key], f"{owner}: {key}")
    _, is_right = RULES.get(key, ("", None))
    if is_right is not None and not is_right(checked):
        raise SettingsError(f"{owner}: {key} must be {rule_of(key)}, not {value!r}")
    return checked


def rule_of(key: str) -> str:
    """What the value of a setting must be, in words."""
    return RULES[key][0] if key in RULES else NOUNS[SOLVE_KEYS[key]]


def _scenario_folder(path: Path) -> Path:
    """The folder itself; a solution's folder points to the scenario within it."""
    if (path / "solution.json").exists() and not (path / "scenario.toml").exists():
        raise SettingsError(
            f"'{path}' is a solution and not a scenario; its scenario is in "
            f"'{path / 'scenario'}'"
        )
    return path


def _read_toml(path: Path) -> dict:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"'{path}' cannot be read as TOML: {error}") from error


def _job_from_table(table: dict, path: Path) -> Job:
    """Check the keys of a configuration and resolve its paths."""
    for key in table:
        if key not in CONFIG_KEYS:
            hint = nearest(key, CONFIG_KEYS)
            raise SettingsError(f"{path}: unknown key '{key}'; {hint}")
    if sum(key in table for key in ("scenario", "builder", "region")) != 1:
        raise SettingsError(
            f"{path}: give one of the keys 'scenario', 'builder' and 'region'"
        )
    for key in ("arguments", "solve", "sweep", "study"):
        if not isinstance(table.get(key, {}), dict):
            raise SettingsError(f"{path}: '{key}' must be a table, [{key}]")
    builder, folder, arguments = None, None, table.get("arguments", {})
    if "region" in table:
        # The builder reads the file itself, and says what is wrong with [region]
        builder, own = "region", {"config": str(path)}
        if arguments:
            raise SettingsError(f"{path}: give the keys of [arguments] in [region]")
        arguments = own
    elif "builder" in table:
        builder = _typed(table["builder"], str, f"{path}: builder")
        if builder not in BUILDERS:
            hint = nearest(builder, BUILDERS)
            raise SettingsError(f"{path}: unknown builder '{builder}'; {hint}")
    else:
        folder = path.parent / _typed(table["scenario"], str, f"{path}: scenario")
        if "arguments" in table:
            raise SettingsError(f"{path}: only a builder takes [arguments]")
    objective = table.get("objective")
    if objective is not None and not isinstance(objective, str | dict):
        raise SettingsError(f"{path}: 'objective' must be a text or a table")
    solve = check_solve_settings(table.get("solve", {}), f"{path}: [solve]")
    if "warm_start" in solve:
        solve["warm_start"] = str(path.parent / solve["warm_start"])
    return Job(
        source=path,
        folder=folder,
        builder=builder,
        arguments=arguments,
        objective=objective,
        solve=solve,
        base=path.parent,
        sweep=_sweep_table(table.get("sweep", {}), f"{path}: [sweep]"),
        study=_study_table(table.get("study", {}), path),
    )


def _sweep_table(table: Mapping, owner: str) -> dict:
    """What to vary, keys of inner tables joined by points, and the methods."""
    for key in table:
        if key not in SWEEP_KEYS:
            raise SettingsError(
                f"{owner}: unknown key '{key}'; {nearest(key, SWEEP_KEYS)}"
            )
    found = dict(table)
    if "over" in table:
        if not isinstance(table["over"], dict):
            raise SettingsError(f"{owner}: over must be a table of lists")
        found["over"] = flatten(table["over"])
    _names(table.get("methods", []), owner)
    return found


def _names(methods, owner: str) -> list[str]:
    """Names of methods as a list of texts."""
    if not isinstance(methods, list) or not all(isinstance(m, str) for m in methods):
        raise SettingsError(f"{owner}: methods must be a list of names")
    return methods


def _study_table(table: Mapping, path: Path) -> dict:
    """What a study runs and buys; the path of a tariff is relative to the file."""
    owner, found = f"{path}: [study]", {}
    for key, value in table.items():
        if key not in STUDY_KEYS:
            hint = nearest(key, STUDY_KEYS)
            raise SettingsError(f"{owner}: unknown key '{key}'; {hint}")
        if key == "methods":
            found[key] = _names(value, owner)
        else:
            found[key] = _typed(value, STUDY_KEYS[key], f"{owner}: {key}")
    if (path.parent / found.get("tariff", "")).is_file():
        found["tariff"] = str(path.parent / found["tariff"])
    return found


def flatten(table: Mapping, before: str = "") -> dict:
    """{"chargers": {"work_share": 0.4}} -> {"chargers.work_share": 0.4}."""
    flat = {}
    for key, value in table.items():
        inner = isinstance(value, Mapping)
        flat |= flatten(value, f"{before}{key}.") if inner else {before + key: value}
    return flat


def run_builder(builder: str, arguments: Mapping):
    """Call a builder after a check of its argument names."""
    module, name = BUILDERS[builder]
    build = getattr(importlib.import_module(module), name)
    parameters = inspect.signature(build).parameters.values()
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        known = [p.name for p in parameters]
        for key in arguments:
            if key not in known:
                hint = nearest(key, known) if known else "it takes none"
                raise SettingsError(f"builder '{builder}': unknown '{key}'; {hint}")
    try:
        inspect.signature(build).bind(**arguments)
    except TypeError as error:
        raise SettingsError(f"builder '{builder}': {error}") from error
    return build(**arguments)


def _words_of(text: str) -> list[tuple[str, str | bool]]:
    """'peak + smoothing:1e-3' -> [('peak', True), ('smoothing', '1e-3')]."""
    # A plus before a letter joins two objectives; in 1e+3 it does not.
    parts = re.split(r"\+(?=\s*[A-Za-z])", text)
    words = [part.strip().partition(":") for part in parts if part.strip()]
    return [(word.strip(), number.strip() or True) for word, _, number in words]


def _number_of(word: str, value, base: Path):
    """The number of an objective: a float, a table of prices, or None for none."""
    if value is True:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            if word == "energy":
                return read_table(base / value)
    raise SettingsError(f"objective '{word}': {value!r} is not a number")


def _typed(value, kind: type[Kind], owner: str) -> Kind:
    """The value if it is of the kind; whole numbers pass as numbers."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind is float and whole:
        return kind(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise SettingsError(f"{owner} must be {NOUNS[kind]}, not {value!r}")
    if isinstance(value, float) and math.isnan(value):
        raise SettingsError(f"{owner} must be a number, not NaN")
    return value


def _read_csv(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, dtype=dict.fromkeys(_NAMES, str))
    for column in _NAMES & set(frame.columns):
        known = frame[column].dropna()
        if len(known) and known.str.fullmatch(_CANONICAL_INTEGER).all():
            gaps = len(known) < len(frame)
            frame[column] = frame[column].astype("Int64" if gaps else "int64")
    return frame
