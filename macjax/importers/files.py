"""Opening what a caller names: files, folders, gzip and zip, never more than they say.

A compressed file that unfolds to more than `MOST_RATIO` times its size is taken for a
bomb and refused while it is read; so is one that does not fit into memory.
"""

import contextlib
import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from macjax._errors import DataError, Fault, SettingsError

# Plans and tables shrink 5 to 50 times; deflate cannot do more than 1,032 times.
MOST_RATIO = 400
# Below this size any ratio is harmless [bytes].
HARMLESS = 64 * 2**20
Source = str | os.PathLike | pd.DataFrame


class UnreadableError(Exception):
    """A file cannot be read; the text completes `<file> ...`."""


def sources(paths, endings: Sequence[str]) -> list[Path | pd.DataFrame]:
    """The files that a caller names, a folder opened to its files of known endings.

    Arguments:
        paths: one path or frame, or a list of them.
        endings: which files of a folder are taken, e.g. `.csv`.

    Raises:
        DataError: one of them does not exist, or a folder holds no such file.
    """
    listed = isinstance(paths, list | tuple)
    given = list(paths) if listed else [paths]
    if not given:
        raise SettingsError("no file is named; give a path or a list of paths")
    found, faults = [], []
    for item in given:
        if isinstance(item, pd.DataFrame):
            found.append(item)
            continue
        if not isinstance(item, str | os.PathLike) or "\0" in os.fsdecode(item):
            raise SettingsError(f"a file must be named by text or a path; got {item!r}")
        path = Path(os.fsdecode(item))
        if path.is_dir():
            inside = [p for p in sorted(path.iterdir()) if p.is_file()]
            inside = [p for p in inside if p.name.lower().endswith(tuple(endings))]
            found += inside
            if not inside:
                wanted = ", ".join(f"*{ending}" for ending in endings)
                faults.append(Fault(str(path), "file", f"the folder has no {wanted}"))
        elif path.is_file():
            found.append(path)
        else:
            faults.append(Fault(str(path), "file", "does not exist"))
    if faults:
        raise DataError(faults, "wrong files")
    return found


def name_of(source: Path | pd.DataFrame) -> str:
    """How reports call a source: the name of the file alone."""
    return source.name if isinstance(source, Path) else "frame"


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[io.BufferedIOBase]:
    """The bytes of a file, of a .gz unfolded, of a .zip its only member.

    Raises:
        UnreadableError: in the block too, while the bytes are read.
    """
    try:
        if path.stat().st_size == 0:
            raise UnreadableError("is empty (0 bytes)")
        kind = path.suffix.lower()
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(path.open("rb"))
            if kind == ".gz":
                unfolded = stack.enter_context(gzip.GzipFile(fileobj=file))
                yield io.BufferedReader(_Bounded(unfolded, path.stat().st_size))
            elif kind == ".zip":
                archive = stack.enter_context(zipfile.ZipFile(file))
                member = stack.enter_context(archive.open(_only_member(archive)))
                yield io.BufferedReader(_Bounded(member, path.stat().st_size))
            else:
                yield file
    except EOFError as error:
        raise UnreadableError(
            "is cut off: the end of the compressed data is missing"
        ) from error
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
        raise UnreadableError(f"cannot be unfolded: {error}") from error
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from error


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [m for m in archive.infolist() if not m.is_dir()]
    if len(members) != 1:
        raise UnreadableError(f"must hold one file; it holds {len(members)}")
    if members[0].flag_bits & 1:
        raise UnreadableError("is encrypted")
    return members[0]


class _Bounded(io.RawIOBase):
    """Passes bytes on until there are too many for the size of the file."""

    def __init__(self, file, compressed: int):
        self._file = file
        self._most = max(HARMLESS, MOST_RATIO * compressed)
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self._file.read(len(buffer))
        self._read += len(data)
        if self._read > self._most:
            raise UnreadableError(
                f"unfolds to more than {MOST_RATIO} times its size, which no table or "
                "plan does; unfold it yourself if it is sound"
            )
        buffer[: len(data)] = data
        return len(data)


def read_bytes(path: Path) -> bytes:
    """All bytes of a file, at most half of the memory of this machine."""
    most = _memory() // 2
    with open_bytes(path) as file:
        parts, size = [], 0
        while part := file.read(16 * 2**20):
            parts.append(part)
            size += len(part)
            if size > most:
                raise UnreadableError(f"has more than {most / 2**30:.0f} GiB")
    if not size:
        raise UnreadableError("is empty (0 bytes)")
    return b"".join(parts)


def read_text(path: Path) -> str:
    """All of a file as UTF-8 text; another encoding is named with its line."""
    data = read_bytes(path)
    check_utf8(data)
    return data.decode("utf-8-sig")


def check_utf8(data: bytes) -> None:
    """Raise UnreadableError that names the line of the first byte that is not UTF-8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableError("is UTF-16 text; save it as UTF-8")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableError(
            f"is not UTF-8 text: byte 0x{data[error.start]:02x} in line {line}; save "
            "it as UTF-8"
        ) from error


def _memory() -> int:
    with contextlib.suppress(ValueError, OSError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 16 * 2**30
