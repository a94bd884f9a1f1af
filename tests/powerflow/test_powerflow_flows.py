"""Flows agree with closed forms and with a sweep written out; failures are rows."""

import copy

import numpy as np
import pandas as pd
import pytest
from power_cases import (
    EXTRA,
    KV,
    LINES,
    RATING,
    net_with_trafo,
    pandapower_net,
    scenario,
    solution,
    sweep,
    two_bus_voltage,
)

pytest.importorskip("pandapower", reason=EXTRA)

from macjax import powerflow
from macjax._errors import DataError, SettingsError
from macjax.powerflow.loading import reactive

EV = [[0.0, 100.0, 450.0, 0.0], [0.0, 0.0, 0.0, 120.0]]
PLACES = {"big": "A", "small": "B"}


def checked(ev=EV, net=None, given=None, **more):
    given = scenario() if given is None else given
    net = pandapower_net() if net is None else net
    more = {"slots": [0, 1, 2, 3], "mapping": PLACES} | more
    return powerflow.check(solution(given, ev), net, progress=False, **more)


def row(result, feeder, slot, method="unmanaged", lines="existing"):
    rows = result.rows
    kept = (rows["method"] == method) & (rows["lines"] == lines)
    kept &= (rows["feeder_id"] == feeder) & (rows["time"].dt.hour == slot)
    (found,) = rows[kept].to_dict("records")
    return found


def ohm(number, factor=1.0) -> complex:
    _, _, km, r, x, _, _ = LINES[number]
    return km * complex(r, x) / factor


def mva(base_mw: float, ev_mw: float, factors=(0.95, 0.98)) -> complex:
    base, ev = (complex(1.0, reactive(f)) for f in factors)
    return base_mw * base + ev_mw * ev


def test_one_line_follows_the_formula_of_the_voltage_drop():
    """Feeder B: one line, one load; its rating stands for the capacity."""
    result = checked()
    load_mw = RATING["B"] * 0.95 * np.array([200, 100, 300, 380]) / 400
    for slot, p in enumerate(load_mw):
        z, q = ohm(5), p * reactive(0.95)
        expected = two_bus_voltage(KV, z.real, z.imag, p, q)
        found = row(result, "small", slot, "base_load")
        assert found["lowest_pu"] == pytest.approx(expected, abs=1e-9)
        assert found["highest_pu"] == found["lowest_pu"]
        ka = abs(complex(p, q)) / (np.sqrt(3) * KV * expected)
        assert found["line_loading_percent"] == pytest.approx(100 * ka / 0.25)
        assert found["head_loading_percent"] == found["line_loading_percent"]
        # Near the voltage of the busbar the head is as full as the balance says.
        use = found["capacity_use"]
        assert found["head_loading_percent"] == pytest.approx(100 * use / expected)
        assert found["lowest_bus"] == 40 and found["line"] == 5


@pytest.mark.parametrize(
    ("spread", "shares"),
    [("nominal", (0.75, 0.25)), ("equal", (0.5, 0.5)), ({4: 1.0, 6: 1.0}, (0.0, 1.0))],
)
def test_a_feeder_with_two_loads_agrees_with_the_sweep(spread, shares):
    result = checked(ev_spread=spread, power_factor=0.9, ev_power_factor=0.99)
    rating = RATING["A"] * 0.9
    base, ev = rating * 700 / 1000, rating * 450 / 1000
    factors = (0.9, 0.99)
    power = {
        20: mva(0.75 * base, shares[0] * ev, factors),
        30: mva(0.25 * base, shares[1] * ev, factors),
    }
    volt, ka = sweep({7: (10, 20, ohm(7)), 3: (20, 30, ohm(3))}, power)
    found = row(result, "big", 2)
    assert found["lowest_pu"] == pytest.approx(volt[30], abs=1e-7)
    assert found["highest_pu"] == pytest.approx(volt[20], abs=1e-7)
    full = {7: ka[7] / 0.20, 3: ka[3] / 0.10}
    assert found["head_loading_percent"] == pytest.approx(100 * full[7], rel=1e-6)
    worst = max(full, key=full.get)
    assert found["line"] == worst
    assert found["line_loading_percent"] == pytest.approx(100 * full[worst], rel=1e-6)
    assert found["line_over"] == (full[worst] > 1)


