"""What several processes with parts of one fleet tell one another.

Every process of a `jax.distributed` run calls the same functions in the same order;
each call gathers one value of every process, and what is made of them is the same for
all. Values travel as bytes, so that nothing depends on the dtypes that are switched on.
In a process alone every function gives back its own value and talks to nobody.

An error that all processes know of leaves them in step: each raises it, or a
`ProcessError` that quotes it. After any other error the processes are out of step, and
those that wait for the failed one cannot be reached. Then the failed one must end: its
connections close, with which the collectives of the others fail.
"""

import atexit
import contextlib
import dataclasses
import hashlib
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from macjax._errors import ProcessError, SettingsError

LONGEST_TEXT = 4000  # bytes of an error that travel to the other processes
KNOWN = "known_to_all_processes"  # attribute of an error


@dataclasses.dataclass(frozen=True)
class Processes:
    """The processes that solve together.

    Arguments:
        index: number of this process.
        count: how many there are.
    """

    index: int = 0
    count: int = 1

    @classmethod
    def of(cls, devices: Sequence[Any] | None) -> "Processes":
        """Those that own the devices: this process alone, or all of them.

        Arguments:
            devices: of the solve; None is a device of this process.
        """
        owners = {device.process_index for device in devices or ()}
        own, count = jax.process_index(), jax.process_count()
        if owners <= {own}:
            return cls()
        if len(owners) < count:
            raise SettingsError(
                f"devices belong to {len(owners)} of {count} processes; give devices "
                "of every process, or of this one alone (jax.local_devices())"
            )
        return cls(own, count)

    def gather(self, value) -> np.ndarray:
        """An array of one shape and dtype in all processes; shape (count, ...)."""
        value = np.asarray(value)
        if self.count == 1 or value.size == 0:
            return np.broadcast_to(value, (self.count, *value.shape))
        from jax.experimental.multihost_utils import process_allgather

        raw = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
        try:
            rows = np.ascontiguousarray(process_allgather(raw))
        except (ValueError, jax.errors.JaxRuntimeError) as error:
            raise self._alone(error) from error
        return rows.view(value.dtype).reshape(self.count, *value.shape)

    def total(self, value) -> np.ndarray:
        """Sum over the processes, in their order, in float64."""
        # NumPy's sums over nothing are integers, and a process may hold nothing.
        return self.gather(np.asarray(value, np.float64)).sum(axis=0)

    def most(self, value) -> np.ndarray:
        """Largest over the processes, in float64."""
        return self.gather(np.asarray(value, np.float64)).max(axis=0)

    def texts(self, text: str) -> list[str]:
        """A text of every process, cut to `LONGEST_TEXT` bytes."""
        if self.count == 1:
            return [text]
        raw = text.encode("utf-8", "replace")[:LONGEST_TEXT]
        lengths = self.gather(np.int64(len(raw)))
        if not lengths.any():
            return [""] * self.count
        padded = np.frombuffer(raw.ljust(LONGEST_TEXT, b"\0"), np.uint8)
        rows = self.gather(padded)
        pairs = zip(rows, lengths, strict=True)
        return [row[:n].tobytes().decode("utf-8", "replace") for row, n in pairs]

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """A block in which processes wait for one another, as for all methods here.

        A process that leaves it by an error of which the others do not know ends at its
        exit without waiting for them, as JAX would for minutes. Where another process
        has ended so, a `ProcessError` tells it.
        """
        if self.count == 1:
            yield
            return
        try:
            yield
        except BaseException as error:
            if getattr(error, KNOWN, False):
                raise
            atexit.register(_end_at_once)
            own = not isinstance(error, jax.errors.JaxRuntimeError)
            if own or "RESOURCE_EXHAUSTED" in str(error):
                raise
            raise self._alone(error) from error

    def _alone(self, error: BaseException) -> ProcessError:
        """What an error means that comes of another process's end."""
        reason = str(error).partition("\n")[0]
        return ProcessError(
            f"process {self.index} of {self.count} can no longer reach the others; the "
            f"one that ended first says why ({reason})"
        )

    @contextlib.contextmanager
    def agreed(self, doing: str) -> Iterator[None]:
        """A block that ends well in all processes, or in none.

        The process that fails raises its own error, the others a `ProcessError` that
        quotes it. The block itself must not talk to other processes.

        Arguments:
            doing: what the block does, to complete "failed ...".
        """
        if self.count == 1:
            yield
            return
        error = None
        try:
            yield
        except BaseException as caught:
            error = caught
        own = "" if error is None else f"{type(error).__name__}: {error}"
        texts = self.texts(own)
        if error is not None:
            raise _known(error)
        for index, text in enumerate(texts):
            if text:
                raise _known(
                    ProcessError(
                        f"process {index} of {self.count} failed {doing}: {text}"
                    )
                )

    def require_same(self, items: dict[str, Any]) -> None:
        """Raise a `SettingsError` in all processes unless all have the same items.

        Arguments:
            items: name -> array, bytes or anything whose `repr` tells it apart.
        """
        if self.count == 1:
            return
        rows = self.gather(np.stack([_digest(item) for item in items.values()]))
        for at, name in enumerate(items):
            other = np.flatnonzero((rows[:, at] != rows[0, at]).any(axis=1))
            if len(other):
                raise _known(
                    SettingsError(
                        f"processes 0 and {other[0]} of {self.count} were given "
                        f"different {name}; a solve by several processes is one solve, "
                        "only the vehicles differ"
                    )
                )

    def require_disjoint(self, keys: np.ndarray, what: str) -> None:
        """Raise a `SettingsError` in all processes if two of them hold the same thing.

        Arguments:
            keys: a number for each thing of this process, shape (n,), uint64.
            what: they are.
        """
        if self.count == 1:
            return
        counts = self.gather(np.int64(len(keys)))
        padded = np.zeros(counts.max(), np.uint64)
        padded[: len(keys)] = keys
        rows = self.gather(padded)
        held = np.concatenate([row[:n] for row, n in zip(rows, counts, strict=True)])
        process = np.repeat(np.arange(self.count), counts)
        order = np.argsort(held, kind="stable")
        held, process = held[order], process[order]
        again = (held[1:] == held[:-1]) & (process[1:] != process[:-1])
        if again.any():
            first = np.flatnonzero(again)[0]
            one, other = process[first], process[first + 1]
            raise _known(
                SettingsError(
                    f"processes {one} and {other} of {self.count} hold the same "
                    f"{what}, {again.sum()} in all; each process needs a part of its "
                    "own: macjax.read_part(folder) or Scenario.read(folder, "
                    "part=(process, processes))"
                )
            )

    def token(self) -> str:
        """A random word, the same in all processes."""
        word = secrets.token_hex(8)
        return word if self.count == 1 else self.texts(word)[0]


def _known(error: BaseException) -> BaseException:
    """The error, marked as one that every process raises or quotes."""
    setattr(error, KNOWN, True)
    return error


def _end_at_once() -> None:
    """End without JAX's own exit, which waits for processes that do not come."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(1)


def _digest(value) -> np.ndarray:
    """32 bytes that tell values apart."""
    if isinstance(value, np.ndarray):
        value = (
            f"{value.dtype}{value.shape}".encode()
            + np.ascontiguousarray(value).tobytes()
        )
    raw = value if isinstance(value, bytes) else repr(value).encode()
    return np.frombuffer(hashlib.sha256(raw).digest(), np.uint8)
