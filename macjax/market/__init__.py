"""Vehicles that pay prices: best responses, equilibrium, protocols that find prices."""

from macjax.market.best_response import best_response
from macjax.market.equilibrium import Equilibrium, equilibrium
from macjax.market.own_cost import OwnCost

__all__ = ["Equilibrium", "OwnCost", "best_response", "equilibrium"]
