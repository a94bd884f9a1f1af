"""A run of the consensus variant: nodes, graph, iteration, what came of it."""

import dataclasses
import math
import warnings
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.coordination.consensus import begin_nodes, links_of, programs
from macjax.coordination.contraction import Contraction
from macjax.coordination.graph import Averaging, averaging
from macjax.coordination.population import populate
from macjax.coordination.problem import PriceProblem
from macjax.coordination.takers import PriceTakers

NOT_AFFINE = (
    "marginal cost is not affine: the mean of the nodes' marginal costs is not the "
    "marginal cost of the whole demand, so even with exact averaging the nodes agree "
    "on another price than the central iteration; history.marginal_gap says how far "
    "apart the two are"
)


class ConsensusWarning(UserWarning):
    """The consensus variant and the central iteration have different fixed points."""


@dataclasses.dataclass(frozen=True, eq=False)
class Agreement:
    """What the nodes of a consensus run ended with.

    Arguments:
        price: of each node, (nodes, T) [currency/kWh].
        charging: of one EV of each node, (nodes, T) [kW].
        multiplier: A of each node, (nodes,) [currency/kWh].
        taker_class: class of the EVs of each node.
        rounds: R, how many rounds of averaging an iteration has; `inf` for exact
            averaging.
        averaging: the graph and its weights; `.shrink` is sigma.
    """

    price: np.ndarray
    charging: np.ndarray
    multiplier: np.ndarray
    taker_class: np.ndarray
    rounds: float
    averaging: Averaging

    def by_class(self, values: np.ndarray, classes: int) -> np.ndarray:
        """Mean over the nodes of each class, (classes, ...).

        Arguments:
            values: one row a node, (nodes, ...), such as `price`.
            classes: how many classes there are.
        """
        total = np.zeros((classes, *values.shape[1:]))
        np.add.at(total, self.taker_class, values)
        share = np.bincount(self.taker_class, minlength=classes)
        return total / share.reshape(-1, *[1] * (values.ndim - 1))

    def polished(self, problem, price: np.ndarray, multiplier: np.ndarray):
        """The same with all nodes at one price, and multipliers by class there.

        Arguments:
            problem: `PriceProblem` of the run.
            price: of all nodes, shape (T,) [currency/kWh].
            multiplier: A, shape (classes,) [currency/kWh].
        """
        charging = problem.charging_at(price, multiplier)
        return dataclasses.replace(
            self,
            price=np.broadcast_to(price, self.price.shape),
            charging=charging[self.taker_class],
            multiplier=multiplier[self.taker_class],
        )


def check_rounds(rounds) -> float:
    """R as a number, `inf` for exact averaging."""
    if rounds is None or rounds == math.inf:
        return math.inf
    whole = isinstance(rounds, int | np.integer) and not isinstance(rounds, bool)
    if not whole or rounds < 1:
        raise SettingsError(
            "rounds must be a whole number of at least 1, or None for exact averaging, "
            f"not {rounds!r}"
        )
    return int(rounds)


def nodes_of(takers: PriceTakers, graph, degree: int, seed: int):
    """Graph, the takers of its nodes, and the class of each.

    A graph with a node for each class lets a node speak for the EVs of its class; any
    other has a node for each EV, class by class.
    """
    classes, evs = takers.classes, takers.evs
    whole = bool(np.all(takers.count == np.floor(takers.count)))
    if isinstance(graph, str) and not whole:
        raise SettingsError(
            f"graph={graph!r} has a node for each EV, but count is not whole; give a "
            f"graph of {classes} nodes, one a class"
        )
    accepted = (classes, int(evs)) if whole else (classes,)
    links = averaging(graph, accepted, degree, seed)
    if links.nodes == classes:
        return links, takers, np.arange(classes)
    each = np.repeat(np.arange(classes), takers.count.astype(np.int64))
    names = [f.name for f in dataclasses.fields(takers) if f.name != "cells"]
    parts: dict[str, Any] = {name: getattr(takers, name) for name in names}
    parts = {name: v if v is None else v[each] for name, v in parts.items()}
    parts["count"] = np.ones(len(each))
    return links, PriceTakers(**parts), each


