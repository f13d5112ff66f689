"""Plans of layers evaluated by their definitions: numpy, float64, no framework and no cleverness."""

from __future__ import annotations

import math
from functools import singledispatch

import numpy as np

from crnn_jt import layers
from crnn_jt.layers import walk


def random_state(plan, rng: np.random.Generator, prefix: str = "") -> dict[str, np.ndarray]:
    """Weights of a plan, float32, sized so that activations neither vanish nor explode."""
    state = {}
    for key, layer in walk(plan):
        for name, shape in layer.arrays().items():
            value = rng.standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:])))
            norm = "running_var" in layer.arrays() and name in ("weight", "running_var")
            if norm or name in ("clip", "range"):
                value = 0.5 + rng.random(shape)
            state[f"{prefix}{key}.{name}"] = value.astype(np.float32)
    return state


def evaluate(plan, state: dict[str, np.ndarray], x: np.ndarray, prefix: str = "", kept=None) -> np.ndarray:
    """(N, C, H, W) or (T, N, C) through the layers of `plan`; `kept` values by name."""
    kept = dict(kept or {})
    for position, layer in enumerate(plan):
        x = value_of(layer, state, x.astype(np.float64), f"{prefix}{position}.", kept)
    return x


@singledispatch
def value_of(layer, state, x, key, kept):
    """One layer by its definition."""
    raise NotImplementedError(f"the oracle does not know {type(layer).__name__}")


@value_of.register(layers.Conv)
def _(layer, state, x, key, kept):
    weight = state[f"{key}weight"].astype(np.float64)
    parts = [
        np.einsum("ncijuv,ocuv->noij", _windows(given, layer, 0.0), share)
        for given, share in zip(np.split(x, layer.groups, 1), np.split(weight, layer.groups))
    ]
    y = np.concatenate(parts, 1)
    return y + state[f"{key}bias"][:, None, None] if layer.bias else y


@value_of.register(layers.ConvTranspose)
def _(layer, state, x, key, kept):
    weight = state[f"{key}weight"].astype(np.float64)
    (count, _, height, width), (sh, sw), (kh, kw) = x.shape, layer.stride, layer.kernel
    y = np.zeros((count, layer.out_channels, (height - 1) * sh + kh, (width - 1) * sw + kw))
    for row in range(height):
        for column in range(width):
            spread = np.einsum("nc,couv->nouv", x[:, :, row, column], weight)
            y[:, :, row * sh : row * sh + kh, column * sw : column * sw + kw] += spread
    (ph, pw) = layer.padding
    y = y[:, :, ph : y.shape[2] - ph, pw : y.shape[3] - pw]
    return y + state[f"{key}bias"][:, None, None] if layer.bias else y


@value_of.register(layers.MaxPool)
def _(layer, state, x, key, kept):
    return _windows(x, layer, -np.inf).max((4, 5))


@value_of.register(layers.BatchNorm)
def _(layer, state, x, key, kept):
    weight, bias, mean, var = (
        state[f"{key}{n}"][:, None, None] for n in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / np.sqrt(var.astype(np.float64) + layer.eps) * weight + bias


@value_of.register(layers.LayerNorm)
def _(layer, state, x, key, kept):
    scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + layer.eps)
    return scaled * state[f"{key}weight"] + state[f"{key}bias"]


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "hardswish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "hardsigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "gelu": lambda x: x * (1 + np.vectorize(math.erf)(x / np.sqrt(2))) / 2,
    "sigmoid": lambda x: _sigmoid(x),
}


@value_of.register(layers.Activation)
def _(layer, state, x, key, kept):
    return ACTIVATIONS[layer.kind](x)


@value_of.register(layers.Dropout)
def _(layer, state, x, key, kept):
    return x


@value_of.register(layers.GlobalMean)
def _(layer, state, x, key, kept):
    return x.mean((2, 3), keepdims=True)


@value_of.register(layers.AvgPool)
def _(layer, state, x, key, kept):
    (ph, pw), (sh, sw) = layer.padding, layer.stride or layer.kernel
    framed = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(framed, layer.kernel, (2, 3))
    return np.nanmean(windows[:, :, ::sh, ::sw], (4, 5))


@value_of.register(layers.Slice)
def _(layer, state, x, key, kept):
    return np.stack([x[:, layer.first + n] for n in range(layer.count)], 1)


@value_of.register(layers.Shuffle)
def _(layer, state, x, key, kept):
    size = x.shape[1] // layer.groups
    return x[:, [group * size + place for place in range(size) for group in range(layer.groups)]]


@value_of.register(layers.Upsample)
def _(layer, state, x, key, kept):
    return np.kron(x, np.ones((1, 1, *layer.factor)))


@value_of.register(layers.Block)
def _(layer, state, x, key, kept):
    return evaluate(layer.body, state, x, f"{key}body.", kept)


@value_of.register(layers.Residual)
def _(layer, state, x, key, kept):
    body = evaluate(layer.body, state, x, f"{key}body.", kept)
    return body + evaluate(layer.shortcut, state, x, f"{key}shortcut.", kept)


