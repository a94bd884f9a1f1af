"""The price iteration: reference instances, steps, optimum, bounds."""

import clarabel
import numpy as np
import pytest
import scipy.sparse as sparse
from markets import BASE, COST, heterogeneous, objective, reference, windows

import macjax
from macjax.coordination import centralised

PRINTED = [
    # Gamma, delta, omega, A, largest u, J, least and largest price, active slots
    (10, 0.03, 6.796562, 0.192206, 1.082561, 82088.2026, 0.075711, 0.095699, 10),
    (20, 0.03, 16.681910, 0.199085, 1.855495, 91883.6535, 0.077952, 0.095699, 16),
    (20, 0.10, 18.998151, 0.200370, 1.999805, 93047.1544, 0.078371, 0.095699, 17),
]
# Iterations until the price is within 1e-6 of p**, in the 1-norm.
COUNTS = {0.5: 22, 0.75: 11, 1.0: 15, 1.017: 16, 1.2: 43, 1.3: 142}


def first_below(run, distance=1e-6) -> int:
    near = np.flatnonzero(run.history["distance"] < distance)
    return int(run.history["iteration"].iloc[near[0]]) if len(near) else -1


@pytest.mark.parametrize("row", PRINTED)
@pytest.mark.parametrize("step", [0.5, 1.0, None])
def test_reference_instances_to_all_printed_digits(row, step):
    gamma, delta, omega, a, most, j, low, high, active = row
    run = macjax.coordinate(
        reference(gamma, delta), step=step, tolerance=1e-6, initial_price=0.2
    )
    assert run.converged and run.gap == pytest.approx(0, abs=1e-13)
    assert run.energy_kwh[0] == pytest.approx(omega, abs=5e-7)
    assert run.multiplier[0] == pytest.approx(a, abs=5e-7)
    assert run.charging.max() == pytest.approx(most, abs=5e-7)
    assert run.objective == pytest.approx(j, abs=5e-5)
    assert run.price.min() == pytest.approx(low, abs=5e-7)
    assert run.price.max() == pytest.approx(high, abs=5e-7)
    assert np.count_nonzero(run.charging > 0) == active
    assert run.charging.shape == (1, 24) and run.price.shape == (24,)


@pytest.mark.parametrize(("step", "count"), COUNTS.items())
def test_iterations_of_each_step(step, count):
    run = macjax.coordinate(reference(), step=step, initial_price=0.2)
    assert run.converged
    assert abs(first_below(run) - count) <= 1
    target = run.history["distance"].iloc[0]
    assert target == pytest.approx(np.abs(0.2 - run.fixed_point).sum(), rel=1e-12)


def test_the_distance_falls_all_the_time_below_the_step_of_the_source():
    known = reference().contraction(1.0)
    assert known.source_step == pytest.approx(1.016949, abs=1e-6)
    for step in (0.3, 0.75, 1.0, 1.0169):
        run = macjax.coordinate(reference(), step=step, initial_price=0.2)
        rate = reference().contraction(step).source_rate
        distance = run.history["distance"].to_numpy()
        distance = distance[distance > 1e-12]
        assert rate < 1 and np.all(distance[1:] <= rate * distance[:-1] + 1e-13)


def test_past_the_sharper_bound_it_oscillates_and_says_so():
    known = reference().contraction()
    assert known.guaranteed_step == pytest.approx(1.348315, abs=1e-6)
    assert known.best_step == pytest.approx(0.805369, abs=1e-6)
    slow = macjax.coordinate(reference(), step=1.34, initial_price=0.2)
    assert slow.converged and first_below(slow) > 400
    wild = macjax.coordinate(reference(), step=1.4, initial_price=0.2)
    assert not wild.converged and wild.iterations == 1000
    assert wild.history["residual"].iloc[-100:].min() > 1e-4
    assert "1.348" in wild.message
    # It oscillates around the same point.
    tame = macjax.coordinate(reference(), initial_price=0.2, tolerance=1e-12)
    np.testing.assert_allclose(wild.fixed_point, tame.price, atol=1e-12)


def test_bounds_on_iterations_hold():
    known = reference().contraction(1.0, initial_price=0.2)
    run = macjax.coordinate(reference(), step=1.0, initial_price=0.2)
    assert known.holds and known.source_rate == pytest.approx(0.966667, abs=1e-6)
    assert known.source_iterations(run.history["distance"].iloc[0]) == 438
    assert first_below(run) <= known.iterations <= known.source_iterations()
    assert run.history["distance"].iloc[0] <= known.distance
    best = macjax.coordinate(reference(), initial_price=0.2)
    assert first_below(best) <= best.contraction.iterations < 30
    assert "at most" in str(known) and "2 L = 0.966667" in str(known)


