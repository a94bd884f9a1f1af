"""Where the scenarios of a sweep come from, and what can be varied there.

A region's configuration can be varied in every key, a builder in its arguments, and a
scenario in nothing but the factors of `factors`, which all of them take. A source is
small, so that it travels to other processes; what it builds need not.
"""

import contextlib
import dataclasses
import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from macjax._errors import SettingsError, nearest
from macjax.config import Job, flatten, read_job, run_builder
from macjax.regions import RegionConfig, read_config
from macjax.regions.builder import make
from macjax.regions.left_out import LeftOut
from macjax.results.manifest import digest
from macjax.scenario.scenario import Scenario
from macjax.studies.factors import FACTORS
from macjax.synthetic.generate import check_arguments
from macjax.synthetic.recipes import Recipe

# Other words for keys of a region.
ALIASES = {"horizon": "days"}
# Words of the field for what has another name here.
WORDS = {
    "workplace_access": "chargers.work_share",
    "work_access": "chargers.work_share",
    "home_access": "chargers.home_shares",
    "public_access": "chargers.public_shares",
    "battery_size": "fleet.battery_kwh",
    "battery_capacity": "fleet.battery_kwh",
    "consumption": "fleet.kwh_per_km",
    "initial_soc": "fleet.initial_share",
    "charger_size": "charger_power",
    "timestep": "slot_minutes",
}


class Made(NamedTuple):
    """A scenario that a source made.

    Arguments:
        scenario: the scenario.
        left: cars that are not in it since no charging serves them; None where the
            source does not know.
    """

    scenario: Scenario
    left: LeftOut | None = None


class Source(Protocol):
    """What makes the scenarios of a sweep."""

    @property
    def table(self) -> str:
        """Table of the configuration that holds the keys; empty if there is none."""
        ...

    def keys(self) -> tuple[str, ...]:
        """What can be varied beside the factors; inner keys after a point."""
        ...

    def check(self, values: Mapping[str, Any]) -> None:
        """Raise a SettingsError unless a scenario can be built with these values."""
        ...

    def build(self, values: Mapping[str, Any]) -> Made:
        """The scenario with these values in place of the source's own.

        Raises:
            DataError, SettingsError: it cannot be made.
        """
        ...

    def record(self) -> dict:
        """What decides the scenarios, in types of JSON."""
        ...

    def text(self) -> str:
        """The whole configuration as a text to repeat it from."""
        ...


@dataclasses.dataclass(frozen=True)
class RegionSource:
    """A region of `macjax.regions`."""

    config: RegionConfig
    table: str = "region"

    def keys(self) -> tuple[str, ...]:
        """All keys of the configuration; those of a section after its name."""
        return tuple(flatten(dataclasses.asdict(self.config)))

    def check(self, values: Mapping[str, Any]) -> None:
        """As `Source` has it."""
        self.config.changed(values)

    def build(self, values: Mapping[str, Any]) -> Made:
        """As `Source` has it."""
        made = make(self.config.changed(values))
        return Made(made.scenario, made.left)

    def record(self) -> dict:
        """The configuration, and what the files of its survey hold."""
        found = {"region": _plain(flatten(dataclasses.asdict(self.config)))}
        if self.config.data and Path(self.config.data).is_dir():
            files = sorted(p for p in Path(self.config.data).iterdir() if p.is_file())
            found["survey_sha256"] = {path.name: digest(path) for path in files}
        return found

    def text(self) -> str:
        """The file that builds the region."""
        return self.config.to_toml()


@dataclasses.dataclass(frozen=True)
class BuilderSource:
    """A builder of `macjax.config` with its arguments."""

    builder: str
    arguments: Mapping[str, Any]
    table: str = "arguments"

    def keys(self) -> tuple[str, ...]:
        """The arguments of the builder."""
        if self.builder == "example":
            return ()
        own = [p.name for p in inspect.signature(check_arguments).parameters.values()]
        own.remove("changes")
        numbers = (field.name for field in dataclasses.fields(Recipe))
        return tuple(dict.fromkeys((*own, *numbers)))

    def check(self, values: Mapping[str, Any]) -> None:
        """As `Source` has it."""
        if self.builder == "example":
            return
        try:
            check_arguments(**{**self.arguments, **values})
        except TypeError as error:  # an argument is missing
            raise SettingsError(f"builder '{self.builder}': {error}") from error

    def build(self, values: Mapping[str, Any]) -> Made:
        """As `Source` has it."""
        return Made(run_builder(self.builder, {**self.arguments, **values}))

    def record(self) -> dict:
        """Builder and arguments."""
        return {"builder": self.builder, "arguments": _plain(self.arguments)}

    def text(self) -> str:
        """The call of the builder."""
        given = ", ".join(f"{k}={v!r}" for k, v in self.arguments.items())
        return f"{self.builder}({given})"


