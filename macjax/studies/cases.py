"""The cases of a sweep: the product of lists, and the order in which they are run.

Cases have the order of the product, the last list fastest. They are run in another one:
those that differ only in factors behind one another, because they share one scenario,
and each list forth and back, so that a case differs from the one before it in one key
and by one place in its list: the reflected Gray code of the product.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from macjax._errors import SettingsError
from macjax.studies.factors import check_factor
from macjax.studies.sources import Source, resolve_key

PIECES = 4  # a worker: enough to keep all busy, few enough to start from neighbours


class Axis(NamedTuple):
    """One key that varies.

    Arguments:
        name: column of the result.
        key: full name of the source's key, or of the factor.
        is_factor: whether it multiplies columns of a scenario that is there.
        values: its values, in the order given.
    """

    name: str
    key: str
    is_factor: bool
    values: tuple[Any, ...]


class Case(NamedTuple):
    """One combination of values.

    Arguments:
        number: place in the product, from 0 on.
        shown: values by name of the column, as text where they are not plain.
        build: values of the source's keys.
        factors: values of the factors.
    """

    number: int
    shown: dict[str, Any]
    build: dict[str, Any]
    factors: dict[str, float]


def make_axes(source: Source, over, reserved: Iterable[str]) -> tuple[Axis, ...]:
    """What varies, every value checked.

    Arguments:
        over: lists of values by key.
        reserved: names of columns of the result; a key of this name is called by its
            full name, with the table of the configuration before it.
    """
    if not isinstance(over, Mapping) or not over:
        raise SettingsError(
            "over must name what varies and its values, such as "
            "{'charger_power': [0.5, 1, 2]}"
        )
    axes: list[Axis] = []
    for given, values in over.items():
        key, is_factor = resolve_key(source, str(given))
        if same := [a.name for a in axes if a[1:3] == (key, is_factor)]:
            raise SettingsError(f"over: '{same[0]}' and '{given}' are one key, '{key}'")
        name = f"{source.table}.{key}" if given in set(reserved) else str(given)
        axes.append(Axis(name, key, is_factor, _listed(str(given), values)))
    for axis in axes:
        for value in axis.values if axis.is_factor else ():
            check_factor(axis.name, value)
    for case in make_cases([axis for axis in axes if not axis.is_factor]):
        source.check(case.build)
    return tuple(axes)


def make_cases(axes: Sequence[Axis]) -> list[Case]:
    """All combinations, the last list fastest."""
    cases = []
    for number, values in enumerate(itertools.product(*(a.values for a in axes))):
        pairs = list(zip(axes, values, strict=True))
        cases.append(
            Case(
                number,
                {axis.name: shown_value(value) for axis, value in pairs},
                {axis.key: value for axis, value in pairs if not axis.is_factor},
                {axis.key: value for axis, value in pairs if axis.is_factor},
            )
        )
    return cases


def running_order(axes: Sequence[Axis]) -> list[int]:
    """Numbers of the cases in the order in which neighbours follow one another."""
    lengths = [len(axis.values) for axis in axes]
    strides = np.cumprod([1, *lengths[:0:-1]])[::-1]
    slow = [k for k, axis in enumerate(axes) if not axis.is_factor]
    order = np.zeros(1, np.int64)
    forth = np.ones(1, bool)  # whether the next list is run through from its beginning
    for k in (*slow, *(k for k in range(len(axes)) if k not in slow)):
        steps = np.arange(lengths[k])
        place = np.where(forth[:, None], steps, steps[::-1])
        order = (order[:, None] + place * strides[k]).reshape(-1)
        forth = np.arange(len(order)) % 2 == 0
    return order.tolist()


def cut(cases: Sequence[Case], workers: int) -> list[list[Case]]:
    """Runs of neighbours for workers to take in turn.

    One worker takes all at once. For several the cuts lie between scenarios where there
    are enough of them, so that each is built once.
    """
    if workers == 1 or len(cases) < 2:
        return [list(cases)] if cases else []
    built = [
        list(group)
        for _, group in itertools.groupby(cases, key=lambda case: case.build)
    ]
    if len(built) < workers:
        each = -(-workers // len(built))
        return [part for group in built for part in _parts(group, each)]
    return [sum(part, []) for part in _parts(built, PIECES * workers)]


def shown_value(value):
    """A value as a cell: numbers, words and flags as they are, others as text."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return "[" + ", ".join(str(shown_value(v)) for v in value) + "]"
    return str(value)


def _parts(items: Sequence, count: int) -> list[list]:
    """At most so many runs of items that are about equally long."""
    edges = np.linspace(0, len(items), min(count, len(items)) + 1).round().astype(int)
    return [list(items[a:b]) for a, b in itertools.pairwise(edges.tolist())]


def _listed(name: str, given) -> tuple[Any, ...]:
    """The values of a key as a tuple of plain ones, each once."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise SettingsError(f"over: {name} must be a list of values, not {given!r}")
    plain = np.generic | np.ndarray
    values = tuple(v.tolist() if isinstance(v, plain) else v for v in given)
    if not values:
        raise SettingsError(f"over: {name} has no values")
    repeats = [v for k, v in enumerate(values) if v in values[:k]]
    if repeats:
        raise SettingsError(f"over: {name} has {repeats[0]!r} more than once")
    return values
