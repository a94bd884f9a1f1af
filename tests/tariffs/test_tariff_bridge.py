"""The bridge to MAC: margins on capacities, and tariffs as prices of feeders."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from tariff_cases import bundled

import macjax
from macjax import DataError, SettingsError, tariffs
from macjax.synthetic import fleet


@pytest.fixture(scope="module")
def scenario():
    return fleet(evs=30, feeders=2, slots=24, seed=3)


def half_widths(scenario, **columns) -> pd.DataFrame:
    ids = scenario.feeders["feeder_id"].tolist()
    frame = pd.DataFrame(
        {
            "feeder_id": np.repeat(np.array(ids), scenario.slots),
            "time": np.tile(np.asarray(scenario.slot_starts, object), len(ids)),
        }
    )
    return frame.assign(**columns)


def test_headroom_is_narrowed_by_the_margin(scenario):
    rng = np.random.default_rng(0)
    cells = len(scenario.feeders) * scenario.slots
    load, pv = rng.uniform(0, 5, (2, cells))
    given = half_widths(scenario, load_kw=load, pv_kw=pv)
    robust = macjax.robust_headroom(scenario, given, {"load": 0.5, "pv": 0.25})
    shape = len(scenario.feeders), scenario.slots
    capacity, base = scenario.capacity_base()
    lower, same = robust.capacity_base()
    assert np.allclose(capacity - lower, (0.5 * load + 0.25 * pv).reshape(shape))
    assert np.array_equal(base, same)
    assert "lowered" in robust.notes[-1] and robust.fingerprint != scenario.fingerprint
    untouched = macjax.robust_headroom(scenario, given, 0)
    assert np.array_equal(untouched.capacity_base()[0], capacity)


def test_hours_and_times_mean_the_same(scenario):
    ids = scenario.feeders["feeder_id"].tolist()
    hours = pd.DataFrame(
        {
            "feeder_id": np.repeat(np.array(ids), 24),
            "hour": np.tile(np.arange(24), len(ids)),
            "wind_kw": np.arange(24.0 * len(ids)),
        }
    )
    local = scenario.slot_starts.tz_convert(scenario.timezone).hour.to_numpy()
    table = np.arange(24.0 * len(ids)).reshape(-1, 24)[:, local]
    times = half_widths(scenario, wind_kw=table.ravel())
    one, two = (macjax.robust_headroom(scenario, f, 1.0) for f in (hours, times))
    assert np.array_equal(one.capacity_base()[0], two.capacity_base()[0])
    by_hour = pd.DataFrame(
        {
            "feeder_id": hours["feeder_id"],
            "hour": hours["hour"],
            "capacity_kw": 100.0,
            "base_kw": 1.0,
        }
    )
    daily = scenario.with_tables(name="daily", feeder_profile=by_hour)
    kept = macjax.robust_headroom(daily, hours, 1.0)
    assert "hour" in kept.feeder_profile and kept.feeder_profile["hour"].notna().all()
    for frame in (hours, times):
        found = macjax.robust_headroom(daily, frame, 1.0).capacity_base()[0]
        assert np.array_equal(found, 100.0 - table)


def test_robust_scenario_is_a_scenario(scenario, tmp_path):
    given = half_widths(scenario, load_kw=2.0)
    robust = macjax.robust_headroom(scenario, given, 1.0)
    robust.write(tmp_path / "robust")
    again = macjax.Scenario.read(tmp_path / "robust")
    assert again.fingerprint == robust.fingerprint
    plain = macjax.baselines.unmanaged(scenario).upgrades()["upgrade_kw"]
    more = macjax.baselines.unmanaged(robust).upgrades()["upgrade_kw"]
    over = plain > 0
    assert over.any()
    assert np.allclose(more[over], plain[over] + 2.0)


def naive(times: pd.Series) -> pd.Series:
    """The same hands of the clock in UTC without a word about UTC."""
    return pd.to_datetime(times, utc=True).dt.tz_localize(None)


def test_columns_that_nothing_reads_are_named(scenario):
    given = half_widths(scenario, load_kw=1.0, source="guess")
    robust = macjax.robust_headroom(scenario, given, 1.0)
    assert "uncertainty: columns not used: source" in robust.notes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop(columns="load_kw"), "one of these columns is needed"),
        (lambda f: f.drop(columns="feeder_id"), "the column is missing"),
        (lambda f: f.assign(hour=1), "give one of these two"),
        (lambda f: f.iloc[1:], "needs a row for every slot"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "several rows"),
        (lambda f: f.assign(load_kw=-1.0), "at least 0"),
        (lambda f: f.assign(load_kw=np.nan), "finite"),
        (lambda f: f.assign(feeder_id="none"), "not in the feeders table"),
        (lambda f: f.assign(time=f["time"] + pd.Timedelta("1min")), "start of a slot"),
        (lambda f: f.assign(time=naive(f["time"])), "has no UTC offset"),
        (lambda f: f.assign(time="noon"), "must be a timestamp"),
        (lambda f: f.assign(feeder_id=1), "must be text"),
        (lambda f: f.assign(feeder_id=[[1]] * len(f)), "must be text"),
        (lambda f: f.assign(PV_kW=1.0), "'pv_kw' is: rename it"),
        (lambda f: pd.concat([f, f[["load_kw"]]], axis=1), "comes more than once"),
    ],
)
def test_wrong_half_widths(scenario, change, words):
    frame = half_widths(scenario, load_kw=1.0)
    with pytest.raises(DataError, match=words):
        macjax.robust_headroom(scenario, change(frame), 1.0)


@pytest.mark.parametrize("gamma", [1.5, -0.1, "all", True, {"sun": 1}])
def test_wrong_gamma(scenario, gamma):
    with pytest.raises(SettingsError, match="gamma"):
        macjax.robust_headroom(scenario, half_widths(scenario, load_kw=1.0), gamma)


def test_tariffs_as_prices_of_feeders(scenario):
    case = bundled().changed({"start": scenario.start.isoformat()})
    plan = tariffs.solve_operator(case, 1.0)
    ids = scenario.feeders["feeder_id"].tolist()
    prices = tariffs.posted_prices(case, plan, scenario, {ids[0]: "F2", ids[1]: None})
    assert prices.columns.tolist() == ["feeder_id", "time", "price"]
    table = prices["price"].to_numpy().reshape(2, -1)
    own = plan.tariffs.query("station == 'F2'")["tariff"].to_numpy()
    step = (np.arange(scenario.slots) * scenario.slot_hours).astype(int)
    hours = scenario.slot_hours
    assert np.allclose(table[0], hours * (case.price[step] + own[step]))
    assert np.allclose(table[1], hours * case.price[step])
    # The form that objectives and best responses read
    dear = macjax.EnergyCost(prices)
    solved = macjax.solve(scenario, objective=macjax.PeakOverload() + dear, gap=1e-2)
    assert solved.status == "solved"


def test_prices_by_hour_of_the_day(scenario):
    case = bundled()
    plan = tariffs.solve_operator(case, 1.0)
    ids = scenario.feeders["feeder_id"].tolist()
    names = dict.fromkeys(ids, "F4")
    prices = tariffs.posted_prices(case, plan, scenario, names, match="hour")
    own = plan.tariffs.query("station == 'F4'")
    mean = own.groupby(own["time"].dt.hour)["tariff"].mean()
    hour = scenario.slot_starts.tz_convert("UTC").hour
    wanted = scenario.slot_hours * (case.price[hour] + mean[hour].to_numpy())
    first = prices["price"].to_numpy()[: scenario.slots]
    assert np.allclose(first, wanted)
    with pytest.raises(SettingsError, match="outside the case"):
        tariffs.posted_prices(case, plan, scenario, names)
    cases: list[Any] = [{}, dict.fromkeys(ids, "F99"), names | {"x": None}, ["F2"]]
    for wrong in cases:
        with pytest.raises(SettingsError, match="stations"):
            tariffs.posted_prices(case, plan, scenario, wrong, match="hour")
