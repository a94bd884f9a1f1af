"""How a run came to its result: objective and bound over the iterations."""

import numpy as np
import pandas as pd

from macjax._errors import SolutionError
from macjax.plots.canvas import axes_of, legend_below, shown_name, thousands
from macjax.plots.given import one_solution

MOST_PHASES = 6


def convergence(solution, ax=None):
    """Objective and lower bound over the iterations, with the certified gap between.

    Dotted vertical lines mark where a new phase of the solver begins.

    Arguments:
        solution: one that was optimised, with a `history`.
        ax: matplotlib axes to draw in.
    """
    history = one_solution(solution).history
    if not has_history(solution):
        raise SolutionError(
            f"a solution of method '{solution.method}' has no history of objective "
            "and bound to draw; give one from macjax.solve"
        )
    upper = history[np.isfinite(history["objective"])]
    lower = history[np.isfinite(history["lower_bound"])]
    both = history[np.isfinite(history[["objective", "lower_bound"]]).all(axis=1)]
    ax = axes_of(ax, (7.0, 4.2))
    ax.fill_between(
        both["iteration"], both["lower_bound"], both["objective"], color="0.9", lw=0
    )
    ax.plot(
        upper["iteration"], upper["objective"], "o-", ms=3, c="#0072B2",
        label="objective of the schedule",
    )  # fmt: skip
    ax.plot(
        lower["iteration"], lower["lower_bound"], "s--", ms=3, c="#D55E00",
        label="lower bound of any schedule",
    )  # fmt: skip
    _mark_phases(ax, history)
    values = np.concatenate([upper["objective"], lower["lower_bound"]])
    if len(lower) and values.min() > 0 and values.max() > 20 * values.min():
        ax.set_yscale("log")
    else:
        thousands(ax.yaxis)
    ax.locator_params(axis="x", integer=True)
    ax.set_xlabel("iteration")
    currency = shown_name(solution.scenario.currency)
    ax.set_ylabel(f"objective [{currency}]")
    gap = f"certified gap {solution.gap:.1e}" if np.isfinite(solution.gap) else "no gap"
    ax.set_title(f"Convergence: {solution.status}, {gap}", loc="left")
    legend_below(ax, columns=2)
    return ax


def has_history(solution) -> bool:
    """Whether a solution has a history of objectives to draw."""
    history = solution.history
    return (
        history is not None and len(history) > 0 and history["objective"].notna().any()
    )


def _mark_phases(ax, history: pd.DataFrame) -> None:
    """A dotted line and the name where a phase begins, if there are a few."""
    phase = history["phase"].astype(str)
    begins = history[phase != phase.shift()]
    if not 2 <= len(begins) <= MOST_PHASES:
        return
    for iteration, name in zip(begins["iteration"], begins["phase"], strict=True):
        ax.axvline(iteration, color="0.6", ls=":", lw=1)
        ax.annotate(
            str(name), (iteration, 1.0), (3, -3), fontsize=8, color="0.35",
            xycoords=("data", "axes fraction"), textcoords="offset points", va="top",
        )  # fmt: skip
