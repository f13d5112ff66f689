"""Jittor's operators where its own are slow on the CPU or missing; names and meanings are those of the seam."""

from __future__ import annotations

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend import fast

jt = runtime.import_jittor()


def kernels() -> bool:
    """Whether the CPU kernels (`fast/`) are there for reading and training."""
    return not jt.flags.use_cuda and fast.available()


def array(values: np.ndarray):
    """A numpy array in the framework: floats as float32, everything else as integers."""
    values = np.ascontiguousarray(values)
    return jt.array(values.astype(np.float32 if values.dtype.kind == "f" else np.int32))


def ctc_loss(logits, targets: np.ndarray, lengths: np.ndarray, target_lengths: np.ndarray):
    """Negative log likelihood of each sample, (N,); logits (T, N, K), targets (N, S)."""
    if kernels():
        from crnn_jt.backend.fast import ctc

        return ctc.ctc_loss(logits, targets, lengths, target_lengths)
    log_probs = jt.nn.log_softmax(logits, 2)
    return jt.ctc_loss(log_probs, array(targets), array(lengths), array(target_lengths), blank=0, reduction="none")


def relu(x):
    """max(x, 0)."""
    if not kernels():
        return jt.nn.relu(x)
    from crnn_jt.backend.fast import nchw

    return nchw.relu(x)


def max_pool(x, kernel, stride, padding):
    """Max pooling: off the CPU by reindexing, since `nn.MaxPool2d` refuses images no higher than its kernel."""
    if kernels():
        from crnn_jt.backend.fast import nchw

        return nchw.max_pool(x, kernel, stride, padding)
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


def gather(x, index):
    """x (..., K), index (...) of integers -> x[..., index], (...)."""
    return jt.gather(x, x.ndim - 1, index.unsqueeze(-1)).squeeze(-1)


def clip(x, low, high):
    """min(max(x, low), high); bounds are numbers or arrays, which then have their own slopes."""
    return x.maximum(low).minimum(high)


def round_even(x):
    """The nearest whole number, of two equally near ones the even one (Jittor's own takes the outer one)."""
    low = x.floor()
    rest, odd = x - low, low - (low * 0.5).floor() * 2
    return low + jt.ternary(rest == 0.5, odd, (rest > 0.5).float32())


def upsample_nearest(x, factors: tuple[int, int]):
    """x (N, C, H, W) -> (N, C, H·factors[0], W·factors[1]), every value repeated."""
    batch, channels, height, width = x.shape
    shape = [batch, channels, height * factors[0], width * factors[1]]
    return x.reindex(shape, ["i0", "i1", f"i2/{factors[0]}", f"i3/{factors[1]}"])


def grid_sample(x, grid):
    """x (N, C, H, W) read at grid (N, H', W', 2) of (across, down) in [-1, 1] -> (N, C, H', W').

    Bilinear; -1 and 1 are the centres of the outermost pixels, beyond them is zero. Differentiable in both.
    """
    return jt.nn.grid_sample(x, grid, "bilinear", "zeros", align_corners=True)


def sample(x, places: np.ndarray):
    """x (C, H, W) read at places float32 (P, 2) of (across, down) in its pixels, 0 the centre of the first -> (C, P).

    Bilinear, zero outside; differentiable in x. Gradients of `grid_sample` are summed in the order in which threads
    come by; these always in the same, so that a resumed run repeats the uninterrupted one.
    """
    if jt.flags.use_cuda:
        last = np.maximum(np.array([x.shape[2], x.shape[1]]) - 1, 1)
        return grid_sample(x.unsqueeze(0), array(2 * places / last - 1)[None, None])[0, :, 0]
    return _Sample(x.shape, places)(x)


class _Sample(jt.Function):
    """Rows of the map that each place is made of, and their weights, (4, P) each."""

    def __init__(self, shape, places: np.ndarray):
        self.shape, (height, width) = tuple(shape), tuple(shape[1:])
        corner = np.floor(places).astype(np.int64)
        rest = places - corner
        rows, weights = [], []
        for down in (0, 1):
            for across in (0, 1):
                x, y = corner[:, 0] + across, corner[:, 1] + down
                inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
                share = np.abs(1 - across - rest[:, 0]) * np.abs(1 - down - rest[:, 1])
                rows.append(np.where(inside, y * width + x, 0))
                weights.append(np.where(inside, share, 0))
        self.rows, self.weights = np.stack(rows), np.stack(weights).astype(np.float32)

    def execute(self, x):
        return jt.numpy_code((self.shape[0], self.rows.shape[1]), x.dtype, [x], self._read)

    def grad(self, gradient):
        return jt.numpy_code(self.shape, gradient.dtype, [gradient], self._spread)

    def _read(self, _, data) -> None:
        flat = data["inputs"][0].reshape(self.shape[0], -1)
        data["outputs"][0][...] = sum(flat[:, own] * share for own, share in zip(self.rows, self.weights))

    def _spread(self, _, data) -> None:
        shares = data["inputs"][0][:, None] * self.weights  # (C, 4, P)
        rows = self.rows.ravel()
        order = np.argsort(rows, kind="stable")
        targets, starts = np.unique(rows[order], return_index=True)
        total = np.zeros((self.shape[0], self.shape[1] * self.shape[2]), np.float32)
        total[:, targets] = np.add.reduceat(shares.reshape(len(shares), -1)[:, order], starts, axis=1)
        data["outputs"][0][...] = total.reshape(self.shape)


def where(mask, a, b):
    """`a` where the mask holds (booleans, numpy or array), else `b`; `a` or `b` may be a number; shapes broadcast."""
    mask = jt.array(mask) if isinstance(mask, np.ndarray) else mask
    return jt.ternary(mask, *(v if isinstance(v, jt.Var) else jt.array(np.float32([v])) for v in (a, b)))