def test_the_planning_share_scales_the_load():
    full, half = checked(), checked(planning_share=0.5)
    np.testing.assert_allclose(half.places["rating_kw"], full.places["rating_kw"] / 2)
    z, p = ohm(5), 0.5 * RATING["B"] * 0.95 * 380 / 400
    expected = two_bus_voltage(KV, z.real, z.imag, p, p * reactive(0.95))
    found = row(half, "small", 3, "base_load")
    assert found["lowest_pu"] == pytest.approx(expected, abs=1e-9)
    assert found["capacity_use"] == row(full, "small", 3, "base_load")["capacity_use"]


@pytest.mark.parametrize(("reinforce", "grown"), [("head", (7,)), ("feeder", (7, 3))])
def test_reinforced_lines_have_the_conductors_of_the_upgrade(reinforce, grown):
    """The big feeder needs 150 kW on 1,000: 1.15 times the line."""
    result = checked(reinforce=reinforce)
    rating = RATING["A"] * 0.95
    power = {
        bus: mva(share * rating * 0.7, share * rating * 0.45)
        for bus, share in ((20, 0.75), (30, 0.25))
    }
    factor = {n: 1.15 if n in grown else 1.0 for n in (7, 3)}
    lines = {7: (10, 20, ohm(7, factor[7])), 3: (20, 30, ohm(3, factor[3]))}
    volt, ka = sweep(lines, power)
    found = row(result, "big", 2, lines="reinforced")
    assert found["lowest_pu"] == pytest.approx(volt[30], abs=1e-7)
    head = ka[7] / (0.20 * 1.15)
    assert found["head_loading_percent"] == pytest.approx(100 * head, rel=1e-6)
    assert found["capacity_use"] == pytest.approx(1.0)
    assert row(result, "big", 2)["capacity_use"] == pytest.approx(1.15)
    # The other feeder is upgraded too: 500 of 400 kW.
    assert row(result, "small", 3, lines="reinforced")["capacity_use"] == 1.0
    verdict = result.by_feeder().set_index(["method", "lines", "feeder_id"])
    within = verdict["within_capacity"]
    assert not within["unmanaged", "existing", "big"]
    assert within["unmanaged", "reinforced", "big"]


def test_without_upgrade_or_wish_there_are_no_reinforced_rows():
    assert set(checked(reinforce="none").rows["lines"]) == {"existing"}
    assert set(checked(ev=np.zeros((2, 4))).rows["lines"]) == {"existing"}
    # The small feeder is upgraded, but not looked at.
    alone = checked(ev=[[0.0] * 4, EV[1]], mapping={"big": "A"})
    assert set(alone.rows["lines"]) == {"existing"}


def test_each_copy_of_the_net_is_reinforced_for_its_own_feeders():
    """Only the small feeder, alone on its copy, is upgraded."""
    ev = [[0.0] * 4, EV[1]]
    result = checked(ev=ev, mapping={"big": "B", "small": "B"})
    assert result.places["substation"].tolist() == [1, 2]
    rows = result.rows[result.rows["method"] == "unmanaged"]
    pair = [rows[rows["lines"] == w].set_index(["feeder_id", "time"]) for w in
            ("existing", "reinforced")]  # fmt: skip
    same = pair[0]["lowest_pu"] == pair[1]["lowest_pu"]
    assert same["big"].all() and not same["small"].any()


def test_a_feeder_on_chosen_buses_loads_these_alone():
    result = checked(mapping={"big": [30]})
    p = RATING["A"] * 0.95
    power = {30: mva(p * 0.7, p * 0.45)}
    volt, _ = sweep({7: (10, 20, ohm(7)), 3: (20, 30, ohm(3))}, power)
    found = row(result, "big", 2)
    assert found["lowest_pu"] == pytest.approx(volt[30], abs=1e-7)
    assert result.places["loads"].tolist() == [1]


