"""Vehicles that pay prices: best responses, equilibrium, protocols that find prices."""

from macjax.market.best_response import best_response
from macjax.market.equilibrium import Equilibrium, equilibrium
from macjax.market.exchange import Exchange, exchange
from macjax.market.figures import exchange_figure
from macjax.market.own_cost import OwnCost

__all__ = [
    "Equilibrium",
    "Exchange",
    "OwnCost",
    "best_response",
    "equilibrium",
    "exchange",
    "exchange_figure",
]
