"""A solution to a folder and back: Parquet and JSON, nothing that runs code.

    scenario/           the scenario itself
    schedule.parquet    the plan, as `schedule()` gives it
    prices.parquet, dual_ray.parquet, initial.parquet      where the method has them
    beside.parquet      in a part of a solution, see parts.py
    loads.parquet, upgrades.parquet                        for readers without macjax
    infeasible.parquet, stranded.parquet, dropped.parquet, history.parquet
    objective.json, solution.json, README.txt

Reading verifies the SHA-256 of every file, then the page checksums, then that the
tables are of this scenario, and rebuilds the arrays exactly.
"""

import datetime
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from macjax._errors import MacjaxError, SettingsError, SolutionError
from macjax._status import Status
from macjax.objectives import objective_from_dict
from macjax.results import folders, manifest, schema, tables
from macjax.results.parts import Part, part_folder
from macjax.scenario.arrow import as_arrow, column_to_pandas
from macjax.scenario.plan import Plan
from macjax.scenario.scenario import Scenario

NUMBERS = ("objective", "lower_bound", "gap", "unmanaged_objective")
WORDS = ("method", "message", "tube", "on_infeasible")


def check_output(folder: str | os.PathLike) -> Path:
    """Raise a SettingsError unless a solution can be written to `folder`.

    It has to be a place where files can be made, and missing, empty or the folder of a
    solution, which would be replaced. Returns the absolute path.
    """
    path = folders.resolved(folder)
    folders.probe(path)
    foreign = manifest.foreign_entries(folders.complete_folder(path))
    if foreign is None:
        raise SettingsError(
            f"'{path}' is not empty and not the folder of a solution; name another"
        )
    if inside := [name for name in foreign if "/" in name]:
        raise SettingsError(
            f"'{path / inside[0]}' is not of the solution there and would be lost; "
            "move it away"
        )
    return path


def write_solution(solution, folder: str | os.PathLike) -> Path:
    """Write a solution to a folder, whole or not at all; returns the absolute path.

    A solution that is there is replaced; files beside it that are not its own stay. A
    part of a solution goes into a folder of its own below it.
    """
    if solution.part is not None:
        folder = part_folder(folder, solution.part)
    path = check_output(folder)
    keep = manifest.foreign_entries(folders.complete_folder(path)) or []
    folders.replace_folder(path, lambda part: _fill(solution, part), keep)
    return path


def _frames(solution) -> dict[str, pd.DataFrame]:
    """The tables of a solution by name."""
    scenario, ids = solution.scenario, solution.scenario.vehicles["vehicle_id"]
    frames = {
        "schedule": solution.schedule(),
        "loads": solution.loads(),
        "upgrades": solution.upgrades(),
        "infeasible": solution.infeasible,
        "stranded": solution.stranded,
        "history": solution.history,
    }
    dropped = tables.select_vehicles(scenario, solution.dropped)
    frames["dropped"] = pd.DataFrame({"vehicle_id": ids.array.take(dropped)})
    if solution.price_table is not None:
        frames["prices"] = solution.prices()
    if solution.dual_ray is not None:
        frames["dual_ray"] = tables.cell_prices(scenario, solution.dual_ray, "ray")
    if solution.part is not None:
        beside = solution.part.beside_kw
        frames["beside"] = tables.cell_prices(scenario, beside, "ev_kw")
    if solution.initial_kwh is not None:
        frames["initial"] = pd.DataFrame(
            {"vehicle_id": ids, "initial_kwh": solution.initial_kwh}
        )
    return frames


def _fill(solution, folder: Path) -> None:
    """Write all files of a solution into an empty folder."""
    kept = {entry.name for entry in folder.iterdir()}
    scenario, frames = solution.scenario, _frames(solution)
    scenario.write(folder / "scenario")
    for name, frame in frames.items():
        write_table(frame, name, scenario.fingerprint, folder)
    spec = solution.objective_spec
    text = json.dumps(None if spec is None else spec.to_dict(), default=manifest.plain)
    (folder / "objective.json").write_text(text, encoding="utf-8")
    readme = schema.readme(
        f"A charging schedule by macjax: {solution.method}, {solution.status}",
        solution.summary().to_string(),
        solution.assumptions,
        list(frames),
    )
    names = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] not in kept
    ]
    rows = {f"{name}.parquet": len(frame) for name, frame in frames.items()}
    manifest.write_manifest(folder, _record(solution), rows, names)
    (folder / manifest.README).write_text(readme, encoding="utf-8")


