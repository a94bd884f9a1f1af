"""What the commands hand to the library, print, write and return.

The library is replaced by stand-ins that record their arguments; the commands on real
scenarios are in `test_real.py`.
"""

import dataclasses
import json
import os
import signal
import types
import warnings

import pandas as pd
import pytest
from fake_solutions import MAC, UNMANAGED, FakeScenario

import macjax
import macjax.driver
import macjax.objectives as objectives
import macjax.scenario
from macjax import cli
from macjax._errors import DataError, Fault, SolutionError
from macjax._status import Status


class FakeCertificate:
    feasible = True
    has_schedule = True
    ray_excess_kw = float("nan")
    gap = 5e-4

    def to_dict(self):
        return {"feasible": self.feasible, "gap": self.gap, "bad": float("nan")}

    def __str__(self):
        return "certificate: feasible"


# Where the commands' own modules take these names from.
HOMES = {"Scenario": macjax.scenario, "solve": macjax.driver}


@pytest.fixture
def library(monkeypatch):
    """Stand-ins in place of the library; `.calls` lists (name, arguments)."""
    calls = []
    fake = types.SimpleNamespace(calls=calls, result=MAC, certificate=FakeCertificate())

    def recorder(name, result):
        def call(*arguments, **settings):
            calls.append((name, arguments, settings))
            found = result() if callable(result) else result
            if isinstance(found, BaseException):
                raise found
            return found

        return call

    def replace(name, value):
        monkeypatch.setattr(macjax, name, value, raising=False)
        if name in HOMES:
            monkeypatch.setattr(HOMES[name], name, value)

    scenario_class = types.SimpleNamespace(read=recorder("read", FakeScenario))
    solution_class = types.SimpleNamespace(read=recorder("load", lambda: fake.result))
    names = ("unmanaged", "time_of_use", "first_come", "per_session")
    baselines = {
        n: recorder(n, dataclasses.replace(UNMANAGED, method=n)) for n in names
    }
    replace("Scenario", scenario_class)
    replace("Solution", solution_class)
    replace("solve", recorder("solve", lambda: fake.result))
    replace("certify", recorder("certify", lambda: fake.certificate))
    replace("baselines", types.SimpleNamespace(**baselines))
    replace("compare", lambda solutions: pd.DataFrame([s.summary() for s in solutions]))
    monkeypatch.setattr(
        "macjax.config.run_builder", lambda builder, arguments: FakeScenario()
    )
    monkeypatch.setattr("macjax._methods.tariff_prices", lambda scenario, tariff: None)
    fake.replace = replace
    return fake


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "scenario"
    path.mkdir()
    (path / "scenario.toml").write_text("", encoding="utf-8")
    return path


def saved(tmp_path, name):
    path = tmp_path / name
    MAC.write(path)
    return path


def run(*arguments):
    return cli.main([str(a) for a in arguments])


def test_solve_hands_over_every_option(library, folder, tmp_path):
    before = saved(tmp_path, "before")
    options = "--gap 1e-4 --max-iterations 7 --time-limit 60 --on-infeasible drop"
    options += (
        " --dtype float32 --device-memory 2 --no-vehicle-to-grid --objective peak:5"
    )
    code = run("solve", folder, *options.split(), "--warm-start", before, "--quiet")
    assert code == 0
    calls = {name: (given, settings) for name, given, settings in library.calls}
    assert calls["read"] == ((folder,), {"vehicle_to_grid": False})
    (scenario, objective), settings = calls["solve"]
    assert isinstance(scenario, FakeScenario)
    assert objective == objectives.PeakOverload(5.0)
    assert settings == {
        "gap": 1e-4,
        "max_iterations": 7,
        "time_limit": 60.0,
        "on_infeasible": "drop",
        "dtype": "float32",
        "device_memory": 2.0,
        "vehicle_to_grid": False,
        "warm_start": MAC,
        "progress": False,
    }


def test_solve_hands_over_where_and_when_to_write_checkpoints(
    library, folder, tmp_path
):
    place = str(tmp_path / "run")
    options = ("--checkpoint", place, "--checkpoint-every", "0", "--quiet")
    assert run("solve", folder, *options) == 0
    settings = library.calls[-1][2]
    assert settings == {"progress": False, "checkpoint": place, "checkpoint_every": 0.0}


