"""Encoder-decoder: the whole image in one state, then symbol by symbol."""

from __future__ import annotations

import numpy as np

from crnn_jt.backend import ops
from crnn_jt.generators.decoder import Decoder
from crnn_jt.layers import BiLSTM, Linear, LSTMCell
from crnn_jt.registry import GENERATORS


@GENERATORS.register("encoder_decoder")
class EncoderDecoder(Decoder):
    """A bidirectional LSTM encodes the sequence into its two last states; an LSTM that starts from them emits the
    symbols (Sutskever, Vinyals, Le, "Sequence to sequence learning", NIPS 2014).
    """

    tiny = {"hidden": 8, "embedding": 4}

    def __init__(self, in_features: int, classes: int, max_length: int, hidden: int = 256, embedding: int = 64):
        if min(hidden, embedding) < 1:
            raise ValueError("hidden and embedding take 1 or more")
        super().__init__(classes, max_length, embedding)
        self.add(
            encoder=BiLSTM(in_features, hidden),
            bridge=Linear(2 * hidden, 2 * hidden),
            cell=LSTMCell(embedding + 2 * hidden, hidden),
            head=Linear(hidden, classes),
        )
        self.hidden = hidden

    def begin(self, seq, lengths: np.ndarray) -> tuple:
        """Memory (N, 2·hidden): what the encoder says at the last valid step forwards and at step 0 backwards, when
        each direction has seen all; mapped to the decoder's first state (h, c), (N, hidden) each.
        """
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
