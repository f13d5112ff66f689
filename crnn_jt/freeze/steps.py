"""Sequence layers: a chain added to a network after its image layers."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from crnn_jt.backend.fast.network import Network
from crnn_jt.freeze.errors import NotCovered
from crnn_jt.freeze.images import State
from crnn_jt.layers import BiLSTM, Dropout, GlobalMaxContext, Layer, Linear

LSTM_ENDS = ("_l0", "_l0_reverse")
"""Of the names of a BiLSTM's arrays, forwards and backwards."""


@singledispatch
def emit_steps(layer: Layer, network: Network, state: State, prefix: str) -> None:
    """Adds a sequence layer after the ones before it; its arrays are `{prefix}{name}`."""
    raise NotCovered(f"{type(layer).__name__} among sequence layers")


@emit_steps.register(Linear)
def _(layer: Linear, network: Network, state: State, prefix: str) -> None:
    bias = state[f"{prefix}bias"] if layer.bias else np.zeros(layer.out_features, np.float32)
    network.linear(state[f"{prefix}weight"], bias)


@emit_steps.register(BiLSTM)
def _(layer: BiLSTM, network: Network, state: State, prefix: str) -> None:
    w_ih, w_hh = (np.stack([state[f"{prefix}{name}{end}"] for end in LSTM_ENDS]) for name in ("weight_ih", "weight_hh"))
    network.bilstm(
        w_ih, w_hh, np.stack([state[f"{prefix}bias_ih{end}"] + state[f"{prefix}bias_hh{end}"] for end in LSTM_ENDS])
    )


@emit_steps.register(GlobalMaxContext)
def _(layer: GlobalMaxContext, network: Network, state: State, prefix: str) -> None:
    network.context(layer.features)


@emit_steps.register(Dropout)
def _(layer: Dropout, network: Network, state: State, prefix: str) -> None:
    """Nothing when reading."""
