"""A plan cut into what one kernel does at once. Which layers fuse depends on what follows what, hence the `isinstance`
tests; nothing else in this package asks for types.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from crnn_jt.backend.fast.network import ACTIVATIONS
from crnn_jt.freeze.errors import NotCovered
from crnn_jt.layers import (
    NO_POOL,
    Activation,
    Add,
    BatchNorm,
    Block,
    Conv,
    ConvTranspose,
    CrossAttention,
    Dropout,
    Gate,
    Layer,
    Linear,
    MaxPool,
    Plan,
    Quantised,
    Residual,
    SelfAttention,
)

FUSED_POOLS = {(2, 2), (2, 1), (1, 2)}  # what a convolution can do on the way, on any kernel


@dataclass(frozen=True)
class Group:
    """What one kernel does at once: a layer, and what is done to its outputs while they are in registers.

    Keys are those of the layer and of the norm that is folded into it; `addend` is the name of a kept value that is
    added before the activation. `reader` is the key of a layer of products in 8 bits that alone reads what this one, of
    such products too or a gate, gives: it is then written as that one rounds it.
    """

    key: str
    layer: Layer
    norm_key: str = ""
    norm: BatchNorm | None = None
    addend: str = ""
    activation: str | None = None
    pool: MaxPool = NO_POOL
    reader: str = ""

    @property
    def recalls(self) -> frozenset[str]:
        """The names of kept values that it reads."""
        return self.layer.recalls() | ({self.addend} if self.addend else set())

    @property
    def multiplies_levels(self) -> bool:
        """Whether its products are those of integers of 8 bits."""
        return isinstance(self.layer, Quantised) and (_is_product(self.layer) or is_depthwise(self.layer.body[0]))

    @property
    def is_bare(self) -> bool:
        """Whether it is a product with weights that can still take a sum and an activation."""
        return _is_product(self.layer) and not self.addend and self.activation is None and self.pool == NO_POOL


def group_plan(plan: Plan, prefix: str, first: int = 0) -> list[Group]:
    """The groups of a plan whose first layer has the key `{prefix}{first}`. Raises NotCovered for an activation."""
    groups, position = [], 0
    while position < len(plan):
        if isinstance(plan[position], Dropout):  # nothing when reading
            position += 1
            continue
        found, position = _group(plan, position, prefix, first)
        groups += found
    return [replace(group, reader=_find_reader(group, groups[place + 1 :])) for place, group in enumerate(groups)]


def _find_reader(group: Group, later: list[Group]) -> str:
    """What `reader` says: the layer may read it pooled, since the largest level is that of the largest value."""
    after = next((other for other in later if not isinstance(other.layer, MaxPool)), None)
    rounds = group.multiplies_levels or (isinstance(group.layer, Gate) and later[:1] == [after])
    return after.key if after and rounds and after.multiplies_levels else ""


def _group(plan: Plan, position: int, prefix: str, first: int) -> tuple[list[Group], int]:
    """The group that starts at a position (two where half of a pooling is left over), and where the next one starts."""
    group, end = Group(f"{prefix}{first + position}", plan[position]), position + 1
    layer = _unwrap(plan[position])

    def follows(kind: type) -> bool:
        return end < len(plan) and isinstance(plan[end], kind)

    if isinstance(layer, Conv | ConvTranspose) and follows(BatchNorm):
        group, end = replace(group, norm_key=f"{prefix}{first + end}", norm=plan[end]), end + 1
    if (_is_product(layer) or isinstance(layer, Block)) and follows(Add):
        group, end = replace(group, addend=plan[end].name), end + 1
    if isinstance(layer, Conv | ConvTranspose | Linear | BatchNorm | Block | Residual | Add) and follows(Activation):
        group, end = replace(group, activation=name_of(plan[end])), end + 1
    if _is_product(layer) and not group.addend and follows(MaxPool):
        down, along = _halves(plan[end])
        if _fuses(group, plan[end]):
            return [replace(group, pool=plan[end])], end + 1
        if _fuses(group, down):
            return [replace(group, pool=down), Group(f"{prefix}{first + end}", along)], end + 1
    return [group], end


def _is_product(layer: Layer) -> bool:
    """Whether it ends with a product of all channels: a depthwise convolution has no room for sums and pooling."""
    layer = _unwrap(layer)
    attends = isinstance(layer, SelfAttention | CrossAttention)
    return attends or isinstance(layer, Linear) or (isinstance(layer, Conv) and layer.groups == 1)


def is_depthwise(layer: Layer) -> bool:
    """Whether each channel has a kernel of its own."""
    return isinstance(layer, Conv) and 1 < layer.groups == layer.in_channels == layer.out_channels


def _unwrap(layer: Layer) -> Layer:
    """The layer that another rounds the products of; itself where there is none."""
    return layer.body[0] if isinstance(layer, Quantised) else layer


def name_of(layer: Activation) -> str:
    """The kernels' name of an activation. Raises NotCovered."""
    if layer.kind not in ACTIVATIONS:
        raise NotCovered(f"the activation {layer.kind}")
    return layer.kind


def _halves(pool: MaxPool) -> tuple[MaxPool, MaxPool]:
    """The same pooling in two steps: down the columns, which a convolution may do on the way, then along the rows."""
    (height, width), (down, along), (top, side) = pool.kernel, pool.stride, pool.padding
    return MaxPool((height, 1), (down, 1), (top, 0)), MaxPool((1, width), (1, along), (0, side))


def _fuses(group: Group, pool: MaxPool) -> bool:
    """Whether the convolution before it can do a pooling.

    The kernels may pool before they activate, which hard swish, falling and rising, does not allow.
    """
    rises = group.activation in (None, "relu")
    return pool.kernel in FUSED_POOLS and pool.stride == pool.kernel and pool.padding == (0, 0) and rises
