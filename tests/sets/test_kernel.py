"""The kernel for GPUs finds the shadow prices of `shadow_prices`, run as plain JAX.

All cases have one shape, 18 pieces of 4 opportunities in 48 lanes (a program and half
of one), so that each dtype is compiled once with a guess and once without.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cuda_lowering import kernels_in
from tube_oracle import KINDS, Chain, random_chain, residuals, slow_projection
from tube_solve import guesses, stacked

from macjax.sets import soc_tube_kernel, triton
from macjax.sets.clipped_lines import brackets_of, response_of
from macjax.sets.soc_tube import SocTube, near_shadow_prices, shadow_prices
from macjax.sets.soc_tube_kernel import STRIP, kernel_shadow_prices

K, S, V = 18, 4, 48
# Energies of both agree to so many roundings of the vehicle's size; measured 0.6.
ROUNDINGS = 8


def search(kernel, lines, tube, guess):
    """Shadow prices by the kernel, or by XLA."""
    if kernel:
        return kernel_shadow_prices(lines, tube, guess, interpret=True)
    return shadow_prices(response_of(*lines), tube, *brackets_of(*lines), guess)[0]


compiled = jax.jit(search, static_argnums=0)


def case(kind, lanes, seed, dtype):
    """Lines and tube of lanes with three vehicles, or two and padding."""
    parts = 3 if lanes == "many" else 2
    chains = [random_chain(kind, seed + i, 6, S, V)[0] for i in range(parts)]
    columns, last = stacked(chains, K - 6 * parts)
    center, gain, _, most, lower, upper = (x.astype(dtype) for x in columns)
    return (center, gain, most), SocTube(lower, upper, last)


def energy_of(lines, price):
    center, gain, limit = (np.asarray(part, np.float64) for part in lines)
    return np.clip(center + np.asarray(price, np.float64)[:, None] * gain, 0, limit)


def size_of(lines, tube):
    """Size of the numbers of each lane (v,)."""
    center, _, limit = lines
    bounds = [np.where(np.isfinite(b), np.abs(b), 0) for b in (tube.lower, tube.upper)]
    size = np.abs(center).max((0, 1)) + limit.max((0, 1))
    return size.astype(np.float64) + bounds[0].max(0) + bounds[1].max(0) + 1e-30


def roundings(lines, tube, right, found):
    """How far the energies of two answers are apart, at most."""
    apart = np.abs(energy_of(lines, right) - energy_of(lines, found)).max((0, 1))
    return (apart / (np.finfo(found.dtype).eps * size_of(lines, tube))).max()


def assert_same(lines, tube, guess, dtype, name=""):
    """The kernel and XLA agree to roundings; gives the prices of both."""
    right = compiled(False, lines, tube, guess)
    found = np.asarray(compiled(True, lines, tube, guess))
    assert found.dtype == dtype
    assert roundings(lines, tube, right, found) <= ROUNDINGS, name
    return np.asarray(right), found


@pytest.mark.parametrize(
    ("lanes", "dtype"), [("many", np.float64), ("padded", np.float32)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_the_prices_are_those_without_the_kernel(kind, lanes, dtype):
    lines, tube = case(kind, lanes, 200, dtype)
    right, found = assert_same(lines, tube, None, dtype)
    padding = ~(lines[2] > 0).any((0, 1))
    assert np.all(found[:, padding] == 0)
    some = guesses(Chain(*lines, *[None] * 4), right, 0)
    for name in ("right", "nearly right", "rounded", "opposite", "far out", "infinite"):
        guess = np.ascontiguousarray(some[name], dtype)
        assert_same(lines, tube, guess, dtype, name)


@pytest.mark.parametrize("kind", KINDS)
def test_optimality_conditions_and_dynamic_programming(kind):
    chain, _ = random_chain(kind, 210, K, S, V)
    tube = SocTube(chain.lower, chain.upper, stacked([chain])[1])
    lines = chain.center, chain.gain, chain.most
    for guess in (None, chain.center[:, 0]):
        shadow = np.asarray(compiled(True, lines, tube, guess))
        u = energy_of(lines, shadow)
        assert residuals(chain, u, shadow).worst(chain.rounding()) < 4e-15
        error = np.abs(u - slow_projection(chain)).max((0, 1))
        assert np.all(error <= 4e-15 * chain.rounding())


def test_lanes_without_opportunities_and_empty_tubes():
    """Prices are 0 where nothing can be charged; best effort where it is too little."""
    lines, tube = case("plain", "many", 220, np.float64)
    center, gain, most = lines
    lower, upper = tube.lower.copy(), tube.upper.copy()
    most[..., 0] = 0.0
    most[6:12, :, 1] = 0.0
    lower[2, 2], upper[:6, 2] = 1e6, np.inf
    lower[:6, 3], upper[3, 3] = -np.inf, -2.0
    lower[3, 4], upper[3, 4] = 9.0, 1.0
    broken = SocTube(lower, upper, tube.last)
    for guess in (None, np.zeros((K, V)), np.ones((K, V))):
        _, found = assert_same((center, gain, most), broken, guess, np.float64)
        assert np.all(np.isfinite(found))
        u = energy_of((center, gain, most), found)
        np.testing.assert_array_equal(u[:3, :, 2], most[:3, :, 2])


@pytest.mark.parametrize("where", ["center", "lower", "guess"])
def test_not_a_number_stays_in_its_lane(where):
    lines, tube = case("tight", "many", 230, np.float64)
    guess = np.zeros((K, V))
    alone = np.asarray(compiled(True, lines, tube, guess))
    parts = {"center": lines[0][:, 0], "lower": tube.lower, "guess": guess}
    parts[where][3, 9] = np.nan
    found = np.asarray(compiled(True, lines, tube, guess))
    others = np.arange(V) != 9
    np.testing.assert_array_equal(found[:, others], alone[:, others])


def test_what_lanes_that_are_done_would_read_does_not_matter(monkeypatch):
    """On a GPU a masked load gives anything, here the worst: the answer is the same."""
    lines, tube = case("tight", "padded", 240, np.float32)
    guess = np.random.default_rng(0).normal(0, 1, (K, V)).astype(np.float32)
    right = compiled(True, lines, tube, guess)
    load = triton.load

    def poisoned(ref, mask):
        row = load(ref, mask)
        kind = jnp.issubdtype(row.dtype, jnp.floating)
        worst = jnp.asarray(jnp.nan if kind else -1).astype(row.dtype)
        return jnp.where(mask, row, worst)

    monkeypatch.setattr(triton, "load", poisoned)
    run = functools.partial(kernel_shadow_prices, strip=64, interpret=True)
    found = jax.jit(run)(lines, tube, guess)
    np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize("guessed", [False, True])
@pytest.mark.parametrize(
    ("dtype", "slots", "wide"),
    [(np.float32, 8, True), (np.float32, 32, False), (np.float64, 2, True)],
)
def test_it_compiles_to_triton_for_cuda(dtype, slots, wide, guessed):
    """As far as that goes without a GPU: every primitive has its Triton operation."""

    def row(*shape, kind=dtype):
        return jax.ShapeDtypeStruct(shape, kind)

    with jax.enable_x64(wide):
        lines = tuple(row(16, slots, 80) for _ in range(3))
        tube = SocTube(row(16, 80), row(16, 80), row(16, 80, kind=bool))
        guess = row(16, 80) if guessed else None
        traced = jax.jit(kernel_shadow_prices).trace(lines, tube, guess)
        assert kernels_in(traced) == 1


def test_a_strip_is_whole_warps():
    assert STRIP % triton.WARP == 0
    lines, tube = case("plain", "many", 250, np.float64)
    with pytest.raises(ValueError, match="multiple of 32"):
        kernel_shadow_prices(lines, tube, strip=16, interpret=True)


@pytest.fixture
def tasks(monkeypatch):
    """What the lanes of the kernel were to do after each sweep forwards."""
    told, decide = [], soc_tube_kernel._decide

    def spy(state, *found):
        after = decide(state, *found)
        jax.debug.callback(lambda task: told.append(np.asarray(task)), after.task)
        return after

    monkeypatch.setattr(soc_tube_kernel, "_decide", spy)
    return told


def test_it_takes_the_passes_of_the_slowest_lane(tasks):
    """As many as without the kernel: Newton, halving and reach are the same."""
    run = jax.jit(functools.partial(kernel_shadow_prices, strip=64, interpret=True))
    count = jax.jit(
        lambda lines, tube: shadow_prices(
            response_of(*lines), tube, *brackets_of(*lines)
        )[1]
    )
    for kind in ("plain", "spread_gain", "prices_apart", "shifted"):
        lines, tube = case(kind, "many", 200, np.float64)
        run(lines, tube).block_until_ready()
        jax.effects_barrier()
        assert len(tasks) == int(count(lines, tube)) + 1
        tasks.clear()


def test_the_same_lanes_drop_their_guess(tasks):
    """Mending and the passes from a guess go as without the kernel."""
    lines, tube = case("plain", "many", 260, np.float64)
    right = np.asarray(compiled(False, lines, tube, None))
    rng = np.random.default_rng(0)
    guess = right.copy()
    guess[rng.integers(0, K, V), np.arange(V)] *= rng.choice([0.5, 0.9, 1.2, 3], V)
    found = kernel_shadow_prices(lines, tube, guess, strip=64, interpret=True)
    jax.effects_barrier()
    np.testing.assert_allclose(
        energy_of(lines, found), energy_of(lines, right), rtol=0, atol=1e-12
    )
    search = response_of(*lines), tube, *brackets_of(*lines)
    done = np.asarray(near_shadow_prices(*search, guess)[1])
    dropped = (np.stack(tasks) == soc_tube_kernel.ANEW).any(axis=0)[:V]
    mended = (np.stack(tasks) == soc_tube_kernel.MEND).any(axis=0)[:V]
    np.testing.assert_array_equal(dropped, ~done)
    assert dropped.any() and (mended & ~dropped).any()


@pytest.mark.gpu
@pytest.mark.parametrize("strip", [32, 64, 128])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_on_a_gpu_the_prices_are_those_without_the_kernel(dtype, strip):
    """JAX_PLATFORMS=cuda,cpu python -m pytest -n 0 -m gpu tests/sets/test_kernel.py"""
    if jax.default_backend() != "gpu":
        pytest.skip("no GPU here")
    run = jax.jit(functools.partial(kernel_shadow_prices, strip=strip))
    for kind in KINDS:
        for lanes in ("many", "padded"):
            lines, tube = case(kind, lanes, 270, dtype)
            right = np.asarray(compiled(False, lines, tube, None))
            # Products and sums are fused otherwise there: the tolerance of the search.
            assert roundings(lines, tube, right, run(lines, tube)) <= 64, kind
            for name, guess in guesses(Chain(*lines, *[None] * 4), right, 0).items():
                found = run(lines, tube, np.ascontiguousarray(guess, dtype))
                assert roundings(lines, tube, right, found) <= 64, (kind, name)
