"""Configurations: every key is known, every path is relative to the file, objectives
mean what their words say."""

import dataclasses

import pandas as pd
import pytest

import macjax.objectives as objectives
from macjax import config
from macjax._errors import SettingsError


def write(folder, text):
    path = folder / "job.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_relative_to_the_configuration(tmp_path):
    text = 'scenario = "bay"\n[solve]\nwarm_start = "before"\ngap = 1\n'
    job = config.read_job(write(tmp_path, text))
    assert job.folder == tmp_path / "bay"
    assert job.solve == {"warm_start": str(tmp_path / "before"), "gap": 1.0}


def test_a_folder_and_its_scenario_toml_are_the_same_job(tmp_path):
    (tmp_path / "scenario.toml").write_text("", encoding="utf-8")
    assert config.read_job(tmp_path).folder == tmp_path
    assert config.read_job(tmp_path / "scenario.toml").folder == tmp_path


def test_command_line_wins_over_the_configuration(tmp_path):
    text = 'builder = "example"\nobjective = "capacity"\n[solve]\ngap = 1e-2\n'
    job = config.read_job(write(tmp_path, text))
    changed = job.with_settings("peak", gap=1e-4, time_limit=None)
    assert changed.solve == {"gap": 1e-4}
    assert changed.build_objective() == objectives.PeakOverload()
    assert job.with_settings().build_objective() == objectives.FeederCapacity()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('scenari = "x"', "did you mean 'scenario'"),
        ('scenario = "x"\n[solve]\ngpa = 1', "did you mean 'gap'"),
        ('scenario = "x"\n[solve]\ngap = "small"', "must be a number"),
        ('scenario = "x"\n[solve]\ngap = nan', "not NaN"),
        ('scenario = "x"\n[solve]\ngap = -1', "gap must be a number above 0"),
        ('scenario = "x"\n[solve]\ngap = inf', "gap must be a number above 0"),
        ('scenario = "x"\n[solve]\ntime_limit = -1', "time_limit must be"),
        ('scenario = "x"\n[solve]\nmax_iterations = 0', "max_iterations must be"),
        ('scenario = "x"\n[solve]\non_infeasible = "no"', "on_infeasible must be"),
        ('scenario = "x"\n[solve]\ndtype = "float16"', "dtype must be one of"),
        ('scenario = "x"\n[solve]\ndevice_memory = 0', "device_memory must be GiB"),
        ('scenario = "x"\n[solve]\nwarm_start = ""', "warm_start must be"),
        ('scenario = "x"\n[solve]\ntolerance = -1', "unknown key 'tolerance'"),
        ('scenario = "x"\n[solve]\nmax_iterations = 1.5', "must be a whole number"),
        ('scenario = "x"\n[solve]\nmax_iterations = true', "must be a whole number"),
        ('scenario = "x"\n[solve]\nvehicle_to_grid = 0', "must be true or false"),
        ('scenario = "x"\nbuilder = "example"', "one of the keys"),
        ("", "one of the keys"),
        ('builder = "exampel"', "did you mean 'example'"),
        ("scenario = 3", "must be a text"),
        ('scenario = "x"\nsolve = 3', "must be a table"),
        ('scenario = "x"\nobjective = 3', "a text or a table"),
        ('scenario = "x"\n[arguments]\nevs = 3', "only a builder"),
        ("scenario = ", "cannot be read as TOML"),
    ],
)
def test_wrong_configuration_is_one_clear_error(tmp_path, text, said):
    with pytest.raises(SettingsError, match=said):
        config.read_job(write(tmp_path, text))


def test_wrong_paths_say_what_is_there(tmp_path):
    with pytest.raises(SettingsError, match="no folder or configuration"):
        config.read_job(tmp_path / "nowhere")
    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SettingsError, match="neither the folder"):
        config.read_job(tmp_path / "a.json")
    (tmp_path / "solution.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SettingsError, match="is a solution"):
        config.read_job(tmp_path)
    binary = tmp_path / "b.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot be read"):
        config.read_job(binary)


