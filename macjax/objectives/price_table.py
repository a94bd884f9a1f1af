"""Energy prices from a frame: checked once, expanded to feeders and slots.

A price frame has the column `price` [currency/kWh], a column `time` (start of a
slot, any offset) or `hour` (0 to 23, local), and optionally `feeder_id`; without
it the prices hold for every feeder. Other columns are left out.
"""

import numpy as np
import pandas as pd

from macjax._errors import SettingsError, nearest
from macjax.objectives.costs import counted, require_same_feeders

OWNER = "EnergyCost.prices"


def checked_prices(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of a price frame that count, in one order and in plain types.

    Raises SettingsError for columns, types and repeated keys that are wrong whatever
    the scenario. `time` comes back in UTC.
    """
    _require_columns(frame)
    columns: dict[str, object] = {}
    if "feeder_id" in frame.columns:
        columns["feeder_id"] = _ids(pd.Series(frame["feeder_id"]))
    if "time" in frame.columns:
        columns["time"] = _instants(pd.Series(frame["time"]))
    else:
        columns["hour"] = _hours(pd.Series(frame["hour"]))
    keys = list(columns)
    columns["price"] = _numbers(pd.Series(frame["price"]), "price")
    checked = pd.DataFrame(columns)
    repeated = checked.loc[checked.duplicated(keys).to_numpy(), keys]
    if len(repeated):
        rows = (" ".join(str(v) for v in row) for row in repeated.to_numpy())
        raise SettingsError(f"{OWNER}: {counted(rows, 'row')} repeated")
    return checked


def _require_columns(frame: pd.DataFrame) -> None:
    columns = [str(c) for c in frame.columns]
    if "price" not in columns:
        hint = nearest("price", columns) if columns else "the frame has no columns"
        raise SettingsError(f"{OWNER}: column 'price' is missing; {hint}")
    if ("time" in columns) == ("hour" in columns):
        raise SettingsError(
            f"{OWNER}: give one of the columns 'time' and 'hour'; it has "
            + ", ".join(columns)
        )
    wanted = [c for c in columns if c in ("feeder_id", "time", "hour", "price")]
    if len(set(wanted)) < len(wanted):
        raise SettingsError(f"{OWNER}: a column occurs twice: " + ", ".join(wanted))


def _ids(column: pd.Series) -> np.ndarray:
    """Feeder ids as they are, without nulls."""
    if column.isna().any():
        raise SettingsError(f"{OWNER}: feeder_id must not be null")
    if pd.api.types.is_float_dtype(column.dtype):
        raise SettingsError(f"{OWNER}: feeder_id must be text or an integer")
    return column.astype(object).to_numpy()


def _numbers(column: pd.Series, name: str) -> np.ndarray:
    """Finite numbers as float64; text is not read as numbers."""
    kind = column.dtype
    if not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind):
        example = f", e.g. {column.iloc[0]!r}" if len(column) else ""
        raise SettingsError(f"{OWNER}: {name} must be numbers, not {kind}{example}")
    values = column.to_numpy(np.float64, na_value=np.nan)
    if not np.isfinite(values).all():
        rows = np.flatnonzero(~np.isfinite(values))
        raise SettingsError(f"{OWNER}: {name} not finite in {counted(rows, 'row')}")
    return values


def _hours(column: pd.Series) -> np.ndarray:
    """Hours of the local day, 0 to 23, as int64."""
    values = _numbers(column, "hour")
    wrong = (values != np.floor(values)) | (values < 0) | (values > 23)
    if wrong.any():
        raise SettingsError(
            f"{OWNER}: hour must be 0 to 23, not in {counted(values[wrong], 'row')}"
        )
    return values.astype(np.int64)


def _instants(column: pd.Series) -> pd.DatetimeIndex:
    """Timestamps with an offset, in UTC, to the microsecond as all tables have them."""
    if isinstance(column.dtype, pd.DatetimeTZDtype) and not column.isna().any():
        return _rounded(pd.DatetimeIndex(column).tz_convert("UTC"))
    if pd.api.types.is_numeric_dtype(column.dtype):
        raise SettingsError(f"{OWNER}: time must be timestamps, not {column.dtype}")
    # Offsets that differ by row (a change of clocks) make a column of objects.
    codes, texts = pd.factorize(column.astype(object), use_na_sentinel=False)
    try:
        stamps = [pd.Timestamp(text) for text in texts]
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{OWNER}: time is not a timestamp: {error}") from error
    pairs = zip(texts, stamps, strict=True)
    wrong = [t if t is pd.NaT else given for given, t in pairs if t.tzinfo is None]
    if wrong:
        raise SettingsError(
            f"{OWNER}: {counted(wrong, 'time')} without an offset from UTC"
        )
    times = pd.DatetimeIndex([t.tz_convert("UTC") for t in stamps], tz="UTC")
    return _rounded(times).take(codes)


def _rounded(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """To the nearest microsecond: arithmetic on times leaves nanoseconds behind."""
    return times.as_unit("ns").round("us")


def expanded_prices(frame: pd.DataFrame, scenario) -> np.ndarray:
    """Prices of a checked frame per feeder and slot, shape (F, T) [currency/kWh].

    Raises SettingsError where a feeder or a slot of the scenario has no price, a
    feeder is unknown, or a time within the horizon is not the start of a slot.
    """
    ids = scenario.feeders["feeder_id"].tolist()
    starts = pd.DatetimeIndex(scenario.slot_starts).as_unit("ns")
    if "time" in frame.columns:
        cells = _slots_of(frame, starts, scenario)
        local = starts.tz_convert(scenario.timezone)
        needed, labels = np.arange(len(starts)), [t.isoformat() for t in local]
        noun = "slot"
    else:
        cells = frame["hour"].to_numpy(np.int64)
        needed = np.asarray(starts.tz_convert(scenario.timezone).hour)
        noun, labels = "hour", list(range(24))
    shared = "feeder_id" not in frame.columns
    rows = np.zeros(len(frame), int) if shared else _rows_of(frame, ids)
    table = np.full((1 if shared else len(ids), len(labels)), np.nan)
    inside = cells >= 0
    table[rows[inside], cells[inside]] = frame["price"].to_numpy()[inside]
    prices = table[:, needed]
    lacking = np.flatnonzero(np.isnan(prices).any(axis=1))
    if len(lacking):
        gaps = np.unique(needed[np.isnan(prices[lacking[0]])])
        fault = f"no price for {counted([labels[g] for g in gaps], noun)}"
        if not shared:
            fault += f" at feeder {ids[lacking[0]]}; gaps at "
            fault += counted([ids[f] for f in lacking], "feeder")
        raise SettingsError(f"{OWNER}: {fault}")
    return np.broadcast_to(prices, (len(ids), len(starts))).copy()


def _slots_of(frame: pd.DataFrame, starts: pd.DatetimeIndex, scenario):
    """Slot number of each row, -1 outside the horizon."""
    slot_hours, zone = scenario.slot_hours, scenario.timezone
    times = pd.DatetimeIndex(frame["time"])
    slots = starts.get_indexer(times)
    end = starts[-1] + pd.Timedelta(hours=slot_hours)
    between = times[(slots < 0) & (times >= starts[0]) & (times < end)].unique()
    if len(between):
        shown = [t.isoformat() for t in between.tz_convert(zone)]
        first = starts[0].tz_convert(zone).isoformat()
        raise SettingsError(
            f"{OWNER}: {counted(shown, 'time')} not at the start of a slot; "
            f"slots are {60 * slot_hours:g} minutes long from {first}"
        )
    return slots


def _rows_of(frame: pd.DataFrame, ids: list) -> np.ndarray:
    """Row of the feeders table for each price."""
    codes, named = pd.factorize(frame["feeder_id"])
    require_same_feeders(named.tolist(), ids, OWNER)
    number = {feeder_id: row for row, feeder_id in enumerate(ids)}
    return np.array([number[i] for i in named.tolist()], int)[codes]
