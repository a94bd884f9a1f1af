"""Cost of generation as a function of total demand.

c is increasing, strictly convex and differentiable; [currency/h] at a demand x [kW], so
that the marginal cost c'(x), which is the price, is currency per kWh. Three kinds:

    polynomial   c(x) = sum_i c_i x^i
    piecewise    c' straight between given points, so that c is piecewise quadratic
    function     any function that JAX can differentiate

Whether c is increasing and convex is checked on the range that demand can take: exactly
for the first two, at samples for a function.
"""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from macjax._errors import DataError, Fault

SAMPLES = 4097
AFFINE = 1e-9  # relative change of c'' below which marginal cost counts as affine


class GenerationCost(eqx.Module):
    """Cost c of generation; made by `polynomial`, `piecewise` or `function`."""

    @staticmethod
    def polynomial(coefficients) -> "GenerationCost":
        """c(x) = sum_i c_i x^i.

        Arguments:
            coefficients: c_0, c_1, c_2, ..., lowest power first; x in kW.
        """
        return PolynomialCost(_column("coefficients", coefficients, at_least=3))

    @staticmethod
    def piecewise(demand_kw, marginal, value: float = 0.0) -> "GenerationCost":
        """Marginal cost through points, straight between them and beyond them.

        Arguments:
            demand_kw: increasing demands [kW].
            marginal: c' at these demands, increasing [currency/kWh].
            value: c at the first of them [currency/h].
        """
        demand = _column("demand_kw", demand_kw, at_least=2)
        price = _column("marginal", marginal, at_least=2)
        if len(demand) != len(price):
            rule = f"has {len(price)} entries, demand_kw has {len(demand)}"
            raise DataError([Fault("cost", "marginal", rule)])
        for name, values in (("demand_kw", demand), ("marginal", price)):
            falls = np.flatnonzero(np.diff(values) <= 0)
            if len(falls):
                rule = "must increase from point to point"
                ids = tuple(f"point {i + 1}" for i in falls)
                raise DataError([Fault("cost", name, rule, len(falls), ids)])
        slope = np.diff(price) / np.diff(demand)
        steps = np.diff(demand)
        areas = steps * (price[:-1] + 0.5 * slope * steps)
        start = float(value) + np.concatenate([[0.0], np.cumsum(areas)[:-1]])
        return PiecewiseCost(demand[:-1], price[:-1], slope, start)

    @staticmethod
    def function(cost: Callable) -> "GenerationCost":
        """Any cost that JAX can differentiate.

        Arguments:
            cost: a function of one number, the demand [kW], to c [currency/h]; JAX
                differentiates it twice.
        """
        if not callable(cost):
            rule = f"must be a function of one number, not {type(cost).__name__}"
            raise DataError([Fault("cost", "function", rule)])
        return FunctionCost(cost)

    @abc.abstractmethod
    def value(self, demand: Float[Array, "*s"]) -> Float[Array, "*s"]:
        """c at demands [currency/h].

        Arguments:
            demand: demands [kW], of any shape; the result has the same.
        """

    @abc.abstractmethod
    def marginal(self, demand: Float[Array, "*s"]) -> Float[Array, "*s"]:
        """c' at demands [currency/kWh].

        Arguments:
            demand: demands [kW], of any shape; the result has the same.
        """

    @abc.abstractmethod
    def curvature(self, demand: Float[Array, "*s"]) -> Float[Array, "*s"]:
        """c'' at demands [currency/(kW kWh)].

        Arguments:
            demand: demands [kW], of any shape; the result has the same.
        """

    @abc.abstractmethod
    def probes(self, low: float, high: float) -> np.ndarray:
        """Demands of a range at which c'' takes its least and its largest value [kW].

        Arguments:
            low, high: ends of the range [kW].
        """

    def curvature_range(self, low: float, high: float) -> tuple[float, float]:
        """Least and largest c'' between two demands [currency/(kW kWh)].

        Arguments:
            low, high: the demands [kW].

        Raises:
            DataError: c is not increasing or not strictly convex there.
        """
        demand = self.probes(low, high)
        with jax.enable_x64(True):
            marginal, bend = _evaluated(self, demand)
        faults = []
        _check(faults, demand, ~np.isfinite(marginal + bend), "must be finite")
        _check(faults, demand, marginal < 0, "must be increasing: c' < 0")
        _check(faults, demand, bend < 0, "must be convex: c'' < 0")
        if not faults and not marginal[-1] > marginal[0]:
            rule = "must be strictly convex: c'' = 0 (zero curvature)"
            faults.append(Fault("cost", "marginal", rule))
        if not faults and bend.max() > 0:
            flat = (np.diff(marginal) <= 0) & (np.diff(demand) > 1e-9 * abs(high))
            rule = "must be strictly convex: c' does not increase"
            _check(faults, demand[:-1], flat, rule)
        if faults:
            raise DataError(faults, title="wrong generation cost")
        return float(bend.min()), float(bend.max())


