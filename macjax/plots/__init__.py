"""Figures of solutions: load against capacity, prices, upgrades, vehicles, convergence.

Every function takes solutions and `ax=`, draws, and returns the axes; without `ax` it
makes a new figure with pyplot. `solutions` is one `Solution`, a list of them, or a dict
from the label to show to the solution. Power is kW, average over a slot; prices are
currency per kW of slot average; times are shown in the scenario's timezone.

Needs matplotlib (`pip install macjax[plots]`), imported when the first figure is made.
"""

from macjax.plots.bars import MOST_FEEDERS as MOST_FEEDERS
from macjax.plots.bars import upgrades as upgrades
from macjax.plots.canvas import DRAWN_LAST as DRAWN_LAST
from macjax.plots.canvas import SPARE_STYLES as SPARE_STYLES
from macjax.plots.canvas import STYLES as STYLES
from macjax.plots.canvas import amount as amount
from macjax.plots.canvas import require_matplotlib as require_matplotlib
from macjax.plots.canvas import shown_name as shown_name
from macjax.plots.given import LABELS as LABELS
from macjax.plots.heatmap import MOST_PRICE_ROWS as MOST_PRICE_ROWS
from macjax.plots.heatmap import price_heatmap as price_heatmap
from macjax.plots.loads import feeder_load as feeder_load
from macjax.plots.loads import has_capacity as has_capacity
from macjax.plots.loads import load_duration as load_duration
from macjax.plots.loads import worst_feeder as worst_feeder
from macjax.plots.runs import convergence as convergence
from macjax.plots.runs import has_history as has_history
from macjax.plots.saving import DOTS_PER_INCH as DOTS_PER_INCH
from macjax.plots.saving import FILES as FILES
from macjax.plots.saving import as_svg as as_svg
from macjax.plots.saving import save_all as save_all
from macjax.plots.vehicles import pick_vehicles as pick_vehicles
from macjax.plots.vehicles import soc_trace as soc_trace

# What users draw with; the other names are what modules of macjax share.
__all__ = [
    "as_svg",
    "convergence",
    "feeder_load",
    "load_duration",
    "pick_vehicles",
    "price_heatmap",
    "save_all",
    "soc_trace",
    "upgrades",
    "worst_feeder",
]
