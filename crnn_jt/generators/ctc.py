"""Classes at every step, aligned by connectionist temporal classification."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crnn_jt import layers
from crnn_jt.backend import nn, ops
from crnn_jt.decoding import ctc
from crnn_jt.registry import GENERATORS


@GENERATORS.register("ctc")
class CTC(nn.Module):
    """Linear to the classes at every step; index 0 is the blank (Graves et al., ICML 2006)."""

    aligned = True  # one output at each step: T must hold the label

    def __init__(self, in_features: int, classes: int, max_length: int):
        super().__init__()
        self.in_features, self.classes = in_features, classes
        self.head = nn.Linear(in_features, classes)

    def layers(self) -> layers.Plan:
        """The head, for `freeze` and `export`."""
        return (layers.Linear(self.in_features, self.classes),)

    def execute(self, seq, lengths: np.ndarray, targets: np.ndarray | None = None):
        """seq (T, N, C) -> logits (T, N, K); targets are not looked at."""
        return self.head(seq)

    def loss(self, logits, targets: np.ndarray, target_lengths: np.ndarray, lengths: np.ndarray):
        """Mean over samples of -log p(target | image); targets (N, S) must be feasible (`decoding.ctc.feasible`)."""
        return ops.ctc_loss(logits, targets, lengths, target_lengths).mean()

    def decode(self, log_probs: np.ndarray, lengths: np.ndarray) -> list[ctc.Reading]:
        """The best path of each image, collapsed; log_probs (T, N, K), lengths (N,)."""
        return ctc.greedy(log_probs, lengths)

    def score(self, seq, lengths: np.ndarray, words: Sequence[Sequence[int]]) -> np.ndarray:
        """log p(words[n] | image n), (N,)."""
        log_probs = ops.numpy(ops.log_softmax(self.execute(seq, lengths), 2))
        return ctc.batch_forward_scores(log_probs, lengths, np.arange(len(words)), *ctc.pad(words))
