"""What the files of a solution folder hold, in words that travel with them.

Each table is described by what one of its rows is, its columns and their units. The
same words are in solution.json, in README.txt and in the metadata of each Parquet file,
so that a folder can be read without macjax.
"""

FORMAT = "macjax solution"
SCHEMA_VERSION = 1

_VEHICLE = "vehicle, as in scenario/vehicles"
_FEEDER = "feeder, as in scenario/feeders"
_SLOT = "start of the slot (an instant, shown in the scenario's timezone)"
_TRIP = "row number (from 0) of scenario/trips, the first trip that fails; may be null"
_MISSING = "energy missing in the battery [kWh]"

TABLES: dict[str, tuple[str, dict[str, str]]] = {
    "schedule": (
        "one stay that draws power in one slot, sorted by stay and slot",
        {
            "vehicle_id": _VEHICLE,
            "stay": "row number (from 0) of scenario/stays",
            "time": _SLOT,
            "feeder_id": _FEEDER + "; null: a charger without a feeder",
            "kw": "average grid power over the slot of one such vehicle, its weight "
            "not counted [kW]",
        },
    ),
    "loads": (
        "one feeder in one slot; average power over the slot, weights counted",
        {
            "feeder_id": _FEEDER,
            "time": _SLOT,
            "base_kw": "load without vehicles [kW]",
            "ev_kw": "load of the vehicles [kW]",
            "capacity_kw": "limit on the load [kW]",
            "overload_kw": "(base_kw + ev_kw - capacity_kw), 0 where negative [kW]",
        },
    ),
    "upgrades": (
        "one feeder",
        {
            "feeder_id": _FEEDER,
            "upgrade_kw": "largest overload of the horizon [kW]",
            "upgrade_cost": "upgrade_kw x upgrade_cost_per_kw [currency]",
            "peak_time": "slot of the largest overload; null without overload",
            "base_only_kw": "upgrade that the base load alone needs [kW]",
        },
    ),
    "prices": (
        "one feeder in one slot",
        {
            "feeder_id": _FEEDER,
            "time": _SLOT,
            "price": "cost of one more kW in that slot [currency/kW]; one grid kWh "
            "there costs price / slot hours",
        },
    ),
    "dual_ray": (
        "one feeder in one slot: the proof that hard capacities cannot hold",
        {
            "feeder_id": _FEEDER,
            "time": _SLOT,
            "ray": "weight of the slot in the proof; 0 where it takes no part",
        },
    ),
    "beside": (
        "one feeder in one slot; only in a part of a solution",
        {
            "feeder_id": _FEEDER,
            "time": _SLOT,
            "ev_kw": "load of the vehicles of the other parts [kW]",
        },
    ),
    "initial": (
        "one vehicle, in the order of scenario/vehicles; only where the method does "
        "not start from initial_kwh of that table",
        {
            "vehicle_id": _VEHICLE,
            "initial_kwh": "SOC at the start of the horizon [kWh]",
        },
    ),
    "infeasible": (
        "one vehicle that cannot make its trips even at full power",
        {
            "vehicle_id": _VEHICLE,
            "trip": _TRIP,
            "departure": "departure of that trip",
            "missing_kwh": _MISSING,
        },
    ),
    "stranded": (
        "one vehicle whose trips the method does not serve",
        {"vehicle_id": _VEHICLE, "trip": _TRIP, "missing_kwh": _MISSING},
    ),
    "dropped": (
        "one vehicle left out of the problem (on_infeasible='drop')",
        {"vehicle_id": _VEHICLE},
    ),
    "history": ("one check of the run; the columns are the solver's", {}),
}
FILES = {
    "scenario/": "the scenario that was solved, in its own format",
    "solution.json": "status, numbers, settings, assumptions, versions, SHA-256 of "
    "each file, this description",
    "objective.json": "the objective: type and parameters",
}


def described() -> dict:
    """The description of all tables, as it is put into solution.json."""
    return {
        f"{name}.parquet": {"row": row, "columns": columns}
        for name, (row, columns) in TABLES.items()
    }


def readme(title: str, numbers: str, assumptions: list[str], tables: list[str]) -> str:
    """Text of README.txt of a folder.

    Arguments:
        title: what the folder is.
        numbers: the summary as text.
        assumptions: what the result rests on.
        tables: names of the tables that the folder holds.
    """
    lines = [title, "=" * len(title), "", numbers, "", "Assumptions"]
    lines += [f"- {sentence}" for sentence in assumptions]
    lines += ["", "Files"]
    lines += [f"- {name}: {meaning}" for name, meaning in FILES.items()]
    for name in tables:
        row, columns = TABLES[name]
        lines.append(f"- {name}.parquet: a row is {row}")
        lines += [f"    {column}: {text}" for column, text in columns.items()]
    lines += ["", "Positive power is drawn from the grid. SOC is the state of charge."]
    return "\n".join(lines) + "\n"
