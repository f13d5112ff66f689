"""Pieces of published networks restated in numpy, their weights drawn as they are first asked for: what the tests of
imported weights compare with.
"""

from __future__ import annotations

import numpy as np

from crnn_jt.layers import BatchNorm, Conv
from tests.oracle.plan import evaluate


class Restated:
    """`state` holds the arrays by their published names, float32."""

    def __init__(self, seed: int = 1):
        self.rng, self.state = np.random.default_rng(seed), {}

    def array(self, name: str, *shape: int, scale: float | None = None) -> np.ndarray:
        """The array of that name, float64; a new one is scaled so that sums keep their size."""
        if name not in self.state:
            scale = np.prod(shape[1:]) ** -0.5 if scale is None else scale
            self.state[name] = np.float32(scale * self.rng.standard_normal(shape))
        return self.state[name].astype(np.float64)

    def conv(self, x, name: str, channels: int, kernel=1, stride=1, padding=0, groups=1, bias=False) -> np.ndarray:
        """nn.Conv2d."""
        pairs = [(n, n) if isinstance(n, int) else tuple(n) for n in (kernel, stride, padding)]
        layer = Conv(x.shape[1], channels, *pairs, bias=bias, groups=groups)
        own = {f"0.{last}": self.array(f"{name}.{last}", *shape) for last, shape in layer.arrays().items()}
        return evaluate((layer,), own, x)

    def norm(self, x, name: str) -> np.ndarray:
        """nn.BatchNorm2d with the counter that PyTorch keeps beside it."""
        shape = (x.shape[1],)
        own = {f"0.{last}": self.array(f"{name}.{last}", *shape, scale=0.3) for last in ("bias", "running_mean")}
        for last in ("weight", "running_var"):
            self.state.setdefault(f"{name}.{last}", np.float32(0.5 + self.rng.random(shape)))
            own[f"0.{last}"] = self.array(f"{name}.{last}", *shape)
        self.state[f"{name}.num_batches_tracked"] = np.array(7)
        return evaluate((BatchNorm(x.shape[1]),), own, x)

    def linear(self, x, name: str, features: int, bias: bool = True) -> np.ndarray:
        """nn.Linear."""
        y = x @ self.array(f"{name}.weight", features, x.shape[-1]).T
        return y + self.array(f"{name}.bias", features, scale=0.3) if bias else y

    def layer_norm(self, x, name: str) -> np.ndarray:
        """nn.LayerNorm."""
        scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        weight, bias = (self.array(f"{name}.{last}", x.shape[-1], scale=0.5) for last in ("weight", "bias"))
        return scaled * weight + bias

    def block(self, x, name: str, channels: int, strides: tuple, project: bool) -> np.ndarray:
        """A residual unit of a 1x1 and a 3x3 convolution with their strides."""
        (first, second), body = strides, x
        body = relu(self.norm(self.conv(body, f"{name}.conv1", channels, 1, first), f"{name}.bn1"))
        body = self.norm(self.conv(body, f"{name}.conv2", channels, 3, second, 1), f"{name}.bn2")
        if project:
            both = first[0] * second[0], first[1] * second[1]
            x = self.norm(self.conv(x, f"{name}.downsample.0", channels, 1, both), f"{name}.downsample.1")
        return relu(body + x)


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)
