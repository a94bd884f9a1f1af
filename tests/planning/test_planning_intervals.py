"""Certified intervals follow from costs and bounds alone."""

import math

import pandas as pd
import pytest
from planning_cases import APART, TOGETHER, solved, street

import macjax
from macjax import SettingsError, planning
from macjax.studies import planner_report

HALF = [(0, 18, 4.0), (1, 19, 4.0), (2, 12, 4.0)]  # A: 16 kW, 6 above: 600


def test_ends_of_the_intervals():
    scenario = street()
    found = planning.certified_intervals(
        [
            solved(scenario, TOGETHER, "unmanaged"),
            solved(scenario, HALF, "per_session", lower_bound=590.0),
            solved(scenario, APART, "mac", lower_bound=-5.0),
        ]
    ).set_index("quantity")
    ends = found[["at_least", "found", "at_most"]].T.to_dict("list")
    assert ends["upgrade cost, per_session"] == [590, 600, 600]
    assert ends["upgrade cost, mac"] == [-5, 0, 0]
    assert ends["avoided by per_session"] == [800, 800, 810]
    assert ends["avoided by mac"] == [1400, 1400, 1405]
    assert ends["value of mobility awareness"] == [590, 600, 605]
    assert ends["upgrade cost, base load alone"] == [0, 0, 0]
    low, at, high = ends["upgrade cost, unmanaged"]
    assert math.isnan(low) and at == 1400 and math.isnan(high)
    assert found.loc["avoided by mac", "percent_of_unmanaged"] == 100
    assert set(found["unit"]) == {"USD"}


@pytest.mark.parametrize(
    "given",
    [
        {"settings": {"vehicles_outside_mac_set": 2}},
        {"stranded": [("a", 0, 2.0)]},
    ],
    ids=["outside", "stranded"],
)
@pytest.mark.parametrize("more", [True, False])
def test_what_serves_other_trips_has_one_end_or_none(given, more):
    """Doing less for more money shows a value; doing less for less money none."""
    scenario = street()
    if "stranded" in given:
        columns = ["vehicle_id", "trip", "missing_kwh"]
        given = {"stranded": pd.DataFrame(given["stranded"], columns=columns)}
    frame = planning.certified_intervals(
        [
            solved(scenario, TOGETHER, "unmanaged"),
            solved(
                scenario,
                HALF if more else APART,
                "per_session",
                lower_bound=590.0 if more else -5.0,
                **given,
            ),
            solved(scenario, APART, "mac", lower_bound=-5.0),
        ]
    )
    found = frame.set_index("quantity")
    name = "per_session less mac, not comparable"
    name = planning.intervals.AWARENESS if more else name
    row = found.loc[name]
    assert row["found"] == (600 if more else 0)
    assert math.isnan(row["at_most"])
    assert row["at_least"] == 590 if more else math.isnan(row["at_least"])
    assert "not one of the same service" in row["remark"]
    assert (found.drop(index=row.name)["remark"] == "").all()
    text = planner_report.headline(frame, "USD")
    assert ("is worth USD 590 at least" in text) == more and row["remark"] in text
    assert ("is worth USD" in text) == more
    shown = planner_report._intervals(frame)
    ends = "590 | 600 | -" if more else "- | 0 | -"
    assert f"| {name} | {ends} |" in shown
    assert row["remark"] in shown


def test_the_true_values_lie_within():
    """Solved to a loose gap, the interval holds the value of a tight solve."""
    scenario = macjax.synthetic.fleet(60, 24, 30, 2, kind="hard", seed=2)
    loose = [
        macjax.baselines.unmanaged(scenario),
        macjax.baselines.per_session(scenario, gap=3e-2),
        macjax.solve(scenario, gap=3e-2),
    ]
    tight = [
        loose[0],
        macjax.baselines.per_session(scenario, gap=1e-6),
        macjax.solve(scenario, gap=1e-6),
    ]
    wide = planning.certified_intervals(loose).set_index("quantity")
    exact = planning.certified_intervals(tight).set_index("quantity")["found"]
    proved = wide[wide["at_least"].notna()]
    slack = 1e-5 * exact.abs().max()
    assert len(proved) >= 5
    assert (proved["at_least"] <= exact[proved.index] + slack).all()
    assert planning.intervals.AWARENESS in proved.index


def test_without_bounds_nothing_is_proved():
    scenario = street()
    frame = planning.certified_intervals([solved(scenario, APART)])
    assert frame["quantity"].tolist() == ["upgrade cost, base load alone"]


def test_different_scenarios_are_refused():
    other = solved(street(), APART)
    changed = solved(
        macjax.synthetic.fleet(3, 24, 3, 1, seed=1), [(0, 0, 0.1)], "unmanaged"
    )
    with pytest.raises(SettingsError, match="one scenario"):
        planning.certified_intervals([other, changed])
