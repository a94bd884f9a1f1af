"""Feeders: published quantiles, pieces of zones by slow loops, base load, headroom."""

import dataclasses
import datetime

import numpy as np
import pandas as pd
import pytest
from made_survey import make_zones

from macjax import SettingsError
from macjax.regions.calendar import make_calendar
from macjax.regions.draws import Draws
from macjax.regions.network import (
    base_load,
    build_network,
    build_profile,
    feeder_count,
    headroom,
    land_use_load,
    mean_peak,
    upgrade_cost,
    zone_shares,
)
from macjax.regions.parameters import (
    COMMERCIAL_SHAPE,
    MEAN_SHAPE_KW,
    Feeders,
    Population,
    Travel,
)
from macjax.regions.survey import check_survey, read_survey
from macjax.regions.zones import make_zones as zones_of

FEEDERS = Feeders()
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
MONDAY = datetime.date(2026, 9, 14)


@pytest.fixture(scope="module")
def bay():
    frame = check_survey(read_survey()).zones
    zones = zones_of(frame, Population(), Travel())
    return zones, build_network(zones, Draws(1), FEEDERS)


@pytest.fixture(scope="module")
def small():
    zones = zones_of(make_zones(), Population(), Travel())
    return zones, build_network(zones, Draws(1), FEEDERS)


def test_bay_area_follows_the_published_quantiles(bay):
    _, network = bay
    feeders = network.feeders
    peaks = np.quantile(feeders["peak_kw"], LEVELS)
    np.testing.assert_allclose(peaks, (844, 2058, 4246, 7204, 9333), rtol=0.02)
    spare = np.quantile(feeders["headroom_kw"], LEVELS)
    np.testing.assert_allclose(spare, (226, 540, 850, 1310, 1860), rtol=0.01)
    assert 0.04 <= (feeders["headroom_kw"] < 0).mean() <= 0.07
    # Customers are not set: they come from what lies on a feeder
    customers = np.quantile(feeders["customers"], LEVELS)
    published = np.array((144, 438, 1283, 2353, 3844))
    np.testing.assert_allclose(customers[2:], published[2:], rtol=0.15)
    np.testing.assert_allclose(customers[:2], published[:2], rtol=0.9)
    mean = feeders["customers"].mean()
    assert mean == pytest.approx(FEEDERS.customers_per_feeder, rel=0.01)


def test_number_of_feeders_is_that_of_customers_or_as_given(bay):
    zones, network = bay
    customers = zones.households.sum() / FEEDERS.residential_customers
    assert len(network.feeders) == pytest.approx(customers / 1678, rel=0.01)
    more = dataclasses.replace(FEEDERS, count=3000)
    assert feeder_count(zones, more) == 3000
    many = build_network(zones, Draws(1), more).feeders
    assert len(many) == pytest.approx(3000, rel=0.01)
    peaks = np.quantile(many["peak_kw"], LEVELS)
    np.testing.assert_allclose(peaks, (844, 2058, 4246, 7204, 9333), rtol=0.02)
    assert many["customers"].sum() == pytest.approx(customers, rel=1e-3)


def test_nothing_of_the_zones_is_lost(bay):
    zones, network = bay
    feeders = network.feeders
    assert feeders["households"].sum() == pytest.approx(
        zones.households.sum(), rel=1e-4
    )
    assert feeders["jobs"].sum() == pytest.approx(zones.jobs.sum(), rel=1e-4)
    total = feeder_count(zones, FEEDERS) * mean_peak(FEEDERS)
    assert feeders["peak_kw"].sum() == pytest.approx(total, rel=1e-4)
    share = (feeders["commercial_share"] * feeders["peak_kw"]).sum() / total
    assert share == pytest.approx(FEEDERS.commercial_share, abs=1e-3)
    assert feeders["feeder_id"].is_unique
    assert feeders["longitude"].between(-123.6, -121.2).all()


def test_places_of_zones_are_on_the_feeders_that_share_them(small):
    zones, network = small
    count = len(network.feeders)
    edges = np.concatenate([[0], network.edges, [network.length.sum()]])
    shares = zone_shares(edges, network.start, network.length)
    np.testing.assert_allclose(np.bincount(shares.zone, shares.share), 1)
    u = (np.arange(5000) + 0.5) / 5000
    for z in range(len(zones.ids)):
        found = np.bincount(network.feeder_at(np.full(5000, z), u), minlength=count)
        mine = shares.zone == z
        wanted = np.bincount(shares.feeder[mine], shares.share[mine], count)
        np.testing.assert_allclose(found / 5000, wanted, atol=5e-4)
        begin, end = network.start[z], network.start[z] + network.length[z]
        for f in range(count):
            overlap = min(end, edges[f + 1]) - max(begin, edges[f])
            assert wanted[f] == pytest.approx(max(overlap, 0) / (end - begin), abs=1e-9)


def test_feeders_stay_within_their_county(bay):
    zones, network = bay
    total = land_use_load(
        zones, feeder_count(zones, FEEDERS) * mean_peak(FEEDERS), FEEDERS
    ).sum(0)
    by_county = network.feeders.groupby("county")["peak_kw"].sum()
    for number, name in ((7, "napa"), (1, "san_francisco")):
        assert by_county[name] == pytest.approx(total[zones.county == number].sum())