def test_last_row_of_the_history_is_the_last_price():
    run = macjax.coordinate(heterogeneous(20), tolerance=1e-8)
    last = run.history.iloc[-1]
    assert last["iteration"] == run.iterations == len(run.prices) - 1
    assert last["residual"] <= 1e-8 * (1 + 1e-12) < run.history["residual"].iloc[-2]
    change = np.abs(np.diff(run.prices, axis=0)).sum(axis=1)
    np.testing.assert_allclose(run.history["price_change"].iloc[1:], change, atol=1e-15)
    assert run.messages["messages"] == 2 * 20 * 25 * run.iterations
    assert run.objective == pytest.approx(
        objective(run.problem, run.charging), rel=1e-13
    )
    assert run.summary()["ev_kwh"] == pytest.approx(25 * run.energy_kwh.sum())


def test_the_result_is_the_answer_to_the_fixed_point():
    """Of a run that has converged; of any other the answer to the last price."""
    problem = heterogeneous(20)
    run = macjax.coordinate(problem, tolerance=1e-4)
    np.testing.assert_array_equal(run.price, run.fixed_point)
    assert 0 < np.abs(run.prices[-1] - run.price).sum() < 1e-4
    assert run.gap == pytest.approx(0, abs=1e-13)
    short = macjax.coordinate(problem, tolerance=1e-4, max_iterations=1)
    np.testing.assert_array_equal(short.price, short.prices[-1])
    assert not short.converged and np.any(short.price != short.fixed_point)
    for each in (run, short):
        np.testing.assert_allclose(
            each.ev_kw, problem.takers.count @ each.charging, rtol=1e-12
        )
        assert each.objective == pytest.approx(
            objective(problem, each.charging), rel=1e-13
        )


def clarabel_objective(problem) -> float:
    """J of the optimum by an interior-point solver, for quadratic costs."""
    takers, hours, slots = problem.takers, problem.slot_hours, problem.slots
    n = takers.classes * slots
    _, c1, c2 = problem.cost.coefficients
    count = np.repeat(takers.count, slots)
    # Variables: u (class by class), then x = all EVs' demand, then omega.
    a = np.repeat(takers.curvature, slots)
    quadratic = np.concatenate(
        [2 * hours * count * a, np.full(slots, 2 * hours * c2)]
        + [2 * takers.count * takers.benefit]
    )
    linear = np.concatenate(
        [hours * count * np.repeat(takers.slope, slots)]
        + [hours * (c1 + 2 * c2 * problem.base_demand_kw)]
        + [-2 * takers.count * takers.benefit * takers.energy_kwh]
    )
    each = sparse.kron(takers.count[None, :], sparse.eye_array(slots))
    total = sparse.hstack(
        [each, -sparse.eye_array(slots), sparse.csc_array((slots, takers.classes))]
    )
    ones = sparse.kron(sparse.eye_array(takers.classes), hours * np.ones((1, slots)))
    energy = sparse.hstack(
        [ones, sparse.csc_array((takers.classes, slots))]
        + [-sparse.eye_array(takers.classes)]
    )
    pad = sparse.csc_array((n, slots + takers.classes))
    low = sparse.hstack([-sparse.eye_array(n), pad])
    limit = np.repeat(takers.most_kw(hours), slots)
    if takers.available is not None:
        limit = limit * takers.available.ravel()
    blocks, right = [total, energy, low, -low], np.zeros(slots + takers.classes)
    right = np.concatenate([right, np.zeros(n), limit])
    cones = [
        clarabel.ZeroConeT(slots + takers.classes),
        clarabel.NonnegativeConeT(2 * n),
    ]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_rel = settings.tol_feas = 1e-11
    solver = clarabel.DefaultSolver(
        sparse.csc_matrix(sparse.diags_array(quadratic)),
        linear,
        sparse.csc_matrix(sparse.vstack(blocks)),
        right,
        cones,
        settings,
    )
    charging = np.array(solver.solve().x)[:n].reshape(takers.classes, slots)
    return objective(problem, np.clip(charging, 0, limit.reshape(charging.shape)))


