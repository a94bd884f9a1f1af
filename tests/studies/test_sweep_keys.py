"""What can be varied, by which names, and in which order cases are run."""

import datetime
import itertools

import numpy as np
import pytest

import macjax
from macjax import SettingsError
from macjax.config import read_job
from macjax.studies.cases import cut, make_axes, make_cases, running_order
from macjax.studies.frame import COLUMNS
from macjax.studies.sources import BuilderSource, read_source

REGION, _ = read_source({"counties": ["napa"]}, None)
SYNTHETIC = BuilderSource("synthetic", {"evs": 20, "slots": 24, "feeders": 2})
EXAMPLE = BuilderSource("example", {})


@pytest.fixture(scope="module")
def scenario():
    return read_source(macjax.synthetic.fleet(5, slots=24, feeders=1), None)[0]


def axes_of(source, **over):
    return make_axes(source, over, COLUMNS)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("adoption", "adoption"),
        ("horizon", "days"),
        ("days", "days"),
        ("work_share", "chargers.work_share"),
        ("chargers.work_share", "chargers.work_share"),
        ("region.chargers.work_share", "chargers.work_share"),
        ("region.seed", "seed"),
        ("reserve_share", "fleet.reserve_share"),
    ],
)
def test_keys_of_a_region_have_short_and_long_names(given, key):
    value = 0.5 if "share" in key or key == "adoption" else 3
    (axis,) = make_axes(REGION, {given: [value]}, COLUMNS)
    assert (axis.name, axis.key, axis.is_factor) == (given, key, False)


def test_every_key_of_a_region_has_a_name_that_no_other_has():
    names = [key.rpartition(".")[2] for key in REGION.keys()]
    assert len(set(names)) == len(names) > 60


def test_values_reach_the_configuration():
    over = {
        "horizon": [2],
        "home_shares": [[0.9, 0.5, 0.1]],
        "start": [datetime.date(2026, 1, 5)],
    }
    (case,) = make_cases(make_axes(REGION, over, COLUMNS))
    changed = REGION.config.changed(case.build)
    assert changed.days == 2 and changed.chargers.home_shares == (0.9, 0.5, 0.1)
    assert changed.start == datetime.date(2026, 1, 5)
    shown = {"horizon": 2, "home_shares": "[0.9, 0.5, 0.1]", "start": "2026-01-05"}
    assert case.shown == shown


def test_values_that_are_right_together_are_right():
    """Either list alone would not be as long as the others."""
    over = {
        "fleet.battery_kwh": [[60.0]],
        "fleet.type_shares": [[1.0]],
        "fleet.kwh_per_km": [[0.17]],
        "chargers.home_kw": [[7.2]],
    }
    assert len(make_cases(make_axes(REGION, over, COLUMNS))) == 1
    with pytest.raises(SettingsError, match="one value for each type"):
        make_axes(REGION, {"fleet.battery_kwh": [[60.0]]}, COLUMNS)


def test_a_factor_goes_before_an_argument_of_the_builder():
    factor, argument = make_axes(
        SYNTHETIC, {"cost": [2], "arguments.cost": [(80, 800)]}, COLUMNS
    )
    assert factor.is_factor and not argument.is_factor
    (case,) = make_cases((factor, argument))
    assert case.factors == {"cost": 2} and case.build == {"cost": (80, 800)}


def test_a_key_that_is_a_column_of_the_result_is_called_by_its_long_name():
    (axis,) = make_axes(SYNTHETIC, {"feeders": [1, 2]}, COLUMNS)
    assert axis.name == "arguments.feeders"


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"adoptoin": [0.1]}, "did you mean 'adoption'"),
        ({"workplace_access": [0.1]}, "did you mean 'chargers.work_share'"),
        ({"battery_size": [60]}, "did you mean 'fleet.battery_kwh'"),
        ({"charger_size": [60]}, "did you mean 'charger_power'"),
        ({"work_shar": [0.1]}, "did you mean 'work_share'"),
        ({"chargerpower": [1]}, "did you mean 'charger_power'"),
        ({"adoption": [0.1, 1.5]}, "adoption must be from 0 to 1"),
        ({"adoption": ["much"]}, "adoption must be a number"),
        ({"adoption": [0.3], "slot_minutes": [60, 50]}, "slot_minutes must divide"),
        ({"adoption": []}, "adoption has no values"),
        ({"adoption": 0.3}, "adoption must be a list"),
        ({"adoption": "0.3"}, "adoption must be a list"),
        ({"adoption": [0.1, 0.3, 0.1]}, "adoption has 0.1 more than once"),
        ({"days": [1], "horizon": [2]}, "'days' and 'horizon' are one key"),
        ({"chargers": [1]}, "unknown key 'chargers'"),
        ({"charger_power": [-1]}, "charger_power is a factor"),
        ({"charger_power": [np.inf]}, "charger_power is a factor"),
        ({"charger_power": [np.nan]}, "charger_power is a factor"),
        ({"cost": ["2"]}, "cost is a factor"),
        ({"reserve": [True]}, "reserve is a factor"),
        ({"battery": [0]}, "greater than 0"),
        ({}, "over must name"),
        (None, "over must name"),
        ([("adoption", [1])], "over must name"),
    ],
)
def test_wrong_keys_and_values_are_refused(over, said):
    with pytest.raises(SettingsError, match=said):
        make_axes(REGION, over, COLUMNS)


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"evs": [-1]}, "evs must be a whole number >= 0"),
        ({"evs": [1.5]}, "evs must be a whole number"),
        ({"evs": [None]}, "evs must be a whole number"),
        ({"kind": ["harsh"]}, "unknown kind 'harsh'"),
        ({"kind": ["random"], "fill": [(1, 2)]}, "unknown option 'fill'"),
        ({"home_chargers": [[0.5, 0.5]]}, "home_chargers must be 3 numbers"),
        ({"hot_days": ["many"]}, "hot_days must be a number"),
        ({"slot_minutes": [7]}, "does not divide 1440"),
    ],
)
def test_arguments_of_a_builder_are_checked_before_it_runs(over, said):
    with pytest.raises(SettingsError, match=said):
        make_axes(SYNTHETIC, over, COLUMNS)


