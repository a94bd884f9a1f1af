"""Energy by place adds up to the schedules, and relief is counted where it is due."""

import pytest
from planning_cases import APART, TOGETHER, WEIGHT, solved, street

import macjax
from macjax import SettingsError, planning


@pytest.fixture(scope="module")
def pair():
    scenario = street()
    return [solved(scenario, TOGETHER, "unmanaged"), solved(scenario, APART)]


def test_energy_by_place(pair):
    table = planning.flexibility_by_place(pair).set_index("place")
    assert list(table.index) == ["home", "work", "club", "all"]
    assert (table["method"] == "mac").all()
    before, after = table["unmanaged_kwh"], table["energy_kwh"]
    assert before.tolist() == [16, 8, 0, 24]
    assert after.tolist() == [10, 0, 8, 18]
    # At home 16 kWh leave 18:00, of which 2 stay there; 8 come to other hours.
    assert table["moved_away_kwh"].tolist() == [14, 8, 0, 22]
    assert table["moved_there_kwh"].tolist() == [8, 0, 8, 16]


def test_relief_is_in_cells_that_unmanaged_charging_overloads(pair):
    table = planning.flexibility_by_place(pair).set_index("place")
    assert table["peak_unmanaged_kwh"].tolist() == [16, 0, 0, 16]
    assert table["peak_kwh"].tolist() == [2, 0, 0, 2]
    assert table["relief_kwh"].tolist() == [14, 0, 0, 14]
    assert table["relief_share"].tolist() == [1, 0, 0, 1]
    assert table["worst_slot_relief_kw"].tolist() == [14, 0, 0, 14]
    assert table["left_kw"].tolist() == [0, 0, 0, 0]


def test_what_is_left_charges_in_the_worst_slot_of_the_method(pair):
    late = [(0, 18, 4.0), (1, 19, 3.0), (2, 12, 4.0), (3, 18, 4.0)]
    table = planning.flexibility_by_place([pair[0], solved(pair[0].scenario, late)])
    assert table.set_index("place")["left_kw"].tolist() == [8, 0, 0, 8]


def test_sums_are_those_of_the_solutions():
    scenario = macjax.example().subset(feeders=None)
    solutions = [
        macjax.baselines.unmanaged(scenario),
        macjax.baselines.time_of_use(scenario, "pge_a10"),
    ]
    table = planning.flexibility_by_place(solutions)
    whole = table[table["place"] == "all"].iloc[0]
    energy = [float(s.summary()["energy_kwh"]) for s in solutions]
    assert whole["unmanaged_kwh"] == pytest.approx(energy[0])
    assert whole["energy_kwh"] == pytest.approx(energy[1])
    moved = whole["moved_there_kwh"] - whole["moved_away_kwh"]
    assert moved == pytest.approx(energy[1] - energy[0])
    hours = planning.charging_by_hour(solutions)
    days = scenario.slots * scenario.slot_hours / 24
    mean = hours.groupby("method", sort=False)["kw"].sum() * days
    assert mean.tolist() == pytest.approx(energy)


def test_hours_are_local_and_means_over_days(pair):
    hours = planning.charging_by_hour(pair)
    home = hours.query("method == 'unmanaged' and place == 'home'").set_index("hour")
    assert home.loc[18, "kw"] == 2 * 4 * WEIGHT and home["kw"].sum() == 16


def test_what_is_missing_is_told(pair):
    with pytest.raises(SettingsError, match="no column 'place' that says"):
        planning.charging_by_hour([solved(street(place=False), APART)])
    with pytest.raises(SettingsError, match="unmanaged charging and at least one"):
        planning.flexibility_by_place(pair[1:])
    with pytest.raises(SettingsError, match="unmanaged charging and at least one"):
        planning.flexibility_by_place(pair[:1])