@pytest.mark.parametrize("limited", [pytest.param(False, marks=pytest.mark.slow), True])
def test_200_classes_reach_the_optimum_of_independent_optimisers(limited):
    changes = {}
    if limited:
        changes = {"available": windows(200), "limit_kw": 3.7}
    problem = heterogeneous(200, **changes)
    run = macjax.coordinate(problem, tolerance=1e-9)
    assert run.converged
    assert run.objective == pytest.approx(clarabel_objective(problem), rel=1e-8)
    best = centralised(problem)
    assert run.objective == pytest.approx(best.objective, rel=1e-10)
    assert best.objective == pytest.approx(objective(problem, best.charging), rel=1e-12)
    np.testing.assert_allclose(run.charging, best.charging, atol=1e-4)
    np.testing.assert_allclose(run.price, best.marginal_cost, rtol=1e-7)
    assert run.lower_bound <= best.objective * (1 + 1e-14)
    assert run.lower_bound == pytest.approx(best.objective, rel=1e-12)
    if limited:
        assert np.all(run.charging <= 3.7)
        assert np.all(run.charging[~changes["available"]] == 0)
        assert np.any(run.charging == 3.7)


def test_the_lower_bound_holds_far_from_the_fixed_point():
    problem = heterogeneous(30)
    best = macjax.coordinate(problem, tolerance=1e-10).objective
    bounds = []
    for iterations in (1, 2, 4):
        run = macjax.coordinate(
            problem, step=0.3, initial_price=0.4, max_iterations=iterations
        )
        assert not run.converged
        assert run.lower_bound < best < run.objective
        bounds.append(run.lower_bound)
    assert bounds == sorted(bounds)


def test_a_class_of_many_is_many_classes_of_one():
    few = macjax.coordinate(heterogeneous(3, count=4), tolerance=1e-10)
    takers = few.problem.takers
    parts = ("energy_kwh", "benefit", "quadratic", "linear")
    many = macjax.PriceTakers(**{k: np.repeat(getattr(takers, k), 4) for k in parts})
    many = macjax.coordinate(macjax.PriceProblem(many, BASE, COST), tolerance=1e-10)
    assert many.objective == pytest.approx(few.objective, rel=1e-13)
    np.testing.assert_allclose(many.price, few.price, rtol=1e-12)
    np.testing.assert_allclose(many.charging[::4], few.charging, rtol=1e-9, atol=1e-12)


def test_slots_of_half_an_hour_are_the_same_problem():
    whole = heterogeneous(10)
    halves = macjax.PriceProblem(whole.takers, np.repeat(BASE, 2), COST, slot_hours=0.5)
    one = macjax.coordinate(whole, tolerance=1e-11)
    two = macjax.coordinate(halves, tolerance=1e-11)
    assert two.objective == pytest.approx(one.objective, rel=1e-12)
    np.testing.assert_allclose(two.energy_kwh, one.energy_kwh, rtol=1e-9)
    np.testing.assert_allclose(two.price[::2], one.price, rtol=1e-10)


def test_blocks_and_dtype_change_only_the_last_digits():
    problem = heterogeneous(5000, count=1, available=windows(5000), limit_kw=7.4)
    wide = macjax.coordinate(problem, tolerance=1e-7)
    narrow = macjax.coordinate(problem, tolerance=1e-6, dtype="float32")
    assert narrow.converged and narrow.dtype == "float32"
    assert narrow.multiplier.dtype == np.float32 and wide.dtype == "float64"
    assert narrow.objective == pytest.approx(wide.objective, rel=1e-8)
    np.testing.assert_allclose(narrow.price, wide.price, rtol=1e-6)
    np.testing.assert_allclose(narrow.charging, wide.charging, atol=2e-4)
    assert narrow.objective == pytest.approx(
        objective(problem, narrow.charging.astype(float)), rel=1e-6
    )


def test_costs_of_any_kind():
    """A cubic, the same as a function, and a piecewise marginal cost."""
    cubic = [0.0, 0.03, 1e-7, 4e-12]
    cost = macjax.GenerationCost.polynomial(cubic)
    run = macjax.coordinate(heterogeneous(40, cost=cost), tolerance=1e-9)
    assert run.converged and not run.contraction.affine and run.gap < 1e-12
    same = macjax.coordinate(
        heterogeneous(
            40, cost=lambda x: cubic[1] * x + cubic[2] * x**2 + cubic[3] * x**3
        ),
        tolerance=1e-9,
    )
    np.testing.assert_allclose(same.price, run.price, rtol=1e-9)
    best = centralised(run.problem)
    assert run.objective == pytest.approx(best.objective, rel=1e-10)
    bent = macjax.GenerationCost.piecewise([2e4, 3e4, 5e4], [0.05, 0.06, 0.16])
    run = macjax.coordinate(heterogeneous(40, cost=bent), tolerance=1e-9)
    assert run.converged and run.gap < 1e-12
    best = centralised(run.problem)
    assert run.objective == pytest.approx(best.objective, rel=1e-10)


