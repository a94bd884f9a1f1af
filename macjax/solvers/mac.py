"""The MAC solve: ADMM from afar, Newton on the prices near by, best of both kept.

`init -> step -> terminate`, where one step is one jitted program: a chunk of ADMM
iterations, or one proximal step. After each step the host looks at two numbers,
the objective of a feasible schedule and a lower bound, and decides what comes next.

ADMM hands over to Newton when its gap no longer falls fast. The proximal parameters of
the Newton phase grow while its inner problems are easy and shrink where they are not;
if the gap stands still the iteration goes back to ADMM for a while.
"""

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from macjax._compile import Ahead
from macjax._numerics import wide_sum
from macjax._status import Status
from macjax.fleet.blocks import like_settled, over_blocks, over_devices, settled
from macjax.fleet.operators import loads, project, weighted_squares
from macjax.fleet.packing import FleetBatch
from macjax.objectives.feeder import value
from macjax.solvers import admm, newton
from macjax.solvers.bound import dual_bound
from macjax.solvers.flow import call, select
from macjax.solvers.problem import Problem

Energy = Float[Array, "b k s v"]

CHUNK = 20  # ADMM iterations between two looks
LEAST_CHUNKS = 3  # before Newton may start
MOST_CHUNKS = 15
FALL = 0.5  # ADMM goes on while a chunk brings the gap below this share
FIRST_STRETCH = 5.0  # proximal parameter of Newton's first step over 1 / rho
PATIENCE = 12  # steps without progress before the method changes
PROGRESS = 0.9  # progress is a gap below this share of the last one
RETURNS = 4  # changes of method without progress before the run is stalled
RETRY = 0.2  # each return starts Newton with this share of the last first stretch


@jax.jit
def feasible_start(problem: Problem, energy: Energy) -> Energy:
    """The nearest schedule that serves every trip."""
    return over_devices(problem.fleet, _nearest, None, energy)[1]


def _nearest(fleet: FleetBatch, _, energy):
    def block_start(_, block, before):
        return None, project(block, before, jnp.ones_like(before), 0.0)[0]

    return over_blocks(fleet, block_start, None, energy)


@jax.jit
def evaluate(problem: Problem, energy: Energy, load, price):
    """Objective of a schedule with its load, lower bound and its prices."""
    bound, price = dual_bound(problem, price)
    squares = weighted_squares(problem.fleet, energy)
    return _objective(problem.tables, load, squares), bound, price


@jax.jit
def _objective(tables: Problem, load, squares) -> Array:
    """sum_f g_f(load) + epsilon / 2 sum w u^2 [currency]; NaN if some u is none."""
    total = wide_sum(value(tables.terms, load))
    # Chargers on no feeder leave no trace in the loads, but in the squares.
    whole = jnp.isfinite(squares)
    smoothing = tables.terms.epsilon.astype(squares.dtype) / 2 * squares
    return jnp.where(whole, total + smoothing, jnp.nan)


@jax.jit
def admm_start(problem: Problem, energy: Energy, price) -> admm.AdmmState:
    """ADMM state from a schedule and prices."""
    if problem.fleet.in_chunks:
        energy = energy.copy()  # iterations write over it
    return settled(problem.fleet, admm.begin(problem, energy, price))


@functools.partial(jax.jit, donate_argnums=1)
def admm_chunk(problem: Problem, state: admm.AdmmState, iterations):
    """Adapt the penalties, iterate, and give state, schedule and its load.

    The state that is given is written over.
    """
    fleet, adapted = problem.fleet, admm.adapt(problem, state)
    first = state.iteration == 0
    dual, rho = select(
        fleet, first, (state.dual, state.rho), (adapted.dual, adapted.rho)
    )
    state = eqx.tree_at(lambda s: (s.dual, s.rho), state, (dual, rho))
    if fleet.in_chunks:
        for _ in range(int(iterations) - 1):
            state, _, _ = admm.step(problem, state)
        return admm.step(problem, state, np.zeros_like(state.relaxed))

    def body(_, carry):
        return admm.step(problem, *carry[:2])

    start = (state, jnp.zeros_like(state.relaxed), state.load)
    return settled(fleet, jax.lax.fori_loop(0, iterations, body, start))


@jax.jit
def newton_tables(problem: Problem, rho, dual, stretch):
    """Prices, gains and damping at the start of the Newton phase."""
    gain = stretch.astype(rho.dtype) / rho
    tables = rho * dual, gain, jnp.full((), 1e-2, rho.dtype)
    return settled(problem.fleet, tables)


