"""A first-order solver in JAX for programs too large for a factorisation.

Primal-dual hybrid gradient with reflected Halpern steps and restarts. With K = [E; G],
right-hand sides r, steps tau = step / weight and sigma = step weight, T(x, y) is

    x+ = proj( (x / tau - q - K'y) / (1 / tau + D) )        x >= 0 unless free
    y+ = proj( y + sigma (K (2 x+ - x) - r) )               y >= 0 for rows of G

and z = (x, y) moves to

    z <- (k + 1) / (k + 2) (2 T(z) - z) + 1 / (k + 2) z0,

with z0 the point of the last restart and k the steps since. A restart follows when the
fixed-point error |z - T(z)| in the metric of the method has fallen enough, and moves
the weight towards the ratio of the dual and the primal distance travelled. Rows and
columns are scaled first (Ruiz, then Pock and Chambolle), which gives |K| <= 1.

A step is two products with the sparse matrix and nothing else. It ends when, in the
natural units of the program (`Program.natural`), with f and d the primal and the dual
objective,

    |E x - e|, (G x - g)+  <= tolerance (1 + |r|)     (largest entries)
    dual residual          <= tolerance (1 + |q|)
    |f - d|                <= tolerance (1 + |f| + |d|).

References: Applegate et al., PDLP, 2021; Lu and Yang, restarted Halpern PDHG, 2024.
"""

import time
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from macjax._status import Status
from macjax.tariffs._packages import require
from macjax.tariffs.direct import Point
from macjax.tariffs.program import Program

TOLERANCE = 1e-6
MAX_ITERATIONS = 200_000
# Steps between two looks at the residuals, and between two calls from Python.
CHECK_EVERY, CHUNK = 100, 4000
STEP = 0.998
SUFFICIENT, NECESSARY, ARTIFICIAL = 0.2, 0.8, 0.36
RUIZ_ROUNDS = 10


class Data(NamedTuple):
    """The scaled program; entries of K are listed twice, by row and by column.

    Arguments:
        rows, columns, values: entries in the order of rows, shape (entries,).
        back: order of the entries by column.
        right: r, shape (m,).
        cost, curve: q and D, shape (n,).
        free: columns without a bound, (n,).
        equal: rows of E, (m,).
        row_scale, column_scale: K scaled = row_scale K column_scale.
        constant: of the objective.
    """

    rows: Int[Array, "z"]
    columns: Int[Array, "z"]
    values: Float[Array, "z"]
    back: Int[Array, "z"]
    right: Float[Array, "m"]
    cost: Float[Array, "n"]
    curve: Float[Array, "n"]
    free: Bool[Array, "n"]
    equal: Bool[Array, "m"]
    row_scale: Float[Array, "m"]
    column_scale: Float[Array, "n"]
    constant: Float[Array, ""]


class State(NamedTuple):
    """Where the method is: the point, the anchor, and what restarts look at."""

    x: Float[Array, "n"]
    y: Float[Array, "m"]
    anchor_x: Float[Array, "n"]
    anchor_y: Float[Array, "m"]
    since: Int[Array, ""]
    total: Int[Array, ""]
    weight: Float[Array, ""]
    error_start: Float[Array, ""]
    error_last: Float[Array, ""]


def solve_first_order(
    program: Program,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    progress=None,
) -> Point:
    """Solve a program with the primal-dual hybrid gradient method.

    Arguments:
        program: the program.
        tolerance: relative, of residuals and gap.
        max_iterations: steps at most.
        progress: called with (steps, largest relative residual) now and then.
    """
    began = time.perf_counter()
    with jax.enable_x64(True):
        data = jax.tree.map(jnp.asarray, scaled(program.natural()))
        state, worst = start(data), np.inf
        while int(state.total) < max_iterations and worst > tolerance:
            left = min(CHUNK, max_iterations - int(state.total))
            state, error = _advance(data, state, tolerance, left)
            worst = float(error)
            if progress is not None:
                progress(int(state.total), worst)
            if not np.isfinite(worst):
                break
        # The steps of Halpern leave the bounds a little; the map does not
        last_x, last_y = _map(data, state.x, state.y, state.weight)
        x = np.asarray(data.column_scale * last_x) * program.column_unit
        unit = np.concatenate([program.equal_unit, program.most_unit])
        y = np.asarray(data.row_scale * last_y) * program.money_unit / unit
    status = Status.solved if worst <= tolerance else Status.iteration_limit
    if not np.isfinite(worst):
        status = Status.stalled
    equal = len(program.equal_to)
    return Point(
        status=status,
        columns=x,
        equal=y[:equal],
        most=y[equal:],
        iterations=int(state.total),
        seconds=time.perf_counter() - began,
        words=str(status),
    )


