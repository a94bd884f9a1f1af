"""A part of a scenario: some feeders, some vehicles, and the rows that go with them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from macjax._errors import FIRST_IDS, DataError, Fault
from macjax.scenario.arrow import as_arrow
from macjax.scenario.ids import listed
from macjax.scenario.profile import ProfileCells
from macjax.scenario.report import quoted
from macjax.scenario.validate import Checked, Links


def subset(checked: Checked, feeders=None, vehicles=None) -> Checked:
    """Keep the given feeders and vehicles; see `Scenario.subset` for the meaning."""
    tables, links = checked.tables, checked.links
    faults: list[Fault] = []
    feeder = _chosen(tables["feeders"]["feeder_id"], feeders, "feeders", faults)
    vehicle = _chosen(tables["vehicles"]["vehicle_id"], vehicles, "vehicles", faults)
    if faults:
        raise DataError(faults, "wrong subset")
    charger = tables["stays"]["charger_kw"].to_numpy() > 0
    if feeders is not None:
        here = charger & _taken(feeder, links.stay_feeder)
        users = np.zeros(len(vehicle), bool)
        users[links.stay_vehicle[here]] = True
        vehicle &= users
    stay = vehicle[links.stay_vehicle]
    trip = vehicle[links.trip_vehicle]
    profile = feeder[links.profile.feeder]
    away = (links.stay_feeder >= 0) & ~_taken(feeder, links.stay_feeder)
    orphaned = (links.parent >= 0) & ~_taken(feeder, links.parent)
    kept = {
        "vehicles": tables["vehicles"][vehicle],
        "stays": _cleared(tables["stays"], "feeder_id", away)[stay],
        "trips": tables["trips"][trip],
        "feeders": _cleared(tables["feeders"], "parent_id", orphaned)[feeder],
        "feeder_profile": tables["feeder_profile"][profile],
    }
    new_vehicle, new_feeder = _renumbered(vehicle), _renumbered(feeder)
    cells = links.profile
    rows = Links(
        new_vehicle[links.stay_vehicle[stay]],
        new_feeder[links.stay_feeder[stay]],
        new_vehicle[links.trip_vehicle[trip]],
        new_feeder[links.parent[feeder]],
        ProfileCells(
            cells.by_hour, new_feeder[cells.feeder[profile]], cells.cell[profile]
        ),
    )
    kept = {name: frame.reset_index(drop=True) for name, frame in kept.items()}
    counts = f"{len(kept['vehicles'])} of {len(vehicle)} vehicles and "
    counts += f"{len(kept['feeders'])} of {len(feeder)} feeders"
    notes = [*checked.notes, f"subset: {counts} are kept; notes before count them all"]
    free = int(np.count_nonzero(away & charger & stay))
    if free:
        notes.append(
            f"subset: {free} stays charge on feeders that were not kept; they have no "
            "feeder now and charge at price 0"
        )
    lost = int(np.count_nonzero(orphaned & feeder))
    if lost:
        notes.append(f"subset: {lost} feeders lost a parent that was not kept")
    return Checked(checked.header, kept, rows, notes)


def _chosen(ids: pd.Series, wanted, table: str, faults: list[Fault]) -> np.ndarray:
    """Mask of the rows whose id is wanted; all of them when nothing is asked."""
    if wanted is None:
        return np.ones(len(ids), bool)
    wanted = listed(wanted, table)
    column = as_arrow(ids)
    text = not pa.types.is_integer(column.type)
    fitting = [i for i in wanted if isinstance(i, str) == text and _is_id(i)]
    values = pa.array([i if text else int(i) for i in fitting], column.type)
    known = pc.is_in(values, value_set=column).to_numpy(zero_copy_only=False)
    there = {i for i, is_known in zip(fitting, known, strict=True) if is_known}
    unknown = [i for i in wanted if i not in there]
    if unknown:
        some = column[:5].to_pylist()
        rule = f"the subset names ids that are not there; it has {quoted(some)}, ..."
        key = f"{table[:-1]}_id"
        faults.append(Fault(table, key, rule, len(unknown), tuple(unknown[:FIRST_IDS])))
    return pc.is_in(column, value_set=values).to_numpy(zero_copy_only=False)


def _is_id(value) -> bool:
    if isinstance(value, bool | np.bool_):
        return False
    return isinstance(value, str | int | np.integer)


def _taken(mask: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Which rows name a kept row; -1 names none."""
    return np.append(mask, False)[codes]


def _renumbered(mask: np.ndarray) -> np.ndarray:
    """New row number of each old one, -1 where it is not kept and for -1 itself."""
    numbers = np.where(mask, np.cumsum(mask) - 1, -1).astype(np.int32)
    return np.append(numbers, np.int32(-1))


def _cleared(frame: pd.DataFrame, column: str, rows: np.ndarray) -> pd.DataFrame:
    """The frame with one column set to null in some rows."""
    if not rows.any():
        return frame
    return frame.assign(**{column: frame[column].mask(rows)})