def test_resume_hands_over_what_is_given(library, tmp_path, capsys):
    """What the library warns of is told; the solution is written and shown."""

    def resume(*arguments, **settings):
        library.calls.append(("resume", arguments, settings))
        warnings.warn(macjax.CheckpointWarning("7 is damaged"), stacklevel=1)
        return dataclasses.replace(MAC, status=Status.time_limit)

    library.replace("resume", resume)
    place, out = str(tmp_path / "run"), tmp_path / "out"
    options = ("--time-limit", "inf", "--gap", "1e-4", "--quiet", "--out", out)
    assert run("resume", place, *options) == 1
    ((name, arguments, settings),) = library.calls
    assert (name, arguments) == ("resume", (place,))
    given = {k: v for k, v in settings.items() if v is not None}
    assert given == {"progress": False, "time_limit": float("inf"), "gap": 1e-4}
    assert capsys.readouterr().err == "CheckpointWarning: 7 is damaged\n"
    assert (out / "solution.json").exists()


def test_a_kernel_that_does_not_work_is_told(library, folder, capsys):
    def solve(*arguments, **settings):
        warnings.warn(macjax.KernelWarning("no kernel here"), stacklevel=1)
        return MAC

    library.replace("solve", solve)
    assert run("solve", folder, "--quiet") == 0
    assert capsys.readouterr().err == "KernelWarning: no kernel here\n"


def test_what_is_not_given_is_left_to_the_library(library, folder):
    assert run("solve", folder) == 0
    (_, _, settings) = library.calls[-1]
    assert set(settings) == {"progress"}


def test_solve_takes_a_configuration(library, folder, tmp_path):
    path = tmp_path / "job.toml"
    text = 'scenario = "scenario"\nobjective = "capacity"\n[solve]\ngap = 0.01\n'
    path.write_text(text, encoding="utf-8")
    assert run("solve", path, "--gap", "0.02") == 0
    name, (_, objective), settings = library.calls[-1]
    assert (name, objective) == ("solve", objectives.FeederCapacity())
    assert settings["gap"] == 0.02


def test_solve_shows_status_numbers_and_assumptions(library, folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("solve", folder, "--out", out) == 0
    shown = capsys.readouterr()
    for text in ("The gap is certified.", "perfect foresight", str(out)):
        assert text in shown.out
    assert "note: 1 stay is clipped" in shown.err
    assert (out / "solution.json").exists()


def test_json_is_one_object_on_stdout(library, folder, capsys):
    library.result = dataclasses.replace(MAC, gap=float("nan"))
    assert run("solve", folder, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["status"] == "solved"
    assert record["gap"] is None
    assert record["summary"]["feeders"] == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.solved, 0),
        (Status.simulated, 0),
        (Status.infeasible, 3),
        (Status.iteration_limit, 1),
        (Status.time_limit, 1),
        (Status.stalled, 1),
        (Status.nonfinite, 1),
        (Status.interrupted, 130),
    ],
)
def test_every_status_has_its_exit_code(library, folder, status, code):
    library.result = dataclasses.replace(MAC, status=status)
    assert run("solve", folder) == code


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_signals_give_their_exit_code(library, folder, capsys, number, code):
    library.replace("solve", lambda *a, **k: os.kill(os.getpid(), number))
    before = signal.getsignal(number)
    assert run("solve", folder) == code
    assert signal.getsignal(number) is before
    assert "interrupted" in capsys.readouterr().err


def test_interrupted_solution_is_written_and_gives_143_after_sigterm(
    library, folder, tmp_path
):
    def solve(*arguments, **settings):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            return dataclasses.replace(MAC, status=Status.interrupted)

    library.replace("solve", solve)
    assert run("solve", folder, "--out", tmp_path / "out") == 143
    assert (tmp_path / "out" / "solution.json").exists()


def fault_report():
    faults = [Fault("stays", "charger_kw", "must be >= 0", 2, ("v1", "v2"))]
    return DataError(faults)


