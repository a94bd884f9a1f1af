"""Faults that name what breaks a rule."""

from collections.abc import Iterable

from macjax._errors import DataError, Fault


def fault(table: str, column: str, rule: str, ids: Iterable) -> Fault:
    """One broken rule, with the count of the ids and the first of them."""
    named = tuple(ids)
    return Fault(table, column, rule, len(named), named)


def stop(faults: list[Fault]) -> None:
    """Raise a DataError if there are faults."""
    if faults:
        raise DataError(faults)
