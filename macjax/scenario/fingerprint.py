"""A digest of what a scenario says: SHA-256 over its keys and its columns.

Numbers and instants enter as their bytes, text as its lengths and its bytes, so the
digest is the same on every pandas version and for Parquet and CSV.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from macjax.scenario.arrow import as_arrow
from macjax.scenario.header import Header
from macjax.scenario.schema import TABLES


def fingerprint(header: Header, tables: Mapping[str, pd.DataFrame]) -> str:
    """SHA-256 in hex of the keys and of all columns of the data contract."""
    digest = hashlib.sha256()
    keys = header._replace(start=header.start_us)
    digest.update("\x1f".join(str(key) for key in keys).encode("utf-8", "replace"))
    for name, table in TABLES.items():
        frame = tables[name]
        digest.update(f"\x1e{name} {len(frame)}".encode())
        for column in table.names:
            if column in frame.columns:
                digest.update(f"\x1f{column} ".encode())
                _add(digest, frame[column])
    return digest.hexdigest()


def _add(digest, series: pd.Series) -> None:
    """Add one column to the digest, its kind and its missing values included."""
    missing = series.isna().to_numpy(bool)
    digest.update(np.packbits(missing))
    if missing.all():
        return
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        instants = series.dt.tz_localize(None).to_numpy()
        digest.update(b"time" + instants.astype("datetime64[us]").tobytes())
    elif isinstance(series.dtype, pd.StringDtype):
        _add_text(digest, as_arrow(series))
    elif pd.api.types.is_float_dtype(series.dtype):
        # Adding zero turns -0.0 into 0.0, the same number.
        values = np.where(missing, 0.0, series.to_numpy(np.float64)) + 0.0
        digest.update(b"number" + values.tobytes())
    else:
        whole = series.to_numpy(np.int64, na_value=0)
        digest.update(b"whole" + whole.tobytes())


def _add_text(digest, column: pa.Array) -> None:
    column = pc.fill_null(column.cast(pa.large_string()), "")
    _, offsets, data = column.buffers()
    first = np.frombuffer(offsets, np.int64)[column.offset :][: len(column) + 1]
    digest.update(b"text" + np.diff(first).tobytes())
    if data is not None:
        digest.update(memoryview(data)[first[0] : first[-1]])