def test_wrong_data_is_reported_and_nothing_is_written(
    library, folder, tmp_path, capsys
):
    library.replace("solve", lambda *a, **k: (_ for _ in ()).throw(fault_report()))
    assert run("solve", folder, "--out", tmp_path / "out", "--json") == 2
    shown = capsys.readouterr()
    assert "stays.charger_kw: must be >= 0 [2 rows]: v1, v2" in shown.err
    assert "Traceback" not in shown.err
    error = json.loads(shown.out)["error"]
    assert error["type"] == "DataError"
    assert error["faults"][0]["ids"] == ["v1", "v2"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("solve", "nowhere"),
        ("solve", "{folder}", "--objective", "paek"),
        ("baseline", "{folder}", "--method", "time_of_use", "--tariff", "no.csv"),
        ("certify", "{folder}"),
        ("certify", "{folder}", "--schedule", "no.csv"),
        ("compare", "{folder}", "{folder}"),
        ("compare", "{folder}", "--methods", "mac,magic"),
        ("compare", "{folder}", "--methods", "mac,mac"),
        ("compare", "{solution}", "--methods", "mac"),
        ("certify", "{solution}", "--objective", "peak"),
        ("plot", "{solution}", "--feeder", "Z"),
        ("plot", "{folder}", "--feeder", "Z"),
        ("baseline", "{folder}", "--gap", "0.1"),
        ("baseline", "{folder}", "--method", "first_come", "--dtype", "float32"),
        ("baseline", "{folder}", "--method", "time_of_use", "--time-limit", "9"),
        ("baseline", "{folder}", "--max-iterations", "9"),
        ("baseline", "{folder}", "--warm-start", "{solution}"),
        ("baseline", "{folder}", "--tariff", "pge_a10"),
        ("compare", "{folder}", "--methods", "unmanaged", "--gap", "0.1"),
        ("compare", "{folder}", "--tariff", "pge_a10"),
        ("compare", "{solution}", "--gap", "0.1"),
        ("compare", "{solution}", "--on-infeasible", "drop"),
        ("plot", "{solution}", "--objective", "peak"),
        ("certify", "{solution}", "--no-vehicle-to-grid"),
        ("solve", "{folder}", "--warm-start", "{folder}"),
        ("solve", "{folder}", "--checkpoint-every", "9"),
        ("solve", "{folder}", "--checkpoint", "a/b", "--out", "a"),
        ("solve", "{folder}", "--checkpoint", "a", "--out", "a"),
        ("resume", "{folder}"),
        ("resume", "{solution}"),
        ("resume", "nowhere"),
    ],
)
def test_wrong_requests_end_with_2_and_a_report(
    library, folder, tmp_path, capsys, monkeypatch, arguments
):
    monkeypatch.chdir(tmp_path)
    library.result = (
        SolutionError("not a solution") if "--warm-start" in arguments else MAC
    )
    places = {"folder": folder, "solution": saved(tmp_path, "mac")}
    assert run(*[a.format(**places) for a in arguments]) == 2
    shown = capsys.readouterr()
    assert shown.err.count("macjax:") == 1
    assert "Traceback" not in shown.err + shown.out
    assert "solve" not in [name for name, _, _ in library.calls]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mac", "scenario"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("slove",),
        ("solve",),
        ("solve", "x", "--gpa", "1"),
        ("solve", "x", "--gap", "small"),
        ("solve", "x", "--dtype", "float16"),
        ("solve", "x", "--device-memory", "0"),
        *[("solve", "x", "--gap", value) for value in ("nan", "-1", "0", "inf")],
        ("certify", "x", "--gap", "nan"),
        ("compare", "x", "--gap", "-1e-3"),
        ("plot", "x", "--max-iterations", "0"),
        ("solve", "x", "--max-iterations", "1.5"),
        ("solve", "x", "--time-limit", "-1"),
        ("solve", "x", "--time-limit", "nan"),
        ("certify", "x", "--tolerance", "-1"),
        ("solve", "x", "--out", ""),
        ("solve", "x", "--checkpoint", ""),
        *[("solve", "x", "--checkpoint-every", s) for s in ("-1", "inf", "soon")],
        ("resume", "x", "--time-limit", "-1"),
        ("compare", "x", "--out", " "),
        ("plot", "x", "--out", ""),
        ("demo", "--out", ""),
        ("baseline", "x", "--method", "mac"),
    ],
)
def test_wrong_usage_ends_with_2(library, capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    assert stop.value.code == 2
    shown = capsys.readouterr().err
    assert "usage: macjax" in shown
    assert len(arguments) < 3 or arguments[-2] in shown.splitlines()[-1]
    assert not library.calls


def test_help_and_version_need_no_scenario(capsys):
    for option in ("--help", "--version"):
        with pytest.raises(SystemExit) as stop:
            run(option)
        assert stop.value.code == 0
    assert "exit codes" in capsys.readouterr().out


def test_unexpected_failure_is_short_and_debug_shows_the_rest(library, folder, capsys):
    def solve(*arguments, **settings):
        raise ZeroDivisionError("one by none")

    library.replace("solve", solve)
    assert run("solve", folder) == 1
    shown = capsys.readouterr().err
    assert "internal error: ZeroDivisionError: one by none" in shown
    assert "Traceback" not in shown
    assert run("solve", folder, "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_output_that_is_no_solution_is_refused_before_the_solve(
    library, folder, tmp_path, capsys
):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work", encoding="utf-8")
    assert run("solve", folder, "--out", out) == 2
    assert run("solve", folder, "--out", out / "thesis.txt") == 2
    assert run("compare", folder, "--out", out) == 2
    assert run("demo", "--out", out) == 2
    assert not library.calls
    assert [p.name for p in out.iterdir()] == ["thesis.txt"]
    assert "not the folder of a solution" in capsys.readouterr().err


def test_unwritable_output_is_refused_before_the_solve(
    library, folder, tmp_path, monkeypatch
):
    def refuse(*arguments, **settings):
        raise PermissionError("read-only file system")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    for command in ("solve", "compare", "plot"):
        assert run(command, folder, "--out", tmp_path / "deep" / "out") == 2
    assert run("demo", "--out", tmp_path / "deep" / "out") == 2
    assert not library.calls
    assert not (tmp_path / "deep").exists()


def test_the_probe_leaves_nothing_behind(library, folder, tmp_path):
    library.replace("solve", lambda *a, **k: (_ for _ in ()).throw(fault_report()))
    assert run("solve", folder, "--out", tmp_path / "deep" / "out") == 2
    assert [p.name for p in tmp_path.iterdir()] == ["scenario"]


def test_a_solution_that_cannot_be_written_is_shown_all_the_same(
    library, folder, tmp_path, capsys
):
    class Full(type(MAC)):
        def write(self, folder):
            raise OSError(28, "No space left on device")

    library.result = Full()
    assert run("solve", folder, "--out", tmp_path / "out") == 1
    shown = capsys.readouterr()
    assert "The gap is certified." in shown.out
    assert "No space left on device" in shown.err


def test_baseline_runs_the_method_named(library, folder, tmp_path):
    prices = tmp_path / "prices.csv"
    prices.write_text("hour,price\n0,0.1\n", encoding="utf-8")
    for name in ("unmanaged", "first_come", "per_session"):
        assert run("baseline", folder, "--method", name) == 0
        assert library.calls[-1][0] == name
    tariff = ("--method", "time_of_use", "--tariff")
    assert run("baseline", folder, *tariff, "sce_tou_ev_4") == 0
    assert library.calls[-1][1][1] == "sce_tou_ev_4"
    assert run("baseline", folder, *tariff, prices, "--on-infeasible", "drop") == 0
    _, (_, frame), settings = library.calls[-1]
    assert frame["price"].tolist() == [0.1]
    assert settings == {"objective": None, "on_infeasible": "drop"}


def test_certify_reads_a_solution_and_judges_the_gap(library, tmp_path, capsys):
    folder = saved(tmp_path, "mac")
    assert run("certify", folder) == 0
    assert library.calls[-1] == ("certify", (MAC.scenario, MAC), {"prices": None})
    assert "certificate: feasible" in capsys.readouterr().out
    assert run("certify", folder, "--gap", "1e-3") == 0
    assert run("certify", folder, "--gap", "1e-4") == 1
    library.certificate.gap = float("nan")
    assert run("certify", folder, "--gap", "1e-3") == 1
    library.certificate.feasible = False
    assert run("certify", folder, "--json") == 3
    record = capsys.readouterr().out
    assert json.loads(record[record.index("{") :])["feasible"] is False
    # A run that ended without a schedule proves nothing, unless its ray does.
    library.certificate.has_schedule = False
    assert run("certify", folder) == 1
    library.certificate.ray_excess_kw = 2.0
    assert run("certify", folder) == 3


def test_certify_takes_a_schedule_from_elsewhere(library, folder, tmp_path):
    schedule = tmp_path / "schedule.csv"
    schedule.write_text("stay,time,kw\n0,2026-03-06T00:00Z,1\n", encoding="utf-8")
    prices = tmp_path / "prices.csv"
    prices.write_text("feeder_id,time,price\nA,2026-03-06T00:00Z,1\n", encoding="utf-8")
    options = ("--schedule", schedule, "--prices", prices, "--on-infeasible", "relax")
    assert run("certify", folder, *options, "--objective", "peak") == 0
    _, (_, frame), settings = library.calls[-1]
    assert frame["kw"].tolist() == [1]
    assert settings["prices"]["price"].tolist() == [1]
    assert settings["on_infeasible"] == "relax"
    assert settings["objective"] == objectives.PeakOverload()


def test_compare_reads_solutions_or_runs_methods(library, folder, tmp_path, capsys):
    assert run("compare", saved(tmp_path, "a"), saved(tmp_path, "b")) == 0
    heads = capsys.readouterr().out.splitlines()[0].split()
    assert heads == ["a", "b"]
    assert [name for name, _, _ in library.calls] == ["load", "load"]
    out = tmp_path / "out"
    assert run("compare", folder, "--out", out, "--json") == 0
    ran = [name for name, _, _ in library.calls[2:]]
    assert ran == ["read", "unmanaged", "per_session", "solve"]
    names = {"unmanaged", "per_session", "mac", "comparison.csv"}
    assert {p.name for p in out.iterdir()} == names
    assert len(pd.read_csv(out / "comparison.csv")) == 3
    assert run("compare", folder, "--out", out, "--methods", "mac, unmanaged") == 0
    library.result = dataclasses.replace(MAC, status=Status.stalled)
    assert run("compare", folder) == 1


def test_plot_writes_figures(library, folder, tmp_path, capsys):
    out = tmp_path / "figures"
    arguments = ("plot", saved(tmp_path, "a"), "--out", out, "--feeder", "B")
    assert run(*arguments) == 0
    shown = capsys.readouterr().out
    assert f"figure: {out / 'feeder_load.png'}" in shown
    assert (out / "prices.png").exists()


def test_demo_shows_table_proof_and_figures_and_runs_twice(library, tmp_path, capsys):
    out = tmp_path / "demo"
    for _ in range(2):
        assert run("demo", "--out", out, "--quiet") == 0
        shown = capsys.readouterr()
        assert "no schedule that serves every trip needs less than USD 900" in shown.out
        assert f"figure: {out / 'figures' / 'upgrades.png'}" in shown.out
        assert "perfect foresight" in shown.out
        assert shown.err == ""
    methods = {"unmanaged", "time_of_use", "per_session", "mac"}
    assert {p.name for p in out.iterdir()} == methods | {"figures", "comparison.csv"}
    ran = [name for name, _, _ in library.calls[:4]]
    assert ran == ["unmanaged", "time_of_use", "per_session", "solve"]


def test_demo_stops_after_an_interrupted_method(library, tmp_path):
    stopped = dataclasses.replace(UNMANAGED, status=Status.interrupted)
    library.replace(
        "baselines", types.SimpleNamespace(unmanaged=lambda *a, **k: stopped)
    )
    assert run("demo", "--out", tmp_path / "demo") == 130


def test_demo_without_matplotlib_still_gives_the_table(
    library, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    assert run("demo", "--out", tmp_path / "demo") == 0
    shown = capsys.readouterr()
    assert "pip install 'macjax[plots]'" in shown.err
    assert (tmp_path / "demo" / "comparison.csv").exists()


def test_validate_says_what_is_there(library, folder, capsys):
    assert run("validate", folder) == 0
    assert "fake: valid; 2 vehicles, 3 stays" in capsys.readouterr().out
    assert run("validate", folder, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["valid"] is True
    assert record["trips"] == 1


def test_a_reader_that_leaves_ends_quietly(library, folder, monkeypatch):
    def gone(*arguments, **settings):
        raise BrokenPipeError

    library.replace("solve", gone)
    with open(os.devnull, "w") as sink:
        monkeypatch.setattr("sys.stdout", sink)
        assert run("solve", folder) == 1
