"""A folder of exported files: written whole or not at all, replaced only by its like.

`EXPORT.txt` says what is in it; a folder that has none and is not empty is refused.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from macjax._errors import SettingsError
from macjax.results import folders

NAME = "EXPORT.txt"
MARK = "macjax export: "


def check_export_folder(folder: str | os.PathLike, kind: str) -> Path:
    """The absolute path, or a SettingsError unless such an export may be written there.

    Arguments:
        folder: missing, empty, or with an export of the same kind, which is replaced.
        kind: `opendss`, `pandapower`, `csv`.
    """
    path = folders.resolved(folder)
    folders.probe(path)
    if path.exists() and any(path.iterdir()):
        about = path / NAME
        first = about.read_text("utf-8").partition("\n")[0] if about.is_file() else ""
        if first != MARK + kind:
            raise SettingsError(
                f"'{path}' is not empty and holds no export to {kind}; name another"
            )
    return path


def write_export(
    folder: str | os.PathLike, kind: str, solution, words: list[str], fill: Callable
) -> Path:
    """Write the files of an export and what they are; returns the absolute path.

    Arguments:
        folder: as in `check_export_folder`.
        kind: of the export.
        solution: what is exported.
        words: lines on the files for `EXPORT.txt`.
        fill: writes the files into the empty folder it is given.
    """
    path, scenario = check_export_folder(folder, kind), solution.scenario
    lines = [
        MARK + kind,
        "",
        f"Scenario '{scenario.name}', fingerprint {scenario.fingerprint[:12]}; method "
        f"{solution.method}, status {solution.status}, gap {solution.gap:.3g}.",
        f"{scenario.slots} slots of {scenario.slot_minutes} minutes from "
        f"{scenario.start.isoformat()} ({scenario.timezone}).",
        "Average power over a slot, positive from the grid; weights are counted in",
        "loads of feeders and not in the schedule of a vehicle.",
        "",
        *words,
    ]

    def fill_all(place: Path) -> None:
        fill(place)
        (place / NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")

    folders.replace_folder(path, fill_all)
    return path


def iso_times(times) -> pd.Series:
    """Instants as ISO 8601 text with their offset, quick where few of them differ."""
    codes, instants = pd.factorize(pd.DatetimeIndex(times))
    text = pd.Index([instant.isoformat() for instant in instants], dtype=object)
    return pd.Series(text.take(codes).to_numpy(object), dtype=object)
