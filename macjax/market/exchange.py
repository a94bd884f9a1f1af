"""`exchange`: feeders post prices, vehicles answer, feeders move the prices.

The same problem as `solve`, but by a protocol in which a vehicle never shows its trips:
prices go down, loads go up. The record says how far each round got and what was sent.
"""

import dataclasses
import numbers
from typing import Any

import jax
import numpy as np
import pandas as pd

from macjax._errors import SettingsError, nearest
from macjax._status import Status
from macjax.certificate import Certifier, relative_gap
from macjax.driver.clock import Clock
from macjax.driver.interrupt import Interruption
from macjax.driver.messages import message_for
from macjax.driver.progress import Progress
from macjax.driver.settings import check_settings
from macjax.fleet.unpack import plan_of
from macjax.market.protocols import (
    WEIGHTS,
    Admm,
    PriceAscent,
    Round,
    adagrad_by_feeder,
)
from macjax.market.takers import Takers, require_scenario
from macjax.market.traffic import Sent, Traffic
from macjax.objectives import PeakOverload
from macjax.objectives.compile import feeder_terms
from macjax.results import Solution
from macjax.solvers.hard_limits import EASES, within_terms
from macjax.solvers.mac import Look
from macjax.solvers.problem import build_problem

PROTOCOLS = ("admm", "price_ascent")
RAY_EVERY = 20  # rounds between two looks whether prices refute hard limits
RAY_SHARE = 1e-6  # of a ray, from which on a feeder belongs to the proof
NO_SCHEDULE = (
    "found no schedule that holds the hard capacities, and no proof that none does; "
    "macjax.solve looks for one of the two first."
)
STEPS = {"adagrad": 0.1, "sgd": 0.1, "adam": 0.03}


@dataclasses.dataclass(frozen=True, eq=False)
class Exchange:
    """How far a protocol got, and what it sent.

    Arguments:
        solution: the best schedule and the best prices, certified; its method is the
            name of the protocol.
        history: frame, one row a round: iteration, seconds, phase, objective (of a
            feasible schedule: of ADMM's last one, of the averaged answers), lower_bound
            (of the posted prices), gap, best_objective, best_bound; then messages_down,
            messages_up, bytes_down, bytes_up, all since the start.
        vehicles: how many take part, weights counted.
        label: protocol and optimiser, for tables and figures.
    """

    solution: Solution
    history: pd.DataFrame
    vehicles: float
    label: str

    @property
    def rounds(self) -> int:
        """Rounds that were played."""
        return len(self.history)

    def rounds_to(self, gap: float) -> int | None:
        """Rounds until the run's own gap was at most `gap`; None if it never was."""
        there = np.flatnonzero(self.history["gap"].to_numpy(np.float64) <= gap)
        return int(there[0]) + 1 if len(there) else None

    def summary(self) -> pd.Series:
        """The numbers at the end.

        protocol, status, rounds; objective, lower_bound [currency], gap; vehicles,
        weights counted; messages and megabytes [MB] that all sent and received, and
        kilobytes_of_a_vehicle [kB]; seconds [s].
        """
        last = self.history.iloc[-1]
        each = max(self.vehicles, 1.0)
        values = {
            "protocol": self.label,
            "status": str(self.solution.status),
            "rounds": self.rounds,
            "objective": self.solution.objective,
            "lower_bound": self.solution.lower_bound,
            "gap": self.solution.gap,
            "vehicles": self.vehicles,
            "messages": last["messages_down"] + last["messages_up"],
            "megabytes": (last["bytes_down"] + last["bytes_up"]) / 1e6,
            "kilobytes_of_a_vehicle": (last["bytes_down"] + last["bytes_up"])
            / (1e3 * each),
            "seconds": float(last["seconds"]),
        }
        return pd.Series(values, dtype=object, name=self.label)

    def plot(self, axes=None):
        """Gap over rounds and over what a vehicle sends and receives: two axes.

        Arguments:
            axes: a pair of matplotlib axes to draw in; None makes a figure.
        """
        from macjax.market.figures import exchange_figure

        return exchange_figure([self], axes)


