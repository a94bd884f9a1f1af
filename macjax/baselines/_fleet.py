"""What the baselines read of a scenario: columns of the vehicles and their timeline."""

from typing import NamedTuple

import numpy as np

from macjax.baselines._timeline import Timeline, build_timeline


class FleetArrays(NamedTuple):
    """A scenario as float64 arrays; vehicles in the order of their table.

    Arguments:
        timeline: charging stays and trips by vehicle and time.
        battery_kwh, initial_kwh, reserve_kwh, final_kwh: shape (vehicles,) [kWh].
        efficiency: battery kWh per grid kWh, shape (vehicles,).
        weight: real vehicles per row, shape (vehicles,).
        dt: length of a slot [h].
        slots: how many slots.
    """

    timeline: Timeline
    battery_kwh: np.ndarray
    initial_kwh: np.ndarray
    reserve_kwh: np.ndarray
    final_kwh: np.ndarray
    efficiency: np.ndarray
    weight: np.ndarray
    dt: float
    slots: int

    def most_kwh(self) -> np.ndarray:
        """The most each charging stay can put into the battery, (stays,) [kWh]."""
        line = self.timeline
        return line.kw * (line.end_h - line.begin_h) * self.efficiency[line.vehicle]


def fleet_arrays(scenario) -> FleetArrays:
    """Read the arrays that all baselines start from out of a `Scenario`."""
    row, vehicle, feeder, begin_h, end_h, kw = scenario.stay_windows()
    trip_row, trip_vehicle, depart_h, _, trip_kwh = scenario.trip_events()
    timeline = build_timeline(
        len(scenario.vehicles),
        row=row,
        vehicle=vehicle,
        feeder=feeder,
        begin_h=begin_h,
        end_h=end_h,
        kw=kw,
        trip_row=trip_row,
        trip_vehicle=trip_vehicle,
        trip_depart_h=depart_h,
        trip_kwh=trip_kwh,
    )
    column = {
        name: scenario.vehicles[name].to_numpy(np.float64)
        for name in (
            "battery_kwh",
            "initial_kwh",
            "reserve_kwh",
            "final_kwh",
            "charge_efficiency",
            "weight",
        )
    }
    return FleetArrays(
        timeline=timeline,
        battery_kwh=column["battery_kwh"],
        initial_kwh=column["initial_kwh"],
        reserve_kwh=column["reserve_kwh"],
        final_kwh=column["final_kwh"],
        efficiency=column["charge_efficiency"],
        weight=column["weight"],
        dt=float(scenario.slot_hours),
        slots=int(scenario.slots),
    )
