"""One sentence what happened and one what to do, for every status."""

from collections.abc import Iterable

from macjax._errors import FIRST_IDS
from macjax._status import Status
from macjax.driver.settings import Settings

WHAT = {
    Status.solved: "The certificate proves that no schedule costs less than "
    "{bound:.6g}; this one costs {cost:.6g} (gap {gap:.2g}).",
    Status.infeasible: "No schedule keeps the hard capacities of {feeders}; "
    "`dual_ray` proves it.",
    Status.iteration_limit: "The {max_iterations} iterations are used up{at}.",
    Status.time_limit: "The time limit of {time_limit:g} s is over{at}.",
    Status.nonfinite: "Numbers overflowed or became NaN{vehicles}{at}.",
    Status.stalled: "The gap no longer falls{at}.",
    Status.interrupted: "The run was interrupted{at}.",
}
TO_DO = {
    Status.solved: "",
    Status.infeasible: "Raise these capacities, add chargers elsewhere, or use "
    "PeakOverload() to see the upgrade that is needed.",
    Status.iteration_limit: "Raise max_iterations, or go on with {go_on}.",
    Status.time_limit: "Raise time_limit, or go on with {go_on}.",
    Status.nonfinite: "Check the magnitudes of powers, energies and costs; "
    "dtype='float64' has more room.",
    Status.stalled: "Use dtype='float64' if it was not, or accept a larger gap; "
    "schedule and bound are valid.",
    Status.interrupted: "Schedule and bound so far are valid; go on with {go_on}.",
}


def message_for(
    status: Status,
    settings: Settings,
    gap: float | None = None,
    interval: tuple[float, float] = (0.0, 0.0),
    feeders: Iterable = (),
    vehicles: Iterable = (),
    can_resume: bool = False,
    relaxed: int = 0,
) -> str:
    """What happened and what to do.

    Arguments:
        status: how the solve ended.
        settings: of the solve.
        gap: certified gap, None where there is no schedule.
        interval: lower bound and objective [currency].
        feeders: ids of the feeders whose capacities cannot hold.
        vehicles: ids of vehicles with numbers that are not finite.
        can_resume: whether there is a checkpoint from which the run can go on.
        relaxed: vehicles that cannot make their trips and charge as far as they can.
    """
    vehicles = list(vehicles)
    text = WHAT[status].format(
        gap=0.0 if gap is None else gap,
        bound=interval[0],
        cost=interval[1],
        at=" before a schedule was found" if gap is None else f" at a gap of {gap:.2g}",
        feeders=_some(list(feeders), "feeder"),
        vehicles=f" for {_some(vehicles, 'vehicle')}" if vehicles else "",
        max_iterations=settings.max_iterations,
        time_limit=settings.time_limit or 0.0,
    )
    go_on = f"macjax.resume({str(settings.checkpoint)!r})"
    to_do = TO_DO[status].format(go_on=go_on if can_resume else "warm_start=")
    if relaxed:
        to_do += (
            f" All of this is about a relaxed problem: {relaxed} "
            f"vehicle{'s' * (relaxed != 1)} in `infeasible` cannot make all trips and "
            "charge as far as possible."
        )
    return f"{text} {to_do.strip()}".strip()


def _some(ids: list, noun: str) -> str:
    shown = ", ".join(str(i) for i in ids[:FIRST_IDS])
    more = f" and {len(ids) - FIRST_IDS} more" if len(ids) > FIRST_IDS else ""
    return f"{noun}{'s' if len(ids) != 1 else ''} {shown}{more}"
