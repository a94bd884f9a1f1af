"""Mobility-aware coordinated EV charging, solved as tensors and certified.

    scenario = macjax.example()
    solution = macjax.solve(scenario)
    print(solution.summary())

SOC means state of charge here.
"""

from macjax import baselines as baselines
from macjax._errors import CheckpointError as CheckpointError
from macjax._errors import DataError as DataError
from macjax._errors import MacjaxError as MacjaxError
from macjax._errors import SettingsError as SettingsError
from macjax._errors import SolutionError as SolutionError
from macjax._status import Status as Status
from macjax._version import __version__ as __version__
from macjax.certificate import Certificate as Certificate
from macjax.certificate import certify as certify
from macjax.driver import solve as solve
from macjax.examples import example as example
from macjax.examples import example_assumptions as example_assumptions
from macjax.objectives import EnergyCost as EnergyCost
from macjax.objectives import FeederCapacity as FeederCapacity
from macjax.objectives import OverloadEnergy as OverloadEnergy
from macjax.objectives import PeakOverload as PeakOverload
from macjax.objectives import Smoothing as Smoothing
from macjax.objectives import SquaredOverload as SquaredOverload
from macjax.results import Solution as Solution
from macjax.results import compare as compare
from macjax.scenario import Scenario as Scenario
