"""`fleet`: a synthetic scenario of any size, drawn in blocks of vehicles.

Memory stays with the tables; every block has its own random stream, and the same
arguments always give the same tables.
"""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from macjax._errors import SettingsError, nearest
from macjax.scenario.scenario import Scenario
from macjax.synthetic.chains import draw_chains, draw_vehicles
from macjax.synthetic.energy import serve, unmanaged_load
from macjax.synthetic.frames import (
    START,
    TIMEZONE,
    feeder_frames,
    feeder_names,
    vehicle_frames,
)
from macjax.synthetic.headroom import feeder_numbers
from macjax.synthetic.nasty import nasty_frames
from macjax.synthetic.recipes import RECIPES, Recipe

BLOCK = 1 << 17
KINDS = (*RECIPES, "random")


def fleet(
    evs: int,
    slots: int | None = None,
    slot_minutes: int | None = None,
    feeders: int | None = None,
    kind: str = "easy",
    seed: int = 0,
    **changes,
) -> Scenario:
    """A synthetic fleet in which every vehicle can make its trips.

    Kinds:
        easy: home and work chargers, 50 EVs a feeder, one upgrade cost for all.
        hard: 250 EVs a feeder, small usable batteries, base load that differs from day
            to day, a few 50 kW stays that force a peak in one slot on half of the
            feeders, upgrade costs that differ by a factor of ten.
        tight, loose: hard with less and with more headroom.
        slack: so much headroom that coordination needs no upgrade at all.
        few_large, many_small: hard with 2,500 and with 8 EVs a feeder.
        long: hard over four weeks.
        random: everything the format allows at once, for tests.

    Arguments:
        evs: number of vehicles.
        slots: number of slots, default one week (four for "long", any for "random").
        slot_minutes: length of a slot [min], default 60 (any for "random").
        feeders: number of feeders, default after the kind.
        kind: one of the above.
        seed: the same arguments always give the same scenario.
        changes: numbers of `Recipe` to use instead of the kind's own.
    """
    frames = fleet_frames(
        evs, slots, slot_minutes, feeders, kind=kind, seed=seed, **changes
    )
    return Scenario.from_frames(**frames)


def fleet_frames(
    evs: int,
    slots: int | None = None,
    slot_minutes: int | None = None,
    feeders: int | None = None,
    kind: str = "easy",
    seed: int = 0,
    **changes,
) -> dict:
    """The keyword arguments of `Scenario.from_frames` for a synthetic fleet.

    Arguments: as in `fleet`.
    """
    check_arguments(evs, slots, slot_minutes, feeders, kind=kind, seed=seed, **changes)
    if kind == "random":
        return nasty_frames(evs, slots, slot_minutes, feeders, seed)
    recipe = dataclasses.replace(RECIPES[kind], **changes)
    slot_minutes = slot_minutes or 60
    slots = slots or recipe.slots * 60 // slot_minutes
    feeders = feeders or max(1, round(evs / recipe.evs_per_feeder))
    tables = _tables(evs, slots, slot_minutes / 60.0, feeders, recipe, seed)
    return dict(
        name=f"{kind} fleet of {evs} EVs, {feeders} feeders, seed {seed}",
        start=START,
        timezone=TIMEZONE,
        slot_minutes=slot_minutes,
        slots=slots,
        currency="USD",
        **tables,
    )


def check_arguments(
    evs: int,
    slots: int | None = None,
    slot_minutes: int | None = None,
    feeders: int | None = None,
    kind: str = "easy",
    seed: int = 0,
    **changes,
) -> None:
    """Raise a SettingsError unless `fleet` takes these arguments."""
    if kind not in KINDS:
        raise SettingsError(f"unknown kind '{kind}': {nearest(kind, KINDS)}")
    least = {"evs": 0, "slots": 1, "slot_minutes": 1, "feeders": 1, "seed": 0}
    given = (evs, slots, slot_minutes, feeders, seed)
    for (name, low), value in zip(least.items(), given, strict=True):
        may_miss = value is None and name not in ("evs", "seed")
        if not may_miss and not _is_whole(value, low):
            raise SettingsError(f"{name} must be a whole number >= {low}, not {value}")
    if slot_minutes is not None and 1440 % slot_minutes:
        raise SettingsError(f"slot_minutes {slot_minutes} does not divide 1440")
    known = dataclasses.asdict(Recipe())
    for name, value in changes.items():
        if name not in known or kind == "random":
            hint = nearest(name, () if kind == "random" else known)
            raise SettingsError(f"unknown option '{name}': {hint}")
        wanted = np.shape(known[name])
        if np.shape(value) != wanted or not _are_finite(value):
            shown = f"{wanted[0]} numbers" if wanted else "a number"
            raise SettingsError(f"{name} must be {shown}, not {value!r}")


def _is_whole(value: Any, low: int) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return bool(whole and value >= low)


def _are_finite(value) -> bool:
    array = np.asarray(value)
    return array.dtype.kind in "iuf" and bool(np.isfinite(array).all())


def _tables(evs, slots, slot_hours, feeders, recipe, seed) -> dict[str, pd.DataFrame]:
    """Draw blocks of vehicles, fit the feeders to their load, and make the tables."""
    hours = slots * slot_hours
    top, *streams = np.random.SeedSequence(seed).spawn(1 + max(1, -(-evs // BLOCK)))
    rng = np.random.default_rng(top)
    homes = rng.permutation(np.arange(evs) % feeders)
    days = max(1, int(hours // 24))
    event = 24.0 * rng.integers(0, days, feeders) + rng.integers(9, 19, feeders)
    event = np.where(rng.permutation(feeders) < recipe.busy * feeders, event, np.nan)
    names = feeder_names(feeders)
    load = np.zeros((feeders, slots))
    blocks = []
    for first, stream in zip(range(0, max(evs, 1), BLOCK), streams, strict=True):
        part = np.random.default_rng(stream)
        home = homes[first : first + BLOCK]
        vehicles = draw_vehicles(part, recipe, home, feeders)
        chains = draw_chains(part, recipe, vehicles, hours, slot_hours, event)
        served = serve(chains, vehicles, hours)
        chains = dataclasses.replace(chains, energy=served.trip_energy)
        final = np.minimum(vehicles.initial, served.reach)
        load += unmanaged_load(
            chains, vehicles, served.unmanaged, feeders, slots, slot_hours
        )
        ids = pd.Index(np.arange(first, first + home.size))
        blocks.append(vehicle_frames(ids, names, vehicles, chains, final))
    living = np.bincount(homes, minlength=feeders).astype(float)
    base, capacity, cost = feeder_numbers(rng, recipe, load, living, slot_hours)
    tables = {
        name: pd.concat([b[name] for b in blocks], ignore_index=True)
        if len(blocks) > 1
        else blocks[0][name]
        for name in blocks[0]
    }
    capacity = np.broadcast_to(capacity[:, None], base.shape)
    return tables | feeder_frames(names, base, capacity, cost, slot_hours)
