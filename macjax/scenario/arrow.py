"""Columns of any pandas dtype in one plain form, the same on pandas 2.3 and 3.

Text lives as `STRING` (Arrow memory, NaN where missing), which is what pandas 3 uses
by itself; ids are compared as Arrow arrays, without one Python object per row.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

STRING = pd.StringDtype("pyarrow", na_value=np.nan)
ARROW_STRING = pd.StringDtype("pyarrow")
_TEXT = {pa.string(): STRING, pa.large_string(): STRING, pa.string_view(): STRING}
_MASKED = {
    f"{u}int{b}": f"{u.upper()}Int{b}" for u in ("", "u") for b in (8, 16, 32, 64)
}


def plain(series: pd.Series) -> pd.Series:
    """The same values without categories and without Arrow-backed dtypes."""
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        words = plain(pd.Series(dtype.categories))
        if pd.api.types.is_integer_dtype(words.dtype):
            words = words.astype("Int64")
        return words.reindex(series.cat.codes).reset_index(drop=True)
    if isinstance(dtype, pd.ArrowDtype):
        return column_to_pandas(as_arrow(series))
    if isinstance(dtype, pd.SparseDtype):
        return pd.Series(series.sparse.to_dense().to_numpy())
    return series


def column_to_pandas(column: pa.Array | pa.ChunkedArray) -> pd.Series:
    """An Arrow column as a pandas one: text as STRING, integers with nulls exact."""
    kind = column.type
    if pa.types.is_integer(kind) and column.null_count:
        dtype = pd.api.types.pandas_dtype(_MASKED[str(kind)])
        return column.to_pandas(types_mapper={kind: dtype}.get)
    return column.to_pandas(types_mapper=_TEXT.get)


def as_arrow(series: pd.Series) -> pa.Array:
    """One Arrow array of a column, nulls where pandas sees a missing value."""
    column = pa.array(series.array, from_pandas=True)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def unstorable(series: pd.Series) -> str:
    """Why a Parquet file cannot hold a column; empty if it can."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "biufmM" and dtype.itemsize <= 8:
        return ""
    if dtype in (STRING, ARROW_STRING):
        return ""
    try:
        table = pa.table({"column": pa.array(series, from_pandas=True)})
        pq.write_table(table.slice(0, 1), pa.BufferOutputStream())
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ""


def text_series(column: pa.Array | pa.ChunkedArray) -> pd.Series:
    """An Arrow text column as a pandas one, without copying the text."""
    if not isinstance(column, pa.ChunkedArray):
        column = pa.chunked_array([column])
    return pd.Series(STRING.__from_arrow__(column))
