"""The CTC loss that trains: softmax, loss and the gradient at the logits in one operator."""

from __future__ import annotations

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend.fast import build, fields

jt = runtime.import_jittor()


def ctc_loss(logits, targets: np.ndarray, lengths: np.ndarray, target_lengths: np.ndarray):
    """-log p of each sample, (N,), differentiable in logits (T, N, K).

    targets (N, S), index 0 is the blank; lengths (N,) steps and target_lengths (N,) symbols of each sample. Infinite,
    with no gradient, where the steps of a sample cannot hold its label.
    """
    return _CTC.apply(logits, targets, lengths, target_lengths)


class _CTC(jt.Function):
    def execute(self, logits, targets, lengths, target_lengths):
        steps, batch, classes = logits.shape
        message = fields.CTC(
            steps=steps,
            batch=batch,
            classes=classes,
            longest=targets.shape[1],
            lengths=lengths,
            sizes=target_lengths,
            targets=np.ravel(targets),
        )
        loss, self.gradient = build.call("crnn_call_ctc", [logits], [(batch,), logits.shape], message)
        return loss

    def grad(self, dloss):
        return self.gradient * dloss.unsqueeze(0).unsqueeze(2), None, None, None
