"""What a planner reads out of solutions: money, proof, places, feeders.

    solutions = [macjax.baselines.unmanaged(scenario), macjax.solve(scenario)]
    planning.discrete_upgrades(solutions[1])     # standard transformers and their cost
    planning.certified_intervals(solutions)      # what is proved about the cost
    planning.flexibility_by_place(solutions)     # who gives the flexibility
    planning.feeder_quantiles(solutions)         # how the overload is spread
    planning.feeder_map(solutions[1])            # figures: ax= in, axes out

All of it is computed from the scenario and the plans of the solutions.
"""

from macjax.planning.feeders import feeder_quantiles as feeder_quantiles
from macjax.planning.feeders import feeder_table as feeder_table
from macjax.planning.figures import charging_profile as charging_profile
from macjax.planning.figures import cost_intervals as cost_intervals
from macjax.planning.figures import feeder_distribution as feeder_distribution
from macjax.planning.figures import flexibility as flexibility
from macjax.planning.intervals import certified_intervals as certified_intervals
from macjax.planning.maps import feeder_map as feeder_map
from macjax.planning.maps import placed_by as placed_by
from macjax.planning.places import charging_by_hour as charging_by_hour
from macjax.planning.places import flexibility_by_place as flexibility_by_place
from macjax.planning.places import says_place as says_place
from macjax.planning.transformers import POWER_FACTOR as POWER_FACTOR
from macjax.planning.transformers import check_purchase as check_purchase
from macjax.planning.transformers import check_ratings as check_ratings
from macjax.planning.transformers import discrete_upgrades as discrete_upgrades
from macjax.planning.transformers import unit_costs as unit_costs
