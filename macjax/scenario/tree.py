"""The forest of feeders: `parent_id` may not lead back to where it came from."""

import numpy as np

from macjax._errors import Fault
from macjax.scenario.report import RowNames


def check_forest(parent: np.ndarray, names: RowNames) -> list[Fault]:
    """Faults for feeders that are their own ancestors.

    The pointers to the parent are squared until they span any chain; whoever is still
    reached then lies on a cycle.

    Arguments:
        parent: row number of the parent of each feeder, -1 at a root.
        names: names the feeders.
    """
    count = len(parent)
    # One row more stands for "above the roots" and is its own parent.
    pointer = np.append(np.where(parent < 0, count, parent), count).astype(np.int64)
    for _ in range(max(count, 1).bit_length()):
        pointer = pointer[pointer]
    on_cycle = np.zeros(count + 1, bool)
    on_cycle[pointer] = True
    rule = "parents form a cycle; a feeder may not be fed through itself"
    return names.fault("parent_id", rule, on_cycle[:count])
