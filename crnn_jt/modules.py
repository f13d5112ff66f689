"""The module that holds a layer's arrays, on either backend; layers with inner plans are registered in `stack`."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from crnn_jt import layers
from crnn_jt.backend import nn, ops
from crnn_jt.layers import Layer
from crnn_jt.padding import LOWEST
from data_tools.errors import UserError


class PositionTable(nn.Module):
    """(T, N, C) -> (T, N, C): row t of a table added to step t."""

    def __init__(self, layer: layers.Positions):
        super().__init__()
        self.layer = layer
        nn.set_buffer(self, "table", layer.fresh("table", np.random.default_rng()))

    def execute(self, x):
        self.layer.size(1, x.shape[0])  # refuses what is longer than the table
        return x + self.table[: x.shape[0]].unsqueeze(1)


class MultiHead(nn.Module):
    """Attention of `heads` heads of queries (T, N, C) to a memory (S, N, M): -> (T, N, C).

    `lengths` (N,) are the valid steps of the memory where they differ; with `diagonal`, step t does not see step t.
    """

    def __init__(self, features: int, heads: int, memory: int, diagonal: bool = False):
        super().__init__()
        self.heads, self.diagonal = heads, diagonal
        self.query, self.out = nn.Linear(features, features), nn.Linear(features, features)
        self.key, self.value = nn.Linear(memory, features), nn.Linear(memory, features)

    def execute(self, queries, memory, lengths: np.ndarray | None = None):
        steps, batch, features = queries.shape
        query, key, value = self.query(queries), self.key(memory), self.value(memory)
        query, key, value = (self._split(x).permute(1, 0, 2) for x in (query, key, value))  # (N·heads, steps, d)
        scores = ops.matmul(query, key.permute(0, 2, 1)) * (features // self.heads) ** -0.5  # (N·heads, T, S)
        hidden = self._hidden(steps, memory.shape[0], lengths)
        shares = ops.softmax(scores if hidden is None else scores + ops.array(hidden), 2)
        seen = ops.matmul(shares, value)  # (N·heads, T, d)
        return self.out(seen.permute(1, 0, 2).reshape((steps, batch, features)))

    def _split(self, x):
        """(T, N, C) -> (T, N·heads, C / heads)."""
        steps, batch, features = x.shape
        return x.reshape((steps, batch * self.heads, features // self.heads))

    def _hidden(self, steps: int, others: int, lengths: np.ndarray | None) -> np.ndarray | None:
        """LOWEST where a query may not look, else 0: (N·heads or 1, T or 1, S)."""
        hidden = np.eye(steps, others, dtype=bool)[None] if self.diagonal else None
        if lengths is not None:
            padding = np.arange(others) >= np.repeat(np.asarray(lengths), self.heads)[:, None]  # (N·heads, S)
            hidden = padding[:, None] if hidden is None else padding[:, None] | hidden
        return None if hidden is None else hidden * np.float32(LOWEST)


@singledispatch
def module_of(layer: Layer) -> nn.Module | None:
    """The module that holds a layer's arrays, None for a layer without any. Raises UserError for an unknown layer."""
    raise UserError(f"the layer {type(layer).__name__} has no module")


for _kind in (layers.Activation, layers.MaxPool, layers.GlobalMaxContext, layers.GlobalMean, layers.Upsample):
    module_of.register(_kind, lambda layer: None)
for _kind in (layers.Keep, layers.Recall, layers.Add, layers.Concat, layers.Slice, layers.Shuffle, layers.AvgPool):
    module_of.register(_kind, lambda layer: None)
module_of.register(layers.BatchNorm, lambda layer: nn.BatchNorm2d(layer.features, eps=layer.eps))
module_of.register(layers.LayerNorm, lambda layer: nn.LayerNorm(layer.features, eps=layer.eps))
module_of.register(layers.Linear, lambda layer: nn.Linear(layer.in_features, layer.out_features, bias=layer.bias))
module_of.register(layers.BiLSTM, lambda layer: nn.BiLSTM(layer.in_features, layer.hidden))
module_of.register(layers.LSTMCell, lambda layer: nn.LSTMCell(layer.in_features, layer.hidden))
module_of.register(layers.GRUCell, lambda layer: nn.GRUCell(layer.in_features, layer.hidden))
module_of.register(layers.Embedding, lambda layer: nn.Embedding(layer.rows, layer.features))
module_of.register(layers.Dropout, lambda layer: nn.Dropout(layer.rate))
module_of.register(layers.Positions, PositionTable)
module_of.register(layers.SelfAttention, lambda layer: MultiHead(layer.features, layer.heads, layer.features))


@module_of.register(layers.Conv)
def _conv(layer: layers.Conv):
    how = (layer.kernel, layer.stride, layer.padding, layer.dilation, layer.groups, layer.bias)
    return nn.Conv2d(layer.in_channels, layer.out_channels, *how)


@module_of.register(layers.ConvTranspose)
def _conv_transpose(layer: layers.ConvTranspose):
    how = (layer.kernel, layer.stride, layer.padding)
    return nn.ConvTranspose2d(layer.in_channels, layer.out_channels, *how, bias=layer.bias)


@module_of.register(layers.CrossAttention)
def _cross_attention(layer: layers.CrossAttention):
    return MultiHead(layer.features, layer.heads, layer.memory_features or layer.features, layer.diagonal)
