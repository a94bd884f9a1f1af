"""One process of two, of which process 1 is lost in the middle of a solve.

python lost_worker.py SCENARIO HOW
"""

import os
import signal
import sys

import jax

import macjax
from macjax.solvers.mac import Run

FOLDER, HOW = sys.argv[1:]


def lose(*_) -> None:
    """What the other process cannot know of."""
    if HOW == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if HOW == "interrupted twice":
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    raise RuntimeError("of one process alone")


def main() -> None:
    """A solve from which only process 1 is lost, before the first step."""
    jax.distributed.initialize()
    if jax.process_index() == 1:
        Run.init = lose
    macjax.solve(macjax.read_part(FOLDER))


if __name__ == "__main__":
    main()
