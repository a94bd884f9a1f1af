"""Small fleets for the tests of sweeps, and sources that fail where told to."""

import dataclasses
import os
import signal

import pandas as pd

import macjax
from macjax import MemoryShortError
from macjax.studies.sources import BuilderSource

# Methods that compile nothing.
QUICK = ("unmanaged", "first_come")
# What differs from run to run.
TIMES = ["seconds"]


def small(seed: int = 1):
    """40 vehicles of the hard kind, a day by the hour, three feeders."""
    return macjax.synthetic.fleet(40, 24, 60, 3, kind="hard", seed=seed)


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Two frames of a sweep say the same."""
    pd.testing.assert_frame_equal(
        one.drop(columns=TIMES), other.drop(columns=TIMES), check_exact=True
    )


def files_of(folder) -> dict:
    """Contents of all files of a folder."""
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@dataclasses.dataclass(frozen=True)
class Failing(BuilderSource):
    """Small synthetic fleets by seed, of which some fail to be built.

    Arguments:
        fault: "memory", "bug", "kill", or "start", which no other process survives.
        seeds: where it happens.
    """

    fault: str = "memory"
    seeds: tuple[int, ...] = (2,)

    def __reduce__(self):
        """What another process does to have it."""
        if self.fault == "start":
            return (_fail, ())
        return (
            type(self),
            (self.builder, self.arguments, "arguments", self.fault, self.seeds),
        )

    def build(self, values):
        """The fleet, or the fault."""
        if values.get("seed") in self.seeds:
            if self.fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.fault == "bug":
                raise RuntimeError("a slip of the pen")
            raise MemoryShortError("a region of this size needs 999 GiB")
        return super().build(values)


def _fail():
    raise RuntimeError("not in this process")


def failing(fault: str) -> Failing:
    """A source of three vehicles each that fails for seed 2."""
    return Failing("synthetic", {"evs": 3, "slots": 24, "feeders": 1}, fault=fault)
