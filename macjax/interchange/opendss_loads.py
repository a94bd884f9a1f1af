"""Feeder loads as OpenDSS text: a LoadShape and a Load a feeder, in CSV profiles.

    New LoadShape.ev_F1 npts=168 minterval=60 useactual=yes mult=(file=ev_F1.csv)
    New Load.ev_F1 bus1=bus12 phases=3 kv=12.47 model=1 kw=412 pf=1 yearly=ev_F1

Values are kW (`useactual`). Such a shape without `qmult` means no reactive power to
OpenDSS, so with a power factor below 1 the kvar are written too.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.interchange.export_folder import write_export
from macjax.interchange.feeder_power import FeederPower, feeder_power, places_of

MAIN, SHAPES, LOADS, NAMES = "Main.dss", "LoadShapes.dss", "Loads.dss", "loads.csv"
PROFILES = "profiles"
WORDS = [
    f"{MAIN}: redirects to the others; `Redirect {MAIN}` in a circuit with the buses",
    f"{SHAPES}: one load shape a feeder, in kW",
    f"{LOADS}: one load for each feeder that has a bus; only where buses are given",
    f"{NAMES}: feeder_id, name, bus, kv [kV], phases, peak_kw [kW], energy_kwh [kWh]",
    f"{PROFILES}/: one value a slot [kW], *_kvar.csv [kvar]",
]


def to_opendss(
    solution,
    folder: str | os.PathLike,
    *,
    power: str = "ev",
    buses=None,
    kv: float | None = None,
    phases: int = 3,
    power_factor: float = 1.0,
) -> Path:
    """Write feeder loads as OpenDSS load shapes, and as loads where buses are known.

    Arguments:
        solution: a `Solution` with a schedule.
        folder: a new or an empty folder, or that of a former export, which is replaced.
        power: `ev`, the vehicles alone, `base`, or `total`, both.
        buses: a mapping or Series from feeder_id to bus, or a frame with feeder_id, bus
            and perhaps kv and phases; a feeder without a bus gets a load shape and no
            load. None writes load shapes alone.
        kv: rated voltage of the loads as OpenDSS wants it, between phases for two and
            three phases [kV]; needed with buses, unless the frame has it.
        phases: phases of the loads, 1 to 3, unless the frame has them.
        power_factor: active over apparent power, in (0, 1].

    Returns:
        The absolute path of the folder; `loads.csv` in it maps feeders to names.
    """
    given = feeder_power(solution, power, power_factor)
    table = _elements(given, places_of(given.feeder_id, buses, ("kv", "phases")))
    table = _rated(table, kv, phases)
    reactive = power_factor < 1
    shapes = _shape_lines(given, reactive)
    loads = _load_lines(table, power_factor)
    step = f"stepsize={given.minutes}m number={len(given.times)}"
    main = [f"! {len(shapes)} load shapes from {given.times[0].isoformat()}"]
    main += [f"Redirect {SHAPES}"] + ([f"Redirect {LOADS}"] if loads else [])
    main += [f"! Solve mode=yearly {step}"]

    def fill(place: Path) -> None:
        (place / PROFILES).mkdir()
        for name, kw, kvar in zip(given.names, given.kw, given.kvar, strict=True):
            _write_values(place / PROFILES / f"{name}.csv", kw)
            if reactive:
                _write_values(place / PROFILES / f"{name}_kvar.csv", kvar)
        for file, lines in ((MAIN, main), (SHAPES, shapes), (LOADS, loads)):
            if lines:
                (place / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
        table.to_csv(place / NAMES, index=False)

    return write_export(folder, "opendss", solution, WORDS, fill)


def _elements(given: FeederPower, places: pd.DataFrame) -> pd.DataFrame:
    """A row a feeder: feeder_id, name, places, peak_kw [kW], energy_kwh [kWh]."""
    own = {"feeder_id": given.feeder_id.to_numpy(), "name": given.names}
    sums = {
        "peak_kw": given.kw.max(axis=1, initial=0.0),
        "energy_kwh": given.kw.sum(axis=1) * given.minutes / 60,
    }
    return pd.DataFrame(own).join(places).assign(**sums)


def _rated(table: pd.DataFrame, kv: float | None, phases: int) -> pd.DataFrame:
    """The table with kv and phases of every load, checked."""
    placed = table["bus"].notna()
    for name, default in (("kv", kv), ("phases", phases)):
        if name not in table:
            table[name] = default
        values = pd.to_numeric(table[name], errors="coerce")
        if default is not None:
            values = values.fillna(default)
        wrong = placed & ~(values > 0)
        if name == "phases":
            wrong |= placed & ~values.isin([1, 2, 3])
        if wrong.any():
            first = table["feeder_id"][wrong].iloc[0]
            accepted = "a voltage in kV" if name == "kv" else "1, 2 or 3"
            raise SettingsError(
                f"{name}: must be {accepted} for a load with a bus, and is not for "
                f"{int(wrong.sum())} of them, the first at feeder {first}; give "
                f"{name}= or a column of buses"
            )
        table[name] = values
    bad = placed & table["bus"].astype(str).str.contains(r"[\s,!\"'(){}\[\]=]|//|^$")
    if bad.any():
        raise SettingsError(
            f"buses: {table['bus'][bad].iloc[0]!r} cannot be the name of a bus"
        )
    return table


def _shape_lines(given: FeederPower, reactive: bool) -> list[str]:
    head = f"npts={len(given.times)} minterval={given.minutes} useactual=yes"
    lines = []
    for name in given.names:
        line = f"New LoadShape.{name} {head} mult=(file={PROFILES}/{name}.csv)"
        if reactive:
            line += f" qmult=(file={PROFILES}/{name}_kvar.csv)"
        lines.append(line)
    return lines


def _load_lines(table: pd.DataFrame, power_factor: float) -> list[str]:
    return [
        f"New Load.{row.name_} bus1={row.bus} phases={int(row.phases)} kv={row.kv:g} "
        f"model=1 kw={row.peak_kw:.9g} pf={power_factor:g} status=variable "
        f"yearly={row.name_} daily={row.name_}"
        for row in table[table["bus"].notna()]
        .rename(columns={"name": "name_"})
        .itertuples()
    ]


def _write_values(path: Path, values: np.ndarray) -> None:
    np.savetxt(path, values, fmt="%.12g")
