"""Synthetic fleets of any size, feasible by construction."""

from macjax.synthetic.generate import KINDS as KINDS
from macjax.synthetic.generate import fleet as fleet
from macjax.synthetic.generate import fleet_frames as fleet_frames
from macjax.synthetic.recipes import Recipe as Recipe
