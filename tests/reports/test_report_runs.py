"""Reports of whatever ended how: baselines, failures, odd scenarios, files, options."""

import os

import numpy as np
import pandas as pd
import pytest
from report_cases import START, even, numbers_in, read_page, town, unmanaged

import macjax
from macjax import baselines, plots
from macjax._errors import DataError, Fault, SettingsError, SolutionError
from macjax.reports import facts as facts_module
from macjax.results import Solution
from macjax.results.parts import Part


@pytest.fixture
def town_of_two():
    return town()


@pytest.fixture
def undrawn(monkeypatch):
    """Figures without lines, where a test is not about them: drawing takes seconds."""
    picture = '<svg xmlns="http://www.w3.org/2000/svg"/>'
    monkeypatch.setattr(plots, "as_svg", lambda draw, size: picture)


def write(tmp_path, solutions, **given):
    given = {"baselines": False, "progress": False} | given
    return macjax.report(solutions, tmp_path / "report.html", **given)


def heads(path) -> list[str]:
    """Labels of the planner's table."""
    words = [w for tag, w in read_page(path).words if tag == "bdi"]
    return words[1 : words.index("status")]


def failed(scenario, method="mac", **given):
    """A solve that found no schedule."""
    return Solution(
        scenario=scenario,
        plan=None,
        status="infeasible",
        message="Hard capacities cannot hold; raise them <or> drop vehicles.",
        method=method,
        **given,
    )


def test_missing_baselines_are_computed_and_said(
    tmp_path, town_of_two, capsys, undrawn
):
    path = write(tmp_path, even(town_of_two), baselines=True, progress=True)
    assert heads(path) == ["unmanaged", "per session", "MAC (coordinated)"]
    page = read_page(path)
    assert "unmanaged was computed for this report." in page.text()
    own = unmanaged(town_of_two).summary()["upgrade_cost"]
    assert plots.amount(own) in page.text("td")
    assert "computing per session ..." in capsys.readouterr().err


def test_given_baselines_are_not_computed_again(
    tmp_path, town_of_two, monkeypatch, undrawn
):
    def never(*arguments, **settings):
        raise AssertionError("computed")

    monkeypatch.setattr(baselines, "unmanaged", never)
    monkeypatch.setattr(baselines, "per_session", never)
    given = [even(town_of_two, "unmanaged"), even(town_of_two, "per_session")]
    assert heads(write(tmp_path, given, baselines=True)) == ["unmanaged", "per session"]
    path = write(tmp_path, even(town_of_two), baselines=False)
    assert heads(path) == ["MAC (coordinated)"]


def test_baselines_get_what_the_solution_was_asked_for(
    tmp_path, town_of_two, monkeypatch, undrawn
):
    asked = {}

    def recorded(name):
        def run(scenario, *given, **settings):
            asked[name] = given, settings
            return even(scenario, name)

        return run

    for name in ("unmanaged", "per_session"):
        monkeypatch.setattr(baselines, name, recorded(name))
    solution = even(town_of_two, on_infeasible="drop")
    write(tmp_path, [solution], baselines=True)
    assert asked["unmanaged"] == ((solution.objective_spec, "drop"), {})
    settings = {"on_infeasible": "drop", "progress": False, "gap": 0.05}
    assert asked["per_session"] == ((solution.objective_spec,), settings)


def test_a_baseline_that_fails_is_said(tmp_path, town_of_two, monkeypatch, undrawn):
    def fails(*arguments, **settings):
        raise DataError([Fault("vehicles", "vehicle_id", "<cannot> make it")])

    monkeypatch.setattr(baselines, "per_session", fails)
    path = write(tmp_path, even(town_of_two), baselines=True)
    assert heads(path) == ["unmanaged", "MAC (coordinated)"]
    text = read_page(path).text()
    assert "per session could not be computed: wrong input" in text
    assert "<cannot> make it" in text


def test_an_interrupted_baseline_leaves_nothing(
    tmp_path, town_of_two, monkeypatch, undrawn
):
    monkeypatch.setattr(
        baselines, "per_session", lambda s, *a, **k: even(s, status="interrupted")
    )
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, even(town_of_two), baselines=True)
    assert not list(tmp_path.iterdir())


def test_an_infeasible_solution_beside_a_good_one(tmp_path, town_of_two):
    ray = [[0.0] * 48, [0.0] * 47 + [1.0]]
    solutions = [unmanaged(town_of_two), failed(town_of_two, dual_ray=ray)]
    path = write(tmp_path, solutions)
    page = read_page(path)
    text = page.text()
    assert "infeasible. Hard capacities cannot hold; raise them <or> drop" in text
    assert "proved that hard capacities cannot hold, on 1 feeders: south." in text
    assert not page.wrong and len(page.all("img")) >= 5
    assert "No solution has prices" in text


def test_without_any_schedule_the_page_still_says_why(tmp_path, town_of_two):
    path = write(tmp_path, failed(town_of_two))
    page = read_page(path)
    assert not page.wrong and not page.all("img") and len(page.all("section")) == 10
    assert page.text().count("No solution has a schedule") >= 6
    assert '"feeders":[]' in numbers_in(path) and '"vehicles":[]' in numbers_in(path)