def test_a_coupling_that_no_step_of_the_source_covers():
    """Steep costs: 2 L >> 1, and the automatic step converges all the same."""
    steep = macjax.GenerationCost.polynomial([0, 0.01, 4e-6])
    problem = heterogeneous(50, count=100, cost=steep)
    known = problem.contraction()
    assert not known.holds and known.source_step == 0 and known.coupling > 5
    run = macjax.coordinate(problem, tolerance=1e-7)
    assert run.converged and run.gap < 1e-9
    assert run.iterations <= known.iterations + 5
    wild = macjax.coordinate(problem, step=1.0, max_iterations=200)
    assert not wild.converged
    np.testing.assert_allclose(wild.fixed_point, run.fixed_point, rtol=1e-10)


def test_the_safeguarded_step_is_halved_where_it_has_to_be():
    """A kink in marginal cost above the base demand: the first step is too long."""
    kinked = macjax.GenerationCost.piecewise([2e4, 6.3e4, 8e4], [0.06, 0.07, 0.15])
    problem = heterogeneous(50, count=400, cost=kinked, benefit=0.5)
    run = macjax.coordinate(problem, tolerance=1e-8)
    steps = run.history["step"].iloc[1:]
    assert steps.iloc[-1] < steps.iloc[0]
    assert run.converged and run.gap < 1e-9


MERIT_ORDER = macjax.GenerationCost.piecewise(
    [0, 900, 1e3, 1300], [0.01, 0.02, 0.3, 0.31]
)


def drawn(seed: int) -> macjax.PriceProblem:
    """EVs beside a demand on both sides of a steep piece of a merit order."""
    rng = np.random.default_rng(seed)
    takers = macjax.PriceTakers(
        energy_kwh=rng.uniform(5, 25, 30),
        benefit=rng.uniform(0.01, 0.1, 30),
        quadratic=rng.uniform(0.002, 0.01, 30),
        linear=rng.uniform(0.05, 0.15, 30),
        count=20,
    )
    base = 1000 + 300 * np.cos(np.arange(24) / 24 * 2 * np.pi)
    return macjax.PriceProblem(takers, base, MERIT_ORDER)


@pytest.mark.parametrize("seed", range(4))
def test_the_safeguarded_step_is_lengthened_again(seed):
    """Where the steep piece is left behind; fixed steps take 142 iterations."""
    run = macjax.coordinate(drawn(seed))
    steps = run.history["step"].iloc[1:].to_numpy()
    assert np.any(np.diff(steps) > 0)
    fixed = macjax.coordinate(drawn(seed), step=0.1, initial_price=0.2)
    assert run.converged and run.iterations < 100
    np.testing.assert_allclose(run.price, fixed.fixed_point, rtol=1e-9)


STEEP = macjax.GenerationCost.polynomial([0, 0.06, 2.9e-6])
STAIRS = macjax.GenerationCost.piecewise(
    [0, 30e3, 50e3, 62e3, 70e3], [0.02, 0.05, 0.08, 0.15, 0.40]
)
FLAT = macjax.GenerationCost.polynomial([0, 0, 0, 0, 1e-16])  # c'' = 0 without demand
STEEPEST = macjax.GenerationCost.polynomial([0, 0.06, 0.1])
COSTS = {"steep": STEEP, "stairs": STAIRS, "flat": FLAT, "steepest": STEEPEST}


SLOW_COSTS = dict.fromkeys(("stairs", "flat"), pytest.mark.slow)


@pytest.mark.parametrize(
    "cost", [pytest.param(name, marks=SLOW_COSTS.get(name, ())) for name in COSTS]
)
def test_the_fixed_point_is_found_from_anywhere(cost):
    """After oscillation, after one move, from a price of the moon: the same p**."""
    takers, base = reference().takers, BASE - (BASE.min() if cost == "flat" else 0)
    problem = macjax.PriceProblem(takers, base, COSTS[cost])
    runs = [
        macjax.coordinate(problem, step=step, initial_price=price, max_iterations=n)
        for step in (1.0, 1.5, 1.9)
        for price, n in ((0.2, 1), (0.2, 100), (50.0, 2), (-5.0, 3))
    ]
    own = macjax.coordinate(problem, max_iterations=1)
    scale = np.abs(own.fixed_point).sum()
    for run in (*runs, own):
        assert run.fixed_point_residual < 1e-11 * scale
        # The residual is another's claim: the answer to p** has it.
        np.testing.assert_allclose(run.fixed_point, own.fixed_point, rtol=1e-9)
    again = macjax.coordinate(problem, initial_price=own.fixed_point, max_iterations=1)
    pull = problem.marginal_cost(base + again.demands[0]) - own.fixed_point
    assert np.abs(pull).sum() < 1e-10 * scale
    assert again.gap == pytest.approx(0, abs=1e-12)


