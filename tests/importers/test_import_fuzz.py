"""Damaged files of every format: a report, or an import; never anything else."""

import gzip
import json
import warnings

import numpy as np
import pytest
from import_samples import (
    DATA,
    EVENTS,
    STANDING,
    activity,
    commuter,
    ica,
    leg,
    net_profiles,
    net_tables,
    person,
    plan,
    population,
    write,
    write_dss,
)
from test_import_acn import ROWS
from test_import_acn import as_json as sessions_json
from test_import_pandapower import as_json

from macjax import DataError, SettingsError, importers

ROUNDS = 12
FRAGMENTS = (b"", b"-1", b"nan", b"1e999", b",", b"\n", b'"', b"\x00", b"\xff", b"=")
FRAGMENTS += (b"99:99:99", b"<", b"&x;", b"[", b"}", b"inf", b"-", b" ", b"9" * 40)


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, cut out, doubled, or lines in another order."""
    for _ in range(rng.integers(1, 4)):
        at, length = rng.integers(0, len(data) + 1), int(rng.integers(0, 12))
        kind = rng.integers(0, 5)
        if kind == 0:
            piece = FRAGMENTS[rng.integers(0, len(FRAGMENTS))]
            data = data[:at] + piece + data[at + length :]
        elif kind == 1:
            data = data[:at] + bytes(rng.integers(0, 256, 1, np.uint8)) + data[at + 1 :]
        elif kind == 2:
            data = data[: max(at, 1)]
        elif kind == 3:
            lines = data.split(b"\n")
            line = rng.integers(0, len(lines))
            data = b"\n".join(lines[:line] + lines[line : line + 1] * 2 + lines[line:])
        else:
            lines = data.split(b"\n")
            rng.shuffle(lines)
            data = b"\n".join(lines)
    return data


def samples(tmp_path) -> dict:
    """For each format: the file that is damaged, its content, and how it is read."""
    long = person(
        "bob",
        plan(
            activity("home", end_time="07:00:00"),
            leg("walk", trav_time="00:05:00"),
            activity("car interaction", 10, max_dur="00:00:00"),
            leg(metres=20_000, trav_time="00:30:00"),
            activity("work", 15_000, 0, max_dur="08:00:00"),
            leg(dep_time="17:00:00"),
            activity("home"),
        ),
    )
    net = net_tables() | {"profiles": net_profiles(1)}
    main = write_dss(tmp_path / "dss")
    texts = ("Transformers.dss", "Loads.dss", "LoadShapes.dss", "Lines.dss")
    found = {
        "matsim": ("p.xml", population(commuter(), long), importers.matsim),
        "simbev": ("a_50kWh_events.csv", EVENTS, importers.simbev),
        "standing": ("b_standing_times.csv", STANDING, importers.simbev),
        "acn": ("s.csv", (DATA / "acn_sessions.csv").read_text(), importers.acn),
        "acn json": ("s.json", json.dumps(sessions_json(ROWS)), importers.acn),
        "pandapower": (
            "n.json",
            as_json(net),
            lambda path, on_fault="": importers.pandapower(path),
        ),
        "hosting": (
            "0120.csv",
            ica((100,), (90,)).to_csv(index=False),
            lambda path, **k: importers.hosting_capacity(path, month=3, **k),
        ),
    }
    for name in ("trips", "zones", "households", "persons"):
        others = [DATA / f"mtc_{t}.csv" for t in ("trips", "zones", "households")]
        others = [p for p in others if name not in p.name]
        text = (DATA / f"mtc_{name}.csv").read_text()
        found[f"activitysim {name}"] = (
            f"mtc_{name}.csv",
            text,
            lambda path, others=others, **k: importers.activitysim(
                [path, *others], **k
            ),
        )
    for name in texts:
        text = (main.parent / name).read_text()
        found[f"opendss {name}"] = (
            f"dss/{name}",
            text,
            lambda _, **k: importers.opendss(main, **k),
        )
    for name in ("transformers", "loads", "load_profiles_15min"):
        rest = ("transformers", "loads", "load_profiles_15min")
        others = [DATA / f"smartds_{t}.csv" for t in rest if t != name]
        found[f"smartds {name}"] = (
            f"smartds_{name}.csv",
            (DATA / f"smartds_{name}.csv").read_text(),
            lambda path, others=others, **k: importers.opendss([path, *others], **k),
        )
    return found


FORMATS = ("matsim", "simbev", "standing", "acn", "acn json", "pandapower", "hosting")
FORMATS += tuple(
    f"activitysim {t}" for t in ("trips", "zones", "households", "persons")
)
FORMATS += tuple(
    f"opendss {t}.dss" for t in ("Transformers", "Loads", "LoadShapes", "Lines")
)
FORMATS += tuple(
    f"smartds {t}" for t in ("transformers", "loads", "load_profiles_15min")
)


def check(got) -> None:
    """An import that was accepted is whole: its scenario holds, its limits are numbers.

    Two kinds of faults are left to the scenario itself: what only its contract forbids.
    """
    if got.feeder_profile is not None:
        assert np.isfinite(got.feeder_profile[["capacity_kw", "base_kw"]]).all(
            axis=None
        )
    if got.vehicles is not None:
        try:
            got.scenario()
        except DataError as error:
            assert set(error.faults["table"]) <= {"vehicles", "stays", "trips"}


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_end_in_a_report_or_an_import(tmp_path, name):
    file, text, read = samples(tmp_path)[name]
    path = tmp_path / file
    whole = text.encode()
    write(path, whole)
    read(path)  # the sample itself is sound
    for seed in range(ROUNDS):
        rng = np.random.default_rng([seed, len(name)])
        write(path, damage(whole, rng))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                got = read(path, on_fault="error" if seed % 2 else "drop")
            except (DataError, SettingsError):
                continue
            check(got)


def test_damaged_gzip_ends_in_a_report(tmp_path):
    whole = gzip.compress(population(commuter()).encode())
    path = tmp_path / "plans.xml.gz"
    for seed in range(60):
        rng = np.random.default_rng(seed)
        path.write_bytes(damage(whole, rng))
        try:
            importers.matsim(path)
        except DataError as error:
            assert "plans.xml.gz" in str(error)