def write_table(frame: pd.DataFrame, name: str, fingerprint: str, folder: Path) -> Path:
    """Write a table of a solution as Parquet that says what it is; returns its path.

    Arguments:
        name: of the table, as in `macjax.results.schema`.
        fingerprint: of the scenario.
        folder: an existing folder.
    """
    path = folder / f"{name}.parquet"
    pq.write_table(
        _to_arrow(frame, name, fingerprint),
        path,
        compression="zstd",
        write_page_checksum=True,
    )
    return path


def _record(solution) -> dict:
    """What solution.json says beside its list of files."""
    scenario = solution.scenario
    return {
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "scenario": {
            "name": scenario.name,
            "fingerprint": scenario.fingerprint,
            "vehicle_to_grid": scenario.vehicle_to_grid,
        },
        "status": solution.status,
        **{word: getattr(solution, word) for word in WORDS},
        **{number: getattr(solution, number) for number in NUMBERS},
        "iterations": solution.iterations,
        "has_plan": solution.plan is not None,
        "part": None
        if solution.part is None
        else {k: getattr(solution.part, k) for k in ("index", "count", "run")},
        "objective_spec": repr(solution.objective_spec),
        "seconds": solution.seconds,
        "settings": solution.settings,
        "assumptions": solution.assumptions,
        "versions": solution.versions,
        "summary": solution.summary().to_dict(),
        "tables": schema.described(),
    }


def _to_arrow(frame: pd.DataFrame, name: str, fingerprint: str) -> pa.Table:
    """A frame as an Arrow table that says what it is and of which scenario."""
    row, columns = schema.TABLES[name]
    about = {
        "format": schema.FORMAT,
        "schema_version": schema.SCHEMA_VERSION,
        "table": name,
        "scenario": fingerprint,
        "row": row,
        "columns": columns,
    }
    data = {str(c): as_arrow(frame[c]) for c in frame.columns}
    return pa.table(data, metadata={"macjax": json.dumps(about)})


def read_solution(folder: str | os.PathLike) -> dict:
    """What `write_solution` wrote, verified, as keyword arguments of `Solution`.

    Raises SolutionError, which names the file, for anything that is missing, damaged,
    of another solution or scenario, or of another version of the format.
    """
    path = folders.complete_folder(folders.resolved(folder))
    record = manifest.read_manifest(path)
    try:
        return _Reader(path, record).arguments()
    except SolutionError:
        raise
    except MacjaxError as error:
        raise SolutionError(f"'{path}' does not hold: {error}") from error
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise SolutionError(f"'{path}' does not hold: {reason}") from error


