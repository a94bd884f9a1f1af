"""The logic of a run alone: how it ends at each side of each threshold."""

import numpy as np
import pytest

from macjax._status import Status
from macjax.solvers.mac import RETURNS, Run


def run_with(**fields) -> Run:
    """A run without a problem, in a given situation."""
    run = Run(problem=None, unmanaged=100.0)
    for name, value in fields.items():
        setattr(run, name, value)
    return run


SITUATIONS = [
    (dict(best_objective=10.0, best_bound=9.9891), 1e-3, Status.solved),
    (dict(best_objective=10.0, best_bound=9.9889), 1e-3, None),
    (dict(best_objective=10.0, best_bound=10.1), 1e-3, Status.solved),
    (dict(best_objective=0.0, best_bound=0.0), 1e-12, Status.solved),
    (dict(best_objective=0.0, best_bound=-0.0011), 1e-3, None),
    (dict(best_objective=-10.0, best_bound=-10.0109), 1e-3, Status.solved),
    (dict(best_objective=-10.0, best_bound=-10.0111), 1e-3, None),
    (dict(best_objective=np.inf, best_bound=0.0), 1e-3, None),
    (dict(best_objective=1.0, best_bound=-np.inf), 1e-3, None),
    (dict(best_objective=np.nan, best_bound=1.0), 1e-3, None),
    (dict(best_objective=1.0, best_bound=np.nan), 1e-3, None),
    (dict(nonfinite=True), 1e-3, Status.nonfinite),
    (dict(nonfinite=True, iteration=50), 1e-3, Status.nonfinite),
    (dict(returned=RETURNS), 1e-3, Status.stalled),
    (dict(returned=RETURNS - 1), 1e-3, None),
    (dict(iteration=50), 1e-3, Status.iteration_limit),
    (dict(iteration=49), 1e-3, None),
    (
        dict(iteration=50, best_objective=1.0, best_bound=1.0),
        1e-3,
        Status.solved,
    ),
]


@pytest.mark.parametrize(("fields", "gap", "status"), SITUATIONS)
def test_terminate(fields, gap, status):
    """At 50 iterations at most; NaN ends nothing as solved."""
    assert run_with(**fields).terminate(gap, 50) == status


def test_gap_is_relative_to_objective_and_unmanaged():
    """(objective - bound) / (|objective| + 0.01 |unmanaged|), never negative."""
    run = run_with(best_objective=9.0, best_bound=8.0)
    assert run.gap == pytest.approx(1 / 10)
    assert run_with(best_objective=9.0, best_bound=9.5).gap == 0
    nothing = run_with(best_objective=0.0, best_bound=0.0)
    nothing.unmanaged = 0.0
    assert nothing.gap == 0
    nothing.best_bound = -1.0
    assert nothing.gap == np.inf
