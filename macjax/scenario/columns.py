"""One table on its own: its columns, their kinds, and the rules on single values.

`clean_table` reads every column of the schema into one plain form and collects what
is wrong; nothing is clipped or filled except the defaults that the schema declares.
"""

import dataclasses
from difflib import get_close_matches

import numpy as np
import pandas as pd
import pyarrow as pa

from macjax._errors import Fault
from macjax.scenario.arrow import STRING, as_arrow, plain, unstorable
from macjax.scenario.ids import Ids, parse_ids, repeated, settle_owner
from macjax.scenario.numeric import parse_numbers
from macjax.scenario.report import RowNames, quoted
from macjax.scenario.schema import Column, Table
from macjax.scenario.times import parse_instants


@dataclasses.dataclass
class CleanTable:
    """A table whose columns are read, and what was wrong with them.

    Arguments:
        table: its schema.
        rows: number of rows.
        names: names rows in faults.
        columns: numbers as float64 and instants as datetime64[us].
        ids, texts: the id columns and the text columns.
        extra: columns beyond the schema, as given.
        given: names of all columns as given.
        nulls: rows without a value, for the columns of which a table has one.
        faults, notes: what was found.
    """

    table: Table
    rows: int
    names: RowNames
    columns: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    ids: dict[str, Ids] = dataclasses.field(default_factory=dict)
    texts: dict[str, pa.Array] = dataclasses.field(default_factory=dict)
    extra: dict[str, pd.Series] = dataclasses.field(default_factory=dict)
    given: list = dataclasses.field(default_factory=list)
    nulls: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    faults: list[Fault] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Source:
    """Where frames come from.

    Arguments:
        text_tables: tables from CSV files, in which everything is text.
        zone: zone of the scenario, to explain local times.
    """

    text_tables: frozenset[str] = frozenset()
    zone: str | None = None


def clean_table(table: Table, frame: pd.DataFrame, source: Source) -> CleanTable:
    """Read every column of one table and check its single values."""
    clean = CleanTable(table, len(frame), RowNames(table.name, None, table.numbered))
    clean.given = list(frame.columns)
    clean.faults += _missing_columns(table, frame)
    names = pd.Index([str(name) for name in frame.columns])  # as files have them
    if names.has_duplicates:
        twice = dict.fromkeys(names[names.duplicated()])
        rule = "comes more than once; give each column its own name"
        clean.faults += [Fault(table.name, name, rule) for name in twice]
        frame = frame.loc[:, ~names.duplicated(keep=False)]
    from_text = table.name in source.text_tables
    for column in table.columns:
        if column.name in frame.columns:
            _read(clean, column, frame[column.name], from_text, source.zone)
    _fill_absent(clean)
    _check_columns(clean)
    _keep_extra(clean, frame)
    return clean


def _missing_columns(table: Table, frame: pd.DataFrame) -> list[Fault]:
    there = [str(name) for name in frame.columns]
    free = [name for name in there if name not in table.names]
    faults = []
    for column in table.columns:
        if not column.required or column.name in there:
            continue
        lower = {name.lower(): name for name in reversed(free)}
        close = get_close_matches(column.name, list(lower), n=1, cutoff=0.5)
        if column.name in frame.index.names:
            advice = "it is the index of the frame: call reset_index()"
        elif close:
            advice = f"the nearest column there is '{lower[close[0]]}'"
        elif len(there) == 1 and ";" in there[0]:
            advice = "the columns seem to be parted by ';': part them by ','"
        else:
            advice = f"the table has {quoted(there[:12]) or 'no columns'}"
        rule = f"the column is missing; {advice}"
        faults.append(Fault(table.name, column.name, rule, max(len(frame), 1)))
    return faults


def _read(
    clean: CleanTable, column: Column, series: pd.Series, from_text: bool, zone
) -> None:
    """Parse one column into its plain form and note the values that are wrong."""
    name = column.name
    try:
        series = plain(series.reset_index(drop=True))
        wrong, missing = _parse(clean, column, series, from_text, zone)
    except (ValueError, TypeError, OverflowError, pa.ArrowException) as error:
        # Objects that neither pandas nor Arrow can turn into text or numbers.
        rule = f"cannot be read as {column.kind}: {type(error).__name__}: {error}"
        clean.faults.append(Fault(clean.table.name, name, rule, clean.rows))
        wrong, missing = [], np.zeros(clean.rows, bool)
    for rule, rows in wrong:
        missing = missing & ~rows
        clean.faults += clean.names.fault(name, rule, rows)
    if name in clean.table.one_of:
        clean.nulls[name] = missing
    elif not (column.null or column.null_is_default):
        clean.faults += clean.names.fault(name, _null_rule(column), missing)


def _parse(
    clean: CleanTable, column: Column, series: pd.Series, from_text: bool, zone
) -> tuple[list[tuple[str, np.ndarray]], np.ndarray]:
    """Store one column; returns pairs (rule, rows) of wrong values, and nulls."""
    name = column.name
    if column.kind == "id":
        ids = parse_ids(series, from_text)
        ids = settle_owner(ids) if column.unique else ids
        clean.ids[name] = ids
        if clean.names.ids is None and name == clean.table.columns[0].name:
            clean.names.ids = ids.values
        return ids.wrong, ids.missing
    if column.kind == "time":
        instants = parse_instants(series, zone)
        clean.columns[name] = instants.values
        if instants.rounded:
            clean.notes.append(
                f"{clean.table.name}.{name}: {instants.rounded} timestamps finer than "
                "a microsecond were rounded down to it"
            )
        return instants.wrong, instants.missing
    if column.kind == "text":
        clean.texts[name], wrong, missing = _read_text(series)
        return wrong, missing
    numbers = parse_numbers(series, from_text)
    clean.columns[name] = numbers.values
    if column.null_is_default and numbers.missing.any():
        default = 0.0 if column.default is None else column.default
        clean.columns[name] = np.where(numbers.missing, default, numbers.values)
    return numbers.wrong, numbers.missing


