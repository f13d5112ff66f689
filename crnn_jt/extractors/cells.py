"""Cells that others found by search, stacked as the backbone of a recogniser, as AutoSTR's public code stacks DARTS'
(Zhang et al., ECCV 2020; LARS-research/AutoSTR, `lib/models/darts.py`).

A cell sums, node by node, what two operations make of two earlier values, and joins its nodes. Its first two values
are the outputs of the two cells before it. The genotypes are the published ones:

- DARTS (Liu et al., ICLR 2019), of first and second order, CIFAR-10: quark0/darts, `cnn/genotypes.py`. AutoSTR's code
  has those of first order.
- Auto-DeepLab (Liu et al., CVPR 2019), Cityscapes: tensorflow/models, `research/deeplab/core/nas_network.py`
  (`hnasnet`), whose values 0 and 1 are the last cell and the one before it: here they are exchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from crnn_jt.blocks import conv_unit, scale_channels
from crnn_jt.extractors.base import Extractor
from crnn_jt.layers import Activation, Add, AvgPool, BatchNorm, Block, Concat, Conv, Keep, MaxPool, Plan, Recall
from crnn_jt.registry import EXTRACTORS
from crnn_jt.search.space import WIDTHS, strides_of

Edge = tuple[str, int]
"""An operation, and the number of the value that it is applied to: 0 the output of the cell before the last, 1 that of
the last cell, 2 and on the nodes."""
Stride = tuple[int, int]


class Genotype(NamedTuple):
    """The edges of a cell, two for each node, and those of a cell that makes the map smaller."""

    normal: tuple[Edge, ...]
    reduction: tuple[Edge, ...]


_AUTO_DEEPLAB = (
    *(("atrous_5x5", 0), ("sep_conv_3x3", 1)),
    *(("sep_conv_3x3", 0), ("atrous_3x3", 1)),
    *(("sep_conv_3x3", 3), ("sep_conv_3x3", 0)),
    *(("sep_conv_5x5", 4), ("sep_conv_5x5", 2)),
    *(("sep_conv_5x5", 3), ("atrous_5x5", 5)),
)
GENOTYPES = {
    "darts": Genotype(
        normal=(
            *(("sep_conv_3x3", 1), ("sep_conv_3x3", 0)),
            *(("skip_connect", 0), ("sep_conv_3x3", 1)),
            *(("skip_connect", 0), ("sep_conv_3x3", 1)),
            *(("sep_conv_3x3", 0), ("skip_connect", 2)),
        ),
        reduction=(
            *(("max_pool_3x3", 0), ("max_pool_3x3", 1)),
            *(("skip_connect", 2), ("max_pool_3x3", 0)),
            *(("max_pool_3x3", 0), ("skip_connect", 2)),
            *(("skip_connect", 2), ("avg_pool_3x3", 0)),
        ),
    ),
    "darts-second": Genotype(
        normal=(
            *(("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
            *(("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
            *(("sep_conv_3x3", 1), ("skip_connect", 0)),
            *(("skip_connect", 0), ("dil_conv_3x3", 2)),
        ),
        reduction=(
            *(("max_pool_3x3", 0), ("max_pool_3x3", 1)),
            *(("skip_connect", 2), ("max_pool_3x3", 1)),
            *(("max_pool_3x3", 0), ("skip_connect", 2)),
            *(("skip_connect", 2), ("max_pool_3x3", 1)),
        ),
    ),
    "auto-deeplab": Genotype(_AUTO_DEEPLAB, _AUTO_DEEPLAB),
}


def _unit(before: int, after: int, stride: Stride = (1, 1)) -> Plan:
    """ReLU, 1x1 convolution, batch normalisation: for what comes into a cell, and as DARTS' factorised reduction
    without its shift by a pixel, as AutoSTR's code has it.
    """
    return (Activation(), Conv(before, after, (1, 1), stride, (0, 0), bias=False), BatchNorm(after))


def _around(size: int, apart: int) -> dict[str, tuple[int, int]]:
    """Of a square kernel whose values lie `apart`: its padding leaves the map's size as it is."""
    return {"kernel": (size, size), "padding": (size // 2 * apart,) * 2, "dilation": (apart, apart)}


def _separable(channels: int, size: int, stride: Stride, apart: int = 1) -> Plan:
    """ReLU, depthwise and 1x1 convolution, batch normalisation; no change of size but for the stride."""
    depthwise = Conv(channels, channels, stride=stride, bias=False, groups=channels, **_around(size, apart))
    return (Activation(), depthwise, Conv(channels, channels, (1, 1), padding=(0, 0), bias=False), BatchNorm(channels))


def _twice_separable(channels: int, size: int, stride: Stride) -> Plan:
    return (*_separable(channels, size, stride), *_separable(channels, size, (1, 1)))


def _atrous(channels: int, size: int, stride: Stride) -> Plan:
    """ReLU, convolution, batch normalisation. It is dilated where the map keeps its size; where not, the stride stands
    for the bilinear reduction of Auto-DeepLab's code.
    """
    apart = 2 if stride == (1, 1) else 1
    convolution = Conv(channels, channels, stride=stride, bias=False, **_around(size, apart))
    return (Activation(), convolution, BatchNorm(channels))


_OPERATIONS: dict[str, Callable[[int, Stride], Plan]] = {
    "skip_connect": lambda channels, stride: () if stride == (1, 1) else _unit(channels, channels, stride),
    "max_pool_3x3": lambda channels, stride: (MaxPool((3, 3), stride, (1, 1)),),
    "avg_pool_3x3": lambda channels, stride: (AvgPool((3, 3), stride, (1, 1)),),
    "sep_conv_3x3": lambda channels, stride: _twice_separable(channels, 3, stride),
    "sep_conv_5x5": lambda channels, stride: _twice_separable(channels, 5, stride),
    "dil_conv_3x3": lambda channels, stride: _separable(channels, 3, stride, 2),
    "atrous_3x3": lambda channels, stride: _atrous(channels, 3, stride),
    "atrous_5x5": lambda channels, stride: _atrous(channels, 5, stride),
}


def _node(edges: Sequence[Edge], channels: int, stride: Stride) -> Plan:
    """The sum of two edges; only those from the cell's inputs make the map smaller."""
    found = [(_OPERATIONS[name](channels, stride if value < 2 else (1, 1)), value) for name, value in edges]
    (first, one), (second, other) = sorted(found, key=lambda edge: not edge[0])  # what stays as it is comes last
    plan = (Recall(str(one)), *_as_one(first))
    if not second:
        return (*plan, Add(str(other)))
    return (*plan, Keep("part"), Recall(str(other)), *_as_one(second), Add("part"))


def _as_one(plan: Plan) -> Plan:
    return (Block(plan),) if len(plan) > 1 else plan


class Earlier(NamedTuple):
    """The output of the cell before the last: its name among the kept values, its channels, and the stride of the
    last cell.
    """

    name: str
    channels: int
    stride: Stride


def make_cell(edges: Sequence[Edge], earlier: Earlier, last: int, channels: int, stride: Stride) -> Block:
    """A cell for `last` channels; each node has `channels`, so many times more come out as it has nodes."""
    plan = (*_unit(last, channels), Keep("1"))
    plan += (Recall(earlier.name), *_unit(earlier.channels, channels, earlier.stride), Keep("0"))
    names = [str(number) for number in range(2, 2 + len(edges) // 2)]
    for place, name in enumerate(names):
        plan += (*_node(edges[2 * place : 2 * place + 2], channels, stride), Keep(name))
    return Block((*plan, Recall(names[0]), Concat(tuple(names[1:]))))


def _stack(in_channels: int, genotype: Genotype, counts: Sequence[int], path: str, widths: Sequence[int]) -> Plan:
    """A convolution, then the cells; what goes into one is kept for the next. Raises ValueError."""
    last = widths[0]
    plan, earlier, number = conv_unit(in_channels, last), Earlier("cell 0", last, (1, 1)), 0
    for count, width, step in zip(counts, widths, strides_of(path, len(widths))):
        for place in range(count):
            edges, stride = (genotype.normal, (1, 1)) if place else (genotype.reduction, step)
            nodes, name = len(edges) // 2, f"cell {number}"
            channels = max(1, round(width / nodes))
            plan += (Keep(name), make_cell(edges, earlier, last, channels, stride))
            earlier, last, number = Earlier(name, last, stride), nodes * channels, number + 1
    return plan


@EXTRACTORS.register("cells")
class Cells(Extractor):
    """`counts` cells of a genotype in each of five stages, of 32, 64, 128, 256 and 512 channels times `width` or what
    is near and a multiple of the nodes; the first of a stage makes the map smaller as the path says. 32x100 becomes
    512x1x25.
    """

    tiny = {"genotype": "darts-second", "counts": [1, 2, 1, 1, 1], "width": 0.125}

    def __init__(
        self,
        in_channels: int = 3,
        genotype: str = "darts",
        counts: tuple[int, ...] = (3, 4, 6, 6, 3),
        path: str = "AABBB",
        width: float = 1.0,
    ):
        if genotype not in GENOTYPES:
            raise ValueError(f"genotype {genotype!r}: it takes {', '.join(GENOTYPES)}")
        if len(counts) != len(WIDTHS) or min(counts) < 1:
            raise ValueError(f"counts {counts}: it takes {len(WIDTHS)} numbers, 1 or more each")
        widths = scale_channels(width, *WIDTHS)
        super().__init__(_stack(in_channels, GENOTYPES[genotype], counts, path, widths), in_channels)
