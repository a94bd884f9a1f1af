"""A table of a file whose columns are read one by one, with the line of every row.

Everything in a CSV file is text at first; a column becomes numbers, ids or instants
when an importer asks for it, and rows that cannot be read are named by line and id.
"""

import csv
import io
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from macjax.importers.files import (
    UnreadableError,
    check_utf8,
    name_of,
    read_bytes,
)
from macjax.importers.findings import Findings
from macjax.scenario.arrow import STRING, as_arrow, column_to_pandas
from macjax.scenario.ids import id_series, parse_ids, repeated, settle_owner
from macjax.scenario.numeric import parse_numbers

TABLE_ENDINGS = (".csv", ".csv.gz", ".parquet")


class Sheet:
    """The rows of one file, and which of them are wrong so far.

    Arguments:
        file: name in reports.
        frame: the columns, text where the file is text.
        line: line of each row in the file, the header being line 1; in Parquet files
            and frames the row, counted from 1.
        findings: where faults and notes go.
        key: column that names a row in reports.
    """

    def __init__(
        self, file: str, frame: pd.DataFrame, line: np.ndarray, findings: Findings
    ):
        self.file = file
        self.frame = frame
        self.line = line
        self.findings = findings
        self.key: str | None = None
        self.bad = np.zeros(len(frame), bool)

    def __len__(self) -> int:
        return len(self.frame)

    def has(self, *columns: str) -> bool:
        """Whether all of these columns are there."""
        return set(columns) <= set(self.frame.columns)

    def first_of(self, *columns: str) -> str | None:
        """The first of several spellings that is there."""
        return next((c for c in columns if c in self.frame.columns), None)

    def require(self, *columns: str) -> None:
        """Raise one report of all columns that are missing."""
        there = [str(name) for name in self.frame.columns]
        missing = [name for name in columns if name not in there]
        for name in missing:
            close = get_close_matches(name, there, n=1, cutoff=0.6)
            advice = f"it has {', '.join(there[:12])}"
            advice = f"the nearest is '{close[0]}'" if close else advice
            rule = f"the column is missing; {advice}"
            self.findings.wrong(self.file, name, rule)
        if missing:
            self.findings.stop()

    def ids(self, rows: np.ndarray) -> list:
        """What names these rows, first ten."""
        if self.key is None:
            return []
        return self.frame[self.key].iloc[rows[:10]].tolist()

    def wrong(self, column: str, rule: str, mask: np.ndarray) -> None:
        """A fault in the rows of the mask, which count as wrong from now on."""
        rows = np.flatnonzero(mask)
        if len(rows):
            self.bad[rows] = True
            lines, ids = self.line[rows], self.ids(rows)
            self.findings.wrong(self.file, column, rule, lines, len(rows), ids)

    def note(self, column: str, what: str, action: str, mask: np.ndarray) -> None:
        """Something to report of the rows of the mask."""
        rows = np.flatnonzero(mask)
        lines, ids = self.line[rows], self.ids(rows)
        self.findings.note(self.file, column, what, action, lines, len(rows), ids)

    def number(
        self, name: str, low: float = -np.inf, high: float = np.inf, null: bool = False
    ) -> np.ndarray:
        """A column of finite numbers as float64, NaN in rows that are wrong or empty.

        Arguments:
            name: the column.
            low, high: least and largest value.
            null: empty cells are in order.
        """
        parsed = parse_numbers(self.frame[name], from_text=True)
        for rule, rows in parsed.wrong:
            self.wrong(name, rule, rows)
        unreadable = parsed.missing.copy()
        for _, rows in parsed.wrong:
            unreadable &= ~rows
        if not null:
            self.wrong(name, "must have a value", unreadable)
        values = parsed.values
        with np.errstate(invalid="ignore"):
            outside = (values < low) | (values > high) | np.isinf(values)
        if outside.any():
            words = [f"at least {low:g}"] if low > -np.inf else []
            words += [f"at most {high:g}"] if high < np.inf else []
            wanted = " and ".join(words) or "finite"
            found = values[outside][0]
            self.wrong(name, f"must be {wanted}; found {found:g}", outside)
            values = np.where(outside, np.nan, values)
        return values

    def whole(self, name: str, low: float = -np.inf, high: float = np.inf):
        """A column of whole numbers as float64, NaN in rows that are wrong."""
        values = self.number(name, low, high)
        broken = values != np.floor(values)
        broken &= ~np.isnan(values)
        if broken.any():
            rule = f"must be a whole number; found {values[broken][0]:g}"
            self.wrong(name, rule, broken)
        return np.where(broken, np.nan, values)

    def text(self, name: str, null: bool = False) -> pd.Series:
        """A column as text, missing where a cell is empty."""
        series = self.frame[name]
        if not isinstance(series.dtype, pd.StringDtype):
            series = series.astype(object).where(series.notna(), None)
            series = series.map(str, na_action="ignore").astype(STRING)
        if not null:
            self.wrong(name, "must have a value", series.isna().to_numpy(bool))
        return series

    def label(self, name: str, null: bool = False) -> pd.Series:
        """A column of ids as text; `412.0`, a whole number with gaps, reads `412`."""
        text = self.text(name, null)
        return text.str.replace(r"^(-?\d+)\.0+$", r"\1", regex=True)

    def unique(self, name: str) -> None:
        """Every value of a column comes once; empty cells do not count."""
        again = repeated(as_arrow(self.label(name, null=True)))
        self.wrong(name, "must be unique; these come more than once", again)