def test_builder_arguments_are_checked_before_it_runs(tmp_path):
    job = config.read_job(write(tmp_path, 'builder = "example"\n[arguments]\nevs = 3'))
    with pytest.raises(SettingsError, match="unknown 'evs'"):
        job.build_scenario()
    job = config.read_job(write(tmp_path, 'builder = "synthetic"\n'))
    with pytest.raises(SettingsError, match="evs"):
        job.build_scenario()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("peak", objectives.PeakOverload()),
        ("peak:500", objectives.PeakOverload(500.0)),
        (" Peak ", objectives.PeakOverload()),
        ("overload-energy:2", objectives.OverloadEnergy(2.0)),
        ("squared_overload", objectives.SquaredOverload()),
        ("smoothing:1e+3", objectives.Smoothing(1e3)),
        (
            "peak + smoothing:1e-3",
            objectives.PeakOverload() + objectives.Smoothing(1e-3),
        ),
        (
            "capacity+energy:-0.1",
            objectives.FeederCapacity() + objectives.EnergyCost(-0.1),
        ),
        (
            {"peak": True, "smoothing": 1e-3},
            objectives.PeakOverload() + objectives.Smoothing(1e-3),
        ),
        ({"peak": 500}, objectives.PeakOverload(500.0)),
    ],
)
def test_objective_words_mean_their_classes(text, expected):
    assert config.parse_objective(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("paek", "did you mean 'peak'"),
        ("smoothing", "needs its epsilon"),
        ("energy", "needs its price"),
        ("capacity:3", "takes no number"),
        ("peak:much", "not a number"),
        ("energy:prices.csv", "no file"),
        ({"peak": False}, "not a number"),
        ({"peak": [1.0]}, "not a number"),
        ("smoothing:-1", "epsilon"),
        ("smoothing:nan", "epsilon"),
        ("peak:-1", "peak|Peak"),
        ("peak:nan", "peak|Peak"),
        ("energy:inf", "energy|Energy"),
    ],
)
def test_wrong_objective_is_one_clear_error(text, said):
    with pytest.raises(SettingsError, match=said):
        config.parse_objective(text)


def test_energy_prices_come_from_a_table_beside_the_configuration(tmp_path):
    prices = pd.DataFrame({"hour": range(24), "price": [0.1] * 23 + [0.3]})
    prices.to_csv(tmp_path / "prices.csv", index=False)
    prices.to_parquet(tmp_path / "prices.parquet")
    expected = objectives.EnergyCost(prices)
    for name in ("prices.csv", "prices.parquet"):
        assert config.parse_objective(f"energy:{name}", tmp_path) == expected


@pytest.mark.parametrize(
    ("ids", "kind"),
    [(["1", "2"], "int64"), (["01", "2"], "str"), (["1", ""], "Int64")],
)
def test_ids_from_csv_are_text_unless_all_are_plain_integers(tmp_path, ids, kind):
    path = tmp_path / "t.csv"
    rows = "".join(f"{i},1.5\n" for i in ids)
    path.write_text("feeder_id,price\n" + rows, encoding="utf-8")
    read = config.read_table(path)["feeder_id"]
    if kind == "str":
        assert read.tolist() == ids
    else:
        assert read.dtype == kind


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_damaged_table_is_one_clear_error(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b'"\x00\xff')
    with pytest.raises(SettingsError, match="cannot be read"):
        config.read_table(path)


def test_solve_keys_are_arguments_of_solve():
    import inspect

    from macjax.driver import solve

    known = set(inspect.signature(solve).parameters)
    assert set(config.SOLVE_KEYS) <= known
    assert set(config.RULES) <= set(config.SOLVE_KEYS)


def test_job_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.Job(source="x").folder = "y"
