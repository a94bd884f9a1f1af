"""Where a report goes: a file that can be written and is no one else's.

The page is written beside its place and takes it in one step, so a report that is there
stays whole until the new one is.
"""

import os
import secrets
from pathlib import Path

from macjax._errors import SettingsError

# What every page has near its beginning, and how far that is [bytes].
MARK = '<meta name="generator" content="macjax'
HEAD_BYTES = 4096


def check_place(path: str | os.PathLike) -> Path:
    """The path of the page, after a check that it can be written.

    Raises:
        SettingsError: a folder, a file that is no report, or a place without rights.
    """
    if not str(path).strip() or "\0" in str(path):
        raise SettingsError("path: name the file to write, such as report.html")
    place = Path(path).expanduser()
    try:
        _probe(place)
    except OSError as error:
        raise SettingsError(_cannot_write(place, error)) from error
    return place


def _probe(place: Path) -> None:
    """Raise unless the file is free or a report, and its folder can be written."""
    if place.is_dir():
        raise SettingsError(f"'{place}' is a folder; name a file, such as report.html")
    if place.exists() and not _is_report(place):
        raise SettingsError(
            f"'{place}' is no report of macjax and is not replaced; name another file"
        )
    parent = place.parent
    while not parent.exists():
        parent = parent.parent
    trial = parent / f".{place.name[:40]}.{secrets.token_hex(4)}.probe"
    try:
        trial.write_bytes(b"0")
    finally:
        _remove(trial)


def write_page(path: Path, text: str) -> None:
    """Write the page in one step; half of a surrogate pair in a name is spelled out."""
    part = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(text.encode("utf-8", "backslashreplace"))
        os.replace(part, path)
    except OSError as error:
        raise SettingsError(_cannot_write(path, error)) from error
    finally:
        _remove(part)


def _is_report(path: Path) -> bool:
    """Whether the file is a report that can be replaced, or empty."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not os.access(path, os.W_OK):
        raise SettingsError(f"cannot write '{path}': it is read-only; name another")
    return not head or MARK.encode() in head


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # its folder is gone, or was never one
        pass


def _cannot_write(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"cannot write '{path}': {reason}; name a file that can be written"
