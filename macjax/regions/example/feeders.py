"""Travel zones -> feeders: areas by k-means, sizes from land use, headroom by quantile.

Each of F areas is served by one feeder that stands for the average feeder there. All
are scaled by one factor, so that flows of cars between areas stay consistent:
households of the feeder = households of the area / scale. The base load of a feeder is

    base_f(h) = peak [ hh_f / mean hh (m(h) - s c(h)) + jobs_f / mean jobs s c(h) ]

with m the mean high-load shape, c the commercial shape and s the commercial share, so
that the mean over feeders is the published mean shape scaled to the mean peak.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ..network import upgrade_cost
from ..parameters import COMMERCIAL_SHAPE, COUNTIES, MEAN_SHAPE_KW
from .parameters import Parameters


class Network(NamedTuple):
    """Feeders of the region.

    Arguments:
        feeders: the `feeders` table with size columns.
        profile: the `feeder_profile` table, by hour of the local day.
        zone_feeder: feeder_id of each zone_id.
        scale: real households per household of the scenario.
    """

    feeders: pd.DataFrame
    profile: pd.DataFrame
    zone_feeder: pd.Series
    scale: float


def cluster(points, weights, clusters: int, rng, most_passes: int = 200):
    """Weighted k-means: centres (k, 2) and the nearest centre of each point (n,).

    Seeded by k-means++; Lloyd passes until no point changes its centre.
    """
    first = rng.choice(len(points), p=weights / weights.sum())
    nearest = ((points - points[first]) ** 2).sum(1)
    chosen = [first]
    for _ in range(clusters - 1):
        mass = weights * nearest
        chosen.append(rng.choice(len(points), p=mass / mass.sum()))
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(1))
    centres, label = points[chosen], np.full(len(points), -1)
    for _ in range(most_passes):
        distance = ((points[:, None] - centres[None]) ** 2).sum(2)
        previous, label = label, distance.argmin(1)
        if np.array_equal(previous, label):
            break
        mass = np.bincount(label, weights, clusters)
        sums = [np.bincount(label, weights * x, clusters) for x in points.T]
        centres = np.stack(sums, 1) / mass[:, None]
    return centres, label


def name_areas(centres, points, counties) -> np.ndarray:
    """Ids `county_number`: the county at the centre, numbered from north to south."""
    nearest = ((centres[:, None] - points[None]) ** 2).sum(2).argmin(1)
    frame = pd.DataFrame(
        {"county": pd.Series(counties[nearest]).map(COUNTIES), "y": centres[:, 1]}
    )
    rank = frame.groupby("county")["y"].rank(ascending=False).astype(int)
    return (frame["county"] + "_" + rank.astype(str)).to_numpy(object)


def build_network(zones: pd.DataFrame, p: Parameters) -> Network:
    """Areas, sizes, load profiles, headroom and upgrade costs of the feeders."""
    points = zones[["x_utm10n_m", "y_utm10n_m"]].to_numpy(float) / 1e3
    households = zones["TOTHH"].to_numpy(float)
    jobs = zones["TOTEMP"].to_numpy(float)
    weights = households / households.sum() + jobs / jobs.sum()
    rng = np.random.default_rng([p.seed, 2])
    centres, label = cluster(points, weights, p.feeders, rng)
    names = name_areas(centres, points, zones["county_id"].to_numpy())
    count = len(names)

    def total(values):
        return np.bincount(label, values, count)

    mass = total(weights)
    scale = households.sum() / (
        count * p.customers_per_feeder * p.residential_customers
    )
    feeders = pd.DataFrame(
        {
            "feeder_id": names,
            "upgrade_cost_per_kw": upgrade_cost(
                total(households + jobs) / total(zones["area_km2"]),
                p.upgrade_usd_per_kw,
            ),
            "longitude": (total(weights * zones["lon"]) / mass).round(5),
            "latitude": (total(weights * zones["lat"]) / mass).round(5),
            "zones": np.bincount(label, minlength=count),
            "households": (total(households) / scale).round(1),
            "jobs": (total(jobs) / scale).round(1),
        }
    ).sort_values("feeder_id", ignore_index=True)
    profile = build_profile(feeders, p)
    zone_feeder = pd.Series(names[label], index=zones["zone_id"].to_numpy())
    return Network(feeders, profile, zone_feeder, scale)


def build_profile(feeders: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """`feeder_profile` by hour: base load and a constant capacity [kW].

    Capacity = the feeder's peak + a headroom from the published quantiles, taken at
    evenly spread probabilities that are dealt to the feeders at random.
    """
    count = len(feeders)
    mean = np.array(MEAN_SHAPE_KW) / max(MEAN_SHAPE_KW)
    shops = p.commercial_share * np.array(COMMERCIAL_SHAPE)
    size = feeders[["households", "jobs"]] / feeders[["households", "jobs"]].mean()
    homes, jobs = size.to_numpy().T
    base = p.peak_kw * (homes[:, None] * (mean - shops) + jobs[:, None] * shops)
    rng = np.random.default_rng([p.seed, 3])
    levels = rng.permutation((np.arange(count) + 0.5) / count)
    headroom = np.interp(levels, p.headroom_quantiles, p.headroom_kw)
    capacity = base.max(1) + headroom
    return pd.DataFrame(
        {
            "feeder_id": np.repeat(feeders["feeder_id"].to_numpy(), 24),
            "hour": np.tile(np.arange(24), count),
            "capacity_kw": np.repeat(capacity, 24).round(1),
            "base_kw": base.ravel().round(1),
        }
    )
