"""Plans as plain values, for YAML, JSON and the spec inside a weights file.

    - {layer: Conv, in_channels: 1, out_channels: 32}
    - {layer: Residual, body: [{layer: BatchNorm, features: 32}, …]}

Fields at their defaults are left out when writing; reading is strict, since a weights file may come from a stranger.
"""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from crnn_jt.layers import base
from crnn_jt.layers.base import Layer, Plan
from crnn_jt.spec import LARGEST, convert
from data_tools.errors import UserError

DEEPEST = 8
"""Plans within plans; the deepest that anybody has needed is 3 (a gate in a residual unit in a branch)."""
LONGEST = 1024
"""Layers of one plan; the longest published extractors have some 150."""


def to_values(plan: Plan) -> list[dict[str, Any]]:
    """A plan as lists, mappings, numbers and strings."""
    return [{"layer": type(layer).__name__, **_fields(layer)} for layer in plan]


def _fields(layer: Layer) -> dict[str, Any]:
    values = {field: getattr(layer, field.name) for field in dataclasses.fields(layer)}
    return {field.name: _plain(value) for field, value in values.items() if value != field.default}


def _plain(value: Any) -> Any:
    if isinstance(value, Layer):
        return to_values((value,))[0]
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def from_values(values: Any, where: str = "plan", deep: int = 0) -> Plan:
    """The plan that `to_values` wrote down. Raises UserError naming the place of an unknown layer or field, a missing
    one or a value that it does not take.
    """
    if not isinstance(values, list | tuple) or len(values) > LONGEST or deep > DEEPEST:
        raise UserError(f"{where}: is no list of at most {LONGEST} layers, at most {DEEPEST} deep")
    return tuple(_layer(value, f"{where}.{position}", deep) for position, value in enumerate(values))


def _layer(values: Any, where: str, deep: int) -> Layer:
    if not isinstance(values, dict) or not isinstance(values.get("layer"), str):
        raise UserError(f"{where}: {values!r} is no mapping with the name of a `layer`")
    kinds = base.known()
    if values["layer"] not in kinds:
        raise UserError(f"{where}: there is no layer {values['layer']!r}; there are: {', '.join(sorted(kinds))}")
    kind = kinds[values["layer"]]
    hints, fields = typing.get_type_hints(kind), {field.name: field for field in dataclasses.fields(kind)}
    found = {}
    for name, value in values.items():
        if name == "layer":
            continue
        if name not in fields:
            raise UserError(f"{where}.{name}: {kind.__name__} has no such field; it has: {', '.join(fields)}")
        found[name] = _field(hints[name], value, f"{where}.{name}", deep)
    missing = [name for name, field in fields.items() if field.default is dataclasses.MISSING and name not in found]
    if missing:
        raise UserError(f"{where}: {kind.__name__} needs {', '.join(missing)}")
    try:
        return kind(**found)
    except ValueError as error:
        raise UserError(f"{where}: {kind.__name__}: {error}") from error


def _field(hint: Any, value: Any, where: str, deep: int) -> Any:
    if hint == Plan:
        return from_values(value, where, deep + 1)
    if hint == tuple[Plan, ...] and isinstance(value, list | tuple) and len(value) <= LONGEST:
        return tuple(from_values(plan, f"{where}.{number}", deep + 1) for number, plan in enumerate(value))
    value = convert(hint, value, where)
    numbers = value if isinstance(value, tuple) else (value,)
    if any(isinstance(number, int | float) and not 0 <= number <= LARGEST for number in numbers):
        raise UserError(f"{where}: {value}; it takes 0 to {LARGEST}")
    return value
