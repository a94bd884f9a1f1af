"""What goes into price coordination is checked, and told by name."""

import numpy as np
import pytest
from markets import BASE, COST, reference

import macjax
from macjax.coordination import Cells

GOOD = {"energy_kwh": 20.0, "benefit": 0.03, "quadratic": 0.003, "linear": 0.11}
MANY = {"energy_kwh": np.full(20, 20.0)}
BETA = [1e-9, 3.7e-10, 2e-10, 2.5e-9, 1e-11, 1e-11, 1e-12]


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize(
    "name",
    ["energy_kwh", "benefit", "quadratic", "linear", "count", "demand_quadratic"]
    + ["demand_linear"],
)
def test_numbers_that_are_wrong_are_told_by_class(name, value):
    column = np.full(20, 1.0)
    column[[3, 5]] = value
    with pytest.raises(macjax.DataError) as error:
        macjax.PriceTakers(**GOOD | MANY | {name: column})
    fault = error.value.fault_list[0]
    assert (fault.column, fault.count, fault.ids) == (name, 2, ("class 3", "class 5"))


@pytest.mark.parametrize("name", ["benefit", "count"])
def test_zero_where_it_means_nothing(name):
    with pytest.raises(macjax.DataError, match=f"{name}.*> 0"):
        macjax.PriceTakers(**GOOD | {name: 0.0})


def test_no_curvature_is_refused():
    with pytest.raises(macjax.DataError, match="zero curvature.*3 rows.*class 1"):
        column = np.array([0.1, 0, 0, 0.2, 0])
        macjax.PriceTakers(**GOOD | {"quadratic": column})
    takers = macjax.PriceTakers(**GOOD | {"quadratic": 0.0, "demand_quadratic": 0.01})
    assert takers.curvature == 0.01


def test_demand_charge_adds_to_degradation():
    run = macjax.coordinate(reference(), tolerance=1e-10)
    split = reference(
        quadratic=0.001, demand_quadratic=0.002, linear=0.1, demand_linear=0.01
    )
    split = macjax.coordinate(split, tolerance=1e-10)
    np.testing.assert_allclose(split.price, run.price, rtol=1e-12)
    assert split.objective == pytest.approx(run.objective, rel=1e-13)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"benefit": [0.1, 0.2]}, "takers.benefit: has 2 entries where others have 20"),
        ({"benefit": np.ones((20, 2))}, "scalar or have shape"),
        ({"benefit": "much"}, "must be a number or an array"),
        ({"energy_kwh": []}, "at least one class"),
        ({"limit_kw": -1.0}, "limit_kw: must be >= 0"),
        ({"limit_kw": np.nan}, "limit_kw: must be >= 0"),
        ({"available": np.ones((3, 24))}, "available: must have shape"),
        ({"available": np.full(24, 0.5)}, "must be true or false"),
        ({"available": ["yes"] * 24}, "must be true or false"),
    ],
)
def test_shapes_that_do_not_fit(changes, message):
    with pytest.raises(macjax.DataError, match=message):
        macjax.PriceTakers(**GOOD | MANY | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_demand_kw": [1.0, np.nan]}, r"base_demand_kw: must be finite.*slot 1"),
        ({"base_demand_kw": []}, "must have shape"),
        ({"base_demand_kw": [[1.0]]}, "must have shape"),
        ({"base_demand_kw": ["a"]}, "must be numbers"),
        ({"slot_hours": 0}, "slot_hours: must be hours > 0"),
        ({"slot_hours": np.nan}, "slot_hours: must be hours > 0"),
        ({"takers": 5}, "takers: must be PriceTakers"),
        ({"cost": 5.0}, "must be a function of one number"),
        ({"cost": lambda x: -(x**2)}, "must be convex"),
        ({"cost": lambda x: 0.1 * x}, "zero curvature"),
        ({"cost": lambda x: (x - 1e5) ** 2}, "must be increasing"),
        ({"cost": lambda x: float(x)}, "cannot be differentiated by JAX"),
        ({"cost": lambda x: np.sqrt(x)}, "cannot be differentiated by JAX"),
        (
            {"cost": macjax.GenerationCost.polynomial([0, 0.1, -1e-7])},
            r"cost\.c: must be convex.*65 rows",
        ),
        (
            {"cost": macjax.GenerationCost.polynomial([0, 0.1, 0.0])},
            "zero curvature",
        ),
        (
            # Convex at both ends, not between.
            {"cost": macjax.GenerationCost.polynomial([0, 9.0, 1e-4, -1.6e-9, 8e-15])},
            "must be convex",
        ),
    ],
)
def test_problems_that_are_none(changes, message):
    parts = {"takers": reference().takers, "base_demand_kw": BASE, "cost": COST}
    with pytest.raises(macjax.DataError, match=message):
        macjax.PriceProblem(**parts | changes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c: c.polynomial([0.0, 0.1]), "at least 3 finite numbers.*zero curv"),
        (lambda c: c.polynomial([0.0, 0.1, np.nan]), "finite numbers"),
        (lambda c: c.polynomial("abc"), "must be numbers"),
        (lambda c: c.piecewise([1, 2, 3], [0.1, 0.1, 0.2]), "must increase.*point 1"),
        (lambda c: c.piecewise([1, 3, 2], [0.1, 0.2, 0.3]), "must increase.*point 2"),
        (lambda c: c.piecewise([1, 2, 3], [0.1, 0.2]), "has 2 entries"),
    ],
)
def test_costs_that_are_none(make, message):
    with pytest.raises(macjax.DataError, match=message):
        make(macjax.GenerationCost)


