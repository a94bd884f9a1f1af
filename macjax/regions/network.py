"""Zones -> feeders: sizes and headroom by published quantiles, loads by land use.

The peak load of the region's customers, (1 - s) by households and s by jobs, is laid on
a line, zone behind zone along a curve through each county, and cut into feeders whose
peaks follow the published quantiles. A feeder so has the households, jobs and customers
of its piece, and a place in a zone is a place on its piece of the line. With R and C
what households and jobs bring to the peak P = R + C, the base load at hour h is

    P q(h) / max q,   q(h) = R r(h) + C c(h),   r = (m - s c) / (1 - s),

m the mean high-load shape and c the commercial one, so that r and c mix to m.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ..scenario.local_pieces import local_pieces
from .calendar import Calendar
from .curve import along_curve
from .draws import Draws
from .parameters import Feeders, county_names
from .zones import Zones

HOURS = 24


class Network(NamedTuple):
    """Feeders of the region.

    Arguments:
        feeders: the `feeders` table with sizes: households, jobs, customers, peak_kw,
            headroom_kw, commercial_share; sorted by county and place.
        edges: where feeders end on the line [kW], (feeders - 1,).
        start, length: piece of each zone on the line [kW], (zones,).
    """

    feeders: pd.DataFrame
    edges: np.ndarray
    start: np.ndarray
    length: np.ndarray

    def feeder_at(self, zone: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Row of the feeder at the place `u` in [0, 1) of each zone, (n,)."""
        place = self.start[zone] + u * self.length[zone]
        return np.searchsorted(self.edges, place, "right")


def quantile(levels, values, probability) -> np.ndarray:
    """Values of a quantile table at probabilities, straight lines between."""
    return np.interp(probability, levels, values)


def mean_peak(p: Feeders) -> float:
    """Mean of the table of peaks [kW]."""
    return float(np.trapezoid(p.peak_kw, p.peak_levels))


def feeder_count(zones: Zones, p: Feeders) -> float:
    """Feeders of the region: as given, or by its customers."""
    customers = zones.households.sum() / p.residential_customers
    return float(p.count or customers / p.customers_per_feeder)


def build_network(zones: Zones, draws: Draws, p: Feeders) -> Network:
    """The feeders of all zones."""
    count = feeder_count(zones, p)
    load = land_use_load(zones, count * mean_peak(p), p)
    total = load.sum(0)
    start, edges, county = np.zeros(len(total)), [0.0], []
    for number in np.unique(zones.county):
        mine = np.flatnonzero(zones.county == number)
        mine = mine[along_curve(zones.centre[mine])]
        at = edges[-1]
        start[mine] = at + np.cumsum(total[mine]) - total[mine]
        pieces = feeder_sizes(total[mine].sum(), int(number), draws, p)
        edges += list(at + np.cumsum(pieces))
        county += [int(number)] * len(pieces)
    edges = np.array(edges)
    shares = zone_shares(edges, start, total)
    feeders = describe_feeders(zones, load, shares, np.array(county), draws, p)
    return Network(feeders, edges[1:-1], start, total)


def land_use_load(zones: Zones, total_kw: float, p: Feeders) -> np.ndarray:
    """What households and what jobs of each zone bring to the peak, (2, zones) [kW]."""
    share = np.array([1 - p.commercial_share, p.commercial_share])
    size = np.stack([zones.households, zones.jobs])
    return total_kw * share[:, None] * size / np.maximum(size.sum(1), 1e-300)[:, None]


def feeder_sizes(load_kw: float, county: int, draws: Draws, p: Feeders) -> np.ndarray:
    """Peaks of a county's feeders [kW]: quantiles at even steps, scaled to its load."""
    count = max(1, round(load_kw / mean_peak(p)))
    peaks = quantile(p.peak_levels, p.peak_kw, (np.arange(count) + 0.5) / count)
    order = np.argsort(draws.bits("feeder size", county, np.arange(count)))
    return peaks[order] * load_kw / peaks.sum()


class Shares(NamedTuple):
    """Which share of a zone is on which feeder: one entry for each pair that meets."""

    feeder: np.ndarray
    zone: np.ndarray
    share: np.ndarray


def zone_shares(edges: np.ndarray, start: np.ndarray, length: np.ndarray) -> Shares:
    """Overlaps of the zones' pieces of the line with the feeders', by feeder.

    Arguments:
        edges: 0, and where each feeder ends.
        start, length: pieces of the zones, which fill the line.
    """
    zone = np.flatnonzero(length > 0)
    end = start + length
    low = np.searchsorted(edges[1:-1], start[zone], "right")
    high = np.searchsorted(edges[1:-1], end[zone], "left")
    count = high - low + 1
    row = np.repeat(np.arange(len(zone)), count)
    feeder = low[row] + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    zone = zone[row]
    overlap = np.minimum(end[zone], edges[feeder + 1]) - np.maximum(
        start[zone], edges[feeder]
    )
    return Shares(feeder, zone, np.maximum(overlap, 0) / length[zone])


