"""Jittor under the names of the seam, its edges filed off."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend import fast
from data_tools.errors import UserError

jt = runtime.import_jittor()


class Conv2d(jt.nn.Conv):
    """Jittor's convolution; on the CPU it runs in the kernels (`fast/conv.py`), forward and backward."""

    def execute(self, x):
        if jt.flags.use_cuda or not fast.available():
            return super().execute(x)
        from crnn_jt.backend.fast.conv import conv2d

        return conv2d(x, self.weight, self.bias, self.stride, self.padding)


class BatchNorm2d(jt.nn.BatchNorm):
    """Jittor's batch normalisation; training on the CPU, in one process, it runs in the kernels (`fast/planes.py`).

    Over MPI the statistics are those of all ranks' samples, each weighing alike (Jittor's weigh the ranks alike).
    """

    def execute(self, x):
        if self.is_train and jt.in_mpi:
            return self._over_ranks(x)
        if not self.is_train or jt.flags.use_cuda or not fast.available():
            return super().execute(x)
        from crnn_jt.backend.fast.planes import batch_norm

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
        if not jt.flags.use_cuda and fast.available():
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
    """Turns each sequence of (T, N, C) round within its own length; what lies behind the length stays."""
    steps, batch, _ = x.shape
    time = np.arange(steps)[:, None]
    ends = np.full(batch, steps) if lengths is None else np.asarray(lengths)
    index = np.where(time < ends, ends - 1 - time, time).astype(np.int32)  # (T, N)
    columns = np.broadcast_to(np.arange(batch, dtype=np.int32), (steps, batch))
    return x[jt.array(index), jt.array(np.ascontiguousarray(columns))]


def _array(values: np.ndarray):
    values = np.ascontiguousarray(values)
    return jt.array(values.astype(np.float32 if values.dtype.kind == "f" else np.int32))


def _ctc_loss(logits, targets: np.ndarray, lengths: np.ndarray, target_lengths: np.ndarray):
    """Negative log likelihood of each sample, (N,); logits (T, N, K), targets (N, S)."""
    if not jt.flags.use_cuda and fast.available():
        from crnn_jt.backend.fast.ctc import ctc_loss

        return ctc_loss(logits, targets, lengths, target_lengths)
    log_probs = jt.nn.log_softmax(logits, 2)
    return jt.ctc_loss(log_probs, _array(targets), _array(lengths), _array(target_lengths), blank=0, reduction="none")


def _relu(x):
    if jt.flags.use_cuda or not fast.available():
        return jt.nn.relu(x)
    from crnn_jt.backend.fast.planes import relu

    return relu(x)


def _max_pool(x, kernel, stride, padding):
    """Max pooling: off the CPU by reindexing, since `nn.MaxPool2d` refuses images no higher than its kernel."""
    if not jt.flags.use_cuda and fast.available():
        from crnn_jt.backend.fast.planes import max_pool

        return max_pool(x, kernel, stride, padding)
    if padding == (0, 0) and x.shape[2] > kernel[0] and x.shape[3] > kernel[1]:
        return jt.nn.max_pool2d(x, kernel, stride)
    batch, channels, height, width = x.shape
    rows = (height + 2 * padding[0] - kernel[0]) // stride[0] + 1
    columns = (width + 2 * padding[1] - kernel[1]) // stride[1] + 1
    windows = x.reindex(
        [batch, channels, rows, columns, *kernel],
        ["i0", "i1", f"i2*{stride[0]}-{padding[0]}+i4", f"i3*{stride[1]}-{padding[1]}+i5"],
        overflow_value=-1e30,
    )
    return windows.max([4, 5])


nn = SimpleNamespace(
    Module=jt.nn.Module,
    Conv2d=Conv2d,
    BatchNorm2d=BatchNorm2d,
    Linear=jt.nn.Linear,
    Embedding=jt.nn.Embedding,
    LSTMCell=jt.nn.LSTMCell,
    BiLSTM=BiLSTM,
    Dropout=jt.nn.Dropout,
)

