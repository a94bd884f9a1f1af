"""Price coordination: EVs that answer prices, and prices that answer their demand."""

from macjax.coordination import figures as figures
from macjax.coordination.agreement import Agreement as Agreement
from macjax.coordination.agreement import ConsensusWarning as ConsensusWarning
from macjax.coordination.cells import Cells as Cells
from macjax.coordination.contraction import Contraction as Contraction
from macjax.coordination.coordinate import coordinate as coordinate
from macjax.coordination.cost import GenerationCost as GenerationCost
from macjax.coordination.ending import FixedPointWarning as FixedPointWarning
from macjax.coordination.graph import Averaging as Averaging
from macjax.coordination.optimum import Optimum as Optimum
from macjax.coordination.optimum import centralised as centralised
from macjax.coordination.problem import PriceProblem as PriceProblem
from macjax.coordination.run import PriceRun as PriceRun
from macjax.coordination.sweep import PriceSweep as PriceSweep
from macjax.coordination.sweep import sweep as sweep
from macjax.coordination.takers import PriceTakers as PriceTakers
