"""Cases by several processes side by side, each with its share of the cores.

Every process is started anew (spawn), because JAX does not survive a fork. It asks for
nothing: the parent hands it one run of neighbours after another and takes the rows that
come back. A process that dies, as one does that the system kills for its memory, costs
the result that it was at; another process goes on with the rest.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from macjax._errors import ProcessError, SettingsError
from macjax.studies.cases import Case
from macjax.studies.running import AGAIN, MEMORY_SHORT, Runner, Study

# Settings of JAX that hold for the workers as for their parent.
CARRIED = (
    "jax_platforms",
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)
ENDS_SECONDS = 10.0

# A case and the methods that it still lacks.
Todo = tuple[Case, tuple[str, ...]]
Tell = Callable[[Case, str, dict], None]


def run_beside(
    study: Study,
    pieces: Sequence[Sequence[Case]],
    missing: Mapping[int, tuple[str, ...]],
    workers: int,
    tell: Tell,
) -> None:
    """Run all pieces by so many processes.

    Arguments:
        pieces: runs of neighbours; a process takes one after another.
        missing: methods to run by number of the case.
        tell: called with each row that comes back.

    Raises:
        SettingsError: what was asked for is wrong.
        ProcessError: a worker failed.
    """
    count = min(workers, len(pieces))
    waiting = [[(case, missing[case.number]) for case in piece] for piece in pieces]
    setup = _setup(count)
    team = [_Worker(study, setup) for _ in range(count)]
    try:
        while True:
            for worker in team:
                if not worker.todo and waiting:
                    worker.take(waiting.pop(0))
            busy = {worker.pipe: worker for worker in team if worker.todo}
            if not busy:
                return
            for pipe in wait(list(busy)):
                worker = busy[pipe]  # type: ignore[index]
                if not worker.listen(tell):
                    team.remove(worker)
                    team.append(_Worker(study, setup))
                    if left := worker.end(tell):
                        waiting.insert(0, left)
    finally:
        for worker in team:
            worker.stop()


class _Worker:
    """A process and what it has to do."""

    def __init__(self, study: Study, setup: dict):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.todo: list[Todo] = []
        self.ready = False
        self.process = context.Process(
            target=work, args=(theirs, study, setup), daemon=True
        )
        self.process.start()
        theirs.close()

    def take(self, todo: list[Todo]) -> None:
        """Hand over a run of cases."""
        self.todo = list(todo)
        with contextlib.suppress(OSError):  # it has died; `listen` will say so
            self.pipe.send(todo)

    def listen(self, tell: Tell) -> bool:
        """Take one message; False if the process has died."""
        try:
            kind, *content = self.pipe.recv()
        except (EOFError, OSError):
            return False
        self.ready = True
        if kind == "ready":
            return True
        if kind == "settings":
            raise SettingsError(*content)
        if kind == "failed":
            raise ProcessError(f"a worker of the sweep failed:\n{content[0]}")
        number, method, row = content
        case = next(case for case, _ in self.todo if case.number == number)
        self._done(number, method)
        tell(case, method, row)
        return True

    def end(self, tell: Tell) -> list[Todo]:
        """Tell the result that died with the process; what is left to do."""
        self.process.join(ENDS_SECONDS)
        code = self.process.exitcode
        if not self.ready:
            raise ProcessError(
                f"a worker of the sweep did not start (exit code {code}); a program "
                "that asks for several must call sweep below `if __name__ == "
                "'__main__':`"
            )
        case, (method, *_) = self.todo[0]
        text = f"the process that ran it died (exit code {code})"
        text += ", of too little memory perhaps" if code == -signal.SIGKILL else ""
        self._done(case.number, method)
        row = {"status": MEMORY_SHORT, AGAIN: MEMORY_SHORT, "error": text}
        tell(case, method, row)
        return self.todo

    def _done(self, number: int, method: str) -> None:
        """Strike out a result; results come in the order of the run."""
        rest = [
            (case, tuple(m for m in methods if (case.number, m) != (number, method)))
            for case, methods in self.todo
        ]
        self.todo = [(case, methods) for case, methods in rest if methods]

    def stop(self) -> None:
        """End the process, whatever it is doing: its files are whole at all times."""
        self.process.terminate()
        self.process.join(ENDS_SECONDS)
        self.pipe.close()


def work(pipe: Connection, study: Study, setup: dict) -> None:
    """What a worker does: run what it is handed until the parent leaves."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers itself
    end_with_parent()
    _set_up(setup)
    pipe.send(("ready",))

    def tell(case: Case, method: str, row: dict) -> None:
        pipe.send(("row", case.number, method, row))

    runner = Runner(study, tell)
    try:
        while True:
            for case, methods in pipe.recv():
                runner.run(case, methods)
    except (EOFError, BrokenPipeError):  # the parent has ended
        return
    except SettingsError as error:
        pipe.send(("settings", str(error)))
    except Exception:  # the parent shows it and stops the others
        pipe.send(("failed", traceback.format_exc()))


def end_with_parent() -> None:
    """End this process as soon as its parent is gone, killed ones among them.

    A long solve would not notice before it has a row to send.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None  # only workers call it

    def watch() -> None:
        parent.join()
        os._exit(1)  # files are whole at all times

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def _setup(workers: int) -> dict[str, Any]:
    """Settings of JAX for workers, so many on this machine."""
    import jax

    setup = {name: getattr(jax.config, name, None) for name in CARRIED}
    cores = getattr(jax.config, "jax_num_cpu_devices", -1)
    if cores > 1:
        setup["jax_num_cpu_devices"] = max(cores // workers, 1)
    return setup


def _set_up(setup: Mapping[str, Any]) -> None:
    import jax

    for name, value in setup.items():
        if value is not None:
            jax.config.update(name, value)
