"""`solve`: from a scenario to a certified schedule, prices and upgrades.

The solver iterates on the device; what is reported is recomputed by the certificate
from the raw tables in float64. `solved` is the certificate's word.
"""

import dataclasses
import functools
import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax._processes import Processes
from macjax._status import Status
from macjax.certificate import Certifier, relative_gap
from macjax.driver.checkpoints import (
    Checkpoints,
    check_space,
    new_folder,
    terms_digest,
    write_problem,
)
from macjax.driver.clock import Clock
from macjax.driver.interrupt import Interruption
from macjax.driver.lock import locked
from macjax.driver.messages import message_for
from macjax.driver.parts import Left, go_back, snapshot
from macjax.driver.progress import Progress
from macjax.driver.run_record import Layout, run_from_record
from macjax.driver.settings import Settings, check_devices, check_settings
from macjax.driver.shortfall import apply_policy, infeasible_frame
from macjax.driver.together import agree_on_problem, decided, part_of
from macjax.driver.warm_start import WarmStart, warm_tables
from macjax.fleet.devices import own_blocks, put_blocks, put_whole
from macjax.fleet.memory import bytes_on_devices, told_if_short
from macjax.fleet.opportunities import charging_chains
from macjax.fleet.packing import Fleet, pack
from macjax.fleet.unpack import energies_of, plan_of
from macjax.objectives import PeakOverload
from macjax.objectives.compile import FeederTermsData, feeder_terms
from macjax.results import Solution
from macjax.scenario import Scenario
from macjax.scenario.plan import Plan
from macjax.solvers.hard_limits import (
    EASES,
    largest_share,
    search_terms,
    within_terms,
)
from macjax.solvers.mac import Look, Run, feasible_start
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
    devices: Sequence[Any] | None = None,
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: float = 60.0,
) -> Solution:
    """Least feeder upgrades over all schedules that serve every trip, with a proof.

        min_u sum_f g_f(P_f(u))   over   u_n in U_n, the SOC-sufficient schedules

    Arguments:
        scenario: the tables.
        objective: one of `macjax.objectives` or a sum of them; None: `PeakOverload()`.
        gap: certified relative gap at which the solve is done: objective - lower_bound
            <= gap (|objective| + 0.01 |objective of unmanaged charging|).
        max_iterations: most iterations (ADMM iterations and Newton steps).
        time_limit: most seconds, compiling included; checked between steps.
        warm_start: a `Solution` with prices, of this or of a similar scenario.
        on_infeasible: vehicles that cannot make their trips at full power raise
            ("error"), are left out ("drop") or do their best ("relax").
        dtype: "float64" or "float32"; None is float64 on a CPU and float32 on a GPU.
        progress: True prints lines to stderr, False does not, None does on a
            terminal; a callable is called with a dict at each check (by process 0).
        vehicle_to_grid: False leaves `discharge_kw` out of account.
        devices: JAX devices over which the vehicles are spread; None takes all of the
            default kind, those of all processes of a `jax.distributed` run too: they
            solve together, each with its part of the vehicles and the same feeders.
        checkpoint: a new folder for checkpoints, from which `resume` goes on; one is
            also written at the end. None writes nothing.
        checkpoint_every: seconds between two checkpoints; 0 is after every step.

    Returns:
        A `Solution`; `.status` says how it ended and `.message` what to do. Wrong data
        raise `DataError`, wrong settings `SettingsError`. Of several processes each has
        its own vehicles in it, and objective, bound, prices and loads of all.
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
        devices=devices,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
    )


def solve_tube(scenario, objective=None, *, tube="mobility", **given) -> Solution:
    """`solve` over the schedules of a tube: "mobility" or "per_session"."""
    processes = Processes.of(check_devices(given.get("devices")))
    with processes.together():
        with processes.agreed("to prepare its part"):
            settings = check_settings(**given)
            work, warm = _prepared(scenario, objective, tube, settings)
        if settings.checkpoint is None:
            return work.solve(warm)
        folder = new_folder(settings.checkpoint)
        with locked(folder):
            write_problem(folder, scenario, work.objective)
            work.keep_checkpoints(folder)
            return work.solve(warm)


def _prepared(scenario, objective, tube: str, settings: Settings):
    """The work of a solve, and where it starts."""
    if not isinstance(scenario, Scenario):
        raise SettingsError(
            f"scenario must be a macjax.Scenario, not {type(scenario).__name__}; "
            "Scenario.read(folder) gives one"
        )
    if tube != "mobility":
        if settings.checkpoint is not None:
            raise SettingsError(f"checkpoint: not for the method '{tube}'")
        if Processes.of(settings.devices).count > 1:
            raise SettingsError(f"several processes: not for the method '{tube}'")
    clock = Clock(settings.time_limit)
    scenario.validate(vehicle_to_grid=settings.vehicle_to_grid)
    objective = PeakOverload() if objective is None else objective
    warm = None
    if settings.warm_start is not None:
        warm = warm_tables(scenario, settings.warm_start)
    return prepare(scenario, objective, tube, settings, clock), warm


def prepare(scenario, objective, tube: str, settings: Settings, clock: Clock) -> "Work":
    """What is checked and computed on the host before a solve."""
    data = feeder_terms(objective, scenario)
    clock.lap("read")
    chains = charging_chains(scenario, tube)
    short = chains.shortfall
    chains, dropped = apply_policy(scenario, chains, settings.on_infeasible)
    work = Work(scenario, objective, data, chains, tube, settings, clock)
    work.infeasible = infeasible_frame(scenario, short)
    work.dropped = dropped
    return work


def _first(*values):
    """The first value that is not None, else None."""
    return next((value for value in values if value is not None), None)


@dataclasses.dataclass(frozen=True)
class _Certified:
    """The best of a run as the certificate sees it."""

    plan: Plan
    prices: np.ndarray
    objective: float
    lower_bound: float
    gap: float


class Work:
    """One solve: the prepared pieces, the loop, and the solution at the end.

    Where it stands, beside the run: `ease`, the one of the search for hard limits;
    `met`, with which ease and gap they were met; `wanted`, the gap of the run;
    `past`, the looks of the runs before.
    """

    def __init__(self, scenario, objective, data, chains, tube, settings, clock):
        self.scenario, self.objective, self.data = scenario, objective, data
        self.chains, self.tube = chains, tube
        self.settings: Settings = settings
        self.clock: Clock = clock
        self.processes = Processes.of(settings.devices)
        self.infeasible: pd.DataFrame | None = None
        self.dropped: list = []
        self.ray: np.ndarray | None = None
        self.run: Run | None = None
        self.past: list[Look] = []
        self.ease, self.met, self.wanted = 0, None, settings.gap
        self.left: Left | None = None
        self.resumed = 0
        self.checkpoints: Checkpoints | None = None
        self.terms = ""
        self.interruption = Interruption()
        shown = settings.progress if self.processes.index == 0 else False
        self.progress = Progress(shown, settings.gap, clock)

    def keep_checkpoints(self, folder, read=None) -> None:
        """Write checkpoints to a folder from which `read` was read, if any."""
        every, take = self.settings.checkpoint_every, functools.partial(snapshot, self)
        self.checkpoints = Checkpoints(folder, every, take, self.clock, read)
        self.terms = terms_digest(self.data)

    def solve(self, warm: WarmStart | None = None, left: Left | None = None):
        """The solution: from the start, or from where an earlier part left the run."""
        dtype = self.settings.dtype
        with Interruption() as self.interruption, jax.enable_x64(True):
            agree_on_problem(self, warm)
            with told_if_short(None, dtype):
                self.fleet = self._pack(dtype)
            self.clock.lap("pack")
            with told_if_short(self.fleet, dtype):
                return self._solve(warm, left)

    def _solve(self, warm, left) -> Solution:
        """Iterate, certify."""
        self.certifier = Certifier(
            self.scenario,
            on_infeasible=self.settings.on_infeasible,
            tube=self.tube,
            terms=self.data,
            parts=self.processes,
        )
        self.clock.lap("certify")
        if self.checkpoints is not None:
            self.layout = Layout(self.fleet)
            size = self.layout.bytes_of(self.settings.dtype)
            check_space(self.checkpoints.folder, size)
        if left is None:
            energy, self.price = self._start(warm)
        else:
            energy, self.price = go_back(self, left)
        status = None
        try:
            if self.data.hard.any() and self.met is None:
                status, energy = self._meet_limits(energy)
            if status is None:
                unmanaged = self.certifier.unmanaged_objective
                run = self._begin(self.data, unmanaged, energy, self.price)
                status = self._iterate(run)
        except KeyboardInterrupt:
            if self.processes.count > 1:  # the others go on
                raise
            status = Status.interrupted
        if self.checkpoints is not None:
            self.checkpoints.end(status)
        self.clock.lap("solve")
        return self._finish(status)

    @property
    def device(self) -> str:
        """What kind of device computes."""
        return (self.settings.devices or jax.devices())[0].device_kind

    @property
    def devices(self) -> int:
        """How many of them."""
        mesh = self.fleet.batch.mesh
        return 1 if mesh is None else mesh.size

    @property
    def vehicle_to_grid(self) -> bool | None:
        """The flag of the solve, or else of the scenario."""
        return _first(self.settings.vehicle_to_grid, self.scenario.vehicle_to_grid)

    def _pack(self, dtype) -> Fleet:
        return pack(self.scenario, self.chains, dtype, self.settings.devices)

    def _start(self, warm: WarmStart | None):
        """Energies and prices to start from: zero, or those of the warm start."""
        dtype = self.settings.dtype
        table = np.zeros((self.fleet.table_feeders, self.fleet.slots))
        if warm is None:
            energy = np.zeros(self.fleet.own_shape)
        else:
            energy = energies_of(self.scenario, self.fleet, warm.plan)
            table[: self.fleet.feeders] = warm.prices
        mesh = self.fleet.batch.mesh
        return (
            put_blocks(energy.astype(dtype), mesh),
            put_whole(table.astype(dtype), mesh),
        )

    def _begin(self, data: FeederTermsData, unmanaged: float, energy, price) -> Run:
        """A new run from energies and prices, or the one that a checkpoint holds."""
        problem = build_problem(self.fleet, data, self.settings.dtype)
        if self.left is not None:
            record, arrays = self.left.record["run"], self.left.arrays
            self.left = None
            self.run = run_from_record(
                record, arrays, self.layout, problem, unmanaged, self.clock
            )
        else:
            done = 0 if self.run is None else self.run.iteration
            self.past += [] if self.run is None else self.run.history
            self.run = Run(problem, unmanaged, self.clock, iteration=done)
            self.run.init(energy, price)
        if self.checkpoints is not None:
            self.checkpoints.after(self.run)
        return self.run

    def _meet_limits(self, energy):
        """Hard limits first: a schedule that holds them, or a ray that none does."""
        shape = (self.fleet.table_feeders, self.fleet.slots)
        for nth, ease in list(enumerate(EASES))[self.ease :]:
            self._leave_run()
            self.ease = nth
            price = np.zeros(shape, self.settings.dtype)
            price = put_whole(price, self.fleet.batch.mesh)
            run = self._begin(search_terms(self.data, ease), 0.0, energy, price)
            status = None
            while status is None:
                energy = run.energy
                share = largest_share(self.data, self._feeder_rows(run.load))
                if share <= ease.accepted:
                    self.hold_limits(nth, self.settings.gap)
                    return None, energy
                if run.best_bound > 0:
                    ray = self._feeder_rows(run.best_price)
                    if self.certifier.ray_bound(ray) > 0:
                        self.ray = ray
                        return Status.infeasible, energy
                status = self._next(run, 0.0)
            if status not in (Status.solved, Status.stalled):
                return status, energy
        return Status.stalled, energy

    def hold_limits(self, nth: int, gap: float) -> None:
        """The limits were met with an ease; hold them in a solve to a gap."""
        self._leave_run()
        self.met = nth, gap
        self.data = within_terms(self.data, EASES[nth], gap)

    def _leave_run(self) -> None:
        if self.checkpoints is not None:
            self.checkpoints.leave()

    def _next(self, run: Run, wanted: float) -> Status | None:
        """How the run ends here, or None after one more step."""
        status = run.terminate(wanted, self.settings.max_iterations)
        if status is None and self.interruption.asked:
            status = Status.interrupted
        if status is None and self.clock.is_over:
            status = Status.time_limit
        status = decided(self.processes, status)
        with self.processes.agreed("to report its progress"):
            self.progress(run)
        if status is None:
            left = self.settings.max_iterations - run.iteration
            if self.checkpoints is not None:
                self.checkpoints.before(run, left)
            run.step(left)
            if self.checkpoints is not None:
                self.checkpoints.after(run)
        return status

    def _iterate(self, run: Run) -> Status:
        """Step until the certificate, or something else, ends the run."""
        while True:
            status = self._next(run, self.wanted)
            if status is None:
                continue
            if status != Status.solved:
                return status
            self.clock.lap("solve")
            gap = self._certified(run).gap
            self.clock.lap("certify")
            if gap <= self.settings.gap:
                return status
            if run.gap == 0:  # the run sees nothing left to do in its precision
                return Status.stalled
            self.wanted = TIGHTER * min(self.wanted, run.gap)

    def _feeder_rows(self, table) -> np.ndarray:
        """The rows of a padded table that are feeders, in float64."""
        return np.asarray(table, np.float64)[: self.fleet.feeders]

    def _certified(self, run: Run) -> _Certified:
        """Best schedule and best prices of a run, judged from the raw tables.

        The schedule is projected once more in float64 if it was found in float32.
        """
        fleet, energy = self.fleet, run.best_energy
        if self.settings.dtype != np.float64:
            fleet = self._pack(np.float64)
            problem = build_problem(fleet, self.data, np.float64)
            energy = feasible_start(problem, energy.astype(np.float64))
        plan = plan_of(self.scenario, fleet, energy)
        certifier = self.certifier
        prices = certifier.prices(self._feeder_rows(run.best_price))
        objective, bound = certifier.objective(plan), certifier.bound(prices)
        gap = relative_gap(objective, bound, certifier.unmanaged_objective)
        if self.processes.most(not certifier.check(plan).feasible):
            gap = np.inf
        return _Certified(plan, prices, objective, bound, gap)

    def _finish(self, status: Status) -> Solution:
        """The solution from the last run, or the proof that there is none."""
        run, settings = self.run, self.settings
        found: dict[str, Any] = {"plan": None}
        gap, bad, interval = None, [], (0.0, 0.0)
        has_plan = run is not None and run.best_energy is not None
        if run is not None and has_plan and status != Status.infeasible:
            best = self._certified(run)
            gap, bad = best.gap, self._nonfinite_vehicles(run)
            found, interval = vars(best), (best.lower_bound, best.objective)
            self.progress.close(status, best.objective, best.lower_bound, gap)
            self.clock.lap("certify")
        looks = self.past + ([] if run is None else run.history)
        record = {
            "device": self.device,
            "devices": self.devices,
            "processes": self.processes.count,
            "padding_share": self.fleet.waste,
            "projection": self.fleet.batch.projection,
            "device_bytes": bytes_on_devices(self.fleet, settings.dtype),
            "vehicle_to_grid": self.vehicle_to_grid,
            "resumed": self.resumed,
        }
        can_resume = self.checkpoints is not None and bool(self.checkpoints.kept)
        return Solution(
            scenario=self.scenario,
            status=status,
            message=message_for(
                status,
                settings,
                gap,
                interval,
                self._ray_feeders(),
                bad,
                can_resume,
                self._relaxed(),
            ),
            unmanaged_objective=self.certifier.unmanaged_objective,
            iterations=run.iteration if run is not None else 0,
            history=pd.DataFrame([vars(look) for look in looks]),
            seconds=self.clock.seconds(),
            objective_spec=self.objective,
            method="mac" if self.tube == "mobility" else self.tube,
            tube=self.tube,
            on_infeasible=settings.on_infeasible,
            infeasible=self.infeasible,
            dropped=self.dropped,
            settings=settings.record() | record,
            dual_ray=self.ray,
            part=part_of(self.processes, self.scenario, found["plan"]),
            **found,
        )

    def _relaxed(self) -> int:
        """Vehicles that cannot make their trips and are charged all the same."""
        if self.infeasible is None or self.settings.on_infeasible != "relax":
            return 0
        return len(self.infeasible)

    def _ray_feeders(self) -> list:
        if self.ray is None:
            return []
        guilty = np.flatnonzero(self.ray.sum(axis=1) > 1e-6 * self.ray.sum())
        return self.scenario.feeders["feeder_id"].iloc[guilty].tolist()

    def _nonfinite_vehicles(self, run: Run) -> list:
        if not run.nonfinite:
            return []
        bad = ~np.isfinite(own_blocks(run.energy)).all(axis=2)
        vehicle = self.fleet.index.vehicle
        found = np.unique(vehicle[bad & (vehicle >= 0)])
        return self.scenario.vehicles["vehicle_id"].iloc[found].tolist()
