"""Sweeps: each run is the one that `coordinate` gives alone."""

import numpy as np
import pytest
from markets import BASE, COST, heterogeneous, reference

import macjax
from macjax.coordination import figures, sweep

CELLS = {
    "coefficients": [1e-9, 3.7e-10, 0.0, 2.5e-9, 0.0, 1e-11, 0.0],
    "cells": 2000,
    "nominal_voltage": 3.3,
}


def compare(found, i, alone):
    assert found.frame.loc[i, "iterations"] == alone.iterations
    assert bool(found.frame.loc[i, "converged"]) == alone.converged
    assert found.frame.loc[i, "objective"] == pytest.approx(alone.objective, rel=1e-12)
    np.testing.assert_allclose(found.price[i], alone.price, rtol=1e-9)
    np.testing.assert_allclose(found.ev_kw[i], alone.ev_kw, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.energy_kwh[i], alone.energy_kwh, rtol=1e-9)
    mine = found.history[found.history["run"] == i].drop(columns="run")
    both = mine["distance"].to_numpy(), alone.history["distance"].to_numpy()
    np.testing.assert_allclose(*both, rtol=1e-6, atol=1e-11)


def test_steps_of_one_problem():
    steps = [0.5, 1.0, 1.3, 1.4, None]
    found = sweep(reference(), {"step": steps}, initial_price=0.2, max_iterations=300)
    assert list(found.frame["converged"]) == [True, True, True, False, True]
    for i, step in enumerate(steps):
        alone = macjax.coordinate(
            reference(), step=step, initial_price=0.2, max_iterations=300
        )
        compare(found, i, alone)


def test_fixed_points_of_runs_that_oscillate():
    """All steps of one problem have the same fixed point, and it says how exactly."""
    cost = macjax.GenerationCost.polynomial([0, 0.06, 2.9e-6])
    problem = macjax.PriceProblem(reference().takers, BASE, cost)
    steps = [0.1, 0.3, 0.7, 1.2, 1.5, 1.9]
    found = sweep(problem, {"step": steps}, initial_price=0.2, max_iterations=200)
    assert list(found.frame["converged"]) == [True, True] + 4 * [False]
    apart = np.abs(found.fixed_point - found.fixed_point[0]).sum(axis=1)
    assert apart.max() < 1e-12
    assert found.frame["fixed_point_residual"].max() < 1e-12


def test_a_hundred_runs_are_one_call():
    benefit = np.linspace(0.02, 0.3, 100)
    found = sweep(heterogeneous(5), {"benefit": benefit}, tolerance=1e-9)
    assert len(found.frame) == 100 and found.frame["converged"].all()
    shares = found.frame["share_of_energy"].to_numpy()
    assert np.all(np.diff(shares) > 0) and shares[-1] > 0.95
    np.testing.assert_array_equal(found.frame["benefit"], benefit)
    for i in (0, 57, 99):
        takers = heterogeneous(5, benefit=benefit[i])
        compare(found, i, macjax.coordinate(takers, tolerance=1e-9))


def test_price_of_cells():
    takers = macjax.PriceTakers.from_cells(
        20, 0.05, cell_price=0.1, count=5000, **CELLS
    )
    problem = macjax.PriceProblem(takers, BASE, COST)
    prices = np.linspace(0.05, 0.4, 8)
    found = sweep(problem, {"cell_price": prices}, tolerance=1e-9)
    assert np.all(np.diff(found.frame["largest_kw"]) < 0)
    alone = macjax.PriceProblem(takers.with_cell_price(prices[3]), BASE, COST)
    compare(found, 3, macjax.coordinate(alone, tolerance=1e-9))


def test_combinations_and_values_by_class():
    problem = heterogeneous(3)
    found = sweep(problem, {"benefit": [0.05, 0.1], "step": [0.5, 0.8, 1.0]}, grid=True)
    assert list(found.frame["step"]) == [0.5, 0.8, 1.0] * 2
    assert list(found.frame["benefit"]) == [0.05] * 3 + [0.1] * 3
    energy = np.outer([1.0, 1.5], problem.takers.energy_kwh)
    base = np.outer([1.0, 1.1], BASE)
    found = sweep(problem, {"energy_kwh": energy, "base_demand_kw": base})
    alone = macjax.PriceProblem(
        heterogeneous(3, energy_kwh=energy[1]).takers, base[1], COST
    )
    compare(found, 1, macjax.coordinate(alone))


def test_costs_that_are_not_quadratic():
    bent = macjax.GenerationCost.polynomial([0.0, 0.03, 1e-7, 4e-12])
    problem = heterogeneous(4, cost=bent)
    found = sweep(problem, {"linear": [0.05, 0.1]}, tolerance=1e-8)
    alone = heterogeneous(4, cost=bent, linear=0.1)
    compare(found, 1, macjax.coordinate(alone, tolerance=1e-8))


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({}, "must map names"),
        ({"benefits": [1]}, "did you mean 'benefit'"),
        ({"benefit": [0.1, 0.2], "linear": [0.1]}, "equally many"),
        ({"step": [0.5, 2.0]}, r"\(0, 2\)"),
        ({"benefit": []}, "has no values"),
        ({"benefit": 0.1}, "must be a list or an array"),
        ({"step": None}, "must be a list or an array"),
    ],
)
def test_wrong_sweeps_are_refused(over, message):
    with pytest.raises(macjax.SettingsError, match=message):
        sweep(reference(), over)


def test_wrong_values_name_what_is_wrong():
    with pytest.raises(
        macjax.DataError, match="takers.benefit: must be finite and > 0"
    ):
        sweep(reference(), {"benefit": [0.1, -0.1]})
    with pytest.raises(macjax.DataError, match="from_cells"):
        sweep(reference(), {"cell_price": [0.1]})


def test_figures_show_the_runs():
    from matplotlib import pyplot

    run = macjax.coordinate(reference(), step=0.5, initial_price=0.2)
    for quantity in ("price", "demand"):
        ax = figures.iterations(run, quantity)
        last = ax.get_lines()[8 if quantity == "price" else -2].get_ydata()
        table = run.prices if quantity == "price" else BASE + run.demands
        np.testing.assert_allclose(last[:-1], table[-1])
    with pytest.raises(macjax.SettingsError, match="unknown quantity"):
        figures.iterations(run, "prices")
    found = sweep(reference(), {"step": [0.5, 1.3, 1.4]}, max_iterations=50)
    ax = figures.distances(found, reference().contraction())
    assert [line.get_linestyle() for line in ax.get_lines()] == ["-", "-", "--"]
    assert "1.348" in ax.get_title(loc="left")
    found = sweep(reference(), {"benefit": [0.05, 0.1]})
    ax = figures.parameter(found, "benefit", "peak_kw")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("benefit", "peak_kw [kW]")
    ax = figures.parameter(found, "benefit", "price_max")
    assert ax.get_ylabel() == "price_max [currency/kWh]"
    assert len(figures.demands(found, "benefit", BASE).get_lines()) == 3
    with pytest.raises(macjax.SettingsError, match="unknown column"):
        figures.parameter(found, "benefits")
    with pytest.raises(macjax.SettingsError, match="must have 24 values"):
        figures.demands(found, "benefit", BASE[:3])
    pyplot.close("all")