def test_stranded_vehicles_are_named(tmp_path, undrawn):
    scenario = town(vehicle_ids=("x<y", "z"))
    solution = unmanaged(scenario)
    solution.stranded = pd.DataFrame(
        {"vehicle_id": ["x<y"], "trip": [0], "missing_kwh": [3.0]}
    )
    text = read_page(write(tmp_path, solution)).text()
    assert "unmanaged: 1 rows are not served by this method: x<y" in text


def test_one_feeder_one_car_and_no_upgrade(tmp_path):
    scenario = town(["only"], ["car"], spare_kw=1000.0)
    page = read_page(write(tmp_path, [unmanaged(scenario), even(scenario)]))
    text = page.text()
    assert not page.wrong
    assert "No feeder needs an upgrade in any solution." in text
    assert "Unmanaged charging overloads no feeder." in text
    assert "1 of 1 can be chosen" in text
    assert "The feeders have no longitude and latitude" in text


def test_rounding_is_no_upgrade(tmp_path):
    scenario = town(["only"], ["car"], spare_kw=0.0)
    worst = unmanaged(scenario).upgrades()["upgrade_kw"].max()
    fits = town(["only"], ["car"], spare_kw=worst - 1e-9)
    facts = facts_module.gather({"u": unmanaged(fits)}, None, None, [])
    assert unmanaged(fits).upgrades()["upgrade_kw"][0] > 0
    assert facts.upgrades["u"].tolist() == [0.0]


def test_places_by_x_and_y_are_drawn(tmp_path):
    scenario = town(x=[0.0, 100.0], y=[0.0, 50.0])
    page = read_page(write(tmp_path, unmanaged(scenario)))
    assert any("Map of the feeders by x and y" in i["alt"] for i in page.all("img"))


def test_whole_numbers_as_ids(tmp_path, undrawn):
    scenario = town([2**60, -1], [10**15 + k for k in range(3)])
    path = write(tmp_path, [unmanaged(scenario), even(scenario)], vehicles=10**15)
    assert f'"name":"{2**60}"' in numbers_in(path)
    assert numbers_in(path).count('"battery"') == 1
    assert not read_page(path).wrong


def test_the_sources_of_a_region_are_listed(tmp_path, town_of_two, undrawn):
    path = write(tmp_path, even(town_of_two), region={"counties": ["napa"]})
    page = read_page(path)
    assert "What was measured, modelled and assumed" in page.text("caption")
    assert "259 feeders of PG&E" in page.text("td")
    plain = read_page(write(tmp_path, even(town_of_two)))
    assert "The tables were taken as given" in plain.text()


def test_the_bundled_scenario_brings_its_sources(tmp_path):
    path = write(tmp_path, unmanaged(macjax.example()))
    page = read_page(path)
    assert "What the Bay Area scenario rests on" in page.text("pre")
    assert any("longitude and latitude" in i["alt"] for i in page.all("img"))
    assert not page.wrong


def test_what_is_no_solution_is_refused(tmp_path, town_of_two):
    for given in ([], {}, "folder", 3, [3], None):
        with pytest.raises(SettingsError, match="report takes a Solution"):
            write(tmp_path, given)
    with pytest.raises(SettingsError, match="2 different scenarios"):
        write(tmp_path, [even(town_of_two), even(town(name="other"))])
    with pytest.raises(SettingsError, match="progress must be"):
        write(tmp_path, even(town_of_two), progress="yes")
    with pytest.raises(SettingsError, match="1 not in the vehicles table: nobody"):
        write(tmp_path, even(town_of_two), vehicles=["nobody"])
    with pytest.raises(SettingsError, match="at most 100, not 101"):
        many = town(vehicle_ids=[f"v{k}" for k in range(101)])
        write(tmp_path, even(many), vehicles=[f"v{k}" for k in range(101)])
    part = even(town_of_two, part=Part(0, 2, "run", np.zeros((2, 48))))
    with pytest.raises(SolutionError, match="one part of a solution"):
        write(tmp_path, part)
    assert not list(tmp_path.iterdir())


def refused(path, town_of_two, monkeypatch) -> str:
    """The message of a refusal that comes before anything is computed."""

    def never(*arguments, **settings):
        raise AssertionError("computed before the place was checked")

    monkeypatch.setattr(baselines, "unmanaged", never)
    with pytest.raises(SettingsError) as found:
        macjax.report(even(town_of_two), path, progress=False)
    return str(found.value)


def test_places_that_cannot_be_written_are_refused_first(
    tmp_path, town_of_two, monkeypatch
):
    def says(path):
        return refused(path, town_of_two, monkeypatch)

    assert "is a folder" in says(tmp_path)
    assert "name the file" in says("")
    (tmp_path / "file").write_text("mine")
    assert "cannot write" in says(tmp_path / "file" / "report.html")
    assert "is no report of macjax and is not replaced" in says(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    assert "cannot write" in says(tmp_path / ("n" * 300 + ".html"))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="everything can be written by root")
