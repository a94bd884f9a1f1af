"""Scenarios of regions built from the tables of a travel survey.

`build` makes electric cars of every household of a region, gives each a week of trips
and stays, and hangs them on feeders; what it assumes are the keys of `RegionConfig`,
each with its source in `parameters`. `example` is how the bundled scenario was made.
"""

from .builder import Built as Built
from .builder import build as build
from .builder import build_with_facts as build_with_facts
from .calibration import calibrate as calibrate
from .config import RegionConfig as RegionConfig
from .config import read_config as read_config
from .facts import report as report
from .survey import Survey as Survey
from .survey import read_survey as read_survey
