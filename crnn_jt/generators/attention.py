"""Attention: at each symbol the decoder looks at the steps that matter."""

from __future__ import annotations

import numpy as np

from crnn_jt.backend import nn, ops
from crnn_jt.generators.decoder import Decoder
from crnn_jt.registry import GENERATORS


@GENERATORS.register("attention")
class Attention(Decoder):
    """Additive attention with feedback of the previous symbol, e = w · tanh(W s + V h + b) (Bahdanau et al., ICLR 2015;
    in the manner of ASTER: Shi et al., TPAMI 2018).
    """

    def __init__(
        self,
        in_features: int,
        classes: int,
        max_length: int,
        hidden: int = 256,
        attention: int = 256,
        embedding: int = 64,
    ):
        if min(hidden, attention, embedding) < 1:
            raise ValueError("hidden, attention and embedding take 1 or more")
        super().__init__(classes, max_length, embedding)
        self.keys = nn.Linear(in_features, attention)
        self.query = nn.Linear(hidden, attention, bias=False)
        self.energy = nn.Linear(attention, 1, bias=False)
        self.cell = nn.LSTMCell(embedding + in_features, hidden)
        self.head = nn.Linear(hidden + in_features, classes)
        self.hidden = hidden

    def begin(self, seq, lengths: np.ndarray) -> tuple:
        """Memory: the sequence, its keys and a mask (T, N, 1) of the valid steps; the first state is zero."""
        outside = (np.arange(seq.shape[0])[:, None] >= np.asarray(lengths))[:, :, None]
        zero = ops.zeros((seq.shape[1], self.hidden))
        return (seq, self.keys(seq), ops.array(outside * np.float32(-1e9))), (zero, zero)

    def step(self, memory, state, symbols) -> tuple:
        seq, keys, mask = memory
        query = self.query(state[0])
        energy = self.energy(ops.tanh(keys + query.unsqueeze(0))) + mask  # (T, N, 1)
        context = (ops.softmax(energy, 0) * seq).sum(0)  # (N, C)
        state = self.cell(ops.concat([symbols, context], 1), state)
        return self.head(ops.concat([state[0], context], 1)), state