@pytest.mark.parametrize("step", [0, 2, -0.5, 2.5, np.nan, np.inf, "1", True])
def test_steps_outside_are_refused(step):
    with pytest.raises(
        macjax.SettingsError, match=r"step must be a number in \(0, 2\)"
    ):
        macjax.coordinate(reference(), step=step)
    with pytest.raises(macjax.SettingsError, match="step must be"):
        reference().contraction(step)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tolerance": 0}, "tolerance must be"),
        ({"tolerance": np.nan}, "tolerance must be"),
        ({"max_iterations": 0}, "max_iterations must be"),
        ({"max_iterations": 1.5}, "max_iterations must be"),
        ({"initial_price": np.nan}, "initial_price must be finite.*24 slots"),
        ({"initial_price": [0.1, 0.2]}, "initial_price must be a number or 24"),
        ({"dtype": "float16"}, "dtype must be"),
        ({"progress": 3}, "progress must be"),
    ],
)
def test_settings_that_are_none(settings, message):
    with pytest.raises(macjax.SettingsError, match=message):
        macjax.coordinate(reference(), **settings)
    with pytest.raises(macjax.SettingsError, match="must be a PriceProblem"):
        macjax.coordinate(None)


def test_battery_map_is_the_cost_of_the_cells():
    """M cells x price x volt x loss of 3600 s, at 1000 u / (M V) ampere."""
    cells, price, volt = 1500, 0.2, 3.3
    a, b, c = Cells(BETA, price, cells, volt).quadratic_cost()
    b1, b2, b3, b4, b5, b6, b7 = BETA
    for u in (0.0, 1.7, 11.0):
        amps = 1000 * u / (cells * volt)
        loss = b1 + b2 * amps + b3 * volt + b4 * amps**2 + b5 * volt**2
        loss += b6 * amps * volt + b7 * volt**3
        expected = cells * price * 3600 * volt * loss
        assert a * u**2 + b * u + c == pytest.approx(expected, rel=1e-13)


def test_takers_from_cells():
    pack = {"coefficients": BETA, "cells": [1500, 3000], "nominal_voltage": 3.3}
    takers = macjax.PriceTakers.from_cells(20, 0.03, cell_price=0.2, count=7, **pack)
    a, b, c = Cells(**pack, cell_price=0.2).quadratic_cost()
    np.testing.assert_array_equal(takers.quadratic, a)
    np.testing.assert_array_equal(takers.linear, np.broadcast_to(b, 2))
    np.testing.assert_array_equal(takers.constant, c)
    dearer = takers.with_cell_price(0.4)
    np.testing.assert_allclose(dearer.quadratic, 2 * takers.quadratic)
    problem = macjax.PriceProblem(takers, BASE, COST)
    run = macjax.coordinate(problem, tolerance=1e-10)
    free = macjax.PriceTakers(20, 0.03, quadratic=a, linear=b, count=7)
    bare = macjax.coordinate(macjax.PriceProblem(free, BASE, COST), tolerance=1e-10)
    # c changes no answer and counts in every slot.
    np.testing.assert_array_equal(run.charging, bare.charging)
    idle = 7 * 24 * c.sum()
    assert run.objective - bare.objective == pytest.approx(idle, rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell_price": -0.1}, "cell_price: must be finite and > 0"),
        ({"cells": 0}, "cells: must be finite and > 0"),
        ({"nominal_voltage": np.nan}, "nominal_voltage: must be finite and > 0"),
        ({"coefficients": BETA[:5]}, "shape \\(7,\\)"),
        ({"coefficients": "beta"}, "must be numbers"),
        ({"coefficients": [*BETA[:3], -1e-9, *BETA[4:]]}, "takers.quadratic: must be"),
        ({"coefficients": [*BETA[:3], 0.0, *BETA[4:]]}, "zero curvature"),
        ({"quadratic": 0.1}, "comes from the cells"),
    ],
)
def test_cells_that_are_none(changes, message):
    pack = {"coefficients": BETA, "cells": 1500, "nominal_voltage": 3.3}
    pack |= {"cell_price": 0.2} | changes
    with pytest.raises(macjax.DataError, match=message):
        macjax.PriceTakers.from_cells(20, 0.03, **pack)


def test_windows_of_other_slots_are_refused():
    takers = macjax.PriceTakers(**GOOD, available=np.ones(12, bool))
    with pytest.raises(macjax.DataError, match="has 12 slots, base_demand_kw has 24"):
        macjax.PriceProblem(takers, BASE, COST)


def test_piecewise_cost_is_the_integral_of_its_marginal_cost():
    cost = macjax.GenerationCost.piecewise([2e4, 3e4, 5e4], [0.05, 0.06, 0.16], value=7)
    problem = macjax.PriceProblem(reference().takers, BASE, cost)
    at = np.linspace(1.5e4, 7e4, 2001)
    marginal = problem.marginal_cost(at)
    np.testing.assert_allclose(marginal[at < 3e4], 0.05 + (at[at < 3e4] - 2e4) * 1e-6)
    np.testing.assert_allclose(marginal[at > 5e4], 0.16 + (at[at > 5e4] - 5e4) * 5e-6)
    value = problem.generation_cost(at)
    middle = 0.5 * (marginal[1:] + marginal[:-1]) * np.diff(at)
    np.testing.assert_allclose(np.diff(value), middle, rtol=1e-3)
    assert problem.generation_cost([2e4])[0] == 7
    assert problem.contraction().cost_curvature == pytest.approx(1e-6)
    assert problem.contraction().cost_lipschitz == pytest.approx(5e-6)
