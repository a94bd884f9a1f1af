"""Configurations of regions: what they say, and what is wrong with others."""

import dataclasses
import datetime
import tomllib
from pathlib import Path

import numpy as np
import pytest

from macjax._errors import SettingsError
from macjax.regions import RegionConfig, read_config
from macjax.regions.parameters import COUNTIES

CONFIGS = sorted((Path(__file__).parent.parent.parent / "configs").glob("*.toml"))
REGIONS = [p for p in CONFIGS if "[region]" in p.read_text("utf-8")]


def test_three_configurations_come_with_the_package():
    assert {p.stem for p in REGIONS} >= {
        "bay_area_30",
        "bay_area_sample",
        "napa_county",
    }


@pytest.mark.parametrize("path", REGIONS, ids=lambda p: p.stem)
def test_configurations_can_be_read(path):
    config = read_config(path)
    given = tomllib.loads(path.read_text("utf-8"))["region"]
    assert config.adoption == given["adoption"]
    assert config.name == given["name"]
    assert set(config.counties) <= set(COUNTIES.values())


def test_the_whole_region_spells_out_defaults():
    given = read_config(next(p for p in REGIONS if p.stem == "bay_area_30"))
    assert dataclasses.replace(given, name="") == RegionConfig(name="")


def test_arguments_come_before_the_file(tmp_path):
    path = tmp_path / "region.toml"
    path.write_text("[region]\nadoption = 0.2\nsample = 0.5\n")
    config = read_config(path, adoption=0.4, sample=None, seed=np.int64(3))
    assert (config.adoption, config.sample, config.seed) == (0.4, 0.5, 3)
    assert read_config(config, adoption=np.float64(0.1)).adoption == 0.1
    assert read_config({"adoption": 1}).adoption == 1.0


def test_folder_of_tables_is_relative_to_the_file(tmp_path):
    path = tmp_path / "region.toml"
    path.write_text('[region]\ndata = "raw"\n')
    assert read_config(path).data == str(tmp_path / "raw")


def test_written_configuration_is_the_same_again(tmp_path):
    config = RegionConfig(
        name='a "region" of öäü',
        start=datetime.date(2027, 1, 4),
        counties=("napa", "solano"),
        visitors=False,
    ).changed({"fleet.battery_kwh": [30, 50], "chargers.work_share": 0.7, "days": 3})
    assert config.fleet.battery_kwh == (30.0, 50.0) and config.days == 3
    path = tmp_path / "region.toml"
    path.write_text(config.to_toml(), encoding="utf-8")
    assert read_config(path) == config
    assert read_config(tomllib.loads(config.to_toml())["region"]) == config


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"adopton": 0.3}, "region.adopton: unknown key; did you mean 'adoption'?"),
        ({"chargers": {"work_shares": 1}}, "region.chargers.work_shares: unknown"),
        ({"chargers": 3}, "region.chargers must be a table"),
        ({"adoption": 0}, "greater than 0"),
        ({"adoption": 1.5}, "region.adoption must be from 0 to 1, not 1.5"),
        ({"adoption": float("nan")}, "region.adoption must be from 0 to 1"),
        ({"sample": "half"}, "region.sample must be a number, not 'half'"),
        ({"sample": True}, "region.sample must be a number"),
        ({"days": 2.5}, "region.days must be a whole number"),
        ({"slot_minutes": 17}, "must divide 1440"),
        ({"start": "14 September"}, "region.start must be a date"),
        ({"timezone": "Bay/Area"}, "region.timezone must be an IANA name"),
        ({"counties": ["nappa"]}, "no county 'nappa'; did you mean 'napa'?"),
        ({"counties": "napa"}, "region.counties must be a list"),
        ({"fleet": {"battery_kwh": [50.0]}}, "one value for each type of car"),
        ({"fleet": {"type_shares": [0.5, 0.6]}}, "must add up to 1"),
        ({"chargers": {"home_shares": [0.9, 0.8]}}, "must have 3 values"),
        ({"chargers": {"home_shares": [0.9, 0.8, 1.8]}}, "from 0 to 1, not 1.8"),
        ({"chargers": {"stop_minutes": [60, 20]}}, "a <= b"),
        ({"chargers": {"density_edges": [20.0, 8.0]}}, "density_edges must be from"),
        ({"feeders": {"peak_kw": [1.0, 2.0]}}, "as long as one another"),
        (
            {"feeders": {"peak_levels": [0, 1], "peak_kw": [0, 0]}},
            "region.feeders.peak_kw must have a value above 0",
        ),
        ({"feeders": {"headroom_kw": [9.0] + 7 * [1.0]}}, "and go up"),
        ({"population": {"area_groups": [[0, 1], [1]]}}, "a type is in two groups"),
        ({"travel": {"speed_kmh": [20.0, 80.0]}}, "must have 3 values"),
    ],
)
def test_wrong_values_are_named(given, words):
    with pytest.raises(SettingsError) as error:
        read_config(given)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[regions]\n", "unknown key 'regions'; did you mean 'region'?"),
        ('objective = "peak"\n', "says nothing of a region"),
        ("region = 3\n", "says nothing of a region"),
        ("[region\n", "cannot be read as TOML"),
        ("[region]\nsead = 1\n", "region.sead: unknown key; did you mean 'seed'?"),
    ],
)
def test_wrong_files_are_named(tmp_path, text, words):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        read_config(path)
    assert words in str(error.value) and str(path) in str(error.value)


def test_a_file_that_is_not_there():
    with pytest.raises(SettingsError, match="no configuration 'nowhere.toml'"):
        read_config("nowhere.toml")


def test_unknown_dotted_keys_are_named():
    with pytest.raises(SettingsError, match="region.fleet.reserve: unknown key"):
        RegionConfig().changed({"fleet.reserve": 0.1})
    with pytest.raises(SettingsError, match="region.garage: unknown key"):
        RegionConfig().changed({"garage.cars": 1})
