"""The data of a scenario: tables, their rules, files, and the plan on them."""

from macjax.scenario.events import StayWindows as StayWindows
from macjax.scenario.events import TripEvents as TripEvents
from macjax.scenario.page import schema_page as schema_page
from macjax.scenario.plan import Plan as Plan
from macjax.scenario.robust import robust_headroom as robust_headroom
from macjax.scenario.scenario import Scenario as Scenario
