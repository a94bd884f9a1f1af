"""Consensus on graphs: weights, exact averaging, the bounds of finite rounds."""

import math

import networkx
import numpy as np
import pytest
import scipy.sparse as sparse
from markets import HOUSEHOLD, heterogeneous, reference

import macjax
from macjax.coordination import ConsensusWarning
from macjax.coordination.graph import DENSE, Averaging, averaging, metropolis

SMALL = {"classes": 30, "count": 1, "quadratic": 0.004, "base": 150 * HOUSEHOLD}
QUICK = macjax.GenerationCost.polynomial([0.0, 0.05, 6e-5])


def small(**changes):
    return heterogeneous(**SMALL | {"cost": QUICK} | changes)


def slow_weights(graph: networkx.Graph) -> np.ndarray:
    """Metropolis weights, edge by edge."""
    nodes = list(graph.nodes)
    weights = np.zeros((len(nodes), len(nodes)))
    for i, a in enumerate(nodes):
        for j, b in enumerate(nodes):
            if graph.has_edge(a, b) and i != j:
                degrees = len(set(graph[a]) - {a}), len(set(graph[b]) - {b})
                weights[i, j] = 1 / (1 + max(degrees))
        weights[i, i] = 1 - weights[i].sum()
    return weights


@pytest.mark.parametrize(
    "graph",
    [
        networkx.cycle_graph(7),
        networkx.star_graph(6),
        networkx.barbell_graph(4, 2),
        networkx.karate_club_graph(),
        networkx.Graph([("a", "b"), ("b", "c"), ("c", "c")]),
    ],
)
def test_metropolis_weights(graph):
    links = averaging(graph, (len(graph),), 0, 0)
    weights = links.weights.toarray()
    np.testing.assert_allclose(weights, slow_weights(graph), atol=1e-15)
    np.testing.assert_allclose(weights.sum(axis=0), 1, rtol=1e-14)
    values = np.sort(np.abs(np.linalg.eigvalsh(weights)))
    assert links.shrink == pytest.approx(values[-2], rel=1e-10) and links.shrink < 1


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 12, 30])
@pytest.mark.parametrize("name", ["ring", "grid"])
def test_named_graphs_are_connected_and_what_they_say(name, count):
    links = averaging(name, (count,), 0, 0)
    assert links.nodes == count
    if name == "ring":
        assert links.edges == (0 if count == 1 else 1 if count == 2 else count)
    if name == "grid" and count == 12:
        # Three rows of four: 3 x 3 edges along, 2 x 4 across.
        assert links.edges == 17


def test_random_regular_graph_has_its_degree_and_follows_its_seed():
    one, same, other = (averaging("random_regular", (40,), 3, s) for s in (1, 1, 2))
    degree = np.diff(one.weights.indptr) - 1
    assert set(degree) == {3} and one.edges == 60
    assert (one.weights != same.weights).nnz == 0
    assert (one.weights != other.weights).nnz > 0


@pytest.mark.parametrize("name", ["ring", "grid", "random_regular"])
def test_sigma_of_larger_graphs_is_the_singular_value(name):
    links = averaging(name, (DENSE + 220,), 4, 0)
    values = np.sort(np.abs(np.linalg.eigvalsh(links.weights.toarray())))
    assert links.shrink == pytest.approx(values[-2], rel=1e-8)


def test_sigma_of_a_long_ring_is_the_closed_form():
    links = averaging("ring", (3000,), 0, 0)
    assert links.shrink == pytest.approx(
        (1 + 2 * math.cos(2 * math.pi / 3000)) / 3, abs=1e-10
    )


def test_adjacency_matrices_are_graphs_too():
    graph = networkx.random_regular_graph(3, 10, seed=0)
    matrix = networkx.to_numpy_array(graph)
    dense, thin = averaging(matrix, (10,), 0, 0), sparse.csr_array(matrix)
    thin = averaging(thin, (10,), 0, 0)
    assert (dense.weights != thin.weights).nnz == 0
    whole = metropolis(sparse.csr_array(matrix))
    assert (dense.weights != whole).nnz == 0


