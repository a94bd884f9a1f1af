"""The solutions that a figure is given: one, a list, or a dict from label to solution.

What is something else, has no schedule to draw, or is of another scenario is refused
before anything is drawn.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from macjax._errors import SettingsError, SolutionError

LABELS = {
    "mac": "MAC (coordinated)",
    "unmanaged": "unmanaged",
    "per_session": "per session",
    "time_of_use": "time of use",
    "first_come": "first come",
}


def listed(solutions, taker: str = "a figure") -> list[tuple[str, Any]]:
    """Labels and solutions; a list without labels has those of the methods.

    Arguments:
        solutions: one solution, a list, or a dict from label to solution.
        taker: what they are given to, for the error.
    """
    given: list[tuple[Any, Any]]
    if isinstance(solutions, Mapping):
        given = list(solutions.items())
    elif hasattr(solutions, "summary"):
        given = [(None, solutions)]
    elif isinstance(solutions, Iterable) and not isinstance(solutions, str):
        given = [(None, s) for s in solutions]
    else:
        given = [(None, solutions)]
    if wrong := [type(s).__name__ for _, s in given if not hasattr(s, "summary")]:
        raise _wrong(taker, ", ".join(wrong[:3]))
    return [
        (str(LABELS.get(s.method, s.method) if label is None else label), s)
        for label, s in given
    ]


def _wrong(taker: str, got: str) -> SettingsError:
    return SettingsError(
        f"{taker} takes a Solution, a list of them, or a dict from label to Solution; "
        f"got {got}"
    )


def by_label(solutions, taker: str = "a figure") -> dict:
    """Solutions by the label to show, repeated labels numbered; at least one.

    Arguments:
        solutions, taker: of `listed`.
    """
    shown = numbered(listed(solutions, taker))
    if not shown:
        raise _wrong(taker, "none")
    return shown


def numbered(labelled: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """Things by their labels, a label that comes again with a number behind it.

    Arguments:
        labelled: pairs of label and thing.
    """
    shown: dict[Any, Any] = {}
    for label, thing in labelled:
        name, count = label, 1
        while name in shown:
            count += 1
            name = f"{label} {count}"
        shown[name] = thing
    return shown


def scheduled(solutions) -> dict:
    """Solutions by label, each with a schedule to draw.

    Arguments:
        solutions: of `listed`.
    """
    shown = by_label(solutions)
    for label, solution in shown.items():
        if solution.plan is None:
            raise SolutionError(
                f"'{label}' has no schedule to draw: its status is "
                f"'{solution.status}'; leave it out"
            )
    return shown


def of_one_scenario(solutions) -> dict:
    """Solutions by label, each with a schedule, of one scenario.

    Arguments:
        solutions: of `listed`.
    """
    shown = scheduled(solutions)
    names = {s.scenario.fingerprint: s.scenario.name for s in shown.values()}
    if len(names) > 1:
        some = ", ".join(f"'{name}' ({key[:8]})" for key, name in names.items())
        raise SettingsError(
            f"the solutions are of {len(names)} different scenarios: {some}; this "
            "figure shows those of one"
        )
    return shown


def one_solution(solution):
    """The solution; an error where it is a list, a path, or anything else."""
    if not hasattr(solution, "summary"):
        raise SettingsError(
            f"this figure takes one Solution, not {type(solution).__name__}"
        )
    return solution
