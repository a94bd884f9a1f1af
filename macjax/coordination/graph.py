"""Communication graphs, and averaging on them with Metropolis weights.

    W_ij = 1 / (1 + max(degree_i, degree_j)) on edges,  W_ii = 1 - sum_j W_ij

is symmetric and doubly stochastic, so that a round x -> W x keeps the mean, and R
rounds leave at most sigma^R of the deviation from it, with sigma the second largest
singular value of W; sigma < 1 where the graph is connected.

Reference: Xiao, Boyd, Kim, Journal of Parallel and Distributed Computing 67 (2007).
"""

import dataclasses
import math
import numbers
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from macjax._errors import SettingsError, nearest

NAMES = ("ring", "grid", "random_regular")
DENSE = 400  # nodes up to which all singular values are computed
LANCZOS_VECTORS = 64
LANCZOS_RESTARTS = 100


@dataclasses.dataclass(frozen=True, eq=False)
class Averaging:
    """Metropolis weights of a connected graph.

    Arguments:
        weights: W, sparse (nodes, nodes).
    """

    weights: Any

    @property
    def nodes(self) -> int:
        """How many nodes the graph has."""
        return self.weights.shape[0]

    @cached_property
    def edges(self) -> int:
        """How many edges the graph has."""
        return (self.weights.nnz - self.nodes) // 2

    @cached_property
    def height(self) -> int:
        """Largest number of edges between the first node and another."""
        hops = csgraph.shortest_path(self.weights, indices=0, unweighted=True)
        return int(hops.max())

    @cached_property
    def shrink(self) -> float:
        """sigma, the share of the deviation from the mean that a round may leave."""
        if self.nodes == 1:
            return 0.0
        count = self.nodes
        if count <= DENSE:
            values = np.linalg.eigvalsh(self.weights.toarray() - 1 / count)
            return float(np.abs(values).max())

        def apply(x):
            return self.weights @ x - np.sum(x, axis=0) / count

        deviation: Any = LinearOperator((count, count), matvec=apply, dtype=np.float64)
        start = np.random.default_rng(0).standard_normal(count)
        try:
            (value,) = eigsh(
                deviation,
                k=1,
                which="LM",
                v0=start,
                ncv=LANCZOS_VECTORS,
                maxiter=LANCZOS_RESTARTS,
                return_eigenvectors=False,
            )
            return float(abs(value))
        except ArpackNoConvergence:
            return self._shrink_by_inverse()

    def _shrink_by_inverse(self) -> float:
        """sigma of a graph with many eigenvalues near 1, which has few edges."""
        values = eigsh(
            sparse.csc_array(self.weights),
            k=2,
            sigma=1 + 1e-9,
            return_eigenvectors=False,
        )
        # Gershgorin: no eigenvalue lies below 2 min W_ii - 1.
        return float(max(values.min(), 1 - 2 * self.weights.diagonal().min()))


def averaging(graph, nodes: tuple[int, ...], degree: int, seed: int) -> Averaging:
    """Metropolis weights of a graph.

    Arguments:
        graph: "ring", "grid", "random_regular", a networkx graph, or a symmetric
            adjacency matrix, dense or sparse.
        nodes: numbers of nodes that are accepted; a named graph gets the last one.
        degree: of a random regular graph.
        seed: of a random regular graph.

    Raises:
        SettingsError: another number of nodes, a graph that is directed or in several
            parts, with how many and how large; networkx that is not there.
    """
    if isinstance(graph, str):
        adjacency = _named(graph, nodes[-1], degree, seed)
    elif hasattr(graph, "nodes") and hasattr(graph, "edges"):
        adjacency = _of_networkx(graph)
    else:
        adjacency = _of_matrix(graph)
    count = adjacency.shape[0]
    if count not in nodes:
        wanted = " (one a class) or ".join(str(n) for n in nodes)
        raise SettingsError(f"graph has {count} nodes, not {wanted} (one an EV)")
    adjacency = sparse.csr_array(adjacency)
    parts, label = csgraph.connected_components(adjacency, directed=False)
    if parts > 1:
        sizes = np.sort(np.bincount(label))[::-1][:10].tolist()
        raise SettingsError(
            f"graph is not connected: {parts} parts of {', '.join(map(str, sizes))}"
            f"{', ...' if parts > 10 else ''} nodes; no averaging reaches all of them"
        )
    return Averaging(metropolis(adjacency))


