"""How the bundled scenario was made: a few average feeders and a week of 1,450 rows.

An earlier and smaller synthesis than `macjax.regions.build`: each survey driver is one
row whose weight stands for the electric cars like it, the weekday is repeated, and an
average feeder serves each of 24 areas. `python -m macjax.regions.example OUT_FOLDER`
gives the bundled tables again.
"""

from .builder import Built as Built
from .builder import build as build
from .parameters import Parameters as Parameters
