"""A frozen network: layers with their weights, packed for the kernels, run as one Jittor operator."""

from __future__ import annotations

import ctypes
import weakref

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend.fast import build

ACTIVATIONS = {None: 0, "relu": 1, "hardswish": 2}
METHODS = {"rule": 0, "direct": 1, "winograd": 2}


class Network:
    """Image layers on numbered values (0 is the input), then a chain of sequence layers.

    The memory of weights and scratch belongs to this object and goes with it. `library` other than the machine's own is
    for tests of other instruction sets. Arrays are float32; wrong shapes raise ValueError, here or when it runs.
    """

    def __init__(self, channels: int, library: ctypes.CDLL | None = None):
        self.channels = channels
        self._library = library or build.native()
        self._handle = self._library.crnn_network_new(channels)
        self._free = weakref.finalize(self, self._library.crnn_network_free, self._handle)

    def conv(
        self,
        source: int,
        target: int,
        window: tuple[int, ...],
        weight: np.ndarray,
        bias: np.ndarray,
        activation: str | None = None,
        pool: tuple[int, int] = (1, 1),
        addend: int = -1,
        method: str = "rule",
    ) -> None:
        """Convolution, + value `addend`, activation, max pooling with windows that touch (1 or 2 each way).

        `window` is kernel, stride, padding, each (vertical, horizontal); weight (out, in, kh, kw), bias (out,).
        """
        out, in_ = weight.shape[:2]
        fused = _integers(ACTIVATIONS[activation], *pool)
        self._call("conv", source, target, addend, in_, out, _integers(*window), fused, METHODS[method], weight, bias)

    def pool(self, source: int, target: int, window: tuple[int, ...]) -> None:
        """Max pooling; padded places never win."""
        self._call("pool", source, target, _integers(*window))

    def affine(self, source: int, target: int, scale: np.ndarray, shift: np.ndarray, activation: str | None) -> None:
        """activation(x · scale + shift), both (channels,)."""
        self._call("affine", source, target, len(scale), scale, shift, ACTIVATIONS[activation])

    def add(self, source: int, target: int, addend: int, activation: str | None) -> None:
        """activation(x + value `addend`); -1 adds nothing."""
        self._call("add", source, target, addend, ACTIVATIONS[activation])

    def linear(self, weight: np.ndarray, bias: np.ndarray) -> None:
        """weight (out, in), bias (out,)."""
        self._call("linear", weight.shape[1], weight.shape[0], weight, bias)

    def bilstm(self, w_ih: np.ndarray, w_hh: np.ndarray, bias: np.ndarray) -> None:
        """w_ih (2, 4·hidden, in), w_hh (2, 4·hidden, hidden), bias (2, 4·hidden): both directions."""
        self._call("bilstm", w_ih.shape[2], w_hh.shape[2], w_ih, w_hh, bias)

    def context(self, features: int) -> None:
        """Each step's features, then the largest of each over all steps."""
        self._call("context", features)

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """(steps, classes) for images of this size. Raises ValueError where they are too small."""
        shape = np.zeros(2, np.int32)
        self._call("shape", height, width, shape)
        return int(shape[0]), int(shape[1])

    def run(self, images):
        """images (N, C, H, W), numpy or Jittor -> logits (T, N, K), the same kind; computed when this returns."""
        jt = runtime.import_jittor()
        batch, channels, height, width = images.shape
        if channels != self.channels:
            raise ValueError(f"images have {channels} channels, the network takes {self.channels}")
        steps, classes = self.shape(height, width)
        given = images if isinstance(images, jt.Var) else jt.array(np.ascontiguousarray(images, np.float32))
        numbers = [self._handle, batch, height, width]
        (logits,) = build.call("crnn_call_network", [given], [(steps, batch, classes)], numbers)
        if isinstance(images, jt.Var):
            logits.sync()  # now, while the network is there
            return logits
        return logits.numpy()

    def run_directly(self, images: np.ndarray) -> np.ndarray:
        """As `run`, without Jittor: for tests of instruction sets, which load several libraries side by side."""
        images = np.ascontiguousarray(images, np.float32)
        batch, _, height, width = images.shape
        steps, classes = self.shape(height, width)
        logits = np.empty((steps, batch, classes), np.float32)
        self._call("run", images, batch, height, width, logits)
        return logits

    def _call(self, name: str, *arguments) -> None:
        kept = [np.ascontiguousarray(a, np.float32) if _is_weight(a) else a for a in arguments]
        plain = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in kept]
        if getattr(self._library, f"crnn_network_{name}")(self._handle, *plain):
            raise ValueError(self._library.crnn_error().decode())


def _is_weight(argument) -> bool:
    return isinstance(argument, np.ndarray) and argument.dtype != np.int32


def _integers(*values: int) -> np.ndarray:
    return np.array(values, np.int32)
