"""Many scenarios at once: line flows and voltages of a plan as one vmapped JAX call.

A scenario k moves the loads of the nodes to

    d_k = factor_k (nominal + xi e_k),   e_k in [-1, 1] for each node, step and source,

scales the power of the stations by a factor, and narrows the limits by gamma_k Xi. A
plan is only evaluated, not solved again. All is float64.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from macjax._errors import DataError, Fault, SettingsError, nearest
from macjax.tariffs.aggregators import Aggregators
from macjax.tariffs.case import Case, need_case
from macjax.tariffs.frames import OTHER_CASE, power_table
from macjax.tariffs.limits import (
    Weights,
    line_weights,
    margin,
    voltage_weights,
)
from macjax.tariffs.operator import Operator
from macjax.tariffs.settings import read_count, read_positive
from macjax.tariffs.solved import ACCURACY_KW, ACCURACY_SHARE
from macjax.tariffs.tables import column_faults

# Largest seed that the random numbers take
SEEDS = 2**63 - 1
# Scenarios held at once; memory grows with it.
BATCH = 256
# Error of the powers, at least, for which no excess is counted [kW]; and rounding, as a
# share of the limit of a line and in p.u.
COUNTS_KW = 1e-3
ROUNDING = 1e-9
FACTORS = ("gamma", "load_factor", "renewable_factor", "demand_factor")


class Model(NamedTuple):
    """Limits and what they depend on, lines first and nodes with a limit after them.

    Arguments:
        parts: weights of load, PV and wind at the uncertain or loaded nodes u,
            (3, limits, u).
        nominal, half: of these nodes, (3, u, T - 1).
        stations: flow or drop that the plan causes, (limits, T - 1).
        low, high: limits of flow or drop, infinite without one, (limits, 1).
        spare: Xi for gamma = 1, (limits, T - 1).
        counts: excess that counts, (limits, 1).
    """

    parts: Float[Array, "3 k u"]
    nominal: Float[Array, "3 u t"]
    half: Float[Array, "3 u t"]
    stations: Float[Array, "k t"]
    low: Float[Array, "k 1"]
    high: Float[Array, "k 1"]
    spare: Float[Array, "k t"]
    counts: Float[Array, "k 1"]


class Elements(NamedTuple):
    """What the rows of a `Model` are; arrays of shape (limits,)."""

    names: np.ndarray
    kinds: np.ndarray


def make_model(
    case: Case, power: np.ndarray, counts_kw: float = COUNTS_KW
) -> tuple[Model, Elements]:
    """The limits of a case under a plan, as NumPy arrays.

    An excess counts that errors of the powers do not explain. With M aggregators, and w
    the weights of the stations in a flow or voltage, errors e whose root of the sum of
    squares is at most counts_kw change it by

        |sum over m, y of w_y e_(m,y)| <= sqrt(M) |w| counts_kw.

    Arguments:
        case: the case.
        power: of the stations [kW], (stations, T - 1).
        counts_kw: how accurate the powers are [kW].
    """
    lines, nodes = line_weights(case), voltage_weights(case)
    grid, sub = case.grid, case.settings.grid.substation_pu
    loads = case.injections
    some = np.flatnonzero(
        (loads.nominal_kw != 0).any(axis=(0, 2)) | (loads.half_kw != 0).any(axis=(0, 2))
    )
    limit = grid.limit_kw[lines.rows]
    least = np.nan_to_num(sub - grid.max_pu[nodes.rows], nan=-np.inf)
    most = np.nan_to_num(sub - grid.min_pu[nodes.rows], nan=np.inf)
    whole = np.ones(loads.gamma.shape)
    dense = [
        np.concatenate([a[:, some].toarray(), b[:, some].toarray()])
        for a, b in zip(lines.parts, nodes.parts, strict=True)
    ]
    rounding = np.append(ROUNDING * limit, np.full(len(nodes.rows), ROUNDING))
    length = np.sqrt(len(case.trips.aggregators)) * np.concatenate(
        [np.linalg.norm(w.stations, axis=1) for w in (lines, nodes)]
    )
    arrays: dict[str, Any] = dict(
        parts=np.array(dense),
        nominal=loads.nominal_kw[:, some, :-1],
        half=loads.half_kw[:, some, :-1],
        stations=_both(lines, nodes, power),
        low=np.concatenate([-limit, least])[:, None],
        high=np.concatenate([limit, most])[:, None],
        spare=np.concatenate([margin(case, w, whole) for w in (lines, nodes)]),
        counts=(rounding + length * counts_kw)[:, None],
    )
    model = Model(**arrays)
    names = np.concatenate([grid.lines[lines.rows], grid.nodes[nodes.rows]])
    kinds = np.repeat(["line", "node"], [len(lines.rows), len(nodes.rows)])
    return model, Elements(names, kinds.astype(object))


def _both(lines: Weights, nodes: Weights, power: np.ndarray) -> np.ndarray:
    return np.concatenate([lines.stations @ power, nodes.stations @ power])


def _excess(model: Model, scenario: Float[Array, "4"], error: Float[Array, "3 u t"]):
    """How far each limit is exceeded in each step, negative where kept, (k, t)."""
    gamma, load, renewable, demand = scenario
    factor = jnp.stack([load, renewable, renewable])[:, None, None]
    moved = factor * (model.nominal + model.half * error)
    value = demand * model.stations + jnp.einsum("sku,sut->kt", model.parts, moved)
    spare = gamma * model.spare
    return jnp.maximum(value - model.high, model.low - value) + spare


@partial(jax.jit, static_argnames="batch")
def _draws(model: Model, keys, batch: int):
    """Of each limit: draws and steps of draws with an excess, and the largest one."""
    plain = jnp.asarray([0.0, 1.0, 1.0, 1.0])

    def one(key):
        error = jax.random.uniform(
            key, model.half.shape, model.half.dtype, minval=-1.0, maxval=1.0
        )
        excess = _excess(model, plain, error)
        over = excess > model.counts
        return over.any(axis=1), over.sum(axis=1), excess.max(axis=1)

    over, steps, worst = jax.lax.map(one, keys, batch_size=batch)
    return (
        over.sum(axis=0),
        steps.sum(axis=0),
        worst.max(axis=0),
        over.any(axis=1).sum(),
    )


@jax.jit
def _scenarios(model: Model, scenarios, errors):
    """Largest excess of each limit in each scenario, (scenarios, limits)."""
    one = jax.vmap(_excess, in_axes=(None, 0, 0))
    return one(model, scenarios, errors).max(axis=2)


def sample_violations(
    case: Case,
    plan,
    draws: int = 10_000,
    seed: int = 0,
    counts_kw: float | None = None,
) -> pd.DataFrame:
    """How often a plan breaks limits when load, PV and wind fall in their boxes.

    Uniform in the whole box whatever gamma the plan was made with, independent by node,
    step and source.

    Arguments:
        case: the case.
        plan: an `Operator`, `Aggregators`, or a frame station, time, kw.
        draws: how many.
        seed: of the random numbers.
        counts_kw: error of the powers [kW]; excess that it explains (`make_model`) is
            no violation. None is the accuracy of the plan, 0.001 at least.

    Returns:
        element (line or node), kind, share (of draws with a violation), worst (excess,
        kW or p.u., 0 without one), steps (mean number of steps with one in a draw). The
        attribute `share` of the frame is that of draws with a violation anywhere.

    Raises:
        SettingsError: a number is out of range, or the plan was not solved.
        DataError: the plan does not fit the case.
    """
    need_case(case)
    read_count(draws, "draws", 1)
    read_count(seed, "seed", 0, SEEDS)
    model, elements = plan_model(case, plan, counts_kw)
    if not len(elements.names):
        none = np.zeros(0)
        return _sampled(elements, none, none, none, 0, int(draws))
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(seed), int(draws))
        over, steps, worst, any_ = _draws(model, keys, min(BATCH, int(draws)))
        over, steps, worst = (np.asarray(a) for a in (over, steps, worst))
    return _sampled(elements, over, steps, worst, int(any_), int(draws))


def _sampled(elements, over, steps, worst, any_: int, draws: int) -> pd.DataFrame:
    """The frame of `sample_violations`."""
    frame = pd.DataFrame(
        {
            "element": elements.names,
            "kind": elements.kinds,
            "share": over / draws,
            "worst": np.where(over > 0, worst, 0.0),
            "steps": steps / draws,
        }
    )
    frame.attrs["share"] = any_ / draws
    return frame


def evaluate(
    case: Case,
    plan,
    scenarios: pd.DataFrame,
    seed: int = 0,
    counts_kw: float | None = None,
) -> pd.DataFrame:
    """What a plan does to the limits in each of many scenarios, in one call.

    Arguments:
        case: the case.
        plan: as in `sample_violations`.
        scenarios: a row for each, with any of the columns `gamma` (share of the margin
            that the limits are narrowed by, 0), `load_factor`, `renewable_factor` (on
            load, and on PV and wind, 1), `demand_factor` (on the power of stations, 1)
            and `error` (`none`; `random`: a draw from the boxes; `high`: highest load
            with least PV and wind; `low`: the mirror case).
        seed: of the random numbers.
        counts_kw: as in `sample_violations`.

    Returns:
        The scenarios with line, line_kw (largest excess of a line; negative: what is to
        spare), node, node_pu (the same of voltages), broken (limits exceeded); missing
        where there is no such limit.

    Raises:
        SettingsError: a column or an error is unknown, or a value is not finite.
        DataError: the plan does not fit the case.
    """
    need_case(case)
    read_count(seed, "seed", 0, SEEDS)
    table, errors = _read_scenarios(scenarios)
    with jax.enable_x64(True):
        model, elements = plan_model(case, plan, counts_kw)
        error = _errors(errors, model.half.shape, seed)
        worst = np.zeros((len(table), 0))
        if len(elements.names):
            worst = np.asarray(_scenarios(model, table, error))
    found = scenarios.reset_index(drop=True).copy()
    for kind, names, value in (
        ("line", "line", "line_kw"),
        ("node", "node", "node_pu"),
    ):
        mine = np.flatnonzero(elements.kinds == kind)
        if len(mine):
            first = worst[:, mine].argmax(axis=1)
            found[names] = elements.names[mine][first]
            found[value] = worst[:, mine].max(axis=1)
        else:
            found[names], found[value] = None, np.nan
    found["broken"] = (worst > model.counts[:, 0]).sum(axis=1)
    return found


def _errors(words: list[str], shape: tuple, seed: int) -> np.ndarray:
    """Errors in [-1, 1] of scenarios by the words of `error`, (scenarios, 3, u, t)."""
    key = jax.random.key(seed)
    drawn = np.asarray(
        jax.random.uniform(key, (len(words), *shape), minval=-1.0, maxval=1.0)
    )
    high = np.array([1.0, -1.0, -1.0])[:, None, None]
    fixed = {"none": 0.0 * high, "high": high, "low": -high}
    rows = [
        drawn[k] if word == "random" else np.broadcast_to(fixed[word], shape)
        for k, word in enumerate(words)
    ]
    return np.array(rows).reshape(len(words), *shape)


def _read_scenarios(scenarios: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """The four numbers of each scenario, (scenarios, 4), and the words of `error`."""
    if not isinstance(scenarios, pd.DataFrame):
        kind = type(scenarios).__name__
        raise SettingsError(f"scenarios must be a pandas DataFrame, not {kind}")
    for column in scenarios.columns:
        if column not in (*FACTORS, "error"):
            hint = nearest(column, (*FACTORS, "error"))
            raise SettingsError(f"scenarios: unknown column '{column}'; {hint}")
    faults = column_faults("scenarios", scenarios, ())
    if faults:
        raise DataError(faults)
    table = np.ones((len(scenarios), len(FACTORS)))
    table[:, 0] = 0.0
    for number, name in enumerate(FACTORS):
        if name in scenarios.columns:
            table[:, number] = pd.to_numeric(scenarios[name], errors="coerce")
    if not np.isfinite(table).all():
        raise SettingsError("scenarios: values must be finite numbers")
    errors = ["none"] * len(table)
    if "error" in scenarios.columns:
        errors = scenarios["error"].astype(str).tolist()
    for word in set(errors) - {"none", "random", "high", "low"}:
        hint = nearest(word, ("none", "random", "high", "low"))
        raise SettingsError(f"scenarios: unknown error '{word}'; {hint}")
    return table, errors


def station_power(case: Case, plan) -> np.ndarray:
    """Power of the stations by step [kW] of a plan, (stations, T - 1).

    Raises:
        SettingsError: it is no plan, or has no powers.
        DataError: it does not fit the case.
    """
    if isinstance(plan, pd.DataFrame):
        return power_table(case, plan)
    if not isinstance(plan, Operator | Aggregators):
        kind = type(plan).__name__
        raise SettingsError(
            f"plan must be an Operator, Aggregators or a frame of powers, not {kind}"
        )
    if plan.powers["kw"].isna().any():
        raise SettingsError("the plan has no powers: its problem was not solved")
    power = power_table(case, plan.powers)
    steps = plan.powers["time"].nunique()
    if steps != case.intervals:
        rule = f"has {steps} times, and the case has {case.intervals} steps"
        raise DataError([Fault("powers", "time", rule)], title=OTHER_CASE)
    return power


def plan_model(case: Case, plan, counts_kw: float | None) -> tuple[Model, Elements]:
    """The model of a plan with the accuracy given, or else that of the plan."""
    power = station_power(case, plan)
    if counts_kw is not None:
        return make_model(case, power, read_positive(counts_kw, "counts_kw"))
    own = 0.0 if isinstance(plan, pd.DataFrame) else plan.accuracy_kw
    # A plan of little accuracy shall not hide what it breaks
    stated = max(ACCURACY_KW, ACCURACY_SHARE * np.abs(power).max(initial=0.0))
    return make_model(case, power, max(min(own, stated), COUNTS_KW))
