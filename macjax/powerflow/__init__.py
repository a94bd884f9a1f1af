"""Power-flow check: the worst slots of schedules on a network model of pandapower."""

from macjax.powerflow.check import check as check
from macjax.powerflow.feeders import mv_feeders as mv_feeders
from macjax.powerflow.figure import voltages as voltages
from macjax.powerflow.result import PowerFlow as PowerFlow
