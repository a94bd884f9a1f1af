"""Small packed problems with everything in them, and states around random schedules."""

import functools

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from macjax.fleet.packing import Fleet, pack
from macjax.objectives.compile import feeder_terms
from macjax.scenario.scenario import Scenario
from macjax.solvers import admm, newton
from macjax.solvers.mac import feasible_start, fleet_load
from macjax.solvers.problem import Problem, build_problem
from macjax.synthetic.generate import fleet_frames

SEEDS = (0, 1, 2)
VARIED = (
    ("vehicles", "weight"),
    ("trips", "energy_kwh"),
    ("feeders", "upgrade_cost_per_kw"),
    ("feeder_profile", "capacity_kw"),
)


@functools.cache
def scenario_of(seed: int) -> Scenario:
    """30 vehicles of the nasty kind: free and missing chargers, weights, cells over
    their capacity, feeders without vehicles and without cost.

    One timetable, so that little is compiled; each seed has numbers of its own.
    """
    frames = fleet_frames(30, 24, 60, 5, kind="random", seed=0)
    rng = np.random.default_rng(seed)
    for table, column in VARIED:
        frame = frames[table]
        # Trips only get shorter, so that they can still be made.
        factor = rng.uniform(0.4, 1.0, len(frame))
        frames[table] = frame.assign(**{column: frame[column] * factor})
    return Scenario.from_frames(**frames)


def packed(scenario: Scenario, objective, dtype=np.float64) -> tuple[Fleet, Problem]:
    """The scenario with an objective, as the solvers see it."""
    whole = pack(scenario, dtype=dtype)
    return whole, build_problem(whole, feeder_terms(objective, scenario), dtype)


def padded(whole: Fleet, table) -> jnp.ndarray:
    """A table (f, t) with the rows of padded feeders."""
    out = np.zeros((whole.table_feeders, whole.slots))
    out[: whole.feeders] = table
    return jnp.asarray(out)


def random_energy(problem: Problem, seed: int):
    """A random schedule that serves every trip."""
    rng = np.random.default_rng(seed)
    limit = problem.fleet.limit()
    wild = jnp.asarray(rng.uniform(-0.3, 1.3, limit.shape)) * limit
    return feasible_start(problem, wild)


def random_price(problem: Problem, seed: int) -> jnp.ndarray:
    """Prices without ties, of the size that prices have."""
    rng = np.random.default_rng(seed)
    scale = np.asarray(admm.price_scale(problem))[:, None] / problem.mass.shape[1]
    noise = rng.exponential(1.0, problem.mass.shape)
    return jnp.asarray(scale * noise) + problem.terms.energy


def proximal_state(problem: Problem, seed: int) -> newton.ProximalState:
    """A proximal point around a random schedule, at random prices."""
    energy = random_energy(problem, seed)
    return newton.ProximalState(
        energy=energy,
        shadow=no_shadow(problem),
        load=fleet_load(problem, energy),
        price=random_price(problem, seed + 100),
        gain=5.0 / admm.start_rho(problem),
        damping=jnp.asarray(1e-2),
    )


def no_shadow(problem: Problem):
    """The guess of no shadow prices."""
    return jnp.zeros_like(problem.fleet.lower)


evaluate = eqx.filter_jit(newton.evaluate)
