"""Robust dynamic tariffs."""

from macjax.tariffs.aggregators import solve_aggregators as solve_aggregators
from macjax.tariffs.case import Case as Case
from macjax.tariffs.operator import solve_operator as solve_operator