class PolynomialCost(GenerationCost):
    """c(x) = sum_i c_i x^i."""

    coefficients: np.ndarray

    def value(self, demand):
        """c at demands."""
        return _polynomial(self.coefficients, 0, demand)

    def marginal(self, demand):
        """c' at demands."""
        return _polynomial(self.coefficients, 1, demand)

    def curvature(self, demand):
        """c'' at demands."""
        return _polynomial(self.coefficients, 2, demand)

    def probes(self, low, high):
        """The ends, where c''' is zero, and points between."""
        bend = np.polynomial.Polynomial(self.coefficients).deriv(3)
        roots = bend.roots() if bend.degree() else np.zeros(0)
        inside = roots.real[(np.abs(roots.imag) < 1e-9) & (roots.real > low)]
        return np.unique([*np.linspace(low, high, 65), *inside[inside < high]])


class PiecewiseCost(GenerationCost):
    """c' straight between points; a piece starts at `demand` with c and c'."""

    demand: np.ndarray
    price: np.ndarray
    slope: np.ndarray
    start: np.ndarray

    def _piece(self, demand):
        piece = jnp.searchsorted(jnp.asarray(self.demand), demand, side="right") - 1
        piece = jnp.maximum(piece, 0)
        take = [jnp.asarray(x)[piece] for x in (self.price, self.slope, self.start)]
        return demand - jnp.asarray(self.demand)[piece], *take

    def value(self, demand):
        """c at demands."""
        past, price, slope, start = self._piece(demand)
        return start + past * (price + 0.5 * slope * past)

    def marginal(self, demand):
        """c' at demands."""
        past, price, slope, _ = self._piece(demand)
        return price + slope * past

    def curvature(self, demand):
        """c'' at demands, of the piece that begins there at a kink."""
        return self._piece(demand)[2]

    def probes(self, low, high):
        """The ends and the kinks between them."""
        inside = self.demand[(self.demand > low) & (self.demand < high)]
        return np.unique([low, *inside, high])


class FunctionCost(GenerationCost):
    """c as a function that JAX differentiates."""

    cost: Callable = eqx.field(static=True)

    def value(self, demand):
        """c at demands."""
        return _each(self.cost, demand)

    def marginal(self, demand):
        """c' at demands."""
        return _each(jax.grad(self.cost), demand)

    def curvature(self, demand):
        """c'' at demands."""
        return _each(jax.grad(jax.grad(self.cost)), demand)

    def probes(self, low, high):
        """Samples of the range."""
        return np.unique(np.linspace(low, high, SAMPLES))


def is_affine(least: float, largest: float) -> bool:
    """Whether marginal cost with c'' in this range is a straight line."""
    return largest - least <= AFFINE * largest


def _each(function: Callable, demand):
    """A function of one number, at every entry."""
    return jax.vmap(function)(demand.ravel()).reshape(demand.shape)


def _polynomial(coefficients, order: int, demand):
    """Derivative of a polynomial by Horner's rule."""
    total = jnp.zeros_like(demand)
    for power in range(coefficients.shape[-1] - 1, order - 1, -1):
        factor = float(np.prod(np.arange(power - order + 1, power + 1)))
        total = total * demand + factor * coefficients[power]
    return total


def _evaluated(cost: GenerationCost, demand: np.ndarray) -> tuple[Any, Any]:
    """c' and c'' at demands, or a DataError that says why they cannot be had."""
    points = jnp.asarray(demand, jnp.float64)
    try:
        found = np.asarray(cost.marginal(points)), np.asarray(cost.curvature(points))
    except Exception as error:
        if not isinstance(cost, FunctionCost):
            raise
        rule = f"cannot be differentiated by JAX ({type(error).__name__}: {error})"
        raise DataError([Fault("cost", "function", rule[:300])]) from error
    return found


def _check(faults: list, demand: np.ndarray, wrong: np.ndarray, rule: str) -> None:
    """Add a fault that names the demands where `wrong` is true."""
    if wrong.any():
        where = tuple(f"{x:g} kW" for x in demand[wrong][:10])
        faults.append(Fault("cost", "c", rule, int(wrong.sum()), where))


def _column(name: str, values, at_least: int) -> np.ndarray:
    """Finite numbers in a row."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        rule = f"must be numbers, not {values!r}"
        raise DataError([Fault("cost", name, rule)]) from None
    if array.ndim != 1 or len(array) < at_least or not np.isfinite(array).all():
        rule = f"must be at least {at_least} finite numbers, not {values!r}"
        if name == "coefficients":
            rule += " (c_0, c_1, c_2, ...: with fewer, c'' = 0, zero curvature)"
        raise DataError([Fault("cost", name, rule)])
    return array