def test_a_fixed_point_that_was_not_found_is_told(monkeypatch):
    from macjax.coordination import FixedPointWarning
    from macjax.coordination import fixed_point as search

    monkeypatch.setattr(search, "MOST_STEPS", 0)
    with pytest.warns(FixedPointWarning, match="reproduces itself only up to"):
        run = macjax.coordinate(reference(), step=1.5, max_iterations=5)
    assert run.fixed_point_residual > 1e-3


def test_messages_say_what_to_do():
    """As the step was given or not, guaranteed or not, and at the floor of rounding."""
    automatic = macjax.coordinate(drawn(0), max_iterations=3)
    assert "allow more iterations" in automatic.message
    given = macjax.coordinate(drawn(0), step=1.0, max_iterations=100)
    assert "take a step below" in given.message
    flat = macjax.GenerationCost.polynomial([0, 0, 0, 0, 1e-10])
    base = 1000 * (1 - np.cos(np.arange(24)))
    problem = macjax.PriceProblem(reference().takers, base - base.min(), flat)
    given = macjax.coordinate(problem, step=1.0, max_iterations=5)
    assert "no step is guaranteed" in given.message and " 0," not in given.message
    assert "no step" in str(given.contraction)
    exact = macjax.coordinate(reference(), tolerance=1e-25, max_iterations=60)
    assert "rounding in float64" in exact.message and "dtype" not in exact.message
    cost = macjax.GenerationCost.polynomial([0, 0.06, 1e-6])
    problem = heterogeneous(200, count=1000, cost=cost)
    coarse = macjax.coordinate(problem, dtype="float32", max_iterations=300)
    assert not coarse.converged and "dtype='float64'" in coarse.message


def test_bound_and_objective_of_float32_are_float64():
    problem = heterogeneous(200)
    best = macjax.coordinate(problem, tolerance=1e-10).objective
    for limits in ({}, {"max_iterations": 3}):
        run = macjax.coordinate(problem, dtype="float32", **limits)
        assert run.lower_bound <= best * (1 + 1e-14) <= run.objective * (1 + 2e-14)
    exact = macjax.coordinate(problem, dtype="float32").objective
    assert exact == pytest.approx(best, rel=1e-13)
    nodes = {"graph": "ring", "dtype": "float32"}
    for rounds in (None, 3):
        run = macjax.coordinate(heterogeneous(12, count=1), rounds=rounds, **nodes)
        best = macjax.coordinate(heterogeneous(12, count=1), tolerance=1e-10).objective
        assert run.lower_bound <= best * (1 + 1e-14) <= run.objective * (1 + 2e-14)


def test_dearer_cells_flatten_and_more_benefit_serves_more():
    energy = [
        macjax.coordinate(reference(benefit=d)).energy_kwh[0] for d in (0.03, 0.1, 0.5)
    ]
    assert energy == sorted(energy) and energy[-1] > 19.7
    most = [
        macjax.coordinate(reference(quadratic=a)).charging.max() for a in (0.003, 0.02)
    ]
    assert most[1] < most[0]


def test_progress_is_told(capsys):
    told = []
    macjax.coordinate(reference(), progress=told.append)
    assert told[-1]["residual"] <= 1e-6
    macjax.coordinate(reference(), progress=True)
    shown = capsys.readouterr().err
    assert "guaranteed: steps below 1.3483" in shown and "iteration" in shown


def test_a_price_below_zero_meets_the_cap():
    run = macjax.coordinate(reference(), initial_price=-1.0, max_iterations=1, step=0.1)
    first = run.history.iloc[0]
    assert first["ev_kwh"] == pytest.approx(5000 * 20)
    assert macjax.coordinate(reference(), initial_price=-1.0).converged


def test_one_slot_one_ev():
    takers = macjax.PriceTakers(energy_kwh=10, benefit=0.1, quadratic=0.01)
    cost = macjax.GenerationCost.polynomial([0, 0.1, 0.001])
    run = macjax.coordinate(macjax.PriceProblem(takers, [5.0], cost), tolerance=1e-12)
    # 0.1 + 0.002 (5 + u) + 0.02 u = 0.2 (10 - u)
    assert run.charging[0, 0] == pytest.approx((2 - 0.11) / 0.222, rel=1e-10)
