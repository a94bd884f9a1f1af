"""Which feeder serves which stay: by a table of links, or the nearest one."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.findings import Findings
from macjax.importers.result import Imported
from macjax.scenario.arrow import STRING

XY = ["x", "y"]


def join_feeders(fleet: Imported, network, link, by: str | None) -> Imported:
    """See `Imported.with_feeders`."""
    if fleet.stays is None:
        raise SettingsError(f"'{fleet.name}' has no stays to put on feeders")
    feeders, profile, report = _tables(network)
    findings = Findings("wrong link", "error")
    if link is None:
        if by is not None:
            raise SettingsError("by names the column that link maps; give link too")
        feeder = _nearest(fleet.stays, feeders)
    elif isinstance(link, Mapping | pd.Series | pd.DataFrame):
        feeder = _mapped(fleet.stays, link, by)
    else:
        feeder = pd.Series(link, index=fleet.stays.index)
    feeder = _known(feeder, feeders, findings)
    charges = fleet.stays["charger_kw"].to_numpy() > 0
    free = charges & feeder.isna().to_numpy(bool)
    stays = fleet.stays.assign(feeder_id=feeder.to_numpy())
    ids = stays["vehicle_id"].to_numpy()[free]
    what = "stays at a charger have no feeder: free to charge and in no load"
    findings.note("stays", "feeder_id", what, "assumed", (), int(free.sum()), ids)
    settled = [fleet.report, report, findings.report()]
    return dataclasses.replace(
        fleet,
        stays=stays,
        feeders=feeders,
        feeder_profile=profile,
        report=pd.concat([r for r in settled if len(r)] or settled, ignore_index=True),
    )


def _tables(network):
    """feeders, feeder_profile and report of an import or a pair of frames."""
    if isinstance(network, Imported):
        if network.feeders is None or network.feeder_profile is None:
            raise SettingsError(f"'{network.name}' has no feeders")
        return network.feeders, network.feeder_profile, network.report
    is_pair = isinstance(network, tuple | list) and len(network) == 2
    if not is_pair or not all(isinstance(f, pd.DataFrame) for f in network):
        raise SettingsError(
            "network must be an import with feeders or a pair of frames (feeders, "
            f"feeder_profile); got {type(network).__name__}"
        )
    return *network, Findings("", "error").report()


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
    table.index = keys
    return stays[by].astype(object).map(str, na_action="ignore").map(table)


def _nearest(stays: pd.DataFrame, feeders: pd.DataFrame) -> pd.Series:
    """The nearest feeder of each stay with coordinates, in the same plane."""
    from scipy.spatial import KDTree

    for name, frame in (("stays", stays), ("feeders", feeders)):
        if not set(XY) <= set(frame.columns):
            raise SettingsError(
                f"{name} have no columns x and y, so there is no nearest feeder; give "
                "link, e.g. link={zone: feeder_id} with by='zone'"
            )
    placed = feeders[feeders[XY].notna().all(axis=1)]
    if placed.empty:
        raise SettingsError("no feeder has coordinates x and y; give link")
    points = stays[XY].to_numpy(np.float64)
    known = np.isfinite(points).all(axis=1)
    tree = KDTree(placed[XY].to_numpy(np.float64))
    rows = tree.query(points[known])[1]
    found = pd.Series(pd.NA, index=stays.index, dtype=object)
    found[known] = placed["feeder_id"].to_numpy(object)[rows]
    return found


def _known(feeder: pd.Series, feeders: pd.DataFrame, findings: Findings) -> pd.Series:
    """The ids in the type of the feeders table; SettingsError for unknown ones."""
    texts = feeders["feeder_id"].map(str)
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
