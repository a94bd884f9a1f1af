"""The records users write: values by hand, sums, costs by feeder, JSON, errors."""

import dataclasses
import json
import pickle

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from feeder_cases import FakeScenario

from macjax._errors import SettingsError
from macjax.objectives import (
    EnergyCost,
    FeederCapacity,
    Objective,
    OverloadEnergy,
    PeakOverload,
    Smoothing,
    SquaredOverload,
    Sum,
    feeder_terms,
    objective_from_dict,
    value,
)


class OneFeeder(FakeScenario):
    """The feeder of the docstrings: headroom 10 kW, three slots of half an hour."""

    def __init__(self):
        super().__init__(["A"], slots=3, slot_minutes=30)

    def capacity_base(self):
        return np.full((1, 3), 40.0), np.full((1, 3), 30.0)


LOAD = np.array([[12.0, 15.0, 9.0]])
BY_HAND = [
    (PeakOverload(300), 1500.0),
    (PeakOverload(), 500.0),
    (OverloadEnergy(2), 7.0),
    (SquaredOverload(2), 14.5),
    (EnergyCost(0.2), 3.6),
    (EnergyCost(-0.2), -3.6),
    (FeederCapacity(), np.inf),
    (Smoothing(0.01), 0.0),
    (PeakOverload(300) + EnergyCost(0.2), 1503.6),
    (FeederCapacity() + EnergyCost(0.2), np.inf),
    (
        PeakOverload() + OverloadEnergy() + EnergyCost(0.1) + Smoothing(1e-3),
        500 + 3.5 + 1.8,
    ),
]


@pytest.mark.parametrize("objective, expected", BY_HAND)
def test_values_of_the_docstrings(objective, expected):
    found = value(objective.terms(OneFeeder()), jnp.asarray(LOAD))
    assert float(found[0]) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("top, expected", [(10.03, 0.0), (10.05, np.inf)])
def test_capacity_holds_within_a_thousandth(top, expected):
    load = jnp.array([[top, 9.0, 9.0]])
    assert value(FeederCapacity().terms(OneFeeder()), load)[0] == expected


def test_small_capacity_has_the_tolerance_of_one_kilowatt():
    scenario = FakeScenario(["A", "B"])
    capacity, _ = scenario.capacity_base()
    data = feeder_terms(FeederCapacity(), scenario)
    assert (capacity < 1).any()
    np.testing.assert_array_equal(data.tolerance, 1e-3 * np.maximum(1, capacity))


def test_coefficients_of_each_objective():
    scenario = FakeScenario(["A", "B", "C"], slot_minutes=15)
    capacity, base = scenario.capacity_base()
    data = feeder_terms(
        PeakOverload()
        + OverloadEnergy({"A": 1, "B": 2, "C": 3})
        + SquaredOverload(pd.Series([4.0, 5.0, 6.0], ["C", "B", "A"]))
        + EnergyCost(0.5)
        + Smoothing(0.1)
        + Smoothing(0.2),
        scenario,
    )
    np.testing.assert_array_equal(data.kappa, [100, 200, 300])
    np.testing.assert_array_equal(data.linear, [0.25, 0.5, 0.75])
    np.testing.assert_array_equal(data.quadratic, [1.5, 1.25, 1.0])
    np.testing.assert_array_equal(data.energy, np.full((3, 24), 0.125))
    np.testing.assert_array_equal(data.headroom, capacity - base)
    assert not data.hard.any()
    assert data.epsilon == pytest.approx(0.3)
    assert all(a.dtype == np.float64 for a in data[:3] + data[4:7])


def test_sum_of_two_peaks_is_the_peak_of_the_costs():
    scenario = FakeScenario(["A", "B"])
    both = feeder_terms(PeakOverload(2) + PeakOverload({"A": 1, "B": 5}), scenario)
    np.testing.assert_array_equal(both.kappa, [3, 7])


def test_sums_are_flat_and_in_order():
    a, b, c = PeakOverload(), EnergyCost(0.1), Smoothing(1.0)
    assert (a + b) + c == a + (b + c) == sum([a, b, c]) == Sum((a, b, c))
    assert ((a + b) + c).parts == (a, b, c)


def test_integer_ids_and_costs_by_feeder():
    scenario = FakeScenario([7, 2**60])
    cost = pd.Series([1.0, 2.0], index=[2**60, 7])
    data = feeder_terms(PeakOverload(cost), scenario)
    np.testing.assert_array_equal(data.kappa, [2, 1])


def test_scenario_arrays_are_not_changed():
    scenario = FakeScenario(["A"])
    before = [a.copy() for a in scenario.capacity_base()]
    feeder_terms(PeakOverload() + EnergyCost(1.0) + FeederCapacity(), scenario)
    for a, b in zip(before, scenario.capacity_base(), strict=True):
        np.testing.assert_array_equal(a, b)


HOURLY = pd.DataFrame({"hour": range(24), "price": np.linspace(0.1, 0.3, 24)})
TIMED = pd.DataFrame(
    {
        "feeder_id": ["A", "A", "B", "B"],
        "time": pd.to_datetime(
            ["2026-03-02T07:00+01:00", "2026-03-02T08:00+01:00"] * 2
        ),
        "price": [0.1, 0.2, 1 / 3, -0.4],
    }
)
EXAMPLES = [objective for objective, _ in BY_HAND] + [
    PeakOverload({"A": 1.5, "B": 2}),
    OverloadEnergy({1: 1.5, 2**60: 2}),
    EnergyCost(HOURLY),
    EnergyCost(TIMED),
    PeakOverload(pd.Series({"A": 1.0})) + EnergyCost(TIMED) + Smoothing(0),
]


