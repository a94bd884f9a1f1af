"""Robust dynamic tariffs on a coupled transport and distribution network.

    case = macjax.tariffs.Case.read("configs/tariff_case.toml")
    operator = macjax.tariffs.solve_operator(case, gamma=1.0)
    aggregators = macjax.tariffs.solve_aggregators(case, operator)
    macjax.tariffs.equivalence(case, operator, aggregators).max_power_difference_kw

EVs move through a road network and charge or discharge at stations that hang on a
radial distribution network with uncertain load, PV and wind. An operator plans them at
least cost within limits that hold for every point of the uncertainty; the duals of the
limits are tariffs, under which every aggregator, knowing no limit, plans the same.

The model is that of the article "Congestion management in distribution networks with
electric vehicles under uncertainty" (2025) where that is consistent; each module says
where it departs from it and why. Needs the extra `tariffs` (clarabel, scipy).
"""

from macjax.tariffs.aggregators import Aggregators as Aggregators
from macjax.tariffs.aggregators import solve_aggregators as solve_aggregators
from macjax.tariffs.batch import evaluate as evaluate
from macjax.tariffs.batch import sample_violations as sample_violations
from macjax.tariffs.case import Case as Case
from macjax.tariffs.equivalence import Equivalence as Equivalence
from macjax.tariffs.equivalence import equivalence as equivalence
from macjax.tariffs.figures import cost_of_gamma as cost_of_gamma
from macjax.tariffs.figures import grid_map as grid_map
from macjax.tariffs.figures import line_loads as line_loads
from macjax.tariffs.figures import queues as queues
from macjax.tariffs.figures import road_map as road_map
from macjax.tariffs.figures import tariff_curves as tariff_curves
from macjax.tariffs.operator import Operator as Operator
from macjax.tariffs.operator import solve_operator as solve_operator
from macjax.tariffs.pandapower_grid import (
    grid_from_pandapower as grid_from_pandapower,
)
from macjax.tariffs.posting import posted_prices as posted_prices
from macjax.tariffs.study import GammaStudy as GammaStudy
from macjax.tariffs.study import Search as Search
from macjax.tariffs.study import gamma_study as gamma_study
from macjax.tariffs.study import published_hours as published_hours
from macjax.tariffs.study import search as search
