"""The parameters of the operators, apart from their arrays: one struct of named fields each, as in `fields.h`.

Adding an operator takes one struct here and one there; `check_layouts` compares all of them when a library is loaded.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from ctypes import c_double as float64
from ctypes import c_float as float32
from ctypes import c_int32 as int32
from ctypes import c_int64 as int64
from typing import get_type_hints

_WORD = 8  # bytes of the integers that a message is made of
_IN_C = {int32: "int32_t", int64: "int64_t", float32: "float", float64: "double"}


class Fields(ctypes.Structure):
    """Base of all structs: takes every field by name, an `Integers` field (of an outermost struct) as a sequence."""

    def __init__(self, **values):
        kinds = dict(self._fields_)
        if values.keys() != kinds.keys():
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(kinds)}, not {', '.join(values)}")
        self._arrays: list[int] = []
        for name, value in values.items():
            setattr(self, name, self._append(value) if kinds[name] is Integers else value)

    def _append(self, array: Sequence[int]) -> Integers:
        first = -(-ctypes.sizeof(self) // _WORD) + len(self._arrays)
        self._arrays += map(int, array)
        return Integers(first=first, count=len(array))

    def words(self) -> list[int]:
        """The struct as 64-bit integers, then its arrays: what the Jittor operator hands to the library."""
        words = -(-ctypes.sizeof(self) // _WORD)
        return [*struct.unpack(f"={words}q", bytes(self).ljust(words * _WORD, b"\0")), *self._arrays]

    @classmethod
    def layout(cls) -> str:
        """Size in bytes and text of the struct, as the library describes its own."""
        body = " ".join(f"{_IN_C.get(kind, kind.__name__)} {name};" for name, kind in cls._fields_)
        return f"{ctypes.sizeof(cls)} {{ {body} }}"


def declare(cls: type[Fields]) -> type[Fields]:
    """Class decorator: the annotations become the struct's fields."""
    cls._fields_ = list(get_type_hints(cls).items())
    return cls


def check_layouts(library: ctypes.CDLL) -> None:
    """Raises RuntimeError with the name of a struct that `fields.h` and this file do not have in common."""
    lines = library.crnn_layouts().decode().splitlines()
    theirs = dict(line.split(" ", 1) for line in lines)
    ours = {cls.__name__: cls.layout() for cls in Fields.__subclasses__()}
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            raise RuntimeError(f"struct {name} is {ours.get(name)} in fields.py, {theirs.get(name)} in fields.h")


@declare
class Integers(Fields):
    first: int32
    count: int32


@declare
class Window(Fields):
    kernel_h: int32
    kernel_w: int32
    stride_h: int32
    stride_w: int32
    padding_h: int32
    padding_w: int32

    @classmethod
    def of(cls, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> Window:
        """From pairs (vertical, horizontal)."""
        return cls(**dict(zip(cls.__annotations__, (*kernel, *stride, *padding), strict=True)))


@declare
class Images(Fields):
    batch: int32
    height: int32
    width: int32
    channels: int32
    stride: int32


@declare
class Conv(Fields):
    x: Images
    out_channels: int32
    has_bias: int32
    window: Window


@declare
class Epilogue(Fields):
    eps: float64
    z: Images
    has_norm: int32
    has_addend: int32
    act: int32
    defers: int32
    pool: Window
    inside: Integers
    kept: Integers


@declare
class Unit(Fields):
    eps: float64
    z: Images
    out_channels: int32
    depthwise: int32
    window: Window
    has_bias: int32
    has_norm: int32
    act: int32
    gate_inner: int32
    gate_squeeze: int32
    gate_act: int32
    clears: int32
    measures: int32
    defers: int32
    deferred: int32
    inside: Integers


@declare
class BatchNorm(Fields):
    eps: float64
    area: int64
    batch: int32
    channels: int32


@declare
class MaxPool(Fields):
    planes: int64
    height: int32
    width: int32
    window: Window


@declare
class Regions(Fields):
    channels: int32
    stride: int32
    height: int32
    width: int32
    regions: int32
    area: int32


@declare
class ReLU(Fields):
    count: int64


@declare
class BiLSTM(Fields):
    steps: int32
    batch: int32
    features: int32
    hidden: int32
    lengths: Integers


@declare
class CTC(Fields):
    steps: int32
    batch: int32
    classes: int32
    longest: int32
    lengths: Integers
    sizes: Integers
    targets: Integers


@declare
class SumOfSquares(Fields):
    sizes: Integers


@declare
class Adam(Fields):
    keep: float32
    decay: float32
    first: float32
    first_rest: float32
    second: float32
    second_rest: float32
    rate: float32
    correction: float32
    sizes: Integers


@declare
class Average(Fields):
    decay: float32
    share: float32
    sizes: Integers