@pytest.mark.parametrize("rounds", [None, math.inf])
@pytest.mark.parametrize("graph", ["ring", "grid", "random_regular"])
def test_exact_averaging_is_the_central_iteration(graph, rounds):
    problem = small()
    step = macjax.coordinate(problem, graph=graph, rounds=rounds).contraction.step
    run = macjax.coordinate(problem, step=step, graph=graph, rounds=rounds)
    central = macjax.coordinate(problem, step=step)
    assert run.converged and run.iterations == central.iterations
    np.testing.assert_allclose(run.prices, central.prices, rtol=1e-12)
    np.testing.assert_array_equal(run.price, central.price)
    np.testing.assert_allclose(run.charging, central.charging, rtol=1e-9, atol=1e-11)
    charging = run.agreement.by_class(run.agreement.charging, problem.takers.classes)
    np.testing.assert_allclose(charging, central.charging, rtol=1e-9, atol=1e-11)
    assert run.objective == pytest.approx(central.objective, rel=1e-13)
    assert run.history["marginal_gap"].max() < 1e-12
    assert run.history["spread"].max() == 0


@pytest.mark.parametrize("graph", ["ring", "grid", "random_regular"])
@pytest.mark.parametrize("rounds", [1, 3, 10])
def test_finite_rounds_keep_their_bounds(graph, rounds):
    problem = small()
    run = macjax.coordinate(problem, graph=graph, rounds=rounds, max_iterations=300)
    history = run.history
    assert run.converged
    assert np.all(history["spread"] <= history["spread_bound"] * (1 + 1e-9) + 1e-14)
    assert np.all(history["distance"] <= history["error_bound"] * (1 + 1e-9) + 1e-12)
    spread = run.agreement.price - run.price
    assert np.linalg.norm(spread) == pytest.approx(history["spread"].iloc[-1], rel=1e-9)
    np.testing.assert_allclose(run.agreement.price.mean(axis=0), run.price, rtol=1e-12)
    # The nodes' charging costs at least what the optimum costs.
    best = macjax.coordinate(problem, tolerance=1e-10).objective
    assert run.lower_bound <= best * (1 + 1e-12) and best <= run.objective * (1 + 1e-12)


def test_more_rounds_come_nearer_as_sigma_to_their_power():
    problem, errors, bounds = small(), [], []
    for rounds in (5, 10, 20, 40):
        run = macjax.coordinate(problem, graph="grid", rounds=rounds, tolerance=1e-9)
        errors.append(run.history["distance"].iloc[-1])
        bounds.append(run.history["error_bound"].iloc[-1])
        shrink = run.agreement.averaging.shrink
    assert np.all(np.diff(errors) < 0) and np.all(np.diff(bounds) < 0)
    fall = errors[-1] / errors[-2]
    assert fall < 3 * shrink**20


def test_a_node_for_each_ev_or_for_each_class():
    problem = heterogeneous(6, count=5, cost=QUICK, base=150 * HOUSEHOLD)
    each = macjax.coordinate(problem, graph=networkx.cycle_graph(30), rounds=60)
    spoken = macjax.coordinate(problem, graph=networkx.cycle_graph(6), rounds=60)
    central = macjax.coordinate(problem)
    assert each.agreement.price.shape == (30, 24)
    assert spoken.agreement.price.shape == (6, 24)
    np.testing.assert_array_equal(each.agreement.taker_class, np.repeat(range(6), 5))
    np.testing.assert_allclose(spoken.price, central.price, rtol=1e-6)
    np.testing.assert_allclose(each.price, central.price, rtol=0.05)
    for run in (each, spoken):
        assert run.charging.shape == (6, 24)
        served = problem.takers.count @ run.energy_kwh
        assert served == pytest.approx(run.ev_kw.sum(), rel=1e-12)


def test_identical_evs_agree_without_rounds_enough():
    run = macjax.coordinate(
        reference(count=50), graph="ring", rounds=1, initial_price=0.2
    )
    central = macjax.coordinate(
        reference(count=50), step=run.contraction.step, initial_price=0.2
    )
    assert run.iterations == central.iterations
    np.testing.assert_allclose(run.prices, central.prices, rtol=1e-12)