def metropolis(adjacency) -> Any:
    """W of a symmetric adjacency matrix without loops, in CSR."""
    pairs = sparse.coo_array(adjacency)
    degree = np.bincount(pairs.row, minlength=adjacency.shape[0])
    weight = 1.0 / (1 + np.maximum(degree[pairs.row], degree[pairs.col]))
    off = sparse.csr_array((weight, (pairs.row, pairs.col)), shape=adjacency.shape)
    return sparse.csr_array(off + sparse.diags_array(1 - off.sum(axis=1)))


def _named(name: str, count: int, degree: int, seed: int):
    """Adjacency of a ring, a grid or a random regular graph."""
    if name not in NAMES:
        raise SettingsError(f"unknown graph '{name}': {nearest(name, NAMES)}")
    here = np.arange(count)
    if name == "ring":
        return _of_pairs(here, (here + 1) % count, count)
    if name == "grid":
        # As square as it goes; the last row may be short.
        width = math.ceil(math.sqrt(count))
        right = here[(here % width < width - 1) & (here + 1 < count)]
        below = here[here + width < count]
        first = np.concatenate([right, below])
        return _of_pairs(first, np.concatenate([right + 1, below + width]), count)
    try:
        import networkx
    except ImportError:
        raise SettingsError(
            "graph='random_regular' needs networkx: pip install 'macjax[graphs]'"
        ) from None
    for what, given in (("degree", degree), ("seed", seed)):
        if not isinstance(given, numbers.Integral) or isinstance(given, bool):
            raise SettingsError(f"{what} must be a whole number, not {given!r}")
    if seed < 0:
        raise SettingsError(f"seed must be at least 0, not {seed!r}")
    if not 0 < degree < count or degree * count % 2:
        raise SettingsError(
            f"degree must be at least 1 and less than {count} nodes, nodes x degree "
            f"must be even, not {degree!r}"
        )
    return _of_networkx(networkx.random_regular_graph(int(degree), count, int(seed)))


def _of_networkx(graph):
    """Adjacency of a networkx graph, nodes in its order."""
    if graph.is_directed():
        raise SettingsError("graph is directed: messages have to go both ways")
    number = {node: i for i, node in enumerate(graph.nodes)}
    pairs = np.array([(number[a], number[b]) for a, b in graph.edges()], np.int64)
    first, second = pairs.reshape(-1, 2).T
    return _of_pairs(first, second, len(number))


def _of_matrix(graph):
    """Adjacency of a matrix: symmetric, an edge where it is not 0."""
    try:
        matrix = sparse.coo_array(graph).astype(np.float64)
    except (TypeError, ValueError):
        matrix = None
    if matrix is None or matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise SettingsError(
            "graph must be one of " + ", ".join(NAMES) + ", a networkx graph or a "
            f"square adjacency matrix, not {type(graph).__name__}"
        )
    if not np.isfinite(matrix.data).all():
        raise SettingsError("graph: the adjacency matrix must be finite")
    edges = sparse.csr_array((matrix != 0).astype(np.int8))
    if (edges != edges.T).nnz:
        raise SettingsError("graph: the adjacency matrix must be symmetric")
    pairs = sparse.coo_array(edges)
    return _of_pairs(pairs.row, pairs.col, matrix.shape[0])


def _of_pairs(first, second, count: int):
    """Symmetric adjacency without loops and double edges."""
    other = first != second
    ends = np.concatenate(
        [[first[other], second[other]], [second[other], first[other]]], 1
    )
    ones = np.ones(ends.shape[1])
    matrix = sparse.csr_array((ones, (ends[0], ends[1])), shape=(count, count))
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix
