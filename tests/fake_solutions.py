"""Stand-ins for solutions: the attributes and frames that figures and commands read.

Two feeders with capacity 100 kW; "unmanaged" overloads feeder A by `upgrade_kw`, MAC
by a tenth of it. The numbers are made up and mean nothing.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from macjax._errors import SolutionError
from macjax._status import Status
from macjax.results.manifest import write_manifest

START = pd.Timestamp("2026-03-06T00:00:00-08:00")
TIMEZONE = "America/Los_Angeles"


@dataclasses.dataclass(frozen=True)
class FakeScenario:
    name: str = "fake"
    slots: int = 96
    slot_minutes: int = 60
    timezone: str = TIMEZONE
    currency: str = "USD"
    notes: tuple = ("1 stay is clipped to the horizon",)
    vehicle_to_grid: bool | None = None
    feeder_ids: tuple = ("A", "B")
    fingerprint: str = "0" * 64

    @property
    def vehicles(self):
        return pd.DataFrame({"vehicle_id": ["v1", "v2"]})

    @property
    def stays(self):
        return pd.DataFrame({"vehicle_id": ["v1", "v2", "v2"]})

    @property
    def trips(self):
        return pd.DataFrame({"vehicle_id": ["v2"]})

    @property
    def feeders(self):
        return pd.DataFrame({"feeder_id": list(self.feeder_ids)})

    @property
    def times(self):
        hours = pd.to_timedelta(np.arange(self.slots) * self.slot_minutes, "min")
        return (START + hours).tz_convert(self.timezone)


@dataclasses.dataclass(frozen=True)
class FakeSolution:
    method: str = "mac"
    status: Status = Status.solved
    message: str = "The gap is certified."
    scenario: FakeScenario = FakeScenario()
    plan: object = "a schedule"
    upgrade_kw: float = 60.0
    objective: float = 900.0
    lower_bound: float = 899.5
    gap: float = 5e-4
    iterations: int = 120
    assumptions: tuple = ("perfect foresight",)
    seconds: tuple = (("solve", 1.5),)
    written: list = dataclasses.field(default_factory=list)

    @property
    def history(self):
        if self.method not in ("mac", "per_session"):
            return pd.DataFrame(columns=["iteration", "phase", "objective"])
        iteration = np.arange(20, 260, 20)
        decay = np.exp(-iteration / 40.0)
        return pd.DataFrame(
            {
                "iteration": iteration,
                "seconds": iteration / 100.0,
                "phase": np.where(iteration <= 160, "admm", "newton"),
                "objective": self.objective * (1 + 3 * decay),
                "lower_bound": np.where(
                    iteration > 40, self.lower_bound * (1 - decay), -np.inf
                ),
                "gap": 4 * decay,
            }
        )

    def loads(self):
        ids = np.array(self.scenario.feeder_ids, object)
        slots = self.scenario.slots
        hour = np.tile(np.arange(slots) % 24, len(ids))
        scale = np.repeat(np.linspace(1.0, 0.3, len(ids)), slots)
        base = 65.0 + 20.0 * np.cos((hour - 19) * np.pi / 12)
        share = 0.1 if self.method == "mac" else 1.0
        peak = np.where(hour == 19, 15.0 + share * self.upgrade_kw * scale, 5.0)
        frame = pd.DataFrame(
            {
                "feeder_id": np.repeat(ids, slots),
                "time": np.tile(self.scenario.times, len(ids)),
                "base_kw": base,
                "ev_kw": peak,
                "capacity_kw": 100.0,
            }
        )
        over = (frame["base_kw"] + frame["ev_kw"] - 100.0).clip(lower=0.0)
        return frame.assign(overload_kw=over)

    @property
    def has_prices(self):
        return self.status != "simulated"

    def prices(self):
        if not self.has_prices:
            raise SolutionError(f"a solution of method '{self.method}' has no prices")
        frame = self.loads()[["feeder_id", "time", "overload_kw"]]
        return frame.rename(columns={"overload_kw": "price"})

    def upgrades(self):
        most = self.loads().groupby("feeder_id", sort=False)["overload_kw"].max()
        frame = most.rename("upgrade_kw").reset_index()
        return frame.assign(upgrade_cost=400.0 * frame["upgrade_kw"], peak_time=START)

    def summary(self):
        return pd.Series(
            {
                "method": self.method,
                "feeders": len(self.scenario.feeder_ids),
                "upgrade_kw": float(self.upgrades()["upgrade_kw"].sum()),
                "objective": self.objective,
                "status": str(self.status),
            }
        )

    def report(self):
        return "\n".join([self.summary().to_string(), self.message, *self.assumptions])

    def write(self, folder):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_manifest(folder, {"method": self.method}, {}, [])
        self.written.append(folder)


UNMANAGED = FakeSolution(
    method="unmanaged",
    status=Status.simulated,
    message="Simulated.",
    lower_bound=float("nan"),
    gap=float("nan"),
)
MAC = FakeSolution()