@dataclasses.dataclass(frozen=True)
class ScenarioSource:
    """A scenario in memory, as it is."""

    scenario: Scenario
    table: str = ""

    def keys(self) -> tuple[str, ...]:
        """Nothing but the factors."""
        return ()

    def check(self, values: Mapping[str, Any]) -> None:
        """There is nothing to check."""

    def build(self, values: Mapping[str, Any]) -> Made:
        """The scenario itself."""
        return Made(self.scenario)

    def record(self) -> dict:
        """Which scenario it is."""
        return {"fingerprint": self.scenario.fingerprint}

    def text(self) -> str:
        """Its name."""
        return self.scenario.name


class FolderSource:
    """A scenario in a folder; other processes read it anew.

    Arguments:
        job: names the folder.
    """

    table = ""

    def __init__(self, job: Job):
        self.job = job
        self._read: Scenario | None = None

    def __getstate__(self) -> dict:
        return {"job": self.job, "_read": None}

    def keys(self) -> tuple[str, ...]:
        """Nothing but the factors."""
        return ()

    def check(self, values: Mapping[str, Any]) -> None:
        """There is nothing to check."""

    def build(self, values: Mapping[str, Any]) -> Made:
        """The scenario of the folder."""
        scenario = self._read or self.job.build_scenario()
        self._read = scenario
        return Made(scenario)

    def record(self) -> dict:
        """Which scenario it is."""
        return {"fingerprint": self.build({}).scenario.fingerprint}

    def text(self) -> str:
        """Where the scenario is read."""
        return str(self.job.folder)


def read_source(given, vehicle_to_grid: bool | None) -> tuple[Source, Job]:
    """The source that is given, and how a configuration says to solve it.

    Arguments:
        given: a `Scenario`, a `RegionConfig`, the keys of a table [region] as a
            mapping, or the path of a configuration or of a scenario's folder.
        vehicle_to_grid: as in `Scenario.read`, in place of the configuration's.
    """
    own = Job(source=Path("the scenario"))
    if isinstance(given, Scenario):
        return ScenarioSource(given), own
    if isinstance(given, RegionConfig | Mapping):
        return RegionSource(read_config(given)), own
    if not isinstance(given, str | os.PathLike | Job):
        raise SettingsError(
            "sweep takes a Scenario, a RegionConfig or the path of a configuration or "
            f"of a scenario, not {type(given).__name__}"
        )
    job = given if isinstance(given, Job) else read_job(given)
    job = job.with_settings(vehicle_to_grid=vehicle_to_grid)
    return source_of(job), job


def source_of(job: Job) -> Source:
    """The source of a job; a folder is not read yet."""
    if job.folder is not None:
        return FolderSource(job)
    if job.builder == "region":
        return RegionSource(read_config(job.arguments["config"]))
    return BuilderSource(str(job.builder), dict(job.arguments))


def resolve_key(source: Source, given: str) -> tuple[str, bool]:
    """The full name of a key, and whether it is a factor and not a key of the source.

    Short names stand for the one key that ends in them: `work_share` is
    `chargers.work_share`. The name of the table before a point may be said too, and
    has to be where a factor has the same name.

    Raises:
        SettingsError: nothing or several things have this name.
    """
    if given in FACTORS:
        return given, True
    name = given.removeprefix(source.table + ".") if source.table else given
    keys = source.keys()
    if source.table == "region":
        name = ALIASES.get(name, name)
    if name in keys:
        return name, False
    found = [key for key in keys if key.rpartition(".")[2] == name]
    if len(found) == 1:
        return found[0], False
    if found:
        raise SettingsError(f"over: '{given}' may be {' or '.join(found)}; say which")
    raise SettingsError(_unknown(source, given, name))


def _unknown(source: Source, given: str, name: str) -> str:
    """Why a key cannot be varied, and what would do."""
    region = RegionSource(RegionConfig())
    name = WORDS.get(name, name)
    if source.table != "region":
        with contextlib.suppress(SettingsError):
            key, _ = resolve_key(region, name)
            others = ", ".join((*FACTORS, *source.keys()))
            kind = f"the builder '{source.text()}'" if source.table else "a scenario"
            return (
                f"over: '{given}' is the key '{key}' of a region, and {kind} has no "
                f"such key: sweep over a configuration with a table [region], such as "
                f"configs/napa_county.toml; what can be varied here: {others}"
            )
    keys = source.keys()
    short = {key.rpartition(".")[2] for key in keys}
    accepted = list(dict.fromkeys((*FACTORS, *keys, *short)))
    return f"over: unknown key '{given}'; {nearest(name, accepted)}"


def _plain(values: Mapping) -> dict:
    """Values in types of JSON; dates become text, tuples lists."""
    simple = str | int | float | bool
    return {
        key: value
        if isinstance(value, simple) or value is None
        else [_plain({"": v})[""] for v in value]
        if isinstance(value, list | tuple)
        else str(value)
        for key, value in values.items()
    }
