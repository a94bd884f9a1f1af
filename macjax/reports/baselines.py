"""Unmanaged and per-session charging beside solutions that lack them."""

from collections.abc import Callable, Mapping
from typing import Any

from macjax import baselines
from macjax._errors import MacjaxError
from macjax._status import Status
from macjax.plots import LABELS


def with_baselines(
    shown: Mapping[str, Any], notes: list[str], tell: Callable, progress: bool
) -> dict:
    """The solutions with unmanaged and per-session charging where they are missing.

    They get objective, gap and `on_infeasible` of the last solution that was optimised,
    or else of the last one. One that fails is left out with a note.

    Arguments:
        shown: solutions by label, of one scenario.
        notes: gets a sentence for each that was computed, or failed.
        tell: takes what is being done.
        progress: whether the solver tells its progress on stderr.

    Raises:
        KeyboardInterrupt: a run was interrupted.
    """
    given = {s.method for s in shown.values()}
    optimised = [s for s in shown.values() if s.status != Status.simulated]
    model = (optimised or list(shown.values()))[-1]
    objective, scenario = model.objective_spec, model.scenario
    of_session = {"on_infeasible": model.on_infeasible, "progress": progress}
    if (gap := model.settings.get("gap")) is not None:
        of_session["gap"] = gap
    # Simulations take vehicles that cannot be served as they are; where the solution
    # says "error" there are none.
    policy = "relax" if model.on_infeasible == "error" else model.on_infeasible
    runs = {
        "unmanaged": lambda: baselines.unmanaged(scenario, objective, policy),
        "per_session": lambda: baselines.per_session(scenario, objective, **of_session),
    }
    found = dict(shown)
    for method, run in runs.items():
        if method in given:
            continue
        label = LABELS[method]
        tell(f"computing {label} ...")
        try:
            solution = run()
        except MacjaxError as error:
            notes.append(f"{label} could not be computed: {error}")
            continue
        if solution.status == Status.interrupted:
            raise KeyboardInterrupt
        notes.append(f"{label} was computed for this report.")
        found[label if label not in found else f"{label} (computed)"] = solution
    return found