ops = SimpleNamespace(
    array=_array,
    numpy=lambda x: x.numpy(),
    concat=jt.concat,
    stack=jt.stack,
    zeros=jt.zeros,
    relu=_relu,
    hardswish=lambda x: x * (x + 3).maximum(0).minimum(6) / 6,
    tanh=jt.tanh,
    sigmoid=jt.sigmoid,
    softmax=jt.nn.softmax,
    log_softmax=jt.nn.log_softmax,
    argmax=lambda x, dim: jt.argmax(x, dim)[0],
    amax=lambda x, dim: x.max(dim),
    max_pool=_max_pool,
    pick=lambda x, index: jt.gather(x, x.ndim - 1, index.unsqueeze(-1)).squeeze(-1),
    ctc_loss=_ctc_loss,
)


def tensors(module) -> dict[str, jt.Var]:
    """Weights and running statistics by name, live."""
    return {name: value for name, value in module.named_parameters() if isinstance(value, jt.Var)}


def state(module) -> dict[str, np.ndarray]:
    """Weights and running statistics by name, as float32 arrays."""
    return {name: value.numpy().copy() for name, value in tensors(module).items()}


def load_state(module, arrays: dict[str, np.ndarray]) -> None:
    """Sets every weight and running statistic; names and shapes must have been checked."""
    own = tensors(module)
    for name, value in arrays.items():
        own[name].update(jt.array(np.asarray(value, np.float32)))


def parameters(module) -> dict[str, jt.Var]:
    """What is trained, by name (Jittor lists running statistics as parameters too)."""
    return {
        name: value for name, value in tensors(module).items() if not name.endswith(("running_mean", "running_var"))
    }


def gradients(loss, targets: list) -> list:
    """d loss / d target for each target."""
    return jt.grad(loss, targets)


def assign(target, value) -> None:
    """Gives `target` a new value in place, outside the graph."""
    learns = not target.is_stop_grad()
    target.update(value)
    if learns:  # a value from within `no_grad` would stop the target's gradients for good
        target.start_grad()


def no_grad() -> AbstractContextManager:
    """No graph is kept inside."""
    return jt.no_grad()


def seed(value: int) -> None:
    """Seeds the framework's own random numbers (dropout)."""
    jt.set_global_seed(value)


def flush() -> None:
    """Starts everything that was asked for, so that the graph does not grow from step to step."""
    jt.sync_all()


def synchronize() -> None:
    """Waits until everything that was asked for is computed; call before reading a clock."""
    jt.sync_all(True)


def place(module, device: str):
    """Chooses `cpu` or `cuda` for everything from now on. Raises UserError where Jittor has no CUDA."""
    if device == "cuda" and not jt.has_cuda:
        raise UserError("--device cuda: Jittor sees no usable CUDA here (python -m crnn_jt doctor); use --device cpu")
    jt.flags.use_cuda = int(device == "cuda")
    return module


def precision(name: str) -> AbstractContextManager:
    """The context in which the forward pass runs: float32; Jittor has no bfloat16 on the CPU."""
    if name != "float32":
        raise UserError(f"--precision {name}: Jittor trains in float32 here; use CRNN_BACKEND=torch for bfloat16")
    return nullcontext()


def kernels() -> bool:
    """Whether the CPU kernels (`fast/`) are there for reading and training."""
    return not jt.flags.use_cuda and fast.available()


def at_once():
    """Where there are CPU kernels, `fast/update.py`: passes over all parameters in one operator; else None."""
    if not kernels():
        return None
    from crnn_jt.backend.fast import update

    return update


def _broadcast(module) -> None:
    if jt.in_mpi:
        module.mpi_param_broadcast(0)


ranks = SimpleNamespace(
    rank=jt.rank if jt.in_mpi else 0,
    count=jt.world_size if jt.in_mpi else 1,
    start=_broadcast,
    mean=lambda arrays: [a.mpi_all_reduce("mean") for a in arrays] if jt.in_mpi else arrays,
)
