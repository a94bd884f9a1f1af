"""`Imported`: what an importer made of its files, and how it becomes a scenario."""

import dataclasses
import os
from pathlib import Path

import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.findings import Findings
from macjax.importers.horizon import Horizon
from macjax.importers.join import feeder_of_stays
from macjax.scenario.scenario import Scenario

TABLES = ("vehicles", "stays", "trips", "feeders", "feeder_profile")
NO_FEEDERS = {
    "feeders": ["feeder_id"],
    "feeder_profile": ["feeder_id", "hour", "capacity_kw", "base_kw"],
}


@dataclasses.dataclass(frozen=True)
class Imported:
    """The tables that a format holds, and the report of what it holds beyond them.

    Arguments:
        name: free text, of the scenario.
        report: one row a finding: file, lines (of the first ten rows), column, what,
            action (left out, changed, assumed, not read), count, ids (first ten).
        horizon: start, timezone, slot_minutes and slots; None where a format has
            nothing but daily profiles.
        vehicles, stays, trips: tables of a fleet, None for a format of feeders. Stays
            keep where they are in columns of their own (zone, x and y, site).
        feeders, feeder_profile: tables of a network, None for a format of vehicles.
    """

    name: str
    report: pd.DataFrame
    horizon: Horizon | None = None
    vehicles: pd.DataFrame | None = None
    stays: pd.DataFrame | None = None
    trips: pd.DataFrame | None = None
    feeders: pd.DataFrame | None = None
    feeder_profile: pd.DataFrame | None = None

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """The tables there are, by name, as `Scenario.from_frames` takes them."""
        found = {name: getattr(self, name) for name in TABLES}
        return {name: frame for name, frame in found.items() if frame is not None}

    def scenario(
        self,
        name: str | None = None,
        currency: str = "USD",
        vehicle_to_grid: bool | None = None,
    ) -> Scenario:
        """The tables as a checked scenario.

        Without feeders every stay is off the studied feeders: such a scenario can be
        validated and written, and has nothing to overload.

        Arguments:
            name: free text; None is the name of the import.
            currency: for reports.
            vehicle_to_grid: as in `Scenario.from_frames`.

        Raises:
            SettingsError: there are no vehicles.
            DataError: the tables break the data contract.
        """
        if self.vehicles is None or self.horizon is None:
            raise SettingsError(
                f"'{self.name}' holds feeders and no vehicles; give it to "
                "with_feeders() of imported vehicles, or to Scenario.from_frames()"
            )
        frames = dict(self.frames)
        for table, columns in NO_FEEDERS.items():
            frames.setdefault(table, pd.DataFrame(columns=columns))
        keys = self.horizon._asdict() | {"start": self.horizon.start.isoformat()}
        return Scenario.from_frames(
            name=self.name if name is None else name,
            currency=currency,
            vehicle_to_grid=vehicle_to_grid,
            **keys,
            **frames,
        )

    def with_feeders(self, network, link=None, by: str | None = None) -> "Imported":
        """The vehicles of this import on the feeders of another one.

        Arguments:
            network: an `Imported` with feeders, or a pair of frames (feeders,
                feeder_profile).
            link: which feeder serves which stay. The id of one feeder: all stays that
                have a charger. A mapping, a Series or a frame of two columns from the
                values of the column `by` of the stays to feeder ids. None: the
                nearest feeder, by the columns x and y, which both tables must have
                in one coordinate system.
            by: the column of the stays that `link` maps, e.g. `zone`.

        Returns:
            a new import; stays that the link does not name have no feeder, are free
            to charge, and stand in its report.
        """
        if self.stays is None:
            raise SettingsError(f"'{self.name}' has no stays to put on feeders")
        feeders, profile, report = _network(network)
        findings = Findings("wrong link", "error")
        feeder = feeder_of_stays(self.stays, feeders, link, by, findings)
        reports = [r for r in (self.report, report, findings.report()) if len(r)]
        return dataclasses.replace(
            self,
            stays=self.stays.assign(feeder_id=feeder.to_numpy()),
            feeders=feeders,
            feeder_profile=profile,
            report=pd.concat(reports, ignore_index=True) if reports else report,
        )

    def write(self, folder: str | os.PathLike) -> None:
        """Write `scenario` (a folder) or the tables there are, and `report.csv`.

        Raises:
            SettingsError: the folder cannot be written.
        """
        folder = Path(folder)
        scenario = self.scenario() if self.vehicles is not None else None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if scenario is not None:
                scenario.write(folder / "scenario")
            else:
                for name, frame in self.frames.items():
                    frame.to_parquet(folder / f"{name}.parquet", index=False)
            self._report_text().to_csv(folder / "report.csv", index=False)
        except OSError as error:
            raise SettingsError(f"cannot write to {folder}: {error}") from error

    def _report_text(self) -> pd.DataFrame:
        """The report with lists of lines and ids as text."""
        report = self.report.copy()
        for column in ("lines", "ids"):
            joined = ["; ".join(str(v) for v in values) for values in report[column]]
            report[column] = pd.Series(joined, dtype=object, index=report.index)
        return report

    def summary(self) -> str:
        """Counts of the tables and one line a finding, for people."""
        counts = ", ".join(f"{len(f):,} {name}" for name, f in self.frames.items())
        lines = [f"{self.name}: {counts}"]
        for row in self._report_text().to_dict("records"):
            where = f"{row['file']}.{row['column']}" if row["column"] else row["file"]
            shown = f": {row['ids']}" if row["ids"] else ""
            if not shown and row["lines"]:
                shown = f": line {row['lines']}"
            lines.append(
                f"  {row['action']}: {where}: {row['what']} [{row['count']:,}]{shown}"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(f)} {name}" for name, f in self.frames.items())
        return f"Imported({self.name!r}: {counts}; {len(self.report)} findings)"


def _network(network) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """feeders, feeder_profile and report of an import or of a pair of frames."""
    if isinstance(network, Imported):
        if network.feeders is None or network.feeder_profile is None:
            raise SettingsError(f"'{network.name}' has no feeders")
        return network.feeders, network.feeder_profile, network.report
    is_pair = isinstance(network, tuple | list) and len(network) == 2
    if not is_pair or not all(isinstance(frame, pd.DataFrame) for frame in network):
        raise SettingsError(
            "network must be an import with feeders or a pair of frames (feeders, "
            f"feeder_profile); got {type(network).__name__}"
        )
    return *network, Findings("", "error").report()
