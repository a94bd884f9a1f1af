"""Many price coordinations side by side: one compiled program for all of them.

The runs differ in numbers, not in shapes, so that the iteration is mapped over them
(`jax.vmap`). A run that has converged stands still while the others go on.
"""

import dataclasses
import itertools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from macjax._errors import SettingsError, nearest
from macjax.coordination.coordinate import check_settings, market_of, rule_of
from macjax.coordination.ending import Ending, ending
from macjax.coordination.iteration import Trace, first_pace, move, posted, record
from macjax.coordination.population import first_start
from macjax.coordination.problem import PriceProblem
from macjax.coordination.run import history_of

OF_TAKERS = (
    "energy_kwh",
    "benefit",
    "quadratic",
    "linear",
    "limit_kw",
    "demand_quadratic",
    "demand_linear",
    "cell_price",
)
OF_PROBLEM = ("base_demand_kw",)
OF_RUN = ("step", "initial_price")
NAMES = OF_TAKERS + OF_PROBLEM + OF_RUN


@dataclasses.dataclass(frozen=True, eq=False)
class PriceSweep:
    """Results of a sweep; arrays have one row a run.

    Arguments:
        frame: a row for each run: what varies, step, iterations, converged, objective,
            lower_bound, ev_kwh, share_of_energy, largest_kw, peak_kw, price_min,
            price_max, fixed_point_residual.
        price: of the result (see `PriceRun`), (runs, T) [currency/kWh].
        ev_kw: demand of all EVs at these, (runs, T) [kW].
        energy_kwh: of one EV of each class, (runs, classes).
        multiplier: A of an EV of each class, (runs, classes).
        fixed_point: p**, (runs, T); frame.fixed_point_residual is what rounding leaves
            of ||P(p**) - p**||_1.
        history: the histories of all runs (see `PriceRun`), with a column run.
    """

    frame: pd.DataFrame
    price: np.ndarray
    ev_kw: np.ndarray
    energy_kwh: np.ndarray
    multiplier: np.ndarray
    fixed_point: np.ndarray
    history: pd.DataFrame


def sweep(
    problem: PriceProblem,
    over: Mapping,
    *,
    grid: bool = False,
    step: float | None = None,
    tolerance: float = 1e-6,
    initial_price=None,
    max_iterations: int = 1000,
    dtype=None,
) -> PriceSweep:
    """Coordinate variants of a problem, all at once.

    Arguments:
        problem: what the variants share.
        over: values by name, the first axis is the run; further axes are classes or
            slots. Names: energy_kwh, benefit, quadratic, linear, limit_kw,
            demand_quadratic, demand_linear, cell_price (of takers made from cells),
            base_demand_kw, step, initial_price. Several names vary together.
        grid: True takes all combinations of the values instead.
        step, tolerance, initial_price, max_iterations, dtype: as in `coordinate`.

    Raises:
        SettingsError: an unknown name, values of different lengths.
        DataError: values that takers or problem refuse.
    """
    cases = _cases(over, grid)
    settings, problems = [], []
    for case in cases:
        changed = _changed(problem, case)
        problems.append(changed)
        settings.append(
            check_settings(
                changed,
                case.get("step", step),
                tolerance,
                case.get("initial_price", initial_price),
                max_iterations,
                dtype,
            )
        )
    with jax.enable_x64(True):
        return _sweep(cases, problems, settings)


def _cases(over: Mapping, grid: bool) -> list[dict]:
    """What varies, run by run."""
    if not isinstance(over, Mapping) or not over:
        raise SettingsError(f"over must map names to values, not {over!r}")
    values = {}
    for name, given in over.items():
        if name not in NAMES:
            raise SettingsError(
                f"unknown name '{name}' in over: {nearest(name, NAMES)}"
            )
        if np.ndim(given) == 0:
            raise SettingsError(
                f"over['{name}'] must be a list or an array, one value a run, not "
                f"{given!r}"
            )
        # Steps may be None, the automatic one.
        values[name] = list(given) if name == "step" else list(np.asarray(given))
        if not values[name]:
            raise SettingsError(f"over['{name}'] has no values")
    if grid:
        rows = itertools.product(*values.values())
        return [dict(zip(values, row, strict=True)) for row in rows]
    lengths = {name: len(v) for name, v in values.items()}
    if len(set(lengths.values())) > 1:
        raise SettingsError(
            f"values in over must be equally many, not {lengths}; grid=True takes all "
            "combinations"
        )
    rows = zip(*values.values(), strict=True)
    return [dict(zip(values, row, strict=True)) for row in rows]


def _changed(problem: PriceProblem, case: dict) -> PriceProblem:
    """The problem of one run."""
    takers = problem.takers
    if "cell_price" in case:
        takers = takers.with_cell_price(case["cell_price"])
    parts = {k: v for k, v in case.items() if k in OF_TAKERS and k != "cell_price"}
    if parts:
        takers = dataclasses.replace(takers, **parts)
    base = {k: v for k, v in case.items() if k in OF_PROBLEM}
    if takers is problem.takers and not base:
        return problem
    return dataclasses.replace(problem, takers=takers, **base)


def _stacked(trees: list):
    """Leaves that differ stacked, the others once; and how to put them together."""
    leaves, layouts = zip(*(jax.tree.flatten(tree) for tree in trees), strict=True)
    columns = list(zip(*leaves, strict=True))
    same = [all(x is c[0] or np.array_equal(x, c[0]) for x in c) for c in columns]
    varied = [jnp.stack(c) for c, s in zip(columns, same, strict=True) if not s]
    common = [c[0] for c, s in zip(columns, same, strict=True) if s]

    def joined(varied, common):
        varied, common = iter(varied), iter(common)
        parts = [next(common) if s else next(varied) for s in same]
        return jax.tree.unflatten(layouts[0], parts)

    return varied, common, joined


