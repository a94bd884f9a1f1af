"""Factors change what they say and nothing else."""

import numpy as np
import pandas as pd
import pytest
from study_cases import small

from macjax import DataError
from macjax.scenario.schema import TABLES
from macjax.studies.factors import FACTORS, scaled

SOCS = ["initial_kwh", "final_kwh", "reserve_kwh"]


@pytest.fixture(scope="module")
def scenario():
    return small()


@pytest.mark.parametrize("name", FACTORS)
@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_a_factor_multiplies_its_columns_alone(scenario, name, factor):
    if name == "reserve" and factor > 1:
        factor = 1.01  # the battery is full at more
    changed = scaled(scenario, {name: factor})
    where, columns = FACTORS[name]
    for table in TABLES:
        before, after = getattr(scenario, table), getattr(changed, table)
        own = list(columns) if table == where else []
        pd.testing.assert_frame_equal(
            before.drop(columns=own), after.drop(columns=own), check_exact=True
        )
        for column in own:
            np.testing.assert_array_equal(after[column], before[column] * factor)


def test_socs_keep_their_share_of_the_battery(scenario):
    before, after = scenario.vehicles, scaled(scenario, {"battery": 1.7}).vehicles
    for column in SOCS:
        np.testing.assert_allclose(
            after[column] / after["battery_kwh"],
            before[column] / before["battery_kwh"],
            rtol=1e-12,
        )


def test_reserve_and_battery_multiply(scenario):
    both = scaled(scenario, {"battery": 2.0, "reserve": 0.5}).vehicles
    np.testing.assert_array_equal(both["reserve_kwh"], scenario.vehicles["reserve_kwh"])
    np.testing.assert_array_equal(
        both["battery_kwh"], 2 * scenario.vehicles["battery_kwh"]
    )


def test_factors_of_one_give_the_scenario_itself(scenario):
    assert scaled(scenario, {"cost": 1, "battery": 1.0}) is scenario


def test_header_notes_and_flag_stay(scenario):
    changed = scaled(scenario, {"cost": 3.0})
    names = ("name", "start", "timezone", "slot_minutes", "slots", "currency")
    for name in (*names, "notes", "vehicle_to_grid"):
        assert getattr(changed, name) == getattr(scenario, name)
    assert changed.fingerprint != scenario.fingerprint


def test_a_reserve_above_its_battery_is_wrong_and_not_cut_off(scenario):
    with pytest.raises(DataError, match="reserve_kwh"):
        scaled(scenario, {"reserve": 50.0})