def exchange(
    scenario,
    objective=None,
    protocol: str = "admm",
    rounds: int = 200,
    gap: float = 1e-3,
    optimiser: Any = "adagrad",
    step: float | None = None,
    averaging: str = "linear",
    time_limit: float | None = None,
    on_infeasible: str = "error",
    progress=None,
) -> Exchange:
    """Find prices by messages between feeders and vehicles alone.

    Arguments:
        scenario: the tables.
        objective: one of `macjax.objectives` or a sum of them; None: `PeakOverload()`.
        protocol: "admm" (answers stay near the last ones) or "price_ascent" (best
            responses, and prices move with the excess load).
        rounds: most rounds.
        gap: the run's own relative gap at which it ends, as that of `solve`.
        optimiser: of the price ascent: "adagrad", whose step is over the root of all
            squared excess loads of the feeder so far and so needs no tuning; "sgd" or
            "adam", with a step that falls with the root of the round; or an
            `optax.GradientTransformation` of prices over the usual price of the feeder
            (its upgrade cost, with the default objective).
        step: of these in the first round, as a share of that price; None is 0.1, 0.1
            and 0.03.
        averaging: of the answers in the price ascent: "linear", "uniform" or "last".
        time_limit: most seconds, compiling included.
        on_infeasible: as in `solve`: "error", "drop" or "relax".
        progress: as in `solve`.

    Returns:
        An `Exchange`, whose solution is certified from the raw tables: `solved` if its
        gap is at most `gap`, else `iteration_limit`, `time_limit` or `interrupted`; it
        is `infeasible`, without a schedule, where the prices prove that hard capacities
        cannot hold.
    """
    require_scenario(scenario)
    _check_rounds(rounds)
    settings = check_settings(
        gap=gap,
        max_iterations=rounds,
        time_limit=time_limit,
        on_infeasible=on_infeasible,
        dtype="float64",
        progress=progress,
    )
    if jax.process_count() > 1:
        raise SettingsError("exchange: a run of several processes has none yet")
    make = _protocol(protocol, optimiser, step, averaging)
    clock = Clock(settings.time_limit)
    scenario.validate()
    objective = PeakOverload() if objective is None else objective
    takers = Takers.of(scenario, on_infeasible)
    work = _Work(takers, objective, settings, clock, *make)
    with Interruption() as interruption, jax.enable_x64(True):
        return work.run(interruption)


def _check_rounds(rounds) -> None:
    """Raise unless it is a number of rounds."""
    whole = isinstance(rounds, numbers.Integral) and not isinstance(rounds, bool)
    if not whole or rounds < 1:
        raise SettingsError(f"rounds must be an integer of at least 1, not {rounds!r}")


def _protocol(protocol: str, optimiser, step, averaging: str):
    """What makes the protocol of a problem, its label, and settings to keep."""
    if protocol not in PROTOCOLS:
        hint = nearest(str(protocol), PROTOCOLS)
        raise SettingsError(f"protocol: unknown '{protocol}'; {hint}")
    if averaging not in WEIGHTS:
        hint = nearest(str(averaging), WEIGHTS)
        raise SettingsError(f"averaging: unknown '{averaging}'; {hint}")
    if protocol == "admm":
        if optimiser != "adagrad" or step is not None or averaging != "linear":
            raise SettingsError(
                "optimiser, step and averaging are of protocol='price_ascent'"
            )
        return Admm, "ADMM", {"protocol": protocol}
    made, name, size = _optimiser(optimiser, step)
    record = {"optimiser": name, "step": size, "averaging": averaging}

    def make(problem):
        return PriceAscent(problem, made, averaging)

    return make, f"price ascent, {name}", {"protocol": protocol, **record}


def _optimiser(optimiser, step):
    """The optax optimiser, its name, and its first step."""
    import optax

    if isinstance(optimiser, optax.GradientTransformation):
        if step is not None:
            raise SettingsError("step: an optax optimiser has steps of its own")
        return optimiser, "own optimiser", None
    if not isinstance(optimiser, str) or optimiser not in STEPS:
        raise SettingsError(
            "optimiser must be 'adagrad', 'sgd', 'adam' or an "
            f"optax.GradientTransformation, not {optimiser!r}"
        )
    size = STEPS[optimiser] if step is None else step
    is_number = isinstance(size, float | int) and not isinstance(size, bool)
    if not is_number or not 0 < size < np.inf:
        raise SettingsError(
            f"step must be a finite number of more than 0, not {step!r}"
        )

    def falling(count):
        return size / (1.0 + count) ** 0.5

    if optimiser == "adagrad":
        return adagrad_by_feeder(size), optimiser, float(size)
    made = optax.sgd(falling) if optimiser == "sgd" else optax.adam(falling)
    return made, optimiser, float(size)


