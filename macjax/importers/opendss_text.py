"""Service transformers as feeders: from OpenDSS text, or from tables made of it.

    capacity [kW] = kVA x loading x power factor

All transformers that feed one island of the circuit are one feeder; those behind which
further transformers begin are their parents and carry their load too.
"""

from pathlib import Path

import numpy as np

from macjax._errors import SettingsError
from macjax.importers.files import sources
from macjax.importers.findings import Findings
from macjax.importers.opendss_banks import read_service
from macjax.importers.opendss_shapes import take_days
from macjax.importers.profiles import (
    check_cost,
    check_share,
    optional_horizon,
    placed_profile,
)
from macjax.importers.result import Imported
from macjax.importers.sheet import TABLE_ENDINGS, read_sheets
from macjax.importers.smartds_tables import Service, read_tables

RATINGS = ("rated", "normal", "emergency")
MAIN_FILES = ("master.dss",)


def opendss(
    paths,
    *,
    start=None,
    timezone: str = "UTC",
    slot_minutes: int = 60,
    days: int = 1,
    rating: str = "rated",
    power_factor: float = 0.95,
    loading: float = 1.0,
    base_day: int | None = None,
    upgrade_cost_per_kw: float = 1.0,
    root=None,
    name: str = "OpenDSS transformers",
    on_fault: str = "error",
) -> Imported:
    """Import the transformers of an OpenDSS circuit as feeders, with their base load.

    Arguments:
        paths: the main .dss file, or a folder with a Master.dss; or tables of
            transformers, loads and profiles as CSV or Parquet.
        start: first slot of a profile by time; None is a profile by hour of the day.
        timezone: IANA name of the zone of a start without an offset.
        slot_minutes, days: of a profile by time: length of a slot [min], how many days.
        rating: `rated` kVA, `normal` (normhkva, else 110 %), or `emergency`
            (emerghkva, else 150 %).
        power_factor: active over apparent power.
        loading: planning limit, as a share of the rating.
        base_day: first day of the load shapes that is taken, counted from 1; None is
            the day with the largest load.
        upgrade_cost_per_kw: of all feeders [currency/kW].
        root: folder that redirects and load shapes may not leave; None is the folder
            of the main file.
        name: of the import.
        on_fault: `error`, or `drop` loads and transformers with faults.

    Returns:
        feeders, with rated_kva, and feeder_profile.
    """
    if rating not in RATINGS:
        raise SettingsError(f"rating must be one of {RATINGS}; got {rating!r}")
    factor = check_share("power_factor", power_factor) * check_share("loading", loading)
    horizon = optional_horizon(start, timezone, slot_minutes, days)
    cost = check_cost(upgrade_cost_per_kw)
    findings = Findings(f"wrong input for {name}", on_fault)
    main = _main_file(paths)
    service = _read(paths, main, root, findings)
    service = _rated(service, findings)
    feeders, kva = service.feeders.copy(), _rating(service, rating, findings)
    feeders["upgrade_cost_per_kw"] = cost
    feeders["rated_kva"] = service.kva["rated"].to_numpy()
    file = name if main is None else main.name
    base = take_days(service.load, service.minutes, base_day, horizon, file, findings)
    profile = placed_profile(
        feeders["feeder_id"], factor * kva, base, service.minutes, horizon
    )
    report = findings.report()
    return Imported(name, report, horizon, feeders=feeders, feeder_profile=profile)


def _read(paths, main: Path | None, root, findings: Findings) -> Service:
    """The transformers of a circuit, or of tables where there is no main file."""
    if main is None:
        files = sources(paths, TABLE_ENDINGS)
        return read_tables(read_sheets(files, findings), findings)
    folder = main.parent if root is None else Path(root)
    return read_service(main, folder, findings)


def _main_file(paths) -> Path | None:
    """The main .dss file that is named, or that is in the folder; None for tables."""
    given = paths if isinstance(paths, list | tuple) else [paths]
    files = [Path(p) for p in given if isinstance(p, str | Path)]
    if len(files) == 1 and files[0].is_dir():
        inside = [p for p in sorted(files[0].iterdir()) if p.is_file()]
        main = [p for p in inside if p.name.lower() in MAIN_FILES]
        if main or not any(p.suffix.lower() == ".dss" for p in inside):
            return main[0] if main else None
        raise SettingsError(f"{files[0]} has no Master.dss; name the main .dss file")
    texts = [f for f in files if f.suffix.lower() == ".dss"]
    if not texts:
        return None
    if len(given) > 1:
        raise SettingsError("name the main .dss file alone; it redirects to the others")
    found = sources(texts[0], (".dss",))[0]
    assert isinstance(found, Path)  # a path was given
    return found


def _rated(service: Service, findings: Findings) -> Service:
    """The feeders whose rating is known; on the others a fault has been found."""
    findings.settle()
    known = service.kva["rated"].notna().to_numpy(bool)
    feeders = service.feeders[known].reset_index(drop=True)
    if "parent_id" in feeders:
        there = feeders["parent_id"].isin(feeders["feeder_id"])
        feeders["parent_id"] = feeders["parent_id"].where(there, None)
    if feeders.empty:
        findings.stop()
    kva = service.kva[known].reset_index(drop=True)
    return service._replace(feeders=feeders, kva=kva, load=service.load[known])


def _rating(service: Service, rating: str, findings: Findings) -> np.ndarray:
    """kVA of each feeder; OpenDSS's own defaults where a rating is not given."""
    rated = service.kva["rated"].to_numpy()
    if rating == "rated":
        return rated
    found = service.kva[rating].to_numpy()
    missing = np.isnan(found)
    share = {"normal": 1.1, "emergency": 1.5}[rating]
    what = f"no {rating} rating: {100 * share:g} % of the rated kVA"
    ids = service.feeders["feeder_id"].to_numpy(object)[missing].tolist()
    findings.note("transformers", rating, what, "assumed", (), len(ids), ids)
    return np.where(missing, share * rated, found)
