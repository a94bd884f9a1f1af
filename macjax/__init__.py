"""Mobility-aware coordinated EV charging, solved as tensors and certified.

    scenario = macjax.example()
    solution = macjax.solve(scenario)
    print(solution.summary())

SOC means state of charge here. What is named here is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING

from macjax._errors import CheckpointError as CheckpointError
from macjax._errors import CheckpointWarning as CheckpointWarning
from macjax._errors import DataError as DataError
from macjax._errors import InfeasibleVehicles as InfeasibleVehicles
from macjax._errors import KernelWarning as KernelWarning
from macjax._errors import MacjaxError as MacjaxError
from macjax._errors import MemoryShortError as MemoryShortError
from macjax._errors import MemoryShortWarning as MemoryShortWarning
from macjax._errors import ProcessError as ProcessError
from macjax._errors import RegionWarning as RegionWarning
from macjax._errors import SettingsError as SettingsError
from macjax._errors import SolutionError as SolutionError
from macjax._status import Status as Status
from macjax._version import __version__ as __version__

if TYPE_CHECKING:
    from macjax import baselines as baselines
    from macjax import coordination as coordination
    from macjax import importers as importers
    from macjax import interchange as interchange
    from macjax import market as market
    from macjax import objectives as objectives
    from macjax import planning as planning
    from macjax import plots as plots
    from macjax import powerflow as powerflow
    from macjax import regions as regions
    from macjax import studies as studies
    from macjax import synthetic as synthetic
    from macjax import tariffs as tariffs
    from macjax._program import use_all_cores as use_all_cores
    from macjax.certificate import Certificate as Certificate
    from macjax.certificate import certify as certify
    from macjax.coordination import GenerationCost as GenerationCost
    from macjax.coordination import PriceProblem as PriceProblem
    from macjax.coordination import PriceTakers as PriceTakers
    from macjax.coordination import coordinate as coordinate
    from macjax.driver import read_part as read_part
    from macjax.driver import resume as resume
    from macjax.driver import solve as solve
    from macjax.examples import example as example
    from macjax.examples import example_assumptions as example_assumptions
    from macjax.market import OwnCost as OwnCost
    from macjax.market import best_response as best_response
    from macjax.market import equilibrium as equilibrium
    from macjax.market import exchange as exchange
    from macjax.objectives import EnergyCost as EnergyCost
    from macjax.objectives import FeederCapacity as FeederCapacity
    from macjax.objectives import OverloadEnergy as OverloadEnergy
    from macjax.objectives import PeakOverload as PeakOverload
    from macjax.objectives import Smoothing as Smoothing
    from macjax.objectives import SquaredOverload as SquaredOverload
    from macjax.reports import report as report
    from macjax.results import Solution as Solution
    from macjax.results import compare as compare
    from macjax.scenario import Scenario as Scenario
    from macjax.scenario import robust_headroom as robust_headroom
    from macjax.studies import study as study
    from macjax.studies import sweep as sweep

# Module of each name that is imported at its first use; None for modules themselves.
_HOMES = {
    "baselines": None,
    "coordination": None,
    "importers": None,
    "interchange": None,
    "market": None,
    "objectives": None,
    "planning": None,
    "plots": None,
    "powerflow": None,
    "regions": None,
    "studies": None,
    "synthetic": None,
    "tariffs": None,
    "use_all_cores": "_program",
    "Certificate": "certificate",
    "certify": "certificate",
    "GenerationCost": "coordination",
    "PriceProblem": "coordination",
    "PriceTakers": "coordination",
    "coordinate": "coordination",
    "read_part": "driver",
    "resume": "driver",
    "solve": "driver",
    "example": "examples",
    "example_assumptions": "examples",
    "OwnCost": "market",
    "best_response": "market",
    "equilibrium": "market",
    "exchange": "market",
    "EnergyCost": "objectives",
    "FeederCapacity": "objectives",
    "OverloadEnergy": "objectives",
    "PeakOverload": "objectives",
    "Smoothing": "objectives",
    "SquaredOverload": "objectives",
    "report": "reports",
    "Solution": "results",
    "compare": "results",
    "Scenario": "scenario",
    "study": "studies",
    "robust_headroom": "scenario",
    "sweep": "studies",
}
__all__ = [
    "Certificate",
    "CheckpointError",
    "CheckpointWarning",
    "DataError",
    "EnergyCost",
    "FeederCapacity",
    "GenerationCost",
    "InfeasibleVehicles",
    "KernelWarning",
    "MacjaxError",
    "MemoryShortError",
    "MemoryShortWarning",
    "OverloadEnergy",
    "OwnCost",
    "PeakOverload",
    "PriceProblem",
    "PriceTakers",
    "ProcessError",
    "RegionWarning",
    "Scenario",
    "SettingsError",
    "Smoothing",
    "Solution",
    "SolutionError",
    "SquaredOverload",
    "Status",
    "__version__",
    "baselines",
    "best_response",
    "certify",
    "compare",
    "coordinate",
    "coordination",
    "equilibrium",
    "example",
    "example_assumptions",
    "exchange",
    "importers",
    "interchange",
    "market",
    "objectives",
    "planning",
    "plots",
    "powerflow",
    "read_part",
    "regions",
    "report",
    "resume",
    "robust_headroom",
    "solve",
    "studies",
    "study",
    "sweep",
    "synthetic",
    "tariffs",
    "use_all_cores",
]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'macjax' has no attribute '{name}'")
    home = _HOMES[name]
    if home is None:
        return importlib.import_module(f"macjax.{name}")
    found = getattr(importlib.import_module(f"macjax.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
