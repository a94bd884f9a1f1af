"""A part of a scenario folder: a range of vehicle ids, read without the rest.

The ids are sorted and cut into as many ranges as there are parts, each with its share
of the vehicles; the first and the last range are open. So every row of vehicles, stays
and trips is of exactly one part, also a row with an id that does not exist, which is
then found there. Row groups whose statistics lie outside the range are skipped, the
others are read in batches of which only the rows in the range are kept.
"""

import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from macjax._errors import SettingsError

KEY = "vehicle_id"
PARTED = ("vehicles", "stays", "trips")
BATCH_ROWS = 1 << 17


class IdRange(NamedTuple):
    """Ids from `low` on and before `high`; None is open, nulls lie below all ids.

    Arguments:
        low, high: ids.
        ids: how many vehicles there are in all parts.
    """

    low: Any
    high: Any
    ids: int

    def mask(self, column: pa.Array) -> pa.Array:
        """Which ids lie in the range; all where they cannot be compared."""
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        everything = pc.or_kleene(pc.is_null(column), True)
        above = below = everything
        try:
            if self.low is not None:
                above = pc.greater_equal(column, self.low)
            if self.high is not None:
                below = pc.less(column, self.high)
        except pa.ArrowException:
            return everything
        return pc.fill_null(pc.and_(above, below), self.low is None)

    def may_be_in(self, statistics) -> bool:
        """Whether a row group with these statistics may hold ids of the range."""
        if statistics is None or not statistics.has_min_max:
            return True
        if self.low is None and statistics.null_count != 0:
            return True
        try:
            above = self.low is None or statistics.max >= self.low
            below = self.high is None or statistics.min < self.high
        except TypeError:
            return True
        return above and below


def check_part(part) -> tuple[int, int] | None:
    """(index, count), or a SettingsError."""
    if part is None:
        return None
    given = tuple(part) if isinstance(part, Sequence) else ()
    whole = [n for n in given if isinstance(n, numbers.Integral) and n is not True]
    if len(given) != 2 or len(whole) != 2 or not 0 <= given[0] < given[1]:
        raise SettingsError(
            "part must be (index, count) with 0 <= index < count, as in "
            f"(jax.process_index(), jax.process_count()); got {part!r}"
        )
    return int(given[0]), int(given[1])


def id_range(path, part: tuple[int, int]) -> IdRange | None:
    """The range of a part; None if the ids are such that the check has to refuse them.

    Arguments:
        path: of the Parquet file of vehicles.
        part: index and count.
    """
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        if file.schema_arrow.names.count(KEY) != 1:
            return None
        ids = file.read(columns=[KEY], use_pandas_metadata=False)[KEY]
    if pa.types.is_dictionary(ids.type):
        ids = pc.cast(ids, ids.type.value_type)
    kind = ids.type
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if not pa.types.is_integer(kind) and not any(is_text(kind) for is_text in texts):
        return None
    ids = ids.drop_null()
    index, count = part
    if len(ids) == 0:
        # All that there is belongs to the first part.
        return None if index == 0 else IdRange(2**63 - 1, -(2**63), 0)
    if pa.types.is_string_view(kind):
        ids = pc.cast(ids, pa.large_string())
    order = pc.sort_indices(ids)
    cuts = [len(ids) * k // count for k in (index, index + 1)]
    low = None if index == 0 else ids[order[cuts[0]].as_py()].as_py()
    high = None if index == count - 1 else ids[order[cuts[1]].as_py()].as_py()
    return IdRange(low, high, len(ids))


def read_range(file: pq.ParquetFile, wanted: IdRange) -> pa.Table:
    """The rows of a Parquet file whose vehicle lies in the range."""
    names = file.schema_arrow.names
    at = [i for i in range(len(file.schema)) if file.schema.column(i).path == KEY]
    groups = range(file.num_row_groups)
    if len(at) == 1:
        groups = [
            g
            for g in groups
            if wanted.may_be_in(file.metadata.row_group(g).column(at[0]).statistics)
        ]
    found = []
    if KEY in names and len(groups):
        for batch in file.iter_batches(
            BATCH_ROWS, row_groups=list(groups), use_pandas_metadata=False
        ):
            kept = batch.filter(wanted.mask(batch.column(KEY)))
            if len(kept):
                found.append(kept)
    schema = found[0].schema if found else file.schema_arrow
    return pa.Table.from_batches(found, schema.remove_metadata())
