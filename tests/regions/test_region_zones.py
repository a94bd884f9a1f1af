"""Zones at a distance and nearest zones, against brute force."""

import dataclasses

import numpy as np
import pytest
from made_survey import make_zones

from macjax._errors import DataError
from macjax.regions.curve import along_curve, hilbert_place
from macjax.regions.parameters import Population, Travel
from macjax.regions.zones import NearestZone, RingDraw
from macjax.regions.zones import make_zones as zones_of

POPULATION, TRAVEL = Population(), Travel()


@pytest.fixture(scope="module")
def zones():
    return zones_of(make_zones(), POPULATION, TRAVEL)


def test_zones_carry_the_table(zones):
    table = make_zones()
    point = table.iloc[4]
    assert zones.ids[4] == point["zone_id"]
    assert zones.centre[4] == point["x_utm10n_m"] / 1e3 + 1j * point["y_utm10n_m"] / 1e3
    assert zones.group[4] == 3 and table["area_type"][4] == 4
    # Points of a square of side 1 are 0.52 apart: no zone is larger than its trips
    assert (0.52 * zones.side <= TRAVEL.longest_intrazonal_km + 1e-9).all()
    small = table["area_km2"].to_numpy() < 80
    np.testing.assert_allclose(zones.side[small] ** 2, table["area_km2"][small])


def test_a_type_outside_all_groups_is_named():
    population = dataclasses.replace(POPULATION, area_groups=((0, 1, 2), (3, 4)))
    with pytest.raises(DataError, match=r"zones.area_type: area types \[5\]"):
        zones_of(make_zones(), population, TRAVEL)


def test_points_fill_the_square_of_their_zone(zones):
    rng = np.random.default_rng(0)
    zone = np.full(20_000, 7)
    away = zones.scatter(zone, rng.random(20_000), rng.random(20_000)) - zones.centre[7]
    half = zones.side[7] / 2
    assert max(np.abs(away.real).max(), np.abs(away.imag).max()) <= half
    between = np.abs(away[:10_000] - away[10_000:]).mean()
    assert between == pytest.approx(TRAVEL.intrazonal * zones.side[7], rel=0.02)


def test_rings_hold_the_zones_at_that_distance(zones):
    draw = RingDraw.of(zones, zones.jobs, POPULATION, TRAVEL)
    count, width = len(zones.ids), POPULATION.ring_width
    rng = np.random.default_rng(1)
    zone, radius = rng.integers(0, count, 300), rng.uniform(0, 80, 300)
    low, high = draw.ring(zone, radius)
    for z, r, a, b in zip(zone, radius, low, high, strict=True):
        away = np.abs(zones.centre - zones.centre[z])
        inside = (away >= (1 - width) * r) & (away <= (1 + width) * r)
        found = set(draw.order[a:b].tolist())
        assert z * count <= a < b <= (z + 1) * count
        assert set(np.flatnonzero(inside)) <= found
        if inside.sum() >= POPULATION.ring_zones:
            assert found == set(np.flatnonzero(inside))
        else:
            assert len(found) == POPULATION.ring_zones
            # Filled up with neighbours in the order of distance
            ranks = np.sort(np.argsort(np.argsort(away, kind="stable"))[list(found)])
            assert (np.diff(ranks) == 1).all()


def test_zones_of_a_ring_come_as_often_as_they_attract(zones):
    draw = RingDraw.of(zones, zones.jobs, POPULATION, TRAVEL)
    count, home, radius = 40_000, 3, 30.0
    u = (np.arange(count) + 0.5) / count
    found = draw(np.full(count, home), np.full(count, radius), u)
    away = np.abs(zones.centre - zones.centre[home])
    inside = (away >= 0.8 * radius) & (away <= 1.2 * radius)
    assert inside.sum() >= 3
    wanted = np.where(inside, zones.jobs, 0) / zones.jobs[inside].sum()
    np.testing.assert_allclose(
        np.bincount(found, minlength=30) / count, wanted, atol=1e-3
    )


def test_short_ways_stay_in_the_own_zone(zones):
    draw = RingDraw.of(zones, zones.jobs, POPULATION, TRAVEL)
    zone = np.arange(len(zones.ids))
    radius = 0.99 * TRAVEL.intrazonal * zones.side
    np.testing.assert_array_equal(draw(zone, radius, np.full(30, 0.7)), zone)


def test_nearest_zone_is_the_nearest(zones):
    rng = np.random.default_rng(2)
    points = rng.uniform(540, 610, 2000) + 1j * rng.uniform(4140, 4210, 2000)
    expected = np.abs(points[:, None] - zones.centre).argmin(1)
    found = NearestZone.of(zones)(points)
    np.testing.assert_array_equal(found, expected)


def test_curve_visits_every_cell_and_goes_to_a_neighbour():
    side = 16
    x, y = np.divmod(np.arange(side * side), side)
    place = hilbert_place(x, y, bits=4)
    assert sorted(place) == list(range(side * side))
    order = np.argsort(place)
    steps = np.abs(np.diff(x[order])) + np.abs(np.diff(y[order]))
    assert (steps == 1).all()


def test_order_along_the_curve_keeps_all_points(zones):
    order = along_curve(zones.centre)
    assert sorted(order) == list(range(len(zones.ids)))
    assert list(along_curve(np.empty(0, complex))) == []
    walked = np.abs(np.diff(zones.centre[order])).sum()
    assert walked < np.abs(np.diff(zones.centre)).sum() / 2
