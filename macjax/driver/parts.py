"""What a later part of a run needs of the part before: taken down, and taken up."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from macjax._version import __version__
from macjax.driver.checkpoints import warn
from macjax.driver.run_record import (
    Makers,
    looks_from_record,
    looks_to_record,
    run_to_record,
)
from macjax.fleet.devices import put_whole
from macjax.results.summary import versions
from macjax.solvers.mac import Run


class Left(NamedTuple):
    """Where a part of a run left it: the content of a checkpoint."""

    record: Mapping
    arrays: Mapping[str, np.ndarray]


def snapshot(work, run: Run) -> tuple[dict, Makers]:
    """Record and arrays of a `Work` whose run stands between two steps."""
    record, arrays = run_to_record(run, work.layout)
    place = {"ease": work.ease, "met": work.met, "wanted": work.wanted}
    about = {
        "macjax": __version__,
        "versions": versions(),
        "scenario": work.scenario.fingerprint,
        "terms": work.terms,
        "device": work.device,
        "devices": work.devices,
        "settings": work.settings.record(),
        "vehicle_to_grid": work.vehicle_to_grid,
        "resumed": work.resumed,
        "clock": work.clock.record(),
        "place": place,
        "past": looks_to_record(work.past),
        "run": record,
    }
    price = work.price
    return about, arrays | {"start.price": lambda: np.asarray(price)}


def go_back(work, left: Left):
    """Put a `Work` where a checkpoint was written, all but the run itself.

    Returns energies and prices to start from; a run that was begun has its own.
    """
    record, place = left.record, left.record["place"]
    work.left, work.resumed = left, record["resumed"] + 1
    work.past, work.ease = looks_from_record(record["past"]), place["ease"]
    if place["met"] is not None:
        work.hold_limits(*place["met"])
    if record["settings"]["gap"] == work.settings.gap:
        work.wanted = place["wanted"]
    if record["devices"] != work.devices:
        warn(
            f"the checkpoint was written on {record['devices']} devices, the run goes "
            f"on with {work.devices}; the result may differ in its last digits"
        )
    return None, put_whole(left.arrays["start.price"], work.fleet.batch.mesh)