def describe_feeders(zones, load, shares: Shares, county, draws, p: Feeders):
    """The table of feeders with what lies on each."""
    count = len(county)

    def total(values):
        weights = shares.share * values[shares.zone]
        return np.bincount(shares.feeder, weights, count)

    homes, jobs = total(load[0]), total(load[1])
    peak = homes + jobs
    customers = total(zones.households)
    commercial = zones.households.sum() * (1 / p.residential_customers - 1)
    customers = customers + total(zones.jobs) * commercial / zones.jobs.sum().clip(1e-9)
    density = total(zones.households + zones.jobs) / total(zones.area).clip(1e-9)
    kw = load.sum(0)
    number = np.arange(count) - np.searchsorted(county, county, "left") + 1
    names = pd.Series(county_names(county))
    numbers = pd.Series(number).astype(str).str.zfill(3)
    return pd.DataFrame(
        {
            "feeder_id": (names + "_" + numbers).to_numpy(object),
            "upgrade_cost_per_kw": upgrade_cost(density, p.upgrade_usd_per_kw),
            "longitude": (total(kw * zones.longitude) / peak.clip(1e-9)).round(5),
            "latitude": (total(kw * zones.latitude) / peak.clip(1e-9)).round(5),
            "county": names.to_numpy(object),
            "households": total(zones.households).round(1),
            "jobs": total(zones.jobs).round(1),
            "customers": customers.round(1),
            "peak_kw": peak.round(1),
            "headroom_kw": headroom(peak, draws, p).round(1),
            "commercial_share": (jobs / peak.clip(1e-9)).round(4),
        }
    )


def headroom(peak: np.ndarray, draws: Draws, p: Feeders) -> np.ndarray:
    """Annual least headroom of each feeder [kW], (feeders,).

    The published quantiles at even steps, dealt by rank of rho a + sqrt(1 - rho^2) b, a
    the normal score of the peak and b a normal number: a Gaussian copula.
    """
    count = len(peak)
    number = np.arange(count)
    scores = np.sort(draws.normal("peak score", number))
    by_peak = np.empty(count)
    by_peak[np.argsort(peak, kind="stable")] = scores
    rho = p.headroom_peak_correlation
    score = rho * by_peak + np.sqrt(1 - rho**2) * draws.normal("headroom", number)
    level = np.empty(count)
    level[np.argsort(score, kind="stable")] = (number + 0.5) / max(count, 1)
    return quantile(p.headroom_levels, p.headroom_kw, level)


def upgrade_cost(density, usd_per_kw) -> np.ndarray:
    """USD per kW, linear in the rank of density over the published range, to 10 USD."""
    rank = np.argsort(np.argsort(density, kind="stable"), kind="stable")
    low, high = usd_per_kw
    share = rank / max(len(rank) - 1, 1)
    return np.round(low + (high - low) * share, -1)


def shapes(p: Feeders) -> tuple[np.ndarray, np.ndarray]:
    """Shape of what households and of what jobs draw, by hour, (24,) each."""
    mean = np.array(p.mean_shape_kw) / max(p.mean_shape_kw)
    shops = np.array(p.commercial_shape)
    homes = (mean - p.commercial_share * shops) / max(1 - p.commercial_share, 1e-9)
    return np.maximum(homes, 0), shops


def base_load(feeders: pd.DataFrame, p: Feeders) -> tuple[np.ndarray, np.ndarray]:
    """Base load on weekdays and on weekends by hour, (feeders, 24) each [kW]."""
    homes, shops = shapes(p)
    share = feeders["commercial_share"].to_numpy()[:, None]
    weekday = (1 - share) * homes + share * shops
    weekend = (1 - share) * homes + p.weekend_commercial * share * shops
    scale = p.week_peak * feeders["peak_kw"].to_numpy() / weekday.max(1)
    return scale[:, None] * weekday, scale[:, None] * weekend


def build_profile(
    feeders: pd.DataFrame, calendar: Calendar, slot_minutes: int, p: Feeders
) -> pd.DataFrame:
    """`feeder_profile` by slot: mean base load of its local hours, constant capacity.

    Capacity = annual peak + headroom, so that base + headroom = capacity at the peak
    hour of a week with `week_peak` 1.
    """
    slots = calendar.minutes // slot_minutes
    start = calendar.start.tz_convert("UTC")
    times = pd.date_range(start, periods=slots, freq=pd.Timedelta(minutes=slot_minutes))
    stamps = times.tz_localize(None).to_numpy().astype("datetime64[us]")
    base = np.hstack(base_load(feeders, p)) @ hour_shares(times, calendar, slot_minutes)
    capacity = feeders["peak_kw"] + feeders["headroom_kw"]
    return pd.DataFrame(
        {
            "feeder_id": np.repeat(feeders["feeder_id"].to_numpy(), slots),
            "time": pd.Series(np.tile(stamps, len(feeders))).dt.tz_localize("UTC"),
            "capacity_kw": np.repeat(capacity.to_numpy(), slots).round(1),
            "base_kw": base.ravel().round(1),
        }
    )


def hour_shares(
    starts: pd.DatetimeIndex, calendar: Calendar, slot_minutes: int
) -> np.ndarray:
    """Share of each slot in each hour of weekdays, then of weekends, (48, slots)."""
    zone = str(calendar.start.tz)
    local, pieces = local_pieces(starts, slot_minutes, zone)
    row = HOURS * (local.day_of_week >= 5) + local.hour
    slot = np.repeat(np.arange(len(starts)), pieces)
    shares = np.zeros((2 * HOURS, len(starts)))
    np.add.at(shares, (np.asarray(row), slot), 1 / pieces)
    return shares
