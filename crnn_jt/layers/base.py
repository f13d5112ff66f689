"""What every layer says about itself without a framework, and how plans of them are followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np


class Shape(NamedTuple):
    """What flows between two layers: `channels` of a map of `height` by `width`.

    A sequence of T steps is a map of height 1 and width T, its features are the channels. Height and width may be
    integer arrays (the widths of a batch); None where nobody asked.
    """

    channels: int | None
    height: Any
    width: Any


Kept = Mapping[str, Shape]
NOTHING: Kept = {}


def _is_finished(kind: type) -> bool:
    """Whether a class is a layer, not a help to define some: a public dataclass of its own."""
    return "__dataclass_fields__" in vars(kind) and not kind.__name__.startswith("_")


class Layer:
    """One layer of a plan, a frozen dataclass without weights.

    Subclasses override what differs from a layer without arrays that changes no shape and multiplies nothing. What a
    framework, the CPU kernels, ONNX or the tests' oracle do with a layer is registered where they are: `stack`,
    `freeze`, `onnx.nodes`, `tests/oracle/plan`; each refuses by name what is not registered.
    """

    buffers: ClassVar[tuple[str, ...]] = ()
    """Names of arrays that are state: saved with the weights, never trained."""
    products: ClassVar[Mapping[str, int]] = {}
    """Names of arrays that what comes in is multiplied by, each with the axis of its output channels."""
    recurrent: ClassVar[bool] = False
    """Whether it multiplies what it gave out at the step before."""
    parameter_groups: ClassVar[Mapping[str, str]] = {}
    """Names of arrays that learn in a parameter group of their own, with the group's name."""

    def __init_subclass__(cls, **options: Any):
        """A layer derived from a finished one would be run, frozen and exported as that: TypeError."""
        super().__init_subclass__(**options)
        finished = [base.__name__ for base in cls.__bases__ if _is_finished(base)]
        if finished:
            raise TypeError(f"{cls.__name__}: derive it from Layer, not from {finished[0]}")

    def arrays(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the layer's own arrays; those of inner plans are found by `walk`."""
        return {}

    def fresh(self, name: str, rng: np.random.Generator) -> np.ndarray:
        """Initial values, float32, of the array `name`: zeros for vectors, else uniform within ±1/sqrt(fan in)."""
        shape = self.arrays()[name]
        return np.zeros(shape, np.float32) if len(shape) == 1 else uniform(rng, shape, shape[1])

    def children(self) -> dict[str, Plan]:
        """Inner plans by name; their arrays have keys `name.position.…`."""
        return {}

    def recalls(self) -> frozenset[str]:
        """The names of the kept values that it, or a layer of its inner plans, asks for."""
        return frozenset().union(*(layer.recalls() for plan in self.children().values() for layer in plan))

    def with_children(self, children: dict[str, Plan]) -> Layer:
        """The same layer with other inner plans."""
        return replace(self, **children)

    def size(self, height, width) -> tuple:
        """(height, width) after the layer; either may be an integer array."""
        return height, width

    def channels(self, before: int | None) -> int | None:
        """Channels (or features) after the layer. Raises ValueError where it takes another number than `before`."""
        return before

    def shape(self, before: Shape, kept: dict[str, Shape]) -> Shape:
        """The shape after the layer; `kept` holds the shapes of kept values, `Keep` adds to it. Raises ValueError."""
        size = (None, None) if before.height is None else self.size(before.height, before.width)
        return Shape(self.channels(before.channels), *size)

    def cost(self, height: int, width: int, kept: Kept = NOTHING) -> int:
        """Multiply-adds for one image, or sequence, of (height, width) *before* the layer.

        Products with weights, and of queries with keys and values, are counted; what is done to each element alone
        (normalisation, activation, pooling, sums) is not.
        """
        return 0


Plan = tuple[Layer, ...]


class Composite(Layer):
    """A layer whose shapes follow from inner plans or kept values: it defines `shape`, the rest follows."""

    def size(self, height, width) -> tuple:
        return self.shape(Shape(None, height, width), {})[1:]

    def channels(self, before: int | None) -> int | None:
        return self.shape(Shape(before, None, None), {}).channels


def known() -> dict[str, type[Layer]]:
    """All layers by their class names."""
    found: dict[str, type[Layer]] = {}
    waiting = [Layer]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if _is_finished(kind):
                found[kind.__name__] = kind
    return found


def follow(plan: Plan, before: Shape, kept: Kept = NOTHING) -> Shape:
    """The shape after a plan. Raises ValueError, naming the position, where its layers do not fit together."""
    names = dict(kept)
    for position, layer in enumerate(plan):
        try:
            before = layer.shape(before, names)
        except ValueError as error:
            raise ValueError(f"layer {position}, {type(layer).__name__}: {error}") from None
    return before


def out_shape(plan: Plan, height, width) -> tuple:
    """(height, width) after a plan of image layers; either may be an integer array (the widths of a batch)."""
    return follow(plan, Shape(None, height, width))[1:]


def out_channels(plan: Plan, channels: int) -> int:
    """Channels (or features) after a plan. Raises ValueError where its layers do not fit together."""
    return follow(plan, Shape(channels, None, None)).channels


def cost(plan: Plan, channels: int | None, height: int, width: int, kept: Kept = NOTHING) -> int:
    """Multiply-adds of a plan for one image of (height, width), or a sequence of (1, T); see `Layer.cost`."""
    shape, names, total = Shape(channels, height, width), dict(kept), 0
    for layer in plan:
        total += layer.cost(shape.height, shape.width, names)
        shape = layer.shape(shape, names)
    return int(total)


def walk(plan: Plan, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """Every layer that may hold arrays of its own, with its key prefix, in the order of computation."""
    for position, layer in enumerate(plan):
        yield from walk_layer(layer, f"{prefix}{position}")


def walk_layer(layer: Layer, key: str) -> Iterator[tuple[str, Layer]]:
    """As `walk`: a layer whose key is known, then those within it."""
    children = layer.children()
    if not children or layer.arrays():
        yield key, layer
    for name, inner in children.items():
        yield from walk(inner, f"{key}.{name}.")


def rewrite(plan: Plan, change: Callable[[str, Layer], Layer], prefix: str = "") -> Plan:
    """The plan with every layer as `change(key, layer)` gives it, those within a layer before it."""

    def one(key: str, layer: Layer) -> Layer:
        children = {name: rewrite(inner, change, f"{key}.{name}.") for name, inner in layer.children().items()}
        return change(key, layer.with_children(children) if children else layer)

    return tuple(one(f"{prefix}{position}", layer) for position, layer in enumerate(plan))


def arrays_of(named: Mapping[str, Layer]) -> dict[str, tuple[int, ...]]:
    """Shapes of all arrays of layers by key, `{key}.{name}`."""
    return {f"{key}.{name}": shape for key, layer in named.items() for name, shape in layer.arrays().items()}


def buffers_of(named: Mapping[str, Layer]) -> set[str]:
    """Keys of all arrays of layers that are never trained."""
    return {f"{key}.{name}" for key, layer in named.items() for name in layer.buffers}


def parameter_groups_of(named: Mapping[str, Layer]) -> dict[str, str]:
    """The parameter group of each array of layers that learns in one of its own, by key."""
    return {f"{key}.{name}": group for key, layer in named.items() for name, group in layer.parameter_groups.items()}


def fresh_state(named: Mapping[str, Layer], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Initial values of all arrays of layers, drawn in the order of their sorted keys: a seed means the same weights
    whatever order the layers stand in.
    """
    owners = {f"{key}.{name}": (layer, name) for key, layer in named.items() for name in layer.arrays()}
    return {key: layer.fresh(name, rng) for key, (layer, name) in sorted(owners.items())}


def uniform(rng: np.random.Generator, shape: tuple[int, ...], fan: int) -> np.ndarray:
    """Uniform within ±1/sqrt(fan), float32."""
    bound = 1 / np.sqrt(fan)
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def he_normal(rng: np.random.Generator, shape: tuple[int, ...], fan: float) -> np.ndarray:
    """Normal with variance 2/fan, float32 (He et al., "Delving deep into rectifiers", 2015)."""
    return (rng.standard_normal(shape) * np.sqrt(2 / fan)).astype(np.float32)


def expect(what: str, wanted: int, found: int | None) -> None:
    """Raises ValueError unless `found` is `wanted` (or unknown, None)."""
    if found not in (None, wanted):
        raise ValueError(f"takes {wanted} {what}, there are {found}")


def at_least(least: int, **values: int | tuple[int, ...]) -> None:
    """Raises ValueError naming a value, or an element of one, below `least`."""
    for name, value in values.items():
        if min(value if isinstance(value, tuple) else (value,)) < least:
            raise ValueError(f"{name} {value}: it takes {least} or more")
