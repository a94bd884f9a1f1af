"""Which feeder serves which stay: by a table of links, or the nearest one."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.findings import Findings
from macjax.scenario.arrow import STRING

XY = ["x", "y"]


def feeder_of_stays(
    stays: pd.DataFrame, feeders: pd.DataFrame, link, by: str | None, findings: Findings
) -> pd.Series:
    """Feeder id of each stay, missing where there is none.

    Arguments:
        stays, feeders: the tables.
        link, by: as in `Imported.with_feeders`.
        findings: stays at a charger that get no feeder are noted there, and how far
            the nearest feeders are.

    Raises:
        SettingsError: the link names what is not there, or nothing is near.
    """
    if link is None:
        if by is not None:
            raise SettingsError("by names the column that link maps; give link too")
        feeder = _nearest(stays, feeders, findings)
    elif isinstance(link, Mapping | pd.Series | pd.DataFrame):
        feeder = _mapped(stays, link, by)
    else:
        feeder = pd.Series(link, index=stays.index)
    feeder = _known(feeder, feeders)
    free = (stays["charger_kw"].to_numpy() > 0) & feeder.isna().to_numpy(bool)
    ids = stays["vehicle_id"].to_numpy()[free]
    what = "stays at a charger have no feeder: free to charge and in no load"
    findings.note("stays", "feeder_id", what, "assumed", (), int(free.sum()), ids)
    return feeder


def _mapped(stays: pd.DataFrame, link, by: str | None) -> pd.Series:
    """Feeder of each stay by a table from the values of a column."""
    if by is None or by not in stays.columns:
        words = ", ".join(c for c in stays.columns if c not in ("arrival", "departure"))
        raise SettingsError(f"by must name a column of the stays: {words}; got {by!r}")
    if isinstance(link, pd.DataFrame):
        if link.shape[1] != 2:
            raise SettingsError(
                f"a link table has two columns, '{by}' and feeder_id; got "
                f"{', '.join(str(c) for c in link.columns)}"
            )
        link = link.set_index(link.columns[0]).iloc[:, 0]
    table = pd.Series(link)
    keys = table.index.astype(str)
    if keys.has_duplicates:
        twice = ", ".join(keys[keys.duplicated()][:10])
        raise SettingsError(f"the link gives several feeders to one '{by}': {twice}")
    # As text: whole numbers with gaps would become floats.
    table = pd.Series(table.astype(object).map(str, na_action="ignore").array, keys)
    return stays[by].astype(object).map(str, na_action="ignore").map(table)


def _nearest(
    stays: pd.DataFrame, feeders: pd.DataFrame, findings: Findings
) -> pd.Series:
    """The nearest feeder of each stay with coordinates, in the same plane."""
    from scipy.spatial import KDTree

    for name, frame in (("stays", stays), ("feeders", feeders)):
        if not set(XY) <= set(frame.columns):
            raise SettingsError(
                f"{name} have no columns x and y, so there is no nearest feeder; give "
                "link, e.g. link={zone: feeder_id} with by='zone'"
            )
    placed = feeders[feeders[XY].notna().all(axis=1)]
    points = stays[XY].to_numpy(np.float64)
    known = np.isfinite(points).all(axis=1)
    if placed.empty or not known.any():
        raise SettingsError("no feeder or no stay has coordinates x and y; give link")
    sites = placed[XY].to_numpy(np.float64)
    _check_plane(points[known], sites)
    distance, rows = KDTree(sites).query(points[known])
    what = "nearest feeder by x and y; median distance "
    what += f"{np.median(distance):,.0f}, largest {distance.max():,.0f}"
    findings.note("stays", "feeder_id", what, "assumed", (), int(known.sum()))
    found = pd.Series(None, index=stays.index, dtype=object)
    found[known] = placed["feeder_id"].to_numpy(object)[rows]
    return found


def _check_plane(points: np.ndarray, sites: np.ndarray) -> None:
    """Raise where stays and feeders lie apart by more than either is wide."""
    low = np.maximum(points.min(axis=0), sites.min(axis=0))
    high = np.minimum(points.max(axis=0), sites.max(axis=0))
    gap = np.hypot(*np.maximum(low - high, 0))
    wide = max(np.hypot(*np.ptp(points, axis=0)), np.hypot(*np.ptp(sites, axis=0)))
    if gap > wide:
        (x, y), (to_x, to_y) = points.mean(axis=0), sites.mean(axis=0)
        raise SettingsError(
            f"stays lie around x={x:.0f}, y={y:.0f}, feeders around x={to_x:.0f}, "
            f"y={to_y:.0f}: they are not in one coordinate system, or far apart; give "
            "link"
        )


def _known(feeder: pd.Series, feeders: pd.DataFrame) -> pd.Series:
    """The ids in the type of the feeders table; SettingsError for unknown ones."""
    texts = feeders["feeder_id"].astype(object).map(str)
    given = feeder.astype(object).where(feeder.notna(), None)
    given = given.map(str, na_action="ignore")
    unknown = given[given.notna() & ~given.isin(texts)].unique()
    if len(unknown):
        some = ", ".join(f"'{u}'" for u in unknown[:10])
        have = ", ".join(f"'{t}'" for t in texts.head(5))
        raise SettingsError(
            f"the link names {len(unknown)} feeders that are not there: {some}; there "
            f"are {have}{', ...' if len(texts) > 5 else ''}"
        )
    if pd.api.types.is_integer_dtype(feeders["feeder_id"].dtype):
        return given.astype("Int64")
    return given.astype(STRING)
