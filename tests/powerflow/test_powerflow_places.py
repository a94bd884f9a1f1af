"""Places by size are a matching by rank; mappings put feeders where they say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from power_cases import scenario, tables

from macjax._errors import SettingsError
from macjax.powerflow.feeders import find_feeders
from macjax.powerflow.mapping import by_size, choose, place
from macjax.powerflow.slots import named_slots, worst_slots

SIZES = st.lists(st.integers(0, 5), min_size=1, max_size=12)


def test_feeders_take_the_feeder_of_the_net_of_their_rank():
    mv, copy = by_size([10.0, 30.0, 20.0], [1.0, 3.0, 2.0])
    assert mv.tolist() == [0, 1, 2] and copy.tolist() == [0, 0, 0]
    mv, copy = by_size([10.0, 40.0, 20.0, 30.0], [5.0, 9.0])
    assert mv.tolist() == [0, 1, 0, 1] and copy.tolist() == [1, 0, 0, 1]
    # One of three takes the middle, equal ones keep their order.
    assert by_size([1.0], [1.0, 3.0, 2.0])[0].tolist() == [2]
    assert by_size([1.0, 1.0], [2.0, 2.0])[0].tolist() == [0, 1]


@given(SIZES, SIZES)
def test_places_are_taken_once_and_follow_size(peak, rating):
    mv, copy = by_size(peak, rating)
    assert len(set(zip(mv.tolist(), copy.tolist(), strict=True))) == len(peak)
    assert copy.max() < -(-len(peak) // len(rating))
    order = np.argsort(-np.array(peak), kind="stable")
    taken = np.array(rating)[mv[order]]
    assert (np.diff(taken) <= 0).all()
    # The same number of places lies above every feeder as below the one of its rank
    # from the end, within one.
    ranks = np.sort(np.argsort(np.argsort(-np.array(rating), kind="stable"))[mv])
    assert abs(ranks[0] + ranks[-1] - (len(rating) - 1)) <= 1


def test_all_but_parents_are_chosen():
    feeders = pd.DataFrame(
        {"feeder_id": ["a", "b", "c"], "parent_id": ["c", "c", None]}
    )
    rows, notes = choose(feeders, None, None)
    assert rows.tolist() == [0, 1] and notes[0].startswith("1 feeders that feed others")
    rows, notes = choose(feeders, ["c", "a"], None)
    assert rows.tolist() == [2, 0] and notes == [
        "1 feeders of the scenario are not checked."
    ]
    assert choose(feeders, None, {"b": "A"})[0].tolist() == [1]
    assert choose(feeders, "b", None)[0].tolist() == [1]


@pytest.mark.parametrize(
    ("wanted", "mapping", "message"),
    [
        (["a", "x"], None, "feeders: x: not in the feeders table, which has a, b"),
        (None, {"x": "A"}, "mapping: x: not in the feeders table"),
        ([], None, "feeders: no feeder is named"),
        (None, {}, "mapping: no feeder is named"),
        (["a"], {"a": "A"}, "give feeders= or mapping="),
        (None, ["a"], "mapping must be a dict"),
    ],
)
def test_wrong_choices_are_told(wanted, mapping, message):
    feeders = pd.DataFrame({"feeder_id": ["a", "b"], "parent_id": [None, None]})
    with pytest.raises(SettingsError, match=message):
        choose(feeders, wanted, mapping)


def test_a_mapping_names_feeders_or_buses_and_shares_by_copies():
    net = tables()
    grid = find_feeders(net)
    mapping = {"x": "B", "y": [30], "z": "A", "u": 40}
    places = place(net, grid, list(mapping), np.ones(4), mapping)
    assert places.mv.tolist() == [1, 0, 0, 1]
    assert places.substation.tolist() == [0, 0, 1, 1]
    loads = [net["load"].index[rows].tolist() for rows in places.loads]
    assert loads == [[6], [4], [2, 4], [6]]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("a2", "the net has no feeder 'a2'"),
        (99, "no bus 99 in the net; its buses are 10, 20"),
        ([], "no bus is named"),
        ([20, 40], "not all on one feeder of the net, but on A, B"),
        ([10, 20], "not all on one feeder"),
        (60, "but on none"),
        ({"a": [1]}, "feeder f: no bus a"),
        (2.5, "must be an id or a list"),
    ],
)
def test_wrong_targets_are_told(target, message):
    net = tables()
    with pytest.raises(SettingsError, match=message):
        place(net, find_feeders(net), ["f"], np.ones(1), {"f": target})


def test_buses_without_load_are_told():
    net = tables()
    net["load"] = net["load"].drop(index=4)
    with pytest.raises(SettingsError, match="there is no load at its buses; .* at 20"):
        place(net, find_feeders(net), ["f"], np.ones(1), {"f": [30]})


def test_the_worst_slots_are_those_of_each_feeder_and_of_the_sum():
    use = np.array([[0.1, 0.9, 0.5, 0.2], [0.8, 0.1, 0.7, 0.2]])
    assert worst_slots(use, np.array([1.0, 1.0]), 1).tolist() == [0, 1, 2]
    assert worst_slots(use, np.array([10.0, 0.1]), 1).tolist() == [0, 1]
    assert worst_slots(use[:1], np.ones(1), 2).tolist() == [1, 2]
    # Reverse flow counts, what has no scale does not, the first of equal ones is taken.
    assert worst_slots(np.array([[0.1, -0.9, np.nan]]), np.ones(1), 1).tolist() == [1]
    assert worst_slots(np.ones((1, 3)), np.ones(1), 1).tolist() == [0]


def test_slots_are_numbers_or_starts():
    given = scenario()
    assert named_slots([3, 1, 3], given).tolist() == [1, 3]
    assert named_slots(2, given).tolist() == [2]
    times = given.slot_starts[[2, 0]]
    assert named_slots(times, given).tolist() == [0, 2]
    assert named_slots(times[0].tz_convert("Asia/Tokyo"), given).tolist() == [2]
    assert named_slots("2026-03-02T01:00:00-08:00", given).tolist() == [1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([0, 4], "slots: 4: slots are numbered from 0 to 3"),
        ([-1], "slots: -1: "),
        ([], "none is named"),
        (["2026-03-02T00:30:00-08:00"], "no slot starts there"),
        (["2026-03-02T01:00:00"], "no slot starts there"),
        (["soon"], "instants with an offset"),
        ([True], "slot"),
    ],
)
def test_wrong_slots_are_told(wrong, message):
    with pytest.raises(SettingsError, match=message):
        named_slots(wrong, scenario())
