"""Loads of the net: scale, spread, reactive power, upgrades; and the settings."""

import numpy as np
import pandas as pd
import pytest
from power_cases import scenario, solution

from macjax._errors import SettingsError, SolutionError
from macjax.powerflow.cases import named_solutions, read_cases
from macjax.powerflow.check import check
from macjax.powerflow.loading import (
    injections,
    reactive,
    shares_of,
    spread_weights,
    uses,
)

NOMINAL = np.array([0.9, 0.3, 0.5, 0.0])
NUMBERS = pd.Index([2, 4, 6, 1])
LOADS = [np.array([0, 1]), np.array([2])]


def test_uses_are_load_over_capacity_where_there_is_one():
    found = uses(np.array([[50.0, 20.0, 1.0]]), 30.0, np.array([[100.0, 0.0, -5.0]]))
    np.testing.assert_array_equal(found.base, [[0.5, np.nan, np.nan]])
    np.testing.assert_array_equal(found.total, [[0.8, np.nan, np.nan]])


def test_shares_of_each_feeder_add_up_to_one():
    nominal = spread_weights("nominal", NOMINAL, NUMBERS)
    found = shares_of(nominal, LOADS, ["A", "B"])
    np.testing.assert_allclose(found, [0.75, 0.25, 1.0, 0.0])
    equal = shares_of(spread_weights("equal", NOMINAL, NUMBERS), LOADS, ["A", "B"])
    np.testing.assert_allclose(equal, [0.5, 0.5, 1.0, 0.0])
    for weights in ({4: 2.0, 6: 1.0}, pd.Series({6: 1, 4: 3})):
        own = shares_of(spread_weights(weights, NOMINAL, NUMBERS), LOADS, ["A", "B"])
        np.testing.assert_array_equal(own, [0.0, 1.0, 1.0, 0.0])


@pytest.mark.parametrize(
    ("spread", "message"),
    [
        ("far", "must be 'nominal', 'equal' or weights by load; got 'far'"),
        (None, "must be 'nominal'"),
        ({5: 1.0}, "the net has no load 5"),
        ({4: -1.0}, "weights must be 0 or more"),
        ({4: np.nan}, "weights must be 0 or more"),
        ({4: 1.0}, "no weight above 0 at a load of 'B'"),
    ],
)
def test_wrong_spreads_are_told(spread, message):
    with pytest.raises(SettingsError, match=message):
        shares_of(spread_weights(spread, NOMINAL, NUMBERS), LOADS, ["A", "B"])


def test_injections_keep_the_power_of_the_feeders_and_their_power_factors():
    base, ev = np.array([[4.0, 1.0], [2.0, 0.0]]), np.array([[1.0, 3.0], [0.0, 2.0]])
    of = np.array([0, 0, 1, -1])
    b, e = np.array([0.75, 0.25, 1.0, 1.0]), np.array([0.0, 1.0, 1.0, 1.0])
    p, q = injections(of, b, e, base, ev, (0.8, 1.0))
    np.testing.assert_allclose(p[:2].sum(axis=0), base[0] + ev[0])
    np.testing.assert_allclose(p[2], base[1] + ev[1])
    np.testing.assert_allclose(p[0], 0.75 * base[0])
    assert not p[3].any() and not q[3].any()
    # Power factor 0.8 is 3, 4, 5; that of the EVs is 1 and adds nothing.
    np.testing.assert_allclose(q[:3].sum(axis=0), 0.75 * base.sum(axis=0))
    assert reactive(0.95) == pytest.approx(0.328684, abs=1e-6)


def test_growth_is_capacity_with_upgrade_over_capacity():
    given = scenario()
    ev = [[0.0, 0.0, 500.0, 0.0], [0.0, 0.0, 0.0, 10.0]]
    base, unmanaged = read_cases(named_solutions(solution(given, ev)))
    assert base.method == "base_load" and base.growth is None and base.within.all()
    np.testing.assert_allclose(base.uses.total[0], [0.5, 0.6, 0.7, 0.3])
    np.testing.assert_allclose(unmanaged.uses.ev[0], [0.0, 0.0, 0.5, 0.0])
    # The big feeder needs 200 kW on 1,000; the small one is at 390 of 400.
    np.testing.assert_allclose(unmanaged.growth, [[1.2] * 4, [1.0] * 4])
    assert unmanaged.within.tolist() == [False, True]


def test_a_load_at_the_capacity_is_within_it():
    given = scenario()
    ev = [[0.0, 0.0, 300.0 + 1e-7, 0.0], [0.0] * 4]
    _, case = read_cases(named_solutions(solution(given, ev)))
    assert case.within.all() and case.growth is None


def test_solutions_are_named_by_method_or_label():
    given = scenario()
    one, two = (solution(given, np.zeros((2, 4)), m) for m in ("mac", "unmanaged"))
    assert list(named_solutions(one)) == ["mac"]
    assert list(named_solutions([one, two, one])) == ["mac", "unmanaged", "mac 2"]
    assert list(named_solutions({"today": two})) == ["today"]


def test_wrong_solutions_are_told():
    given = scenario()
    good = solution(given, np.zeros((2, 4)))
    other = solution(scenario(capacity=(900.0, 400.0)), np.zeros((2, 4)))
    for wrong in ([], None, [good, 3], "mac", {}):
        with pytest.raises(SettingsError, match="check takes a Solution, a list"):
            named_solutions(wrong)
    with pytest.raises(SettingsError, match="of different scenarios"):
        named_solutions([good, other])
    with pytest.raises(SettingsError, match="'base_load' is the load without EVs"):
        named_solutions({"base_load": good})
    empty = type(good)(scenario=given, plan=None, status="infeasible")
    with pytest.raises(SolutionError, match="'infeasible' has no schedule"):
        named_solutions([good, empty])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"worst": 0}, "worst must be a whole number from 1; got 0"),
        ({"worst": 1.5}, "worst must be"),
        ({"power_factor": 0}, "power_factor must be a number above 0 and at most 1"),
        ({"power_factor": 1.01}, "power_factor must be"),
        ({"ev_power_factor": "high"}, "ev_power_factor must be"),
        ({"ev_power_factor": np.nan}, "ev_power_factor must be"),
        ({"planning_share": -1}, "planning_share must be"),
        ({"others": np.inf}, "others must be"),
        ({"reinforce": "tail"}, "reinforce must be one of head, feeder, none"),
        ({"busbar_pu": 20.4}, "busbar_pu must be"),
        ({"progress": 3}, "progress must be True"),
        ({"feeders": ["x"]}, "feeders: x: not in the feeders table"),
        ({"slots": [9]}, "slots: 9"),
    ],
)
def test_wrong_settings_are_told_before_anything_is_loaded(setting, message):
    good = solution(scenario(), np.zeros((2, 4)))
    with pytest.raises(SettingsError, match=message):
        check(good, net="no such grid", **setting)
