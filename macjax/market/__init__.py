"""Vehicles that pay prices: best responses, equilibrium, protocols that find prices."""

from macjax.market.best_response import best_response
from macjax.market.own_cost import OwnCost

__all__ = ["OwnCost", "best_response"]
