"""Vehicles that cannot make their trips: every baseline takes `on_infeasible`."""

import inspect

import numpy as np
import pandas as pd
import pytest
from baseline_fleets import random_case

import macjax
from macjax import baselines
from macjax._errors import InfeasibleVehicles
from macjax.certificate import Certifier
from macjax.results import compare

HOURLY = pd.DataFrame({"hour": range(24), "price": np.arange(24.0)})


def by_time_of_use(scenario, **settings):
    return baselines.time_of_use(scenario, HOURLY, **settings)


SIMULATED = [baselines.unmanaged, baselines.first_come, by_time_of_use]
ALL = [*SIMULATED, baselines.per_session]


@pytest.fixture(scope="module")
def scenario():
    """Twelve cars, some of which cannot make their trips."""
    return random_case(1, vehicles=12).scenario()


@pytest.fixture(scope="module")
def short(scenario):
    """What the certificate, which shares no code, says of them."""
    frame = Certifier(scenario, None, "relax").infeasible
    assert 0 < len(frame) < 12
    return frame


@pytest.mark.parametrize("run", ALL)
def test_error_lists_trip_and_missing_energy(run, scenario, short):
    with pytest.raises(InfeasibleVehicles) as raised:
        run(scenario, on_infeasible="error")
    frame = raised.value.infeasible
    assert frame["vehicle_id"].tolist() == short["vehicle_id"].tolist()
    assert frame["trip"].tolist() == short["trip"].tolist()
    np.testing.assert_allclose(frame["missing_kwh"], short["missing_kwh"], rtol=1e-9)
    for word in (short["vehicle_id"][0], "missing_kwh", "departure", "'drop'"):
        assert word in str(raised.value)


@pytest.mark.parametrize("run", ALL)
def test_drop_leaves_them_out(run, scenario, short):
    gone = short["vehicle_id"].tolist()
    solution = run(scenario, on_infeasible="drop")
    assert solution.dropped == gone
    assert solution.infeasible["vehicle_id"].tolist() == gone
    assert not solution.schedule()["vehicle_id"].isin(gone).any()
    assert not solution.stranded["vehicle_id"].isin(gone).any()
    ids = scenario.vehicles["vehicle_id"]
    alone = run(scenario.subset(vehicles=ids[~ids.isin(gone)].tolist()))
    assert solution.upgrades()["upgrade_kw"].tolist() == pytest.approx(
        alone.upgrades()["upgrade_kw"].tolist(), rel=1e-3, abs=1e-6
    )
    assert solution.settings["not_recharged_kwh"] == pytest.approx(
        alone.settings["not_recharged_kwh"], abs=1e-6
    )
    judged = macjax.certify(scenario, solution)
    assert not judged.violations["vehicle_id"].isin(gone).any()


@pytest.mark.parametrize("run", ALL)
def test_relax_serves_them_and_says_so(run, scenario, short):
    solution = run(scenario, on_infeasible="relax")
    assert solution.dropped == []
    gone = set(short["vehicle_id"])
    assert gone & set(solution.schedule()["vehicle_id"])
    if run not in (baselines.unmanaged, baselines.first_come):
        assert set(solution.infeasible["vehicle_id"]) == gone
        assert any("'relax'" in line for line in solution.assumptions)
        row = compare([solution]).iloc[0]
        assert row["infeasible"] == solution.summary()["infeasible"] == len(gone)


def test_per_session_is_solved_and_certified_without_the_dropped(scenario):
    solution = baselines.per_session(scenario, on_infeasible="drop")
    certificate = macjax.certify(scenario, solution)
    assert solution.status == "solved" and certificate.feasible
    assert certificate.gap <= 1e-3
    assert solution.settings["vehicles_outside_mac_set"] <= 12 - len(solution.dropped)


def test_defaults_are_those_documented():
    """What optimises raises; what simulates shows who strands."""
    for run in (macjax.solve, baselines.per_session):
        with pytest.raises(InfeasibleVehicles):
            run(random_case(1, vehicles=12).scenario())
    for run in (baselines.unmanaged, baselines.first_come, baselines.time_of_use):
        assert inspect.signature(run).parameters["on_infeasible"].default == "relax"
    assert "relax" in baselines.__doc__


@pytest.mark.parametrize("run", [by_time_of_use, baselines.per_session])
def test_departures_are_in_local_time(run, scenario, tmp_path):
    solution = run(scenario, on_infeasible="relax")
    assert str(solution.infeasible["departure"].dt.tz) == scenario.timezone
    solution.write(tmp_path / "out")
    read = macjax.Solution.read(tmp_path / "out").infeasible
    pd.testing.assert_frame_equal(read, solution.infeasible)
    with pytest.raises(InfeasibleVehicles) as raised:
        run(scenario, on_infeasible="error")
    assert str(raised.value.infeasible["departure"].dt.tz) == scenario.timezone
    assert "-08:00" in str(raised.value)


@pytest.mark.parametrize("run", ALL)
def test_a_policy_that_is_none_is_refused(run, scenario):
    with pytest.raises(macjax.SettingsError, match="relax"):
        run(scenario, on_infeasible="ignore")