class _Reader:
    """Rebuilds a solution from a folder whose files have been verified."""

    def __init__(self, folder: Path, record: dict):
        self.folder, self.record = folder, record
        about = record["scenario"]
        place = folder / "scenario"
        self.scenario = Scenario.read(place, vehicle_to_grid=about["vehicle_to_grid"])
        if self.scenario.fingerprint != about["fingerprint"]:
            raise SolutionError(f"'{place}' is not the scenario of this solution")

    def arguments(self) -> dict:
        """The keyword arguments of `Solution`."""
        record, vehicles = self.record, len(self.scenario.vehicles)
        spec = json.loads((self.folder / "objective.json").read_text("utf-8"))
        dropped = self.table("dropped", vehicles)["vehicle_id"]
        return {
            "scenario": self.scenario,
            "plan": self.plan() if record["has_plan"] else None,
            "status": Status(record["status"]),
            **{word: record[word] for word in WORDS},
            **{number: float(record[number]) for number in NUMBERS},
            "iterations": record["iterations"],
            "history": self.table("history"),
            "seconds": record["seconds"],
            "prices": self.cells("prices", "price"),
            "dual_ray": self.cells("dual_ray", "ray"),
            "objective_spec": None if spec is None else objective_from_dict(spec),
            "infeasible": self.table("infeasible", vehicles),
            "stranded": self.table("stranded", vehicles),
            "dropped": dropped.tolist(),
            "initial_kwh": self.initial(),
            "settings": record["settings"],
            "assumptions": record["assumptions"],
            "versions": record["versions"],
            "part": self.part(),
        }

    def wrong(self, name: str, what: str) -> SolutionError:
        """An error about one table."""
        return SolutionError(f"'{self.folder / name}.parquet' does not hold: {what}")

    def arrow(self, name: str, most: int | None = None) -> pa.Table:
        """A table whose form, number of rows and scenario are as they should be."""
        path, rows = self.folder / f"{name}.parquet", self.record["files"]
        rows = rows[f"{name}.parquet"]["rows"]
        try:
            footer = pq.read_metadata(path)
            if footer.num_rows != rows or (most is not None and rows > most):
                raise self.wrong(name, f"{footer.num_rows} rows")
            table = pq.read_table(
                path, page_checksum_verification=True, partitioning=None
            )
            about = json.loads((table.schema.metadata or {}).get(b"macjax", b"null"))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self.wrong(name, str(error)) from error
        wanted = {"table": name, "scenario": self.scenario.fingerprint}
        if not isinstance(about, dict) or not wanted.items() <= about.items():
            raise self.wrong(name, "it is another table or of another scenario")
        columns = schema.TABLES[name][1]
        if missing := [c for c in columns if c not in table.column_names]:
            raise self.wrong(name, f"no column '{missing[0]}'")
        return table

    def table(self, name: str, most: int | None = None) -> pd.DataFrame:
        """A table as a frame."""
        arrow = self.arrow(name, most)
        data = {c: column_to_pandas(arrow.column(c)) for c in arrow.column_names}
        return pd.DataFrame(data)

    def same_keys(self, name: str, frame: pd.DataFrame, arrow: pa.Table, keys) -> None:
        """Raise a SolutionError unless the key columns are those of the scenario."""
        for key in keys:
            wanted = as_arrow(frame[key])
            if not arrow.column(key).combine_chunks().cast(wanted.type).equals(wanted):
                raise self.wrong(name, f"'{key}' is not as in the scenario")

    def plan(self) -> Plan:
        """The plan of schedule.parquet, whose other columns must follow from it."""
        arrow = self.arrow("schedule")
        times = pd.DatetimeIndex(column_to_pandas(arrow.column("time")))
        slot = pd.DatetimeIndex(self.scenario.slot_starts).get_indexer(times)
        plan = Plan(
            arrow.column("stay").to_numpy().astype(np.int64, casting="safe"),
            slot.astype(np.int32),
            arrow.column("kw").to_numpy().astype(np.float64, casting="safe"),
        )
        if fault := tables.check_plan(self.scenario, plan):
            raise self.wrong("schedule", fault)
        frame = tables.schedule(self.scenario, plan)
        self.same_keys("schedule", frame, arrow, ("vehicle_id", "time", "feeder_id"))
        return plan

    def cells(self, name: str, column: str) -> np.ndarray | None:
        """The (F, T) array of a table with a row for every feeder and slot."""
        if f"{name}.parquet" not in self.record["files"]:
            return None
        shape = len(self.scenario.feeders), self.scenario.slots
        arrow = self.arrow(name, shape[0] * shape[1])
        values = arrow.column(column).to_numpy().astype(np.float64, casting="safe")
        if values.size != shape[0] * shape[1]:
            raise self.wrong(name, f"{values.size} rows, not {shape[0] * shape[1]}")
        frame = tables.cell_prices(self.scenario, values.reshape(shape), column)
        self.same_keys(name, frame, arrow, ("feeder_id", "time"))
        return values.reshape(shape)

    def part(self) -> Part | None:
        """Which part of a solution this is."""
        about, beside = self.record.get("part"), self.cells("beside", "ev_kw")
        if about is None or beside is None:
            return None
        return Part(**about, beside_kw=beside)

    def initial(self) -> np.ndarray | None:
        """SOC at the start per vehicle, where the method has its own."""
        if "initial.parquet" not in self.record["files"]:
            return None
        arrow = self.arrow("initial", len(self.scenario.vehicles))
        ids = self.scenario.vehicles[["vehicle_id"]]
        self.same_keys("initial", ids, arrow, ("vehicle_id",))
        values = arrow.column("initial_kwh").to_numpy()
        return values.astype(np.float64, casting="safe")
