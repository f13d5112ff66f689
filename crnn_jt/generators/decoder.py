"""What the two decoders share: symbol by symbol, teacher forcing or free running, an end symbol of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crnn_jt.backend import ops
from crnn_jt.decoding.ctc import Reading, pad
from crnn_jt.generators.base import Generator
from crnn_jt.layers import Embedding
from crnn_jt.places import END, pick_targets, read_places


class Decoder(Generator):
    """Emits symbols from images alone until its end symbol (index 0) or `max_length` symbols.

    A subclass says how a sequence becomes a memory and a first state (`begin`), and how one step follows from the
    previous symbol (`step`). The embedding's last row stands for "nothing yet".
    """

    def __init__(self, classes: int, max_length: int, embedding: int):
        super().__init__()
        self.classes, self.max_length = classes, max_length
        self.add(embedding=Embedding(classes + 1, embedding))

    def begin(self, seq, lengths: np.ndarray) -> tuple:
        """(memory, state) for seq (T, N, C)."""
        raise NotImplementedError

    def step(self, memory, state, symbols) -> tuple:
        """(logits (N, K), state) after one more symbol; symbols (N, E) embedded."""
        raise NotImplementedError

    def execute(self, seq, lengths: np.ndarray):
        """Free running: logits (T', N, K), T' = `max_length` + 1, fewer where every image has ended before."""
        memory, state = self.begin(seq, lengths)
        symbols = np.full(seq.shape[1], self.classes)
        ended = np.zeros(seq.shape[1], bool)
        outputs = []
        for _ in range(self.max_length + 1):
            logits, state = self.step(memory, state, self.embedding(ops.array(symbols)))
            outputs.append(logits)
            symbols = ops.numpy(ops.argmax(logits, 1)).astype(np.int64)
            ended |= symbols == END
            if ended.all():
                break
        return ops.stack(outputs, 0)

    def trim(self, logits: np.ndarray) -> np.ndarray:
        """Logits (T', N, K) of all steps -> those up to the last image's end."""
        ends = logits.argmax(2) == END  # (T', N)
        lengths = np.where(ends.any(0), ends.argmax(0) + 1, len(logits))
        return logits[: lengths.max(initial=0)]

    def force(self, seq, lengths: np.ndarray, targets: np.ndarray):
        """Teacher forcing: logits (S + 1, N, K), each step given the true symbol before; targets (N, S) padded with
        0.
        """
        memory, state = self.begin(seq, lengths)
        before = np.concatenate([np.full((len(targets), 1), self.classes), targets], 1)  # (N, S + 1)
        outputs = []
        for symbols in before.T:
            logits, state = self.step(memory, state, self.embedding(ops.array(symbols)))
            outputs.append(logits)
        return ops.stack(outputs, 0)

    def losses(self, seq, lengths: np.ndarray, targets: np.ndarray, sizes: np.ndarray) -> dict:
        """{"symbols": mean over samples of -log p(target and end | image)}; targets (N, S) of `sizes` (N,) symbols."""
        log_probs = ops.log_softmax(self.force(seq, lengths, targets), 2)
        return {"symbols": -pick_targets(log_probs, targets, sizes).sum() / targets.shape[0]}

    def decode(self, log_probs: np.ndarray, lengths: np.ndarray) -> list[Reading]:
        """The likeliest symbol at each step up to the first end; log_probs (T', N, K)."""
        return read_places(log_probs, self.max_length)

    def score(self, seq, lengths: np.ndarray, words: Sequence[Sequence[int]]) -> np.ndarray:
        """log p(words[n] and end | image n), (N,), by teacher forcing."""
        targets, sizes = pad(words)
        logits = self.force(seq, lengths, targets)
        return ops.numpy(pick_targets(ops.log_softmax(logits, 2), targets, sizes).sum(0))
