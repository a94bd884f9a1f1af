"""Tariffs as a price per grid kWh for every slot.

A tariff is a frame (price, time or hour, feeder_id or not) or a yearly schedule in
JSON, by bundled name, path or content. Times of day and dates are local time of the
scenario; the price of a slot is the mean of the tariff over the slot.
"""

import json
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import DataError, Fault, SettingsError, nearest
from macjax.baselines._rate_schedule import read_schedule
from macjax.objectives.price_table import OWNER, checked_prices, expanded_prices

BUNDLED = files("macjax") / "data" / "tariffs"
DEFAULT_TARIFF = "pge_a10"


class TariffPrices(NamedTuple):
    """A tariff on the slots of a scenario.

    Arguments:
        name: for reports.
        feeders: price at each feeder, shape (feeders, slots) [currency/kWh].
        elsewhere: price of chargers without a feeder, shape (slots,) [currency/kWh].
        notes: what a reader of the result has to know.
    """

    name: str
    feeders: np.ndarray
    elsewhere: np.ndarray
    notes: tuple[str, ...] = ()


def tariff_names() -> list[str]:
    """Names of the bundled tariffs."""
    found = (path.name for path in BUNDLED.iterdir())
    return sorted(Path(name).stem for name in found if name.endswith(".json"))


def tariff_prices(scenario, tariff) -> TariffPrices:
    """Price of every cell under a tariff.

    Arguments:
        scenario: gives slots, feeders and the local time zone.
        tariff: a frame with `price` [currency/kWh], `time` (slot start) or `hour` (0-23
            local, that of the slot's start), and `feeder_id` or not; a name of
            `tariff_names()`; the path of a JSON file; or its content as a dict.
    """
    if isinstance(tariff, pd.DataFrame):
        return _from_frame(scenario, tariff)
    if isinstance(tariff, dict):
        content = tariff
    elif isinstance(tariff, (str, Path)):
        content = _read_json(tariff)
    else:
        raise SettingsError(
            f"tariff is a {type(tariff).__name__}; accepted: a DataFrame with price "
            "and time or hour, the name or path of a tariff in JSON, or its content"
        )
    schedule = read_schedule(content)
    row = schedule.slot_prices(scenario)
    table = np.tile(row, (len(scenario.feeders), 1))
    return TariffPrices(schedule.name, table, row, schedule.notes)


def _read_json(tariff: str | Path) -> dict:
    if str(tariff) in tariff_names():
        text = (BUNDLED / f"{tariff}.json").read_text(encoding="utf-8")
    else:
        path = Path(tariff)
        if not path.is_file():
            raise SettingsError(
                f"tariff '{tariff}' is neither a bundled tariff nor a file; "
                + nearest(str(tariff), tariff_names())
            )
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise _wrong_file(f"{path} is not text: {error}") from error
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _wrong_file(f"{tariff} is not JSON: {error}") from error


def _wrong_file(rule: str) -> DataError:
    return DataError([Fault("tariff", "file", rule)], "wrong tariff")


def _from_frame(scenario, frame: pd.DataFrame) -> TariffPrices:
    """Spread the rows of a frame over feeders and slots; none missing, none twice."""
    by_feeder = "feeder_id" in frame.columns
    # Without feeder_id the frame is one price for everyone, feeders or not.
    one = SimpleNamespace(
        feeders=pd.DataFrame({"feeder_id": ["all"]}),
        slot_starts=scenario.slot_starts,
        slot_hours=scenario.slot_hours,
        timezone=scenario.timezone,
    )
    try:
        checked = checked_prices(frame)
        table = expanded_prices(checked, scenario if by_feeder else one)
    except SettingsError as error:
        raise SettingsError(str(error).replace(OWNER, "tariff")) from error
    if by_feeder:
        return TariffPrices("frame", table, np.zeros(table.shape[1]))
    return TariffPrices("frame", np.tile(table, (len(scenario.feeders), 1)), table[0])
