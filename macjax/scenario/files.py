"""A scenario folder: scenario.toml and one Parquet or CSV file per table.

Parquet pages carry checksums that are verified when reading. Writing goes to a new
folder beside the target, which then takes the target's name in one step, so that a
crash leaves the old scenario or the new one.
"""

import contextlib
import csv
import json
import os
import secrets
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from macjax._errors import Fault, SettingsError
from macjax.scenario.arrow import as_arrow, column_to_pandas
from macjax.scenario.header import FILE, Header
from macjax.scenario.part import PARTED, IdRange, id_range, read_range
from macjax.scenario.schema import TABLES

FORMATS = ("parquet", "csv")
TOML_LIMIT = 1_000_000
_BROKEN = (pa.ArrowException, OSError, ValueError, KeyError, NotImplementedError)


class Folder(NamedTuple):
    """What a folder holds.

    Arguments:
        keys: the keys of scenario.toml, None if they cannot be read.
        frames: the tables that can be read, as they stand in the files.
        text_tables: tables from CSV files, in which every column is text.
        faults: files that are missing or cannot be read.
        ids: range of the vehicles that were read; None is all.
    """

    keys: Mapping | None
    frames: dict[str, pd.DataFrame]
    text_tables: frozenset[str]
    faults: list[Fault]
    ids: IdRange | None = None


def read_folder(
    folder: str | os.PathLike, part: tuple[int, int] | None = None
) -> Folder:
    """Read all files of a scenario; what cannot be read becomes a fault.

    Arguments:
        folder: the folder.
        part: index and count, to read a part of the vehicles alone.
    """
    folder = folder_path(folder)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        advice = "give the folder that holds scenario.toml and the tables"
        fault = Fault("scenario", "folder", f"{folder} {what}; {advice}")
        return Folder(None, {}, frozenset(), [fault])
    keys, faults = _read_keys(folder / FILE)
    frames, text_tables, ids = {}, set(), None
    for name in TABLES:
        paths = [folder / f"{name}.{ending}" for ending in FORMATS]
        there = [path for path in paths if path.exists()]
        if len(there) != 1:
            rule = f"the file {paths[0].name} (or {paths[1].name}) is missing"
            if there:
                rule = f"{paths[0].name} and {paths[1].name} are both there; keep one"
            faults.append(Fault(name, "file", rule))
            continue
        try:
            share = part if name in PARTED else None
            if share is not None and there[0].suffix == ".csv":
                raise UnreadableError(
                    "is CSV, which cannot be read in parts; Scenario.read(folder)"
                    ".write(...) makes Parquet of it"
                )
            if share is not None and name == "vehicles":
                ids = _id_range(there[0], share)
            frames[name] = _read_table(there[0], ids if share is not None else None)
        except UnreadableError as error:
            faults.append(Fault(name, "file", f"{there[0].name} {error}"))
            continue
        if there[0].suffix == ".csv":
            text_tables.add(name)
    return Folder(keys, frames, frozenset(text_tables), faults, ids)


def _id_range(path: Path, part: tuple[int, int]) -> IdRange | None:
    try:
        return id_range(path, part)
    except _BROKEN:
        return None  # reading the table says what is wrong


def folder_path(folder) -> Path:
    """A path; SettingsError for what is neither text nor a path."""
    if isinstance(folder, str | os.PathLike) and "\0" not in os.fsdecode(folder):
        return Path(os.fsdecode(folder))
    raise SettingsError(f"folder must be text or a path; got {folder!r}")


class UnreadableError(Exception):
    """A file does not hold a table; the text completes `<file> ...`."""


def _read_keys(path: Path) -> tuple[Mapping | None, list[Fault]]:
    try:
        if path.stat().st_size > TOML_LIMIT:
            raise ValueError(f"it has more than {TOML_LIMIT} bytes")
        return tomllib.loads(path.read_text("utf-8-sig")), []
    except FileNotFoundError:
        rule = "the file is missing"
    except (OSError, ValueError, RecursionError) as error:
        rule = f"cannot be read: {_first_line(error)}"
    return None, [Fault(FILE, "file", rule)]


