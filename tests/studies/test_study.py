"""A study writes what it found, goes on where it was stopped, tells what is wrong."""

import json

import pandas as pd
import pytest
from study_cases import small

import macjax
from macjax import DataError, RegionWarning, SettingsError, planning, plots, studies
from macjax.studies import planner, planner_report

METHODS = ["unmanaged", "first_come"]
NAPA = {"counties": ["napa"], "sample": 0.005, "days": 2, "name": "a part of Napa"}


@pytest.fixture(scope="module")
def napa(tmp_path_factory):
    """Unmanaged and MAC on some cars of one county."""
    out = tmp_path_factory.mktemp("napa") / "study"
    return macjax.study(NAPA, out, ["unmanaged", "mac"], gap=1e-2)


def test_the_folder_holds_report_tables_figures_and_solutions(napa):
    names = {path.name for path in napa.out.iterdir()}
    assert {"report.md", "result.json", "study.json", "region.toml"} <= names
    for method, solution in napa.solutions.items():
        there = macjax.Solution.read(napa.out / "solutions" / method)
        assert there.objective == solution.objective
        assert there.scenario.fingerprint == solution.scenario.fingerprint
    for name, frame in napa.tables.items():
        read = pd.read_parquet(napa.out / "tables" / f"{name}.parquet")
        assert list(read.columns) == list(frame.columns) and len(read) == len(frame)
        assert len(pd.read_csv(napa.out / "tables" / f"{name}.csv")) == len(frame)
    drawn = {path.name for path in napa.figures}
    wanted = {"cost.png", "feeders.png", "map.png", "charging.png", "flexibility.png"}
    assert wanted <= drawn
    for path in napa.figures:
        assert path.read_bytes().startswith(b"\x89PNG")


def test_the_report_says_the_numbers_and_what_they_rest_on(napa):
    text = (napa.out / "report.md").read_text("utf-8")
    assert text == napa.report
    mac = napa.solutions["mac"].summary()
    assert f"{mac['upgrade_kw']:,.0f}" in text and f"{mac['lower_bound']:,.0f}" in text
    for word in ("published statistics", "modelled by others", "assumed", "foresight"):
        assert word in text
    row = napa.tables["intervals"].set_index("quantity").loc["avoided by mac"]
    whole = napa.solutions["unmanaged"].summary()["upgrade_cost"]
    at_most = float(text.split("avoids more than ")[1].split(" %")[0])
    assert 0 <= at_most - 100 * row["at_most"] / whole < 0.01
    for path in napa.figures:
        assert f"(figures/{path.name})" in text


def test_the_numbers_are_those_of_compare_and_planning(napa):
    solutions = list(napa.solutions.values())
    table = napa.tables["methods"]
    compared = macjax.compare(solutions)
    pd.testing.assert_frame_equal(table[compared.columns], compared)
    bought = [planning.discrete_upgrades(s)["discrete_cost_usd"] for s in solutions]
    assert table["discrete_cost_usd"].tolist() == [b.sum() for b in bought]
    record = json.loads((napa.out / "result.json").read_text("utf-8"))
    assert record["methods"][1]["gap"] == compared["gap"][1]
    assert record["scenario"]["rows"] == len(solutions[0].scenario.vehicles)
    assert record["peak_gib"] > 0 and record["seconds"]["mac"] > 0


def test_the_same_call_reads_what_is_there(napa, monkeypatch):
    def refuse(*_):
        raise AssertionError("nothing is to be run again")

    monkeypatch.setattr(planner, "run_method", refuse)
    again = macjax.study(NAPA, napa.out, ["unmanaged", "mac"], gap=1e-2)
    columns = ["method", "upgrade_kw", "lower_bound", "seconds"]
    pd.testing.assert_frame_equal(
        again.tables["methods"][columns], napa.tables["methods"][columns]
    )


def test_another_study_is_refused(napa):
    with pytest.raises(SettingsError, match="holds another study.*settings.gap"):
        macjax.study(NAPA, napa.out, ["unmanaged", "mac"], gap=2e-2)


def test_an_interruption_keeps_what_was_finished(tmp_path, monkeypatch):
    scenario, ran = small(), []

    def interrupted(name, scenario, request, run=planner.run_method):
        ran.append(name)
        if len(ran) == 2:
            raise KeyboardInterrupt
        return run(name, scenario, request)

    monkeypatch.setattr(planner, "run_method", interrupted)
    with pytest.raises(KeyboardInterrupt):
        macjax.study(scenario, tmp_path / "out", METHODS)
    found = macjax.study(scenario, tmp_path / "out", METHODS)
    assert ran == ["unmanaged", "first_come", "first_come"]
    assert list(found.solutions) == METHODS


def test_a_damaged_solution_is_run_again(tmp_path, capsys):
    scenario = small()
    macjax.study(scenario, tmp_path / "out", ["unmanaged"])
    path = tmp_path / "out" / "solutions" / "unmanaged" / "upgrades.parquet"
    path.write_bytes(b"nothing")
    found = macjax.study(scenario, tmp_path / "out", ["unmanaged"], progress=True)
    assert "run again" in capsys.readouterr().err
    assert macjax.Solution.read(path.parent).objective == (
        found.solutions["unmanaged"].objective
    )


