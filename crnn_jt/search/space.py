"""AutoSTR's search space as data (Zhang et al., "AutoSTR: Efficient Backbone Search for Scene Text Recognition", ECCV
2020, section 3): where a backbone halves its map, and which operation stands in each of its layers.

A *path* is a word over A, stride (2, 2), B, stride (2, 1), and -, stride (1, 1): one letter a layer. Two A and three B
bring a picture of 32x100 to 1x25. A word of five letters puts each at the start of a stage; those ten are the paper's
typical paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from crnn_jt.blocks import aster_unit, conv_unit, inverted_residual
from crnn_jt.layers import Choice, Plan

STRIDES = {"A": (2, 2), "B": (2, 1), "-": (1, 1)}
A_COUNT, B_COUNT = 2, 3
WIDTHS = (32, 64, 128, 256, 512)
"""Channels of the five stages; a stage has a fifth of the layers."""
LAYERS = 15
GOAL = 450_000_000
"""The paper's budget in multiply-adds for a picture of 32x100."""


@dataclass(frozen=True)
class Operation:
    """An inverted residual unit (MBConv, MobileNetV2's): its depthwise kernel, how often it widens the channels."""

    kernel: int
    expansion: int


OPERATIONS: dict[str, Operation | None] = {
    **{f"k{kernel}e{expansion}": Operation(kernel, expansion) for kernel in (5, 3) for expansion in (1, 3, 6)},
    "skip": None,
}
"""The seven in the order of the public code's numbers, 0-6; `skip` leaves the layer out."""
RESIDUAL, ANY = "residual", "any"
"""Besides the seven: ASTER's unit, the default while paths are compared, and a choice of all that fit, for a search."""


def read_numbers(numbers: Sequence[int]) -> tuple[str, ...]:
    """Operations by name from the public code's numbers."""
    names = list(OPERATIONS)
    return tuple(names[number] for number in numbers)


PUBLISHED = read_numbers([2, 2, 2, 2, 2, 2, 2, 1, 2, 2, 4, 1, 1, 6, 6])
"""What the paper found on ABABB for IIIT5K, 2.34 M parameters."""


def count_operations(layers: int = LAYERS) -> int:
    """How many choices of operations the paper counts on one path: seven in each layer."""
    return len(OPERATIONS) ** layers


def all_paths(layers: int = LAYERS) -> Iterator[str]:
    """Every path of that many layers, one letter a layer."""
    for places in combinations(range(layers), A_COUNT + B_COUNT):
        for word in typical_paths():
            letters = dict(zip(places, word))
            yield "".join(letters.get(layer, "-") for layer in range(layers))


def typical_paths() -> tuple[str, ...]:
    """The ten orders of two A and three B, sorted: AABBB is ASTER's, ABABB won in the paper."""
    words = []
    for places in combinations(range(A_COUNT + B_COUNT), A_COUNT):
        words.append("".join("A" if place in places else "B" for place in range(A_COUNT + B_COUNT)))
    return tuple(sorted(words))


def strides_of(path: str, layers: int = LAYERS) -> tuple[tuple[int, int], ...]:
    """The stride of each layer. Raises ValueError for a word that is no path of that many layers."""
    if len(path) == A_COUNT + B_COUNT != layers:
        each = layers // len(path)
        path = "".join(letter + "-" * (each - 1) for letter in path)
    counts = {letter: path.count(letter) for letter in STRIDES}
    if len(path) != layers or sum(counts.values()) != layers or (counts["A"], counts["B"]) != (A_COUNT, B_COUNT):
        raise ValueError(f"path {path!r}: it takes {A_COUNT} A and {B_COUNT} B, and - for the rest of {layers} layers")
    return tuple(STRIDES[letter] for letter in path)


def operations_for(in_channels: int, out_channels: int, stride: tuple[int, int]) -> tuple[str, ...]:
    """The operations that a layer can have: skip only where it would change nothing of the map's shape."""
    whole = in_channels == out_channels and stride == (1, 1)
    return tuple(name for name, operation in OPERATIONS.items() if operation is not None or whole)


def layer_of(name: str, in_channels: int, out_channels: int, stride: tuple[int, int]) -> Plan:
    """One layer of a backbone. Raises ValueError for an operation that there is not, or that does not fit here."""
    if name == RESIDUAL:
        return aster_unit(in_channels, out_channels, stride)
    fit = operations_for(in_channels, out_channels, stride)
    if name == ANY:
        return (Choice(tuple(layer_of(one, in_channels, out_channels, stride) for one in fit)),)
    if name not in fit:
        raise ValueError(f"operation {name!r} of {in_channels} to {out_channels} channels: it takes {', '.join(fit)}")
    operation = OPERATIONS[name]
    if operation is None:
        return ()
    kernel = (operation.kernel, operation.kernel)
    return inverted_residual(in_channels, out_channels, in_channels * operation.expansion, kernel, stride)


def shapes_of(path: str, layers: int, widths: Sequence[int] = WIDTHS) -> list[tuple[int, int, tuple[int, int]]]:
    """Channels before and after, and stride, of each layer. Raises ValueError unless the stages are of one length."""
    if layers < 1 or layers % len(widths):
        raise ValueError(f"{layers} operations: it takes as many in each of {len(widths)} stages")
    after = [width for width in widths for _ in range(layers // len(widths))]
    return list(zip([widths[0], *after], after, strides_of(path, layers)))


def plan_of(path: str, operations: Sequence[str], in_channels: int = 3, widths: Sequence[int] = WIDTHS) -> Plan:
    """A backbone: a convolution to the first width, then a layer for each operation; 32x100 becomes 1x25 of the last
    width. Raises ValueError.
    """
    plan = conv_unit(in_channels, widths[0])
    for name, shape in zip(operations, shapes_of(path, len(operations), widths)):
        plan += layer_of(name, *shape)
    return plan
