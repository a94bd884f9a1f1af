"""Ids: kept exactly as given, compared as Arrow arrays, mapped to row numbers.

An id is text or a whole number. Text from a CSV file stands for whole numbers when
every id of the table that owns it (`vehicles`, `feeders`) is a canonical integer, and
then the tables that refer to it follow; `007` stays text.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from macjax._errors import FIRST_IDS, Fault, SettingsError
from macjax.scenario.arrow import STRING, as_arrow, text_series
from macjax.scenario.numeric import is_number
from macjax.scenario.report import RowNames, quoted
from macjax.scenario.schema import Column

EXACT = 2.0**53
LARGEST = 2**63 - 1
_CANONICAL = r"^(0|-?[1-9]\d{0,18})$"
_WHOLE_FLOAT = r"^(0|-?[1-9]\d{0,14})\.0+$"


class Ids(NamedTuple):
    """A parsed column of ids.

    Arguments:
        values: Arrow array of int64 or of text, null where there is none.
        wrong: pairs (rule, rows) of the values that are no ids.
        loose: text from a CSV file, which may stand for whole numbers.
    """

    values: pa.Array
    wrong: list[tuple[str, np.ndarray]]
    loose: bool = False

    @property
    def missing(self) -> np.ndarray:
        """Rows without an id."""
        return pc.is_null(self.values).to_numpy(zero_copy_only=False)

    @property
    def is_text(self) -> bool:
        """The ids are text and not whole numbers."""
        return not pa.types.is_integer(self.values.type)


def parse_ids(series: pd.Series, from_text: bool) -> Ids:
    """Read a column of ids as int64 or text."""
    dtype = series.dtype
    missing = series.isna().to_numpy(bool)
    if missing.all():
        return Ids(pa.nulls(len(series), pa.large_string()), [], loose=True)
    if isinstance(dtype, pd.StringDtype):
        return _text_ids(as_arrow(series.astype(STRING)), from_text)
    if pd.api.types.is_integer_dtype(dtype):
        return _integer_ids(series, missing)
    if pd.api.types.is_float_dtype(dtype):
        return _float_ids(series, missing)
    if pd.api.types.is_object_dtype(dtype):
        return _object_ids(series, missing, from_text)
    return _no_ids(missing, f"must be text or whole numbers; found {dtype}")


def _no_ids(missing: np.ndarray, rule: str) -> Ids:
    return Ids(pa.nulls(len(missing), pa.large_string()), [(rule, ~missing)])


def _text_ids(values: pa.Array, from_text: bool) -> Ids:
    values = values.cast(pa.large_string())
    empty = pc.fill_null(pc.equal(values, ""), False).to_numpy(zero_copy_only=False)
    rule = "is empty text; leave the cell null or give an id"
    wrong = [(rule, empty)] if empty.any() else []
    return Ids(values, wrong, loose=from_text)


def _too_large(large: np.ndarray) -> Ids:
    rule = "must fit into 64 bits with a sign; write ids as text"
    return Ids(pa.nulls(len(large), pa.large_string()), [(rule, large)])


def _integer_ids(series: pd.Series, missing: np.ndarray) -> Ids:
    if series.max() > LARGEST:
        return _too_large(series.gt(LARGEST).fillna(False).to_numpy(bool))
    values = series.to_numpy(np.int64, na_value=0, copy=True)
    return Ids(pa.array(values, mask=missing), [])


def _float_ids(series: pd.Series, missing: np.ndarray) -> Ids:
    """Integers that became floats because of nulls; only the exact ones are ids."""
    values = series.to_numpy(np.float64, na_value=np.nan, copy=True)
    values[missing] = 0.0
    broken = values != np.floor(values)
    large = ~broken & (np.abs(values) >= EXACT)
    wrong = []
    if broken.any():
        example = values[broken][0]
        rule = f"must be text or whole numbers; found {example:g}"
        wrong.append((rule, broken))
    if large.any():
        rule = (
            "arrived as a float of 2^53 or more, which is no longer the exact id "
            "(pandas: read the column as 'Int64' or as text)"
        )
        wrong.append((rule, large))
    whole = np.where(broken | large, 0, values).astype(np.int64)
    return Ids(pa.array(whole, mask=missing | broken | large), wrong)


def _object_ids(series: pd.Series, missing: np.ndarray, from_text: bool) -> Ids:
    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind == "string":
        text = series.where(~missing, None).astype(STRING)
        return _text_ids(as_arrow(text), from_text)
    if kind == "integer":
        whole = series.where(~missing, 0).to_numpy()
        try:
            values = whole.astype(np.int64)
        except OverflowError:
            return _too_large(((whole > LARGEST) | (whole < -LARGEST - 1)).astype(bool))
        return Ids(pa.array(values, mask=missing), [])
    if kind in ("floating", "mixed-integer-float"):
        return _float_ids(series.astype(np.float64), missing)
    if kind in ("mixed", "mixed-integer"):
        odd = ~missing & ~series.map(_may_be_id).to_numpy(bool)
        if odd.any():
            example = series[odd].iloc[0]
            found = f"{type(example).__name__}, e.g. '{example}'"
            rule = f"must be text or whole numbers; found {found}"
            return Ids(pa.nulls(len(missing), pa.large_string()), [(rule, odd)])
        kinds = series[~missing].map(lambda value: type(value).__name__)
        shown = quoted(sorted(kinds.unique())[:4])
        rule = f"must be all text or all whole numbers; found a mix of {shown}"
        return _no_ids(missing, rule)
    return _no_ids(missing, f"must be text or whole numbers; found {kind}")


def _may_be_id(value) -> bool:
    """Text or a whole number, also one that gaps in its column made a float."""
    if isinstance(value, str):
        return True
    return is_number(value) and float(value).is_integer()


def settle_owner(ids: Ids) -> Ids:
    """Ids of the owning table: CSV text that is canonical throughout becomes int64."""
    if not ids.loose or len(ids.values) == 0 or ids.values.null_count:
        return ids
    if not pc.all(pc.match_substring_regex(ids.values, _CANONICAL)).as_py():
        return ids
    try:
        return Ids(pc.cast(ids.values, pa.int64()), ids.wrong, loose=True)
    except pa.ArrowInvalid:
        return ids


def repeated(values: pa.Array, keep_first: bool = False) -> np.ndarray:
    """Rows whose id comes more than once; null ids do not count.

    Arguments:
        values: the ids.
        keep_first: leave out the first row of each id.
    """
    codes = pc.dictionary_encode(values).indices
    known = pc.is_valid(codes).to_numpy(zero_copy_only=False)
    codes = pc.fill_null(codes, 0).to_numpy(zero_copy_only=False)
    counts = np.bincount(codes[known], minlength=1)
    several = known & (counts[codes] > 1)
    if keep_first:
        rows = np.flatnonzero(several)
        several[rows[np.unique(codes[rows], return_index=True)[1]]] = False
    return several


class Link(NamedTuple):
    """A column that names rows of another table.

    Arguments:
        codes: row number in the owning table, int32, -1 where null or unknown.
        values: the ids in the type of the owning table.
        faults: ids that the owning table does not have.
    """

    codes: np.ndarray
    values: pa.Array
    faults: list[Fault]


def link(
    ids: Ids, owner: Ids, column: Column, names: RowNames, owner_column: str
) -> Link:
    """Find the row of the owning table for each id; unknown ids are faults."""
    there = f"{column.refers}.{owner_column}"
    values, wanted = ids.values, owner.values
    known = ~ids.missing
    if not known.any():
        codes = np.full(len(values), -1, np.int32)
        return Link(codes, pa.nulls(len(values), wanted.type), [])
    if ids.is_text != owner.is_text and not ids.loose and len(wanted):
        kinds = ["text" if i.is_text else "whole numbers" for i in (ids, owner)]
        rule = f"must be of the kind of {there}; {kinds[0]} here, {kinds[1]} there"
        codes = np.full(len(values), -1, np.int32)
        return Link(codes, values, names.fault(column.name, rule, known))
    if ids.is_text and not owner.is_text:
        values = _whole_text(values)
        wanted = pc.cast(wanted, values.type)
    elif not ids.is_text and owner.is_text:
        wanted = pa.nulls(0, values.type)
    found = pc.index_in(values, value_set=wanted, skip_nulls=True)
    codes = pc.fill_null(found, -1).to_numpy(zero_copy_only=False)
    orphans = known & (codes < 0)
    if orphans.any():
        fault = _orphans(orphans, ids, owner, column, names, there)
        return Link(codes, ids.values, [fault])
    if values.type == owner.values.type:
        return Link(codes, values, [])
    return Link(codes, owner.values.take(found), [])


def _whole_text(values: pa.Array) -> pa.Array:
    """CSV text of whole numbers, `3.0` (an integer column with gaps) read as `3`."""
    floats = pc.match_substring_regex(values, _WHOLE_FLOAT)
    if not pc.any(floats).as_py():
        return values
    return pc.if_else(floats, pc.replace_substring_regex(values, r"\.0+$", ""), values)


def _orphans(orphans, ids: Ids, owner: Ids, column, names, there: str) -> Fault:
    distinct = pc.unique(ids.values.filter(pa.array(orphans)))
    unknown = distinct[:FIRST_IDS].to_pylist()
    have = owner.values[:5].to_pylist()
    more = ", ..." if len(owner.values) > 5 else ""
    others = f"has {quoted(have)}{more}" if have else "has no rows"
    rest = ", ..." if len(distinct) > len(unknown) else ""
    rule = f"names what {there} does not have: {quoted(unknown)}{rest}; it {others}"
    return names.fault(column.name, rule, orphans)[0]


def listed(given, name: str) -> list:
    """The ids that a caller names, each once; one id alone is accepted.

    Arguments:
        given: an id or an iterable of ids.
        name: of the argument, for the SettingsError about anything else.
    """
    if isinstance(given, str | int | np.integer):
        given = [given]
    try:
        return list(dict.fromkeys(given))
    except TypeError as error:
        rule = f"{name} must be an id or a list of ids, which are text or whole numbers"
        raise SettingsError(f"{rule}; got {given!r}") from error


def id_series(values: pa.Array, nullable: bool) -> pd.Series:
    """Ids as a column: STRING, int64, or Int64 where ids may be missing."""
    if not pa.types.is_integer(values.type):
        return text_series(values)
    if not nullable and not values.null_count:
        return pd.Series(values.to_numpy(zero_copy_only=False))
    missing = pc.is_null(values).to_numpy(zero_copy_only=False)
    whole = pc.fill_null(values, 0).to_numpy(zero_copy_only=False)
    return pd.Series(pd.arrays.IntegerArray(whole.astype(np.int64), missing))
