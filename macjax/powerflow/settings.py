"""The numbers and words that `check` is asked for, checked."""

from typing import Any, NamedTuple

import numpy as np

from macjax._errors import SettingsError

REINFORCE = ("head", "feeder", "none")


class Settings(NamedTuple):
    """The settings of `check`, whose docstring says what they mean."""

    worst: int
    ev_spread: Any
    power_factor: float
    ev_power_factor: float
    planning_share: float
    others: float | None
    reinforce: str
    busbar_pu: float | None
    voltage_band_pu: Any
    progress: Any

    def told(self) -> dict:
        """The settings on which the numbers depend."""
        given = self._asdict()
        del given["progress"]
        if not isinstance(self.ev_spread, str):
            given["ev_spread"] = "weights by load"
        return given


def check_settings(**given) -> Settings:
    """The settings in their types.

    Raises:
        SettingsError: one is out of range.
    """
    worst, reinforce = given["worst"], given["reinforce"]
    whole = isinstance(worst, int | np.integer) and not isinstance(worst, bool)
    if not whole or worst < 1:
        raise SettingsError(f"worst must be a whole number from 1; got {worst!r}")
    if reinforce not in REINFORCE:
        accepted = ", ".join(REINFORCE)
        raise SettingsError(f"reinforce must be one of {accepted}; got {reinforce!r}")
    progress = given["progress"]
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise SettingsError(
            f"progress must be True, False, None or a callable; got {progress!r}"
        )
    ranges = {
        "power_factor": (0.0, 1.0),
        "ev_power_factor": (0.0, 1.0),
        "planning_share": (0.0, 10.0),
        "others": (-10.0, 10.0),
        "busbar_pu": (0.5, 1.5),
    }
    optional = ("others", "busbar_pu")
    for name, (low, high) in ranges.items():
        if not (name in optional and given[name] is None):
            given[name] = _number(name, given[name], low, high)
    return Settings(**given)


def _number(name: str, value, low: float, high: float) -> float:
    """A number above `low` and at most `high`."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        if low < value <= high:
            return float(value)
    raise SettingsError(
        f"{name} must be a number above {low:g} and at most {high:g}; got {value!r}"
    )
