"""A device that is too small: how much a solve takes, and what is said."""

import sys
import warnings

import driver_cases
import jax
import pytest

import macjax
from macjax.fleet.memory import bytes_on_devices
from macjax.fleet.packing import pack
from macjax.solvers import mac

FULL = "RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes.\nmore lines"


@pytest.fixture(scope="module")
def street():
    """100 vehicles, a day by the hour."""
    return macjax.Scenario.from_frames(**driver_cases.street_frames())


def raises(error):
    """A function that fails."""

    def fail(*args, **more):
        raise error

    return fail


@pytest.mark.parametrize("error", [jax.errors.JaxRuntimeError(FULL), MemoryError()])
@pytest.mark.parametrize(("dtype", "less"), [("float64", True), ("float32", False)])
def test_a_full_device_is_told_with_what_would_do(
    street, monkeypatch, error, dtype, less
):
    """Also when it fills up in the midst of a run; float32 is advice for float64."""
    monkeypatch.setattr(mac.Run, "step", raises(error))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", macjax.MemoryShortWarning)
        with pytest.raises(macjax.MemoryShortError) as caught:
            macjax.solve(street, dtype=dtype, gap=1e-6)
    text = str(caught.value)
    assert "MiB" in text and dtype in text and "Scenario.subset" in text
    assert ("dtype='float32'" in text) == less
    assert "more lines" not in text


def test_a_full_machine_is_told_while_packing(street, monkeypatch):
    """Before the fleet is packed its size is not known."""
    # The module; the package gives its name to the function.
    module = sys.modules["macjax.driver.work"]
    full = raises(MemoryError("Unable to allocate 9 GiB"))
    monkeypatch.setattr(module, "pack", full)
    with pytest.raises(macjax.MemoryShortError, match="packed .Unable to allocate"):
        macjax.solve(street)


def test_other_errors_of_the_device_pass(street, monkeypatch):
    """What is no lack of memory is not called one."""
    error = jax.errors.JaxRuntimeError("INTERNAL: something else")
    monkeypatch.setattr(mac.Run, "step", raises(error))
    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
        macjax.solve(street, gap=1e-6)


def test_the_plan_holds_what_the_programs_take(monkeypatch):
    """What is held, and the scratch of the largest program, are within it."""
    taken, call = [], mac.Run._call

    def watched(run, program, *args):
        result = call(run, program, *args)
        sizes = program.lower(run.problem, *args).compile().memory_analysis()
        if sizes is not None:
            held = sum(x.nbytes for x in jax.live_arrays())
            taken.append(held + sizes.temp_size_in_bytes)
        return result

    scenario = macjax.synthetic.fleet(600, 168, kind="hard", seed=0)
    monkeypatch.setattr(mac.Run, "_call", watched)
    before = sum(x.nbytes for x in jax.live_arrays())
    solution = macjax.solve(scenario, gap=1e-6)
    planned = solution.settings["device_bytes"]
    assert planned == bytes_on_devices(pack(scenario), "float64")
    assert "newton" in set(solution.history["phase"])
    if not taken:
        pytest.skip("this JAX does not tell what programs take")
    assert planned / 2 < max(taken) - before <= planned


def test_a_limit_below_the_smallest_chunk_is_told(street):
    """The solve goes on with that chunk."""
    with pytest.warns(macjax.MemoryShortWarning, match="smallest chunk"):
        solution = macjax.solve(street, device_memory=1e-9)
    assert solution.status == "solved" and solution.settings["in_chunks"]
