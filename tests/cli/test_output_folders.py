"""Where results go: refused before the work if it cannot take them; wrong input leaves
nothing there, an interruption or a failure keeps what was finished."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from cli_runs import run
from cli_street import tables, write

import macjax
from macjax._errors import SettingsError

OUTPUTS = {
    "solve": [],
    "baseline": [],
    "compare": ["--methods", "unmanaged,mac"],
    "plot": [],
}


@pytest.fixture
def street(tmp_path):
    return write(tmp_path / "street", tables())


def nothing_runs(monkeypatch):
    """Any method that starts fails the test."""

    def stop(*arguments, **settings):
        raise AssertionError("the computation began")

    monkeypatch.setattr("macjax._methods.run_method", stop)
    monkeypatch.setattr("macjax._commands.Job.build_scenario", stop)


@pytest.mark.parametrize("command", [*OUTPUTS, "demo"])
@pytest.mark.parametrize("wrong", ["a file", "under a file", "closed"])
def test_a_place_that_takes_no_files(
    street, tmp_path, capsys, monkeypatch, command, wrong
):
    out = tmp_path / "out"
    if wrong == "closed":
        out.mkdir(mode=0o555)
        make = Path.mkdir

        def mkdir(self, *arguments, **settings):  # the superuser may write anywhere
            if self.parent == out:
                raise PermissionError(13, "Permission denied")
            make(self, *arguments, **settings)

        monkeypatch.setattr(Path, "mkdir", mkdir)
    else:
        out.write_text("mine", encoding="utf-8")
    given = out / "deeper" if wrong == "under a file" else out
    nothing_runs(monkeypatch)
    scenario = [] if command == "demo" else [street, *OUTPUTS[command]]
    code, shown = run(capsys, command, *scenario, "--out", given)
    assert code == 2
    assert shown.err.count("\n") == 1 and shown.err.startswith("macjax: ")
    assert shown.out == ""
    assert wrong == "closed" or out.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("compare", "comparison.csv"),
        ("plot", "upgrades.png"),
        ("demo", "comparison.csv"),
        ("demo", "figures/prices.png"),
    ],
)
def test_folders_in_the_place_of_files(
    street, tmp_path, capsys, monkeypatch, command, name
):
    (tmp_path / "out" / name).mkdir(parents=True)
    nothing_runs(monkeypatch)
    scenario = [] if command == "demo" else [street]
    code, shown = run(capsys, command, *scenario, "--out", tmp_path / "out")
    assert code == 2
    assert name in shown.err


@pytest.mark.parametrize("methods", ["unmanaged,time_of_use", "time_of_use,unmanaged"])
def test_a_wrong_tariff_is_found_first_and_leaves_nothing(
    street, tmp_path, capsys, monkeypatch, methods
):
    """A table of prices that misses hours is right by itself, wrong for the slots."""
    prices = pd.DataFrame({"hour": range(12), "price": 0.1})
    prices.to_csv(tmp_path / "prices.csv", index=False)
    monkeypatch.setattr("macjax._methods.run_method", None)
    options = ("--methods", methods, "--tariff", tmp_path / "prices.csv")
    code, shown = run(capsys, "compare", street, *options, "--out", tmp_path / "out")
    assert code == 2
    assert "no price for" in shown.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("failure", "code", "kept"),
    [
        (SettingsError("wrong"), 2, False),
        (PermissionError("closed"), 2, False),
        (KeyboardInterrupt(), 130, True),
        (MemoryError(), 1, True),
    ],
)
def test_what_fails_later_decides_what_is_kept(
    street, tmp_path, capsys, monkeypatch, failure, code, kept
):
    def solve(*arguments, **settings):
        raise failure

    monkeypatch.setattr("macjax.driver.solve", solve)
    out = tmp_path / "out"
    options = ("--methods", "unmanaged,mac", "--out", out)
    assert run(capsys, "compare", street, *options)[0] == code
    assert out.exists() == kept
    assert not kept or macjax.Solution.read(out / "unmanaged").method == "unmanaged"


def test_demo_with_a_wrong_tariff_leaves_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("macjax._methods.run_method", None)
    options = ("--out", tmp_path / "out", "--tariff", "pge_a11")
    code, shown = run(capsys, "demo", *options)
    assert code == 2
    assert "did you mean 'pge_a10'" in shown.err
    assert not (tmp_path / "out").exists()


def test_infeasible_vehicles_leave_nothing_of_earlier_methods(tmp_path, capsys):
    frames = tables()
    frames["trips"].loc[0, "energy_kwh"] = 39.0
    far = write(tmp_path / "far", frames)
    out = tmp_path / "out"
    code, shown = run(capsys, "compare", far, "--out", out)
    assert code == 3
    assert "missing_kwh" in shown.err and "-08:00" in shown.err
    assert not out.exists()
    assert run(capsys, "compare", far, "--on-infeasible", "drop", "--out", out)[0] == 0
    table = pd.read_csv(out / "comparison.csv").set_index("method")
    assert table["dropped"].tolist() == [1, 1, 1]
    assert run(capsys, "compare", far, "--on-infeasible", "relax")[0] == 0


def test_a_baseline_reports_trip_and_missing_energy(tmp_path, capsys):
    frames = tables()
    frames["trips"].loc[0, "energy_kwh"] = 39.0
    far = write(tmp_path / "far", frames)
    for method in ("time_of_use", "per_session", "unmanaged", "first_come"):
        options = ("--method", method, "--on-infeasible", "error")
        code, shown = run(capsys, "baseline", far, *options)
        assert code == 3
        assert "v1" in shown.err and "missing_kwh" in shown.err
    assert run(capsys, "baseline", far, "--method", "time_of_use")[0] == 0


COMMANDS = {
    "module": ["-m", "macjax"],
    "script": ["-c", "from macjax.cli import main; raise SystemExit(main())"],
}


@pytest.mark.parametrize("start", COMMANDS)
@pytest.mark.parametrize(("signal", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_signals_during_the_imports_end_quietly(tmp_path, start, signal, code):
    """A stand-in for JAX sends the signal when it is imported."""
    text = (
        f"import os, signal\nos.kill(os.getpid(), signal.{signal})\nwhile True: pass\n"
    )
    (tmp_path / "jax.py").write_text(text, encoding="utf-8")
    paths = [str(tmp_path), *sys.path]
    done = subprocess.run(
        [sys.executable, *COMMANDS[start], "validate", "street"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