def test_base_load_mixes_homes_and_shops(bay):
    _, network = bay
    weekday, weekend = base_load(network.feeders, FEEDERS)
    feeders = network.feeders
    np.testing.assert_allclose(weekday.max(1), feeders["peak_kw"])
    mean = weekday.mean(0) / weekday.mean(0).max()
    np.testing.assert_allclose(mean, np.array(MEAN_SHAPE_KW) / 3428, atol=0.02)
    shops = int(feeders["commercial_share"].idxmax())
    assert feeders["commercial_share"][shops] > 0.98
    found = weekday[shops] / weekday[shops].max()
    np.testing.assert_allclose(found, COMMERCIAL_SHAPE, atol=0.03)
    assert (weekend <= weekday + 1e-9).all()
    homes = int(feeders["commercial_share"].idxmin())
    assert weekend[homes].max() > 0.97 * weekday[homes].max()
    assert weekend[shops].max() < 0.78 * weekday[shops].max()


@pytest.mark.parametrize("minutes", [60, 30, 15])
def test_profile_has_every_slot_and_the_load_of_its_hour(small, minutes):
    _, network = small
    calendar = make_calendar(MONDAY, 7, "America/Los_Angeles")
    profile = build_profile(network.feeders, calendar, minutes, FEEDERS)
    slots = 7 * 1440 // minutes
    assert len(profile) == slots * len(network.feeders)
    weekday, weekend = base_load(network.feeders, FEEDERS)
    first = profile.iloc[:slots]
    local = pd.DatetimeIndex(first["time"]).tz_convert("America/Los_Angeles")
    for row in range(0, slots, 7):
        kind = weekend if local[row].weekday() >= 5 else weekday
        wanted = round(float(kind[0, local[row].hour]), 1)
        assert first["base_kw"].iloc[row] == pytest.approx(wanted, abs=0.051)
    spare = (profile["capacity_kw"] - profile["base_kw"]).groupby(
        profile["feeder_id"], sort=False
    )
    np.testing.assert_allclose(spare.min(), network.feeders["headroom_kw"], atol=0.16)


def test_a_lower_week_leaves_more_to_spare(small):
    _, network = small
    low = dataclasses.replace(FEEDERS, week_peak=0.71)
    calendar = make_calendar(MONDAY, 1, "America/Los_Angeles")
    profiles = [build_profile(network.feeders, calendar, 60, p) for p in (FEEDERS, low)]
    np.testing.assert_array_equal(
        profiles[0]["capacity_kw"], profiles[1]["capacity_kw"]
    )
    np.testing.assert_allclose(
        profiles[1]["base_kw"], 0.71 * profiles[0]["base_kw"], atol=0.1
    )


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.25, 0.9])
def test_headroom_goes_with_the_peak_as_asked(correlation):
    p = dataclasses.replace(FEEDERS, headroom_peak_correlation=correlation)
    peak = np.random.default_rng(0).permutation(np.linspace(100, 9000, 4000))
    found = headroom(peak, Draws(2), p)
    ranks = np.corrcoef(pd.Series(peak).rank(), pd.Series(found).rank())[0, 1]
    # Rank correlation of a Gaussian copula
    assert ranks == pytest.approx(6 / np.pi * np.arcsin(correlation / 2), abs=0.04)
    spare = np.quantile(found, LEVELS)
    np.testing.assert_allclose(spare, (226, 540, 850, 1310, 1860), rtol=0.01)


def test_upgrade_cost_follows_density():
    cost = upgrade_cost(np.array([5.0, 1.0, 9.0]), (240.0, 800.0))
    np.testing.assert_array_equal(cost, [520, 240, 800])


@pytest.mark.parametrize("slot_minutes", [45, 90, 120, 180, 1440])
@pytest.mark.parametrize("day", ["2026-09-14", "2026-10-26", "2027-03-08"])
def test_slots_take_the_mean_of_their_hours(bay, day, slot_minutes):
    """Against slots of 15 minutes, also over a change of the clock."""
    start = datetime.date.fromisoformat(day)
    zone, feeders = "America/Los_Angeles", bay[1].feeders.head(3)
    fine, wide = (
        build_profile(feeders, make_calendar(start, 7, zone, m), m, Feeders())
        for m in (15, slot_minutes)
    )
    base = fine["base_kw"].to_numpy().reshape(3, -1)
    slots, pieces = len(wide) // 3, slot_minutes // 15
    want = base[:, : slots * pieces].reshape(3, slots, pieces).mean(axis=2)
    found = wide["base_kw"].to_numpy().reshape(3, slots)
    np.testing.assert_allclose(found, want, atol=0.11)


@pytest.mark.parametrize(
    ("day", "zone"), [("2011-12-29", "Pacific/Apia"), ("9999-12-30", "Europe/Berlin")]
)
def test_days_that_a_calendar_lacks_are_named(day, zone):
    with pytest.raises(SettingsError, match=f"from {day} on are not all in the"):
        make_calendar(datetime.date.fromisoformat(day), 7, zone)


@pytest.mark.parametrize(
    ("day", "hours", "zone"),
    [
        ("2026-09-14", 168, "America/Los_Angeles"),
        ("2026-10-26", 169, "America/Los_Angeles"),
        ("2027-03-08", 167, "America/Los_Angeles"),
        ("2026-10-26", 169, "America/Havana"),  # midnight comes twice
        ("2026-08-31", 167, "America/Santiago"),  # midnight is skipped
    ],
)
def test_weeks_of_clock_changes(day, hours, zone):
    start = datetime.date.fromisoformat(day)
    calendar = make_calendar(start, 7, zone)
    assert calendar.minutes == 60 * hours
    assert calendar.weekday.tolist() == list(range(7))
    for number, begin in enumerate(calendar.midnight):
        at = calendar.start.tz_convert("UTC") + pd.Timedelta(
            minutes=int(begin) + 8 * 60
        )
        local = at.tz_convert(zone)
        assert (local.hour, local.weekday()) == (8, number)
