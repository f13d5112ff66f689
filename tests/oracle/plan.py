"""Plans of layers evaluated by their definitions: numpy, float64, no framework and no cleverness."""

from __future__ import annotations

import numpy as np

from crnn_jt.layers import Activation, BiLSTM, Context, Conv, Dropout, Linear, MaxPool, Norm, Residual, walk


def random_state(plan, rng: np.random.Generator, prefix: str = "") -> dict[str, np.ndarray]:
    """Weights of a plan, float32, sized so that activations neither vanish nor explode."""
    state = {}
    for key, layer in walk(plan):
        for name, shape in _shapes(layer).items():
            value = rng.standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:])))
            if name == "running_var" or (isinstance(layer, Norm) and name == "weight"):
                value = 0.5 + rng.random(shape)
            state[f"{prefix}{key}.{name}"] = value.astype(np.float32)
    return state


def _shapes(layer) -> dict[str, tuple[int, ...]]:
    if isinstance(layer, Conv):
        weight = {"weight": (layer.out_channels, layer.in_channels, *layer.kernel)}
        return weight | ({"bias": (layer.out_channels,)} if layer.bias else {})
    if isinstance(layer, Norm):
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (layer.channels,))
    if isinstance(layer, Linear):
        return {"weight": (layer.out_features, layer.in_features), "bias": (layer.out_features,)}
    if isinstance(layer, BiLSTM):
        gates = 4 * layer.hidden
        one = {
            "weight_ih_l0": (gates, layer.in_features),
            "weight_hh_l0": (gates, layer.hidden),
            "bias_ih_l0": (gates,),
            "bias_hh_l0": (gates,),
        }
        return one | {f"{name}_reverse": shape for name, shape in one.items()}
    return {}


def evaluate(plan, state: dict[str, np.ndarray], x: np.ndarray, prefix: str = "") -> np.ndarray:
    """(N, C, H, W) or (T, N, C) through the layers of `plan`."""
    for position, layer in enumerate(plan):
        x = _evaluate(layer, state, x.astype(np.float64), f"{prefix}{position}.")
    return x


def _evaluate(layer, state, x, key):
    if isinstance(layer, Conv):
        weight = state[f"{key}weight"].astype(np.float64)
        y = np.einsum("ncijuv,ocuv->noij", _windows(x, layer, 0.0), weight)
        return y + state[f"{key}bias"][:, None, None] if layer.bias else y
    if isinstance(layer, MaxPool):
        return _windows(x, layer, -np.inf).max((4, 5))
    if isinstance(layer, Norm):
        weight, bias, mean, var = (
            state[f"{key}{n}"][:, None, None] for n in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(var.astype(np.float64) + layer.eps) * weight + bias
    if isinstance(layer, Activation):
        return np.maximum(x, 0) if layer.kind == "relu" else x * np.clip(x + 3, 0, 6) / 6
    if isinstance(layer, Residual):
        return evaluate(layer.body, state, x, f"{key}body.") + evaluate(layer.shortcut, state, x, f"{key}shortcut.")
    if isinstance(layer, Linear):
        return x @ state[f"{key}weight"].T.astype(np.float64) + state[f"{key}bias"]
    if isinstance(layer, BiLSTM):
        return bilstm(x, {name: state[f"{key}{name}"] for name in _shapes(layer)})
    if isinstance(layer, Context):
        return np.concatenate([x, np.broadcast_to(x.max(0), x.shape)], 2)
    assert isinstance(layer, Dropout)
    return x


def _windows(x, layer, outside):
    """(N, C, H', W', kh, kw)"""
    (ph, pw), (sh, sw) = layer.padding, layer.stride
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=outside)
    return np.lib.stride_tricks.sliding_window_view(x, layer.kernel, (2, 3))[:, :, ::sh, ::sw]


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
