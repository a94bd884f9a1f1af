"""What a region rests on: what was measured, what is modelled, what is assumed.

To stand beside every result on a region of `macjax.regions`. The rows say what the
sources are; all numbers with their sources are in `parameters`, and `region.toml`
beside a scenario holds the values that were used.
"""

from collections.abc import Mapping

import pandas as pd

from .config import RegionConfig, read_config

MEASURED, PUBLISHED = "measured", "published statistics"
MODELLED_THERE, MODELLED_HERE, ASSUMED = (
    "modelled by others",
    "modelled here",
    "assumed",
)


def provenance(config: RegionConfig | Mapping | str | None = None) -> pd.DataFrame:
    """Kind, what and source of all that a region is made from.

    Arguments:
        config: of the region; None is the whole Bay Area by default.

    Returns:
        kind (measured, published statistics, modelled by others, modelled here,
        assumed), what, source.
    """
    read = read_config({} if config is None else config)
    rows = [*_given(read), *_made(), *_assumed(read)]
    return pd.DataFrame(rows, columns=["kind", "what", "source"])


def _given(config: RegionConfig) -> list[tuple[str, str, str]]:
    """What was measured, published or modelled elsewhere."""
    low, high = config.feeders.upgrade_usd_per_kw
    survey = "tables of your own" if config.data else "ActivitySim, MTC example"
    pge = "259 feeders of PG&E (Elmallah, Brockway, Callaway 2022)"
    return [
        (
            MEASURED,
            "nothing of the week itself: charging at work is compared with 27,407 "
            "measured sessions, and takes less energy (calibration notebook)",
            "ACN-Data (Lee et al. 2019)",
        ),
        (PUBLISHED, "sizes, peaks, headroom and daily load shape of feeders", pge),
        (
            PUBLISHED,
            f"upgrade cost, {low:g} to {high:g} USD per kW; which feeder has which "
            "is assumed",
            "Li and Jenn 2024",
        ),
        (
            PUBLISHED,
            "cost of standard transformers, without lines and switchgear",
            "DISCO generic cost database",
        ),
        (
            MODELLED_THERE,
            "trips of one weekday of 2,000 households, and land use of 1,454 zones; "
            "no row is a real person",
            survey,
        ),
    ]


def _made() -> list[tuple[str, str, str]]:
    """What this package models."""
    return [
        (MODELLED_HERE, "a week for every car from drivers who live near", "rule"),
        (
            MODELLED_HERE,
            "feeders: cut from zones by land use; which home is on which feeder, and "
            "the base load of each, are not known for the real network",
            "rule",
        ),
        (
            MODELLED_HERE,
            "charging: any power up to the charger's at any time, perfect foresight of "
            "the week; feeders are limits on active power, without voltage",
            "rule",
        ),
    ]


def _assumed(config: RegionConfig) -> list[tuple[str, str, str]]:
    """The assumptions that matter most, with the values used."""
    chargers, fleet, feeders = config.chargers, config.fleet, config.feeders
    suburb, town, dense = (100 * share for share in chargers.home_shares)
    types = ", ".join(
        f"{100 * share:g} % with {kwh:g} kWh"
        for share, kwh in zip(fleet.type_shares, fleet.battery_kwh, strict=True)
    )
    peak = feeders.week_peak
    week = "the peak week of the year"
    week = week if peak == 1 else f"a week whose load peaks at {peak:g} of the year's"
    block = f"a row stands for {1 / config.sample:g} cars that move as one block: peaks"
    block += " are higher than those of the whole population"
    whats = (
        (f"{100 * config.adoption:g} % of all cars are electric", "scenario"),
        (
            f"a charger at home for {suburb:g}, {town:g} and {dense:g} % of cars in "
            "suburb, town and dense town",
            "between surveys of the California Energy Commission",
        ),
        (
            f"a charger at work for {100 * chargers.work_share:g} % of commuters",
            "survey of drivers (ChargeLab)",
        ),
        (
            f"batteries: {types}; reserve {100 * fleet.reserve_share:g} %",
            "habit of open code",
        ),
        (f"headroom is that of the median line section, in {week}", "rule"),
        ("every car is a row" if config.sample == 1 else block, "sampling"),
    )
    return [(ASSUMED, what, source) for what, source in whats]
