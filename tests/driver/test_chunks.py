"""Fleets larger than the devices: the same result in chunks from the host's memory."""

import jax
import numpy as np
import pytest

import macjax
from macjax.fleet.budget import chunk_blocks, chunk_bytes, needed_bytes
from macjax.fleet.packing import pack
from macjax.solvers import mac

# Fleets are so small that some limits are below one block.
pytestmark = pytest.mark.filterwarnings(
    "ignore:device_memory:macjax.MemoryShortWarning"
)
GIB = 2**30
GAP = 1e-6
FULL = "RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes."


@pytest.fixture(scope="module")
def scenario():
    """600 vehicles, a week by the hour."""
    return macjax.synthetic.fleet(600, 168, kind="hard", seed=0)


@pytest.fixture(scope="module")
def whole(scenario):
    """The solution with the whole fleet on the device."""
    solution = macjax.solve(scenario, gap=GAP)
    assert solution.status == "solved" and not solution.settings["in_chunks"]
    assert set(solution.history["phase"]) >= {"admm", "newton"}
    return solution


def share_of(whole, share: float) -> float:
    """GiB that are a share of what the whole fleet takes."""
    return share * whole.settings["device_bytes"] / GIB


def require_same(solution, whole, gap=GAP) -> None:
    """The results agree within the gap that both prove."""
    assert solution.status == "solved"
    scale = abs(whole.objective) + 0.01 * abs(whole.unmanaged_objective)
    assert abs(solution.objective - whole.objective) <= gap * scale
    assert abs(solution.lower_bound - whole.lower_bound) <= gap * scale
    assert macjax.certify(solution.scenario, solution).feasible


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_chunks_give_the_same_result(scenario, whole, share):
    """To rounding as long as ADMM runs, and within the gap at the end."""
    solution = macjax.solve(scenario, gap=GAP, device_memory=share_of(whole, share))
    settings = solution.settings
    assert settings["in_chunks"]
    assert settings["device_bytes"] < whole.settings["device_bytes"]
    require_same(solution, whole)
    looks = [s.history[s.history["phase"] == "admm"] for s in (solution, whole)]
    columns = ["iteration", "objective", "lower_bound"]
    np.testing.assert_allclose(*(look[columns] for look in looks), rtol=1e-8)


@pytest.mark.slow  # compiles another dtype, whole and in chunks
def test_chunks_with_smoothing_in_float32(scenario):
    """Its bound has real shadow prices, and the schedule is projected in float64."""
    objective = macjax.PeakOverload() + macjax.Smoothing(1e-3)
    settings = {"gap": 1e-3, "dtype": "float32"}
    whole = macjax.solve(scenario, objective, **settings)
    memory = share_of(whole, 0.3)
    solution = macjax.solve(scenario, objective, device_memory=memory, **settings)
    assert solution.settings["in_chunks"]
    require_same(solution, whole, 1e-3)


@pytest.mark.slow  # compiles the search for a schedule once more
def test_hard_limits_in_chunks():
    """Feasible and not: the search for a schedule and its proof."""
    scenario = macjax.synthetic.fleet(200, 48, kind="easy", seed=1)
    hard = macjax.FeederCapacity() + macjax.EnergyCost(0.1)
    whole = macjax.solve(scenario, hard)
    memory = share_of(whole, 0.5)
    solution = macjax.solve(scenario, hard, device_memory=memory)
    assert solution.settings["in_chunks"]
    assert solution.status == whole.status
    if whole.status == "solved":
        require_same(solution, whole, 1e-3)


def test_a_fleet_that_fits_stays_whole(scenario, whole):
    memory = share_of(whole, 1.0)
    solution = macjax.solve(scenario, gap=GAP, device_memory=memory)
    assert not solution.settings["in_chunks"]
    assert solution.objective == whole.objective


@pytest.fixture
def fills_up(monkeypatch):
    """The device runs out of memory in the midst of a run, so many times."""

    def arrange(times: int) -> None:
        step = mac.Run.step

        def full(run, most):
            nonlocal times
            if run.iteration > 20 and times:
                times -= 1
                raise jax.errors.JaxRuntimeError(FULL)
            return step(run, most)

        monkeypatch.setattr(mac.Run, "step", full)

    return arrange


def test_a_full_device_goes_on_in_chunks(scenario, whole, fills_up):
    """The solve starts anew with half of what was planned, and says so."""
    fills_up(1)
    with pytest.warns(macjax.MemoryShortWarning, match="MiB") as told:
        solution = macjax.solve(scenario, gap=GAP)
    assert len(told) == 1 and solution.settings["in_chunks"]
    planned = whole.settings["device_bytes"]
    assert solution.settings["device_bytes"] < planned
    require_same(solution, whole)


def test_a_device_that_is_always_full_is_an_error(scenario, fills_up):
    """Smaller and smaller chunks are not tried for ever."""
    fills_up(100)
    with pytest.warns(macjax.MemoryShortWarning):
        with pytest.raises(macjax.MemoryShortError, match="in chunks"):
            macjax.solve(scenario, gap=GAP)


def test_checkpoints_in_chunks(scenario, whole, tmp_path):
    """A run in chunks is resumed in chunks, to the same result."""
    memory, folder = share_of(whole, 0.5), tmp_path / "run"
    settings = {"gap": GAP, "device_memory": memory}
    through = macjax.solve(scenario, **settings)
    first = macjax.solve(
        scenario, max_iterations=60, checkpoint=folder, checkpoint_every=0, **settings
    )
    assert first.status == "iteration_limit"
    second = macjax.resume(folder, max_iterations=20_000)
    assert second.settings["in_chunks"] and second.settings["resumed"] == 1
    assert second.objective == through.objective
    assert second.lower_bound == through.lower_bound


@pytest.mark.parametrize("wrong", [0, -1, np.nan, np.inf, "2", True])
def test_wrong_memory_is_told(scenario, wrong):
    with pytest.raises(macjax.SettingsError, match="device_memory must be GiB"):
        macjax.solve(scenario, device_memory=wrong)


def test_a_budget_holds_its_chunks():
    """As many blocks as fit, and not one more."""
    for budget in (1e6, 3.7e7, 5e9):
        blocks = chunk_blocks(budget, 1e4)
        assert chunk_bytes(blocks, 1e4) <= budget < chunk_bytes(blocks + 1, 1e4)
    assert chunk_blocks(1e3, 1e4) < 1
    assert needed_bytes(10, 1e4) > needed_bytes(9, 1e4)


@pytest.mark.parametrize("share", [0.9, 0.4, 0.1, 1e-6])
def test_packing_keeps_to_the_budget(scenario, share):
    """Chunks hold all blocks, and fit unless a block is as narrow as it may be."""
    resident = pack(scenario)
    rows, slots, lanes = resident.batch.shape[1:]
    budget = share * needed_bytes(resident.grid.each, 8 * rows * slots * lanes)
    packed = pack(scenario, budget=budget)
    batch = packed.batch
    assert batch.in_chunks and batch.shape[0] % batch.chunk == 0
    assert isinstance(batch.base, np.ndarray)
    block_bytes = 8 * int(np.prod(batch.shape[1:]))
    assert chunk_bytes(batch.chunk, block_bytes) <= budget or batch.chunk == 1
    again = pack(scenario, dtype=np.float32, like=packed, budget=budget)
    assert again.batch.shape == batch.shape and again.batch.base.dtype == np.int32
    for name in ("vehicle", "stay", "slot"):
        ours, same = getattr(packed.index, name), getattr(resident.index, name)
        assert set(np.unique(ours)) == set(np.unique(same))
