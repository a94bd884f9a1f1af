"""The search for shadow prices of `soc_tube` as one kernel for GPUs.

In `soc_tube` all lanes make a pass together, and each step of a scan is a launch. Here
a program holds a strip of lanes and makes all passes of its own; lanes that are done
neither read nor write any more. A pass is two sweeps over the rows (`tube_sweeps`) in
place of four scans, of the same formulas (`tube_rows`).

A lane goes on from its guess for a few passes. Where a cut turns out wrong, its next
sweep backwards mends it; what is not done then starts anew, without waiting for others.
"""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jaxtyping import Array, Float

from macjax.sets import triton
from macjax.sets.clipped_lines import brackets_of
from macjax.sets.soc_tube import (
    GUESS_PASSES,
    MAX_PASSES,
    SocTube,
    lane_bracket,
    with_margin,
)
from macjax.sets.tube_sweeps import (
    ANEW,
    DONE,
    MEND,
    NARROW,
    START,
    Lanes,
    Strip,
    backwards,
    begin,
    forwards,
)

STRIP = 32  # lanes of a program; few, as they wait for the slowest of them


def kernel_shadow_prices(
    lines: tuple[Array, Array, Array],
    tube: SocTube,
    guess: Float[Array, "k v"] | None = None,
    strip: int | None = None,
    interpret: bool = False,
) -> Float[Array, "k v"]:
    """Shadow prices of clipped lines in a tube, as `soc_tube.shadow_prices` has them.

    Newton sums run from the other end than there, so that prices differ by roundings.

    Arguments:
        lines: center, gain and limit of each opportunity, each (k, s, v).
        tube: tightened bounds.
        guess: lambda of a similar problem.
        strip: lanes of a program, a power of two; None is `STRIP`.
        interpret: run it as plain JAX, on any device, to test it.

    Returns:
        lambda (k, v) with R(lambda) inside the tube.
    """
    strip = STRIP if strip is None else strip
    tube = tube.with_ends()
    reach = with_margin(tube, *brackets_of(*lines))
    lane = lane_bracket(*reach)
    inputs = [*lines, tube.lower, tube.upper, tube.last, *reach, *lane]
    inputs += [] if guess is None else [guess]
    rows, lanes = tube.lower.shape
    prices = jax.ShapeDtypeStruct((rows, lanes), tube.lower.dtype)
    outputs = [prices] * 7 + [jax.ShapeDtypeStruct((rows, lanes), jnp.int8)]

    def spec(x):
        ahead = (0,) * (x.ndim - 1)
        return pl.BlockSpec((*x.shape[:-1], strip), lambda i: (*ahead, i))

    found = pl.pallas_call(
        functools.partial(_search, lanes=lanes, guessed=guess is not None),
        grid=(pl.cdiv(lanes, strip),),
        in_specs=[spec(x) for x in inputs],
        out_specs=[spec(x) for x in outputs],
        out_shape=outputs,
        compiler_params=triton.parameters(strip),
        interpret=interpret,
        name="shadow_prices",
    )(*inputs)
    return found[0]


def _search(*refs, lanes: int, guessed: bool) -> None:
    """The kernel: all passes of a strip."""
    inputs = refs if guessed else (*refs[:10], None, *refs[10:])
    strip = Strip(*inputs)
    width = strip.least.shape[0]
    lane = jax.lax.iota(jnp.int32, width) + pl.program_id(0) * width
    real = lane < lanes
    zero = jnp.zeros(width, jnp.int32)
    state = Lanes(
        task=jnp.where(real, START, DONE).astype(jnp.int32),
        anew=zero if guessed else zero + 1,
        passes=zero,
        least=triton.load(strip.least.at[...], real),
        most=triton.load(strip.most.at[...], real),
    )
    begin(strip, state, guessed)

    def unfinished(carry):
        return carry[0] > 0

    def one_pass(carry):
        state = carry[1]
        state = _decide(state, *forwards(strip, state))
        more = jnp.max((state.task != DONE).astype(jnp.int32))

        @pl.when(more > 0)
        def _():
            backwards(strip, state)

        return more, state

    jax.lax.while_loop(unfinished, one_pass, (jnp.int32(1), state))


def _decide(state: Lanes, is_open, is_settled, is_wrong) -> Lanes:
    """What is to be done after a sweep forwards."""
    anew, narrowed = state.anew > 0, state.doing(NARROW)
    passes = state.passes + narrowed.astype(jnp.int32)
    most = jnp.where(anew, MAX_PASSES, GUESS_PASSES)
    is_wrong = is_wrong & ~anew  # only cuts of a guess are ever mended
    goes_on = (is_open | is_wrong) & (passes < most)
    further = jnp.where(is_wrong, MEND, NARROW)
    # A guess that is not a number is neither open nor settled.
    is_done = jnp.where(anew, ~goes_on, is_settled & ~is_wrong)
    task = jnp.where(goes_on, further, ANEW)
    task = jnp.where(is_done | state.doing(DONE), DONE, task).astype(jnp.int32)
    drops = task == ANEW
    return state._replace(
        task=task,
        anew=jnp.where(drops, 1, state.anew),
        passes=jnp.where(drops, 0, passes),
    )
