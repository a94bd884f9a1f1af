"""The ways to charge a fleet that the commands know, by name.

`mac` is `macjax.solve`; the others are `macjax.baselines`.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from macjax._errors import SettingsError, nearest
from macjax._output import note
from macjax.baselines import tariff_prices
from macjax.baselines.tariffs import DEFAULT_TARIFF
from macjax.config import read_table

METHODS = ("unmanaged", "time_of_use", "first_come", "per_session", "mac")
OPTIMISED = ("per_session", "mac")
COMPARED = ("unmanaged", "per_session", "mac")


class Request(NamedTuple):
    """What a method is asked for beside its scenario.

    Arguments:
        objective: an objective, or None for the default.
        settings: arguments of `macjax.solve` by name, those given only.
        tariff: name or path, for `time_of_use`; None is `DEFAULT_TARIFF`.
        progress: what `macjax.solve` takes.
    """

    objective: object
    settings: dict
    tariff: str | None
    progress: object


def check_methods(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each known and given once."""
    for name in names:
        if name not in METHODS:
            raise SettingsError(f"unknown method '{name}'; {nearest(name, METHODS)}")
    if len(set(names)) < len(names) or not names:
        raise SettingsError(f"methods must be given once each, not {', '.join(names)}")
    return tuple(names)


def run_method(name: str, scenario, request: Request):
    """The solution of one method."""
    from macjax import baselines
    from macjax.driver import solve

    if name == "mac":
        return solve(
            scenario, request.objective, progress=request.progress, **request.settings
        )
    if name == "per_session":
        return baselines.per_session(
            scenario, request.objective, progress=request.progress, **request.settings
        )
    settings = {k: v for k, v in request.settings.items() if k == "on_infeasible"}
    simulate = getattr(baselines, name)
    given = [read_tariff(request.tariff)] if name == "time_of_use" else []
    return simulate(scenario, *given, objective=request.objective, **settings)


def run_methods(
    names: Sequence[str], scenario, request: Request, quiet: bool
) -> Iterator:
    """The solutions of several methods in turn; stops after an interrupted one."""
    if "time_of_use" in names:
        check_tariff(scenario, request.tariff)
    for name in names:
        if not quiet:
            note(f"running {name} ...")
        solution = run_method(name, scenario, request)
        yield solution
        if solution.status == "interrupted":
            return


def check_tariff(scenario, tariff: str | None) -> None:
    """Raise if a tariff does not fit, before other methods take their time."""
    tariff_prices(scenario, read_tariff(tariff))


def read_tariff(tariff: str | None):
    """A table of prices from .csv or .parquet; a name or JSON goes as it is."""
    tariff = DEFAULT_TARIFF if tariff is None else tariff
    if tariff.endswith((".csv", ".parquet")):
        return read_table(tariff)
    return tariff


def announce(scenario, quiet: bool) -> None:
    """What the reading of a scenario had to say, on stderr."""
    if not quiet:
        for text in scenario.notes:
            note(f"note: {text}")
