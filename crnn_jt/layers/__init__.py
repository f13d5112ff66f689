"""Layers as data: what a stage is made of, said once and without a framework.

A stage that is a chain of layers keeps a *plan*, a tuple of the dataclasses below. From the same plan the backend
builds the module that trains (`stack.Stack`), `freeze` builds the fast one, and shapes, costs and initial values are
worked out before anything is computed. Weights of the layer at position `i` of a plan live under the key `i`
(`3.weight`), those inside a residual unit under `i.body.j` and `i.shortcut.j`.
"""

from crnn_jt.layers.attention import CrossAttention, SelfAttention
from crnn_jt.layers.base import (
    Composite,
    Kept,
    Layer,
    Plan,
    Shape,
    arrays_of,
    buffers_of,
    cost,
    follow,
    fresh_state,
    known,
    out_channels,
    out_shape,
    parameter_groups_of,
    rewrite,
    walk,
    walk_layer,
)
from crnn_jt.layers.channels import Shuffle, Slice
from crnn_jt.layers.combine import Add, Block, Choice, Concat, Gate, Keep, Recall, Residual, recall
from crnn_jt.layers.conv import Conv, ConvTranspose, window_out
from crnn_jt.layers.elementwise import ACTIVATIONS, Activation, Dropout
from crnn_jt.layers.norm import BatchNorm, LayerNorm
from crnn_jt.layers.pool import NO_POOL, AvgPool, GlobalMean, MaxPool, Upsample
from crnn_jt.layers.quantised import Quantised
from crnn_jt.layers.sequence import BiLSTM, Embedding, GlobalMaxContext, GRUCell, Linear, LSTMCell, Positions
from crnn_jt.layers.values import from_values, to_values

__all__ = [
    "ACTIVATIONS",
    "NO_POOL",
    "Activation",
    "Add",
    "AvgPool",
    "BatchNorm",
    "BiLSTM",
    "Block",
    "Choice",
    "Composite",
    "Concat",
    "Conv",
    "ConvTranspose",
    "CrossAttention",
    "Dropout",
    "Embedding",
    "GRUCell",
    "Gate",
    "GlobalMaxContext",
    "GlobalMean",
    "Keep",
    "Kept",
    "LSTMCell",
    "Layer",
    "LayerNorm",
    "Linear",
    "MaxPool",
    "Plan",
    "Positions",
    "Quantised",
    "Recall",
    "Residual",
    "SelfAttention",
    "Shape",
    "Shuffle",
    "Slice",
    "Upsample",
    "arrays_of",
    "buffers_of",
    "cost",
    "follow",
    "fresh_state",
    "from_values",
    "known",
    "out_channels",
    "out_shape",
    "parameter_groups_of",
    "recall",
    "rewrite",
    "to_values",
    "walk",
    "walk_layer",
    "window_out",
]