@jax.jit
def proximal_step(problem: Problem, state: newton.ProximalState, most_steps, factor):
    """One proximal step of the Newton phase, the last gain times a factor."""
    gain = state.gain * factor.astype(state.gain.dtype)
    damping = jnp.minimum(state.damping, 0.1)
    state = eqx.tree_at(lambda s: (s.gain, s.damping), state, (gain, damping))
    return settled(problem.fleet, newton.proximal_step(problem, state, most_steps))


def _like_new(problem: Problem, program, *args):
    """The state that a program would give: its shapes, and how it is `settled`."""
    state = jax.eval_shape(program, problem, *args)
    return like_settled(problem.fleet, state)


@dataclasses.dataclass(frozen=True)
class Look:
    """What the host sees after a step; one row of the history."""

    iteration: int
    seconds: float
    phase: str
    objective: float
    lower_bound: float
    gap: float
    best_objective: float
    best_bound: float


@dataclasses.dataclass
class Run:
    """A solve under way: the iterate, the best so far, and the record of looks.

    Arguments:
        problem: packed problem.
        unmanaged: objective of unmanaged charging, the scale of the gap [currency].
        clock: seconds since the solve began.
    """

    problem: Problem
    unmanaged: float
    clock: Callable[[], float] = time.monotonic
    phase: str = "start"
    state: Any = None
    iteration: int = 0
    energy: Any = None
    load: Any = None
    price: Any = None
    best_energy: Any = None
    best_objective: float = np.inf
    best_price: Any = None
    best_bound: float = -np.inf
    history: list[Look] = dataclasses.field(default_factory=list)
    stretch: float = FIRST_STRETCH
    factor: float = 1.0
    chunks: int = 0
    mark: float = np.inf
    waited: int = 0
    returned: int = 0
    nonfinite: bool = False
    ahead: Ahead = dataclasses.field(default_factory=Ahead)

    @property
    def gap(self) -> float:
        """Relative gap between the best objective and the best bound."""
        return self.relative(self.best_objective - self.best_bound)

    def relative(self, difference: float) -> float:
        """A difference over the scale of the gap."""
        if not np.isfinite(difference):
            return np.inf
        scale = abs(self.best_objective) + 0.01 * abs(self.unmanaged)
        if scale == 0:
            return 0.0 if difference <= 0 else np.inf
        return max(difference, 0.0) / scale

    def init(self, energy: Energy, price: Float[Array, "f t"]) -> None:
        """Start from any energies and prices; the first look is taken here."""
        self._compile_admm(energy, price)
        self.energy = self._call(feasible_start, energy)
        self.price = price
        self.load = self._call(fleet_load, self.energy)
        self.look()
        self.state = self._call(admm_start, self.energy, price)
        self.phase = "admm"

    def step(self, most_iterations: int) -> None:
        """One chunk of ADMM or one proximal step, and a look at the result."""
        if self.phase == "admm":
            self._admm(min(CHUNK, most_iterations))
        else:
            self._newton(min(newton.NEWTON_STEPS, most_iterations - 1))
        if not self.nonfinite:
            self.look()
            self._choose()

    def is_cut(self, most_iterations: int) -> bool:
        """Whether so few iterations may make the next step shorter than it would be."""
        if self.phase == "admm":
            return most_iterations < CHUNK
        return most_iterations - 1 < newton.NEWTON_STEPS

    def _admm(self, iterations: int) -> None:
        count = jnp.asarray(iterations, jnp.int32)
        if self.chunks == 1:  # it goes on, and Newton comes in sight
            self._compile_newton()
        self.energy = None  # unless it is the best, its memory is free now
        self.state, self.energy, self.load = self._call(admm_chunk, self.state, count)
        self.price = self.state.price
        self.iteration += iterations
        self.chunks += 1

    def _newton(self, most_steps: int) -> None:
        count = jnp.asarray(most_steps, jnp.int32)
        factor = jnp.asarray(self.factor)
        self.state, report = self._call(proximal_step, self.state, count, factor)
        steps, _, first, last = (float(x) for x in report)
        self.iteration += 1 + int(steps)
        self.energy, self.load = self.state.energy, self.state.load
        self.price = self.state.price
        solved = last <= newton.INNER_DROP * first
        self.factor = 1.0
        if solved:
            self.factor = 3.0 if steps <= 2 else 1.5
        elif last > 0.6 * first:
            self.factor = 0.5
        self.stretch *= self.factor

    def look(self) -> None:
        """Objective and bound of the iterate; keep the best of each."""
        objective, bound, price = self._call(
            evaluate, self.energy, self.load, self.price
        )
        objective, bound = float(objective), float(bound)
        if np.isnan(objective) or np.isnan(bound):
            self.nonfinite = True
        if objective < self.best_objective:
            self.best_objective, self.best_energy = objective, self.energy
        if bound > self.best_bound:
            self.best_bound, self.best_price = bound, price
        self.history.append(
            Look(
                iteration=self.iteration,
                seconds=self.clock(),
                phase=self.phase,
                objective=objective,
                lower_bound=bound,
                gap=self.gap,
                best_objective=self.best_objective,
                best_bound=self.best_bound,
            )
        )

    def _choose(self) -> None:
        """Which method takes the next step."""
        gap = self.gap
        if gap < np.inf and gap <= PROGRESS * self.mark:
            fast = gap <= FALL * self.mark
            self.mark, self.waited, self.returned = gap, 0, 0
        else:
            fast = False
            self.waited += 1
        if self.phase == "admm":
            enough = self.chunks >= LEAST_CHUNKS and not fast
            if enough or self.chunks >= MOST_CHUNKS:
                self._start_newton()
        elif self.waited >= PATIENCE:
            self.returned += 1
            self._return_to_admm()

    def _start_newton(self) -> None:
        self.phase, self.waited, self.factor = "newton", 0, 1.0
        state, stretch = self.state, jnp.asarray(self.stretch)
        tables = self._call(newton_tables, state.rho, state.dual, stretch)
        self.state = newton.ProximalState(self.energy, state.shadow, self.load, *tables)

    def _return_to_admm(self) -> None:
        self.phase, self.waited, self.chunks = "admm", 0, 0
        self.stretch = FIRST_STRETCH * RETRY**self.returned
        self.state = self._call(admm_start, self.best_energy, self.best_price)

    def _call(self, program, *args):
        """Call a program; for a fleet in chunks the host runs its loops."""
        if self.problem.fleet.in_chunks:
            return call(program, self.problem, *args)
        return self.ahead.call(program, self.problem, *args)

    def _compile_admm(self, energy: Energy, price) -> None:
        """Begin to compile all that comes before Newton, what takes longest first."""
        if self.problem.fleet.in_chunks:
            return
        problem, count = self.problem, jnp.asarray(CHUNK, jnp.int32)
        state = _like_new(problem, admm_start, energy, price)
        self.ahead.begin(admm_chunk, problem, state, count)
        self.ahead.begin(evaluate, problem, energy, price, price)
        self.ahead.begin(feasible_start, problem, energy)
        self.ahead.begin(admm_start, problem, energy, price)
        self.ahead.begin(fleet_load, problem, energy)

    def _compile_newton(self) -> None:
        """Begin to compile the Newton phase."""
        if self.problem.fleet.in_chunks:
            return
        problem, count = self.problem, jnp.asarray(newton.NEWTON_STEPS, jnp.int32)
        rho, stretch = self.state.rho, jnp.asarray(self.stretch)
        tables = _like_new(problem, newton_tables, rho, rho, stretch)
        state = self.energy, self.state.shadow, self.load, *tables
        state = newton.ProximalState(*state)
        factor = jnp.asarray(self.factor)
        self.ahead.begin(proximal_step, problem, state, count, factor)
        self.ahead.begin(newton_tables, problem, rho, rho, stretch)

    @property
    def stalled(self) -> bool:
        """Whether neither method brings the gap down any more."""
        return self.returned >= RETURNS

    def terminate(self, gap: float, max_iterations: int) -> Status | None:
        """How the run ends if it ends here, or None.

        solved:           gap <= the wanted gap, with the run's own bound
        nonfinite:        objective or bound is no number any more
        stalled:          RETURNS changes of method brought no progress
        iteration_limit:  iterations >= max_iterations
        """
        if self.gap <= gap:
            return Status.solved
        if self.nonfinite:
            return Status.nonfinite
        if self.stalled:
            return Status.stalled
        if self.iteration >= max_iterations:
            return Status.iteration_limit
        return None


@jax.jit
def fleet_load(problem: Problem, energy: Energy) -> Float[Array, "f t"]:
    """Load of a schedule [kW]."""
    return loads(problem.fleet, energy, problem.mass)
