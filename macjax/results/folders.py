"""A result folder that is replaced as a whole or not at all.

The new folder is filled beside the old one under a hidden name, flushed to disk, and
renamed. At every moment the old or the new one is complete: under its own name, or, if
the process was killed between the two renames, as `.<name>.previous` beside it, where
`complete_folder` finds it.
"""

import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from macjax._errors import SettingsError
from macjax.scenario.files import folder_path


def previous_folder(folder: Path) -> Path:
    """Where the old folder stands while the new one takes its name."""
    return folder.with_name(f".{folder.name}.previous")


def complete_folder(folder: Path) -> Path:
    """The folder itself, or the previous one if a write was killed halfway."""
    previous = previous_folder(folder)
    return previous if not folder.exists() and previous.is_dir() else folder


def resolved(folder: str | os.PathLike) -> Path:
    """The absolute path of a folder, links followed."""
    path = folder_path(folder).expanduser().resolve()
    if not path.name:
        raise SettingsError(f"'{folder}' cannot be the folder of a solution")
    return path


def probe(folder: Path) -> None:
    """Raise a SettingsError unless files can be made in and beside the folder."""
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"'{folder}' is a file; name a folder for the solution")
    place = folder.parent
    while not place.exists():
        place = place.parent
    for where in (place, folder) if folder.exists() else (place,):
        _probe_place(where, folder)


def _probe_place(place: Path, folder: Path) -> None:
    """Make a folder with a file at a place, and remove it."""
    trial = place / f".{folder.name}.{secrets.token_hex(4)}.probe"
    try:
        trial.mkdir()
        (trial / "probe").write_bytes(b"0")
    except OSError as error:
        raise SettingsError(_cannot_write(folder, error)) from error
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def replace_folder(
    folder: Path, fill: Callable[[Path], None], keep: Iterable[str] = ()
) -> None:
    """Fill a new folder and let it take the place of the old one, if there is one.

    Arguments:
        folder: absolute path; parents are made.
        fill: writes the files into the empty folder it is given.
        keep: entries of the old folder that are copied into the new one.
    """
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if (old := complete_folder(folder)) != folder:
            old.rename(folder)
        part.mkdir()
        for name in keep:
            _copy(folder / name, part / name)
        fill(part)
        flush_tree(part)
        _swap(part, folder)
    except OSError as error:
        raise SettingsError(_cannot_write(folder, error)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _swap(part: Path, folder: Path) -> None:
    """Rename `part` to `folder`, the old one first to its previous name."""
    previous = previous_folder(folder)
    if folder.exists():
        if previous.exists():
            shutil.rmtree(previous)
        folder.rename(previous)
    try:
        part.rename(folder)
    except OSError:
        if previous.exists():
            previous.rename(folder)
        raise
    flush(folder.parent)
    shutil.rmtree(previous, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def flush_tree(folder: Path) -> None:
    """Have the system write a folder and all that is in it to disk."""
    for root, _, names in os.walk(folder):
        for name in names:
            if not os.path.islink(path := os.path.join(root, name)):
                flush(Path(path))
        flush(Path(root))


def flush(path: Path) -> None:
    """Have the system write a file or a folder to disk, where it can."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _cannot_write(folder: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"cannot write '{folder}': {reason}; choose a folder that can be written"
