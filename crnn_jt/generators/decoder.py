"""What the two decoders share: symbol by symbol, teacher forcing or free running, an end symbol of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crnn_jt.backend import nn, ops
from crnn_jt.decoding.ctc import Reading, pad

END = 0


class Decoder(nn.Module):
    """Emits symbols from images alone until its end symbol (index 0) or `max_length` symbols.

    A subclass says how a sequence becomes a memory and a first state (`begin`), and how one step follows from the
    previous symbol (`step`). The embedding's last row stands for "nothing yet".
    """

    aligned = False

    def __init__(self, classes: int, max_length: int, embedding: int):
        super().__init__()
        self.classes, self.max_length = classes, max_length
        self.embedding = nn.Embedding(classes + 1, embedding)

    def begin(self, seq, lengths: np.ndarray) -> tuple:
        """(memory, state) for seq (T, N, C)."""
        raise NotImplementedError

    def step(self, memory, state, symbols) -> tuple:
        """(logits (N, K), state) after one more symbol; symbols (N, E) embedded."""
        raise NotImplementedError

    def execute(self, seq, lengths: np.ndarray, targets: np.ndarray | None = None):
        """Logits (T', N, K): T' = S + 1 under teacher forcing with targets (N, S) padded with 0, else `max_length` + 1.

        Free running stops early when every image has ended.
        """
        memory, state = self.begin(seq, lengths)
        batch = seq.shape[1]
        symbols = np.full(batch, self.classes)
        ended = np.zeros(batch, bool)
        outputs = []
        steps = self.max_length + 1 if targets is None else targets.shape[1] + 1
        for position in range(steps):
            logits, state = self.step(memory, state, self.embedding(ops.array(symbols)))
            outputs.append(logits)
            if targets is None:
                symbols = ops.numpy(ops.argmax(logits, 1)).astype(np.int64)
                ended |= symbols == END
                if ended.all():
                    break
            elif position < targets.shape[1]:
                symbols = targets[:, position]
        return ops.stack(outputs, 0)

    def loss(self, logits, targets: np.ndarray, target_lengths: np.ndarray, lengths: np.ndarray):
        """Mean over samples of -log p(target and end | image); logits (S + 1, N, K) from the same targets (N, S)."""
        picked = self._picked(ops.log_softmax(logits, 2), targets, target_lengths)  # (S + 1, N)
        return -picked.sum() / targets.shape[0]

    @staticmethod
    def _picked(log_probs, targets: np.ndarray, target_lengths: np.ndarray):
        """log p of each target symbol and its end, zero behind it, (S + 1, N)."""
        wanted = np.concatenate([targets, np.full((len(targets), 1), END)], 1).T  # (S + 1, N)
        inside = np.arange(len(wanted))[:, None] <= np.asarray(target_lengths)
        wanted = np.where(inside, wanted, END)
        return ops.pick(log_probs, ops.array(wanted)) * ops.array(inside.astype(np.float32))

    def decode(self, log_probs: np.ndarray, lengths: np.ndarray) -> list[Reading]:
        """The likeliest symbol at each step up to the first end; log_probs (T', N, K)."""
        best = log_probs.argmax(2)  # (T', N)
        peak = np.take_along_axis(log_probs, best[:, :, None], 2)[:, :, 0]
        readings = []
        for n in range(best.shape[1]):
            ends = np.flatnonzero(best[:, n] == END)
            size = min(int(ends[0]) if len(ends) else len(best), self.max_length)
            confidence = float(np.exp(peak[: size + 1, n].sum()))
            symbols = tuple(int(k) for k in best[:size, n])
            readings.append(Reading(symbols, confidence, tuple(np.exp(peak[:size, n]).tolist())))
        return readings

    def score(self, seq, lengths: np.ndarray, words: Sequence[Sequence[int]]) -> np.ndarray:
        """log p(words[n] and end | image n), (N,), by teacher forcing."""
        targets, sizes = pad(words)
        logits = self.execute(seq, lengths, targets)
        return ops.numpy(self._picked(ops.log_softmax(logits, 2), targets, sizes).sum(0))
