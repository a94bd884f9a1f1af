"""Paths that are looked for, and grids of pandapower nets."""

import json

import numpy as np
import pandas as pd
import pytest
from tariff_cases import bundled, town

from macjax import DataError, SettingsError, tariffs


def ways(case) -> dict[str, list[list[str]]]:
    """Nodes of the paths of each trip."""
    found: dict[str, list[list[str]]] = {}
    legs, roads = case.legs, case.roads
    for number, trip in enumerate(legs.path_trip):
        arcs = legs.arc[legs.path == number]
        nodes = [roads.nodes[roads.tail[arcs[0]]], *roads.nodes[roads.head[arcs]]]
        found.setdefault(case.trips.names[trip], []).append(nodes)
    return found


def test_paths_found_are_the_shortest_ones():
    case = bundled().changed({"transport.paths_per_trip": 4}, paths=None)
    lengths = case.legs.onward[case.legs.first].reshape(2, 4)
    assert (np.diff(lengths, axis=1) >= 0).all()
    assert lengths[:, 0].tolist() == [13, 12]
    for trip, paths in ways(case).items():
        origin, destination = trip.split("-")
        assert len({tuple(path) for path in paths}) == 4
        for path in paths:
            assert path[0] == origin and path[-1] == destination
            assert len(set(path)) == len(path)


def test_fewer_paths_than_asked_for():
    case = town({"transport.paths_per_trip": 9}, paths=None)
    assert ways(case) == {
        "there": [["A", "F", "B"], ["A", "G", "B"]],
        "back": [["B", "F", "A"], ["B", "G", "A"]],
    }
    given = tariffs.solve_operator(town(), 0.0)
    assert tariffs.solve_operator(case, 0.0).cost == pytest.approx(given.cost, rel=1e-7)


def net() -> dict[str, pd.DataFrame]:
    """Two feeders behind a transformer; one line is open, two buses are joined."""
    return {
        "bus": pd.DataFrame(
            {
                "name": list("abcdef"),
                "vn_kv": [110.0] + [20.0] * 5,
                "min_vm_pu": 0.95,
                "max_vm_pu": [1.1, 1.1, 1.05, 1.1, 1.1, 1.1],
            }
        ),
        "line": pd.DataFrame(
            {
                "from_bus": [1, 1, 2],
                "to_bus": [2, 3, 3],
                "length_km": [2.0, 3.0, 1.0],
                "r_ohm_per_km": 0.2,
                "x_ohm_per_km": 0.1,
                "max_i_ka": [0.2, 0.3, 0.3],
                "parallel": [1, 2, 1],
                "in_service": True,
            }
        ),
        "trafo": pd.DataFrame(
            {
                "hv_bus": [0],
                "lv_bus": [1],
                "sn_mva": [25.0],
                "vk_percent": [10.0],
                "vkr_percent": [0.6],
            }
        ),
        "load": pd.DataFrame({"bus": [2, 3, 5], "p_mw": [1.5, 0.7, 9.0]}),
        "sgen": pd.DataFrame({"bus": [4], "p_mw": [0.4]}),
        "ext_grid": pd.DataFrame({"bus": [0]}),
        "switch": pd.DataFrame(
            {
                "bus": [2, 3],
                "element": [2, 4],
                "et": ["l", "b"],
                "closed": [False, True],
            }
        ),
    }


def test_grid_of_a_pandapower_net():
    grid = tariffs.grid_from_pandapower(net(), power_factor=0.9)
    lines = grid.lines.set_index("line_id")
    assert grid.settings == {"substation": "0", "nominal_kv": 20.0}
    ends = lines[["from_node", "to_node"]].to_numpy().tolist()
    assert ends == [["1", "2"], ["1", "3"], ["0", "1"]]
    kw = np.sqrt(3) * 20 * np.array([0.2, 0.3 * 2]) * 1e3 * 0.9
    assert np.allclose(lines["limit_kw"], [*kw, 25e3 * 0.9])
    z, r = 0.1 * 20**2 / 25, 0.006 * 20**2 / 25
    assert np.allclose(lines["r_ohm"], [0.4, 0.3, r])
    assert np.allclose(lines["x_ohm"], [0.2, 0.15, np.sqrt(z**2 - r**2)])
    assert grid.grid_nodes["node_id"].tolist() == ["0", "1", "2", "3"]
    assert grid.grid_nodes["max_pu"].tolist() == [1.1, 1.1, 1.05, 1.1]
    day = grid.grid_profile.groupby("node_id")[["load_kw", "pv_kw"]].mean()
    assert day["load_kw"].tolist() == [0, 0, 1500, 700]
    assert day["pv_kw"].tolist() == [0, 0, 0, 400]
    lost = grid.report[grid.report["what"].str.contains("not connected")]
    assert lost["ids"].iloc[0] == (5,) or list(lost["ids"].iloc[0]) == [5]


def test_case_on_a_pandapower_net(tmp_path):
    tables = {
        name: {
            "_class": "DataFrame",
            "_module": "pandas.core.frame",
            "_object": frame.to_json(orient="split"),
        }
        for name, frame in net().items()
    }
    path = tmp_path / "net.json"
    path.write_text(json.dumps({"_class": "pandapowerNet", "_object": tables}))
    grid = tariffs.grid_from_pandapower(path)
    stations = pd.DataFrame({"station_id": ["F", "G"], "grid_node": ["2", "3"]})
    case = town(
        {f"grid.{k}": v for k, v in grid.settings.items()},
        stations=stations,
        **grid.tables(),
    )
    plan = tariffs.solve_operator(case, 1.0)
    assert plan.status == "solved"
    head = plan.lines[plan.lines["line"] == "trafo 0"]
    own = plan.powers.groupby("time")["kw"].sum().to_numpy()
    assert np.allclose(head["kw"], own + 1500 + 700 - 400)


def test_wrong_pandapower_nets():
    without = {**net(), "ext_grid": pd.DataFrame({"bus": []})}
    with pytest.raises(DataError, match="ext_grid"):
        tariffs.grid_from_pandapower(without)
    with pytest.raises(SettingsError, match="power_factor"):
        tariffs.grid_from_pandapower(net(), power_factor=0)