def scaled(program: Program) -> Data:
    """The program with rows and columns scaled, as NumPy arrays."""
    sparse = require("scipy.sparse")
    matrix = sparse.vstack([program.equal, program.most]).tocoo()
    rows, columns, values = matrix.row, matrix.col, np.abs(matrix.data)
    m, n = matrix.shape
    row_scale, column_scale = np.ones(m), np.ones(n)
    for _ in range(RUIZ_ROUNDS):
        now = row_scale[rows] * values * column_scale[columns]
        for scale, index, size in ((row_scale, rows, m), (column_scale, columns, n)):
            largest = np.zeros(size)
            np.maximum.at(largest, index, now)
            scale /= np.sqrt(np.where(largest > 0, largest, 1.0))
    now = row_scale[rows] * values * column_scale[columns]
    for scale, index, size in ((row_scale, rows, m), (column_scale, columns, n)):
        total = np.bincount(index, now, minlength=size)
        scale /= np.sqrt(np.where(total > 0, total, 1.0))
    right = np.concatenate([program.equal_to, program.at_most])
    order = np.lexsort((columns, rows))
    rows, columns = rows[order], columns[order]
    values = row_scale[rows] * matrix.data[order] * column_scale[columns]
    arrays: dict[str, Any] = dict(
        rows=rows,
        columns=columns,
        values=values,
        back=np.lexsort((rows, columns)),
        right=row_scale * right,
        cost=column_scale * program.linear,
        curve=column_scale**2 * program.quadratic,
        free=program.free,
        equal=np.arange(m) < len(program.equal_to),
        row_scale=row_scale,
        column_scale=column_scale,
        constant=np.asarray(program.constant),
    )
    return Data(**arrays)


def start(data: Data) -> State:
    """The zero point with a weight from the sizes of costs and right-hand sides."""
    x, y = jnp.zeros_like(data.cost), jnp.zeros_like(data.right)
    ratio = jnp.linalg.norm(data.cost) / jnp.linalg.norm(data.right)
    usable = jnp.isfinite(ratio) & (ratio > 0)
    weight = jnp.where(usable, ratio, jnp.ones_like(ratio))
    none, infinite = jnp.asarray(0), jnp.asarray(jnp.inf)
    return State(x, y, x, y, none, none, weight, infinite, infinite)


def _times(data: Data, x):
    """K x."""
    products = data.values * x[data.columns]
    size = data.right.shape[0]
    return jax.ops.segment_sum(products, data.rows, size, indices_are_sorted=True)


def _times_back(data: Data, y):
    """K'y."""
    products = (data.values * y[data.rows])[data.back]
    columns, size = data.columns[data.back], data.cost.shape[0]
    return jax.ops.segment_sum(products, columns, size, indices_are_sorted=True)


def _map(data: Data, x, y, weight):
    """T(x, y), one step of the primal-dual hybrid gradient method."""
    tau, sigma = STEP / weight, STEP * weight
    new = (x / tau - data.cost - _times_back(data, y)) / (1.0 / tau + data.curve)
    new = jnp.where(data.free, new, jnp.maximum(new, 0.0))
    dual = y + sigma * (_times(data, 2.0 * new - x) - data.right)
    return new, jnp.where(data.equal, dual, jnp.maximum(dual, 0.0))


