"""Reading a column of numbers: everything becomes float64, or a reason why not."""

import numbers
import re
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from macjax.scenario.arrow import STRING, as_arrow

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^(?i:[+-]?(nan|inf|infinity))$"


class Numbers(NamedTuple):
    """A parsed column of numbers.

    Arguments:
        values: float64, NaN where there is no number.
        missing: rows without a value (null or NaN).
        wrong: pairs (rule, rows) of the values that are no numbers.
    """

    values: np.ndarray
    missing: np.ndarray
    wrong: list[tuple[str, np.ndarray]]


def parse_numbers(series: pd.Series, from_text: bool) -> Numbers:
    """Read a column of numbers; text is accepted only from a file that is all text."""
    dtype = series.dtype
    missing = series.isna().to_numpy(bool)
    if pd.api.types.is_bool_dtype(dtype) and not missing.all():
        return _none(missing, f"must be numbers; found {dtype}, i.e. true or false")
    if pd.api.types.is_complex_dtype(dtype):
        return _none(missing, "must be real numbers; found complex ones")
    if pd.api.types.is_numeric_dtype(dtype):
        # A copy: the user's frame must not reach into the scenario later.
        values = series.to_numpy(np.float64, na_value=np.nan, copy=True)
        return Numbers(values, missing, [])
    if missing.all():
        return Numbers(np.full(len(series), np.nan), missing, [])
    if isinstance(dtype, pd.StringDtype):
        return _from_text(as_arrow(series.astype(STRING)), missing, from_text)
    if pd.api.types.is_object_dtype(dtype):
        return _from_objects(series, missing, from_text)
    return _none(missing, f"must be numbers; found {dtype}")


def _none(missing: np.ndarray, rule: str) -> Numbers:
    return Numbers(np.full(len(missing), np.nan), missing, [(rule, ~missing)])


def _from_objects(series: pd.Series, missing: np.ndarray, from_text: bool) -> Numbers:
    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind == "string":
        return _from_text(as_arrow(series.astype(STRING)), missing, from_text)
    if kind in ("integer", "floating", "mixed-integer-float", "decimal"):
        values = series.where(~missing, np.nan).astype(np.float64).to_numpy()
        return Numbers(values, missing, [])
    if kind == "boolean":
        return _none(missing, "must be numbers; found true or false")
    return _from_mixed(series, missing)


def _from_mixed(series: pd.Series, missing: np.ndarray) -> Numbers:
    """Objects of several kinds: only the rows that hold no number are wrong."""
    number = series.map(is_number).to_numpy(bool) & ~missing
    bad = ~number & ~missing
    values = series.where(number, np.nan).astype(np.float64).to_numpy()
    if not bad.any():
        return Numbers(values, missing, [])
    example = series[bad].iloc[0]
    rule = f"must be numbers; found {type(example).__name__}, e.g. '{example}'"
    if isinstance(example, str):
        rule = _rule(example.strip())
    return Numbers(values, missing, [(rule, bad)])


def is_number(value) -> bool:
    """A real number, by itself in a column of objects; true and false are none."""
    return isinstance(value, numbers.Real | Decimal) and not isinstance(value, bool)


def _from_text(text: pa.Array, missing: np.ndarray, accept: bool) -> Numbers:
    """Numbers that arrived as text; refused rows are named with an example."""
    if accept:
        try:
            values = pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False)
            return Numbers(values, missing | np.isnan(values), [])
        except pa.ArrowInvalid:
            pass
    text = pc.utf8_trim_whitespace(text)
    good = pc.fill_null(pc.match_substring_regex(text, _NUMBER), False)
    if not accept:
        text_rows = ~missing
        example = _first(text, ~missing & ~good.to_numpy(zero_copy_only=False))
        rule = _rule(example or _first(text, text_rows))
        return Numbers(np.full(len(text), np.nan), missing, [(rule, text_rows)])
    known = pc.if_else(good, text, pa.scalar(None, text.type))
    values = pc.cast(known, pa.float64()).to_numpy(zero_copy_only=False)
    bad = ~missing & ~good.to_numpy(zero_copy_only=False)
    wrong = [(_rule(_first(text, bad)), bad)] if bad.any() else []
    return Numbers(values, missing | (np.isnan(values) & ~bad), wrong)


def _first(text: pa.Array, rows: np.ndarray) -> str:
    return text.filter(pa.array(rows))[0].as_py() if rows.any() else ""


def _rule(example: str) -> str:
    rule = f"must be numbers; found text, e.g. '{example}'"
    if re.fullmatch(r"[+-]?\d*,\d+", example):
        return f"{rule} (a decimal comma: write {example.replace(',', '.')})"
    if re.fullmatch(_NUMBER, example):
        return f"{rule} (pandas: pandas.to_numeric turns it into numbers)"
    return rule
