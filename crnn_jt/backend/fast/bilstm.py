"""A bidirectional LSTM layer that trains: both passes in the kernels."""

from __future__ import annotations

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend.fast import build, fields
from crnn_jt.backend.fast.nhwc import pad_channels

jt = runtime.import_jittor()


def bilstm(x, w_ih, w_hh, bias, lengths: np.ndarray | None = None):
    """x (T, N, C) -> (T, N, 2·hidden); differentiable in all Vars.

    w_ih (2, 4·hidden, C), w_hh (2, 4·hidden, hidden), bias (2, 4·hidden): forward and reverse direction, gates
    i, f, g, o, both biases added. With `lengths` (N,) the outputs after a sequence's own end are zero, and the reverse
    direction starts there.
    """
    return _BiLSTM.apply(x, w_ih, w_hh, bias, lengths)


class _BiLSTM(jt.Function):
    def execute(self, x, w_ih, w_hh, bias, lengths):
        steps, batch, features = x.shape
        hidden = w_hh.shape[2]
        wide = pad_channels(hidden)
        ends = () if lengths is None or np.all(lengths == steps) else lengths
        self.fields = fields.BiLSTM(steps=steps, batch=batch, features=features, hidden=hidden, lengths=ends)
        shapes = [(steps, batch, 2 * hidden), (steps, batch, 2, 4, wide), (steps, batch, 2, wide)]
        h, gates, cells = build.call("crnn_call_bilstm", [x, w_ih, w_hh, bias], shapes, self.fields)
        self.kept = x, w_ih, w_hh, h, gates, cells
        return h

    def grad(self, dh):
        shapes = [v.shape for v in self.kept[:3]] + [(2, 4 * self.fields.hidden)]
        return *build.call("crnn_call_bilstm_grad", [dh, *self.kept], shapes, self.fields), None
