"""Verdicts count what the rows say; the figure shows the rows."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from macjax._errors import SolutionError
from macjax.powerflow import PowerFlow, voltages
from macjax.powerflow.result import VERDICTS, blank_where

# method, lines, feeder, slot, use, loading [%], lowest [pu], converged; a line is over
# beyond 100 %, a voltage low below 0.95.
ROWS = [
    ("base_load", "existing", "a", 0, 0.70, 70, 0.98, True),
    ("base_load", "existing", "a", 1, 0.60, 60, 0.99, True),
    ("base_load", "existing", "b", 0, 0.90, 80, 0.94, True),
    ("base_load", "existing", "b", 1, 0.80, 70, 0.96, True),
    ("base_load", "existing", "c", 0, 0.50, 50, 0.99, True),
    ("base_load", "existing", "c", 1, 0.50, 50, 0.99, True),
    ("mac", "existing", "a", 0, 0.99, 97, 0.96, True),
    ("mac", "existing", "a", 1, 1.00, 101, 0.96, True),
    ("mac", "existing", "b", 0, 1.00, 90, 0.93, True),
    ("mac", "existing", "b", 1, 0.95, 90, 0.94, True),
    ("mac", "existing", "c", 0, 1.04, 99, 0.97, True),
    ("mac", "existing", "c", 1, 0.80, 88, 0.98, False),
    ("mac", "reinforced", "a", 0, 0.99, 97, 0.96, True),
    ("mac", "reinforced", "a", 1, 1.00, 101, 0.96, True),
    ("mac", "reinforced", "b", 0, 1.00, 90, 0.93, True),
    ("mac", "reinforced", "b", 1, 0.95, 90, 0.94, True),
    ("mac", "reinforced", "c", 0, 1.00, 96, 0.97, True),
    ("mac", "reinforced", "c", 1, 0.77, 85, 0.98, True),
]
NAMES = ["method", "lines", "feeder_id", "slot", "capacity_use", "line_loading_percent"]
NAMES += ["lowest_pu", "converged"]


@pytest.fixture
def result() -> PowerFlow:
    rows = pd.DataFrame(ROWS, columns=NAMES)
    rows["line_loading_percent"] = rows["line_loading_percent"].astype(float)
    start = pd.Timestamp("2026-03-02T00:00:00-08:00")
    rows["time"] = start + pd.to_timedelta(rows.pop("slot"), "h")
    rows["line_over"] = rows["line_loading_percent"] > 100
    rows["voltage_low"] = rows["lowest_pu"] < 0.95
    rows = rows.assign(
        mv_feeder="A",
        substation=rows["feeder_id"].map({"a": 1, "b": 1, "c": 2}),
        head_loading_percent=rows["line_loading_percent"] - 1,
        trafo_loading_percent=60.0,
        trafo_over=(rows["method"] == "mac") & (rows["feeder_id"] != "c"),
        highest_pu=1.02,
        voltage_high=False,
        line=7,
        lowest_bus=30,
        reason=np.where(rows["converged"], "", "power flow: no"),
    )
    balance = rows[["method", "lines", "feeder_id"]].drop_duplicates()
    over = (balance["feeder_id"] == "c") & (balance["method"] == "mac")
    balance["within_capacity"] = ~over | (balance["lines"] == "reinforced")
    return PowerFlow(
        rows=blank_where(rows),
        balance=balance.reset_index(drop=True),
        places=pd.DataFrame(),
        band_pu=(0.95, 1.05),
        settings={},
        assumptions=["Assumed: a net."],
    )


def test_verdicts_of_feeders_are_the_worst_over_the_slots(result):
    found = result.by_feeder().set_index(["method", "lines", "feeder_id"])
    a = found.loc[("mac", "existing", "a")]
    assert a["line_loading_percent"] == 101 and a["lowest_pu"] == 0.96
    assert a["capacity_use"] == 1.0 and a["harmed"] and not a["harmed_at_base"]
    assert found.loc[("mac", "existing", "b"), "harmed_at_base"]
    c = found.loc[("mac", "existing", "c")]
    assert not c["converged"] and not c["within_capacity"]
    assert c["line_loading_percent"] == 99  # of the slot that has numbers


def test_the_summary_counts_where_a_capacity_is_not_enough(result):
    summary = result.summary()
    assert summary.columns.tolist() == ["method", "lines", *VERDICTS]
    found = summary.set_index(["method", "lines"])
    base = found.loc[("base_load", "existing")]
    counted = ["feeders", "within_capacity", "not_enough", "at_base_already"]
    assert base[counted].tolist() == [3, 3, 1, 1]
    mac = found.loc[("mac", "existing")]
    assert mac[counted].tolist() == [3, 2, 2, 1]
    assert mac[["line_over", "voltage_low", "voltage_high"]].tolist() == [1, 1, 0]
    assert mac[["substations", "substations_over"]].tolist() == [2, 1]
    assert mac["not_converged"] == 1
    assert mac["over_capacity_unharmed"] == 0  # c is not known in all slots
    assert mac["lowest_pu"] == 0.93 and mac["line_loading_percent"] == 101
    assert found.loc[("mac", "reinforced"), counted].tolist() == [3, 3, 2, 1]


def test_over_capacity_without_harm_is_counted(result):
    rows = result.rows.assign(converged=True)
    found = PowerFlow(rows, result.balance, result.places, (0.95, 1.05), {}, [])
    assert found.summary()["over_capacity_unharmed"].tolist() == [0, 1, 0]


def test_rows_without_numbers_flag_nothing(result):
    (bad,) = result.rows[~result.rows["converged"]].to_dict("records")
    assert bad["reason"] == "power flow: no"
    for name in ("line_loading_percent", "lowest_pu", "trafo_loading_percent", "line"):
        assert pd.isna(bad[name])
    assert not bad["trafo_over"] and bad["capacity_use"] == 0.8


def test_the_report_has_the_table_and_what_it_rests_on(result):
    text = result.report()
    assert "not_enough" in text and "- Assumed: a net." in text


def test_the_figure_has_a_point_for_every_method_and_feeder(result):
    ax = Figure(layout="constrained").add_subplot()
    assert voltages(result, ax=ax) is ax
    points = np.vstack([c.get_offsets() for c in ax.collections])
    use = {"base_load": [70, 90, 50], "mac": [100, 100, 104]}
    low = {"base_load": [0.98, 0.94, 0.99], "mac": [0.96, 0.93, 0.97]}
    expected = np.vstack([np.column_stack([use[m], low[m]]) for m in use])
    order = [np.lexsort(p.T) for p in (points, expected)]
    np.testing.assert_allclose(points[order[0]], expected[order[1]])
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels == [
        "base load alone: 1 beyond a limit",
        "MAC (coordinated): 2 beyond a limit",
    ]
    assert ax.get_xlabel() == "largest load / capacity by balance [%]"
    assert ax.get_ylabel() == "lowest voltage of the feeder [pu]"
    assert ax.get_lines()[1].get_ydata()[0] == 0.95


def test_a_figure_of_nothing_is_told(result):
    rows = result.rows[result.rows["lines"] == "existing"]
    only = PowerFlow(rows, result.balance, result.places, (0.95, 1.05), {}, [])
    with pytest.raises(SolutionError, match="no row with lines 'reinforced'"):
        voltages(only, "reinforced")
