"""The parameters of a frozen network and its layers, as in `network_fields.h`; see `fields`.

Layers read value `source` (and `addend`, -1 for none) and write value `target`.
"""

from __future__ import annotations

from ctypes import c_float as float32
from ctypes import c_int32 as int32
from ctypes import c_int64 as int64

from crnn_jt.backend.fast.fields import Fields, Window, declare

ACTIVATIONS = {None: 0, "relu": 1, "hardswish": 2, "relu6": 3, "hardsigmoid": 4, "gelu": 5, "sigmoid": 6}


@declare
class NetworkRun(Fields):
    network: int64
    batch: int32
    height: int32
    width: int32


@declare
class NetworkRunLevels(Fields):
    network: int64
    batch: int32
    height: int32
    width: int32
    rows: int32
    columns: int32


@declare
class NetworkEndMaps(Fields):
    order: int32


@declare
class NetworkBeginMaps(Fields):
    rows: int32


@declare
class NetworkConv(Fields):
    source: int32
    target: int32
    addend: int32
    in_channels: int32
    out_channels: int32
    window: Window
    activation: int32
    pool_h: int32
    pool_w: int32
    method: int32


@declare
class NetworkTransposedConv(Fields):
    source: int32
    target: int32
    in_channels: int32
    out_channels: int32
    kernel_h: int32
    kernel_w: int32
    activation: int32


@declare
class NetworkDepthwise(Fields):
    source: int32
    target: int32
    channels: int32
    window: Window
    activation: int32


@declare
class NetworkGlobalMean(Fields):
    source: int32
    target: int32


@declare
class NetworkGate(Fields):
    source: int32
    target: int32
    gate: int32


@declare
class NetworkFold(Fields):
    source: int32
    target: int32
    kernel_h: int32
    kernel_w: int32


@declare
class NetworkPick(Fields):
    source: int32
    target: int32
    count: int32


@declare
class NetworkUpsample(Fields):
    source: int32
    target: int32
    down: int32
    along: int32


@declare
class NetworkConcat(Fields):
    target: int32
    count: int32


@declare
class NetworkLayerNorm(Fields):
    source: int32
    target: int32
    channels: int32
    eps: float32


@declare
class NetworkSoftmax(Fields):
    source: int32
    target: int32


@declare
class NetworkTable(Fields):
    source: int32
    target: int32
    steps: int32
    channels: int32
    added: int32


@declare
class NetworkAttention(Fields):
    queries: int32
    keys: int32
    values: int32
    lengths: int32
    target: int32
    heads: int32
    features: int32
    first_query: int32
    first_key: int32
    first_value: int32
    diagonal: int32
    scale: float32


@declare
class NetworkTextLengths(Fields):
    source: int32
    target: int32


@declare
class NetworkBlend(Fields):
    share: int32
    one: int32
    other: int32
    target: int32


@declare
class NetworkFitColumns(Fields):
    source: int32
    like: int32
    target: int32
    multiple: int32


@declare
class NetworkSample(Fields):
    source: int32
    ways: int32
    target: int32
    height: int32
    width: int32
    points: int32
    clipped: int32


@declare
class NetworkDecoder(Fields):
    source: int32
    keys: int32
    target: int32
    features: int32
    attention: int32
    hidden: int32
    classes: int32
    steps: int32
    gru: int32


@declare
class NetworkPool(Fields):
    source: int32
    target: int32
    window: Window


@declare
class NetworkAffine(Fields):
    source: int32
    target: int32
    channels: int32
    activation: int32


@declare
class NetworkAdd(Fields):
    source: int32
    target: int32
    addend: int32
    activation: int32


@declare
class NetworkLinear(Fields):
    in_features: int32
    out_features: int32


@declare
class NetworkBiLSTM(Fields):
    in_features: int32
    hidden: int32


@declare
class NetworkContext(Fields):
    features: int32


@declare
class Levels(Fields):
    step: float32
    bound: float32


@declare
class NetworkInt8Conv(Fields):
    source: int32
    target: int32
    addend: int32
    in_channels: int32
    out_channels: int32
    window: Window
    activation: int32
    pool_h: int32
    pool_w: int32
    comes: Levels
    goes: Levels


@declare
class NetworkInt8Depthwise(Fields):
    source: int32
    target: int32
    channels: int32
    window: Window
    activation: int32
    comes: Levels
    goes: Levels


@declare
class NetworkInt8Gate(Fields):
    source: int32
    target: int32
    gate: int32
    goes: Levels


@declare
class NetworkRound(Fields):
    source: int32
    target: int32
    comes: Levels


@declare
class NetworkInt8Linear(Fields):
    in_features: int32
    out_features: int32
    comes: Levels


@declare
class NetworkInt8BiLSTM(Fields):
    in_features: int32
    hidden: int32
    comes: Levels
