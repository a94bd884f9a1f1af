"""`read_part`: a scenario folder read by several processes, each its own vehicles."""

import jax

from macjax._processes import Processes
from macjax.scenario import Scenario


def read_part(folder, vehicle_to_grid: bool | None = None) -> Scenario:
    """Read the part of this process of a scenario folder, in all processes or in none.

    All feeders, and the vehicles of process i of n as in `Scenario.read(folder,
    part=(i, n))`. Every process of the `jax.distributed` run has to call it. If the
    tables of one part are wrong, all processes raise.

    Arguments:
        folder: the folder; Parquet tables that every process can read.
        vehicle_to_grid: as in `Scenario.read`.
    """
    index, count = jax.process_index(), jax.process_count()
    processes = Processes(index, count)
    part = None if count == 1 else (index, count)
    with processes.together(), processes.agreed(f"to read its part of {folder}"):
        scenario = Scenario.read(folder, vehicle_to_grid, part=part)
    return scenario