def bare(scenario):
    """The scenario without what its stays say beyond the contract."""
    keys = ("name", "start", "timezone", "slot_minutes", "slots", "currency")
    tables = ("vehicles", "trips", "feeders", "feeder_profile")
    given = {name: getattr(scenario, name) for name in (*keys, *tables)}
    stays = scenario.stays.drop(columns="place")
    return macjax.Scenario.from_frames(**given, stays=stays)


def test_without_places_and_coordinates_the_rest_is_there(tmp_path):
    found = macjax.study(bare(small()), tmp_path / "out", METHODS)
    assert set(found.tables) == {"methods", "intervals", "feeders", "quantiles"}
    assert "map.png" not in {path.name for path in found.figures}
    assert "Who gives" not in found.report and "Unmanaged" in found.report


def test_the_terminal_shows_the_units_of_its_rows(napa):
    text = planner_report.study_summary(napa.tables, "USD")
    (line,) = [x for x in text.splitlines() if "energy from the grid [MWh]" in x]
    kwh = napa.tables["methods"]["energy_kwh"]
    assert line.split()[-2:] == [plots.amount(v / 1e3) for v in kwh]
    assert "rows that cannot make their trips" in text


def test_what_a_region_leaves_out_is_in_the_report(tmp_path):
    config = NAPA | {"fleet": {"battery_kwh": [10.0, 20.0]}, "sample": 0.01}
    with pytest.warns(RegionWarning, match="left out"):
        found = macjax.study(config, tmp_path / "out", ["unmanaged"])
    head = found.report.split("##")[0]
    assert "rows of cars are left out" in head and "% of the km" in head
    record = json.loads((tmp_path / "out" / "result.json").read_text("utf-8"))
    assert record["scenario"]["left_out"]["rows"] > 0


@pytest.mark.parametrize(
    ("config", "given", "said"),
    [
        (NAPA | {"sample": 1e-9}, {}, "the region has no car in the counties napa"),
        (None, {"replace": "no_such_column"}, "no column 'no_such_column'"),
    ],
)
def test_what_cannot_work_is_told_before_any_method_runs(
    config, given, said, tmp_path, monkeypatch
):
    def never(*_):
        raise AssertionError("nothing is to be run")

    monkeypatch.setattr(planner, "run_method", never)
    with pytest.raises((DataError, SettingsError), match=said):
        macjax.study(config or small(), tmp_path / "out", METHODS, **given)


def test_what_is_bought_is_of_the_configuration(tmp_path):
    path = tmp_path / "job.toml"
    path.write_text(
        'builder = "synthetic"\n[arguments]\nevs = 40\nslots = 24\nfeeders = 3\n'
        'kind = "hard"\nslot_minutes = 60\n[study]\nmethods = ["unmanaged"]\n'
        'transformers = "single_phase"\npower_factor = 0.5\n',
        encoding="utf-8",
    )
    found = macjax.study(path, tmp_path / "out")
    (solution,) = found.solutions.values()
    own = planning.discrete_upgrades(solution, "single_phase", 0.5)
    assert own["units"].sum() > 0
    assert found.tables["feeders"]["discrete_kva"].tolist() == (
        own["discrete_kva"].tolist()
    )
    other = macjax.study(path, tmp_path / "out", power_factor=1.0)
    fewer = other.tables["feeders"]["needed_kva"]
    assert fewer.tolist() == pytest.approx((own["needed_kva"] / 2).tolist())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"methods": ["mca"]}, "did you mean 'mac'"),
        ({"methods": "mac"}, "list of names"),
        ({"transformers": "large"}, "unknown kind"),
        ({"power_factor": 2}, "power_factor"),
        ({"progress": "loud"}, "progress"),
        ({"gap": -1}, "gap"),
    ],
)
def test_wrong_settings_come_before_the_work(tmp_path, given, said):
    with pytest.raises(SettingsError, match=said):
        macjax.study(small(), tmp_path / "out", **given)
    assert not (tmp_path / "out" / "solutions").exists()


def test_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(SettingsError, match="not the folder of a study"):
        macjax.study(small(), tmp_path, ["unmanaged"])


def test_tables_need_no_folder():
    scenario = small()
    tables = studies.study_tables([macjax.baselines.unmanaged(scenario)])
    assert tables["methods"]["method"].tolist() == ["unmanaged"]


def test_texts_prove_no_more_than_is_proved():
    """Ends are rounded away from what was found, and the share in the headline up."""
    rows = {
        "quantity": ["upgrade cost, unmanaged", "upgrade cost, base load alone"],
        "at_least": [float("nan"), 1000.6],
        "found": [3000.0, 1000.6],
        "at_most": [float("nan"), 1000.6],
    }
    rows["quantity"] += ["upgrade cost, mac", "avoided by mac"]
    rows["at_least"] += [1200.7, 1799.2]
    rows["found"] += [1200.8, 1799.2]
    rows["at_most"] += [1200.8, 1799.3]
    frame = pd.DataFrame(rows)
    texts = planner_report.interval_texts
    assert texts(frame, "at_least") == ["-", "1,001", "1,200", "1,799"]
    assert texts(frame, "found") == ["3,000", "1,001", "1,201", "1,799"]
    assert texts(frame, "at_most") == ["-", "1,001", "1,201", "1,800"]
    # 1799.3 / 3000 is 59.9767 %, and found 59.9733 %.
    said = planner_report.headline(frame, "USD")
    assert "avoids more than 59.98 %; MAC's schedule avoids 59.97 %" in said
