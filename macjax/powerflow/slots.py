"""The slots to look at: those in which the feeders are fullest, or those asked for."""

import numpy as np
import pandas as pd

from macjax._errors import FIRST_IDS, SettingsError


def worst_slots(use: np.ndarray, size: np.ndarray, count: int) -> np.ndarray:
    """The `count` fullest slots of every feeder, and of all together, sorted.

    The fullest is the one with the largest |use|, the earliest of equal ones.

    Arguments:
        use: load over capacity, shape (feeders, slots); NaN counts as empty.
        size: of the feeders, weights of the sum over all, shape (feeders,).
        count: slots of each feeder.
    """
    filled = np.nan_to_num(use)
    ranked = np.abs(np.vstack([filled, size @ filled]))
    order = np.argsort(-ranked, axis=1, kind="stable")
    return np.unique(order[:, :count])


def named_slots(slots, scenario) -> np.ndarray:
    """Slot numbers of the slots given, sorted, each once.

    Arguments:
        slots: numbers from 0, or instants that are starts of slots.
        scenario: a `Scenario`.
    """
    if isinstance(slots, str) or not np.iterable(slots):
        slots = [slots]
    given = list(slots)
    if not given:
        raise SettingsError("slots: none is named; None takes the fullest")
    if all(isinstance(s, int | np.integer) and not isinstance(s, bool) for s in given):
        wrong = [s for s in given if not 0 <= s < scenario.slots]
        rule = f"slots are numbered from 0 to {scenario.slots - 1}"
        numbers = np.array(given, np.int64)
    else:
        numbers, wrong = _of_instants(given, scenario)
        rule = f"no slot starts there; slot 0 starts at {scenario.start.isoformat()}"
    if wrong:
        shown = ", ".join(str(s) for s in wrong[:FIRST_IDS])
        raise SettingsError(f"slots: {shown}: {rule}")
    return np.unique(numbers)


def _of_instants(given: list, scenario) -> tuple[np.ndarray, list]:
    """Slot numbers of instants, and those that start no slot."""
    try:
        instants = pd.DatetimeIndex(pd.to_datetime(given, utc=True))
    except (TypeError, ValueError) as error:
        rule = "slots must be slot numbers or instants with an offset"
        raise SettingsError(f"{rule}: {error}") from error
    naive = [s for s in given if pd.Timestamp(s).tzinfo is None]
    numbers = scenario.slot_starts.get_indexer(instants)
    wrong = [s for s, n in zip(given, numbers, strict=True) if n < 0]
    return numbers, naive or wrong
