"""A recogniser's value on its way through a frozen network: maps, or steps of a sequence."""

from __future__ import annotations

from functools import singledispatch

from crnn_jt import layers
from crnn_jt.backend.fast.network import Network
from crnn_jt.freeze.errors import NotCovered
from crnn_jt.freeze.images import Images, State
from crnn_jt.freeze.steps import emit_steps
from crnn_jt.layers import Layer, Plan
from crnn_jt.sequences import GRID, Sequence


class Flow:
    """What stages add themselves to. `images` adds image layers, `value` is the place of the last one's output, while
    `in_steps` is False.
    """

    def __init__(self, network: Network, state: State):
        self.network, self.state = network, state
        self.images, self.value, self.in_steps = Images(network, state), 0, False

    def add_maps(self, plan: Plan, prefix: str) -> None:
        """The image layers of a plan. Raises NotCovered."""
        self.value = self.images.emit_plan(plan, self.value, prefix)

    def become_sequence(self, way: Sequence) -> None:
        """The map is read as a sequence from now on. Raises NotCovered."""
        if not way.kernels:
            raise NotCovered(f"sequences along the {way.name}")
        if way is not GRID:  # whose steps are the pixels of the map as they lie
            self.to_steps(way.name)

    def add_sequence(self, plan: Plan, prefix: str) -> None:
        """The sequence layers of a plan, on maps or steps, whichever they are made for. Raises NotCovered."""
        position = 0
        while position < len(plan):
            end = position
            while end < len(plan) and runs_on_maps(plan[end]) and not (self.in_steps and _runs_on_steps(plan[end])):
                end += 1
            if end > position:
                self.to_maps(1)
                self.value = self.images.emit_plan(plan[position:end], self.value, prefix, first=position)
                position = end
            else:
                self.add_layer(plan[position], f"{prefix}{position}.")
                position += 1

    def add_layer(self, layer: Layer, prefix: str) -> None:
        """One sequence layer on steps; its arrays are `{prefix}{name}`. Raises NotCovered."""
        self.to_steps()
        emit_steps(layer, self.network, self.state, prefix)

    def to_steps(self, order: str = "grid") -> None:
        """Ends the image layers."""
        if not self.in_steps:
            self.network.end_maps(order)
        self.in_steps = True

    def to_maps(self, rows: int) -> None:
        """Steps become a map of so many rows again."""
        if self.in_steps:
            self.network.begin_maps(rows)
            self.images, self.value, self.in_steps = Images(self.network, self.state), 0, False

    def finish(self) -> Network:
        """The network, which ends with a sequence."""
        self.to_steps()
        return self.network


@singledispatch
def runs_on_maps(layer: Layer) -> bool:
    """Whether a layer of sequences is an image layer of a frozen network."""
    return False


for _kind in (layers.Linear, layers.LayerNorm, layers.Positions, layers.SelfAttention, layers.CrossAttention):
    runs_on_maps.register(_kind, lambda layer: True)
for _kind in (layers.Activation, layers.Dropout, layers.Keep, layers.Recall, layers.Add, layers.Concat):
    runs_on_maps.register(_kind, lambda layer: True)


@runs_on_maps.register(layers.Residual)
def _(layer: layers.Residual) -> bool:
    return all(runs_on_maps(inner) for inner in (*layer.body, *layer.shortcut))


@runs_on_maps.register(layers.Quantised)
def _(layer: layers.Quantised) -> bool:
    return runs_on_maps(layer.body[0])


def _runs_on_steps(layer: Layer) -> bool:
    return emit_steps.dispatch(type(layer)) is not emit_steps.dispatch(object)
