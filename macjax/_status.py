"""How a solve can end: one word for programs, one sentence for people."""

from enum import StrEnum


class Status(StrEnum):
    """How a solve ended; each member compares equal to its own name as text."""

    solved = "solved"
    infeasible = "infeasible"
    iteration_limit = "iteration_limit"
    time_limit = "time_limit"
    nonfinite = "nonfinite"
    stalled = "stalled"
    interrupted = "interrupted"
    simulated = "simulated"
