"""Jittor's layers where its own are slow on the CPU, inexact or missing."""

from __future__ import annotations

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend._jittor_ops import kernels

jt = runtime.import_jittor()


def set_buffer(module, name: str, array: np.ndarray) -> None:
    """Gives `module` an array that is kept with its weights, under `name`, and never trained."""
    setattr(module, name, jt.array(np.atleast_1d(array).astype(np.float32)).stop_grad())
    declare_buffers(module, name)


def declare_buffers(module, *names: str) -> None:
    """Says which arrays of `module` are no parameters: Jittor itself makes no difference."""
    module.__dict__.setdefault("_buffer_names", set()).update(names)


def set_parameter(module, name: str, array: np.ndarray) -> None:
    """Gives `module` an array that is trained, under `name`."""
    setattr(module, name, jt.array(np.atleast_1d(array).astype(np.float32)))


class Conv2d(jt.nn.Conv):
    """Jittor's convolution; on the CPU it runs in the kernels (`fast/conv.py`, `fast/mobile.py`), both ways.

    The kernels know no dilation, and no groups but one for each channel: those run in Jittor's own operators.
    """

    def execute(self, x):
        depthwise = self.dilation == (1, 1) and self.groups == self.in_channels == self.out_channels > 1
        if not kernels() or not (depthwise or self.is_dense()):
            return super().execute(x)
        if depthwise:
            from crnn_jt.backend.fast.mobile import depthwise2d

            return depthwise2d(x, self)
        from crnn_jt.backend.fast.conv import conv2d

        return conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def is_dense(self) -> bool:
        """Whether every output channel sees all input channels in one unbroken window."""
        return self.groups == 1 and self.dilation == (1, 1)


class BatchNorm2d(jt.nn.BatchNorm):
    """Jittor's batch normalisation; training on the CPU, in one process, it runs in the kernels (`fast/nchw.py`).

    Over MPI the statistics are those of all ranks' samples, each weighing alike (Jittor's weigh the ranks alike).
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        declare_buffers(self, "running_mean", "running_var")

    def execute(self, x):
        if self.is_train and jt.in_mpi:
            return self._over_ranks(x)
        if not self.is_train or not kernels():
            return super().execute(x)
        from crnn_jt.backend.fast.nchw import batch_norm

        y, mean, var = batch_norm(x, self.weight, self.bias, self.eps)
        self.remember(mean, var)
        return y

    def _over_ranks(self, x):
        axes = [0, 2, 3]
        count = jt.array(np.float32([x.shape[0] * x.shape[2] * x.shape[3]]))
        sums = jt.concat([x.sum(axes), (x * x).sum(axes), count]).mpi_all_reduce("add")
        mean, square = (sums[k * self.num_features : (k + 1) * self.num_features] / sums[-1] for k in (0, 1))
        var = (square - mean * mean).maximum(0.0)
        self.remember(mean, var)
        weight = self.weight / jt.sqrt(var + self.eps)
        return x * weight.broadcast(x, axes) + (self.bias - mean * weight).broadcast(x, axes)

    def remember(self, mean, var) -> None:
        """Moves the running statistics towards those of a batch."""
        for running, own in ((self.running_mean, mean), (self.running_var, var)):
            running.update(running + (own - running) * self.momentum)


def trains_plainly(module) -> bool:
    """Whether the kernels do what this convolution or norm would: subclasses may do more and are not asked."""
    known = type(module) is BatchNorm2d or (type(module) is Conv2d and module.dilation == (1, 1))
    return known and module.is_training()


class LayerNorm(jt.nn.LayerNorm):
    """Layer normalisation over the last axis (Ba et al., 2016); keys `weight` and `bias`, both (features,).

    Jittor's own takes the variance as E[x²] - E[x]², which loses its digits where the mean is large.
    """

    def __init__(self, features: int, eps: float = 1e-5):
        super().__init__(features, eps)

    def execute(self, x):
        centred = x - x.mean(-1, keepdims=True)
        variance = (centred * centred).mean(-1, keepdims=True)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias


class BiLSTM(jt.nn.Module):
    """Bidirectional LSTM, (T, N, in) -> (T, N, 2·hidden); `lengths` (N,) int array or None for all T steps.

    On the CPU both passes run in the kernels (`fast/bilstm.py`). Elsewhere one product projects the inputs of all steps
    and both directions, and the recurrence is as small as it can be.
    """

    def __init__(self, in_features: int, hidden: int):
        super().__init__()
        self.hidden = hidden
        for suffix in ("", "_reverse"):
            for name, shape in self._shapes(in_features, hidden).items():
                setattr(self, name + suffix, jt.zeros(shape))

    @staticmethod
    def _shapes(in_features: int, hidden: int) -> dict[str, tuple[int, ...]]:
        gates = 4 * hidden
        return {
            "weight_ih_l0": (gates, in_features),
            "weight_hh_l0": (gates, hidden),
            "bias_ih_l0": (gates,),
            "bias_hh_l0": (gates,),
        }

    def execute(self, x, lengths: np.ndarray | None = None):
        if kernels():
            return self._fused(x, lengths)
        steps, batch, features = x.shape
        weight = jt.concat([self.weight_ih_l0, self.weight_ih_l0_reverse])  # (8H, C)
        bias = jt.concat([self.bias_ih_l0 + self.bias_hh_l0, self.bias_ih_l0_reverse + self.bias_hh_l0_reverse])
        projected = jt.nn.matmul_transpose(x.reshape((steps * batch, features)), weight) + bias
        projected = projected.reshape((steps, batch, 8 * self.hidden))
        forward = projected[:, :, : 4 * self.hidden]
        backward = _reverse(projected[:, :, 4 * self.hidden :], lengths)
        forward = self._recur(forward, self.weight_hh_l0)
        backward = _reverse(self._recur(backward, self.weight_hh_l0_reverse), lengths)
        return jt.concat([forward, backward], 2)  # (T, N, 2H)

    def _fused(self, x, lengths: np.ndarray | None):
        from crnn_jt.backend.fast.bilstm import bilstm

        w_ih = jt.stack([self.weight_ih_l0, self.weight_ih_l0_reverse])
        w_hh = jt.stack([self.weight_hh_l0, self.weight_hh_l0_reverse])
        bias = [self.bias_ih_l0 + self.bias_hh_l0, self.bias_ih_l0_reverse + self.bias_hh_l0_reverse]
        return bilstm(x, w_ih, w_hh, jt.stack(bias), lengths)

    def _recur(self, projected, weight):
        hidden = self.hidden
        h = c = None
        outputs = []
        for t in range(projected.shape[0]):
            gates = projected[t] if h is None else projected[t] + jt.nn.matmul_transpose(h, weight)
            i, f, o = (gates[:, k * hidden : (k + 1) * hidden].sigmoid() for k in (0, 1, 3))
            g = gates[:, 2 * hidden : 3 * hidden].tanh()
            c = i * g if c is None else f * c + i * g
            h = o * c.tanh()
            outputs.append(h)
        return jt.stack(outputs, 0)  # (T, N, H)


def _reverse(x, lengths: np.ndarray | None):
    """Turns each sequence of (T, N, C) round within its own length; what comes after it stays."""
    steps, batch, _ = x.shape
    time = np.arange(steps)[:, None]
    ends = np.full(batch, steps) if lengths is None else np.asarray(lengths)
    index = np.where(time < ends, ends - 1 - time, time).astype(np.int32)  # (T, N)
    columns = np.broadcast_to(np.arange(batch, dtype=np.int32), (steps, batch))
    return x[jt.array(index), jt.array(np.ascontiguousarray(columns))]