def test_read_only_places_are_refused(tmp_path, town_of_two, monkeypatch):
    tmp_path.chmod(0o500)
    try:
        message = refused(tmp_path / "report.html", town_of_two, monkeypatch)
    finally:
        tmp_path.chmod(0o700)
    assert "cannot write" in message


def test_a_report_is_replaced_in_one_step(tmp_path, town_of_two, monkeypatch, undrawn):
    path = write(tmp_path, even(town_of_two))
    before = path.read_bytes()

    def fails(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(SettingsError, match="No space left on device"):
        write(tmp_path, unmanaged(town_of_two))
    assert path.read_bytes() == before
    monkeypatch.undo()
    write(tmp_path, unmanaged(town_of_two))
    assert path.read_bytes() != before
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_folders_of_the_path_are_made(tmp_path, town_of_two, undrawn):
    path = macjax.report(
        even(town_of_two), tmp_path / "a" / "b.html", baselines=False, progress=False
    )
    assert path.is_file() and START.year == 2026


def test_solutions_of_one_method_are_numbered(tmp_path, town_of_two, undrawn):
    path = write(tmp_path, [even(town_of_two), even(town_of_two)])
    assert heads(path) == ["MAC (coordinated)", "MAC (coordinated) 2"]
    path = write(tmp_path, {"late": even(town_of_two), "soon": even(town_of_two)})
    assert heads(path) == ["late", "soon"]


@pytest.mark.slow
def test_a_region_of_1870_feeders_stays_small(tmp_path):
    feeders = [f"feeder_{k}" for k in range(1870)]
    cars = [f"car_{k}" for k in range(20_000)]
    place = {"longitude": [-122.0 + k / 1870 for k in range(1870)]}
    place["latitude"] = [37.0 + (k * 7 % 1870) / 1870 for k in range(1870)]
    scenario = town(feeders, cars, 20.0, slots=168, **place)
    solutions = [unmanaged(scenario), even(scenario, "per_session"), even(scenario)]
    path = write(tmp_path, solutions)
    assert path.stat().st_size < 5e6
    assert "200 of 1,870 can be chosen" in read_page(path).text()


def test_a_bound_of_another_objective_is_none_on_the_cost(tmp_path, undrawn):
    """The overload energy of any schedule says nothing on what upgrades cost."""
    scenario = town(spare_kw=0.0)
    solution = macjax.solve(scenario, macjax.OverloadEnergy(), progress=False)
    assert 0 < solution.lower_bound < solution.summary()["upgrade_cost"]
    page = read_page(write(tmp_path, [unmanaged(scenario), solution]))
    row = [k for k, w in enumerate(page.words) if w[1].startswith("no schedule of its")]
    assert [w for _, w in page.words[row[0] + 1 : row[0] + 3]] == ["-", "-"]
    text = " ".join(page.text().split())
    assert "Nothing is proved on its upgrade cost" in text
    assert f"no schedule of its kind is below {solution.lower_bound:,.6g}" in text
    usual = macjax.solve(scenario, progress=False)
    page = read_page(write(tmp_path, [unmanaged(scenario), usual]))
    assert plots.amount(usual.lower_bound) in page.text("td")
    assert "Nothing is proved" not in page.text()


def test_feeders_without_any_capacity(tmp_path):
    scenario = town(spare_kw=-8.0)
    page = read_page(write(tmp_path, [unmanaged(scenario), even(scenario)]))
    assert not page.wrong
    assert "No feeder has a capacity above 0 kW" in page.text()
    assert not any("falling order" in image["alt"] for image in page.all("img"))


def test_a_scenario_without_feeders_says_so(tmp_path):
    scenario = town()
    empty = scenario.with_tables(
        feeders=scenario.feeders.iloc[:0],
        feeder_profile=scenario.feeder_profile.iloc[:0],
        stays=scenario.stays.assign(feeder_id=None),
    )
    text = read_page(write(tmp_path, unmanaged(empty))).text()
    assert text.count("The scenario has no feeders.") == 4
    assert "No solution has a schedule" not in text


def test_a_currency_with_signs_of_formulas(tmp_path):
    scenario = town(spare_kw=0.0)
    keys = ("name", "start", "timezone", "slot_minutes", "slots")
    frames = ("vehicles", "stays", "trips", "feeders", "feeder_profile")
    given = {k: getattr(scenario, k) for k in keys + frames}
    odd = macjax.Scenario.from_frames(**given, currency="$\\foo$")
    page = read_page(write(tmp_path, [unmanaged(odd), even(odd)]))
    assert "upgrade cost [$\\foo$]" in page.text()


def test_counts_of_one_are_words_for_one(tmp_path, undrawn):
    scenario = town(["A"], ["v"], slots=24)
    text = read_page(write(tmp_path, unmanaged(scenario))).text()
    assert "1 vehicle in 1 row, 1 feeder, 24 slots" in text
