"""The packed problem: a fleet, the feeder terms, and sums over each cell."""

import dataclasses

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float

from macjax.fleet.devices import put_whole
from macjax.fleet.operators import cell_sums
from macjax.fleet.packing import Fleet, FleetBatch
from macjax.objectives.compile import FeederTermsData
from macjax.objectives.feeder import FeederTerms


class Problem(eqx.Module):
    """min sum_f g_f(P_f(u)) + smoothing over the SOC-sufficiency sets of all vehicles.

    Arguments:
        fleet: packed vehicles.
        terms: feeder objective, padded to the feeders of the table.
        mass: M_ft, sum of a_n over the opportunities of the cell [kW/kWh].
        mean_limit: mean limit of the cell's opportunities [kWh].
        unit_scale: largest a_n / w_n [kW/kWh], the power of one vehicle's energy.
        smooth: whether there is a smoothing term (static).
    """

    fleet: FleetBatch
    terms: FeederTerms
    mass: Float[Array, "f t"]
    mean_limit: Float[Array, "f t"]
    unit_scale: Float[Array, ""]
    smooth: bool = eqx.field(static=True)

    @property
    def active(self) -> Bool[Array, "f t"]:
        """Cells in which some vehicle can charge."""
        return self.mass > 0

    @property
    def tables(self) -> "Problem":
        """The problem without the fleet."""
        return dataclasses.replace(self, fleet=None)

    @property
    def dtype(self):
        """dtype of the solve."""
        return self.mass.dtype


def build_problem(fleet: Fleet, data: FeederTermsData, dtype) -> Problem:
    """Move a packed fleet and its feeder terms to the device.

    Feeders are padded to the fleet's size class with feeders that cost nothing.
    """
    extra = fleet.table_feeders - fleet.feeders

    def padded(array):
        array = np.asarray(array)
        # Padded on the host: on the device each number of feeders would compile.
        if array.ndim:
            array = np.pad(array, [(0, extra)] + [(0, 0)] * (array.ndim - 1))
        # What is beyond float32 shows as `nonfinite`, not as a warning.
        with np.errstate(over="ignore"):
            array = array if array.dtype == bool else array.astype(dtype)
        return put_whole(array, fleet.batch.mesh)

    terms = FeederTerms(**{k: padded(v) for k, v in data._asdict().items()})
    table = np.zeros((fleet.table_feeders, fleet.slots), dtype)
    table = put_whole(table, fleet.batch.mesh)
    in_chunks = fleet.batch.in_chunks
    mass, mean_limit = (cell_sums if in_chunks else _cell_sums)(fleet.batch, table)
    return Problem(
        fleet=fleet.batch,
        terms=terms,
        mass=mass,
        mean_limit=mean_limit,
        unit_scale=put_whole(np.asarray(fleet.unit_scale, dtype), fleet.batch.mesh),
        smooth=bool(data.epsilon > 0),
    )


# Outside of jit each scan would be compiled anew in each solve.
_cell_sums = jax.jit(cell_sums)