def _null_rule(column: Column) -> str:
    if column.required:
        return "must have a value; found null or NaN"
    default = column.default_from or f"{column.default:g}"
    return (
        f"must have a value in each row; found null or NaN "
        f"(leave the whole column out for the default, {default})"
    )


def _read_text(series: pd.Series):
    missing = series.isna().to_numpy(bool)
    if missing.all():
        return pa.nulls(len(series), pa.large_string()), [], missing
    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind != "string":
        wrong = ~missing
        if series.dtype == object:
            wrong &= ~series.map(lambda value: isinstance(value, str)).to_numpy(bool)
        rule = f"must be text or null; found {kind}, e.g. {series[wrong].iloc[0]}"
        values = pa.nulls(len(series), pa.large_string())
        return values, [(rule, wrong)], missing
    text = series.where(~missing, None) if series.dtype == object else series
    return as_arrow(text.astype(STRING)), [], missing


def _fill_absent(clean: CleanTable) -> None:
    """Give every optional column that is absent its declared default."""
    for column in clean.table.columns:
        name = column.name
        if column.required or name in clean.given or name in clean.table.one_of:
            continue
        if column.kind == "id":
            clean.ids[name] = Ids(pa.nulls(clean.rows, pa.large_string()), [], True)
        elif column.kind == "text":
            clean.texts[name] = pa.nulls(clean.rows, pa.large_string())
        elif column.default_from:
            nothing = np.full(clean.rows, np.nan)
            clean.columns[name] = clean.columns.get(column.default_from, nothing).copy()
        else:
            default = np.nan if column.default is None else column.default
            clean.columns[name] = np.full(clean.rows, default)


def _check_columns(clean: CleanTable) -> None:
    """Rules of the schema on single values and on two values of a row."""
    good: dict[str, np.ndarray] = {}
    for column in clean.table.columns:
        if column.unique and column.name in clean.ids:
            mask = repeated(clean.ids[column.name].values)
            rule = "must be unique; these ids come more than once"
            clean.faults += clean.names.fault(column.name, rule, mask)
        values = clean.columns.get(column.name)
        if column.name not in clean.given or values is None:
            continue
        if column.kind in ("number", "hour"):
            good[column.name] = _check_range(clean, column, values, good)
        if column.after and column.after in clean.columns:
            mask = values <= clean.columns[column.after]
            rule = f"must be later than {column.after}"
            clean.faults += clean.names.fault(column.name, rule, mask)


def _check_range(
    clean: CleanTable, column: Column, values: np.ndarray, good: dict
) -> np.ndarray:
    """Check one column of numbers; returns it with NaN in place of wrong values.

    Arguments:
        good: the columns checked before, which `at_most` may name.
    """
    name, names = column.name, clean.names
    infinite = np.isinf(values)
    if infinite.any():
        clean.faults += names.fault(
            name, f"must be finite; found {values[infinite][0]:g}", infinite
        )
        values = np.where(infinite, np.nan, values)
    low = values <= column.low if column.low_open else values < column.low
    high = values > column.high
    if column.kind == "hour":
        low |= values != np.floor(np.where(np.isnan(values), 0, values))
        low &= ~np.isnan(values)
    if low.any() or high.any():
        bad = low | high
        example = values[bad][0]
        rule = f"must be {column.range}; found {example:g}"
        if column.kind == "hour":
            rule = f"must be a whole hour from 0 to 23; found {example:g}"
        elif high.any() and column.high_hint:
            found = f"found up to {np.max(values[high]):g} ({column.high_hint})"
            rule = f"must be {column.range}; {found}"
        clean.faults += names.fault(name, rule, bad)
        values = np.where(bad, np.nan, values)
    limit = good.get(column.at_most or "")
    if limit is not None:
        above = values > limit
        if above.any():
            row = int(np.flatnonzero(above)[0])
            found = f"found {values[row]:g} over {limit[row]:g}"
            rule = f"must be at most {column.at_most}; {found}"
            clean.faults += names.fault(name, rule, above)
    return values


def _keep_extra(clean: CleanTable, frame: pd.DataFrame) -> None:
    """Keep the columns beyond the schema and say once that nothing reads them."""
    extra = [name for name in frame.columns if name not in clean.table.names]
    absent = [c.name for c in clean.table.columns if c.name not in frame.columns]
    optional = [c.name for c in clean.table.columns if not c.required]
    spelt = {_letters(name): name for name in absent if name in optional}
    for name in extra:
        if meant := spelt.get(_letters(name)):
            rule = f"is no column of a scenario, '{meant}' is: rename it"
            clean.faults.append(Fault(clean.table.name, str(name), rule, clean.rows))
        # Before pandas 3 this copies, since then it is safe without.
        clean.extra[name] = frame[name].reset_index(drop=True)
        if reason := unstorable(clean.extra[name]):
            rule = (
                f"is no column of a scenario, and Parquet cannot hold it: {reason}; "
                "leave it out or give it values of one kind"
            )
            clean.faults.append(Fault(clean.table.name, str(name), rule, clean.rows))
    if not extra:
        return
    words = []
    for name in extra:
        close = get_close_matches(str(name).lower(), absent, n=1, cutoff=0.8)
        words.append(f"{name} (is {close[0]} meant?)" if close else str(name))
    clean.notes.append(
        f"{clean.table.name}: columns kept, not used: {', '.join(words)}"
    )


def _letters(name) -> str:
    """A name without what spellings differ in: case, spaces and underscores."""
    return "".join(c for c in str(name).lower() if c.isalnum())