def test_feeders_of_the_net_that_stand_for_none_are_filled():
    """Feeder B carries the mean of the others, or the share asked for; A is alone."""
    trafo = {
        others: row(
            checked(mapping={"big": "A"}, net=net_with_trafo(), others=others), "big", 2
        )["trafo_loading_percent"]
        for others in (None, 0.001, 1.15)
    }
    rating_a, rating_b = RATING["A"] / 25.0, RATING["B"] / 25.0
    assert trafo[0.001] == pytest.approx(100 * 1.15 * rating_a, rel=0.1)
    assert trafo[1.15] == pytest.approx(100 * 1.15 * (rating_a + rating_b), rel=0.1)
    assert trafo[None] == pytest.approx(trafo[1.15], rel=0.01)


def test_tap_changers_hold_their_set_point():
    net = net_with_trafo()
    net.line["length_km"] = 1e-4
    for wanted, set_point in ((None, 1.02), (0.99, 0.99)):
        result = checked(net=net, busbar_pu=wanted)
        near = result.rows[["lowest_pu", "highest_pu"]].to_numpy()
        np.testing.assert_allclose(near, set_point, atol=2e-5)
    del net.trafo["autoTap"], net.trafo["autoTapSetp"]
    left = checked(net=net).rows.groupby("method")["lowest_pu"]
    assert left.max().max() < 0.995 and left.min().max() > 0.9


def test_a_transformer_beyond_its_limit_counts_the_substation():
    net = net_with_trafo()
    net.trafo["max_loading_percent"] = 60.0
    result = checked(net=net)
    found = row(result, "big", 2)
    # S = use x rating of A and B, less the losses and the voltage off 1 pu.
    expected = 100 * (1.15 * RATING["A"] + 0.75 * RATING["B"]) / 25.0
    assert found["trafo_loading_percent"] == pytest.approx(expected, rel=0.06)
    assert found["trafo_over"] == (found["trafo_loading_percent"] > 60.0)
    summary = result.summary().set_index(["method", "lines"])
    assert summary["substations"].tolist() == [1, 1, 1]
    assert summary.loc[("unmanaged", "existing"), "substations_over"] == 1
    assert checked().rows["trafo_loading_percent"].isna().all()


def test_a_flow_that_does_not_converge_is_a_row_with_a_reason():
    """Forty times its rating in slot 1; the slots around it are as ever."""
    base = [[500.0, 40_000.0, 700.0, 300.0], [200.0, 100.0, 300.0, 380.0]]
    for net in (pandapower_net(), net_with_trafo()):
        whole = checked(net=copy.deepcopy(net), given=scenario(base=base))
        bad = whole.rows["time"].dt.hour == 1
        rows = whole.rows[bad]
        assert not rows["converged"].any()
        assert rows["reason"].str.contains("converge").all()
        assert rows[["lowest_pu", "line_loading_percent", "line"]].isna().all(axis=None)
        assert not rows[["line_over", "voltage_low"]].any(axis=None)
        good = whole.rows[~bad].drop(columns="capacity_use")
        assert good["converged"].all() and (good["reason"] == "").all()
        alone = checked(net=net, given=scenario(base=base), slots=[0, 2, 3])
        for name in ("lowest_pu", "line_loading_percent"):
            np.testing.assert_allclose(good[name], alone.rows[name], rtol=2e-5)
        summary = whole.summary().set_index("method")
        assert (summary["not_converged"] == 2).all()


def test_a_slot_without_capacity_has_no_scale_and_leaves_the_others_alone():
    given = scenario(capacity=[[1000.0] * 4, [400.0, 0.0, -5.0, 400.0]])
    result = checked(given=given)
    for slot, reason in enumerate(["", "no scale", "no scale", ""]):
        found = row(result, "small", slot)
        assert reason in found["reason"] and found["converged"] == (not reason)
        assert row(result, "big", slot)["converged"]


