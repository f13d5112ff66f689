"""Classes at every step, aligned with the label by connectionist temporal classification."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crnn_jt.backend import ops
from crnn_jt.decoding import ctc
from crnn_jt.generators.base import Generator
from crnn_jt.layers import Linear, Plan, from_values, out_channels
from crnn_jt.registry import GENERATORS


@GENERATORS.register("ctc")
class CTC(Generator):
    """Linear to the classes at every step; index 0 is the blank (Graves et al., ICML 2006). `plan` is that layer as
    plain values where it is another one, rounded to 8 bits for one.
    """

    framewise = True  # one output at each step: T must hold the label
    whole = True

    def __init__(self, in_features: int, classes: int, max_length: int, plan: list = []):  # noqa: B006 - a spec's values
        super().__init__()
        head = from_values(plan) or (Linear(in_features, classes),)
        if len(head) != 1 or out_channels(head, in_features) != classes:
            raise ValueError(f"plan: it takes one layer that gives {classes} classes")
        self.plan = head
        self.add(head=head[0])

    def layers(self) -> Plan:
        """The head, for `freeze` and `export`."""
        return self.plan

    def emit(self, flow) -> None:
        """Adds the head to a frozen network."""
        flow.add_layer(self.named_layers()["head"], "generator.head.")

    def execute(self, seq, lengths: np.ndarray):
        """seq (T, N, C) -> logits (T, N, K)."""
        return self.head(seq)

    def losses(self, seq, lengths: np.ndarray, targets: np.ndarray, sizes: np.ndarray) -> dict:
        """{"ctc": mean over samples of -log p(target | image)}; targets (N, S) of `sizes` (N,) symbols must be feasible
        (`decoding.ctc.feasible`).
        """
        return {"ctc": ops.ctc_loss(self.head(seq), targets, lengths, sizes).mean()}

    def decode(self, log_probs: np.ndarray, lengths: np.ndarray) -> list[ctc.Reading]:
        """The best path of each image, collapsed; log_probs (T, N, K), lengths (N,)."""
        return ctc.greedy(log_probs, lengths)

    def score(self, seq, lengths: np.ndarray, words: Sequence[Sequence[int]]) -> np.ndarray:
        """log p(words[n] | image n), (N,)."""
        log_probs = ops.numpy(ops.log_softmax(self.execute(seq, lengths), 2))
        return ctc.batch_forward_scores(log_probs, lengths, np.arange(len(words)), *ctc.pad(words))