def _sweep(cases, problems, settings) -> PriceSweep:
    """The runs, their fixed points and frames."""
    known = [
        p.contraction(s.step, s.price, s.tolerance)
        for p, s in zip(problems, settings, strict=True)
    ]
    rules = [rule_of(*x) for x in zip(problems, known, settings, strict=True)]
    lanes = problems[0].takers.classes
    markets = [market_of(p, settings[0].dtype, lanes) for p in problems]
    varied, common, joined = _stacked(markets)
    rules = jax.tree.map(lambda *x: jnp.stack(x), *rules)
    prices = jnp.stack([jnp.asarray(s.price, jnp.float64) for s in settings])
    rows = settings[0].max_iterations + 1
    run = jax.jit(_iterate(joined, rows))
    trace, count, done, start = run(varied, common, rules, prices)
    trace = {name: np.asarray(value) for name, value in vars(trace).items()}
    count, done, start = np.asarray(count), np.asarray(done), np.asarray(start)
    ends, histories = [], []
    for i, (problem, market) in enumerate(zip(problems, markets, strict=True)):
        own = {name: table[: count[i] + 1, i] for name, table in trace.items()}
        if settings[0].dtype != np.float64:
            market = market_of(problem, np.float64, lanes)
        end = ending(
            market, own["price"][-1], start[i], bool(done[i]), settings[0].dtype, lanes
        )
        history = history_of(problem, own, end.target.price)
        history.insert(0, "run", i)
        histories.append(history)
        ends.append(_end(problem, own, end, cases[i], bool(done[i])))
    names = ("price", "ev_kw", "energy_kwh", "multiplier", "fixed_point")
    arrays = {name: np.stack([end[name] for end in ends]) for name in names}
    frame = pd.DataFrame([end["row"] for end in ends])
    frame.index.name = "run"
    return PriceSweep(
        frame=frame, history=pd.concat(histories, ignore_index=True), **arrays
    )


def _end(problem, own, end: Ending, case, done) -> dict:
    """What one run ended with, and its row of the frame."""
    price, demand, multiplier = end.price, end.demand, end.multiplier
    charging = problem.charging_at(price, multiplier)
    takers = problem.takers
    energy = problem.slot_hours * charging.sum(axis=1, dtype=np.float64)
    wanted = float(takers.count @ takers.energy_kwh)
    served = float(takers.count @ energy)
    varied = {k: v for k, v in case.items() if np.ndim(v) == 0}
    row = {
        **varied,
        "step": float(own["step"][-1]),
        "iterations": len(own["price"]) - 1,
        "converged": done and bool(np.isfinite(price).all()),
        "objective": end.objective,
        "lower_bound": end.lower_bound,
        "ev_kwh": served,
        "share_of_energy": served / wanted if wanted else 1.0,
        "largest_kw": float(charging.max()),
        "peak_kw": float((problem.base_demand_kw + demand).max()),
        "price_min": float(price.min()),
        "price_max": float(price.max()),
        "fixed_point_residual": end.target.residual,
    }
    return {
        "row": row,
        "price": price,
        "ev_kw": demand,
        "energy_kwh": energy,
        "multiplier": multiplier,
        "fixed_point": end.target.price,
    }


def _iterate(joined, rows: int):
    """The program of all runs; tables have the iteration first, the run second."""

    def program(varied, common, rules, prices):
        def one(varied, rule, price, start, pace):
            return move(joined(varied, common), rule, price, start, pace)

        def end(varied, price, start):
            return posted(joined(varied, common), price, start)

        def body(state):
            k, price, start, pace, done, count, trace = state
            moved = jax.vmap(one)(varied, rules, price, start, pace)
            trace = record(trace, k, moved)
            stay = done[:, None]
            price = jnp.where(stay, price, moved.price)
            start = jnp.where(stay[..., None], start, moved.start)
            count = jnp.where(done, count, k + 1)
            done = done | moved.done
            # The pace of a run that has converged moves nothing any more.
            return k + 1, price, start, moved.pace, done, count, trace

        def going(state):
            return ~jnp.all(state[4]) & (state[0] < rows - 1)

        runs, slots = prices.shape
        first = jax.vmap(lambda v: first_start(joined(v, common).population))
        start = first(varied) if varied else None
        if start is None:
            alone = first_start(joined([], common).population)
            start = jnp.broadcast_to(alone[None], (runs, *alone.shape))
        table = jnp.full((rows, runs, slots), jnp.nan)
        column = jnp.full((rows, runs), jnp.nan)
        trace = Trace(table.at[0].set(prices), table, column, column, column)
        count = jnp.zeros(runs, jnp.int32)
        pace = jax.vmap(lambda step: first_pace(step, slots))(rules.step)
        done = jnp.zeros(runs, bool)
        state = (jnp.int32(0), prices, start, pace, done, count, trace)
        _, price, start, _, done, count, trace = jax.lax.while_loop(going, body, state)
        found, objective = jax.vmap(end)(varied, price, start)
        at = jnp.arange(runs)
        trace = Trace(
            trace.price,
            trace.demand.at[count, at].set(found.demand),
            trace.objective.at[count, at].set(objective),
            trace.change,
            trace.step,
        )
        return trace, count, done, found.start

    return program
