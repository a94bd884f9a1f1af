"""Known hours of the bundled tariffs, clock changes included, and wrong tariffs."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
from baseline_fleets import Case

from macjax import _errors
from macjax.baselines import tariff_names, tariff_prices
from macjax.baselines.tariffs import BUNDLED

SUMMER_MONDAY = "2026-07-06T00:00:00-07:00"
WINTER_MONDAY = "2026-01-05T00:00:00-08:00"


def scenario_at(start, slots=48, dt=1.0, feeders=2, **keys):
    return Case([], np.ones((feeders, slots)), dt, slots).scenario(start=start, **keys)


def row(start, tariff, **keys):
    prices = tariff_prices(scenario_at(start, **keys), tariff)
    assert (prices.feeders == prices.elsewhere).all()
    return prices.elsewhere


def content(name):
    return json.loads((BUNDLED / f"{name}.json").read_text())


def test_names():
    assert tariff_names() == ["pge_a10", "sce_tou_ev_4"]


def test_edison_by_the_hour():
    weekday = [0.05623] * 8 + [0.0925] * 4 + [0.26668] * 6 + [0.0925] * 5 + [0.05623]
    assert row(SUMMER_MONDAY, "sce_tou_ev_4", slots=24).tolist() == weekday
    saturday = row("2026-07-04T00:00:00-07:00", "sce_tou_ev_4", slots=48)
    assert saturday.tolist() == [0.05623] * 48
    season = row("2026-09-30T23:00:00-07:00", "sce_tou_ev_4", slots=2)
    assert season.tolist() == [0.05623, 0.06087]


def test_a_slot_across_a_change_of_price_has_the_mean():
    by_hour = row(SUMMER_MONDAY, "pge_a10", slots=24)
    assert by_hour[7] == 0.14903
    assert by_hour[8] == pytest.approx((0.14903 + 0.1771) / 2, abs=1e-12)
    assert by_hour[9] == 0.1771
    by_quarter = row(SUMMER_MONDAY, "pge_a10", slots=96, dt=0.25)
    assert by_quarter[33:35].tolist() == [0.14903, 0.1771]
    assert by_quarter.reshape(24, 4).mean(axis=1) == pytest.approx(by_hour)
    shifted = row("2026-07-06T08:20:00-07:00", "pge_a10", slots=1)
    assert shifted[0] == pytest.approx((10 * 0.14903 + 50 * 0.1771) / 60)


def test_entries_for_all_days_are_told_apart_by_their_ids():
    """The PG&E file has two winter entries with ALL: Winter-Weekday, Winter-Weekend."""
    week = row(WINTER_MONDAY, "pge_a10", slots=168).reshape(7, 24)
    assert (week[:5, 10] == 0.1477).all()
    assert (week[5:] == 0.13064).all()
    season = row("2026-04-30T10:00:00-07:00", "pge_a10", slots=24)
    assert (season[0], season[-1]) == (0.1477, 0.1771)


@pytest.mark.parametrize(
    ("start", "hours_of_sunday"),
    [("2026-03-08T00:00:00-08:00", 23), ("2026-11-01T00:00:00-07:00", 25)],
)
def test_times_of_day_are_local_across_a_clock_change(start, hours_of_sunday):
    prices = row(start, "sce_tou_ev_4", slots=48)
    eight = hours_of_sunday + 8
    assert prices[:eight].tolist() == [0.06087] * eight
    assert prices[eight : eight + 4].tolist() == [0.07492] * 4
    assert prices[eight + 4] == 0.0869
    halves = row(start, "pge_a10", slots=192, dt=0.25)
    edge = 4 * (hours_of_sunday + 8) + 2
    assert (halves[edge - 1], halves[edge]) == (0.13064, 0.1477)


def test_the_repeated_hour_is_cheap_twice():
    by_hour = copy.deepcopy(content("sce_tou_ev_4"))
    for entry in by_hour["schedule"]:
        entry["times"], entry["tariffs"] = [0, 1, 2], [3.0, 1.0, 2.0]
    prices = row("2026-11-01T00:00:00-07:00", by_hour, slots=4)
    assert prices.tolist() == [3.0, 1.0, 1.0, 2.0]
    prices = row("2026-03-08T00:00:00-08:00", by_hour, slots=4)
    assert prices.tolist() == [3.0, 1.0, 2.0, 2.0]


def test_name_path_and_content_are_the_same(tmp_path):
    path = tmp_path / "own.json"
    path.write_text((BUNDLED / "pge_a10.json").read_text())
    by_name = row(SUMMER_MONDAY, "pge_a10")
    for tariff in (path, str(path), content("pge_a10")):
        assert (row(SUMMER_MONDAY, tariff) == by_name).all()


def test_frames_by_hour_and_by_time():
    scenario = scenario_at("2026-03-08T00:00:00-08:00", slots=4)
    by_hour = pd.DataFrame({"hour": range(24), "price": np.arange(24.0)})
    prices = tariff_prices(scenario, by_hour)
    assert prices.elsewhere.tolist() == [0.0, 1.0, 3.0, 4.0]
    assert (prices.feeders == prices.elsewhere).all()
    by_time = pd.DataFrame(
        {"time": scenario.slot_starts, "price": [4.0, 3.0, 2.0, 1.0]}
    )
    assert tariff_prices(scenario, by_time).elsewhere.tolist() == [4.0, 3.0, 2.0, 1.0]


def test_frame_by_feeder_is_not_paid_elsewhere():
    scenario = scenario_at(SUMMER_MONDAY, slots=3)
    frame = pd.DataFrame(
        {
            "feeder_id": np.repeat(["f1", "f0"], 3),
            "time": np.tile(scenario.slot_starts, 2),
            "price": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        }
    )
    prices = tariff_prices(scenario, frame)
    assert prices.feeders.tolist() == [[4.0, 5.0, 6.0], [1.0, 2.0, 3.0]]
    assert prices.elsewhere.tolist() == [0.0, 0.0, 0.0]


def test_a_frame_without_feeders_is_paid_where_there_are_none():
    scenario = scenario_at(SUMMER_MONDAY, slots=2, feeders=0)
    frame = pd.DataFrame({"hour": range(24), "price": 0.5})
    prices = tariff_prices(scenario, frame)
    assert prices.feeders.shape == (0, 2)
    assert prices.elsewhere.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (dict(dow_mask="MONDAYS"), "WEEKDAYS"),
        (dict(times=[1, 8], tariffs=[1.0, 2.0]), "begin with 0"),
        (dict(times=[0, 8]), "5 values for 2 times"),
        (dict(tariffs="much"), "list of numbers"),
        (dict(tariffs=[float("nan")] * 5), "finite"),
        (dict(effective_start="13-01"), "MM-DD"),
        (dict(effective_start="06-15"), "no entry holds"),
    ],
)
def test_wrong_schedules_are_told(change, text):
    tariff = content("sce_tou_ev_4")
    tariff["schedule"][0] |= change
    with pytest.raises(_errors.DataError, match=text):
        row("2026-06-01T00:00:00-07:00", tariff)


def test_two_entries_for_one_day_are_refused():
    tariff = content("sce_tou_ev_4")
    tariff["schedule"].append(tariff["schedule"][0])
    with pytest.raises(_errors.DataError, match="several entries"):
        row(SUMMER_MONDAY, tariff)


def test_wrong_tariffs_are_told(tmp_path):
    (tmp_path / "no.json").write_text("{")
    scenario = scenario_at(SUMMER_MONDAY)
    cases = [
        ("pge_a1", _errors.SettingsError, "pge_a10"),
        (3.0, _errors.SettingsError, "DataFrame"),
        (tmp_path / "no.json", _errors.DataError, "not JSON"),
        ({"schedule": 1}, _errors.DataError, "list of entries"),
        (pd.DataFrame({"hour": [0]}), _errors.SettingsError, "tariff: column 'price'"),
        (
            pd.DataFrame({"hour": [0, 1], "price": [1.0, 2.0]}),
            _errors.SettingsError,
            "tariff: no price",
        ),
    ]
    for tariff, error, text in cases:
        with pytest.raises(error, match=text):
            tariff_prices(scenario, tariff)
