"""The kind "random": small scenarios with everything the format allows at once.

Odd slot lengths, stays off the grid, several stays in one slot, stays and trips
outside the horizon, gaps between them, vehicles without stays, without trips, or
with an empty or full tube, no feeder, no charger, weights, efficiencies, tables in
random row order, daily profiles, a change to summer time, negative base load and
headroom, feeders without vehicles and without cost. Every vehicle is feasible.
"""

import dataclasses

import numpy as np
import pandas as pd

from macjax.synthetic.chains import PUBLIC, Chains, Vehicles
from macjax.synthetic.energy import Served, serve, unmanaged_load
from macjax.synthetic.frames import feeder_frames, feeder_names, vehicle_frames

SLOT_MINUTES = (5, 10, 12, 15, 20, 30, 32, 45, 48, 60, 72, 90, 96, 120, 180, 288)
CHARGERS_KW = (1.2, 2.3, 3.6, 6.6, 7.2, 11.0, 22.0, 50.0, 150.0)
PLACES_IN_TIME = (
    ("2026-05-04T00:00:00-07:00", "America/Los_Angeles"),
    ("2026-03-07T17:30:00-08:00", "America/Los_Angeles"),  # summer time begins
    ("2026-10-24T21:00:00+02:00", "Europe/Berlin"),  # summer time ends
    ("2026-01-01T05:30:00+05:30", "Asia/Kolkata"),
    ("2025-12-31T22:15:00Z", "UTC"),
)
MOST_TRIPS = 12


