"""The scenario that comes with the package: a week of electric cars in the Bay Area."""

import json
from importlib.resources import as_file, files

from .scenario.scenario import Scenario


def _bundled():
    """The folder of the bundled scenario and its papers, a package resource."""
    return files("macjax") / "data" / "bay_area"


def example() -> Scenario:
    """The bundled scenario of the San Francisco Bay Area.

    One week by the hour, 24 feeders, some 1,450 rows that stand for the electric 30 %
    of the cars there; built by `macjax.regions.example` from model-simulated trip
    chains. What is measured, modelled and assumed: `example_assumptions()`.

        >>> scenario = macjax.example()
        >>> len(scenario.feeders), scenario.slots
        (24, 168)
    """
    with as_file(_bundled() / "scenario") as folder:
        return Scenario.read(folder)


def example_assumptions() -> str:
    """What the bundled scenario takes from data, from models, and from assumptions."""
    return (_bundled() / "ASSUMPTIONS.md").read_text(encoding="utf-8")


def example_facts() -> dict:
    """Figures of the bundled scenario: sizes, km and kWh a day, shares, headroom."""
    return json.loads((_bundled() / "facts.json").read_text(encoding="utf-8"))
