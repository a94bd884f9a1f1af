"""`macjax study`: from options to the library, and from its result to the exit code."""

import json

import pytest
from cli_runs import run

from macjax import cli
from macjax.studies import planner

JOB = """builder = "synthetic"
[arguments]
evs = 20
slots = 24
feeders = 2
slot_minutes = 60
[solve]
max_iterations = 7
[study]
methods = ["unmanaged", "first_come"]
"""


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "job.toml"
    path.write_text(JOB, encoding="utf-8")
    return path


def test_a_study_of_a_configuration(job, tmp_path, capsys):
    code, shown = run(capsys, "study", job, "--out", tmp_path / "out")
    assert code == 0
    assert "first_come" in shown.out and "written to" in shown.out
    assert "running unmanaged" in shown.err
    assert (tmp_path / "out" / "report.md").is_file()
    code, shown = run(
        capsys, "study", job, "--out", tmp_path / "out", "--json", "--quiet"
    )
    record = json.loads(shown.out)
    assert code == 0 and not shown.err
    assert [row["method"] for row in record["methods"]] == ["unmanaged", "first_come"]
    assert "feeders" not in record and len(record["figures"]) >= 4


def test_a_solve_that_ends_early_ends_with_1(job, tmp_path, capsys):
    options = ["--methods", "mac", "--gap", "1e-9", "--max-iterations", "1"]
    code, shown = run(capsys, "study", job, "--out", tmp_path / "out", *options)
    assert code == 1 and "iteration_limit" in shown.out
    assert (tmp_path / "out" / "report.md").is_file()


def test_an_interruption_ends_with_130(job, tmp_path, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(planner, "run_method", interrupted)
    code, shown = run(capsys, "study", job, "--out", tmp_path / "out")
    assert code == 130 and "on disk" in shown.err
    monkeypatch.undo()
    assert run(capsys, "study", job, "--out", tmp_path / "out")[0] == 0


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("", ["--methods", "mca"], "did you mean 'mac'"),
        ("", ["--gap", "1e-3"], "--gap: without meaning"),
        ("", ["--tariff", "pge_a10"], "--tariff: without meaning"),
        ("methdos = []", [], "did you mean 'methods'"),
        ("power_factor = 3", [], "power_factor"),
        ("power_factor = '1'", [], "must be a number"),
        ("transformers = 'none'", [], "unknown kind 'none'"),
        ("replace = 'rated_kva'", [], "no column 'rated_kva'"),
    ],
)
def test_wrong_usage_ends_with_2(job, tmp_path, capsys, text, options, said):
    job.write_text(JOB + text + "\n", encoding="utf-8")
    code, shown = run(capsys, "study", job, "--out", tmp_path / "out", *options)
    assert code == 2 and said in shown.err


def test_a_folder_must_be_named(job, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["study", str(job)])
    assert stop.value.code == 2 and "--out" in capsys.readouterr().err