class _Work:
    """The rounds of one exchange, the best so far, and the record."""

    def __init__(self, takers: Takers, objective, settings, clock, make, label, record):
        self.takers, self.objective = takers, objective
        self.settings, self.clock = settings, clock
        self.label, self.record = label, record
        scenario, data = takers.scenario, feeder_terms(objective, takers.scenario)
        self.certifier = Certifier(
            scenario, on_infeasible=settings.on_infeasible, terms=data
        )
        self.make = make
        self.data = data
        if data.hard.any():
            self.data = within_terms(data, EASES[0], settings.gap)
        self.traffic = Traffic.of(scenario, takers.fleet)
        self.progress = Progress(settings.progress, settings.gap, clock)
        self.history: list[Look] = []
        self.sent = [Sent()]
        self.energy = self.price = None
        self.ray: np.ndarray | None = None

    def run(self, interruption: Interruption) -> Exchange:
        """Rounds until the gap is met or something ends them."""
        problem = build_problem(self.takers.fleet, self.data, np.float64)
        protocol = self.make(problem)
        status = None
        while status is None:
            self._look(protocol.round(), protocol.name)
            self.progress(self)
            if self.history[-1].gap <= self.settings.gap:
                status = Status.solved
            elif self._refuted():
                status = Status.infeasible
            elif interruption.asked:
                status = Status.interrupted
            elif self.clock.is_over:
                status = Status.time_limit
            elif len(self.history) >= self.settings.max_iterations:
                status = Status.iteration_limit
        self.clock.lap("solve")
        return self._finished(status, protocol.name)

    def _refuted(self) -> bool:
        """Whether the best prices, without those of energy, prove hard limits wrong.

        They grow without end then, so a look every few rounds, and at the end, will do.
        """
        last = self.history[-1]
        ending = last.iteration >= self.settings.max_iterations or self.clock.is_over
        if not self.data.hard.any() or np.isfinite(last.best_objective):
            return False
        if last.iteration % RAY_EVERY and not ending:
            return False
        rows = np.asarray(self.price, np.float64)[: self.takers.fleet.feeders]
        ray = np.maximum(rows - self.data.energy, 0.0) * self.data.hard[:, None]
        most = ray.max(initial=0.0)
        if most > 0 and self.certifier.ray_bound(ray / most) > 0:
            self.ray = ray / most
        return self.ray is not None

    def _look(self, found: Round, phase: str) -> None:
        """Keep the best of schedule and prices, and write down the round."""
        objective, bound = float(found.objective), float(found.bound)
        before = self.history[-1] if self.history else None
        best = before.best_objective if before else np.inf
        best_bound = before.best_bound if before else -np.inf
        if self.energy is None or objective < best:
            best, self.energy = min(best, objective), found.energy
        if self.price is None or bound > best_bound:
            best_bound, self.price = bound, found.price
        unmanaged = self.certifier.unmanaged_objective
        self.history.append(
            Look(
                iteration=len(self.history) + 1,
                seconds=self.clock(),
                phase=phase,
                objective=objective,
                lower_bound=bound,
                gap=max(relative_gap(best, best_bound, unmanaged), 0.0),
                best_objective=best,
                best_bound=best_bound,
            )
        )
        counts = found.tables_down, found.tables_up
        self.sent.append(self.sent[-1].and_round(self.traffic, *counts))

    def _finished(self, status: Status, method: str) -> Exchange:
        """The certified solution and the record."""
        takers, certifier = self.takers, self.certifier
        scenario, fleet = takers.scenario, takers.fleet
        looks = pd.DataFrame([vars(look) for look in self.history])
        if self.ray is not None:
            guilty = self.ray.sum(axis=1) > RAY_SHARE * self.ray.sum()
            feeders = scenario.feeders["feeder_id"].iloc[np.flatnonzero(guilty)]
            found = {"plan": None, "dual_ray": self.ray}
            message = message_for(status, self.settings, feeders=feeders.tolist())
        else:
            plan = plan_of(scenario, fleet, self.energy)
            rows = np.asarray(self.price, np.float64)[: fleet.feeders]
            prices = certifier.prices(rows)
            objective, bound = certifier.objective(plan), certifier.bound(prices)
            gap = relative_gap(objective, bound, certifier.unmanaged_objective)
            if status == Status.solved and gap > self.settings.gap * (1 + 1e-6):
                status = Status.stalled
            self.clock.lap("certify")
            self.progress.close(status, objective, bound, gap)
            found = {"plan": plan, "prices": prices, "objective": objective}
            found |= {"lower_bound": bound, "gap": gap}
            message = f"{self.label}: gap {gap:.2g} after {len(looks)} rounds."
            if not np.isfinite(objective):
                message = f"{self.label}: {len(looks)} rounds {NO_SCHEDULE}"
        solution = Solution(
            scenario=scenario,
            status=status,
            message=message,
            unmanaged_objective=certifier.unmanaged_objective,
            iterations=len(looks),
            history=looks,
            seconds=self.clock.seconds(),
            objective_spec=self.objective,
            method=method,
            on_infeasible=self.settings.on_infeasible,
            infeasible=takers.infeasible,
            dropped=takers.dropped,
            settings=self.record
            | {"rounds": self.settings.max_iterations, "gap": self.settings.gap}
            | {"dtype": "float64", "device": jax.devices()[0].device_kind},
            **found,
        )
        sent = pd.DataFrame(self.sent[1:])
        history = pd.concat([looks, sent], axis=1)
        return Exchange(solution, history, self.traffic.vehicles, self.label)
