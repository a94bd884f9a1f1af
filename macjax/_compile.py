"""Compiling: side by side on all cores, and the seconds that it takes.

XLA uses little more than one core for much of a program, so programs that are needed
soon are compiled by threads while others are, or while the first ones run already.
"""

import ctypes
import functools
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from jax import monitoring

COMPILE_EVENT = "/jax/core/compile/"


class Ahead:
    """Programs that are compiled before they are called.

    A program is what `jax.jit` gives; JAX keeps what is compiled for its
    arguments, so that the call finds it there.
    """

    def __init__(self):
        self._begun: dict[Callable, Future] = {}

    def begin(self, program: Any, *args) -> None:
        """Compile a program for arguments like these, in another thread.

        Arguments:
            program: traced here, as it depends on settings of this thread.
            args: arrays, or their shapes with dtype and sharding.
        """
        self._begun[program] = _threads().submit(_compile, program.lower(*args))

    def call(self, program: Callable, *args):
        """Call a program, as soon as it is compiled if that was begun."""
        begun = self._begun.pop(program, None)
        if begun is not None:
            start = time.monotonic()
            if begun.result() > 0:
                _compiled.seconds += time.monotonic() - start
        return program(*args)


def _compile(lowered) -> float:
    """Compile, in one of the threads; the seconds, 0 if that was done before."""
    before = compile_seconds()
    lowered.compile()
    _give_back()
    return compile_seconds() - before


def _give_back() -> None:
    """Give the memory that compiling took back to the system, where it can be done.

    glibc keeps it otherwise, half a gigabyte, and the solve would take its own on top.
    """
    trim = (
        getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    )
    if trim is not None:
        trim(0)


class _Compiled(threading.local):
    seconds = 0.0


_compiled = _Compiled()


def compile_seconds() -> float:
    """Seconds that this thread spent compiling, or waiting for it, so far."""
    _listen()
    return _compiled.seconds


@functools.cache
def _listen() -> None:
    def count(event: str, duration_secs: float, **_) -> None:
        if event.startswith(COMPILE_EVENT):
            _compiled.seconds += duration_secs

    monitoring.register_event_duration_secs_listener(count)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="macjax-compile")
