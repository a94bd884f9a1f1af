"""One checkpoint in one file: JSON and arrays in NumPy's own format, then a SHA-256.

    macjax checkpoint 1                      the format and its version
    the record, UTF-8 JSON in a .npy array; its "arrays" names those that follow
    the arrays, .npy one after another
    sha256 <64 hexadecimal digits>           of all that is before

A file is written under a hidden name, flushed to disk and renamed, so that under its
own name there is a whole file or none. Reading verifies the digest before anything in
the file is used, and runs no code: arrays of objects are refused.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from macjax._errors import CheckpointError
from macjax.results.folders import flush
from macjax.results.manifest import plain

SCHEMA_VERSION = 1
MAGIC = b"macjax checkpoint "
HEAD = MAGIC + b"%d\n" % SCHEMA_VERSION
TAIL = b"sha256 %s\n"
TAIL_BYTES = len(TAIL % (b"0" * 64))
CHUNK_BYTES = 2**24


class DamagedError(CheckpointError):
    """A checkpoint file is not the one that was written."""


class _Digesting:
    """A file to which is written, and the SHA-256 of what was written."""

    def __init__(self, file):
        self.file, self.digest = file, hashlib.sha256()

    def write(self, data) -> int:
        self.digest.update(data)
        return self.file.write(data)


def write_file(
    path: Path, record: Mapping, arrays: Mapping[str, Callable[[], np.ndarray]]
) -> None:
    """Write a checkpoint, whole or not at all.

    Arguments:
        path: the file, which is replaced if it is there.
        record: plain values by name.
        arrays: what makes each array; one after another is made and written.
    """
    text = json.dumps(plain(record) | {"arrays": list(arrays)}, allow_nan=False)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "wb") as file:
            out = _Digesting(file)
            out.write(HEAD)
            _write_array(out, np.frombuffer(text.encode("utf-8"), np.uint8))
            for make in arrays.values():
                _write_array(out, make())
            file.write(TAIL % out.digest.hexdigest().encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        flush(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _write_array(out: _Digesting, array: np.ndarray) -> None:
    """One array in .npy format; its memory is handed on as it lies."""
    array = np.asarray(array, order="C")
    np.lib.format.write_array_header_1_0(
        out, np.lib.format.header_data_from_array_1_0(array)
    )
    data = array.reshape(-1).view(np.uint8).data
    for start in range(0, len(data), CHUNK_BYTES):
        out.write(data[start : start + CHUNK_BYTES])


def read_file(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Record and arrays of a checkpoint.

    Raises DamagedError if it is not what was written, CheckpointError if another
    version of the format wrote it.
    """
    try:
        with open(path, "rb") as file:
            size = _verify(file, path)
            file.seek(len(HEAD))
            record = json.loads(bytes(_read_array(file)).decode("utf-8"))
            arrays = {name: _read_array(file) for name in record["arrays"]}
            if file.tell() != size:
                raise ValueError("there is more than it names")
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise DamagedError(f"'{path}' is damaged: {error}") from error
    return record, arrays


def _read_array(file) -> np.ndarray:
    return np.lib.format.read_array(file, allow_pickle=False)


def _verify(file, path: Path) -> int:
    """Raise unless the digest at the end is that of what is before; returns its end."""
    end = os.fstat(file.fileno()).st_size - TAIL_BYTES
    head = file.readline(len(HEAD) + 20)
    if head.startswith(MAGIC) and head.endswith(b"\n") and head != HEAD:
        raise CheckpointError(
            f"'{path}' has format version {head[len(MAGIC) :].decode('latin1').strip()}"
            f"; this macjax reads {SCHEMA_VERSION}: resume with the macjax that wrote "
            "it"
        )
    if head != HEAD or end < len(HEAD):
        raise DamagedError(f"'{path}' is damaged: no checkpoint, or cut short")
    digest = hashlib.sha256(head)
    for chunk in _chunks(file, end - len(head)):
        digest.update(chunk)
    if file.read() != TAIL % digest.hexdigest().encode("ascii"):
        raise DamagedError(f"'{path}' is damaged: its SHA-256 is not the one written")
    return end


def _chunks(file, count: int) -> Iterable[bytes]:
    """The next bytes of a file, a piece at a time."""
    while count > 0:
        chunk = file.read(min(count, CHUNK_BYTES))
        if not chunk:
            return
        count -= len(chunk)
        yield chunk
