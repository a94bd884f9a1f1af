"""Frozen dataclasses whose fields are read from a mapping, such as a table of TOML.

A section is a dataclass with defaults; a field that is a dataclass itself is a section
within it. Keys are its fields; kinds are those of the type hints.
"""

import contextlib
import dataclasses
import datetime
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from macjax._errors import SettingsError, nearest

Section = TypeVar("Section")
NOUNS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    datetime.date: "a date such as 2026-09-14",
}


def read_section(
    section: Section, table: Mapping, owner: str, joint: str = "."
) -> Section:
    """A section with the values of a table; sections within it are read alike.

    Arguments:
        section: a dataclass; what the table does not name stays.
        table: values by key.
        owner: of the table, for messages.
        joint: between the owner and a key in messages.

    Raises:
        SettingsError: an unknown key, or a value of the wrong kind.
    """
    hints = typing.get_type_hints(type(section))
    values: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{owner}{joint}{key}"
        if key not in hints:
            raise SettingsError(f"{where}: unknown key; {nearest(key, hints)}")
        default = getattr(section, key)
        if not dataclasses.is_dataclass(default) or isinstance(value, type(default)):
            values[key] = typed(value, hints[key], where)
        elif isinstance(value, Mapping):
            values[key] = read_section(default, value, where, joint)
        else:
            name = where.rpartition(": ")[2]
            raise SettingsError(f"{where} must be a table, [{name}]")
    return dataclasses.replace(section, **values)  # pyright: ignore[reportArgumentType]


def nested(changes: Mapping) -> dict:
    """Values by section out of `{"fleet.soc_arrival": 0.3}`, as `read_section` reads.

    A key of a section has the name of the section before a point.
    """
    table: dict = {}
    for key, value in changes.items():
        section, _, name = str(key).rpartition(".")
        inner = table.setdefault(section, {}) if section else table
        inner[name] = value
    return table


def typed(value, hint, where: str):
    """The value if it is of the kind; whole numbers are numbers, lists tuples.

    Raises:
        SettingsError: it is not.
    """
    if getattr(value, "ndim", None) == 0:  # a number of NumPy or JAX
        value = value.item()
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise SettingsError(f"{where} must be a list, not {value!r}")
        inner = typing.get_args(hint)[0]
        return tuple(typed(v, inner, where) for v in value)
    is_flag = isinstance(value, bool)
    if hint is datetime.date and isinstance(value, str):
        with contextlib.suppress(ValueError):
            return datetime.date.fromisoformat(value)
    if hint is float and isinstance(value, int) and not is_flag:
        return float(value)
    wrong = not isinstance(value, hint) or (is_flag and hint is not bool)
    if wrong or isinstance(value, datetime.datetime):
        raise SettingsError(f"{where} must be {NOUNS[hint]}, not {value!r}")
    return value
