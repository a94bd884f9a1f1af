"""Mutated tables and files end as a report or as a scenario, never as anything else."""

import datetime
import decimal
import random

import numpy as np
import pandas as pd
import pytest
from scenario_tables import TABLE_NAMES, good, hourly

from macjax._errors import DataError
from macjax.scenario import Scenario

NASTY = [
    *[None, np.nan, pd.NA, pd.NaT, np.inf, -np.inf, 0, -1, 1, True, {}, [], (1,)],
    *[2**53, 2**63, 2**64, 1e308, 1e-308, complex(1, 1), b"b", object()],
    *["", "x", "7,4", "7.4", "nan", "\ud800", "é", "x" * 1000],
    *["2026-03-02", "2026-03-29T02:30", "2026-03-02T00:00:00Z", "2026-13-01T00:00Z"],
    *["0000-01-01T00:00Z", "9999-12-31T23:59:59Z", pd.Timestamp.max],
    *[datetime.date(2026, 3, 2), datetime.datetime(2026, 3, 2), datetime.time(3)],
    *[decimal.Decimal("3.5"), decimal.Decimal("NaN"), np.datetime64("NaT")],
    *[pd.Timedelta(1), pd.Period("2026-03"), pd.Interval(0, 1), np.float32(2)],
]
DTYPES = ["object", "float64", "Int64", "string", "category", "bool", "complex128"]
DTYPES += ["datetime64[ns]", "timedelta64[ns]", "boolean", "UInt64", "float32"]


def spoiled(series: pd.Series, value, row: int | None) -> pd.Series:
    """An object column with one cell, or all of them, replaced."""
    values = np.empty(len(series), object)
    values[:] = series.astype(object).to_numpy()
    for place in range(len(values)) if row is None else [row]:
        values[place] = value
    return pd.Series(values, index=series.index, dtype=object)


def mutate(arguments: dict, rng: random.Random) -> None:
    """One random change of a table."""
    table = rng.choice(TABLE_NAMES)
    frame = arguments[table]
    name = rng.choice(list(frame.columns))
    kind = rng.randrange(7)
    if kind <= 1 and len(frame):
        row = rng.randrange(len(frame)) if kind else None
        frame = frame.assign(**{name: spoiled(frame[name], rng.choice(NASTY), row)})
    elif kind == 2:
        frame = frame.assign(**{name: frame[name].astype(rng.choice(DTYPES))})
    elif kind == 3:
        frame = frame.drop(columns=name)
    elif kind == 4:
        frame = frame.sample(frac=1.3 * rng.random(), replace=True, random_state=1)
    elif kind == 5:
        frame = frame[:0]
    else:
        frame = frame.rename(columns={name: rng.choice([*frame.columns, "foo", 5])})
    arguments[table] = frame


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.filterwarnings("ignore")
def test_mutated_tables_end_as_a_report_or_as_a_scenario(seed):
    rng = random.Random(seed)
    outcomes = {"scenario": 0, "report": 0}
    for _ in range(60):
        arguments = good(feeder_profile=hourly()) if rng.random() < 0.3 else good()
        try:
            for _ in range(rng.choice([1, 1, 2, 3])):
                mutate(arguments, rng)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue  # pandas itself refuses this change
        try:
            scenario = Scenario.from_frames(**arguments)
        except DataError as error:
            assert len(error.faults) > 0
            outcomes["report"] += 1
            continue
        outcomes["scenario"] += 1
        assert np.isfinite(scenario.capacity_base()).all()
        windows, events = scenario.stay_windows(), scenario.trip_events()
        assert (windows.begin_h < windows.end_h).all()
        assert np.isfinite(events.energy_kwh).all()
        assert np.isfinite(scenario.vehicles["final_kwh"]).all()
    assert outcomes["scenario"] > 3 and outcomes["report"] > 20


@pytest.mark.parametrize("name", TABLE_NAMES)
@pytest.mark.filterwarnings("ignore")
def test_flipped_bits_end_as_a_report_or_change_nothing(tmp_path, name):
    """A flip in a column's name, outside any checksum, makes it an extra column."""
    Scenario.from_frames(**good()).write(tmp_path / "s")
    whole = Scenario.read(tmp_path / "s").fingerprint
    path = tmp_path / "s" / f"{name}.parquet"
    content = path.read_bytes()
    rng = random.Random(0)
    reports = 0
    for _ in range(60):
        flipped = bytearray(content)
        flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        try:
            scenario = Scenario.read(tmp_path / "s")
        except DataError:
            reports += 1
            continue
        renamed = any("meant?" in note for note in scenario.notes)
        assert renamed or scenario.fingerprint == whole
    assert reports > 10
