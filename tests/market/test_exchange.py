"""Protocols: valid bounds and schedules in every round, and honest counts of bytes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pandas as pd
import pytest
from market_cases import nasty, small, varied

import macjax
from macjax import (
    EnergyCost,
    FeederCapacity,
    OverloadEnergy,
    PeakOverload,
    SettingsError,
    Smoothing,
    SquaredOverload,
)
from macjax.market import exchange_figure
from macjax.market.protocols import (
    WEIGHTS,
    adagrad_by_feeder,
    nearest_prices,
    supply,
)
from macjax.market.traffic import NUMBER_BYTES
from macjax.objectives import clip_prices, conjugate

ROUNDS = 40
ADMM = {}
ASCENT = {"protocol": "price_ascent"}
SGD = {"protocol": "price_ascent", "optimiser": "sgd"}
ADAM = {"protocol": "price_ascent", "optimiser": "adam", "averaging": "uniform"}
PROTOCOLS = {"admm": ADMM, "ascent": ASCENT, "sgd": SGD, "adam": ADAM}
SEEDS = (0, pytest.param(1, marks=pytest.mark.slow))
OBJECTIVES = {
    "overload": OverloadEnergy(2.0),
    "squared": PeakOverload() + SquaredOverload(0.1),
    "energy, smoothing": PeakOverload() + EnergyCost(0.2) + Smoothing(0.05),
}


@functools.cache
def run(protocol: str, seed: int = 0):
    scenario = varied(seed)
    given = PROTOCOLS[protocol]
    return scenario, macjax.exchange(scenario, rounds=ROUNDS, gap=1e-6, **given)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_round_holds_the_optimum_between_bound_and_objective(protocol, seed):
    scenario, found = run(protocol, seed)
    optimum = oracles.solve_lp(scenario).optimum
    slack = 1e-9 * (1 + optimum)
    history = found.history
    assert (history["lower_bound"] <= optimum + slack).all()
    assert (history["objective"] >= optimum - slack).all()
    assert list(history["iteration"]) == list(range(1, found.rounds + 1))
    assert (np.diff(history["best_objective"]) <= 0).all()
    assert (np.diff(history["best_bound"]) >= 0).all()
    assert (history["phase"] == found.solution.method).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_solution_is_certified_and_what_the_record_says(protocol, seed):
    scenario, found = run(protocol, seed)
    solution, last = found.solution, found.history.iloc[-1]
    certificate = macjax.certify(scenario, solution)
    assert certificate.feasible, certificate.message
    assert certificate.objective == pytest.approx(last["best_objective"], rel=1e-9)
    assert certificate.lower_bound == pytest.approx(last["best_bound"], rel=1e-6)
    assert solution.gap == certificate.gap
    expected = "solved" if last["gap"] <= 1e-6 else "iteration_limit"
    assert solution.status == expected
    found_there = macjax.equilibrium(scenario, solution)
    assert found_there.total_regret <= solution.objective - solution.lower_bound + 1e-9


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_other_objectives(name, protocol):
    scenario, objective = varied(0), OBJECTIVES[name]
    given = PROTOCOLS[protocol]
    found = macjax.exchange(scenario, objective, rounds=ROUNDS, gap=1e-6, **given)
    mac = macjax.solve(scenario, objective, gap=1e-5)
    slack = 1e-9 * (1 + abs(mac.objective))
    assert (found.history["lower_bound"] <= mac.objective + slack).all()
    assert (found.history["objective"] >= mac.lower_bound - slack).all()
    assert macjax.certify(scenario, found.solution).feasible
    first = found.history["gap"].iloc[0]
    assert found.history["gap"].iloc[-1] < 0.7 * first


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_hard_capacities_end_with_a_schedule_that_holds_them(protocol):
    scenario = macjax.synthetic.fleet(60, 24, kind="slack", seed=0)
    objective = FeederCapacity() + EnergyCost(0.1)
    given = PROTOCOLS[protocol]
    found = macjax.exchange(scenario, objective, rounds=200, gap=1e-3, **given)
    assert np.isfinite(found.solution.objective)
    assert macjax.certify(scenario, found.solution).feasible
    optimum = oracles.solve_lp(scenario, peak=0.0, energy=0.1, hard=True).optimum
    assert found.solution.lower_bound <= optimum * (1 + 1e-9)


def test_hard_capacities_that_cannot_hold_are_proved_wrong():
    scenario = macjax.synthetic.fleet(60, 24, kind="hard", seed=3)
    objective = FeederCapacity()
    found = macjax.exchange(scenario, objective, rounds=100)
    solution = found.solution
    assert solution.status == "infeasible" and solution.plan is None
    assert "No schedule keeps the hard capacities" in solution.message
    assert found.rounds < 100 and found.summary()["status"] == "infeasible"
    assert macjax.certify(scenario, solution).ray_excess_kw > 0
    ascent = macjax.exchange(scenario, objective, rounds=100, **ASCENT)
    assert ascent.solution.status == "infeasible"
    # Prices of 0 prove nothing.
    short = macjax.exchange(scenario, objective, rounds=1, **ASCENT).solution
    assert short.status == "iteration_limit"
    assert "found no schedule that holds" in short.message


def test_admm_is_the_first_phase_of_the_solver():
    """Round 20 and 40 are its looks at the end of chunks."""
    scenario, found = run("admm", 1)
    mac = macjax.solve(scenario, gap=1e-12, max_iterations=ROUNDS).history
    mac = mac[mac["phase"] == "admm"].set_index("iteration")
    ours = found.history.set_index("iteration")
    for look in set(mac.index) & set(ours.index):
        assert ours.loc[look, "objective"] == pytest.approx(mac.loc[look, "objective"])
        bound = mac.loc[look, "lower_bound"]
        assert ours.loc[look, "lower_bound"] == pytest.approx(bound, abs=1e-9)
    assert {20, 40} <= set(mac.index) & set(ours.index)


def counted(scenario) -> tuple[float, float]:
    """Messages and numbers of one round one way, by a plain loop over stays."""
    p = oracles.convert(scenario)
    weight = scenario.vehicles["weight"].to_numpy()
    owner = p.vehicle[p.state]
    on = p.cell >= 0
    feeders = {
        (v, c // scenario.slots) for v, c in zip(owner[on], p.cell[on], strict=True)
    }
    return sum(weight[v] for v, _ in feeders), float(weight[owner[on]].sum())


@pytest.mark.parametrize("seed", range(4))
def test_messages_are_counted(seed):
    scenario = nasty(seed)
    found = macjax.exchange(scenario, rounds=22, gap=1e-12)
    messages, numbers = counted(scenario)
    last = found.history.iloc[-1]
    # Down: penalties at the start and after 20 rounds too; up: the first loads.
    down, up = found.rounds + 1 + (found.rounds - 1) // 20, found.rounds + 1
    assert last["messages_down"] == pytest.approx(down * messages)
    assert last["messages_up"] == pytest.approx(up * messages)
    assert last["bytes_down"] == pytest.approx(down * NUMBER_BYTES * numbers)
    assert last["bytes_up"] == pytest.approx(up * NUMBER_BYTES * numbers)
    found = macjax.exchange(scenario, protocol="price_ascent", rounds=5, gap=1e-12)
    last, rounds = found.history.iloc[-1], found.rounds
    assert (
        last["messages_down"] == last["messages_up"] == pytest.approx(rounds * messages)
    )
    summary = found.summary()
    assert summary["messages"] == pytest.approx(2 * rounds * messages)
    sent = 2 * rounds * NUMBER_BYTES * numbers
    assert summary["megabytes"] == pytest.approx(sent / 1e6)
    each = 1e3 * summary["megabytes"] / found.vehicles
    assert summary["kilobytes_of_a_vehicle"] == pytest.approx(each)


@pytest.mark.parametrize("averaging", WEIGHTS)
def test_averages(averaging):
    """Of numbers that are known: the weights of each rule."""
    rng = np.random.default_rng(0)
    values, mean = rng.normal(size=30), 7.0
    for k, value in enumerate(values, 1):
        mean += WEIGHTS[averaging](k) * (value - mean)
    weights = {"linear": np.arange(1, 31), "uniform": np.ones(30)}
    last = np.arange(30) == 29
    expected = np.average(values, weights=weights.get(averaging, last))
    assert mean == pytest.approx(expected)


def terms_and_prices(name: str, seed: int):
    scenario = varied(0)
    kinds = OBJECTIVES | {
        "peak": PeakOverload(),
        "hard": FeederCapacity() + EnergyCost(0.3),
        "peak, overload": PeakOverload() + OverloadEnergy(0.2),
    }
    terms = kinds[name].terms(scenario, np.float64)
    rng = np.random.default_rng(seed)
    size = np.asarray(terms.kappa + terms.linear + 0.3)[:, None]
    return terms, jnp.asarray(size * rng.normal(0.2, 1.0, terms.energy.shape))


NAMES = (*OBJECTIVES, "peak", "hard", "peak, overload")


@pytest.mark.parametrize("name", NAMES)
def test_prices_go_to_the_nearest_that_the_feeder_allows(name):
    """(y - p).(z - p) <= 0 for the projection p of y and all z of the convex domain."""
    with jax.enable_x64(True):
        terms, wild = terms_and_prices(name, 0)
        active = jnp.ones(wild.shape, bool)
        near = nearest_prices(terms, wild, active)
        inside = clip_prices(terms, near)
        assert np.isfinite(conjugate(terms, inside)).all()
        np.testing.assert_allclose(inside, near, atol=1e-12)
        again = nearest_prices(terms, near, active)
        np.testing.assert_allclose(again, near, atol=1e-12)
        for seed in range(1, 6):
            other = nearest_prices(terms, terms_and_prices(name, seed)[1], active)
            product = jnp.sum((wild - near) * (other - near), axis=1)
            size = jnp.sum(jnp.abs((wild - near) * (other - near)), axis=1)
            assert (product <= 1e-9 * (1 + size)).all()


@pytest.mark.parametrize("name", NAMES)
def test_supply_is_a_gradient_of_the_conjugate(name):
    """g*(z) >= g*(p) + supply(p).(z - p) for all prices of the domain."""
    with jax.enable_x64(True):
        some = []
        for seed in range(4):
            terms, wild = terms_and_prices(name, seed)
            near = nearest_prices(terms, wild, jnp.ones(wild.shape, bool))
            some.append(clip_prices(terms, near))
        for one in some:
            gradient = supply(terms, one)
            for other in some:
                rise = conjugate(terms, other) - conjugate(terms, one)
                line = jnp.sum(gradient * (other - one), axis=1)
                size = jnp.sum(jnp.abs(gradient) * jnp.abs(other - one), axis=1)
                assert (rise >= line - 1e-9 * (1 + size)).all()


def test_an_optimiser_of_ones_own():
    import optax

    scenario = varied(0)
    given = dict(protocol="price_ascent", rounds=ROUNDS, gap=1e-6)

    def falling(count):
        return 0.3 / (1.0 + count) ** 0.5

    own = macjax.exchange(scenario, optimiser=optax.sgd(falling), **given)
    named = macjax.exchange(scenario, optimiser="sgd", step=0.3, **given)
    pd.testing.assert_series_equal(own.history["objective"], named.history["objective"])
    assert own.label == "price ascent, own optimiser"
    with pytest.raises(SettingsError, match="steps of its own"):
        macjax.exchange(scenario, optimiser=optax.sgd(0.1), step=0.1, **given)


FLEETS = {
    "easy, longer": (120, {"kind": "easy", "seed": 5, "slots": 96}),
    "easy": (200, {"kind": "easy", "seed": 1, "slots": 48}),
    "hard": (60, {"kind": "hard", "seed": 2, "slots": 48}),
    "random": (60, {"kind": "random", "seed": 3, "slots": 48}),
}
SLOW = dict.fromkeys(("easy, longer", "random"), pytest.mark.slow)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=SLOW.get(n, ())) for n in FLEETS]
)
def test_the_ascent_gets_on_without_tuning(name):
    """Prices and averages of 200 rounds, on fleets of several kinds and sizes."""
    count, given = FLEETS[name]
    scenario = macjax.synthetic.fleet(count, **given)
    optimum = macjax.solve(scenario, gap=1e-3).lower_bound
    found = macjax.exchange(scenario, protocol="price_ascent", rounds=200, gap=1e-6)
    history = found.history
    assert history["best_bound"].iloc[-1] >= 0.6 * optimum
    assert history["best_objective"].iloc[-1] <= 1.5 * optimum
    # Halfway it was not as far: more rounds bring more.
    assert history["best_bound"].iloc[-1] > history["best_bound"].iloc[99]


def test_adagrad_by_feeder_moves_every_feeder_by_its_own_size():
    """By hand: gradients 3, 4 in one slot of a feeder, nothing in the other feeder."""
    optimiser = adagrad_by_feeder(0.5)
    point = jnp.zeros((2, 2))
    state = optimiser.init(point)
    first, state = optimiser.update(jnp.array([[3.0, 0], [0, 0]]), state, point)
    np.testing.assert_allclose(first, [[-0.5, 0], [0, 0]], rtol=1e-6)
    second, _ = optimiser.update(jnp.array([[0, 4.0], [0, 0]]), state, point)
    np.testing.assert_allclose(second, [[0, -0.5 * 4 / 5], [0, 0]], rtol=1e-6)


def test_the_end():
    scenario, seen = varied(0), []
    found = macjax.exchange(scenario, rounds=400, gap=0.3, progress=seen.append)
    assert found.solution.status == "solved" and found.solution.gap <= 0.3
    assert [record["iteration"] for record in seen] == list(found.history["iteration"])
    assert found.rounds_to(0.3) == found.rounds and found.rounds_to(1e-12) is None
    found = macjax.exchange(scenario, gap=1e-12, time_limit=0)
    assert found.rounds == 1 and found.solution.status == "time_limit"
    found = macjax.exchange(small("trip_out_of_reach"), on_infeasible="drop")
    assert found.solution.dropped == ["a"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(protocol="adm"), "did you mean 'admm'"),
        (dict(protocol="price_ascent", averaging="lin"), "did you mean 'linear'"),
        (dict(protocol="price_ascent", optimiser="newton"), "optimiser must be"),
        (dict(protocol="price_ascent", step=-1.0), "step must be"),
        (dict(protocol="price_ascent", step=float("nan")), "step must be"),
        (dict(optimiser="adam"), "are of protocol='price_ascent'"),
        (dict(rounds=0), "rounds must be an integer of at least 1"),
        (dict(gap=-1), "gap must be"),
        (dict(on_infeasible="ignore"), "on_infeasible must be"),
        (dict(objective=PeakOverload), "is the class PeakOverload"),
    ],
)
def test_wrong_settings(given, message):
    with pytest.raises(SettingsError, match=message):
        macjax.exchange(varied(0), **given)


def test_wrong_scenarios():
    with pytest.raises(SettingsError, match="must be a macjax.Scenario"):
        macjax.exchange("here")
    with pytest.raises(macjax.DataError, match="cannot make its trips"):
        macjax.exchange(small("trip_out_of_reach"))


def test_the_figure():
    from matplotlib import pyplot

    runs = [run(name)[1] for name in PROTOCOLS] + [run("ascent")[1]]
    left, _ = exchange_figure(runs)
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert labels[0] == "ADMM" and labels[-1] == "price ascent, adagrad 2"
    assert len(left.get_lines()) == 5
    runs[0].plot()
    with pytest.raises(macjax.SolutionError, match="no exchange"):
        exchange_figure([])
    pyplot.close("all")
    for wrong in (3, [runs[0], None], "run"):
        with pytest.raises(SettingsError, match="takes results of macjax.exchange"):
            exchange_figure(wrong)
    _, axes = pyplot.subplots(1, 2)
    left, right = exchange_figure({"$\\foo$": runs[0]}, axes)
    left.figure.canvas.draw()
    assert "[kB]" in right.get_xlabel()
    pyplot.close("all")
