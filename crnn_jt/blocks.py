"""Building blocks of plans that several networks share."""

from __future__ import annotations

from crnn_jt.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dropout,
    Gate,
    GlobalMean,
    LayerNorm,
    Linear,
    Plan,
    Residual,
    SelfAttention,
)

WIDEST = 8
"""How far `width` may scale the channels of a stage."""


def scale_channels(width: float, *channels: int) -> tuple[int, ...]:
    """Channels times `width`, each at least 1. Raises ValueError for an implausible width."""
    if not 0 < width <= WIDEST:
        raise ValueError(f"width {width}: it takes more than 0, at most {WIDEST}")
    return tuple(max(1, round(count * width)) for count in channels)


def conv_unit(
    in_channels: int,
    out_channels: int,
    kernel: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (1, 1),
    norm: bool = True,
    activation: str = "relu",
    groups: int = 1,
) -> Plan:
    """Convolution, batch normalisation (unless `norm` is False), activation (unless it is empty)."""
    convolution = Conv(in_channels, out_channels, kernel, stride, padding, bias=not norm, groups=groups)
    activations = (Activation(activation),) if activation else ()
    return (convolution, *((BatchNorm(out_channels),) if norm else ()), *activations)


def residual_unit(in_channels: int, out_channels: int) -> Residual:
    """BN-ReLU-conv-BN-ReLU-conv, 1x1 shortcut where the channels change (He et al., "Identity mappings in deep residual
    networks", 2016).
    """
    body = (
        BatchNorm(in_channels),
        Activation("relu"),
        Conv(in_channels, out_channels, bias=False),
        BatchNorm(out_channels),
        Activation("relu"),
        Conv(out_channels, out_channels, bias=False),
    )
    if in_channels == out_channels:
        return Residual(body)
    return Residual(body, (Conv(in_channels, out_channels, (1, 1), padding=(0, 0), bias=False),))


def aster_unit(in_channels: int, out_channels: int, stride: tuple[int, int] = (1, 1)) -> Plan:
    """1x1 with the stride, then 3x3; 1x1 shortcut where the shape changes; ReLU after the sum (ASTER: Shi et al., TPAMI
    2018, table 1, as its public code has it).
    """
    point = {"kernel": (1, 1), "stride": stride, "padding": (0, 0)}
    body = (*conv_unit(in_channels, out_channels, **point), *conv_unit(out_channels, out_channels, activation=""))
    same = in_channels == out_channels and stride == (1, 1)
    shortcut = () if same else conv_unit(in_channels, out_channels, **point, activation="")
    return Residual(body, shortcut), Activation("relu")


def squeeze_excite(channels: int, reduction: int = 4) -> Gate:
    """Each channel times a gate that all of the picture decides (Hu et al., CVPR 2018), with MobileNetV3's hard sigmoid
    (Howard et al., ICCV 2019).
    """
    inner = max(1, channels // reduction)
    squeeze = Conv(channels, inner, (1, 1), padding=(0, 0)), Activation("relu")
    return Gate((GlobalMean(), *squeeze, Conv(inner, channels, (1, 1), padding=(0, 0)), Activation("hardsigmoid")))


def inverted_residual(
    in_channels: int,
    out_channels: int,
    expanded: int,
    kernel: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (1, 1),
    activation: str = "relu6",
    gate: bool = False,
    always_widen: bool = False,
    shortcut: bool = True,
) -> Plan:
    """1x1 to `expanded` channels (where these are others, or `always_widen`), depthwise, gate, 1x1 to `out_channels`
    without activation; plus the input where the shape stays, unless `shortcut` is False (MobileNetV2: Sandler et al.,
    CVPR 2018; V3: Howard et al., ICCV 2019).
    """
    padding = (kernel[0] // 2, kernel[1] // 2)
    widen = conv_unit(in_channels, expanded, (1, 1), padding=(0, 0), activation=activation)
    plan = (
        *(widen if always_widen or expanded != in_channels else ()),
        *conv_unit(expanded, expanded, kernel, stride, padding, activation=activation, groups=expanded),
        *((squeeze_excite(expanded),) if gate else ()),
        *conv_unit(expanded, out_channels, (1, 1), padding=(0, 0), activation=""),
    )
    same = in_channels == out_channels and stride == (1, 1)
    return (Residual(plan),) if shortcut and same else plan


def feed_forward(features: int, hidden: int, dropout: float = 0.0, activation: str = "relu") -> Plan:
    """Linear to `hidden`, activation, linear back, for each step alone: (T, N, features) -> (T, N, features) (Vaswani
    et al., "Attention is all you need", 2017, section 3.3).
    """
    drop = (Dropout(dropout),) if dropout else ()
    return (Linear(features, hidden), Activation(activation), *drop, Linear(hidden, features), *drop)


def encoder_layer(features: int, heads: int, hidden: int, dropout: float = 0.0, activation: str = "relu") -> Plan:
    """One layer of a transformer's encoder, normalised after each sum (Vaswani et al., "Attention is all you need",
    2017, section 3.1).
    """
    drop = (Dropout(dropout),) if dropout else ()
    return (
        Residual((SelfAttention(features, heads), *drop)),
        LayerNorm(features),
        Residual(feed_forward(features, hidden, dropout, activation)),
        LayerNorm(features),
    )