@pytest.mark.parametrize("key", ["adoption", "work_share", "slot_minutes", "horizon"])
def test_what_a_scenario_does_not_carry_names_the_key_of_a_region(scenario, key):
    for source in (scenario, EXAMPLE):
        with pytest.raises(SettingsError, match=r"key '\S+' of a region.*\[region\]"):
            make_axes(source, {key: [1]}, COLUMNS)
        with pytest.raises(SettingsError, match="did you mean 'battery'"):
            make_axes(source, {"batery": [1]}, COLUMNS)
    assert [axes_of(s, reserve=[0.5])[0].is_factor for s in (scenario, EXAMPLE)]


@pytest.mark.parametrize("wrong", [None, 3, ["configs/demo.toml"]])
def test_what_is_no_study_is_refused(wrong):
    with pytest.raises(SettingsError, match="sweep takes a Scenario"):
        macjax.sweep(wrong, over={"cost": [1]})


def test_a_configuration_with_a_region_is_a_region(tmp_path):
    path = tmp_path / "region.toml"
    path.write_text(
        "[region]\nadoption = 0.2\n[sweep]\nover.chargers.work_share = [0.2, 0.6]\n"
        'over.days = [1]\nmethods = ["mac"]\n',
        encoding="utf-8",
    )
    source, job = read_source(path, None)
    assert source.config.adoption == 0.2
    over = {"chargers.work_share": [0.2, 0.6], "days": [1]}
    assert job.sweep == {"over": over, "methods": ["mac"]}
    assert macjax.regions.read_config(path) == source.config
    assert macjax.regions.read_config(path).to_toml() == source.text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sweep]\novr.cost = [1]", "did you mean 'over'"),
        ("[sweep]\nover = [1]", "over must be a table"),
        ('[sweep]\nmethods = "mac"', "methods must be a list"),
        ("sweep = 1", "must be a table"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, text, said):
    path = tmp_path / "job.toml"
    path.write_text(f'builder = "example"\n{text}\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=said):
        read_job(path)


@pytest.mark.parametrize(
    "over",
    [
        {"seed": [1, 2, 3], "cost": [1, 2]},
        {"cost": [1, 2], "seed": [1, 2, 3], "battery": [1, 2, 3], "evs": [1, 2]},
        {"battery": [1, 2, 3], "cost": [1]},
    ],
)
def test_each_case_is_run_once_and_next_to_a_neighbour(over):
    axes = make_axes(SYNTHETIC, over, COLUMNS)
    cases, order = make_cases(axes), running_order(axes)
    assert sorted(order) == list(range(len(cases)))
    assert [tuple(c.shown.values()) for c in cases] == list(
        itertools.product(*over.values())
    )
    steps = []
    for a, b in itertools.pairwise(cases[k] for k in order):
        moved = [
            abs(over[n].index(a.shown[n]) - over[n].index(b.shown[n])) for n in over
        ]
        steps.append(sorted(moved))
    assert all(step == [0] * (len(over) - 1) + [1] for step in steps)
    builds = [tuple(cases[k].build.items()) for k in order]
    assert len(list(itertools.groupby(builds))) == len(set(builds))


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
@pytest.mark.parametrize("seeds", [1, 2, 9, 40])
def test_pieces_hold_every_case_once_and_in_order(workers, seeds):
    axes = make_axes(SYNTHETIC, {"seed": range(seeds), "cost": [1, 2, 3]}, COLUMNS)
    cases = [make_cases(axes)[k] for k in running_order(axes)]
    pieces = cut(cases, workers)
    assert [c for piece in pieces for c in piece] == cases
    assert all(pieces) and len(pieces) >= min(workers, len(cases))
    if seeds >= workers > 1:  # no scenario is built twice
        built = [{c.build["seed"] for c in piece} for piece in pieces]
        assert sum(len(seeds) for seeds in built) == seeds
