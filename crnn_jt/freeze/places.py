"""Layers of sequences on maps, whose pixels, row by row, are the steps: products, attention, normalisation."""

from __future__ import annotations

import numpy as np

from crnn_jt.freeze.groups import Group
from crnn_jt.freeze.images import Images, State, Tail, emit
from crnn_jt.layers import CrossAttention, LayerNorm, Linear, Positions, SelfAttention, recall

PIXEL = (1, 1, 1, 1, 0, 0)
"""The window of a convolution of single pixels."""
LENGTHS = "{} lengths"
"""The name under which the lengths of a kept memory are kept, where they differ."""


@emit.register(Linear)
def _(layer: Linear, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    weight = images.state[f"{group.key}.weight"]
    bias = images.state[f"{group.key}.bias"] if layer.bias else np.zeros(len(weight), np.float32)
    return emit_product(images, source, busy, weight, bias, *images.follow(group, tail))


@emit.register(LayerNorm)
def _(layer: LayerNorm, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    target = images.unused(source, *busy)
    weight, bias = (images.state[f"{group.key}.{name}"] for name in ("weight", "bias"))
    images.network.layer_norm(source, target, weight, bias, layer.eps)
    return target


@emit.register(Positions)
def _(layer: Positions, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    target = images.unused(source, *busy)
    images.network.table(source, target, images.state[f"{group.key}.table"], added=True)
    return target


@emit.register(SelfAttention)
def _(layer: SelfAttention, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    width = layer.features
    joined = emit_product(images, source, busy, *_join(images.state, group.key, "query", "key", "value"))
    seen = images.unused(joined, *busy)
    images.network.attention((joined,) * 3, seen, width, layer.heads, (0, width, 2 * width))
    return _emit_out(images, group, seen, busy, tail)


@emit.register(CrossAttention)
def _(layer: CrossAttention, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    width = layer.features
    queries = recall(images.kept, layer.queries) if layer.queries else source
    memory, lengths = recall(images.kept, layer.memory), images.kept.get(LENGTHS.format(layer.memory), -1)
    asked = emit_product(images, queries, busy, *_join(images.state, group.key, "query"))
    told = emit_product(images, memory, (asked, *busy), *_join(images.state, group.key, "key", "value"))
    seen = images.unused(asked, told, *busy)
    sources, first = (asked, told, told), (0, 0, width)
    images.network.attention(sources, seen, width, layer.heads, first, lengths, layer.diagonal)
    return _emit_out(images, group, seen, busy, tail)


def _emit_out(images: Images, group: Group, seen: int, busy: tuple[int, ...], tail: Tail) -> int:
    """The last product of attention, with what follows it."""
    return emit_product(images, seen, busy, *_join(images.state, group.key, "out"), *images.follow(group, tail))


def emit_product(
    images: Images,
    source: int,
    busy: tuple[int, ...],
    weight: np.ndarray,
    bias: np.ndarray,
    addend: int = -1,
    activation: str | None = None,
) -> int:
    """Each pixel's channels times `weight` (out, in), + bias (out,), + value `addend`, then the activation."""
    target = images.unused(source, *busy)
    images.network.conv(source, target, PIXEL, weight[:, :, None, None], bias, activation, addend=addend)
    return target


def _join(state: State, key: str, *names: str) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases of linear layers of one input as one layer's."""
    weights, biases = ([state[f"{key}.{name}.{part}"] for name in names] for part in ("weight", "bias"))
    return np.concatenate(weights), np.concatenate(biases)
