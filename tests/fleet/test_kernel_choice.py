"""Which program searches the shadow prices, and that fleets are the same with both."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cuda_lowering import kernels_in

from macjax._errors import KernelWarning, SettingsError
from macjax._processes import Processes
from macjax.certificate import certify
from macjax.driver.solve import solve
from macjax.fleet import kernel_choice
from macjax.fleet.blocks import over_devices
from macjax.fleet.kernel_choice import SWITCH, choose_projection, fault_of_kernel
from macjax.fleet.operators import Projection, fleet_shadows
from macjax.fleet.packing import pack
from macjax.sets import soc_tube_kernel
from macjax.sets.soc_tube_kernel import kernel_shadow_prices
from macjax.synthetic import fleet


@pytest.fixture(autouse=True)
def _untried(monkeypatch):
    """Nothing was tried before, and nothing is asked for."""
    monkeypatch.delenv(SWITCH, raising=False)
    fault_of_kernel.cache_clear()
    kernel_choice._warn.cache_clear()
    yield
    fault_of_kernel.cache_clear()
    kernel_choice._warn.cache_clear()


@pytest.fixture
def gpu(monkeypatch):
    """A device for which the kernel is tried, though it cannot be compiled for it."""
    monkeypatch.setattr(kernel_choice, "PLATFORMS", ("cpu",))


def choose(dtype=np.float32, processes=None):
    return choose_projection(None, processes or Processes(), dtype, 16, 2)


def test_a_cpu_does_without():
    assert choose() == "xla"


@pytest.mark.parametrize(("asked", "chosen"), [("0", "xla"), ("interpret",) * 2])
def test_the_switch_decides(asked, chosen, monkeypatch):
    monkeypatch.setenv(SWITCH, asked)
    assert choose() == chosen
    assert pack(fleet(3, kind="random", seed=1)).batch.projection == chosen


def test_an_unknown_word_is_refused(monkeypatch):
    monkeypatch.setenv(SWITCH, "yes")
    with pytest.raises(SettingsError, match="MACJAX_PALLAS must be one of 0, 1, inter"):
        choose()


def test_asked_for_where_it_cannot_be(monkeypatch):
    monkeypatch.setenv(SWITCH, "1")
    with pytest.raises(SettingsError, match="does not work: ValueError: Only interp"):
        choose()


def test_a_kernel_that_fails_is_not_used_and_told_once(gpu, recwarn):
    assert [choose(), choose()] == ["xla", "xla"]
    assert [type(w.message) for w in recwarn.list] == [KernelWarning]
    assert "Only interpret mode is supported" in str(recwarn.list[0].message)


def test_a_kernel_that_agrees_is_used(gpu, monkeypatch):
    kernel = functools.partial(kernel_shadow_prices, interpret=True)
    monkeypatch.setattr(soc_tube_kernel, "kernel_shadow_prices", kernel)
    assert choose() == "pallas"


@pytest.mark.parametrize(
    ("off", "used"), [(1e-7, True), (1e-2, False), (np.nan, False)]
)
def test_a_kernel_that_disagrees_is_not_used(gpu, monkeypatch, off, used):
    right = np.ones((16, kernel_choice.TRIED_LANES), np.float32)
    found = right.copy()
    found[3, 70] += off
    monkeypatch.setattr(kernel_choice, "_both", lambda *_: (right, found))
    if used:
        assert choose() == "pallas"
        return
    with pytest.warns(KernelWarning, match="differ from those without it by"):
        assert choose() == "xla"


def test_processes_choose_the_same(gpu, monkeypatch):
    monkeypatch.setattr(kernel_choice, "fault_of_kernel", lambda *_: None)

    class Two(Processes):
        def most(self, value):
            return np.maximum(np.asarray(value, np.float64), 1.0)

    assert choose() == "pallas"
    with pytest.warns(KernelWarning, match="in another process"):
        assert choose(processes=Two()) == "xla"


def state_of(packed):
    """Random centres and gains of a packed fleet."""
    rng = np.random.default_rng(0)
    limit = np.asarray(packed.batch.limit())
    dtype = limit.dtype
    center = limit * rng.normal(0.4, 1, limit.shape)
    gain = 10 ** rng.uniform(-1, 1, limit.shape)
    return jnp.asarray(center, dtype), jnp.asarray(gain, dtype)


def projection(block, center, gain):
    return Projection.of(block, center, gain, 0.0)


def shadows(batch, center, gain, guess):
    """Shadow prices of the fleet, on the devices where it lies."""

    def work(batch, _, *items):
        *lines, guess = items
        return None, fleet_shadows(batch, projection, tuple(lines), guess)

    return over_devices(batch, work, None, center, gain, guess)[1]


def test_fleets_have_the_same_energies():
    """Several blocks, one of them padding, in a `shard_map`."""
    packed = pack(fleet(850, kind="hard", seed=1), devices=jax.devices()[:1])
    used = int(packed.batch.blocks[0])
    assert used < packed.batch.shape[0]
    center, gain = state_of(packed)
    rng = np.random.default_rng(0)
    guess = jnp.asarray(rng.normal(0, 1, packed.batch.lower.shape).round(1))
    other = dataclasses.replace(packed.batch, projection="interpret")
    prices = [
        np.asarray(eqx.filter_jit(shadows)(batch, center, gain, guess))
        for batch in (packed.batch, other)
    ]
    lines = center, gain, packed.batch.limit()
    right, found = (np.clip(lines[0] + price[:, :, None] * lines[1], 0, lines[2])
                    for price in prices)  # fmt: skip
    np.testing.assert_allclose(found[:used], right[:used], rtol=0, atol=1e-11)
    np.testing.assert_array_equal(prices[1][used:], 0)


@pytest.mark.parametrize("mesh", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_passes_over_fleets_compile_for_cuda_with_the_kernel(dtype, mesh):
    """In a loop over blocks, in a `shard_map`: one kernel, and no search beside it."""
    devices = jax.devices()[:1] if mesh else None
    packed = pack(fleet(150, kind="hard", seed=1), dtype=dtype, devices=devices)
    items = (*state_of(packed), packed.batch.lower)

    def traced(kind):
        batch = dataclasses.replace(packed.batch, projection=kind)
        return jax.jit(functools.partial(shadows, batch)).trace(*items)

    assert kernels_in(traced("pallas")) == 1
    assert kernels_in(traced("xla")) == 0


def test_a_solve_with_the_kernel_is_certified_and_says_so(monkeypatch):
    scenario = fleet(12, kind="hard", seed=3, slots=24)
    monkeypatch.setenv(SWITCH, "interpret")
    solution = solve(scenario)
    assert solution.settings["projection"] == "interpret"
    assert solution.status == "solved" and certify(scenario, solution).gap <= 1e-3
