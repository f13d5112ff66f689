"""A frozen network: layers with their weights, packed for the kernels, run as one Jittor operator."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend.fast import build
from crnn_jt.backend.fast import network_fields as fields
from crnn_jt.backend.fast.fields import Window
from crnn_jt.backend.fast.int8_layers import Int8Layers
from crnn_jt.backend.fast.network_fields import ACTIVATIONS
from crnn_jt.backend.fast.text_layers import TextLayers

ORDERS = {"columns": 0, "grid": 1, "maps": 2}
"""How maps become steps: each column, or each place row by row; or stay as they are, at the end of a network."""
METHODS = {"rule": 0, "direct": 1, "winograd": 2}


class Network(TextLayers, Int8Layers):
    """Parts, each of image layers on numbered values (0 is what comes in) and then a chain of sequence layers.

    After image layers there are steps (T, N, D), each column of the map or as `end_maps` says; `begin_maps` begins the
    next part, whose image layers read the steps as maps.

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
        message = fields.NetworkConv(
            source=source,
            target=target,
            addend=addend,
            in_channels=weight.shape[1],
            out_channels=weight.shape[0],
            window=_describe_window(window),
            activation=ACTIVATIONS[activation],
            pool_h=pool[0],
            pool_w=pool[1],
            method=METHODS[method],
        )
        self._call("conv", message, weight, bias)

    def begin_maps(self, rows: int) -> None:
        """The steps so far are read row by row as maps of so many rows: value 0 of what follows."""
        self._call("begin_maps", fields.NetworkBeginMaps(rows=rows))

    def end_maps(self, order: str) -> None:
        """How the maps of the image layers so far end, one of `ORDERS`."""
        self._call("end_maps", fields.NetworkEndMaps(order=ORDERS[order]))

    def transposed_conv(
        self, source: int, target: int, weight: np.ndarray, bias: np.ndarray, activation: str | None
    ) -> None:
        """Transposed convolution whose windows touch (stride and kernel are the same); weight (in, out, kh, kw)."""
        message = fields.NetworkTransposedConv(
            source=source,
            target=target,
            in_channels=weight.shape[0],
            out_channels=weight.shape[1],
            kernel_h=weight.shape[2],
            kernel_w=weight.shape[3],
            activation=ACTIVATIONS[activation],
        )
        self._call("transposed_conv", message, weight, bias)

    def depthwise(
        self,
        source: int,
        target: int,
        window: tuple[int, ...],
        weight: np.ndarray,
        bias: np.ndarray,
        activation: str | None,
    ) -> None:
        """Depthwise convolution; weight (channels, kh, kw)."""
        message = fields.NetworkDepthwise(
            source=source,
            target=target,
            channels=len(weight),
            window=_describe_window(window),
            activation=ACTIVATIONS[activation],
        )
        self._call("depthwise", message, weight, bias)

    def global_mean(self, source: int, target: int) -> None:
        """The mean of each channel, one pixel."""
        self._call("global_mean", fields.NetworkGlobalMean(source=source, target=target))

    def gate(self, source: int, target: int, gate: int) -> None:
        """x · value `gate`, which has one pixel or as many as x."""
        self._call("gate", fields.NetworkGate(source=source, target=target, gate=gate))

    def mean_pool(self, source: int, target: int, window: tuple[int, ...]) -> None:
        """The mean of each window, over those of its pixels that lie in the picture."""
        self._call("mean_pool", fields.NetworkPool(source=source, target=target, window=_describe_window(window)))

    def fold(self, source: int, target: int, kernel: tuple[int, int]) -> None:
        """Each window becomes one pixel of all their channels, row by row; windows touch and do not overlap."""
        message = fields.NetworkFold(source=source, target=target, kernel_h=kernel[0], kernel_w=kernel[1])
        self._call("fold", message)

    def pick(self, source: int, target: int, channels: Sequence[int]) -> None:
        """These channels of a value, in this order."""
        numbers = (ctypes.c_int32 * len(channels))(*channels)
        self._call("pick", fields.NetworkPick(source=source, target=target, count=len(channels)), numbers)

    def upsample(self, source: int, target: int, factor: tuple[int, int]) -> None:
        """Each pixel becomes a block of `factor` (down, along) pixels."""
        self._call("upsample", fields.NetworkUpsample(source=source, target=target, down=factor[0], along=factor[1]))

    def concat(self, sources: Sequence[int], target: int) -> None:
        """The channels of the values, of one size, one after the other."""
        numbers = (ctypes.c_int32 * len(sources))(*sources)
        self._call("concat", fields.NetworkConcat(target=target, count=len(sources)), numbers)

    def pool(self, source: int, target: int, window: tuple[int, ...]) -> None:
        """Max pooling; padded places never win."""
        self._call("pool", fields.NetworkPool(source=source, target=target, window=_describe_window(window)))

    def affine(self, source: int, target: int, scale: np.ndarray, shift: np.ndarray, activation: str | None) -> None:
        """activation(x · scale + shift), both (channels,)."""
        act = ACTIVATIONS[activation]
        message = fields.NetworkAffine(source=source, target=target, channels=len(scale), activation=act)
        self._call("affine", message, scale, shift)

    def add(self, source: int, target: int, addend: int, activation: str | None) -> None:
        """activation(x + value `addend`); -1 adds nothing."""
        act = ACTIVATIONS[activation]
        self._call("add", fields.NetworkAdd(source=source, target=target, addend=addend, activation=act))

    def linear(self, weight: np.ndarray, bias: np.ndarray) -> None:
        """weight (out, in), bias (out,)."""
        out, in_ = weight.shape
        self._call("linear", fields.NetworkLinear(in_features=in_, out_features=out), weight, bias)

    def bilstm(self, w_ih: np.ndarray, w_hh: np.ndarray, bias: np.ndarray) -> None:
        """w_ih (2, 4·hidden, in), w_hh (2, 4·hidden, hidden), bias (2, 4·hidden): both directions."""
        message = fields.NetworkBiLSTM(in_features=w_ih.shape[2], hidden=w_hh.shape[2])
        self._call("bilstm", message, w_ih, w_hh, bias)

    def context(self, features: int) -> None:
        """Global max context, (T, N, C) -> (T, N, 2C): each step, then the largest value of each feature."""
        self._call("context", fields.NetworkContext(features=features))

    def shape(self, batch: int, height: int, width: int) -> tuple[int, ...]:
        """What comes of so many images of this size: (T, N, K), or maps (N, C, H, W) where the network ends with such.
        Raises ValueError where the images are too small.
        """
        maps, channels, rows, columns = found = [ctypes.c_int() for _ in range(4)]
        self._call("shape", height, width, *found)
        if maps.value:
            return batch, channels.value, rows.value, columns.value
        return columns.value, batch, channels.value

    def run(self, images):
        """images (N, C, H, W), numpy or Jittor -> as `shape` says, the same kind; computed when this returns."""
        jt = runtime.import_jittor()
        batch, channels, height, width = images.shape
        if channels != self.channels:
            raise ValueError(f"images have {channels} channels, the network takes {self.channels}")
        shape = self.shape(batch, height, width)
        given = images if isinstance(images, jt.Var) else jt.array(np.ascontiguousarray(images, np.float32))
        (out,) = build.call("crnn_call_network", [given], [shape], self._describe_run(batch, height, width))
        if isinstance(images, jt.Var):
            out.sync()  # now, while the network is there
            return out
        return out.numpy()

    def run_levels(self, pixels: np.ndarray, height: int, width: int) -> np.ndarray:
        """Pictures uint8 (N, h, w, C) -> as `run` of them in [-1, 1] (`data_tools.transforms.normalise`), with zeros
        below and beside them up to `height` x `width`: a large one is never there as an array of floats.
        """
        jt = runtime.import_jittor()
        batch, rows, columns, channels = pixels.shape
        if channels != self.channels:
            raise ValueError(f"pictures have {channels} channels, the network takes {self.channels}")
        if pixels.dtype != np.uint8 or rows > height or columns > width:
            raise ValueError(f"levels {pixels.dtype} {pixels.shape} for {height} x {width} pixels")
        message = fields.NetworkRunLevels(
            network=self._handle, batch=batch, height=height, width=width, rows=rows, columns=columns
        )
        given = jt.array(np.ascontiguousarray(pixels))
        return build.call("crnn_call_network_levels", [given], [self.shape(batch, height, width)], message)[0].numpy()

    def run_directly(self, images: np.ndarray) -> np.ndarray:
        """As `run` without Jittor: for tests of instruction sets, which load several libraries at once."""
        images = np.ascontiguousarray(images, np.float32)
        batch, _, height, width = images.shape
        out = np.empty(self.shape(batch, height, width), np.float32)
        self._call("run", self._describe_run(batch, height, width), images, out)
        return out

    def _describe_run(self, batch: int, height: int, width: int) -> fields.NetworkRun:
        return fields.NetworkRun(network=self._handle, batch=batch, height=height, width=width)

    def _call(self, name: str, *arguments) -> None:
        self._add(getattr(self._library, f"crnn_network_{name}"), self._library.crnn_error, arguments)

    def _call_int8(self, name: str, *arguments) -> None:
        library = build.load_int8(self._library.flags)
        self._add(getattr(library, f"crnn_int8_{name}"), library.crnn_int8_error, arguments)

    def _add(self, function, error, arguments: tuple) -> None:
        given = [np.ascontiguousarray(a, np.float32) if isinstance(a, np.ndarray) else a for a in arguments]
        if function(self._handle, *given):
            raise ValueError(error().decode())


def _describe_window(window: tuple[int, ...]) -> Window:
    return Window.of(window[:2], window[2:4], window[4:])
