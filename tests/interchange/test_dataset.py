"""xarray and netCDF: every number where its coordinates say, with its unit."""

import sys

import numpy as np
import pandas as pd
import pytest
from interchange_cases import slow_load, solution

import macjax
from macjax import interchange

xarray = pytest.importorskip("xarray")


@pytest.fixture(scope="module")
def given():
    return solution()


@pytest.fixture(scope="module")
def dataset(given):
    return interchange.to_xarray(given)


def test_loads_are_those_of_the_schedule(given, dataset):
    load = slow_load(given)
    assert sum(load.values()) > 0
    for feeder in dataset["feeder"].values:
        for time in dataset["time"].values:
            found = dataset["ev_kw"].sel(feeder=feeder, time=time).item()
            instant = pd.Timestamp(time, tz="UTC")
            assert found == pytest.approx(load.get((feeder, instant), 0.0))
    total = dataset["base_kw"] + dataset["ev_kw"] - dataset["capacity_kw"]
    np.testing.assert_allclose(dataset["overload_kw"], np.maximum(total, 0))
    worst = dataset["overload_kw"].max("time")
    np.testing.assert_allclose(worst, dataset["upgrade_kw"])


def test_power_and_soc_of_vehicles(given, dataset):
    schedule = given.schedule()
    for name in dataset["vehicle"].values[:10]:
        rows = schedule[schedule["vehicle_id"] == name]
        own = dataset["kw"].sel(vehicle=name)
        assert own.sum().item() == pytest.approx(rows["kw"].sum())
        for row in rows.itertuples():
            time = row.time.tz_convert("UTC").tz_localize(None)
            assert own.sel(time=time).item() >= row.kw - 1e-12
        soc = given.soc(name)["soc_kwh"].to_numpy()
        np.testing.assert_array_equal(dataset["soc_kwh"].sel(vehicle=name), soc)
    assert dataset.sizes["edge"] == dataset.sizes["time"] + 1


def test_some_vehicles_or_none(given, dataset):
    names = list(dataset["vehicle"].values[[7, 2]])
    some = interchange.to_xarray(given, names)
    assert list(some["vehicle"].values) == names
    np.testing.assert_array_equal(some["kw"], dataset["kw"].sel(vehicle=names))
    one = interchange.to_xarray(given, names[0])
    assert one["soc_kwh"].shape == (1, given.scenario.slots + 1)
    none = interchange.to_xarray(given, [])
    assert "kw" not in none and "vehicle" not in none.dims and "ev_kw" in none
    with pytest.raises(macjax.SettingsError, match="nobody"):
        interchange.to_xarray(given, ["nobody"])


def test_prices_units_and_what_it_is(given, dataset):
    np.testing.assert_array_equal(dataset["price"], given.price_table)
    assert dataset["price"].attrs["units"] == f"{given.scenario.currency}/kW"
    assert all(dataset[name].attrs["units"] for name in dataset.data_vars)
    assert dataset.attrs["scenario_fingerprint"] == given.scenario.fingerprint
    assert dataset.attrs["timezone"] == given.scenario.timezone
    without = macjax.baselines.unmanaged(given.scenario)
    assert "price" not in interchange.to_xarray(without, [])


@pytest.mark.parametrize(
    "ids", [None, lambda s: s.str.extract(r"(\d+)")[0].astype(int)]
)
def test_netcdf_and_back(tmp_path, ids):
    pytest.importorskip("scipy")
    given = solution(slots=12, evs=6, ids=ids)
    if ids is not None:  # beyond 32 bits, which netCDF-3 does not have
        given = solution(slots=12, evs=6, ids=lambda s: ids(s) + 2**40)
    path = interchange.to_netcdf(given, tmp_path / "out" / "solution.nc")
    wanted = interchange.to_xarray(given)
    with xarray.open_dataset(path) as found:
        assert [p.name for p in path.parent.iterdir()] == ["solution.nc"]
        assert found["feeder"].astype(str).values.tolist() == [
            str(i) for i in wanted["feeder"].values
        ]
        np.testing.assert_array_equal(found["time"], wanted["time"])
        np.testing.assert_array_equal(found["edge"], wanted["edge"])
        for name in wanted.data_vars:
            np.testing.assert_array_equal(found[name], wanted[name])
            assert found[name].attrs["units"] == wanted[name].attrs["units"]
        for name in wanted.coords:
            assert found[name].attrs["long_name"] == wanted[name].attrs["long_name"]
    with pytest.raises(macjax.SettingsError, match=r"end in \.nc"):
        interchange.to_netcdf(given, tmp_path / "solution.csv")


def test_without_a_schedule_or_xarray_the_error_says_so(given, monkeypatch):
    scenario = given.scenario
    empty = macjax.Solution(scenario=scenario, plan=None, status="time_limit")
    with pytest.raises(macjax.SolutionError, match="no schedule"):
        interchange.to_xarray(empty)
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(macjax.MacjaxError, match=r"macjax\[xarray\]"):
        interchange.to_xarray(given)