def node_contraction(known: Contraction, takers: PriceTakers, automatic: bool):
    """What is known of nodes: each feels its own answer N w_n times.

    L = kappa N max_n w_n nu_n takes the place of kappa sum_n w_n nu_n.
    """
    most = float(np.max(takers.count * (0.5 / takers.curvature)))
    found = dataclasses.replace(known, answer_lipschitz=takers.classes * most)
    return dataclasses.replace(found, step=found.best_step) if automatic else found


def agree(problem: PriceProblem, market, settings, known: Contraction, graph, tell):
    """Run the nodes; market, trace, what the nodes ended with.

    Arguments:
        problem, market, settings: as in `coordinate`.
        known: of the nodes, with the step that is taken.
        graph: what `nodes_of` gives, and R.
        tell: takes a record of how it goes.

    Returns:
        (trace, extra columns of the history, Agreement, done)
    """
    links, takers, each, rounds = graph
    if not known.affine:
        warnings.warn(NOT_AFFINE, ConsensusWarning, stacklevel=4)
    count = takers.classes
    hours, dtype = problem.slot_hours, settings.dtype
    people = populate(takers, problem.slots, hours, dtype, lanes=count)
    owners = type(market)(people, market.base, market.most, market.cost)
    weights = None if math.isinf(rounds) else links_of(links.weights)
    times = jnp.asarray(0 if math.isinf(rounds) else rounds, jnp.int32)
    step = jnp.asarray(known.step, jnp.float64)
    limit = jnp.asarray(settings.tolerance, jnp.float64)
    nodes = begin_nodes(owners, settings.price, settings.max_iterations + 1)
    part = max(1, settings.max_iterations // 20)
    while not nodes.done and nodes.iteration < settings.max_iterations:
        until = min(int(nodes.iteration) + part, settings.max_iterations)
        nodes = programs()["iterate"](
            owners, weights, times, step, limit, nodes, jnp.int32(until)
        )
        k = int(nodes.iteration)
        size = float(nodes.numbers[k, 0] / step)
        tell({"iteration": k, "residual": size, "step": float(step)})
    *tables, start, power = programs()["last_look"](owners, nodes)
    rows = int(nodes.iteration) + 1
    demand, objective, numbers = (np.asarray(table)[:rows] for table in tables)
    trace = {
        "price": np.asarray(nodes.mean)[:rows],
        "demand": demand,
        "objective": objective,
        "change": numbers[:, 0],
        "step": np.where(np.arange(rows) > 0, known.step, np.nan),
    }
    price, charging = np.asarray(nodes.price), np.asarray(power).T
    ended = Agreement(price, charging, np.asarray(start), each, rounds, links)
    columns = _columns(numbers, known, takers, ended, problem.slots)
    return trace, columns, ended, bool(nodes.done)


def _columns(numbers, known, takers, ended: Agreement, slots: int) -> pd.DataFrame:
    """Columns of the history that only this variant has.

    spread: ||p_n - mean||_F; spread_bound: sigma^R times that before averaging;
    error_bound: what `distance` cannot exceed, NaN where marginal cost is not affine;
    marginal_gap: mean of the nodes' marginal costs less that of the demand, 1-norm.
    """
    before, spread, pull, gap = numbers[:, 1:].T
    exact = math.isinf(ended.rounds)
    bound = before * (0.0 if exact else ended.averaging.shrink**ended.rounds)
    nu = takers.count * (0.5 / takers.curvature)
    apart = known.cost_lipschitz * float(np.linalg.norm(nu)) * bound
    # ||.||_1 <= sqrt(T) ||.||_2
    error = math.sqrt(slots) * (pull + apart)
    return pd.DataFrame(
        {
            "spread": spread,
            "spread_bound": bound,
            "error_bound": error if known.affine else np.nan,
            "marginal_gap": gap,
        }
    )


def exchange(ended: Agreement, iterations: int, slots: int) -> dict:
    """Rounds, messages and bytes of a run.

    A round is a price profile each way over every edge. Exact averaging is one sum up
    and down a spanning tree from the first node.
    """
    links = ended.averaging
    if math.isinf(ended.rounds):
        rounds, count = 2 * links.height, 2 * (links.nodes - 1)
    else:
        rounds = int(ended.rounds)
        count = rounds * 2 * links.edges
    count *= iterations
    return {
        "rounds": iterations * rounds,
        "messages": count,
        "bytes": count * slots * 8,
    }
