"""Decentralised coordination of charging by prices."""

import dataclasses
import math
import numbers
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.coordination.agreement import (
    agree,
    check_rounds,
    exchange,
    node_contraction,
    nodes_of,
)
from macjax.coordination.contraction import Contraction
from macjax.coordination.ending import Ending, ending
from macjax.coordination.iteration import Market, Rule, State, begin, programs
from macjax.coordination.population import first_start, populate
from macjax.coordination.problem import PriceProblem, check_step
from macjax.coordination.run import PriceRun, history_of

DTYPES = {"float32": np.float32, "float64": np.float64}
CELLS_AT_ONCE = 2e8  # EVs x slots x iterations between two looks at the run
LEAST_STEP = 2.0**-20  # of a safeguarded step where no step is guaranteed


def coordinate(
    problem: PriceProblem,
    step: float | None = None,
    *,
    tolerance: float = 1e-6,
    initial_price=None,
    max_iterations: int = 1000,
    dtype=None,
    progress=None,
    graph=None,
    rounds: int | None = None,
    degree: int = 4,
    seed: int = 0,
) -> PriceRun:
    """Prices move until they reproduce themselves; the EVs only answer them.

    p+ = p + eta (c'(d + sum_n u_n(p)) - p); the fixed point p** is the social optimum
    of `PriceProblem`.

    Arguments:
        problem: EVs, other demand, cost of generation.
        step: eta in (0, 2) [1]; None takes 2 / (2 + L) where marginal cost is affine,
            and else a step that starts like that, is halved where the price went too
            far and lengthened where it keeps going short.
        tolerance: the run has converged when ||p+ - p||_1 / step is at most this
            [currency/kWh]. Its result is the answer to p** then.
        initial_price: a number, or one for each slot [currency/kWh]; None is the
            marginal cost of the base demand.
        max_iterations: number after which the run ends with `converged=False`.
        dtype: "float64" or "float32" for the EVs in the iterations; prices, sums and
            the result are float64. None is float64 on a CPU and float32 on a GPU.
        progress: True tells what is known before the run, and how it goes, on stderr; a
            callable takes a dict with iteration, residual and step.
        graph: None, or the graph over which EVs average prices of their own, without a
            coordinator: "ring", "grid", "random_regular", a networkx
            graph or an adjacency matrix, with a node for each EV (class by class) or
            one for each class. `price` is the mean of the nodes' prices then, and
            `.agreement` has what each node ended with.
        rounds: number of rounds of averaging an iteration; None averages exactly.
        degree: number of neighbours of each node of the random regular graph.
        seed: of the random regular graph.

    Raises:
        SettingsError: a setting that is not one of these.
    """
    settings = check_settings(
        problem, step, tolerance, initial_price, max_iterations, dtype
    )
    tell = _teller(progress)
    if graph is not None:
        nodes = (*nodes_of(problem.takers, graph, degree, seed), check_rounds(rounds))
        return _by_consensus(problem, settings, nodes, tell)
    if rounds is not None:
        raise SettingsError("rounds is of averaging on a graph: give graph= too")
    known = problem.contraction(step, settings.price, settings.tolerance)
    tell(str(known))
    with jax.enable_x64(True):
        market = market_of(problem, settings.dtype)
        state = _iterate(problem, market, settings, known, tell)
        return _central(problem, market, state, known, settings)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What `coordinate` was asked for; see there."""

    step: float | None
    tolerance: float
    price: np.ndarray
    max_iterations: int
    dtype: Any


def check_settings(
    problem, step, tolerance, initial_price, max_iterations, dtype
) -> Settings:
    """`Settings`, or a SettingsError that says what is accepted."""
    if not isinstance(problem, PriceProblem):
        raise SettingsError(
            f"problem must be a PriceProblem, not {type(problem).__name__}"
        )
    check_step(step)
    if not _is_number(tolerance) or not 0 < tolerance < math.inf:
        raise SettingsError(f"tolerance must be a number > 0, not {tolerance!r}")
    whole = isinstance(max_iterations, numbers.Integral)
    if not whole or isinstance(max_iterations, bool) or max_iterations < 1:
        raise SettingsError(
            "max_iterations must be a whole number of at least 1, "
            f"not {max_iterations!r}"
        )
    if dtype is None:
        dtype = "float64" if jax.default_backend() == "cpu" else "float32"
    name = getattr(dtype, "__name__", None) or str(dtype)
    if name not in DTYPES:
        raise SettingsError(f"dtype must be float32 or float64, not {dtype!r}")
    return Settings(
        step,
        float(tolerance),
        problem.first_price(initial_price),
        int(max_iterations),
        DTYPES[name],
    )


def market_of(problem: PriceProblem, dtype, lanes: int | None = None) -> Market:
    """The arrays of a problem, on the device."""
    people = populate(problem.takers, problem.slots, problem.slot_hours, dtype, lanes)
    base = problem.base_demand_kw
    most = jnp.asarray(base + problem.most_ev_kw)
    return Market(people, jnp.asarray(base), most, problem.cost)


def rule_of(problem: PriceProblem, known: Contraction, settings: Settings) -> Rule:
    """Steps and tolerance of the iteration."""
    step = least = most = known.step
    if settings.step is None and not known.affine:
        with jax.enable_x64(True):
            bend = np.asarray(problem.cost.curvature(problem.base_demand_kw))
        step = 2 / (2 + float(bend.max()) * known.answer_lipschitz)
        least, most = max(min(step, known.best_step), LEAST_STEP), 1.0
        step = max(step, least)
    values = (step, least, most, settings.tolerance)
    return Rule(*(jnp.asarray(x, jnp.float64) for x in values))


def _iterate(problem, market, settings, known, tell) -> State:
    """The iteration, in parts short enough to tell how it goes and to be stopped."""
    rule = rule_of(problem, known, settings)
    rows = settings.max_iterations + 1
    state = begin(market.population, settings.price, rule, rows)
    cells = problem.takers.classes * problem.slots
    part = max(1, min(settings.max_iterations, int(CELLS_AT_ONCE / cells)))
    while not state.done and state.iteration < settings.max_iterations:
        until = min(int(state.iteration) + part, settings.max_iterations)
        state = programs()["iterate"](market, rule, state, np.int32(until))
        k = int(state.iteration)
        size = float(state.trace.change[k] / state.trace.step[k])
        tell({"iteration": k, "residual": size, "step": float(state.pace.step)})
    return state


def _central(problem, market, state, known, settings) -> PriceRun:
    """The run from the state in which it ended."""
    trace = programs()["last_row"](market, state)
    rows = int(state.iteration) + 1
    trace = {k: np.asarray(v)[:rows] for k, v in vars(trace).items()}
    price, done = trace["price"][-1], bool(state.done)
    if settings.dtype != np.float64:
        market = market_of(problem, np.float64)
    end = ending(
        market, price, state.start, done, settings.dtype, problem.takers.classes
    )
    count = (rows - 1) * 2 * problem.takers.evs
    # Each EV gets the price and sends its charging, once an iteration.
    messages = {
        "rounds": rows - 1,
        "messages": int(count),
        "bytes": int(count * problem.slots * 8),
    }
    return _run(problem, trace, end, known, settings, done, messages)


def _by_consensus(problem, settings, nodes, tell) -> PriceRun:
    """The run of the consensus variant.

    Arguments:
        problem, settings, tell: as in `coordinate`.
        nodes: graph, takers of the nodes, class of each, rounds.
    """
    central = problem.contraction(settings.step, settings.price, settings.tolerance)
    known = node_contraction(central, nodes[1], settings.step is None)
    tell(str(known))
    with jax.enable_x64(True):
        market = market_of(problem, settings.dtype)
        trace, columns, ended, done = agree(
            problem, market, settings, known, nodes, tell
        )
        if settings.dtype != np.float64:
            market = market_of(problem, np.float64)
        agreed = done and math.isinf(nodes[3]) and central.affine
        last, begin_at = trace["price"][-1], first_start(market.population)
        classes = problem.takers.classes
        end = ending(market, last, begin_at, agreed, settings.dtype, classes)
        if agreed and end.target.is_exact:
            ended = ended.polished(problem, end.price, end.multiplier)
        else:
            end = _of_nodes(problem, market, end, ended, nodes[1])
    messages = exchange(ended, len(trace["price"]) - 1, problem.slots)
    run = _run(problem, trace, end, known, settings, done, messages)
    history = pd.concat([run.history, columns], axis=1)
    return dataclasses.replace(run, history=history, agreement=ended)


def _of_nodes(problem, market, end: Ending, ended, owners) -> Ending:
    """The ending with what the nodes do, who answer prices of their own."""
    charging = ended.charging.astype(np.float64)
    demand = owners.count @ charging
    bound = programs()["bound_of_demand"](
        market, jnp.asarray(demand), first_start(market.population)
    )
    return end._replace(
        multiplier=ended.by_class(ended.multiplier, problem.takers.classes),
        demand=demand,
        objective=dataclasses.replace(problem, takers=owners).social_cost(charging),
        lower_bound=float(bound),
    )


def _run(problem, trace, end: Ending, known, settings, converged, messages) -> PriceRun:
    """A run from its parts."""
    return PriceRun(
        problem=problem,
        price=end.price,
        multiplier=end.multiplier,
        ev_kw=end.demand,
        objective=end.objective,
        lower_bound=end.lower_bound,
        iterations=len(trace["price"]) - 1,
        converged=converged and bool(np.isfinite(end.price).all()),
        fixed_point=end.target.price,
        fixed_point_residual=end.target.residual,
        prices=trace["price"],
        demands=trace["demand"],
        history=history_of(problem, trace, end.target.price),
        contraction=known,
        automatic=settings.step is None,
        messages=messages,
        dtype=np.dtype(settings.dtype).name,
    )


def _teller(progress):
    """A function that tells a line or a record: to stderr, a callable, or nobody."""
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise SettingsError(
            f"progress must be True, False, None or a callable, not {progress!r}"
        )

    def tell(what):
        if callable(progress) and isinstance(what, dict):
            progress(what)
        elif progress is True:
            if isinstance(what, dict):
                what = "iteration {iteration}: residual {residual:.3g}".format(**what)
            print(what, file=sys.stderr, flush=True)

    return tell


def _is_number(value) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
