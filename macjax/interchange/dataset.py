"""A solution as an xarray Dataset, and as a netCDF file.

Dimensions: feeder, time (starts of the slots), vehicle, edge (the slots + 1 edges).
Instants are UTC without an offset, as xarray keeps them; `attrs["timezone"]` is the
zone of the scenario. Each variable says its unit in `attrs["units"]`.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from macjax._errors import MacjaxError, SettingsError
from macjax.interchange.feeder_power import require_schedule

CELLS = {
    "base_kw": ("kW", "load without vehicles"),
    "ev_kw": ("kW", "load of the vehicles, weights counted"),
    "capacity_kw": ("kW", "limit on the load"),
    "overload_kw": ("kW", "base_kw + ev_kw - capacity_kw, 0 where negative"),
}
FEEDERS = {
    "upgrade_kw": ("kW", "largest overload of the horizon"),
    "upgrade_cost": ("{currency}", "upgrade_kw x upgrade_cost_per_kw"),
    "base_only_kw": ("kW", "upgrade that the base load alone needs"),
}
COORDINATES = {
    "feeder": "feeder_id of the scenario",
    "time": "start of the slot, UTC",
    "vehicle": "vehicle_id of the scenario",
    "edge": "start of a slot, and the end of the last one, UTC",
}
INT32 = np.iinfo(np.int32)


def to_xarray(solution, vehicles=None):
    """Loads, prices, upgrades, and of vehicles power and SOC, as an xarray Dataset.

    Variables:
        base_kw, ev_kw, capacity_kw, overload_kw: (feeder, time) [kW].
        price: (feeder, time) [currency/kW], where the method has prices.
        upgrade_kw, base_only_kw, upgrade_cost: (feeder) [kW, kW, currency].
        kw: (vehicle, time), average power of one vehicle of the row from the grid [kW].
        soc_kwh: (vehicle, edge), state of charge [kWh].
        weight: (vehicle), how many vehicles the row stands for [vehicles].

    Arguments:
        solution: a `Solution` with a schedule.
        vehicles: ids for kw and soc_kwh; None is all that were not dropped, an empty
            list leaves vehicles out.

    Returns:
        `xarray.Dataset`; numbers of the certificate, settings and versions are in
        `attrs`. Needs the extra `xarray`.
    """
    xarray = require_xarray()
    require_schedule(solution)
    scenario = solution.scenario
    variables = _feeder_variables(solution)
    coords = {
        "feeder": scenario.feeders["feeder_id"].to_numpy(),
        "time": _naive(scenario.slot_starts),
    }
    if vehicles is None or len(pd.Index(np.atleast_1d(vehicles))):
        ids, of_vehicles = _vehicle_variables(solution, vehicles)
        coords |= {"vehicle": ids, "edge": _naive(scenario.slot_edges)}
        variables |= of_vehicles
    named = {
        name: (name, values, {"long_name": COORDINATES[name]})
        for name, values in coords.items()
    }
    return xarray.Dataset(variables, named, _attributes(solution))


def to_netcdf(solution, path: str | os.PathLike, vehicles=None) -> Path:
    """Write the Dataset of `to_xarray` as a netCDF file; returns its path.

    netCDF-4 where xarray finds netCDF4 or h5netcdf, else netCDF-3 by SciPy, which has
    no 64-bit whole numbers: ids beyond 32 bits are written as text.

    Arguments:
        solution: a `Solution` with a schedule.
        path: of the file, ending in `.nc`; a file that is there is replaced.
        vehicles: as in `to_xarray`.
    """
    path = Path(path)
    if path.suffix != ".nc":
        raise SettingsError(f"path must end in .nc, not '{path.name}'")
    dataset: Any = to_xarray(solution, vehicles)
    engines = require_xarray().backends.list_engines()
    engine = next((e for e in ("netcdf4", "h5netcdf", "scipy") if e in engines), None)
    if engine is None:
        raise MacjaxError(
            "netCDF files need one of netCDF4, h5netcdf and SciPy beside xarray: "
            "pip install 'macjax[xarray]'"
        )
    for name in ("feeder", "vehicle"):
        if name in dataset.coords and _beyond_32_bits(dataset[name].to_numpy()):
            text = dataset[name].astype(str, keep_attrs=True)
            dataset = dataset.assign_coords({name: text})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        dataset.to_netcdf(part, engine=engine)
        part.replace(path)
    except OSError as error:
        raise SettingsError(f"cannot write '{path}': {error}") from error
    return path


def require_xarray() -> Any:
    """The xarray package, or an error that names the extra to install."""
    try:
        import xarray
        import xarray.backends
    except ImportError as error:
        raise MacjaxError(
            "this needs xarray, which is not installed: pip install 'macjax[xarray]'"
        ) from error
    return xarray


def _feeder_variables(solution) -> dict:
    """Variables by feeder, and by feeder and slot."""
    scenario, currency = solution.scenario, solution.scenario.currency
    shape, dims = (len(scenario.feeders), scenario.slots), ("feeder", "time")
    loads, upgrades = solution.loads(), solution.upgrades()
    found = {}
    for name, (unit, meaning) in CELLS.items():
        values = loads[name].to_numpy(np.float64).reshape(shape)
        found[name] = (dims, values, {"units": unit, "long_name": meaning})
    for name, (unit, meaning) in FEEDERS.items():
        about = {"units": unit.format(currency=currency), "long_name": meaning}
        found[name] = ("feeder", upgrades[name].to_numpy(np.float64), about)
    if solution.has_prices:
        meaning = "cost of one more kW in the slot"
        about = {"units": f"{currency}/kW", "long_name": meaning}
        found["price"] = (dims, np.array(solution.price_table), about)
    return found


def _vehicle_variables(solution, vehicles) -> tuple[np.ndarray, dict]:
    """Ids, and variables by vehicle and slot or edge."""
    scenario, soc = solution.scenario, solution.soc(vehicles)
    edges = scenario.slots + 1
    ids = soc["vehicle_id"].iloc[::edges].reset_index(drop=True)
    schedule = solution.schedule()
    at = pd.Index(ids).get_indexer(pd.Index(schedule["vehicle_id"]))
    times = pd.DatetimeIndex(schedule["time"])
    slot = pd.DatetimeIndex(scenario.slot_starts).get_indexer(times)
    cell = (at * scenario.slots + slot)[at >= 0]
    size = len(ids) * scenario.slots
    kw = np.bincount(cell, schedule["kw"].to_numpy()[at >= 0], size)
    weight = scenario.vehicles.set_index("vehicle_id")["weight"].reindex(ids)
    level = soc["soc_kwh"].to_numpy(np.float64).reshape(len(ids), edges)
    of_slot = {"units": "kW", "long_name": "grid power of one vehicle of the row"}
    of_edge = {"units": "kWh", "long_name": "state of charge"}
    stands = {"units": "vehicles", "long_name": "vehicles that the row stands for"}
    kw = kw.astype(np.float64).reshape(len(ids), scenario.slots)
    return ids.to_numpy(), {
        "kw": (("vehicle", "time"), kw, of_slot),
        "soc_kwh": (("vehicle", "edge"), level, of_edge),
        "weight": ("vehicle", weight.to_numpy(np.float64), stands),
    }


def _attributes(solution) -> dict:
    """What the dataset is, in values that netCDF can hold."""
    scenario = solution.scenario
    words = {name: str(getattr(solution, name)) for name in ("method", "status")}
    numbers = ("objective", "lower_bound", "gap", "unmanaged_objective")
    return {
        "title": scenario.name,
        **words,
        **{name: float(getattr(solution, name)) for name in numbers},
        "currency": scenario.currency,
        "timezone": scenario.timezone,
        "slot_minutes": scenario.slot_minutes,
        "scenario_fingerprint": scenario.fingerprint,
        "assumptions": "\n".join(solution.assumptions),
        "source": "macjax " + solution.versions.get("macjax", "unknown"),
    }


def _naive(instants: pd.DatetimeIndex) -> np.ndarray:
    """UTC instants without their offset."""
    utc = pd.DatetimeIndex(instants).tz_convert("UTC").tz_localize(None)
    return utc.to_numpy("datetime64[ns]")


def _beyond_32_bits(ids: np.ndarray) -> bool:
    is_whole = ids.dtype.kind in "iu" and len(ids) > 0
    return bool(is_whole and (ids.min() < INT32.min or ids.max() > INT32.max))
