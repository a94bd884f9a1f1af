"""The folder of a sweep: what was asked for, and every result as soon as it is there.

    sweep.json                       what is varied and run, to repeat it
    cases.parquet, cases.csv         the frame so far
    cases/0001/mac/case.json         one case and method: its row, settings, versions
    cases/0001/mac/*.parquet         loads, prices, upgrades, infeasible, stranded
    cases/0001/mac/solution/         all of it, with keep="all"

Folders and files take their place in one step, and case.json carries the SHA-256 of
all that is beside it, so that a run that is started again knows what is finished.
"""

import contextlib
import datetime
import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from macjax._errors import CheckpointError, SettingsError
from macjax.config import flatten
from macjax.driver.lock import NAME as LOCK
from macjax.driver.lock import locked
from macjax.results import folders, manifest
from macjax.results.files import write_table
from macjax.results.summary import versions
from macjax.scenario.scenario import Scenario
from macjax.studies.cases import Case

SWEEP, CASES, CASE, SOLUTION = "sweep.json", "cases", "case.json", "solution"
FORMATS, SCHEMA_VERSION = ("macjax sweep", "macjax study"), 1
KEEP = ("tables", "all")
SHOWN, LONGEST = 5, 80  # differences that a refusal names, characters of a value


@contextlib.contextmanager
def opened(
    out: Path | None, what: dict, text: str, name: str = SWEEP
) -> Iterator[None]:
    """Hold the folder of a sweep or a study, new or begun by the same one.

    Arguments:
        out: absolute path, or None for a sweep that is not written.
        what: all that decides the results, in types of JSON.
        text: the configuration.
        name: of the file that says what was asked for.

    Raises:
        SettingsError: it cannot be written, or holds something else or another sweep.
    """
    if out is None:
        yield
        return
    folders.probe(out)
    what = manifest.plain(what)
    begun, kind = out / name, name.partition(".")[0]
    if begun.is_file():
        _compare(begun, what)
    elif foreign := [p.name for p in out.glob("*") if p.name != LOCK]:
        raise SettingsError(
            f"'{out}' is not the folder of a {kind} ({foreign[0]}); name another"
        )
    out.mkdir(parents=True, exist_ok=True)
    try:
        with locked(out):
            for left in out.glob(f"{CASES}/*/.*.part"):  # of a writing that was killed
                shutil.rmtree(left, ignore_errors=True)
            if not begun.is_file():
                record = {"what": what, "text": text}
                _write_json(begun, _sealed(record, f"macjax {kind}"))
            yield
    except CheckpointError as error:
        raise SettingsError(f"another {kind} is writing to '{out}'") from error


def case_folder(case: Case, method: str) -> Path:
    """Where a result is, relative to the folder of the sweep."""
    return Path(CASES, f"{case.number + 1:04d}", method)


def keep_case(
    out: Path, case: Case, method: str, row: dict, solution, keep: str
) -> dict:
    """Write the result of a method on a case, whole or not at all.

    Arguments:
        row: its numbers.
        solution: None where the method has none.
        keep: "tables", or "all" for the solution with schedule and scenario.

    Returns:
        The row with its folder, relative to that of the sweep.
    """
    place = case_folder(case, method)
    row = row | {"folder": place.as_posix()}

    def fill(folder: Path) -> None:
        record = {"values": case.shown, "method": method, "row": row}
        if solution is not None:
            _write_tables(solution, folder)
            if keep == "all":
                solution.write(folder / SOLUTION)
            record |= {
                "message": solution.message,
                "settings": solution.settings,
                "seconds": solution.seconds,
                "assumptions": solution.assumptions,
            }
        names = [p.relative_to(folder) for p in folder.rglob("*") if p.is_file()]
        files = {p.as_posix(): manifest.digest(folder / p) for p in sorted(names)}
        _write_json(folder / CASE, _sealed({**record, "files": files}))

    folders.replace_folder(out / place, fill)
    return row


def read_case(out: Path, case: Case, method: str) -> dict | None:
    """The row of a result that is there and whole; None if there is none.

    Raises:
        SettingsError: it is damaged or of another case.
    """
    place = folders.complete_folder(out / case_folder(case, method))
    if not place.exists():
        return None
    record = _read_json(place / CASE)
    if record.get("values") != manifest.plain(case.shown):
        raise SettingsError(f"'{place}' is of another case")
    for name, wanted in record["files"].items():
        path = place / name
        if not path.is_file() or manifest.digest(path) != wanted:
            raise SettingsError(f"'{path}' is damaged or missing")
    return record["row"]


def write_frame(frame: pd.DataFrame, out: Path) -> None:
    """Write cases.parquet and cases.csv in place of those that are there."""
    writers: dict[str, Callable] = {
        "cases.parquet": frame.to_parquet,
        "cases.csv": frame.to_csv,
    }
    for name, write in writers.items():
        part = out / f".{name}.{secrets.token_hex(4)}"
        try:
            write(part, index=False)
            folders.flush(part)
            part.replace(out / name)
        except OSError as error:
            raise SettingsError(
                f"cannot write '{out / name}': {error.strerror or error}"
            ) from error
        finally:
            part.unlink(missing_ok=True)


def _write_tables(solution, folder: Path) -> None:
    """What plots and reports need, without the schedule."""
    frames = {
        "loads": solution.loads(),
        "upgrades": solution.upgrades(),
        "infeasible": solution.infeasible,
        "stranded": solution.stranded,
        "history": solution.history,
    }
    if solution.has_prices:
        frames["prices"] = solution.prices()
    scenario: Scenario = solution.scenario
    for name, frame in frames.items():
        write_table(frame, name, scenario.fingerprint, folder)


def _compare(path: Path, what: dict) -> None:
    """Raise unless the folder was begun by the same sweep; say what differs."""
    there = flatten(_read_json(path).get("what", {}))
    here = flatten(what)
    differing = [
        f"{key} is {_shown(there, key)} there and {_shown(here, key)} here"
        for key in dict.fromkeys((*there, *here))
        if key not in there or key not in here or there[key] != here[key]
    ]
    if differing:
        more = len(differing) - SHOWN
        raise SettingsError(
            f"'{path.parent}' holds another {path.stem}: "
            + "; ".join(differing[:SHOWN])
            + (f"; and {more} more" if more > 0 else "")
            + "; name another folder"
        )


def _shown(record: dict, key: str) -> str:
    """A value as text, cut where it is long."""
    text = json.dumps(record[key]) if key in record else "not given"
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def _sealed(record: dict, format: str = FORMATS[0]) -> dict:
    """A record with what it is, when and by what it was written, and its SHA-256."""
    head = {
        "format": format,
        "schema_version": SCHEMA_VERSION,
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": versions(),
    }
    whole = manifest.plain(head | record)
    return whole | {manifest.SEAL: manifest.seal(whole)}


def _write_json(path: Path, record: dict) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
        part.write_text(text + "\n", encoding="utf-8")
        folders.flush(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _read_json(path: Path) -> dict:
    """A record as it was written; SettingsError if it is not."""
    try:
        record = json.loads(path.read_bytes().decode("utf-8"))
        whole = isinstance(record, dict) and record.get("format") in FORMATS
        whole = whole and record.get(manifest.SEAL) == manifest.seal(record)
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"'{path}' cannot be read: {error}") from error
    if not whole:
        raise SettingsError(f"'{path}' is damaged or was changed after it was written")
    version = record["schema_version"]
    if version != SCHEMA_VERSION:
        raise SettingsError(
            f"'{path}' has schema version {version!r}; this macjax reads "
            f"{SCHEMA_VERSION}"
        )
    return record