def test_a_bus_without_supply_is_told():
    net = pandapower_net()
    import pandapower as pp

    pp.create_switch(net, 20, 3, et="l", closed=True, in_service=False)
    net.line.loc[3, "in_service"] = False
    result = checked(net=net)
    assert result.rows["converged"].all()  # bus 30 is on no feeder then
    assert "2 loads of the net are on no feeder" in " ".join(result.assumptions)


def test_the_net_is_not_changed_and_its_generators_do_not_count():
    import pandapower as pp

    plain = checked(net=net_with_trafo())
    net = net_with_trafo()
    pp.create_sgen(net, 20, p_mw=5.0)
    pp.create_gen(net, 40, p_mw=2.0, vm_pu=1.05)
    pp.create_storage(net, 30, p_mw=1.0, max_e_mwh=1.0)
    net.load["scaling"], net.load["const_z_p_percent"] = 2.0, 50.0
    before = copy.deepcopy(net)
    found = checked(net=net)
    pd.testing.assert_frame_equal(found.rows, plain.rows)
    for name in ("load", "line", "sgen", "gen", "storage", "switch", "trafo", "bus"):
        pd.testing.assert_frame_equal(net[name], before[name])
    assert len(net.controller) == len(before.controller)
    assert "3 generators and other elements" in " ".join(found.assumptions)


def test_the_order_of_slots_and_solutions_does_not_matter():
    given = scenario()
    both = [solution(given, EV), solution(given, np.array(EV) / 2, "mac")]
    runs = [
        powerflow.check(
            s, net_with_trafo(), slots=slots, mapping=PLACES, progress=False
        )
        for s, slots in ((both, [0, 1, 2, 3]), (both[::-1], [2, 0, 1, 3]))
    ]
    keys = ["method", "lines", "feeder_id", "time"]
    one, two = (r.rows.sort_values(keys).reset_index(drop=True) for r in runs)
    for name in ("lowest_pu", "line_loading_percent", "trafo_loading_percent"):
        # The tap changers stop within 1e-5 of the set point.
        np.testing.assert_allclose(one[name], two[name], rtol=2e-5)


def test_the_fullest_slots_of_all_cases_are_taken():
    result = checked(slots=None)
    hours = set(result.rows["time"].dt.hour)
    assert hours == {2, 3}  # the largest of each feeder, with and without EVs
    counted = result.rows.groupby(["method", "lines"]).size()
    assert (counted == 4).all() and len(counted) == 3
    more = set(checked(slots=None, worst=3).rows["time"].dt.hour)
    assert more == {0, 1, 2, 3}


def test_progress_counts_every_flow():
    told = []
    given = scenario()
    powerflow.check(
        solution(given, EV), pandapower_net(), slots=[1, 2], progress=told.append
    )
    assert [t["flows"] for t in told] == list(range(1, 7))
    assert {t["of"] for t in told} == {6}


def test_voltage_bands_are_the_nets_or_those_given():
    net = pandapower_net()
    low = {None: 0.95, (0.5, 1.5): 0.5}
    for band, limit in low.items():
        result = checked(net=net, voltage_band_pu=band)
        assert result.band_pu[0] == limit
        rows = result.rows
        assert (rows["voltage_low"] == (rows["lowest_pu"] < limit)).all()
    net.bus["min_vm_pu"], net.bus["max_vm_pu"] = 0.99, 0.995
    result = checked(net=net)
    assert result.band_pu == (0.99, 0.995)
    assert result.rows["voltage_high"].equals(result.rows["highest_pu"] > 0.995)
    for wrong in ((1.05, 0.95), 3, (0.9,), ("a", "b")):
        with pytest.raises(SettingsError, match="voltage_band_pu must"):
            checked(net=net, voltage_band_pu=wrong)


def test_a_net_without_loads_is_told():
    net = pandapower_net()
    net.load.drop(net.load.index, inplace=True)
    with pytest.raises(DataError, match="no load in service"):
        checked(net=net)
