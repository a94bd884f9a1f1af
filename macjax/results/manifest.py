"""solution.json: what a folder holds and the SHA-256 of every file of it.

The manifest carries its own SHA-256 too, so a cut, flipped, swapped or edited file is
noticed before anything in it is used. This guards against damage and mixed-up files; it
is no signature.
"""

import enum
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from macjax._errors import SolutionError
from macjax.results.schema import FORMAT, SCHEMA_VERSION

NAME = "solution.json"
README = "README.txt"
LARGEST_MANIFEST = 64 * 2**20
SEAL = "manifest_sha256"
LONGEST_TEXT = 200


def plain(value: Any) -> Any:
    """A value in the types of JSON; numbers that are not finite become text.

    Anything that JSON does not know is shown by its `repr`, cut to 200 characters.
    """
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return repr(value)[:LONGEST_TEXT]


def digest(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(record: Mapping) -> str:
    """SHA-256 of a record without its own seal, independent of spaces and order."""
    rest = {key: value for key, value in record.items() if key != SEAL}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _files(folder: Path) -> Iterator[str]:
    """Relative names of all files of a folder but the manifest and the README."""
    for root, _, names in os.walk(folder):
        for name in names:
            relative = Path(root, name).relative_to(folder).as_posix()
            if relative not in (NAME, README):
                yield relative


def write_manifest(
    folder: Path, record: Mapping, rows: Mapping[str, int], names: list[str]
) -> None:
    """Write solution.json of a folder whose other files are complete.

    Arguments:
        record: what it says beside the list of files.
        rows: number of rows of the tables, by file name.
        names: the files that belong to the solution, relative to the folder.
    """
    files = {}
    for name in sorted(names):
        path = folder / name
        files[name] = {"bytes": path.stat().st_size, "sha256": digest(path)}
        if name in rows:
            files[name]["rows"] = rows[name]
    head = {"format": FORMAT, "schema_version": SCHEMA_VERSION}
    whole = plain(head | dict(record) | {"files": files})
    whole[SEAL] = seal(whole)
    text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / NAME).write_text(text + "\n", encoding="utf-8")


def _load(folder: Path) -> dict:
    """The manifest as it stands; SolutionError unless it is one of macjax."""
    path = folder / NAME
    if not folder.is_dir():
        raise SolutionError(f"'{folder}' is not a folder; there is no solution to read")
    if not path.is_file():
        raise SolutionError(f"'{folder}' is not the folder of a solution: no {NAME}")
    try:
        if path.stat().st_size > LARGEST_MANIFEST:
            raise ValueError(f"more than {LARGEST_MANIFEST} bytes")
        record = json.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SolutionError(f"'{path}' is damaged: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise SolutionError(f"'{path}' is not of macjax: no format '{FORMAT}'")
    return record


def read_manifest(folder: Path) -> dict:
    """The manifest, after it and every file that it lists have been verified.

    Raises SolutionError that names the file and what is wrong with it.
    """
    record, path = _load(folder), folder / NAME
    version = record.get("schema_version")
    if version != SCHEMA_VERSION:
        raise SolutionError(
            f"'{path}' has schema version {version!r}; this macjax reads "
            f"{SCHEMA_VERSION}: read it with the macjax that wrote it"
        )
    try:
        sealed = seal(record)
    except (ValueError, RecursionError) as error:
        raise SolutionError(f"'{path}' is damaged: {error}") from error
    if record.get(SEAL) != sealed:
        raise SolutionError(f"'{path}' was changed after it was written")
    files = record.get("files")
    if not isinstance(files, dict):
        raise SolutionError(f"'{path}' lists no files")
    for name, entry in files.items():
        _verify(folder, name, entry)
    extra = [f for f in _files(folder / "scenario") if f"scenario/{f}" not in files]
    if extra:
        raise SolutionError(
            f"'{folder / 'scenario' / extra[0]}' is not of the solution"
        )
    return record


def _verify(folder: Path, name: str, entry: Any) -> None:
    """Raise a SolutionError unless the file is there and is the one written."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name:
        raise SolutionError(f"'{folder / NAME}' lists a file outside: {name!r}")
    path = folder / name
    if not path.is_file():
        raise SolutionError(f"'{path}' is missing")
    try:
        size, wanted = path.stat().st_size, entry["bytes"]
        same = size == wanted and digest(path) == entry["sha256"]
    except (OSError, TypeError, KeyError) as error:
        raise SolutionError(f"'{path}' cannot be verified: {error}") from error
    if size != wanted:
        raise SolutionError(f"'{path}' has {size} bytes, {wanted} were written")
    if not same:
        raise SolutionError(
            f"'{path}' is damaged or of another solution: its SHA-256 is not the one "
            f"in {NAME}"
        )


def foreign_entries(folder: Path) -> list[str] | None:
    """Entries of a solution's folder that are not of the solution.

    They are names in the folder itself, or `scenario/...`; None if the folder is not
    that of a solution. A missing or empty folder has none.
    """
    if not folder.exists() or not any(folder.iterdir()):
        return []
    try:
        files = _load(folder).get("files")
    except SolutionError:
        return None
    if not isinstance(files, dict):
        return None
    own = {PurePosixPath(name).parts[0] for name in files if name} | {NAME, README}
    beside = sorted({entry.name for entry in folder.iterdir()} - own)
    within = [f"scenario/{name}" for name in _files(folder / "scenario")]
    return beside + [name for name in within if name not in files]
