"""One solve from prepared tables: the loop over steps, and the solution at the end."""

import dataclasses
import functools
import warnings
from typing import Any

import jax
import numpy as np
import pandas as pd

from macjax._errors import MemoryShortError, MemoryShortWarning
from macjax._processes import Processes
from macjax._status import Status
from macjax.certificate import Certifier, relative_gap
from macjax.driver.checkpoints import (
    Checkpoints,
    check_space,
    terms_digest,
)
from macjax.driver.clock import Clock
from macjax.driver.interrupt import Interruption
from macjax.driver.messages import message_for
from macjax.driver.parts import Left, go_back, snapshot
from macjax.driver.progress import Progress
from macjax.driver.run_record import Layout, run_from_record
from macjax.driver.settings import Settings
from macjax.driver.shortfall import apply_policy, infeasible_frame
from macjax.driver.together import agree_on_problem, decided, part_of
from macjax.driver.warm_start import WarmStart
from macjax.fleet.budget import free_bytes
from macjax.fleet.devices import own_blocks, own_devices, put_whole
from macjax.fleet.grid import LEAST_LANES
from macjax.fleet.memory import bytes_on_devices, size_text, told_if_short
from macjax.fleet.opportunities import charging_chains
from macjax.fleet.packing import Fleet, pack
from macjax.fleet.unpack import energies_of, plan_of
from macjax.objectives.compile import FeederTermsData, feeder_terms
from macjax.results import Solution
from macjax.scenario.plan import Plan
from macjax.solvers.flow import call
from macjax.solvers.hard_limits import (
    EASES,
    largest_share,
    search_terms,
    within_terms,
)
from macjax.solvers.mac import Look, Run, feasible_start
from macjax.solvers.problem import build_problem

SHRINKS = 3  # a solve that runs out of memory starts anew so many times
SHRINK = 0.5  # each time with this share of what was planned
TIGHTER = 0.5  # the run's own gap is lowered by this if the certificate disagrees


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
        self.scenario, self.objective, self.given = scenario, objective, data
        self.chains, self.tube = chains, tube
        self.settings: Settings = settings
        self.clock: Clock = clock
        self.processes = Processes.of(settings.devices)
        self.budget, self.shrunk = self._budget(), 0
        self.infeasible: pd.DataFrame | None = None
        self.dropped: list = []
        self.resumed = 0
        self.checkpoints: Checkpoints | None = None
        self.terms = ""
        self.interruption = Interruption()
        shown = settings.progress if self.processes.index == 0 else False
        self.progress = Progress(shown, settings.gap, clock)
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Nothing has been computed."""
        self.data = self.given
        self.ray: np.ndarray | None = None
        self.run: Run | None = None
        self.past: list[Look] = []
        self.ease, self.met, self.wanted = 0, None, self.settings.gap
        self.left: Left | None = None

    def _budget(self) -> float | None:
        """Bytes that the solve may take on each device; None is no limit."""
        if self.processes.count > 1:
            return None
        if self.settings.device_memory is not None:
            return self.settings.device_memory * 2**30
        devices = own_devices(self.settings.devices or jax.devices()[:1])
        free = [size for d in devices if (size := free_bytes(d)) is not None]
        return min(free, default=None)

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
            while True:
                with told_if_short(None, dtype):
                    self.fleet = self._pack(dtype, self.budget)
                self.clock.lap("pack")
                self._tell_if_over()
                try:
                    with told_if_short(self.fleet, dtype):
                        return self._solve(warm, left)
                except MemoryShortError as error:
                    if not self._shrink(error):
                        raise
                # Behind the handler, whose error holds what is on the devices.
                self._begin_anew()

    def _shrink(self, error: MemoryShortError) -> bool:
        """Plan with less memory, unless it was the host's or less would not do."""
        batch = self.fleet.batch
        least = batch.chunk == 1 and batch.shape[3] <= LEAST_LANES
        on_device = isinstance(error.__cause__, jax.errors.JaxRuntimeError)
        alone = self.processes.count == 1
        if not (alone and on_device and self.shrunk < SHRINKS) or least:
            return False
        self.shrunk += 1
        planned = self._planned()
        self.budget = SHRINK * planned
        warnings.warn(
            MemoryShortWarning(
                f"the device ran out of memory, of which {size_text(planned)} were "
                "planned; the solve starts anew in smaller chunks"
            ),
            stacklevel=4,
        )
        return True

    def _planned(self) -> float:
        """Bytes that the solve takes on each device, about."""
        return bytes_on_devices(self.fleet, self.settings.dtype) / self.devices

    def _tell_if_over(self) -> None:
        """Warn if the smallest chunk takes more than the limit that was given."""
        given = self.settings.device_memory
        if given is None or self._planned() <= given * 2**30:
            return
        warnings.warn(
            MemoryShortWarning(
                f"device_memory={given:g} GiB is less than the smallest chunk takes, "
                f"about {size_text(self._planned())} on each device; it is exceeded"
            ),
            stacklevel=4,
        )

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
                del energy  # of the size of the fleet
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

    def _pack(self, dtype, budget, like: Fleet | None = None) -> Fleet:
        devices = self.settings.devices
        return pack(self.scenario, self.chains, dtype, devices, budget, like)

    def _start(self, warm: WarmStart | None):
        """Energies and prices to start from: zero, or those of the warm start."""
        dtype = self.settings.dtype
        table = np.zeros((self.fleet.table_feeders, self.fleet.slots))
        if warm is None:
            energy = np.zeros(self.fleet.own_shape)
        else:
            energy = energies_of(self.scenario, self.fleet, warm.plan)
            table[: self.fleet.feeders] = warm.prices
        batch = self.fleet.batch
        return (
            batch.put(energy.astype(dtype)),
            put_whole(table.astype(dtype), batch.mesh),
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
            fleet = self._pack(np.float64, self._budget(), like=fleet)
            problem = build_problem(fleet, self.data, np.float64)
            energy = fleet.batch.put(own_blocks(energy).astype(np.float64))
            energy = call(feasible_start, problem, energy)
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
            "in_chunks": self.fleet.batch.in_chunks,
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
