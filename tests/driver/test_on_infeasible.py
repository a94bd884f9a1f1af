"""Vehicles that cannot make their trips: error, drop and relax, end to end."""

import numpy as np
import oracles
import pandas as pd
import pytest
from driver_cases import (
    assert_certified,
    assert_right,
    optimum_of,
    street_frames,
    with_frames,
)

import macjax
from macjax import DataError
from macjax._errors import InfeasibleVehicles
from macjax.certificate import Certifier

AT_THE_END = 8000  # a vehicle without trips that is short of its final SOC


@pytest.fixture(scope="module")
def frames():
    """A street with two trips that are too long, and a vehicle that wants too much."""
    frames = street_frames(3)
    trips = frames["trips"].copy()
    trips.loc[[10, 57], "energy_kwh"] += 500.0
    stays, vehicles = frames["stays"], frames["vehicles"]
    car = vehicles.head(1).assign(
        vehicle_id=AT_THE_END,
        battery_kwh=60.0,
        initial_kwh=10.0,
        reserve_kwh=5.0,
        final_kwh=50.0,
        charge_efficiency=0.9,
    )
    stay = (
        stays[stays["feeder_id"].notna()]
        .head(1)
        .assign(
            vehicle_id=AT_THE_END,
            arrival=pd.Timestamp(frames["start"]) + pd.Timedelta(hours=2),
            departure=pd.Timestamp(frames["start"]) + pd.Timedelta(hours=3.5),
            charger_kw=10.0,
        )
    )
    return frames | {
        "trips": trips,
        "vehicles": pd.concat([vehicles, car], ignore_index=True),
        "stays": pd.concat([stays, stay], ignore_index=True),
    }


@pytest.fixture(scope="module")
def scenario(frames):
    """Its scenario."""
    return with_frames(frames)


@pytest.fixture(scope="module")
def error(scenario):
    """What the default raises."""
    with pytest.raises(InfeasibleVehicles) as raised:
        macjax.solve(scenario)
    return raised.value


def test_error_is_a_report(scenario, error):
    """A DataError with the frame of vehicles, trips and missing energies."""
    assert isinstance(error, DataError)
    frame = error.infeasible
    assert list(frame) == ["vehicle_id", "trip", "departure", "missing_kwh"]
    assert len(frame) == 3 and (frame["missing_kwh"] > 0).all()
    trips = scenario.trips.loc[frame["trip"].dropna().astype(int)]
    named = frame.dropna(subset="trip")
    assert trips["vehicle_id"].tolist() == named["vehicle_id"].tolist()
    assert (trips["departure"].to_numpy() == named["departure"].to_numpy()).all()
    assert frame["trip"].isna().tolist() == [False, False, True]
    at_end = frame.iloc[2]
    assert at_end["vehicle_id"] == AT_THE_END
    assert at_end["missing_kwh"] == pytest.approx(50 - (10 + 1.5 * 10 * 0.9))
    for name in frame["vehicle_id"]:
        assert str(name) in str(error)
    assert "on_infeasible='drop'" in str(error) and "'relax'" in str(error)
    assert error.faults["count"].tolist() == [3]


def test_the_certificate_finds_the_same(scenario, error):
    """Vehicles, trips and energies, by code that shares nothing."""
    found = Certifier(scenario).infeasible.sort_values("vehicle_id")
    ours = error.infeasible.sort_values("vehicle_id")
    assert found["vehicle_id"].tolist() == ours["vehicle_id"].tolist()
    assert found["trip"].tolist() == ours["trip"].tolist()
    np.testing.assert_allclose(found["missing_kwh"], ours["missing_kwh"], rtol=1e-9)


def test_drop(frames, scenario, error):
    """As if these vehicles were not in the tables."""
    solution = macjax.solve(scenario, on_infeasible="drop")
    gone = error.infeasible["vehicle_id"]
    assert solution.dropped == gone.tolist()
    pd.testing.assert_frame_equal(solution.infeasible, error.infeasible)
    assert not solution.schedule()["vehicle_id"].isin(gone).any()
    kept = {
        name: frames[name][~frames[name]["vehicle_id"].isin(gone)]
        for name in ("vehicles", "stays", "trips")
    }
    optimum = optimum_of(with_frames(frames, **kept))
    assert_right(scenario, solution, optimum, 1e-3)
    certificate = macjax.certify(scenario, solution)
    assert certificate.infeasible["vehicle_id"].tolist() == gone.tolist()


def test_relax(scenario, error):
    """They charge all they can, everybody else is served as ever."""
    solution = macjax.solve(scenario, on_infeasible="relax")
    assert "relaxed problem: " in solution.message
    assert solution.status == "solved" and solution.dropped == []
    assert_certified(scenario, solution)
    pd.testing.assert_frame_equal(solution.infeasible, error.infeasible)
    plan = pd.DataFrame(solution.plan._asdict())
    short = error.infeasible["vehicle_id"].tolist()
    for vehicle, violation in oracles.replay(scenario, plan).items():
        assert (violation > 1.0) == (vehicle in short), vehicle
        assert violation <= 1e-6 or vehicle in short
    energy = plan.loc[plan["stay"] == len(scenario.stays) - 1, "kw"].sum()
    assert energy == pytest.approx(1.5 * 10)
    assert any("their best" in line or "relax" in line for line in solution.assumptions)


def test_certify_holds_the_policy_against_the_plan(scenario):
    """A relaxed plan is feasible under its policy, not under the default one."""
    solution = macjax.solve(scenario, on_infeasible="relax")
    assert macjax.certify(scenario, solution).feasible
    strict = macjax.certify(scenario, solution, on_infeasible="error")
    assert not strict.feasible
    assert set(strict.violations["vehicle_id"]) == set(solution.infeasible.vehicle_id)


def test_nobody_is_short(hard_street, solved):
    """The frames are there and empty; all policies give the same."""
    assert solved.infeasible.empty and solved.dropped == []
    for policy in ("drop", "relax"):
        solution = macjax.solve(hard_street, on_infeasible=policy)
        assert solution.objective == solved.objective
        assert solution.infeasible.empty and solution.dropped == []
