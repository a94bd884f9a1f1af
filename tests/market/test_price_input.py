"""Prices and own costs that do not fit are refused in words that help."""

import numpy as np
import pandas as pd
import pytest
from market_cases import frame_of, prices_of, same_schedule, small, varied

import macjax
from macjax import DataError, OwnCost, SettingsError


def good() -> pd.DataFrame:
    return frame_of(varied(0), prices_of(varied(0), "random"))


def changed(**columns) -> pd.DataFrame:
    return good().assign(**columns)


def one_nan() -> pd.DataFrame:
    prices = good()
    prices.loc[7, "price"] = np.nan
    return prices


WRONG = {
    "a frame with": lambda: {"price": 1.0},
    "no value for 1 feeder": lambda: good()[
        good()["feeder_id"] != good()["feeder_id"].iloc[0]
    ],
    "no price for 1 slot": lambda: good().drop(index=3),
    "not finite in 1 row": one_nan,
    "column 'price' is missing": lambda: good().rename(columns={"price": "prices"}),
    "give one of the columns 'time' and 'hour'": lambda: good().drop(columns="time"),
    "not in the feeders table": lambda: changed(
        feeder_id=good()["feeder_id"].astype(str) + "x"
    ),
    "not at the start of a slot": lambda: changed(
        time=good()["time"] + pd.Timedelta(minutes=1)
    ),
    "repeated": lambda: pd.concat([good(), good().head(1)]),
    "must be numbers": lambda: changed(price="dear"),
    "without an offset": lambda: changed(time=good()["time"].dt.tz_localize(None)),
}


@pytest.mark.parametrize("message", WRONG)
def test_prices_that_do_not_fit(message):
    with pytest.raises(SettingsError, match="prices.*" + message) as error:
        macjax.best_response(varied(0), WRONG[message]())
    assert "EnergyCost" not in str(error.value)


def test_prices_may_be_by_hour_and_for_all_feeders():
    scenario = varied(0)
    hours = pd.DataFrame({"hour": range(24), "price": np.arange(24.0) % 5})
    local = pd.DatetimeIndex(scenario.slot_starts).tz_convert(scenario.timezone)
    table = np.tile(local.hour.to_numpy() % 5.0, (len(scenario.feeders), 1))
    one = macjax.best_response(scenario, hours)
    other = macjax.best_response(scenario, frame_of(scenario, table))
    assert same_schedule(one, other) == 0 and len(one)


@pytest.mark.parametrize("off", [-1, 1, 300])
def test_times_are_read_to_the_microsecond(off):
    scenario, prices = varied(0), good()
    late = prices.assign(
        time=prices["time"].dt.as_unit("ns") + pd.Timedelta(off, unit="ns")
    )
    text = late.assign(time=[t.isoformat() for t in late["time"]])
    plain = macjax.best_response(scenario, prices)
    for other in (late, text):
        pd.testing.assert_frame_equal(macjax.best_response(scenario, other), plain)


def test_rows_may_come_in_any_order():
    prices = good().sample(frac=1, random_state=0)
    one = macjax.best_response(varied(0), prices)
    assert one.equals(macjax.best_response(varied(0), good()))


def ids() -> pd.Series:
    return varied(0).vehicles["vehicle_id"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(quadratic=-1), "quadratic must not be negative"),
        (dict(linear=float("nan")), "linear must be finite"),
        (dict(smoothing="much"), "smoothing must be a number"),
        (dict(benefit=0.1), "needs energy_kwh"),
        (dict(demand=pd.Series({"a": -1.0})), "not negative, not in 1 vehicle"),
        (dict(demand=pd.Series([1.0, 2.0], index=["a", "a"])), "occurs twice"),
        (dict(linear=pd.Series({"a": "b"})), "must be numbers by vehicle_id"),
    ],
)
def test_own_costs_that_are_wrong(given, message):
    with pytest.raises(SettingsError, match=message):
        OwnCost(**given)


def test_own_costs_of_other_vehicles():
    some = pd.Series(1.0, index=ids().to_numpy())
    lacks, foreign = some.iloc[1:], pd.concat([some, pd.Series({"nobody": 1.0})])
    for wrong, message in ((lacks, "no value for 1"), (foreign, "1 vehicle .nobody")):
        with pytest.raises(SettingsError, match=message):
            macjax.best_response(varied(0), good(), OwnCost(quadratic=wrong))
    with pytest.raises(SettingsError, match="must be a macjax.OwnCost"):
        macjax.best_response(varied(0), good(), 0.1)
    order = some.sample(frac=1, random_state=0)
    one = macjax.best_response(varied(0), good(), OwnCost(quadratic=order))
    assert one.equals(macjax.best_response(varied(0), good(), OwnCost(quadratic=1.0)))
    named = OwnCost(quadratic=dict(some))
    assert one.equals(macjax.best_response(varied(0), good(), named))


def test_scenarios_that_are_wrong():
    with pytest.raises(SettingsError, match="must be a macjax.Scenario"):
        macjax.best_response(None, good())
    with pytest.raises(SettingsError, match="on_infeasible must be one of"):
        macjax.best_response(varied(0), good(), on_infeasible="ignore")
    short = small("trip_out_of_reach")
    zero = frame_of(short, prices_of(short, "zero"))
    with pytest.raises(DataError, match="cannot make its trips"):
        macjax.best_response(short, zero)
    assert set(macjax.best_response(short, zero, on_infeasible="drop")["stay"]) == {2}
