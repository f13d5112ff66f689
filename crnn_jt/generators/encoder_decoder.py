"""Encoder-decoder: the whole image in one state, then symbol by symbol."""

from __future__ import annotations

import numpy as np

from crnn_jt.backend import nn, ops
from crnn_jt.generators.decoder import Decoder
from crnn_jt.registry import GENERATORS


@GENERATORS.register("encoder_decoder")
class EncoderDecoder(Decoder):
    """A bidirectional LSTM encodes the sequence into its two last states; an LSTM that starts from them emits the
    symbols (Sutskever, Vinyals, Le, "Sequence to sequence learning", NIPS 2014).
    """

    def __init__(self, in_features: int, classes: int, max_length: int, hidden: int = 256, embedding: int = 64):
        if min(hidden, embedding) < 1:
            raise ValueError("hidden and embedding take 1 or more")
        super().__init__(classes, max_length, embedding)
        self.encoder = nn.BiLSTM(in_features, hidden)
        self.bridge = nn.Linear(2 * hidden, 2 * hidden)
        self.cell = nn.LSTMCell(embedding + 2 * hidden, hidden)
        self.head = nn.Linear(hidden, classes)
        self.hidden = hidden

    def begin(self, seq, lengths: np.ndarray) -> tuple:
        """The state at the last valid step forwards and at step 0 backwards, mapped to (h, c); kept as memory too."""
        same = bool((np.asarray(lengths) == seq.shape[0]).all())
        encoded = self.encoder(seq, None if same else lengths)  # (T, N, 2H)
        last = np.arange(seq.shape[0])[:, None] == np.asarray(lengths) - 1
        forward = (encoded[:, :, : self.hidden] * ops.array(last[:, :, None].astype(np.float32))).sum(0)
        memory = ops.concat([forward, encoded[0, :, self.hidden :]], 1)  # (N, 2H)
        state = ops.tanh(self.bridge(memory))
        return memory, (state[:, : self.hidden], state[:, self.hidden :])

    def step(self, memory, state, symbols) -> tuple:
        state = self.cell(ops.concat([symbols, memory], 1), state)
        return self.head(state[0]), state