def _read_table(path: Path, ids: IdRange | None = None) -> pd.DataFrame:
    if not path.is_file():
        raise UnreadableError("is not a file")
    if path.stat().st_size == 0:
        raise UnreadableError("is empty (0 bytes)")
    try:
        return _read_csv(path) if path.suffix == ".csv" else _read_parquet(path, ids)
    except UnicodeDecodeError as error:
        raise UnreadableError("is not UTF-8 text") from error
    except (*_BROKEN, csv.Error) as error:
        kind = "CSV" if path.suffix == ".csv" else "Parquet"
        raise UnreadableError(
            f"cannot be read as {kind}, it may be cut or damaged: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _read_parquet(path: Path, ids: IdRange | None = None) -> pd.DataFrame:
    """Read column by column, so that only one of them is in memory twice.

    Of a range of ids only its rows are read, and no more than a batch beside them.
    """
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        names = file.schema_arrow.names
        rows = file.metadata.num_rows
        if ids is None:
            _refuse_bomb(rows * max(len(names), 1) * 8)
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise UnreadableError(f"has several columns of one name: {twice}")
        part = None if ids is None else read_range(file, ids)
        rows = rows if part is None else len(part)
        columns = {}
        for name in names:
            if name.startswith("__index_level_"):
                continue
            column = (
                file.read(columns=[name], use_pandas_metadata=False)[name]
                if part is None
                else part[name]
            )
            column.validate(full=True)
            if len(column) != rows:
                raise UnreadableError(f"has {len(column)} values of {rows} in {name}")
            columns[name] = column_to_pandas(column)
    return pd.DataFrame(columns, index=pd.RangeIndex(rows), copy=False)


def _refuse_bomb(size: int) -> None:
    """A small file can claim any number of rows; more than the memory is refused."""
    with contextlib.suppress(ValueError, OSError, AttributeError):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if size > memory:
            raise UnreadableError(
                f"claims {size / 2**30:.0f} GiB, more than the memory of this machine"
            )


def _read_csv(path: Path) -> pd.DataFrame:
    """Every column as text: what it means is decided by the schema, not by guessing."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file), [])
        header_alone = bool(names) and not next(file, "")
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise UnreadableError(f"has several columns of one name: {twice}")
    for mark, word in ((";", "';'"), ("\t", "tabs")):
        if len(names) == 1 and mark in names[0]:
            raise UnreadableError(
                f"has its columns parted by {word}; part them by ',' and write "
                "numbers with a decimal point"
            )
    if header_alone:  # Arrow refuses a header that no line end follows
        nothing = column_to_pandas(pa.chunked_array([], pa.large_string()))
        return pd.DataFrame(dict.fromkeys(names, nothing))
    table = pa.csv.read_csv(
        path,
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.large_string() for name in names},
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    columns = {name: column_to_pandas(table[name]) for name in names}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(table)), copy=False)


def write_folder(
    folder: str | os.PathLike,
    header: Header,
    tables: Mapping[str, pd.DataFrame],
    form: str = "parquet",
) -> None:
    """Write a scenario; an older scenario in the same folder is replaced as a whole."""
    if form not in FORMATS:
        raise SettingsError(f"format must be one of {', '.join(FORMATS)}; got {form!r}")
    if form == "csv":
        _refuse_csv(tables)
    folder = Path(os.path.abspath(folder_path(folder)))
    _refuse_foreign(folder)
    with _replacing(folder) as fresh:
        (fresh / FILE).write_text(_toml(header), encoding="utf-8")
        for name, frame in tables.items():
            table = pa.Table.from_pandas(frame, preserve_index=False)
            if form == "csv":
                pa.csv.write_csv(table, fresh / f"{name}.csv")
            else:
                path = fresh / f"{name}.parquet"
                pq.write_table(
                    table, path, compression="zstd", write_page_checksum=True
                )


def _refuse_csv(tables: Mapping[str, pd.DataFrame]) -> None:
    """Refuse what CSV cannot hold.

    Text ids that all look like whole numbers would come back as numbers; extra columns
    may hold lists and the like.
    """
    for name, key in (("vehicles", "vehicle_id"), ("feeders", "feeder_id")):
        ids = tables[name][key]
        if isinstance(ids.dtype, pd.StringDtype) and len(ids):
            texts = as_arrow(ids).to_pylist()[:1]
            if texts and ids.str.fullmatch(r"0|-?[1-9]\d{0,18}").all():
                raise SettingsError(
                    f"{name}.{key} is text such as '{texts[0]}', which CSV would turn "
                    "into whole numbers; write Parquet"
                )
    for name, frame in tables.items():
        for column in frame.columns.difference(TABLES[name].names, sort=False):
            first = pa.table({"column": pa.array(frame[column][:1], from_pandas=True)})
            try:
                pa.csv.write_csv(first, pa.BufferOutputStream())
            except pa.ArrowException as error:
                raise SettingsError(
                    f"{name}.{column} cannot be written as CSV: {_first_line(error)}; "
                    "write Parquet or leave the column out"
                ) from error


def _refuse_foreign(folder: Path) -> None:
    """Only a scenario, an empty folder or nothing may be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise SettingsError(f"{folder} is a file; give a folder to write to")
    own = {FILE} | {f"{name}.{ending}" for name in TABLES for ending in FORMATS}
    there = sorted(path.name for path in folder.iterdir())
    foreign = [name for name in there if name not in own]
    if foreign or (there and FILE not in there):
        name = (foreign or there)[0]
        raise SettingsError(
            f"{folder} is not a scenario folder (it holds '{name}'); nothing was "
            "written, give a new folder"
        )


@contextlib.contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its place when the block ends well."""
    mark = secrets.token_hex(4)
    fresh = folder.parent / f".{folder.name}.{mark}.new"
    aside = folder.parent / f".{folder.name}.{mark}.old"
    try:
        fresh.mkdir(parents=True)
        yield fresh
        for path in (*fresh.iterdir(), fresh):
            _flush(path)
        if folder.exists():
            folder.rename(aside)
            try:
                fresh.rename(folder)
            except OSError:
                aside.rename(folder)
                raise
            shutil.rmtree(aside, ignore_errors=True)
        else:
            fresh.rename(folder)
    except (OSError, UnicodeEncodeError, pa.ArrowException) as error:
        raise SettingsError(f"cannot write to {folder}: {error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _flush(path: Path) -> None:
    """Push a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _toml(header: Header) -> str:
    lines = []
    keys = header._asdict() | {"start": header.start.isoformat()}
    for key, value in keys.items():
        if isinstance(value, str):
            # TOML escapes as JSON does, and DEL too.
            value = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        lines.append(f"{key} = {value}\n")
    return "".join(lines)
