"""Price coordination: EVs that answer prices, and prices that answer their demand."""

from macjax.coordination.cells import Cells as Cells
from macjax.coordination.contraction import Contraction as Contraction
from macjax.coordination.coordinate import coordinate as coordinate
from macjax.coordination.cost import GenerationCost as GenerationCost
from macjax.coordination.problem import PriceProblem as PriceProblem
from macjax.coordination.run import PriceRun as PriceRun
from macjax.coordination.takers import PriceTakers as PriceTakers
