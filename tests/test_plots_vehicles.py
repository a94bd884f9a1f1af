"""State of charge of vehicles as figures, and the choice of vehicles to look at."""

import numpy as np
import pandas as pd
import pytest
from figure_cases import ax as ax
from figure_cases import line
from matplotlib.figure import Figure

from macjax import plots
from macjax._errors import SettingsError, SolutionError
from macjax.results import Solution
from macjax.scenario.plan import Plan
from macjax.synthetic import fleet


def random_plan(scenario, seed=0) -> Plan:
    """Random power in the slots that lie within a stay at a charger."""
    rng = np.random.default_rng(seed)
    windows, dt = scenario.stay_windows(), scenario.slot_hours
    rows = []
    for row, begin, end in zip(
        windows.row, windows.begin_h, windows.end_h, strict=True
    ):
        for slot in range(int(np.ceil(begin / dt)), int(end // dt)):
            rows.append((row, slot, 4.0 * rng.random()))
    return Plan.of(*zip(*rows, strict=True))


def test_soc_trace_draws_the_soc_and_the_limits(ax):
    scenario = fleet(6, slots=48, seed=3)
    vehicle = scenario.stays["vehicle_id"].iloc[0]
    battery = scenario.vehicles.set_index("vehicle_id")["battery_kwh"][vehicle]
    solution = Solution(
        scenario=scenario, plan=random_plan(scenario), status="solved", method="mac"
    )
    assert plots.soc_trace(solution, vehicle, ax) is ax
    drawn = line(ax, "MAC")
    expected = solution.soc(vehicle)
    np.testing.assert_array_equal(drawn.get_ydata(), expected["soc_kwh"])
    first = pd.Timestamp(drawn.get_xdata()[0], tz="UTC")
    assert first == expected["time"].iloc[0]
    assert set(line(ax, "battery").get_ydata()) == {float(battery)}
    assert ax.get_ylabel() == "state of charge [kWh]"
    mine = scenario.stays["vehicle_id"] == vehicle
    assert len(ax.patches) == (mine & (scenario.stays["charger_kw"] > 0)).sum()
    with pytest.raises(SettingsError, match="not in the vehicles table"):
        plots.soc_trace(solution, "nobody", Figure().add_subplot())


def test_picked_vehicles_are_those_that_move_and_some_others():
    scenario = fleet(40, slots=48, seed=3)
    plan = random_plan(scenario)
    given = {"scenario": scenario, "status": "solved"}
    here = Solution(plan=plan, **given)
    picked = plots.pick_vehicles([here], 6)
    energy = (here.schedule().groupby("vehicle_id")["kw"].sum()).nlargest(3)
    assert set(picked[:3]) == set(energy.index)
    assert len(set(picked)) == 6
    # One vehicle charges the same energy at other times.
    moved = scenario.stays["vehicle_id"].iloc[plan.stay[len(plan.stay) // 2]]
    kw = plan.kw.copy()
    mine = scenario.stays["vehicle_id"].to_numpy()[plan.stay] == moved
    kw[mine] = kw[mine][::-1]
    there = Solution(plan=plan._replace(kw=kw), **given)
    assert plots.pick_vehicles([here, there], 1) == [moved]
    assert plots.pick_vehicles([here, there], 1000)[0] == moved
    nobody = Solution(plan=Plan.empty(), **given)
    assert plots.pick_vehicles([nobody], 4) == plots.pick_vehicles([], 4) == []
    with pytest.raises(SolutionError, match="nobody charges"):
        plots.soc_trace(nobody, ax=Figure().add_subplot())
