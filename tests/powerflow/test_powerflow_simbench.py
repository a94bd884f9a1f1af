"""A SimBench grid takes the bundled scenario's feeders and holds its set point."""

import numpy as np
import pytest
from power_cases import EXTRA

pytest.importorskip("pandapower", reason=EXTRA)
pytest.importorskip("simbench", reason=EXTRA)

import simbench

import macjax
from macjax import powerflow
from macjax._errors import SettingsError

CODE = "1-MV-comm--0-sw"


def test_unknown_grids_are_told():
    with pytest.raises(SettingsError, match="did you mean '1-MV-comm--0-sw'"):
        powerflow.mv_feeders("1-MV-com--0-sw")


def test_the_bundled_scenario_on_a_simbench_grid():
    net = simbench.get_simbench_net(CODE)
    frame = powerflow.mv_feeders(net)
    at_busbar = net.load.loc[~net.load.index.isin(np.concatenate(frame["loads"]))]
    assert len(at_busbar) <= 1
    kv, heads = 20.0, net.line.loc[[h[0] for h in frame["head_lines"]]]
    assert all(len(h) == 1 for h in frame["head_lines"])
    rating = np.sqrt(3) * kv * heads["max_i_ka"].to_numpy()
    np.testing.assert_allclose(frame["rating_mva"], rating)

    scenario = macjax.example()
    unmanaged = macjax.baselines.unmanaged(scenario)
    result = powerflow.check(unmanaged, CODE, slots=[19], progress=False)
    rows = result.rows
    assert rows["converged"].all()
    assert result.places["substation"].max() == -(-24 // len(frame))
    # The taps hold the busbar at 1.025, which no feeder exceeds without generation.
    assert rows["highest_pu"].between(1.0, 1.0251).all()
    # Head lines are as full as the balance says, but for losses and voltage.
    base = rows[rows["method"] == "base_load"]
    ratio = base["head_loading_percent"] / (100 * base["capacity_use"])
    assert ratio.between(0.95, 1.05).all()
    assert "Open Database License" in result.assumptions[0]