def nasty_frames(
    evs: int,
    slots: int | None,
    slot_minutes: int | None,
    feeders: int | None,
    seed: int,
) -> dict:
    """Keyword arguments of `Scenario.from_frames`; None stands for a random choice."""
    rng = np.random.default_rng([seed, 7])
    slot_minutes = slot_minutes or int(rng.choice(SLOT_MINUTES))
    slots = slots or int(rng.integers(1, 73))
    feeders = feeders or int(rng.integers(1, 2 + max(1, evs // 8)))
    start, zone = PLACES_IN_TIME[rng.integers(len(PLACES_IN_TIME))]
    slot_hours = slot_minutes / 60.0
    hours = slots * slot_hours
    vehicles = _vehicles(rng, evs)
    chains, there = _chains(rng, vehicles, hours, feeders)
    chains, served = _energies(rng, chains, vehicles, hours)
    final = _final(rng, vehicles, served)
    load = unmanaged_load(
        chains, vehicles, served.unmanaged, feeders, slots, slot_hours
    )
    ids, names = _names(rng, evs, feeders)
    tables = vehicle_frames(ids, names, vehicles, chains, final, start)
    tables["stays"] = tables["stays"][there]
    daily = bool(rng.random() < 0.3)
    base, capacity, cost = _feeders(rng, load, 24 if daily else slots)
    tables |= feeder_frames(names, base, capacity, cost, slot_hours, start, daily)
    tables = {
        name: frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
        for name, frame in tables.items()
    }
    return dict(
        name=f"random fleet of {evs} EVs, {feeders} feeders, seed {seed}",
        start=start,
        timezone=zone,
        slot_minutes=slot_minutes,
        slots=slots,
        currency="EUR",
        **tables,
    )


def _names(rng, evs, feeders) -> tuple[pd.Index, pd.Index]:
    """Ids of vehicles and feeders: numbers or text, not in order."""
    ids = pd.Index(rng.permutation(3 * evs + 10)[:evs].astype(np.int64))
    if rng.random() < 0.5:
        ids = pd.Index([f"car {i}" for i in ids], dtype=object)
    if rng.random() < 0.5:
        return ids, pd.Index(rng.permutation(feeders * 2)[:feeders].astype(np.int64))
    return ids, feeder_names(feeders)


def _vehicles(rng, n) -> Vehicles:
    """Vehicles of any size; some start empty, some full, some can only stay full."""
    battery = np.round(rng.uniform(2.0, 100.0, n), 2)
    reserve = np.where(rng.random(n) < 0.3, 0.0, rng.uniform(0.0, 0.7, n) * battery)
    part = rng.choice((0.0, 1.0, np.nan), n, p=(0.1, 0.1, 0.8))
    part = np.where(np.isnan(part), rng.random(n), part)
    stuck = rng.random(n) < 0.03
    reserve = np.round(np.where(stuck, battery, reserve), 2)
    none = np.full(n, -1)
    return Vehicles(
        battery=battery,
        initial=np.round(reserve + part * (battery - reserve), 2),
        reserve=reserve,
        efficiency=np.where(rng.random(n) < 0.2, 1.0, rng.uniform(0.6, 1.0, n)),
        consumption=np.full(n, 0.2),
        home=none,
        work=none,
        home_kw=np.zeros(n),
        work_kw=np.zeros(n),
        weight=np.where(rng.random(n) < 0.5, 1.0, np.exp(rng.normal(0.0, 1.5, n))),
    )


def _chains(rng, vehicles, hours, feeders) -> tuple[Chains, np.ndarray]:
    """Chains at any second, and which of the stays (s,) are in the table."""
    n = vehicles.battery.size
    count = rng.integers(0, MOST_TRIPS + 1, n)
    count[rng.random(n) < 0.1] = 0
    # 2 c + 2 increasing instants: the first stay begins, trips, the last stay ends
    width = hours * np.where(rng.random(n) < 0.25, 0.05, rng.uniform(0.3, 1.4, n))
    middle = hours * rng.uniform(0.0, 1.0, n)
    times = np.sort(rng.uniform(-0.5, 0.5, (n, 2 * MOST_TRIPS + 2)), axis=1)
    times = times * width[:, None] + middle[:, None]
    seconds = np.round(times * 3600.0) + 3.0 * np.arange(times.shape[1])
    on_grid = rng.random(seconds.shape) < 0.1
    minute = np.round(seconds / 60.0) * 60.0
    seconds = np.maximum.accumulate(np.where(on_grid, minute, seconds), axis=1)
    seconds += 2.0 * np.arange(times.shape[1])
    times = seconds / 3600.0
    trips = np.arange(MOST_TRIPS) < count[:, None]
    stays = np.arange(MOST_TRIPS + 1) <= count[:, None]
    arrive, depart = times[:, 0::2][stays], times[:, 1::2][stays]
    total = arrive.size
    gap = (rng.random(total) < 0.3) * rng.uniform(0.0, 0.4, total) * (depart - arrive)
    arrive = np.floor((arrive + gap) * 3600.0 + 0.5) / 3600.0
    power = rng.choice(CHARGERS_KW, total)
    power[rng.random(total) < 0.2] = 0.0
    feeder = rng.integers(0, max(1, feeders - feeders // 4), total)
    feeder[rng.random(total) < 0.15] = -1
    there = rng.random(total) < 0.95
    there &= np.repeat(rng.random(n) < 0.95, count + 1)
    distance = rng.exponential(60.0, count.sum())
    return Chains(
        first=np.cumsum(count) - count,
        count=count,
        trip_depart=times[:, 1:-1:2][trips],
        trip_arrive=times[:, 2::2][trips],
        distance=distance,
        energy=distance * 0.2,
        forced=np.where(rng.random(distance.size) < 0.3, 1.0, 0.0),
        stay_arrive=arrive,
        stay_depart=depart,
        place=np.full(total, PUBLIC),
        feeder=feeder,
        charger_kw=np.where(there, power, 0.0),
    ), there


def _energies(rng, chains, vehicles, hours) -> tuple[Chains, Served]:
    """Trip energies [kWh] that can be served; trips outside the horizon take any."""
    counts = (chains.trip_depart >= 0.0) & (chains.trip_depart < hours)
    asked = np.where(chains.forced > 0, 1e3, chains.energy)
    idle = rng.random(asked.size) < 0.1
    asked = np.where(counts & ~idle, asked, 0.0)
    served = serve(dataclasses.replace(chains, energy=asked), vehicles, hours)
    energy = np.where(counts, served.trip_energy, chains.energy)
    return dataclasses.replace(chains, energy=energy), served


def _final(rng, vehicles, served) -> np.ndarray:
    """Final SOC [kWh]: nothing, the initial one where it can be, or all that can be."""
    n = vehicles.battery.size
    usual = np.minimum(vehicles.initial, served.reach)
    choice = rng.integers(0, 3, n)
    return np.choose(choice, (np.zeros(n), usual, served.reach))


def _feeders(rng, load, columns):
    """Base load, capacity (f, columns) [kW] and cost (f,), headroom partly negative."""
    feeders = load.shape[0]
    shape = (feeders, columns)
    scale = np.maximum(load.mean(axis=1), 0.3 * load.max(axis=1, initial=0.0))
    scale = (scale + 0.1)[:, None]
    base = scale * rng.normal(1.0, 1.0, shape)
    size = scale * rng.uniform(0.0, 2.0, (feeders, 1))
    headroom = size * rng.uniform(0.3, 1.0, shape)
    short = (rng.random(shape) < 0.05) & (rng.random((feeders, 1)) < 0.4)
    headroom = np.where(short, -0.3 * scale * rng.random(shape), headroom)
    cost = np.exp(rng.normal(3.0, 1.5, feeders))
    cost[rng.random(feeders) < 0.08] = 0.0
    return base, base + headroom, cost
