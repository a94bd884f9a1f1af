"""A solution as CSV files: schedule, loads, upgrades, prices, and these as a tariff."""

import os
from pathlib import Path

import pandas as pd

from macjax.interchange.export_folder import iso_times, write_export
from macjax.interchange.feeder_power import require_schedule
from macjax.results.schema import TABLES

TARIFF = {
    "feeder_id": "feeder",
    "time": "start of the slot",
    "price": "price of one grid kWh, the price of prices.csv / slot hours "
    "[currency/kWh]",
}


def to_csv(solution, folder: str | os.PathLike) -> Path:
    """Write schedule, loads, upgrades and prices as CSV; returns the folder's path.

    Times are ISO 8601 with offset, numbers have all their digits. `tariff.csv` holds
    the prices per kWh; `macjax.baselines.time_of_use` and `macjax.EnergyCost` take it
    as a frame.

    Arguments:
        solution: a `Solution` with a schedule.
        folder: a new or an empty folder, or that of a former export, which is replaced.
    """
    require_schedule(solution)
    frames = {
        "schedule": solution.schedule(),
        "loads": solution.loads(),
        "upgrades": solution.upgrades(),
    }
    columns = {name: TABLES[name][1] for name in frames}
    if solution.has_prices:
        prices = solution.prices()
        hours = solution.scenario.slot_hours
        frames["prices"] = prices
        frames["tariff"] = prices.assign(price=prices["price"] / hours)
        columns |= {"prices": TABLES["prices"][1], "tariff": TARIFF}
    words = []
    for name, about in columns.items():
        words.append(f"{name}.csv")
        words += [f"    {column}: {text}" for column, text in about.items()]

    def fill(place: Path) -> None:
        for name, frame in frames.items():
            _as_text(frame).to_csv(place / f"{name}.csv", index=False)

    return write_export(folder, "csv", solution, words, fill)


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its instants as text."""
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.DatetimeTZDtype):
            known = frame[name].notna().to_numpy(bool)
            text = pd.Series("", index=frame.index, dtype=object)
            text[known] = iso_times(frame[name][known]).to_numpy(object)
            frame = frame.assign(**{name: text})
    return frame
