"""From a scenario to a certified solution: settings, loop, progress, messages."""

from macjax.driver.read_part import read_part as read_part
from macjax.driver.resume import resume as resume
from macjax.driver.solve import solve as solve
from macjax.driver.solve import solve_tube as solve_tube
