"""Price frames: every form expands to the table expected, every fault is named."""

import numpy as np
import pandas as pd
import pytest
from feeder_cases import FakeScenario

from macjax._errors import SettingsError
from macjax.objectives import EnergyCost, feeder_terms


def energy(frame, scenario) -> np.ndarray:
    """The prices per kWh that a frame gives, one loop at a time from the terms."""
    return feeder_terms(EnergyCost(frame), scenario).energy / scenario.slot_hours


def timed(scenario, prices, **columns) -> pd.DataFrame:
    return pd.DataFrame({"time": scenario.slot_starts, "price": prices} | columns)


def test_times_for_all_feeders():
    scenario = FakeScenario(["A", "B"], slots=4, slot_minutes=15)
    frame = timed(scenario, [0.1, 0.2, 0.3, -0.4])
    np.testing.assert_allclose(energy(frame, scenario), [[0.1, 0.2, 0.3, -0.4]] * 2)


def test_order_of_rows_and_offsets_of_times_do_not_matter():
    scenario = FakeScenario(["A"], slots=30)
    frame = timed(scenario, np.arange(30.0))
    frame["time"] = frame["time"].dt.tz_convert("America/Los_Angeles")
    frame = frame.sample(frac=1, random_state=0)
    np.testing.assert_allclose(energy(frame, scenario), [np.arange(30.0)])
    as_text = frame.assign(time=[t.isoformat() for t in frame["time"]])
    np.testing.assert_allclose(energy(as_text, scenario), [np.arange(30.0)])
    mixed = frame.assign(
        time=[t.tz_convert("UTC" if i % 2 else "Asia/Tokyo") for i, t in
              enumerate(frame["time"])]
    )  # fmt: skip
    np.testing.assert_allclose(energy(mixed, scenario), [np.arange(30.0)])


def test_rows_outside_the_horizon_are_left_out():
    scenario = FakeScenario(["A"], slots=4)
    year = pd.date_range("2026-01-01T00:30Z", "2026-06-01T00:00Z", freq="h")
    frame = pd.DataFrame({"time": year, "price": 9.0})
    frame = frame[(year < scenario.slot_starts[0]) | (year > "2026-03-03T00:00Z")]
    frame = pd.concat([frame, timed(scenario, [1.0, 2.0, 3.0, 4.0])])
    np.testing.assert_allclose(energy(frame, scenario), [[1.0, 2.0, 3.0, 4.0]])


def test_hours_are_local_and_repeat():
    scenario = FakeScenario(["A"], slots=60, timezone="America/Los_Angeles")
    frame = pd.DataFrame({"hour": range(24), "price": np.arange(24.0)})
    local = scenario.slot_starts.tz_convert("America/Los_Angeles").hour
    np.testing.assert_allclose(energy(frame, scenario), [local])


def test_hours_through_a_change_of_clocks():
    scenario = FakeScenario(["A"], slots=48, timezone="Europe/Zurich")
    scenario.slot_starts = pd.date_range("2026-03-28T12:00Z", periods=48, freq="h")
    frame = pd.DataFrame({"hour": range(24), "price": np.arange(24.0)})
    found = energy(frame, scenario)[0]
    assert np.sum(found == 2.0) == 1  # the 29th has no hour 2
    local = [t.tz_convert("Europe/Zurich").hour for t in scenario.slot_starts]
    np.testing.assert_allclose(found, local)


@pytest.mark.parametrize("ids", (["B", "A", "C"], [30, 10, 2**60]))
def test_prices_by_feeder(ids):
    scenario = FakeScenario(ids, slots=3)
    rows = [
        (feeder, time, 10.0 * f + t)
        for f, feeder in enumerate(ids)
        for t, time in enumerate(scenario.slot_starts)
    ]
    frame = pd.DataFrame(rows, columns=["feeder_id", "time", "price"])
    expected = 10.0 * np.arange(3)[:, None] + np.arange(3)
    np.testing.assert_allclose(energy(frame, scenario), expected)
    shuffled = frame.sample(frac=1, random_state=1).assign(note="kept out")
    np.testing.assert_allclose(energy(shuffled, scenario), expected)
    as_category = frame.assign(feeder_id=frame["feeder_id"].astype("category"))
    np.testing.assert_allclose(energy(as_category, scenario), expected)


def test_prices_by_feeder_and_hour():
    scenario = FakeScenario(["A", "B"], slots=24)
    frame = pd.DataFrame(
        {
            "feeder_id": ["A"] * 24 + ["B"] * 24,
            "hour": [*range(24)] * 2,
            "price": range(48),
        }
    )
    hours = np.asarray(scenario.slot_starts.hour)
    np.testing.assert_allclose(energy(frame, scenario), [hours, 24.0 + hours])


def test_only_hours_of_the_horizon_are_needed():
    scenario = FakeScenario(["A"], slots=2)  # 6 and 7 o'clock
    frame = pd.DataFrame({"hour": [6, 7], "price": [1.0, 2.0]})
    np.testing.assert_allclose(energy(frame, scenario), [[1.0, 2.0]])


def test_the_frame_given_is_not_changed_and_not_kept():
    scenario = FakeScenario(["A"], slots=2)
    frame = timed(scenario, [1.0, 2.0])
    before = frame.copy()
    objective = EnergyCost(frame)
    frame["price"] = -1.0
    np.testing.assert_array_equal(feeder_terms(objective, scenario).energy, [[1, 2]])
    pd.testing.assert_frame_equal(before.drop(columns="price"), frame[["time"]])


