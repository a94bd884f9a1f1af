"""`macjax build`: what it writes, what it refuses, and that its files build again."""

import json

import pandas as pd
import pytest

import macjax
from macjax.cli import main
from macjax.regions import read_config

TEXT = """objective = "peak"

[region]
counties = ["napa"]
sample = 0.005

[solve]
gap = 1e-2
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "napa.toml"
    path.write_text(TEXT)
    return str(path)


def test_it_writes_scenario_facts_and_assumptions(config, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["build", config, "--out", str(out), "--adoption", "0.4"]) == 0
    shown = capsys.readouterr()
    assert "electric cars in" in shown.out and "unmanaged" in shown.out
    assert "built" in shown.err
    assert {p.name for p in out.iterdir()} == {"scenario", "facts.json", "region.toml"}
    scenario = macjax.Scenario.read(out / "scenario")
    facts = json.loads((out / "facts.json").read_text("utf-8"))
    assert facts["vehicles"] == len(scenario.vehicles) > 0
    assert read_config(out / "region.toml").adoption == 0.4
    again = macjax.regions.build(out / "region.toml")
    assert again.fingerprint == scenario.fingerprint
    assert main(["build", config, "--out", str(out), "--quiet"]) == 0  # replaces it
    assert read_config(out / "region.toml").adoption == 0.3


def test_json_holds_the_facts(config, tmp_path, capsys):
    arguments = ["build", config, "--out", str(tmp_path / "o"), "--json", "--quiet"]
    assert main([*arguments, "--seed", "4", "--sample", "0.01"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["out"] == str(tmp_path / "o")
    assert record["weight_of_a_row"] == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (TEXT.replace("sample", "sampel"), [], "did you mean 'sample'?"),
        (TEXT, ["--adoption", "1.2"], "adoption must be from 0 to 1"),
        (TEXT, ["--sample", "0"], "greater than 0"),
        (TEXT, ["--seed", "-1"], "region.seed must be from 0"),
        ('builder = "example"\n', [], "unknown key 'builder'"),
    ],
)
def test_wrong_input_writes_nothing(text, options, words, tmp_path, capsys):
    path, out = tmp_path / "wrong.toml", tmp_path / "out"
    path.write_text(text)
    assert main(["build", str(path), "--out", str(out), *options]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_a_foreign_folder_is_left_alone(config, tmp_path, capsys):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    assert main(["build", config, "--out", str(out)]) == 2
    assert "thesis.txt" in capsys.readouterr().err
    assert [p.name for p in out.iterdir()] == ["thesis.txt"]


def test_out_is_needed(config):
    with pytest.raises(SystemExit) as stop:
        main(["build", config])
    assert stop.value.code == 2


def test_other_commands_take_the_configuration(config, tmp_path, capsys):
    assert main(["validate", config]) == 0
    assert "valid" in capsys.readouterr().out
    out = tmp_path / "unmanaged"
    assert main(["baseline", config, "--out", str(out), "--quiet"]) == 0
    solution = macjax.Solution.read(out)
    built = macjax.regions.build(config)
    assert solution.scenario.fingerprint == built.fingerprint
    assert isinstance(solution.upgrades(), pd.DataFrame)