def test_messages_are_counted():
    problem = small()
    run = macjax.coordinate(problem, graph="ring", rounds=3)
    k = run.iterations
    assert run.messages == {
        "rounds": 3 * k,
        "messages": 3 * k * 2 * 30,
        "bytes": 3 * k * 60 * 24 * 8,
    }
    exact = macjax.coordinate(problem, graph="ring")
    # Up and down a tree of 29 edges, the farthest node 15 hops away.
    assert exact.messages["messages"] == exact.iterations * 2 * 29
    assert exact.messages["rounds"] == exact.iterations * 2 * 15


def test_a_cost_that_is_not_quadratic_warns_and_differs():
    bent = macjax.GenerationCost.polynomial([0.0, 0.05, 3e-5, 4e-8])
    problem = small(quadratic=0.01, cost=bent)
    with pytest.warns(ConsensusWarning, match="not affine"):
        run = macjax.coordinate(problem, graph="ring", max_iterations=3000)
    central = macjax.coordinate(problem, tolerance=1e-9)
    assert central.converged and run.converged
    assert run.history["marginal_gap"].iloc[-1] > 1e-4
    assert run.history["distance"].iloc[-1] > 1e-5
    assert run.history["error_bound"].isna().all()
    assert run.objective > central.objective


def test_steps_that_nodes_cannot_take_are_known_before():
    """Nodes feel their own answer N w nu times; the largest nu counts."""
    problem = small(quadratic=np.linspace(0.002, 0.02, 30))
    central = problem.contraction()
    run = macjax.coordinate(problem, graph="ring", rounds=2)
    assert run.contraction.coupling > central.coupling
    assert run.contraction.coupling == pytest.approx(1.2e-4 * 30 * 0.5 / 0.002)
    assert run.converged and run.contraction.guaranteed


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (networkx.empty_graph(30), "not connected: 30 parts of 1, 1"),
        (
            networkx.disjoint_union(networkx.cycle_graph(20), networkx.cycle_graph(10)),
            "not connected: 2 parts of 20, 10 nodes",
        ),
        (networkx.cycle_graph(29), "graph has 29 nodes, not 30"),
        (networkx.DiGraph([(0, 1)]), "directed"),
        ("rings", "did you mean 'ring'"),
        (np.triu(np.ones((30, 30))), "must be symmetric"),
        (np.full((30, 30), np.nan), "must be finite"),
        (np.ones((30, 20)), "square adjacency matrix"),
        (3.5, "square adjacency matrix"),
    ],
)
def test_wrong_graphs_are_refused(graph, message):
    with pytest.raises(macjax.SettingsError, match=message):
        macjax.coordinate(small(), graph=graph, rounds=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"graph": "ring", "rounds": 0}, "rounds must be a whole number"),
        ({"graph": "ring", "rounds": 2.5}, "rounds must be a whole number"),
        ({"graph": "ring", "rounds": True}, "rounds must be a whole number"),
        ({"rounds": 2}, "give graph="),
        ({"graph": "random_regular", "degree": 0}, "degree must be at least 1"),
        ({"graph": "random_regular", "degree": 3.5}, "degree must be a whole number"),
        ({"graph": "random_regular", "degree": "a"}, "degree must be a whole number"),
        ({"graph": "random_regular", "seed": "a"}, "seed must be a whole number"),
        ({"graph": "random_regular", "seed": -1}, "seed must be at least 0"),
        ({"graph": "random_regular", "degree": 30}, "degree must be at least 1"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(macjax.SettingsError, match=message):
        macjax.coordinate(small(), **settings)


def test_counts_that_are_not_whole_have_no_node_each():
    with pytest.raises(macjax.SettingsError, match="count is not whole"):
        macjax.coordinate(small(count=2.5), graph="ring", rounds=1)


def test_one_node_alone_is_central():
    links = averaging("ring", (1,), 0, 0)
    assert isinstance(links, Averaging) and links.shrink == 0 and links.height == 0