def plain_ids(text: pd.Series) -> pd.Series:
    """Text ids as whole numbers where all of them are canonical whole numbers."""
    return id_series(settle_owner(parse_ids(text, from_text=True)).values, False)


def read_sheets(sources: Sequence[Path | pd.DataFrame], findings: Findings):
    """Read CSV (.gz, .zip) and Parquet files, or take frames, as a list of sheets.

    Raises:
        DataError: all files that cannot be read as a table, or have no rows.
    """
    sheets, broken = [], False
    for source in sources:
        try:
            sheet = _read(source, findings)
            if not len(sheet):
                raise UnreadableError("has no rows")
            sheets.append(sheet)
        except UnreadableError as error:
            findings.wrong(name_of(source), "file", str(error))
            broken = True
    if broken:
        findings.stop()
    return sheets


def join_sheets(sheets: list[Sheet], findings: Findings, name: str, key: list[str]):
    """Many files of one layout as one sheet, rows in the order of the files.

    Arguments:
        sheets: tables with the same columns; a column that only some have is empty
            in the others.
        findings: where faults go.
        name: of the joined sheet in reports, where rows are told by their key.
        key: for each file what names its rows, kept as the column `source`.
    """
    if len(sheets) == 1:
        name = sheets[0].file
    frames = [s.frame.assign(source=k) for s, k in zip(sheets, key, strict=True)]
    line = np.concatenate([s.line for s in sheets])
    joined = Sheet(name, pd.concat(frames, ignore_index=True), line, findings)
    joined.key = "source"
    return joined


def _read(source: Path | pd.DataFrame, findings: Findings) -> Sheet:
    file = name_of(source)
    if isinstance(source, Path):
        if source.suffix.lower() != ".parquet":
            return _read_csv(source, file, findings)
        frame = _read_parquet(source)
    else:
        frame = source.reset_index(drop=source.index.names == [None])
    frame.columns = [str(name) for name in frame.columns]
    return Sheet(file, frame, np.arange(1, len(frame) + 1), findings)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        columns = {n: column_to_pandas(table[n]) for n in table.column_names}
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise UnreadableError(f"cannot be read as Parquet: {error}") from error
    return pd.DataFrame(columns, index=pd.RangeIndex(len(table)))


def _read_csv(path: Path, file: str, findings: Findings) -> Sheet:
    """All columns as text; rows of another width are faults that name their line."""
    data = read_bytes(path)
    check_utf8(data)
    data = data.removeprefix(b"\xef\xbb\xbf")
    names = _header(data)
    ragged: list[tuple[int, int]] = []

    def note_ragged(row) -> str:
        ragged.append((int(row.number), row.actual_columns))
        return "skip"

    try:
        table = pa.csv.read_csv(
            pa.BufferReader(data if data.endswith(b"\n") else data + b"\n"),
            read_options=pa.csv.ReadOptions(use_threads=False),
            parse_options=pa.csv.ParseOptions(
                newlines_in_values=True, invalid_row_handler=note_ragged
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types={name: pa.large_string() for name in names},
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except (pa.ArrowException, ValueError) as error:
        text = (str(error).splitlines() or [""])[0]
        raise UnreadableError(f"cannot be read as CSV: {text}") from error
    if table.column_names != names:
        raise UnreadableError("has a damaged header in line 1")
    lines = _line_numbers(data, len(table) + len(ragged))
    if ragged:
        at = [lines[number - 2] for number, _ in ragged]
        rule = f"must have {len(names)} columns; found {ragged[0][1]}"
        findings.wrong(file, "row", rule, np.array(at), len(at))
        lines = np.delete(lines, [number - 2 for number, _ in ragged])
    columns = {str(name).strip(): column_to_pandas(table[name]) for name in names}
    frame = pd.DataFrame(columns, index=pd.RangeIndex(len(table)))
    return Sheet(file, frame, lines, findings)


def _header(data: bytes) -> list[str]:
    first = data.split(b"\n", 1)[0].decode("utf-8")
    try:
        names = next(csv.reader([first.rstrip("\r")]), [])
    except csv.Error as error:
        raise UnreadableError(f"has a damaged header in line 1: {error}") from error
    if not names:
        raise UnreadableError("has no header in line 1")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnreadableError(f"has several columns of one name: {', '.join(twice)}")
    for mark, word in ((";", "';'"), ("\t", "tabs")):
        if len(names) == 1 and mark in names[0]:
            raise UnreadableError(
                f"has its columns parted by {word}; part them by ',' and write "
                "numbers with a decimal point"
            )
    return names


def _line_numbers(data: bytes, rows: int) -> np.ndarray:
    """Line of each row; rows span several lines, or lines are blank, only rarely."""
    ends = data.count(b"\n") + (not data.endswith(b"\n"))
    if ends == rows + 1:
        return np.arange(2, rows + 2)
    reader = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    begin, found = 1, []
    try:
        for cells in reader:
            if cells:
                found.append(begin)
            begin = reader.line_num + 1
    except csv.Error as error:
        line = reader.line_num
        raise UnreadableError(f"is no CSV in line {line}: {error}") from error
    lines = np.array(found[1:], np.int64)
    return lines if len(lines) == rows else np.arange(2, rows + 2)
