"""`solve`: from a scenario to a certified schedule, prices and upgrades.

The solver iterates on the device; what is reported is recomputed by the certificate
from the raw tables in float64. `solved` is the certificate's word.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from macjax._status import Status
from macjax.certificate import Certifier, relative_gap
from macjax.driver.messages import message_for
from macjax.driver.progress import Progress, compile_seconds
from macjax.driver.settings import Settings, check_settings
from macjax.driver.shortfall import apply_policy, infeasible_frame
from macjax.driver.warm_start import warm_tables
from macjax.fleet.opportunities import charging_chains
from macjax.fleet.packing import Fleet, pack_chains
from macjax.fleet.unpack import plan_of
from macjax.objectives import PeakOverload
from macjax.objectives.compile import FeederTermsData, feeder_terms
from macjax.results import Solution
from macjax.scenario import Scenario
from macjax.solvers.hard_limits import relaxed_terms
from macjax.solvers.mac import Run, feasible_start
from macjax.solvers.problem import build_problem

TIGHTER = 0.5  # the run's own gap is lowered by this if the certificate disagrees


def solve(
    scenario: Scenario,
    objective=None,
    gap: float = 1e-3,
    max_iterations: int = 20_000,
    time_limit: float | None = None,
    warm_start: Solution | None = None,
    on_infeasible: str = "error",
    dtype=None,
    progress=None,
    vehicle_to_grid: bool | None = None,
) -> Solution:
    """Least feeder upgrades over all schedules that serve every trip, with a proof.

        min_u sum_f g_f(P_f(u))   over   u_n in U_n, the SOC-sufficient schedules

    Arguments:
        scenario: the tables.
        objective: one of `macjax.objectives` or a sum of them; None is
            `PeakOverload()`, the cost of the largest overload of each feeder.
        gap: certified relative gap at which the solve is done: objective - lower_bound
            <= gap (|objective| + 0.01 |objective of unmanaged charging|).
        max_iterations: most iterations (ADMM iterations and Newton steps).
        time_limit: most seconds, compiling included; checked between steps.
        warm_start: a `Solution` with prices, of this or of a similar scenario.
        on_infeasible: vehicles that cannot make their trips at full power raise
            ("error"), are left out ("drop") or do their best ("relax").
        dtype: "float64" or "float32"; None is float64 on a CPU and float32 on a GPU.
        progress: True prints lines to stderr, False does not, None does on a
            terminal; a callable is called with a dict at each check.
        vehicle_to_grid: False leaves `discharge_kw` out of account.

    Returns:
        A `Solution`; `.status` says how it ended and `.message` what to do. Wrong data
        raise `DataError`, wrong settings `SettingsError`.
    """
    return solve_tube(
        scenario,
        objective,
        gap=gap,
        max_iterations=max_iterations,
        time_limit=time_limit,
        warm_start=warm_start,
        on_infeasible=on_infeasible,
        dtype=dtype,
        progress=progress,
        vehicle_to_grid=vehicle_to_grid,
    )


def solve_tube(scenario, objective=None, *, tube="mobility", **given) -> Solution:
    """`solve` over the schedules of a tube: "mobility" or "per_session"."""
    settings = check_settings(**given)
    clock = _Clock(settings.time_limit)
    scenario.validate(vehicle_to_grid=settings.vehicle_to_grid)
    objective = PeakOverload() if objective is None else objective
    data = feeder_terms(objective, scenario)
    warm = None
    if settings.warm_start is not None:
        warm = warm_tables(scenario, settings.warm_start)
    clock.lap("read")
    chains = charging_chains(scenario, tube)
    short = chains.shortfall
    chains, dropped = apply_policy(scenario, chains, settings.on_infeasible)
    work = _Work(scenario, objective, data, chains, tube, settings, clock)
    work.infeasible = infeasible_frame(scenario, short)
    work.dropped = dropped
    with jax.enable_x64(True):
        return work.solve(warm)


class _Clock:
    """Seconds since the start, by phase, and what is left of the time limit."""

    def __init__(self, limit: float | None):
        self.limit, self.laps = limit, {}
        self.began = self.last = time.monotonic()
        self.compiled = compile_seconds()

    def __call__(self) -> float:
        return time.monotonic() - self.began

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = self.laps.get(name, 0.0) + now - self.last
        self.last = now

    @property
    def is_over(self) -> bool:
        return self.limit is not None and self() >= self.limit

    def seconds(self) -> dict[str, float]:
        compiled = compile_seconds() - self.compiled
        return self.laps | {"compile": compiled, "total": self()}


class _Work:
    """One solve: the prepared pieces, the loop, and the solution at the end."""

    def __init__(self, scenario, objective, data, chains, tube, settings, clock):
        self.scenario, self.objective, self.data = scenario, objective, data
        self.chains, self.tube = chains, tube
        self.settings: Settings = settings
        self.clock: _Clock = clock
        self.infeasible: pd.DataFrame | None = None
        self.dropped: list = []
        self.ray: np.ndarray | None = None
        self.progress = Progress(settings.progress, settings.gap, clock)
        self.interrupted = False

    def solve(self, warm) -> Solution:
        """Pack, iterate, certify."""
        fleet = self._pack(self.settings.dtype)
        self.clock.lap("pack")
        policy = self.settings.on_infeasible
        self.certifier = Certifier(
            self.scenario, on_infeasible=policy, tube=self.tube, terms=self.data
        )
        self.clock.lap("certify")
        energy, price = self._start(fleet, warm)
        status, run = None, None
        try:
            if self.data.hard.any():
                status, energy, price = self._meet_limits(fleet, energy, price)
            if status is None:
                run = self._run(fleet, self.data, self.certifier.unmanaged_objective)
                run.init(energy, price)
                status = self._iterate(run, fleet)
        except KeyboardInterrupt:
            status = Status.interrupted
        return self._finish(status, run, fleet)

    def _pack(self, dtype) -> Fleet:
        vehicles = self.scenario.vehicles
        weight = vehicles["weight"].to_numpy(np.float64)
        efficiency = vehicles["charge_efficiency"].to_numpy(np.float64)
        scale = weight / (efficiency * self.scenario.slot_hours)
        feeders, slots = len(self.scenario.feeders), self.scenario.slots
        return pack_chains(self.chains, scale, weight, feeders, slots, dtype)

    def _start(self, fleet: Fleet, warm):
        """Energies and prices to start from: zero, or those of the warm start."""
        shape = (fleet.table_feeders, fleet.slots)
        dtype = self.settings.dtype
        if warm is None:
            energy = tuple(jnp.zeros(_entries(b), dtype) for b in fleet.batches)
            return energy, jnp.zeros(shape, dtype)
        plan, table = warm
        energy = tuple(
            jnp.asarray(e, dtype) for e in plan.energies(self.scenario, fleet)
        )
        price = np.zeros(shape)
        price[: len(table)] = table
        return energy, jnp.asarray(price, dtype)

    def _run(self, fleet: Fleet, data: FeederTermsData, unmanaged: float) -> Run:
        problem = build_problem(fleet, data, self.settings.dtype)
        return Run(problem, unmanaged, self.clock)

    def _meet_limits(self, fleet: Fleet, energy, price):
        """Hard limits first: a schedule that holds them, or a ray that none does."""
        data = relaxed_terms(self.data)
        run = self._run(fleet, data, 0.0)
        run.init(energy, jnp.zeros_like(price))
        while True:
            load = np.asarray(run.load, np.float64)[: fleet.feeders]
            over = load - self.data.headroom - self.data.tolerance
            if not (over[self.data.hard] > 0).any():
                return None, run.energy, price
            ray = np.asarray(run.best_price, np.float64)[: fleet.feeders]
            if run.best_bound > 0 and self.certifier.ray_bound(ray) > 0:
                self.ray = ray
                return Status.infeasible, run.energy, price
            status = self._next(run, 0.0)
            if status is not None:
                return status, run.energy, price

    def _next(self, run: Run, wanted: float) -> Status | None:
        """End here, or take one more step."""
        status = run.terminate(wanted, self.settings.max_iterations)
        if status is None and self.clock.is_over:
            status = Status.time_limit
        self.progress(run)
        if status is None:
            run.step(self.settings.max_iterations - run.iteration)
        return status

    def _iterate(self, run: Run, fleet: Fleet) -> Status:
        """Step until the certificate, or something else, ends the run."""
        wanted = self.settings.gap
        while True:
            status = self._next(run, wanted)
            if status is None:
                continue
            if status != Status.solved:
                return status
            self.clock.lap("solve")
            certified = self._certified_gap(run, fleet)
            self.clock.lap("certify")
            if certified <= self.settings.gap:
                return status
            wanted = min(TIGHTER * wanted, 0.5 * run.gap)

    def _plan(self, run: Run, fleet: Fleet):
        """The best schedule, projected once more in float64."""
        energy = run.best_energy
        if self.settings.dtype != np.float64:
            fleet = self._pack(np.float64)
            problem = build_problem(fleet, self.data, np.float64)
            wide = tuple(e.astype(np.float64) for e in energy)
            energy = feasible_start(problem, wide)
        return plan_of(self.scenario, fleet, energy)

    def _certified_gap(self, run: Run, fleet: Fleet) -> float:
        """Gap of the best schedule and the best prices by the certificate."""
        self.plan = self._plan(run, fleet)
        table = np.asarray(run.best_price, np.float64)[: fleet.feeders]
        self.prices = self.certifier.prices(table)
        self.bound = self.certifier.bound(self.prices)
        self.value = self.certifier.objective(self.plan)
        feasible = (
            self.settings.on_infeasible == "error"
            or self.certifier.check(self.plan).feasible
        )
        if not feasible:
            return np.inf
        return relative_gap(self.value, self.bound, self.certifier.unmanaged_objective)

    def _finish(self, status: Status, run: Run | None, fleet: Fleet) -> Solution:
        self.clock.lap("solve")
        settings = self.settings
        record = settings.record() | {
            "device": str(jax.devices()[0].device_kind),
            "padding_share": fleet.waste,
        }
        common = dict(
            scenario=self.scenario,
            status=status,
            objective_spec=self.objective,
            unmanaged_objective=self.certifier.unmanaged_objective,
            method="mac" if self.tube == "mobility" else self.tube,
            tube=self.tube,
            on_infeasible=settings.on_infeasible,
            infeasible=self.infeasible,
            dropped=self.dropped,
            settings=record,
            dual_ray=self.ray,
        )
        if run is None or run.best_energy is None or run.best_price is None:
            ray_feeders = self._ray_feeders()
            return Solution(
                plan=None,
                message=message_for(status, settings, feeders=ray_feeders),
                seconds=self.clock.seconds(),
                **common,
            )
        gap = self._certified_gap(run, fleet)
        self.clock.lap("certify")
        bad = self._nonfinite_vehicles(run, fleet)
        self.progress.close(status, self.value, self.bound, gap)
        return Solution(
            plan=self.plan,
            prices=self.prices,
            objective=self.value,
            lower_bound=self.bound,
            gap=gap,
            iterations=run.iteration,
            history=pd.DataFrame([vars(look) for look in run.history]),
            message=message_for(status, settings, gap=gap, vehicles=bad),
            seconds=self.clock.seconds(),
            **common,
        )

    def _ray_feeders(self) -> list:
        if self.ray is None:
            return []
        guilty = np.flatnonzero(self.ray.sum(axis=1) > 1e-6 * self.ray.sum())
        return self.scenario.feeders["feeder_id"].iloc[guilty].tolist()

    def _nonfinite_vehicles(self, run: Run, fleet: Fleet) -> list:
        if not run.nonfinite:
            return []
        found = []
        for index, energy in zip(fleet.index, run.energy, strict=True):
            bad = ~np.isfinite(np.asarray(energy)).all(axis=(1, 2))
            found.append(index.vehicle[bad & (index.vehicle >= 0)])
        return self.scenario.vehicles["vehicle_id"].iloc[np.concatenate(found)].tolist()


def _entries(batch) -> tuple[int, ...]:
    blocks, pieces, lanes = batch.base.shape
    return blocks, pieces, batch.slots, lanes
