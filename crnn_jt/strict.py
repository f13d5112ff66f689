"""Dataclasses from plain values (YAML, JSON) and back: what is misspelt or of a wrong type is refused by name."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import Any

from data_tools.errors import UserError


def from_dict(kind: type, values: Any, where: str = ""):
    """A dataclass from plain values. A class with a `from_values(values, where)` of its own is asked instead.

    Raises UserError naming the key for unknown or missing keys and for wrong types.
    """
    if not isinstance(values, dict):
        raise UserError(f"{where or kind.__name__}: {values!r} is no mapping of keys to values")
    own = getattr(kind, "from_values", None)
    return own(values, where) if own else fill(kind, values, where)


def fill(kind: type, values: dict[str, Any], where: str):
    """The dataclass `kind` with its fields set from `values`; raises UserError as `from_dict` does."""
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for key in values:
        if key not in fields:
            raise UserError(f"{join(where, key)}: unknown key; there are: {', '.join(fields)}")
    for name, f in fields.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise UserError(f"{join(where, name)}: missing")
    return kind(**{key: convert(hints[key], value, join(where, key)) for key, value in values.items()})


def convert(hint, value, where: str):
    """`value` as the type `hint` wants it; raises UserError naming `where` it stands."""
    if isinstance(hint, types.UnionType) and type(None) in typing.get_args(hint):
        (inner,) = (kind for kind in typing.get_args(hint) if kind is not type(None))
        return None if value is None else convert(inner, value, where)
    if dataclasses.is_dataclass(hint):
        return value if isinstance(value, hint) else from_dict(hint, value, where)
    if hint is float and isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)  # YAML reads 1e-3 as a string
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    elif typing.get_origin(hint) is tuple and isinstance(value, list | tuple):
        inner = typing.get_args(hint)
        if inner[-1] is Ellipsis or len(inner) == len(value):
            return tuple(convert(inner[0], item, where) for item in value)
    elif typing.get_origin(hint) is dict and isinstance(value, dict):
        inner = typing.get_args(hint)[1]
        return {key: item if inner is Any else convert(inner, item, join(where, key)) for key, item in value.items()}
    elif isinstance(hint, type) and not isinstance(hint, types.GenericAlias) and type(value) is hint:
        return value
    name = getattr(hint, "__name__", str(hint)) if typing.get_origin(hint) is None else str(hint)
    raise UserError(f"{where}: {value!r} is not of type {name}")


def join(where: str, key: object) -> str:
    """The dotted name of `key` inside `where`."""
    return f"{where}.{key}" if where else str(key)


def to_dict(spec) -> dict[str, Any]:
    """Plain values that `from_dict` turns into the same dataclass again. A class with a `to_values()` of its own is
    asked instead.
    """
    own = getattr(spec, "to_values", None)
    return own() if own else spread(spec)


def spread(spec) -> dict[str, Any]:
    """The fields of a dataclass as plain values; those that are None are left out."""
    values = {f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)}
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _plain(value):
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
