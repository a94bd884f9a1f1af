"""Standard transformers: the cheapest equal units that cover what a feeder needs."""

import itertools

import numpy as np
import pandas as pd
import pytest
from planning_cases import APART, TOGETHER, solved, street

from macjax import SettingsError, planning
from macjax.planning.transformers import KINDS, cheapest

SIZES = pd.DataFrame({"rated_kva": [10.0, 25.0, 50.0], "cost_usd": [63.0, 66.0, 130.0]})


def test_bundled_costs_rise_with_the_rating_and_fall_per_kva():
    for kind in KINDS:
        table = planning.unit_costs(kind)
        assert len(table) >= 5 and table["rated_kva"].is_monotonic_increasing
        assert table["cost_usd"].is_monotonic_increasing
        per_kva = table["cost_usd"] / table["rated_kva"]
        assert per_kva.is_monotonic_decreasing
    everything = planning.unit_costs()
    keys = ["phases", "primary_kv", "secondary_kv", "rated_kva"]
    assert not everything.duplicated(keys).any() and len(everything) == 45
    # A figure of the source, to notice a table that was changed.
    row = everything.query("phases == 3 and primary_kv == 12.47 and rated_kva == 500")
    assert row["cost_usd"].tolist() == [20_600]


def test_no_other_number_of_equal_units_is_cheaper():
    random = np.random.default_rng(3)
    needed = np.append(random.uniform(0.1, 400, 200), [10, 25, 50, 75, 100])
    size, units = cheapest(needed, SIZES["rated_kva"], SIZES["cost_usd"])
    rated, cost = SIZES["rated_kva"].to_numpy(), SIZES["cost_usd"].to_numpy()
    for need, s, n in zip(needed, size, units, strict=True):
        assert n * rated[s] >= need * (1 - 1e-9)
        options = [
            k * cost[j]
            for j, k in itertools.product(range(3), range(1, 50))
            if k * rated[j] >= need * (1 - 1e-9)
        ]
        assert n * cost[s] == min(options)


def test_nothing_is_bought_where_nothing_is_needed():
    size, units = cheapest([0.0, 5.0], SIZES["rated_kva"], SIZES["cost_usd"])
    assert size.tolist() == [-1, 0] and units.tolist() == [0, 1]


def test_upgrades_become_units_beside_what_is_there():
    frame = planning.discrete_upgrades(solved(street(), TOGETHER), SIZES, 0.7)
    a, b = frame.to_dict("records")
    assert a["upgrade_kw"] == 14 and a["upgrade_cost"] == 1400
    assert a["needed_kva"] == pytest.approx(20)
    assert (a["unit_kva"], a["units"], a["discrete_cost_usd"]) == (25, 1, 66)
    assert b["units"] == 0 and b["discrete_cost_usd"] == 0 and b["unit_kva"] == 0
    free = planning.discrete_upgrades(solved(street(), APART), SIZES)
    assert free["units"].sum() == 0 and free["discrete_kva"].sum() == 0


def test_a_transformer_is_replaced_by_one_for_all():
    scenario = street(rated_kva=[30.0, 200.0])
    frame = planning.discrete_upgrades(
        solved(scenario, TOGETHER), SIZES, 0.7, replace="rated_kva"
    )
    assert frame["needed_kva"].tolist() == pytest.approx([50, 0])
    # Two of 25 kVA cost 132, one of 50 kVA 130.
    assert frame["unit_kva"].tolist() == [50, 0]
    assert frame["discrete_cost_usd"].tolist() == [130, 0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"transformers": "three_phases"}, "did you mean 'three_phase'"),
        ({"transformers": pd.DataFrame({"rated_kva": [1.0]})}, "no column 'cost_usd'"),
        ({"transformers": SIZES.assign(cost_usd=0.0)}, "3 of 3 rows"),
        ({"transformers": 3}, "not int"),
        ({"power_factor": 0.0}, r"in \(0, 1\]"),
        ({"replace": "rated_kw"}, "no column 'rated_kw'"),
        ({"replace": "size"}, "1 do not: B"),
    ],
)
def test_wrong_settings_are_told(given, said):
    scenario = street(size=[10.0, 0.0])
    with pytest.raises(SettingsError, match=said):
        planning.discrete_upgrades(solved(scenario, TOGETHER), **given)
