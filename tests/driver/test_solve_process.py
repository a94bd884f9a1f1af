"""What solves leave alone and share: settings of JAX, threads, compiled programs."""

import threading

import jax
import numpy as np
import pandas as pd
import pytest
from driver_cases import street, street_frames, with_frames

import macjax
from macjax.fleet.packing import pack
from macjax.synthetic import fleet


def assert_identical(one, other) -> None:
    """The same to the last bit: plan, prices, numbers, history."""
    for column, same in zip(one.plan, other.plan, strict=True):
        np.testing.assert_array_equal(column, same)
    np.testing.assert_array_equal(one.price_table, other.price_table)
    assert one.objective == other.objective
    assert one.lower_bound == other.lower_bound
    assert one.iterations == other.iterations
    columns = ["iteration", "objective", "lower_bound", "gap"]
    assert one.history[columns].equals(other.history[columns])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_float64_stays_as_it_was(hard_street, solved, dtype):
    """In a process with x64 off and on; the result is the same."""
    assert not jax.config.jax_enable_x64
    plain = macjax.solve(hard_street, dtype=dtype)
    assert not jax.config.jax_enable_x64
    with jax.enable_x64(True):
        wide = macjax.solve(hard_street, dtype=dtype)
        assert jax.config.jax_enable_x64
    assert not jax.config.jax_enable_x64
    assert_identical(plain, wide)
    assert plain.settings["dtype"] == dtype


def test_float64_stays_as_it_was_after_errors(hard_street):
    """Also when a solve ends by an exception."""

    def wrong(record):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        macjax.solve(hard_street, progress=wrong)
    assert not jax.config.jax_enable_x64


@pytest.mark.parametrize("gap", [1e-3, 1e-6])
def test_repeated_solves_are_identical(hard_street, gap):
    """On a CPU bit for bit, in any order of solves."""
    first = macjax.solve(hard_street, gap=gap)
    macjax.solve(street(6), gap=gap)
    assert_identical(first, macjax.solve(hard_street, gap=gap))


def test_threads_do_not_meet():
    """Two threads with scenarios of their own: the results are those alone."""
    streets = [street(7), street(8)]
    alone = [macjax.solve(one, gap=1e-5) for one in streets]
    found: dict[int, list] = {0: [], 1: []}
    together = threading.Barrier(2)

    def work(index: int) -> None:
        together.wait()
        for _ in range(3):
            found[index].append(macjax.solve(streets[index], gap=1e-5))

    threads = [threading.Thread(target=work, args=(index,)) for index in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    for index, solutions in found.items():
        assert len(solutions) == 3
        for solution in solutions:
            assert_identical(alone[index], solution)


class Compilations:
    """Counts what XLA compiles."""

    def __init__(self):
        self.names: list[str] = []
        jax.monitoring.register_event_duration_secs_listener(self._count)

    def _count(self, event: str, seconds: float, **more) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            self.names.append(str(more.get("fun_name")))


COMPILATIONS = Compilations()


def test_a_solve_on_the_same_timetable_compiles_nothing(solved):
    """Other costs, energies, weights, capacities and feeders of the chargers."""
    for seed in (10, 11, 12):
        before = len(COMPILATIONS.names)
        solution = macjax.solve(street(seed), gap=1e-5)
        assert COMPILATIONS.names[before:] == []
        assert solution.seconds["compile"] == 0


def test_other_numbers_of_feeders_compile_nothing_in_a_size_class(solved):
    """Nine and ten feeders are padded to ten."""
    frames = street_frames()
    profile = frames["feeder_profile"]
    rows = {
        "feeders": frames["feeders"].tail(1),
        "feeder_profile": profile[profile["feeder_id"] == "f0000"],
    }
    more = {
        name: pd.concat([frames[name], new.assign(feeder_id="new")], ignore_index=True)
        for name, new in rows.items()
    }
    before = len(COMPILATIONS.names)
    solution = macjax.solve(with_frames(frames, **more), gap=1e-5)
    assert solution.status == "solved"
    assert COMPILATIONS.names[before:] == []


@pytest.mark.parametrize("kind", ["easy", "hard"])
def test_fleets_of_similar_size_share_their_programs(kind):
    """Ten fleets of 570 to 600 vehicles with timetables of their own: few shapes."""
    shapes = set()
    for seed in range(10):
        scenario = fleet(570 + 10 * seed // 3, 168, 60, 7, kind=kind, seed=seed)
        packed = pack(scenario)
        shapes.add((packed.table_feeders, packed.slots, packed.batch.shape))
    assert len(shapes) <= 3