def _distance(data: Data, dx, dy, weight):
    """Length of (dx, dy) in the metric in which T does not expand."""
    square = weight / STEP * dx @ dx - 2.0 * dy @ _times(data, dx)
    return jnp.sqrt(jnp.maximum(square + dy @ dy / (weight * STEP), 0.0))


def _step(data: Data, state: State) -> State:
    """One reflected Halpern step."""
    x, y = _map(data, state.x, state.y, state.weight)
    since = state.since.astype(state.x.dtype)
    share = (since + 1.0) / (since + 2.0)
    return state._replace(
        x=share * (2.0 * x - state.x) + (1.0 - share) * state.anchor_x,
        y=share * (2.0 * y - state.y) + (1.0 - share) * state.anchor_y,
        since=state.since + 1,
        total=state.total + 1,
    )


def _maybe_restart(data: Data, state: State) -> State:
    """Restart from T(z) if the fixed-point error has fallen enough."""
    x, y = _map(data, state.x, state.y, state.weight)
    error = _distance(data, state.x - x, state.y - y, state.weight)
    begin = state.error_start
    wanted = error <= SUFFICIENT * begin
    wanted |= (error <= NECESSARY * begin) & (error > state.error_last)
    total = state.total.astype(state.x.dtype)
    wanted |= state.since.astype(state.x.dtype) >= ARTIFICIAL * total
    dx = jnp.linalg.norm(x - state.anchor_x)
    dy = jnp.linalg.norm(y - state.anchor_y)
    usable = (dx > 1e-10) & (dy > 1e-10)
    ratio = jnp.where(usable, dy, 1.0) / jnp.where(usable, dx, 1.0)
    moved = jnp.exp(0.5 * jnp.log(ratio) + 0.5 * jnp.log(state.weight))
    weight = jnp.where(usable, moved, state.weight)
    fresh_x, fresh_y = _map(data, x, y, weight)
    fresh = _distance(data, x - fresh_x, y - fresh_y, weight)
    again = State(
        x, y, x, y, jnp.zeros_like(state.since), state.total, weight, fresh, fresh
    )
    same = state._replace(
        error_last=error, error_start=jnp.where(jnp.isinf(begin), error, begin)
    )
    return jax.tree.map(lambda a, b: jnp.where(wanted, a, b), again, same)


def _relative_error(data: Data, x, y) -> Any:
    """Largest of residuals and gap by their scales, in natural units."""
    product, back = _times(data, x), _times_back(data, y)
    miss = (product - data.right) / data.row_scale
    miss = jnp.where(data.equal, jnp.abs(miss), jnp.maximum(miss, 0.0))
    reduced = (data.curve * x + data.cost + back) / data.column_scale
    dual = jnp.where(data.free, jnp.abs(reduced), jnp.maximum(-reduced, 0.0))
    square = 0.5 * data.curve @ x**2
    primal = data.constant + data.cost @ x + square
    bound = data.constant - square - data.right @ y
    right = jnp.max(jnp.abs(data.right / data.row_scale))
    cost = jnp.max(jnp.abs(data.cost / data.column_scale))
    gap = jnp.abs(primal - bound) / (1.0 + jnp.abs(primal) + jnp.abs(bound))
    residuals = jnp.maximum(miss.max() / (1.0 + right), dual.max() / (1.0 + cost))
    return jnp.maximum(residuals, gap)


@partial(jax.jit, static_argnames="steps")
def _advance(data: Data, state: State, tolerance, steps: int):
    """At most `steps` steps, fewer if the tolerance is met."""
    end = state.total + steps

    def goes_on(carry):
        now, error = carry
        return (now.total < end) & (error > tolerance) & jnp.isfinite(error)

    def some(carry):
        now, _ = carry
        now = jax.lax.fori_loop(0, CHECK_EVERY, lambda _, s: _step(data, s), now)
        now = _maybe_restart(data, now)
        return now, _relative_error(data, *_map(data, now.x, now.y, now.weight))

    first = jnp.asarray(1e300, state.x.dtype)
    return jax.lax.while_loop(goes_on, some, (state, first))
