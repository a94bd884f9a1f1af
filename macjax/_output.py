"""Where a command puts its results: folders checked before the work, tables, JSON.

A folder is refused before the solve when it cannot be written or holds something that
macjax did not put there, so that a long run never ends without a place for its result
and never replaces what is not its own.
"""

import json
import math
import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from macjax._errors import FIRST_IDS, SettingsError
from macjax.results import check_output
from macjax.results.folders import complete_folder, probe

SOLUTION_FILE = "solution.json"


def is_solution(folder: Path) -> bool:
    """The folder holds a solution, also where its last writing was killed."""
    return (complete_folder(folder.absolute()) / SOLUTION_FILE).is_file()


def check_collection_folder(
    folder: Path, solutions: Collection[str], others: Collection[str]
) -> None:
    """Raise unless the folder is new or holds only own results.

    Arguments:
        solutions: names of the folders of solutions in it.
        others: names of the other files and folders that macjax writes there.
    """
    probe(folder.absolute())
    names = sorted(p.name for p in folder.iterdir()) if folder.exists() else []
    own = {*solutions, *others}
    # Hidden names are what a killed writing of a solution leaves behind.
    foreign = [n for n in names if n not in own and not n.startswith(".")]
    if foreign:
        shown = ", ".join(foreign[:FIRST_IDS])
        raise SettingsError(
            f"output folder '{folder}' holds files that are not results of this "
            f"command ({shown}); nothing is overwritten: name another folder"
        )
    for name in solutions:
        check_output(folder / name)
    check_files(folder, [name for name in others if "." in name])
    for name in others:
        if "." not in name:
            probe(folder.absolute() / name)


def check_files(folder: Path, names: Collection[str]) -> None:
    """Raise unless files of these names can be written to the folder."""
    probe(folder.absolute())
    for name in names:
        path = folder / name
        if path.is_dir() or (path.exists() and not os.access(path, os.W_OK)):
            raise SettingsError(
                f"'{path}' cannot be replaced; name another folder or move it away"
            )


def json_value(value):
    """A value as JSON knows it: no NaN or infinity (null), timestamps as text."""
    if isinstance(value, pd.DataFrame):
        return [json_value(row) for row in value.to_dict("records")]
    if isinstance(value, pd.Series | Mapping):
        return {str(k): json_value(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | list | tuple | set):
        return [json_value(v) for v in value]
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, np.generic):
        return json_value(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return str(value)  # an enum becomes its word
    return value if isinstance(value, bool | int) else str(value)


def print_json(record: Mapping) -> None:
    """One JSON object on stdout."""
    json.dump(json_value(record), sys.stdout, allow_nan=False, indent=2)
    sys.stdout.write("\n")


def note(text: str) -> None:
    """One line on stderr, at once."""
    print(text, file=sys.stderr, flush=True)


def note_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """A warning as one line on stderr, in place of `warnings.showwarning`."""
    note(f"{category.__name__}: {message}")


def number_text(value) -> str:
    """A number for people: thousands by comma, as many digits as tell something."""
    value = json_value(value)
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1e4:
        return f"{value:,.0f}"
    if value == 0 or abs(value) >= 1:
        return f"{value:,.2f}"
    return f"{value:.2e}" if abs(value) < 1e-2 else f"{value:.4f}"


def comparison_text(table: pd.DataFrame) -> str:
    """A comparison turned so that it fits a terminal: a column for each row.

    The first column of the table is the heading.
    """
    heads, rest = table.iloc[:, 0].astype(str).tolist(), table.iloc[:, 1:]
    cells = [[number_text(v) for v in rest[name]] for name in rest.columns]
    return pd.DataFrame(cells, index=list(rest.columns), columns=heads).to_string()
