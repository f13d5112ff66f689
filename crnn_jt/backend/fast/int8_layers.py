"""Layers of a frozen network whose products have 8 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crnn_jt.backend.fast import network_fields as fields
from crnn_jt.backend.fast.fields import Window
from crnn_jt.backend.fast.network_fields import ACTIVATIONS


@dataclass(frozen=True)
class Levels:
    """How a value is rounded: to multiples of `step`, halves to even, from -`bound` to `bound` (127 at most) steps."""

    step: float
    bound: float

    def message(self) -> fields.Levels:
        """As the kernels take it."""
        return fields.Levels(step=self.step, bound=self.bound)


FLOATS = Levels(0, 0)
"""A value that is not rounded."""


class Int8Layers:
    """A part of `Network`; weights are whole numbers, -127 to 127, and a sum of products times `scale` + `bias`, both
    (out,), goes out: `scale` holds the steps of both sides.
    """

    def _call_int8(self, name: str, *arguments) -> None:
        raise NotImplementedError

    def int8_conv(
        self,
        source: int,
        target: int,
        window: tuple[int, ...],
        weight: np.ndarray,
        scale: np.ndarray,
        bias: np.ndarray,
        comes: Levels,
        goes: Levels = FLOATS,
        activation: str | None = None,
        pool: tuple[int, int] = (1, 1),
        addend: int = -1,
    ) -> None:
        """As `conv`, of a value that is rounded to `comes`, or was when it was written. What `goes` out rounded may be
        read by another layer of such products, of the same levels, and by `pool` alone.
        """
        message = fields.NetworkInt8Conv(
            source=source,
            target=target,
            addend=addend,
            in_channels=weight.shape[1],
            out_channels=weight.shape[0],
            window=Window.of(window[:2], window[2:4], window[4:]),
            activation=ACTIVATIONS[activation],
            pool_h=pool[0],
            pool_w=pool[1],
            comes=comes.message(),
            goes=goes.message(),
        )
        self._call_int8("conv", message, weight, scale, bias)

    def int8_depthwise(
        self,
        source: int,
        target: int,
        window: tuple[int, ...],
        weight: np.ndarray,
        scale: np.ndarray,
        bias: np.ndarray,
        comes: Levels,
        goes: Levels = FLOATS,
        activation: str | None = None,
    ) -> None:
        """As `depthwise`, rounded as in `int8_conv`; weight (channels, kh, kw)."""
        message = fields.NetworkInt8Depthwise(
            source=source,
            target=target,
            channels=len(weight),
            window=Window.of(window[:2], window[2:4], window[4:]),
            activation=ACTIVATIONS[activation],
            comes=comes.message(),
            goes=goes.message(),
        )
        self._call_int8("depthwise", message, weight, scale, bias)

    def int8_gate(self, source: int, target: int, gate: int, goes: Levels) -> None:
        """As `gate`; what goes out is rounded."""
        self._call_int8("gate", fields.NetworkInt8Gate(source=source, target=target, gate=gate, goes=goes.message()))

    def round(self, source: int, target: int, levels: Levels) -> None:
        """A value rounded, still of floats: what layers read whose products have no kernel in 8 bits."""
        message = fields.NetworkRound(source=source, target=target, comes=levels.message())
        self._call_int8("round", message)

    def int8_linear(self, weight: np.ndarray, scale: np.ndarray, bias: np.ndarray, comes: Levels) -> None:
        """weight (out, in)."""
        out, in_ = weight.shape
        message = fields.NetworkInt8Linear(in_features=in_, out_features=out, comes=comes.message())
        self._call_int8("linear", message, weight, scale, bias)

    def int8_bilstm(
        self,
        w_ih: np.ndarray,
        ih_scale: np.ndarray,
        w_hh: np.ndarray,
        hh_scale: np.ndarray,
        bias: np.ndarray,
        comes: Levels,
    ) -> None:
        """As `bilstm`, of whole numbers w_ih and w_hh; their scales are (2, 4·hidden), the first of them with the step
        of what comes in. The state is rounded to 16 bits.
        """
        hidden = w_hh.shape[2]
        message = fields.NetworkInt8BiLSTM(in_features=w_ih.shape[2], hidden=hidden, comes=comes.message())
        self._call_int8("bilstm", message, w_ih, ih_scale, w_hh, hh_scale, bias)
