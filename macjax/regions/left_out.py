"""Cars that no charging carries through their week: how many, and how much they drive.

Such cars are not in the scenario. Smaller batteries, a higher consumption or a larger
reserve leave out those that drive most, so that less has to be charged than one might
think: what is left out stands beside the result.
"""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd

from .._errors import DataError, Fault, RegionWarning
from .config import RegionConfig

# Shares of cars and of km above which a warning says so.
MOST_CARS, MOST_KM = 0.01, 0.03


class LeftOut(NamedTuple):
    """Cars that are left out, of those that belong to the region.

    Arguments:
        rows, of_rows: cars left out, and all; rows of a sample.
        km, of_km: what they would drive in the horizon [km], and all.
    """

    rows: int = 0
    of_rows: int = 0
    km: float = 0.0
    of_km: float = 0.0

    def __add__(self, other) -> "LeftOut":
        """Of two chunks of cars."""
        return LeftOut(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def share(self) -> float:
        """Of the cars, 0 where there are none."""
        return self.rows / max(self.of_rows, 1)

    @property
    def km_share(self) -> float:
        """Of the km, 0 where there are none."""
        return self.km / max(self.of_km, 1e-9)

    def __str__(self) -> str:
        return (
            f"{self.rows:,} of {self.of_rows:,} rows of cars are left out "
            f"({100 * self.share:.1f} % of the cars, {100 * self.km_share:.1f} % of "
            "the km): no charging makes their trips possible"
        )

    def tell(self) -> None:
        """Warn where it is more than a few."""
        if self.share > MOST_CARS or self.km_share > MOST_KM:
            advice = "; see fleet.battery_kwh, kwh_per_km and reserve_share"
            warnings.warn(f"{self}{advice}", RegionWarning, stacklevel=4)


def count_left_out(cars: pd.DataFrame) -> LeftOut:
    """Of cars with the columns possible and planned_km."""
    out, km = ~cars["possible"].to_numpy(), cars["planned_km"].to_numpy()
    return LeftOut(
        int(np.count_nonzero(out)), len(cars), float(km[out].sum()), float(km.sum())
    )


def check_cars(count: int, electric: int, left: LeftOut, config: RegionConfig) -> None:
    """Raise a DataError where a region has no car.

    Arguments:
        count: rows of its vehicles.
        electric: electric cars of all zones.
        left: what was left out.
    """
    if count:
        return
    where = f" in the counties {', '.join(config.counties)}" if config.counties else ""
    if left.rows:
        why = (
            f"{left}; fleet.reserve_share {config.fleet.reserve_share:g} and "
            "fleet.battery_kwh decide it"
        )
    else:
        why = (
            f"adoption {config.adoption:g} gives {electric:,} electric cars in all "
            f"zones of the survey, of which sample {config.sample:g} takes too few; "
            "raise sample or adoption"
        )
    rule = f"the region has no car{where}: {why}"
    raise DataError([Fault("vehicles", "vehicle_id", rule)], title="empty region")
