"""One process at a time writes to a folder; the system lets go when a process ends."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from macjax._errors import CheckpointError, SettingsError

NAME = ".lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder, or raise a CheckpointError if another run does.

    Without effect where the system or its disk has no locks.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    try:
        file = open(folder / NAME, "ab")
    except OSError as error:
        raise SettingsError(
            f"cannot write '{folder}': {error.strerror}; copy it to where files can be "
            "written"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CheckpointError(
                f"another run is writing its checkpoints to '{folder}'"
            ) from error
        except OSError:
            pass
        yield