@value_of.register(layers.Gate)
def _(layer, state, x, key, kept):
    return x * evaluate(layer.body, state, x, f"{key}body.", kept)


@value_of.register(layers.Choice)
def _(layer, state, x, key, kept):
    best = int(state[f"{key}alphas"].argmax())
    return evaluate(layer.candidates[best], state, x, f"{key}{best}.", kept)


@value_of.register(layers.Quantised)
def _(layer, state, x, key, kept):
    reach, bound = (state[f"{key}{name}"].astype(np.float64) for name in ("range", "clip"))
    step = reach / 127
    came_in = np.clip(np.rint(np.clip(x, -bound, bound) / step), -127, 127) * step
    rounded = dict(state)
    for name, axis in layer.body[0].products.items():
        weight = state[f"{key}body.0.{name}"].astype(np.float64)
        others = tuple(other for other in range(weight.ndim) if other != axis)
        scale = np.abs(weight).max(others, keepdims=True) / 127
        rounded[f"{key}body.0.{name}"] = np.rint(weight / np.where(scale > 0, scale, 1)) * scale
    return evaluate(layer.body, rounded, came_in, f"{key}body.", kept)


@value_of.register(layers.Keep)
def _(layer, state, x, key, kept):
    kept[layer.name] = x
    return x


@value_of.register(layers.Recall)
def _(layer, state, x, key, kept):
    return kept[layer.name]


@value_of.register(layers.Add)
def _(layer, state, x, key, kept):
    return x + kept[layer.name]


@value_of.register(layers.Concat)
def _(layer, state, x, key, kept):
    return np.concatenate([x, *(kept[name] for name in layer.names)], 1 if x.ndim == 4 else 2)


@value_of.register(layers.Linear)
def _(layer, state, x, key, kept):
    y = x @ state[f"{key}weight"].T.astype(np.float64)
    return y + state[f"{key}bias"] if layer.bias else y


@value_of.register(layers.BiLSTM)
def _(layer, state, x, key, kept):
    return bilstm(x, {name: state[f"{key}{name}"] for name in layer.arrays()})


@value_of.register(layers.GlobalMaxContext)
def _(layer, state, x, key, kept):
    return np.concatenate([x, np.broadcast_to(x.max(0), x.shape)], 2)


@value_of.register(layers.Positions)
def _(layer, state, x, key, kept):
    return x + state[f"{key}table"][: len(x), None]


@value_of.register(layers.SelfAttention)
def _(layer, state, x, key, kept):
    return attend(layer.heads, state, x, x, key)


@value_of.register(layers.CrossAttention)
def _(layer, state, x, key, kept):
    queries = kept[layer.queries] if layer.queries else x
    return attend(layer.heads, state, queries, kept[layer.memory].astype(np.float64), key, layer.diagonal)


def attend(heads: int, state, queries: np.ndarray, memory: np.ndarray, key: str, diagonal: bool = False) -> np.ndarray:
    """softmax(q kᵀ / √d) v of each head and sample alone; queries (T, N, C), memory (S, N, M)."""

    def linear(name, x):
        return x @ state[f"{key}{name}.weight"].T.astype(np.float64) + state[f"{key}{name}.bias"]

    query, keys, values = linear("query", queries), linear("key", memory), linear("value", memory)
    size, seen = query.shape[2] // heads, np.zeros(query.shape)
    for n in range(query.shape[1]):
        for part in (slice(head * size, (head + 1) * size) for head in range(heads)):
            scores = query[:, n, part] @ keys[:, n, part].T / np.sqrt(size)
            if diagonal:
                scores[np.eye(*scores.shape, dtype=bool)] = -np.inf
            shares = np.exp(scores - scores.max(1, keepdims=True))
            seen[:, n, part] = shares / shares.sum(1, keepdims=True) @ values[:, n, part]
    return linear("out", seen)


def _windows(x, layer, outside):
    """(N, C, H', W', kh, kw)"""
    (ph, pw), (sh, sw) = layer.padding, layer.stride
    dilation = getattr(layer, "dilation", (1, 1))
    span = [(size - 1) * apart + 1 for size, apart in zip(layer.kernel, dilation)]
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=outside)
    seen = np.lib.stride_tricks.sliding_window_view(x, span, (2, 3))
    return seen[:, :, ::sh, ::sw, :: dilation[0], :: dilation[1]]


def bilstm(x: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """x (T, N, C) -> (T, N, 2·hidden)"""
    forward = _lstm(x, weights, "")
    backward = _lstm(x[::-1], weights, "_reverse")[::-1]
    return np.concatenate([forward, backward], 2)


def _lstm(x, weights, end):
    w_ih, w_hh, b_ih, b_hh = (
        weights[f"{name}_l0{end}"].astype(np.float64) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    h = c = np.zeros((x.shape[1], w_hh.shape[1]))
    outputs = []
    for step in x:
        i, f, g, o = np.split(step @ w_ih.T + h @ w_hh.T + b_ih + b_hh, 4, 1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))
