"""OpenDSS text as a table of properties: one row for each `name=value` of an element.

A statement is a line with the lines that continue it (`~`, `More`). Comments begin with
`!` or `//`, blocks of them stand between `/*` and `*/`. Values may be quoted or in
brackets. `Redirect` and `Compile` read further files, within one folder only. All of it
is done on whole columns of text, so that large circuits are read quickly.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from macjax.importers.files import UnreadableError, read_text
from macjax.importers.findings import Findings

MOST_FILES = 10_000
# `name = value`: a value in quotes or brackets, or up to white space or a comma.
_PAIR = (
    r"([%\w.-]+)\s*=\s*"
    r"(\"[^\"]*\"|'[^']*'|\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\]]*\]|\{[^}]*\}|[^\s,]*)"
)
_COMMAND = r"^(?P<word>\S+)(?:\s+(?:(?i:object)\s*=\s*)?(?P<rest>.*))?$"
_OBJECT = (
    r"^[\"'(\[{]?(?P<kind>\w+)\.(?P<name>\"[^\"]*\"|[^\s,\"']+)[\"']?(?P<rest>.*)$"
)
# Commands that change neither transformers nor loads.
QUIET = ("clear", "clearall", "set", "solve", "calcvoltagebases", "calcv", "plot")
QUIET += ("buscoords", "latlongcoords", "show", "export", "help")
# Elements whose properties count here.
READ_KINDS = ("transformer", "load", "line", "loadshape", "xfmrcode", "reactor")
# Elements that only describe others, or watch them.
QUIET_KINDS = ("circuit", "vsource", "linecode", "linegeometry", "linespacing")
QUIET_KINDS += ("wiredata", "cndata", "tsdata", "growthshape", "spectrum", "tcc_curve")
QUIET_KINDS += ("monitor", "energymeter", "sensor", "xycurve", "tshape", "priceshape")
_ROW, _VALUE, _END = "\x1e", "\x1f", "\x1d"


class Script(NamedTuple):
    """What the files of a circuit say.

    Arguments:
        elements: kind, name (both lower case), file, line, edited (`Edit`, not `New`).
        properties: element (row of `elements`), name (lower case), value (without
            quotes or brackets), in their order.
        files: path of each file by its name in reports.
        coordinates: file and argument of each `Buscoords` command.
    """

    elements: pd.DataFrame
    properties: pd.DataFrame
    files: dict[str, Path]
    coordinates: list[tuple[str, str]]


def read_script(main: Path, root: Path, findings: Findings) -> Script:
    """The statements of a file and of all that it redirects to.

    Arguments:
        main: the first file.
        root: the folder that redirects may not leave.
        findings: commands that are not read are noted there.

    Raises:
        DataError: a file is missing, outside the folder, or cannot be read.
    """
    parts: list[pd.DataFrame] = []
    files: dict[str, Path] = {}
    _read_file(main, root.resolve(), (), parts, files, findings)
    commands = pd.concat(parts, ignore_index=True)
    made = commands["word"].isin(["new", "edit"])
    _note_unread(commands[~made], findings)
    placed = commands[commands["word"] == "buscoords"]
    named = list(zip(placed["file"], placed["rest"], strict=True))
    elements = _elements(commands[made].reset_index(drop=True), findings)
    return Script(*elements, files, named)


def _read_file(path: Path, root: Path, chain, parts, files, findings) -> None:
    """Read one file, its redirects in their places."""
    name = _label(path, root)
    if path in chain:
        findings.broken(name, "redirect", "redirects to itself through other files")
    if len(files) >= MOST_FILES:
        findings.broken(name, "redirect", f"there are more than {MOST_FILES} files")
    files[name] = path
    try:
        commands = _commands(read_text(path))
    except UnreadableError as error:
        findings.broken(name, "file", str(error))
        return
    commands["file"] = name
    turn = commands["word"].isin(["redirect", "compile"]).to_numpy(bool)
    begin = 0
    for at in np.flatnonzero(turn):
        parts.append(commands.iloc[begin:at])
        begin = at + 1
        line = int(commands["line"].iloc[at])
        given = unquoted(str(commands["rest"].iloc[at]))
        after = within(path.parent, given, root)
        if isinstance(after, str):
            findings.broken(name, "redirect", after, [line])
            continue
        _read_file(after, root, (*chain, path), parts, files, findings)
    parts.append(commands.iloc[begin:])


def unquoted(text: str) -> str:
    """A file name without quotes or brackets around it."""
    return text.strip().strip("\"'([{)]}")


def within(folder: Path, given: str, root: Path) -> Path | str:
    """The file that is named from a folder, or in words why it is not to be read."""
    path = (folder / given.replace("\\", "/")).resolve()
    if not path.is_relative_to(root.resolve()):
        return f"'{given}' leads out of the folder '{root.name}'; give root="
    if not path.is_file():
        path = _any_case(path) or path
    return path if path.is_file() else f"there is no file '{given}'"


def _any_case(path: Path) -> Path | None:
    """A file of the same name in other letters: OpenDSS was born on Windows."""
    if not path.parent.is_dir():
        return None
    same = (p for p in path.parent.iterdir() if p.name.lower() == path.name.lower())
    return next(same, None)


def _label(path: Path, root: Path) -> str:
    path = path.resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name


def _commands(text: str) -> pd.DataFrame:
    """word (lower case), rest, line of each statement of a text."""
    lines = pd.Series(text.splitlines() or [""], dtype=object)
    lines = _without_blocks(lines)
    lines = lines.str.replace(r"(?:!|//).*$", "", regex=True).str.strip()
    number = np.arange(1, len(lines) + 1)
    kept = (lines != "").to_numpy(bool)
    lines, number = lines[kept].reset_index(drop=True), number[kept]
    follows = lines.str.match(r"(?i)(?:~|more\b|m\s)").to_numpy(bool)
    lines = lines.where(
        ~follows, lines.str.replace(r"(?i)^(?:~|more\b|m\s)\s*", "", regex=True)
    )
    statement = np.cumsum(~follows)
    first = np.flatnonzero(~follows)
    joined = lines.groupby(statement).agg(" ".join)
    # A continuation before any statement belongs to none.
    joined = joined[joined.index > 0]
    found = joined.str.extract(_COMMAND)
    frame = pd.DataFrame({"word": found["word"].str.lower().to_numpy(object)})
    frame["rest"] = found["rest"].fillna("").to_numpy(object)
    frame["line"] = number[first]
    return frame


def _without_blocks(lines: pd.Series) -> pd.Series:
    """The lines without blocks of comments."""
    opens = lines.str.match(r"\s*/\*").to_numpy(bool)
    if not opens.any():
        return lines
    closes = lines.str.contains(r"\*/").to_numpy(bool)
    inside = np.cumsum(opens) - np.cumsum(closes) + closes > 0
    return lines.where(~inside, "")


def _note_unread(commands: pd.DataFrame, findings: Findings) -> None:
    """Commands other than New and Edit that may change what is read here."""
    word = commands["word"].where(~commands["word"].str.contains(r"[.=]"), "Class.x.y=")
    scaled = commands["rest"].str.contains(r"(?i)\bloadmult\b") & (word == "set")
    word = word.where(~scaled, "set loadmult")
    for (file, command), rows in commands[~word.isin(QUIET)].groupby(
        ["file", word[~word.isin(QUIET)]]
    ):
        lines = rows["line"].tolist()
        what = f"command '{command}'"
        findings.note(str(file), "", what, "not read", lines, len(rows))


def _elements(commands: pd.DataFrame, findings: Findings):
    """The elements and their properties."""
    found = commands["rest"].str.extract(_OBJECT)
    junk = found["kind"].isna().to_numpy(bool)
    for file, rows in commands[junk].groupby("file"):
        rule = "must name an element as Class.name"
        findings.wrong(str(file), "New", rule, rows["line"].tolist(), len(rows))
    found, commands = found[~junk], commands[~junk]
    elements = pd.DataFrame(
        {
            "kind": found["kind"].str.lower(),
            "name": found["name"].str.strip("\"'").str.lower(),
            "file": commands["file"],
            "line": commands["line"],
            "edited": commands["word"] == "edit",
        }
    ).reset_index(drop=True)
    _note_unmapped(elements, findings)
    properties, loose = _pairs(found["rest"].reset_index(drop=True))
    loose = elements.iloc[loose]
    loose = loose[loose["kind"].isin(READ_KINDS)]
    for file, rows in loose.groupby("file"):
        rule = "has a value without a name; write name=value"
        lines, names = rows["line"].tolist(), rows["name"].tolist()
        findings.wrong(str(file), "New", rule, lines, len(rows), names)
    return elements, properties


def _note_unmapped(elements: pd.DataFrame, findings: Findings) -> None:
    """Elements that may carry power or change it, and are not read."""
    made = elements[~elements["edited"].to_numpy(bool)]
    others = made[~made["kind"].isin([*READ_KINDS, *QUIET_KINDS])]
    for (file, kind), rows in others.groupby(["file", "kind"], sort=True):
        lines, names = rows["line"].tolist(), rows["name"].tolist()
        what = f"elements of class '{kind}' are neither load nor limit here"
        findings.note(str(file), str(kind), what, "not read", lines, len(rows), names)


def _pairs(rest: pd.Series) -> tuple[pd.DataFrame, np.ndarray]:
    """All `name=value` of some texts, and the texts that hold anything else."""
    marked = pc.replace_substring_regex(
        pa.array(rest, pa.large_string()),
        pattern=_PAIR,
        replacement=f"{_ROW}\\1{_VALUE}\\2{_END}",
    )
    pieces = pc.split_pattern(marked, _ROW)
    row = pc.list_parent_indices(pieces).to_numpy()
    piece = pc.list_flatten(pieces)
    parts = pc.extract_regex(
        piece,
        pattern=f"^(?:(?P<name>[^{_VALUE}]*){_VALUE}(?P<value>[^{_END}]*){_END})?"
        r"(?P<left>(?s:.*))$",
    )
    frame = pd.DataFrame(
        {
            "element": row,
            "name": pc.struct_field(parts, "name").to_pandas(),
            "value": pc.struct_field(parts, "value").to_pandas(),
            "left": pc.struct_field(parts, "left").to_pandas(),
        }
    )
    loose = frame["left"].str.strip(" \t,") != ""
    named = frame[frame["name"].fillna("") != ""]
    value = named["value"].str.strip()
    bare = value.str.replace(r"^[\"'(\[{](.*)[\"')\]}]$", r"\1", regex=True).str.strip()
    table = pd.DataFrame({"element": named["element"], "name": named["name"]})
    table["name"] = table["name"].str.lower()
    table["value"] = bare
    rows = np.unique(frame["element"][loose].to_numpy())
    return table.reset_index(drop=True), rows