GOOD = pd.DataFrame({"hour": range(24), "price": np.arange(24.0)})
STAMPS = pd.date_range("2026-03-02T06:00Z", periods=24, freq="h")
TIMES = pd.DataFrame({"time": STAMPS, "price": np.arange(24.0)})
WRONG = {
    "no_price": (GOOD.rename(columns={"price": "prices"}), "did you mean 'prices'"),
    "no_columns": (pd.DataFrame(), "column 'price' is missing"),
    "no_key": (GOOD[["price"]], "one of the columns 'time' and 'hour'"),
    "two_keys": (TIMES.assign(hour=1), "one of the columns 'time' and 'hour'"),
    "text": (GOOD.assign(price="7,4"), "price must be numbers.*7,4"),
    "flags": (GOOD.assign(price=True), "price must be numbers"),
    "nan": (GOOD.replace({"price": {3.0: np.nan}}), r"price not finite in 1 row \(3\)"),
    "inf": (GOOD.assign(price=np.inf), r"not finite in 24 rows \(0, 1, .*, \.\.\.\)"),
    "hour_24": (GOOD.assign(hour=GOOD["hour"] + 1), "hour must be 0 to 23"),
    "half_hour": (GOOD.assign(hour=GOOD["hour"] / 2), "hour must be 0 to 23"),
    "hour_text": (GOOD.assign(hour="1"), "hour must be numbers"),
    "naive": (TIMES.assign(time=STAMPS.tz_localize(None)), "without an offset"),
    "null_time": (TIMES.assign(time=STAMPS.where(STAMPS.hour > 7)), "NaT"),
    "number_time": (TIMES.assign(time=3), "time must be timestamps"),
    "no_time": (TIMES.assign(time="soon"), "time is not a timestamp"),
    "twice": (pd.concat([GOOD, GOOD[:2]]), "2 rows .* repeated"),
    "twice_other_zone": (
        pd.concat([TIMES, TIMES[:1].assign(time=STAMPS[:1].tz_convert("Asia/Tokyo"))]),
        "1 row .* repeated",
    ),
    "null_feeder": (GOOD.assign(feeder_id=[None] + ["A"] * 23), "must not be null"),
    "float_feeder": (GOOD.assign(feeder_id=1.0), "text or an integer"),
    "column_twice": (pd.concat([GOOD, GOOD[["price"]]], axis=1), "occurs twice"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_frames(name):
    frame, words = WRONG[name]
    with pytest.raises(SettingsError, match="EnergyCost.prices") as error:
        EnergyCost(frame)
    assert error.match(words)


UNFIT = {
    "missing_slot": (TIMES.drop(3), r"no price for 1 slot \(2026-03-02T09:00:00"),
    "missing_hour": (GOOD.drop(3), r"no price for 1 hour \(3\)"),
    "between_slots": (
        pd.concat([TIMES, TIMES.assign(time=STAMPS + pd.Timedelta("30min"))]),
        "24 times .* not at the start of a slot; slots are 60 minutes",
    ),
    "unknown_feeder": (
        pd.concat([GOOD.assign(feeder_id=f) for f in "ABX"]),
        r"1 feeder \(X\) not in the feeders table",
    ),
    "missing_feeder": (GOOD.assign(feeder_id="A"), r"no value for 1 feeder \(B\)"),
    "integer_feeders": (
        pd.concat([GOOD.assign(feeder_id=f) for f in (1, 2)]),
        "feeder_id is str in the scenario and int here",
    ),
    "gap_of_one_feeder": (
        pd.concat([TIMES.assign(feeder_id="A"), TIMES[:20].assign(feeder_id="B")]),
        r"no price for 4 slots \(.*\) at feeder B; gaps at 1 feeder \(B\)",
    ),
    "other_year": (TIMES.assign(time=STAMPS + pd.Timedelta("365D")), "24 slots"),
    "empty": (TIMES[:0], "24 slots"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_frames_that_do_not_fit_the_scenario(name):
    frame, words = UNFIT[name]
    objective = EnergyCost(frame)
    with pytest.raises(SettingsError, match="EnergyCost.prices") as error:
        feeder_terms(objective, FakeScenario(["A", "B"], slots=24))
    assert error.match(words)


@pytest.mark.parametrize("by_feeder", [False, True])
def test_reports_show_times_as_given_or_in_local_time(by_feeder):
    """Never in UTC, which nobody gave."""
    scenario = FakeScenario(["A"], slots=24, timezone="America/Los_Angeles")
    extra = {"feeder_id": "A"} if by_feeder else {}
    for times, words in (
        (STAMPS + pd.Timedelta("30min"), r"\(2026-03-0\dT\d\d:30:00-08:00.*00-08:00$"),
        (STAMPS[1:], r"no price for 1 slot \(2026-03-0\dT\d\d:00:00-08:00\)"),
    ):
        frame = pd.DataFrame({"time": times, "price": 0.1}).assign(**extra)
        with pytest.raises(SettingsError, match=words):
            feeder_terms(EnergyCost(frame), scenario)
    given = "2026-03-02t06:00:00"
    with pytest.raises(SettingsError, match=rf"\({given}\) without an offset"):
        EnergyCost(pd.DataFrame({"time": [given], "price": 0.1}))


def test_hundred_thousand_rows_are_quick():
    ids = [f"F{i}" for i in range(300)]
    scenario = FakeScenario(ids, slots=336)
    frame = pd.DataFrame(
        {
            "feeder_id": np.repeat(ids, 336),
            "time": np.tile(scenario.slot_starts, 300),
            "price": np.arange(300.0 * 336),
        }
    )
    found = energy(frame, scenario)
    np.testing.assert_array_equal(found.ravel(), np.arange(300.0 * 336))
