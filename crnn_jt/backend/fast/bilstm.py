"""A bidirectional LSTM layer that trains: both passes in the kernels, gradients of the weights as plain products."""

from __future__ import annotations

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend.fast import build

jt = runtime.import_jittor()


def bilstm(x, w_ih, w_hh, bias, lengths: np.ndarray | None = None):
    """x (T, N, C) -> (T, N, 2·hidden); differentiable in all Vars.

    w_ih (2, 4·hidden, C), w_hh (2, 4·hidden, hidden), bias (2, 4·hidden): forward and reverse direction, gates
    i, f, g, o, both biases added. With `lengths` (N,) the outputs behind a sequence's own end are zero, and the reverse
    direction starts there.
    """
    return _BiLSTM.apply(x, w_ih, w_hh, bias, lengths)


class _BiLSTM(jt.Function):
    def execute(self, x, w_ih, w_hh, bias, lengths):
        steps, batch, features = x.shape
        hidden = w_hh.shape[2]
        wide = -(-hidden // build.native().crnn_lanes()) * build.native().crnn_lanes()
        ends = [] if lengths is None or np.all(lengths == steps) else [int(n) for n in lengths]
        self.numbers = [steps, batch, features, hidden, len(ends), *ends]
        self.gates_shape = (steps, batch, 2, 4, wide)
        shapes = [(steps, batch, 2 * hidden), self.gates_shape, (steps, batch, 2, wide)]
        h, gates, cells = build.call("crnn_call_bilstm", [x, w_ih, w_hh, bias], shapes, self.numbers)
        self.kept = x, w_ih, w_hh, h, gates, cells
        return h

    def grad(self, dh):
        x, w_ih, w_hh, h, gates, cells = self.kept
        steps, batch, features, hidden = self.numbers[:4]
        (dgates,) = build.call("crnn_call_bilstm_grad", [dh, gates, cells, w_hh], [self.gates_shape], self.numbers)
        if self.gates_shape[-1] != hidden:
            dgates = dgates[:, :, :, :, :hidden]
        rows = dgates.reshape((steps * batch, 8 * hidden))
        dx = jt.matmul(rows, w_ih.reshape((8 * hidden, features))).reshape(x.shape)
        dw_ih = jt.matmul(rows.transpose(1, 0), x.reshape((steps * batch, features))).reshape(w_ih.shape)
        dw_hh = jt.stack([self._recurrent(rows, h, direction) for direction in (0, 1)])
        return dx, dw_ih, dw_hh, rows.sum(0).reshape((2, 4 * hidden)), None

    def _recurrent(self, rows, h, direction: int):
        """Gradient of a direction's recurrent weights (4·hidden, hidden): each step's gates times the state before."""
        steps, batch, _, hidden = self.numbers[:4]
        gates = 4 * hidden
        if steps == 1:
            return jt.zeros((gates, hidden))
        before, after = (
            (slice(0, steps - 1), slice(1, steps)) if direction == 0 else (slice(1, steps), slice(0, steps - 1))
        )
        state = h[before, :, direction * hidden : (direction + 1) * hidden].reshape((-1, hidden))
        own = rows.reshape((steps, batch, 8 * hidden))[after, :, direction * gates : (direction + 1) * gates]
        return jt.matmul(own.reshape((-1, gates)).transpose(1, 0), state)
