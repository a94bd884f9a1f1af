"""The figures of a study, as PNG files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from macjax import planning, plots
from macjax.results import Solution


def draw(
    solutions: Sequence[Solution], folder: Path, purchase: dict[str, Any]
) -> list[Path]:
    """Draw all figures that the solutions have the numbers for.

    Those of `plots.save_all`, and cost.png, feeders.png; map.png where feeders have a
    place, of the first solution and the last; flexibility.png and charging.png where
    stays say their kind of place.

    Arguments:
        solutions: with a plan, of one scenario.
        folder: where to write; made if missing.
        purchase: arguments of `planning.discrete_upgrades` by name.

    Returns:
        the paths written.
    """
    matplotlib = plots.require_matplotlib()
    paths = plots.save_all(list(solutions), folder)
    ends = list(dict.fromkeys((solutions[0], solutions[-1])))
    bought = {k: purchase[k] for k in ("transformers", "power_factor", "replace")}

    def save(name: str, size: tuple[float, float], *drawers: Callable) -> None:
        figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
        axes = figure.subplots(1, len(drawers), squeeze=False)[0]
        for drawer, ax in zip(drawers, axes, strict=True):
            drawer(ax)
        figure.savefig(folder / name, dpi=plots.DOTS_PER_INCH)
        paths.append(folder / name)

    save(
        "cost.png",
        (7.5, 4.8),
        lambda ax: planning.cost_intervals(solutions, ax, **bought),
    )
    save(
        "feeders.png",
        (7.5, 4.8),
        lambda ax: planning.feeder_distribution(solutions, ax),
    )
    scenario = solutions[0].scenario
    if planning.placed_by(scenario.feeders) is not None:
        largest = max(float(s.upgrades()["upgrade_kw"].max()) for s in ends)
        save("map.png", (6.0 * len(ends), 6.0), *(_map(s, largest) for s in ends))
    if not planning.says_place(scenario):
        return paths
    save("charging.png", (6.0 * len(ends), 4.5), *(_profile(s) for s in ends))
    if len(solutions) > 1 and any(s.method == "unmanaged" for s in solutions):
        kinds = ("peak", "all")
        save("flexibility.png", (13.0, 4.5), *(_stack(solutions, c) for c in kinds))
    return paths


def _map(solution: Solution, largest_kw: float) -> Callable:
    return lambda ax: planning.feeder_map(solution, largest_kw, ax)


def _profile(solution: Solution) -> Callable:
    return lambda ax: planning.charging_profile(solution, ax=ax)


def _stack(solutions: Sequence[Solution], cells: str) -> Callable:
    return lambda ax: planning.flexibility(solutions, cells, ax=ax)