@pytest.mark.parametrize("objective", EXAMPLES, ids=str)
def test_json_round_trip(objective):
    text = json.dumps(objective.to_dict(), allow_nan=False)
    again = objective_from_dict(json.loads(text))
    assert again == objective
    assert type(again) is type(objective)
    assert again.to_dict() == objective.to_dict()


@pytest.mark.parametrize("objective", EXAMPLES, ids=str)
def test_pickle_round_trip_and_short_text(objective):
    assert pickle.loads(pickle.dumps(objective)) == objective
    assert len(repr(objective)) < 200


def test_different_objectives_differ():
    kinds = [PeakOverload(), PeakOverload(1), OverloadEnergy(), EnergyCost(1.0)]
    kinds += [EnergyCost(2.0), EnergyCost(HOURLY), EnergyCost(TIMED), Smoothing(1.0)]
    for i, one in enumerate(kinds):
        for j, other in enumerate(kinds):
            assert (one == other) == (i == j)


def test_records_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PeakOverload().cost = 3.0  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf"), "3", True, [1.0]])
@pytest.mark.parametrize(
    "kind, key",
    [
        (PeakOverload, "cost"),
        (OverloadEnergy, "cost"),
        (SquaredOverload, "cost"),
        (Smoothing, "epsilon"),
    ],
)
def test_wrong_numbers_name_the_setting(kind, key, bad):
    with pytest.raises(SettingsError, match=f"{kind.__name__}.{key}"):
        kind(bad)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "0.2", None, True])
def test_wrong_price(bad):
    with pytest.raises(SettingsError, match="EnergyCost.prices"):
        EnergyCost(bad)


@pytest.mark.parametrize("bad", [-1, float("nan"), None])
def test_wrong_cost_of_a_feeder_names_it(bad):
    with pytest.raises(SettingsError, match="PeakOverload.cost of feeder B"):
        PeakOverload({"A": 1, "B": bad})


@pytest.mark.parametrize("kind", [OverloadEnergy, SquaredOverload])
def test_only_the_peak_has_a_cost_in_the_feeders_table(kind):
    with pytest.raises(SettingsError, match="must be a number"):
        kind(None)


@pytest.mark.parametrize(
    "cost, words",
    [
        ({"A": 1}, ["no value for 1 feeder \\(B\\)"]),
        ({"A": 1, "B": 1, "X": 1}, ["1 feeder \\(X\\) not in the feeders table"]),
        ({"A": 1, "b": 1}, ["no value for 1 feeder", "\\(b\\) not in"]),
        ({1: 1, 2: 1}, ["feeder_id is str in the scenario and int here"]),
        ({}, ["no value for 2 feeders \\(A, B\\)"]),
    ],
)
def test_costs_by_feeder_must_fit_the_scenario(cost, words):
    with pytest.raises(SettingsError) as error:
        feeder_terms(PeakOverload(cost), FakeScenario(["A", "B"]))
    for word in words:
        assert error.match(word)


def test_repeated_feeder_in_a_series():
    with pytest.raises(SettingsError, match="twice"):
        PeakOverload(pd.Series([1.0, 2.0], ["A", "A"]))


@pytest.mark.parametrize("bad", [None, "PeakOverload", 3, PeakOverload])
def test_only_objectives_are_tabulated(bad):
    with pytest.raises(SettingsError, match="objective"):
        feeder_terms(bad, FakeScenario(["A"]))


def test_sum_takes_objectives_only():
    with pytest.raises(TypeError):
        PeakOverload() + 3
    with pytest.raises(SettingsError, match="every part"):
        Sum((PeakOverload(), 3))  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingsError, match="at least one"):
        Sum(())


@pytest.mark.parametrize(
    "record, words",
    [
        ({}, "type"),
        ("PeakOverload", "type"),
        ({"type": "PeakOverlaod"}, "did you mean 'PeakOverload'"),
        ({"type": "PeakOverload", "costs": 1}, "did you mean 'cost'"),
        ({"type": "PeakOverload", "cost": -1}, "PeakOverload.cost"),
        ({"type": "Smoothing"}, "Smoothing: .*epsilon"),
        ({"type": "FeederCapacity", "cost": 1}, "unknown key 'cost'"),
        ({"type": "Sum", "parts": [{"type": "None"}]}, "unknown type"),
        ({"type": "Sum", "parts": 3}, "Sum"),
        ({"type": "PeakOverload", "cost": {"by_feeder": 3}}, "PeakOverload"),
        ({"type": "PeakOverload", "cost": {"by_feeder": [["A"]]}}, "PeakOverload"),
        ({"type": "EnergyCost", "prices": {"columns": {"price": 3}}}, "EnergyCost"),
        (
            {"type": "EnergyCost", "prices": {"columns": {"price": [1], "hour": []}}},
            "EnergyCost",
        ),
    ],
)
def test_wrong_records_are_settings_errors(record, words):
    with pytest.raises(SettingsError, match=words):
        objective_from_dict(record)


def test_every_objective_is_one():
    for objective, _ in BY_HAND:
        assert isinstance(objective, Objective)
