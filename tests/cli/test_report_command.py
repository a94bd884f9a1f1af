"""`macjax report`: from options to the library, from its result to the exit code."""

import json
import re

import pytest
from cli_runs import run
from cli_street import tables, write

import macjax
from macjax import baselines, plots


@pytest.fixture
def solution(tmp_path):
    """A folder with unmanaged charging on the street."""
    folder = tmp_path / "scenario"
    write(folder, tables())
    scenario = macjax.Scenario.read(folder)
    macjax.baselines.unmanaged(scenario).write(tmp_path / "study/solutions/unmanaged")
    return tmp_path / "study/solutions/unmanaged"


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """Figures without lines: drawing takes seconds."""
    picture = '<svg xmlns="http://www.w3.org/2000/svg"/>'
    monkeypatch.setattr(plots, "as_svg", lambda draw, size: picture)


def test_a_report_of_a_saved_solution(solution, tmp_path, capsys):
    out = tmp_path / "out" / "page.html"
    code, shown = run(capsys, "report", solution, "-o", out, "--no-baselines")
    assert code == 0 and shown.out == f"report: {out}\n"
    assert "drawing figures" in shown.err
    assert out.read_text("utf-8").startswith("<!DOCTYPE html>")
    options = ("--no-baselines", "--json", "--quiet", "--vehicle", "v2")
    code, shown = run(capsys, "report", solution, "--out", out, *options)
    record = json.loads(shown.out)
    assert code == 0 and not shown.err
    assert record == {"report": str(out), "bytes": out.stat().st_size, "region": None}
    numbers = re.search('id="numbers">(.*?)</script>', out.read_text("utf-8")).group(1)
    assert [v["name"] for v in json.loads(numbers)["vehicles"]] == ["v2"]


def test_missing_baselines_are_computed_unless_told_otherwise(
    solution, tmp_path, capsys, monkeypatch
):
    def recorded(scenario, *arguments, **settings):
        solution = macjax.baselines.unmanaged(scenario)
        solution.method = "per_session"
        return solution

    monkeypatch.setattr(baselines, "per_session", recorded)
    _, shown = run(capsys, "report", solution, "--out", tmp_path / "a.html")
    assert "computing per session" in shown.err
    _, shown = run(
        capsys, "report", solution, "--out", tmp_path / "b.html", "--no-baselines"
    )
    assert "computing" not in shown.err


def test_the_region_of_a_study_is_found(solution, tmp_path, capsys):
    study = solution.parent.parent
    (study / "region.toml").write_text("[region]\nadoption = 0.3\n", encoding="utf-8")
    options = ("--no-baselines", "--json", "--out", tmp_path / "page.html")
    _, shown = run(capsys, "report", solution, *options)
    assert json.loads(shown.out)["region"] is None  # no study wrote it
    (study / "study.json").write_text("{}", encoding="utf-8")
    _, shown = run(capsys, "report", solution, *options)
    assert json.loads(shown.out)["region"] == str(study / "region.toml")
    assert "ActivitySim" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_scenario_is_run_first(tmp_path, capsys):
    folder = tmp_path / "scenario"
    write(folder, tables())
    options = ("--methods", "unmanaged,first_come", "--no-baselines")
    code, shown = run(
        capsys, "report", folder, *options, "--out", tmp_path / "page.html"
    )
    assert code == 0 and "running first_come" in shown.err
    assert "first come" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--vehicle", "nobody"), "no vehicle 'nobody' in the scenario"),
        (("--gap", "0.1"), "--gap: for runs on a scenario, not for solutions"),
        (("--region", "missing.toml"), "missing.toml"),
        (("--out", "."), "is a folder"),
        (("--out", "solution.json/page.html"), "cannot write"),
    ],
)
def test_wrong_options_end_with_2(solution, capsys, monkeypatch, options, message):
    monkeypatch.chdir(solution)
    before = sorted(p.name for p in solution.iterdir())
    code, shown = run(capsys, "report", solution, "--no-baselines", *options)
    assert code == 2 and message in shown.err
    assert sorted(p.name for p in solution.iterdir()) == before


def test_an_interruption_ends_with_130(solution, tmp_path, capsys, monkeypatch):
    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(baselines, "per_session", interrupted)
    out = tmp_path / "page.html"
    code, _ = run(capsys, "report", solution, "--out", out)
    assert code == 130 and not out.exists()
